//! The least that a client costs: the messages by hand, over three ways to send them.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::connect::HttpConnector;
use mcplink_bench::words;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{Client, Fallible};

/// Sends one message; an answer, and the session that came with it.
pub(crate) trait Post: Sized + Send + Sync + 'static {
    fn new(url: &str) -> Fallible<Self>;
    fn post(
        &self,
        url: &str,
        body: String,
        session: Option<&str>,
        is_modern: bool,
    ) -> impl Future<Output = Fallible<(Option<String>, Bytes)>> + Send;
}

/// A client that does no more than it must.
pub(crate) struct Floor<P> {
    post: P,
    url: String,
    session: Option<String>,
    is_modern: bool,
}

#[derive(serde::Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    result: &'a serde_json::value::RawValue,
}

#[derive(serde::Deserialize)]
pub(crate) struct Called<'a> {
    #[serde(borrow)]
    pub(crate) content: Vec<Content<'a>>,
}

#[derive(serde::Deserialize)]
pub(crate) struct Content<'a> {
    #[serde(borrow)]
    pub(crate) text: Cow<'a, str>,
}

#[derive(serde::Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    tools: Vec<&'a serde_json::value::RawValue>,
}

/// The message in an answer, be it JSON or one event.
fn message(body: &[u8]) -> Fallible<&str> {
    let text = std::str::from_utf8(body)?;
    Ok(match text.find("\ndata: ") {
        Some(at) if !text.starts_with('{') => text[at + 7..].trim_end(),
        _ => text,
    })
}

impl<P: Post> Floor<P> {
    async fn result(&self, body: String) -> Fallible<Bytes> {
        let (_, answer) = self.post.post(&self.url, body, self.session.as_deref(), self.is_modern).await?;
        Ok(answer)
    }
}

impl<P: Post> Client for Floor<P> {
    async fn connect(url: &str, is_modern: bool) -> Fallible<(Self, usize)> {
        let mut client = Self { post: P::new(url)?, url: url.to_owned(), session: None, is_modern };
        if !is_modern {
            let (session, _) = client.post.post(url, words::initialize(), None, false).await?;
            client.session = session;
            client.result(words::INITIALIZED.to_owned()).await?;
        }
        let listed = client.result(words::list(1, is_modern)).await?;
        let whole: Message<'_> = serde_json::from_str(message(&listed)?)?;
        let listed: Listed<'_> = serde_json::from_str(whole.result.get())?;
        Ok((client, listed.tools.len()))
    }

    async fn call(&self, id: usize, tool: &'static str) -> Fallible<usize> {
        let answer = self.result(words::call(id, tool, self.is_modern)).await?;
        let whole: Message<'_> = serde_json::from_str(message(&answer)?)?;
        let called: Called<'_> = serde_json::from_str(whole.result.get())?;
        Ok(called.content.first().map_or(0, |content| content.text.len()))
    }
}

/// reqwest, as a program would use it: one client for all.
pub(crate) struct Reqwest(reqwest::Client);

impl Post for Reqwest {
    fn new(_: &str) -> Fallible<Self> {
        static SHARED: std::sync::OnceLock<reqwest::Client> = std::sync::OnceLock::new();
        if let Some(client) = SHARED.get() {
            return Ok(Self(client.clone()));
        }
        let roots = rustls::RootCertStore::empty();
        let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(tls).tcp_nodelay(true).no_proxy().build()?;
        Ok(Self(SHARED.get_or_init(|| client).clone()))
    }

    async fn post(
        &self,
        url: &str,
        body: String,
        session: Option<&str>,
        is_modern: bool,
    ) -> Fallible<(Option<String>, Bytes)> {
        let mut request = self.0.post(url).body(body);
        for (name, value) in headers(session, is_modern) {
            request = request.header(name, value);
        }
        let answer = request.send().await?;
        let session = answer.headers().get("mcp-session-id").map(|id| id.to_str().unwrap_or("").to_owned());
        Ok((session, answer.bytes().await?))
    }
}

fn headers(session: Option<&str>, is_modern: bool) -> impl Iterator<Item = (&'static str, &str)> {
    let version = if is_modern { "2026-07-28" } else { "2025-11-25" };
    [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", version),
    ]
    .into_iter()
    .chain(session.map(|session| ("mcp-session-id", session)))
}

/// hyper, with its pool.
pub(crate) struct Hyper(hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>);

impl Post for Hyper {
    fn new(_: &str) -> Fallible<Self> {
        type Shared = hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>;
        static SHARED: std::sync::OnceLock<Shared> = std::sync::OnceLock::new();
        let client = SHARED.get_or_init(|| {
            let mut connector = HttpConnector::new();
            connector.set_nodelay(true);
            hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build(connector)
        });
        Ok(Self(client.clone()))
    }

    async fn post(
        &self,
        url: &str,
        body: String,
        session: Option<&str>,
        is_modern: bool,
    ) -> Fallible<(Option<String>, Bytes)> {
        let mut request = hyper::Request::post(url);
        for (name, value) in headers(session, is_modern) {
            request = request.header(name, value);
        }
        let answer = self.0.request(request.body(Full::from(body))?).await?;
        let session = answer.headers().get("mcp-session-id").map(|id| id.to_str().unwrap_or("").to_owned());
        Ok((session, answer.into_body().collect().await?.to_bytes()))
    }
}

/// HTTP by hand. As many sockets as there are calls at a time.
pub(crate) struct Raw {
    address: String,
    free: tokio::sync::Mutex<Vec<TcpStream>>,
}

impl Post for Raw {
    fn new(url: &str) -> Fallible<Self> {
        let url = url::Url::parse(url)?;
        let address = format!("127.0.0.1:{}", url.port().unwrap_or(80));
        Ok(Self { address, free: tokio::sync::Mutex::default() })
    }

    async fn post(
        &self,
        _: &str,
        body: String,
        session: Option<&str>,
        is_modern: bool,
    ) -> Fallible<(Option<String>, Bytes)> {
        let free = self.free.lock().await.pop();
        let mut stream = match free {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(&self.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let mut request =
            format!("POST /mcp HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\n", self.address, body.len());
        for (name, value) in headers(session, is_modern) {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(&body);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::with_capacity(2048);
        let end = loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the server has gone".into());
            }
            if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let head = std::str::from_utf8(&answer[..end])?;
        let field = |name: &str| {
            head.lines().find_map(|line| {
                line.split_once(": ").filter(|(is, _)| *is == name).map(|(_, value)| value.to_owned())
            })
        };
        let length: usize = field("content-length").map_or(Ok(0), |text| text.parse())?;
        let session = field("mcp-session-id");
        answer.reserve(length);
        while answer.len() < end + length {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the server has gone".into());
            }
        }
        self.free.lock().await.push(stream);
        Ok((session, Bytes::from(answer).slice(end..)))
    }
}
