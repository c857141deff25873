//! A person in front of a browser, who follows every redirect.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use tempfile::TempDir;
use url::Url;

/// One page on the way.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Visit {
    /// What was asked for.
    pub url: Url,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Visit {
    /// A visit to `url` that was answered like this.
    #[must_use]
    pub fn new(url: Url, status: u16, body: impl Into<String>) -> Self {
        Self { url, status, body: body.into() }
    }
}

/// Opens a URL as a browser would, follows up to ten redirects, and returns every page in order; the last is what the
/// person sees. Plain http on loopback only, as everything in a test is.
///
/// Blocking: in an async test, call it by `spawn_blocking` or on a thread.
///
/// # Errors
///
/// When a URL is not plain http on loopback, a server does not answer, or the redirects do not end.
pub fn visit(url: &Url) -> io::Result<Vec<Visit>> {
    let mut visits = Vec::new();
    let mut next = Some(url.clone());
    while let Some(url) = next.take() {
        if visits.len() > 10 {
            return Err(io::Error::other("too many redirects"));
        }
        let answer = request(&PageRequest::new(&url))?;
        if let Some(location) = answer.location() {
            next = Some(url.join(location).map_err(io::Error::other)?);
        }
        visits.push(Visit { url, status: answer.status, body: answer.body });
    }
    Ok(visits)
}

/// What a browser asks for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct PageRequest<'a> {
    /// What to ask for; loopback only.
    pub url: &'a Url,
    /// The body of a form that is posted.
    pub form: Option<&'a str>,
    /// The value of the header; empty for none.
    pub cookies: &'a str,
}

impl<'a> PageRequest<'a> {
    /// A `GET` of this URL, without cookies.
    #[must_use]
    pub const fn new(url: &'a Url) -> Self {
        Self { url, form: None, cookies: "" }
    }

    /// With this form, which is posted; `None` for a `GET`.
    #[must_use]
    pub const fn with_form(self, form: Option<&'a str>) -> Self {
        Self { form, ..self }
    }

    /// With these cookies, as the header has them.
    #[must_use]
    pub const fn with_cookies(self, cookies: &'a str) -> Self {
        Self { cookies, ..self }
    }
}

/// What it gets.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    /// The HTTP status.
    pub status: u16,
    head: String,
    /// The body, as far as it is text.
    pub body: String,
}

impl Page {
    /// The values of a header, whose name is in lower case.
    pub fn header(&self, wanted: &str) -> Vec<&str> {
        let headers = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        headers.filter(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim()).collect()
    }

    /// Where it leads on to.
    pub fn location(&self) -> Option<&str> {
        self.header("location").first().copied().filter(|_| (300..400).contains(&self.status))
    }
}

/// Asks once, without following where the answer leads.
///
/// # Errors
///
/// The URL leaves the machine, or the server does not answer.
pub fn request(asked: &PageRequest<'_>) -> io::Result<Page> {
    let url = asked.url;
    let is_loopback = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    if url.scheme() != "http" || !is_loopback {
        return Err(io::Error::other(format!(
            "a test browser does not leave the machine: {}",
            url.origin().ascii_serialization()
        )));
    }
    let address = url.socket_addrs(|| None)?;
    let mut stream = TcpStream::connect(address.as_slice())?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let method = if asked.form.is_some() { "POST" } else { "GET" };
    // HTTP/1.0, so that no answer comes in chunks.
    let mut request =
        format!("{method} {target} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\nAccept: text/html\r\n");
    if !asked.cookies.is_empty() {
        request += &format!("Cookie: {}\r\n", asked.cookies);
    }
    if let Some(form) = asked.form {
        let origin = url.origin().ascii_serialization();
        request += &format!(
            "Origin: {origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            form.len()
        );
    }
    request += "\r\n";
    request += asked.form.unwrap_or_default();
    // In one write, as browsers do: a callback listener that reads once must see the whole request.
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Page { status, head: head.to_owned(), body: body.to_owned() })
}

/// A browser for a program under test: a script (`sh` and `curl`) that notes the arguments it was started with, and
/// visits the first one unless told not to.
#[derive(Debug)]
pub struct FakeBrowser {
    directory: TempDir,
}

impl FakeBrowser {
    /// A browser that visits what it is given, in the background, as real ones do.
    ///
    /// # Errors
    ///
    /// When its script cannot be written.
    pub fn new() -> io::Result<Self> {
        Self::with("curl --silent --location --max-redirs 10 \"$1\" >\"$directory/page\" 2>&1 &")
    }

    /// A browser that shows the page to no person.
    ///
    /// # Errors
    ///
    /// When its script cannot be written.
    pub fn idle() -> io::Result<Self> {
        Self::with(":")
    }

    fn with(visit: &str) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("fake-browser-").tempdir()?;
        let script = format!(
            "#!/bin/sh\ndirectory='{}'\nfor argument; do printf '%s\\n' \"$argument\" >>\"$directory/arguments\"; done\n{visit}\n",
            directory.path().display()
        );
        let path = directory.path().join("browser");
        fs::write(&path, script)?;
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Ok(Self { directory })
    }

    /// The path of its script, for the `BROWSER` variable.
    #[must_use]
    pub fn command(&self) -> String {
        self.directory.path().join("browser").to_string_lossy().into_owned()
    }

    /// Every argument that it was ever started with, one per line of the record.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.path().join("arguments")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The page that it ended on, so far.
    #[must_use]
    pub fn page(&self) -> String {
        fs::read_to_string(self.directory.path().join("page")).unwrap_or_default()
    }
}
