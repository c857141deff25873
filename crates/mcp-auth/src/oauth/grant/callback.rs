//! The loopback listener that receives the redirect (RFC 8252 section 7.3), beside a prompt where the
//! redirect can be pasted.
//!
//! The browser's request is held open until the exchange is done, so the page tells its result and not a hope.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use super::authorize::CallbackParams;
use super::authorizer::{
    AuthorizationPrompt, Authorizer, AuthorizerSession, RedirectPreference, SignInPrompt,
};
use super::loopback::{ConnectionSource, Loopback, OpenConnections};
use super::page::Page;
use crate::url_policy::is_loopback;
use crate::{AuthError, AuthErrorKind, AuthFuture, Secret};

/// A request line with a code in it is far shorter.
const HEAD_LIMIT: usize = 16 * 1024;
/// A browser sends its request at once, or has opened the connection for later.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the page may take to be delivered; the sign-in does not fail with it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(3);
/// How many errors without a state are told: more of them say no more.
const MAX_TOLD: usize = 3;
/// How long a person may take.
const PERSON_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Sign-in through a browser on this machine, or a pasted redirect.
#[derive(Clone, Debug)]
pub struct LoopbackAuthorizer {
    prompt: Arc<dyn SignInPrompt>,
    person_timeout: Duration,
}

impl LoopbackAuthorizer {
    /// Shows the URL through `prompt`; gives a person 15 minutes.
    pub fn new(prompt: Arc<dyn SignInPrompt>) -> Self {
        Self { prompt, person_timeout: PERSON_TIMEOUT }
    }

    /// The same with another time limit.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.person_timeout = limit;
        self
    }

    async fn prepare(&self, preference: &RedirectPreference) -> Result<Session, AuthError> {
        let (listener, redirect_uri) = match &preference.exact {
            Some(exact) => match with_any_port(exact) {
                Some(url) => free_port_of(url, preference).await?,
                None => (listener_for(exact, preference.port).await?, exact.clone()),
            },
            None => {
                let listener = match (preference.port, preference.preferred_port) {
                    (Some(port), _) => Loopback::localhost(port).await?,
                    (None, Some(port)) => match Loopback::localhost(port).await {
                        Ok(listener) => listener,
                        Err(_) => Loopback::localhost(0).await?,
                    },
                    (None, None) => Loopback::localhost(0).await?,
                };
                let port = listener.port().unwrap_or_default();
                // `localhost` and not 127.0.0.1: what registered clients have always listed. Both of its addresses are
                // listened on.
                (Some(listener), format!("http://localhost:{port}/callback"))
            }
        };
        let path = Url::parse(&redirect_uri).map_err(|_| bad_redirect("it is not a URL"))?.path().to_owned();
        Ok(Session {
            prompt: Arc::clone(&self.prompt),
            person_timeout: self.person_timeout,
            listener,
            redirect_uri,
            path,
            waiting: None,
        })
    }
}

impl Authorizer for LoopbackAuthorizer {
    fn prepare<'a>(
        &'a self,
        preference: &'a RedirectPreference,
    ) -> AuthFuture<'a, Box<dyn AuthorizerSession>> {
        Box::pin(async move { Ok(Box::new(self.prepare(preference).await?) as Box<dyn AuthorizerSession>) })
    }
}

/// A configured redirect URI on this machine that leaves the port to us by saying 0: for authorization servers that refuse
/// `localhost` and take any port of an address (RFC 8252 section 7.3).
fn with_any_port(redirect_uri: &str) -> Option<Url> {
    let url = Url::parse(redirect_uri).ok()?;
    (url.scheme() == "http" && is_loopback(&url) && url.port() == Some(0)).then_some(url)
}

/// A listener on the host of `url`, on the port that is asked for, else on a free one, and `url` with that port.
async fn free_port_of(
    mut url: Url,
    preference: &RedirectPreference,
) -> Result<(Option<Loopback>, String), AuthError> {
    let listener = match (preference.port, preference.preferred_port) {
        (Some(port), _) => Loopback::host_of(&url, port).await?,
        (None, Some(port)) => match Loopback::host_of(&url, port).await {
            Ok(listener) => listener,
            Err(_) => Loopback::host_of(&url, 0).await?,
        },
        (None, None) => Loopback::host_of(&url, 0).await?,
    };
    url.set_port(listener.port()).map_err(|()| bad_redirect("it has no place for a port"))?;
    Ok((Some(listener), url.into()))
}

/// The listener of a configured redirect URI: the port in it, else the callback port. A URI of another machine
/// has none; its answer can only be pasted.
async fn listener_for(redirect_uri: &str, callback_port: Option<u16>) -> Result<Option<Loopback>, AuthError> {
    let url = Url::parse(redirect_uri).map_err(|_| bad_redirect("it is not a URL"))?;
    match url.scheme() {
        "https" => return Ok(None),
        "http" if is_loopback(&url) => {}
        _ => return Err(bad_redirect("it is neither https nor http on this machine")),
    }
    let port = match (url.port(), callback_port) {
        (Some(port), Some(other)) if port != other => {
            return Err(bad_redirect(&format!("it says port {port}, the callback port is {other}")));
        }
        (Some(port), _) | (None, Some(port)) => port,
        (None, None) => 80,
    };
    Loopback::host_of(&url, port).await.map(Some)
}

fn bad_redirect(why: &str) -> AuthError {
    AuthError::new(AuthErrorKind::Misconfigured, format!("use the configured redirect URI: {why}"))
}

#[derive(Debug)]
struct Session {
    prompt: Arc<dyn SignInPrompt>,
    person_timeout: Duration,
    listener: Option<Loopback>,
    redirect_uri: String,
    path: String,
    /// The browser's request, unanswered so far.
    waiting: Option<TcpStream>,
}

impl AuthorizerSession for Session {
    fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    fn authorize<'a>(&'a mut self, request: AuthorizationPrompt<'a>) -> AuthFuture<'a, CallbackParams> {
        Box::pin(async move {
            let shown_already = match self.waiting.take() {
                Some(stream) => lead_on(stream, request.url).await,
                None => false,
            };
            let state = request.state.clone();
            let limit = self.person_timeout;
            let answer = async {
                // The listener runs while the prompt does: a browser may be back before a slow prompt returns.
                let shown = async {
                    if !shown_already {
                        self.prompt.authorization(request).await?;
                    }
                    pasted(&*self.prompt, &state).await
                };
                tokio::select! {
                    received = received(self.listener.as_ref(), &self.path, &state, &*self.prompt) => {
                        received.map(|(params, stream)| (params, Some(stream)))
                    }
                    pasted = shown => Ok((pasted?, None)),
                }
            };
            let (params, stream) = timeout(limit, answer).await.unwrap_or_else(|_| {
                let message = format!(
                    "authorize: the sign-in was not finished within {} minutes",
                    limit.as_secs().div_ceil(60)
                );
                Err(AuthError::new(AuthErrorKind::Cancelled, message))
            })?;
            self.waiting = stream;
            Ok(params)
        })
    }

    fn finish<'a>(
        &'a mut self,
        server_name: &'a str,
        outcome: Result<(), &'a AuthError>,
    ) -> AuthFuture<'a, ()> {
        Box::pin(async move {
            let Some(mut stream) = self.waiting.take() else { return Ok(()) };
            let why = outcome.err().map(ToString::to_string);
            let page = match &why {
                None => Page::SignedIn { server: server_name },
                Some(why) => Page::Failed { server: server_name, why },
            };
            respond(&mut stream, page).await;
            Ok(())
        })
    }
}

/// Waits for something pasted that can be the answer to the sign-in of this `state`: the page of another one, or of the one
/// before, ends nothing. A terminal may have broken the address into lines, which come one after the other.
async fn pasted(prompt: &dyn SignInPrompt, state: &Secret) -> Result<CallbackParams, AuthError> {
    let answer = |text: &str| {
        let params = CallbackParams::from_pasted(text)?;
        let is_its = params.pasted_code || params.state.as_ref() == Some(state);
        (is_its || params.is_error_without_state()).then_some(params)
    };
    let mut begun = String::new();
    loop {
        let text = prompt.pasted().await?;
        let line = text.expose().trim();
        let is_address = line.trim_start_matches(['"', '\'', '<']).starts_with("http");
        if is_address || !begun.contains("://") || begun.len() > HEAD_LIMIT {
            begun.clear();
        }
        begun.push_str(line);
        // A line that goes on may look like a code.
        let whole = answer(&begun).filter(|params| !params.pasted_code);
        if let Some(params) = whole.or_else(|| answer(line)) {
            return Ok(params);
        }
        prompt.paste_refused().await?;
    }
}

/// The answer, with the connection that brought it; never where nothing is listened on.
async fn received(
    listener: Option<&Loopback>,
    path: &str,
    state: &Secret,
    prompt: &dyn SignInPrompt,
) -> Result<(CallbackParams, TcpStream), AuthError> {
    match listener {
        Some(listener) => receive(listener, path, state, prompt).await,
        None => std::future::pending().await,
    }
}

/// Accepts connections until one brings the answer to *this* sign-in. Browsers open connections that they never use and
/// ask for icons, any page can send requests here, any program can open connections until there are no more
/// descriptors: none of that ends the sign-in. An error without a state is told, for it may be all that comes, and so is, once, that there was an
/// answer with another one.
async fn receive(
    listener: &impl ConnectionSource,
    path: &str,
    state: &Secret,
    prompt: &dyn SignInPrompt,
) -> Result<(CallbackParams, TcpStream), AuthError> {
    let (found, mut answers) = mpsc::channel(1);
    let (tells, mut told) = mpsc::channel(MAX_TOLD);
    let (strays, mut strayed) = mpsc::channel(1);
    let mut is_told = false;
    // Dropped with this future, and the connections with it.
    let mut guests = OpenConnections::default();
    let mut left = MAX_TOLD;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(mut stream) => {
                    let (path, state, found, tells, strays) =
                        (path.to_owned(), state.clone(), found.clone(), tells.clone(), strays.clone());
                    let is_trusted = is_trusted(&stream);
                    guests.admit(async move {
                        if !is_trusted {
                            let refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
                            deliver(&mut stream, refused).await;
                        } else {
                            match serve(stream, &path, &state).await {
                                // The first answer wins; a reload finds no sign-in waiting.
                                Some(CallbackRequest::Answer(params, stream)) => drop(found.try_send((params, stream))),
                                Some(CallbackRequest::Unproven(said)) => drop(tells.try_send(said)),
                                Some(CallbackRequest::Foreign) => drop(strays.try_send(())),
                                None => {}
                            }
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection to the callback could not be accepted");
                    guests.make_room().await;
                }
            },
            Some(answer) = answers.recv() => return Ok(answer),
            Some(said) = told.recv(), if left > 0 => {
                left -= 1;
                prompt.unproven(&said).await?;
            }
            Some(()) = strayed.recv(), if !is_told => {
                is_told = true;
                prompt.foreign_answer().await?;
            }
        }
    }
}

/// Security: the address that a browser is started with has the port and the state, and other accounts see it in the list of
/// processes. An answer of theirs would sign this person in as another one.
fn is_trusted(stream: &TcpStream) -> bool {
    let ends = stream.peer_addr().and_then(|from| Ok((from, stream.local_addr()?)));
    ends.is_ok_and(|(from, to)| mcp_files::is_trusted_peer(from, to))
}

/// What a request was.
enum CallbackRequest {
    /// The answer, and the connection that waits for the page.
    Answer(CallbackParams, TcpStream),
    /// An error that has no state, in words.
    Unproven(String),
    /// An answer with another state, or with none.
    Foreign,
}

/// Reads one request: what it was, or nothing after having said so.
async fn serve(mut stream: TcpStream, path: &str, state: &Secret) -> Option<CallbackRequest> {
    let head = timeout(HEAD_TIMEOUT, read_head(&mut stream)).await.ok()??;
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    let (at, query) = target.map(|target| target.split_once('?').unwrap_or((target, ""))).unwrap_or_default();
    if at != path {
        let nothing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        deliver(&mut stream, nothing).await;
        return None;
    }
    let params = CallbackParams::from_query(query);
    // Security: any page that finds the port can send this, so it ends no sign-in.
    if params.is_error_without_state() {
        let said = params.said();
        respond(&mut stream, Page::Unproven { said: &said }).await;
        return Some(CallbackRequest::Unproven(said));
    }
    if params.state.as_ref() != Some(state) {
        respond(&mut stream, Page::NotExpected).await;
        // Security: nothing of it is told, and it ends no sign-in.
        return (params.code.is_some() || params.error.is_some()).then_some(CallbackRequest::Foreign);
    }
    Some(CallbackRequest::Answer(params, stream))
}

/// The request line of a request whose head is complete.
async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut chunk = [0; 2048];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await.ok()?;
        if read == 0 || head.len() + read > HEAD_LIMIT {
            return None;
        }
        head.extend_from_slice(&chunk[..read]);
    }
    let line = head.split(|byte| *byte == b'\r').next()?;
    String::from_utf8(line.to_vec()).ok()
}

/// Sends the tab that waits for the end of one round on to the next; whether it was still there.
async fn lead_on(mut stream: TcpStream, url: &Url) -> bool {
    // Security: a parsed URL contains no line breaks, so it cannot add headers.
    let answer = format!(
        "HTTP/1.1 303 See Other\r\nLocation: {url}\r\nContent-Length: 0\r\nCache-Control: no-store\r\n\
Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    );
    deliver(&mut stream, answer.as_bytes()).await
}

async fn respond(stream: &mut TcpStream, page: Page<'_>) {
    let (status, body) = page.render();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
Referrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'\r\n\
Connection: close\r\n\r\n{body}",
        body.len()
    );
    if !deliver(stream, answer.as_bytes()).await {
        tracing::debug!("the browser did not wait for the page that ends the sign-in");
    }
}

async fn deliver(stream: &mut TcpStream, answer: &[u8]) -> bool {
    let sent = async {
        stream.write_all(answer).await?;
        stream.shutdown().await
    };
    matches!(timeout(PAGE_TIMEOUT, sent).await, Ok(Ok(())))
}

#[cfg(test)]
mod tests;
