//! The page over HTTP: what a browser asks for becomes a [`BrowserRequest`], and what is shown goes out as it changes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::Stream as _;
use futures_util::stream::{self, BoxStream};
use http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;

use super::gate::{Gate, Route};
use super::press::PageAction;

/// Connections that are served at once. Beyond this, the oldest that has shown no token makes room.
const MOST_CONNECTIONS: usize = 48;
/// How long the head, or the body, of a request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(10);
/// How long a body may be, in bytes: a pasted address is far shorter.
const MOST_BODY: usize = 64 * 1024;
/// How often something is sent, so that a browser that is gone is noticed.
const BEAT: Duration = Duration::from_secs(15);

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a browser wants.
#[derive(Debug)]
pub(super) enum BrowserRequest {
    PageAction(PageAction),
    /// The code of the address was taken.
    Opened,
}

/// What every connection has.
#[derive(Debug)]
pub(super) struct ServerContext {
    pub(super) gate: Mutex<Gate>,
    pub(super) asks: UnboundedSender<BrowserRequest>,
    /// The document that is shown.
    pub(super) shown: watch::Receiver<Arc<str>>,
}

/// The connections that are open. Dropping it ends them.
#[derive(Debug, Default)]
pub(super) struct PageConnections {
    tasks: JoinSet<()>,
    /// The oldest first, each with whether it has shown the token.
    order: VecDeque<(AbortHandle, Arc<AtomicBool>)>,
}

impl PageConnections {
    /// `is_ours` says whether it is of this account; another one is answered, and nothing else.
    pub(super) fn admit(&mut self, stream: TcpStream, door: &Arc<ServerContext>, is_ours: bool) {
        while self.tasks.try_join_next().is_some() {}
        self.order.retain(|(guest, _)| !guest.is_finished());
        if self.order.len() >= MOST_CONNECTIONS {
            let stranger = self.order.iter().position(|(_, is_known)| !is_known.load(Ordering::Relaxed));
            // Where all of them are known, this one is one too many.
            let Some((guest, _)) = stranger.and_then(|at| self.order.remove(at)) else { return };
            guest.abort();
        }
        let is_known = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(serve(stream, door.clone(), is_known.clone(), is_ours));
        self.order.push_back((task, is_known));
    }
}

async fn serve(stream: TcpStream, door: Arc<ServerContext>, is_known: Arc<AtomicBool>, is_ours: bool) {
    let service = service_fn(|request| {
        let (door, is_known) = (door.clone(), is_known.clone());
        async move {
            Ok::<_, Infallible>(match is_ours {
                true => answer(request, &door, &is_known).await,
                false => said(StatusCode::FORBIDDEN, "text/plain; charset=utf-8", "403"),
            })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_LIMIT).max_headers(64).max_buf_size(16 * 1024);
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection to the page has ended");
    }
}

/// `{"code": …}` of the address.
#[derive(Deserialize)]
struct Begin {
    code: String,
}

async fn answer(request: Request<Incoming>, door: &ServerContext, is_known: &AtomicBool) -> Response<Reply> {
    let admitted = {
        let gate = door.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.admit(request.method(), request.uri(), request.headers())
    };
    let asked = match admitted {
        Ok(asked) => asked,
        Err(status) => return said(status, "text/plain; charset=utf-8", status.as_str().to_owned()),
    };
    if matches!(asked, Route::Events | Route::Act) {
        is_known.store(true, Ordering::Relaxed);
    }
    match asked {
        Route::Page => said(StatusCode::OK, "text/html; charset=utf-8", page()),
        Route::Events => {
            response(StatusCode::OK, "text/event-stream", Reply::Live(events(door.shown.clone())))
        }
        Route::Begin | Route::Act => match read(request.into_body()).await {
            Err(status) => said(status, "text/plain; charset=utf-8", status.as_str().to_owned()),
            Ok(body) if asked == Route::Begin => begin(door, &body),
            Ok(body) => match serde_json::from_slice(&body) {
                Ok(press) => {
                    // The page ends with the program.
                    drop(door.asks.send(BrowserRequest::PageAction(press)));
                    said(StatusCode::ACCEPTED, "application/json", "{}")
                }
                Err(_) => said(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", "400"),
            },
        },
    }
}

fn begin(door: &ServerContext, body: &[u8]) -> Response<Reply> {
    let mut gate = door.gate.lock().unwrap_or_else(PoisonError::into_inner);
    let code = serde_json::from_slice(body).map(|begin: Begin| begin.code).unwrap_or_default();
    match gate.exchange(&code) {
        Some(token) => {
            let answer = json!({ "token": token }).to_string();
            drop(door.asks.send(BrowserRequest::Opened));
            said(StatusCode::OK, "application/json", answer)
        }
        None => said(StatusCode::UNAUTHORIZED, "text/plain; charset=utf-8", "401"),
    }
}

/// A body within its limits of length and time.
async fn read(mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(frame) = std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
        {
            let data = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data().unwrap_or_default();
            if bytes.len() + data.len() > MOST_BODY {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            bytes.extend_from_slice(&data);
        }
        Ok(())
    };
    timeout(REQUEST_LIMIT, reading).await.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))?;
    Ok(bytes)
}

/// Server-sent events: the document now, and again when it is another one.
fn events(shown: watch::Receiver<Arc<str>>) -> BoxStream<'static, Bytes> {
    let first = true;
    Box::pin(stream::unfold((shown, first), |(mut shown, first)| async move {
        if !first {
            match timeout(BEAT, shown.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return None,
                Err(_) => return Some((Bytes::from_static(b":\n\n"), (shown, false))),
            }
        }
        // JSON has no line ends outside of its texts, and there they are escaped.
        let document = shown.borrow_and_update().clone();
        Some((Bytes::from(format!("data: {document}\n\n")), (shown, false)))
    }))
}

/// The document of the page: one file, with its style and its script.
fn page() -> String {
    PAGE.replace("/*style*/", STYLE).replace("/*script*/", SCRIPT)
}

/// Only what the page is made of runs or is loaded; it is in no frame of another page and leads nowhere.
fn policy() -> String {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
}

fn said(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Response<Reply> {
    response(status, kind, Reply::Whole(Some(text.into())))
}

fn response(status: StatusCode, kind: &'static str, body: Reply) -> Response<Reply> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The body of an answer.
enum Reply {
    Whole(Option<Bytes>),
    Live(BoxStream<'static, Bytes>),
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Live(_) => SizeHint::default(),
        }
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Live(events) => {
                Pin::new(events).poll_next(context).map(|event| event.map(|event| Ok(Frame::data(event))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    /// A browser that has shown the token keeps its place, however many others come.
    #[tokio::test]
    async fn s_w1_strangers_make_room_for_each_other_and_for_who_is_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let gate = Mutex::new(Gate::new(address.port()).unwrap());
        let (asks, _asked) = unbounded_channel();
        let (_document, shown) = watch::channel(Arc::from(""));
        let door = Arc::new(ServerContext { gate, asks, shown });
        let (mut guests, mut clients, mut first) = (PageConnections::default(), Vec::new(), None);
        for number in 0..MOST_CONNECTIONS + 20 {
            clients.push(TcpStream::connect(address).await.unwrap());
            guests.admit(listener.accept().await.unwrap().0, &door, true);
            let first = first.get_or_insert_with(|| guests.order[0].clone());
            first.1.store(true, Ordering::Relaxed);
            tokio::task::yield_now().await;
            assert!(guests.order.len() <= MOST_CONNECTIONS, "{number}");
            assert!(!first.0.is_finished(), "the first is known: {number}");
        }
        // Where all of them are known, none has to go.
        guests.order.iter().for_each(|(_, is_known)| is_known.store(true, Ordering::Relaxed));
        clients.push(TcpStream::connect(address).await.unwrap());
        guests.admit(listener.accept().await.unwrap().0, &door, true);
        tokio::task::yield_now().await;
        assert!(guests.order.iter().all(|(guest, _)| !guest.is_finished()));
    }
}
