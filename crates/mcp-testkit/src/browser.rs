//! Somebody in front of a browser, who follows every redirect.

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
        let (head, body) = get(&url)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let location = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
        });
        if (300..400).contains(&status)
            && let Some(location) = location
        {
            next = Some(url.join(&location).map_err(io::Error::other)?);
        }
        visits.push(Visit { url, status, body });
    }
    Ok(visits)
}

fn get(url: &Url) -> io::Result<(String, String)> {
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
    // In one write, as browsers do: a callback listener that reads once must see the whole request.
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAccept: text/html\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((head.to_owned(), body.to_owned()))
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

    /// A browser that shows the page to nobody.
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
