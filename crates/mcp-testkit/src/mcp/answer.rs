//! What a test can make a fake server answer instead of, or as the form of, the honest answer.

use std::time::Duration;

use serde_json::Value;

/// An answer from a script. The request is recorded whatever the answer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ScriptedAnswer {
    /// The honest answer: a place holder in a script.
    Honest,
    /// The honest answer, this much later.
    Late(Duration),
    /// The honest answer in another form than the server's usual one.
    As(Delivery),
    /// The server's refusal, whatever the credentials were: a transient 401.
    Refuse,
    /// A response with exactly this status, headers and body.
    Http(HttpAnswer),
    /// A JSON-RPC error to this request, in a 200.
    RpcError {
        /// The JSON-RPC error code.
        code: i64,
        /// The error message.
        message: String,
    },
    /// A JSON-RPC error to this request, in a 200, as this object.
    RpcFailure(Value),
    /// A JSON-RPC result to this request, in a 200, in place of the honest one.
    RpcResult(Value),
    /// The same with this JSON text, in a spelling that a `Value` would not keep.
    RpcText(String),
    /// Closes the connection where an answer was due.
    Drop,
    /// Keeps the connection open and never answers.
    Hang,
}

impl ScriptedAnswer {
    /// This status with an empty JSON object.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Http(HttpAnswer::new(status).body("application/json", "{}"))
    }

    /// This status with a `Retry-After` header (seconds, or an HTTP date).
    pub fn retry_after(status: u16, after: impl ToString) -> Self {
        Self::Http(
            HttpAnswer::new(status).header("retry-after", after.to_string()).body("application/json", "{}"),
        )
    }

    /// A redirect; a location without a scheme stays on the same origin.
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::Http(HttpAnswer::new(status).header("location", location))
    }

    /// 200 with a login page, where JSON or SSE was due: what a single-sign-on proxy answers.
    #[must_use]
    pub fn login_page() -> Self {
        let page =
            "<!doctype html><title>Sign in</title><form action=\"/login\"><input name=\"user\"></form>";
        Self::Http(HttpAnswer::new(200).body("text/html; charset=utf-8", page))
    }

    /// 407, as from a forward proxy that wants credentials.
    #[must_use]
    pub fn proxy_auth() -> Self {
        Self::Http(HttpAnswer::new(407).header("proxy-authenticate", "Basic realm=\"proxy\""))
    }

    /// 200 with this JSON.
    pub fn json(body: impl Into<Value>) -> Self {
        Self::Http(HttpAnswer::new(200).body("application/json", body.into().to_string()))
    }
}

/// A response spelled out. Builder style.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers beside `Content-Length`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// Sends only this many bytes of the body and then closes the connection.
    pub drop_after: Option<usize>,
}

impl HttpAnswer {
    /// This status, without headers and body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), drop_after: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body and its type.
    #[must_use]
    pub fn body(self, content_type: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        let mut this = self.header("content-type", content_type);
        this.body = body.into();
        this
    }

    /// Announces the whole body, sends this many bytes of it and closes the connection.
    #[must_use]
    pub fn drop_after(mut self, bytes: usize) -> Self {
        self.drop_after = Some(bytes);
        self
    }
}

impl From<HttpAnswer> for ScriptedAnswer {
    fn from(answer: HttpAnswer) -> Self {
        Self::Http(answer)
    }
}

/// The form in which honest answers leave.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// One JSON object; a tool that has progress to tell or a question to ask uses SSE all the same.
    #[default]
    Json,
    /// A JSON object that breaks off: the whole length is announced, this many bytes are sent, the connection closes.
    CutJson(usize),
    /// An event stream.
    Sse(Sse),
}

impl From<Sse> for Delivery {
    fn from(sse: Sse) -> Self {
        Self::Sse(sse)
    }
}

/// The form of an event stream. Builder style; the default is one `message` event and a clean end.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sse {
    /// Messages sent before the response.
    pub leading: Vec<Value>,
    /// Writes at most this many bytes at once, so that lines and code points are split over reads.
    pub chunk: Option<usize>,
    /// A comment line before anything else, and one between any two events.
    pub comments: bool,
    /// Ends lines with CR LF instead of LF.
    pub crlf: bool,
    /// Writes the payload over several `data:` lines (one per line of its pretty-printed form).
    pub multiline: bool,
    /// The priming event of 2025-11-25: an id, an empty `data`, and this many milliseconds of `retry`.
    pub priming: Option<u64>,
    /// How the stream ends.
    pub end: SseEnd,
}

/// How an event stream ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SseEnd {
    /// After the response, cleanly.
    Clean,
    /// After the response the stream stays open: the specification only says that it should end.
    HeldOpen,
    /// The connection breaks before the response.
    DropBeforeResponse,
    /// The connection breaks inside the response's event.
    DropInsideResponse,
    /// The stream ends cleanly, without the response and without a way to get it.
    CleanWithoutResponse,
    /// The stream ends cleanly before the response, which is delivered on a GET with `Last-Event-ID`
    /// (2025-11-25, "Resumability"). Implies a priming event.
    Resumable,
    /// One event that never ends: bytes without a line break, for as long as the client reads.
    Endless,
    /// Comments without end, no event: alive and of no use.
    EndlessComments,
}

impl Sse {
    /// One event, a clean end.
    #[must_use]
    pub fn new() -> Self {
        Self {
            leading: Vec::new(),
            chunk: None,
            comments: false,
            crlf: false,
            multiline: false,
            priming: None,
            end: SseEnd::Clean,
        }
    }

    /// Sends a message before the response.
    #[must_use]
    pub fn leading(mut self, message: Value) -> Self {
        self.leading.push(message);
        self
    }

    /// Writes at most `bytes` at once.
    #[must_use]
    pub fn chunk(mut self, bytes: usize) -> Self {
        self.chunk = Some(bytes.max(1));
        self
    }

    /// Adds comment lines.
    #[must_use]
    pub fn comments(mut self) -> Self {
        self.comments = true;
        self
    }

    /// Ends lines with CR LF.
    #[must_use]
    pub fn crlf(mut self) -> Self {
        self.crlf = true;
        self
    }

    /// Uses several `data:` lines for one event.
    #[must_use]
    pub fn multiline(mut self) -> Self {
        self.multiline = true;
        self
    }

    /// Sends the priming event with this `retry` in milliseconds.
    #[must_use]
    pub fn priming(mut self, retry_ms: u64) -> Self {
        self.priming = Some(retry_ms);
        self
    }

    /// Sets how the stream ends.
    #[must_use]
    pub fn end(mut self, end: SseEnd) -> Self {
        self.end = end;
        self
    }
}

impl Default for Sse {
    fn default() -> Self {
        Self::new()
    }
}
