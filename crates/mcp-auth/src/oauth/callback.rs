//! The loopback listener that receives the redirect (RFC 8252 section 7.3), beside a prompt where the
//! redirect can be pasted.
//!
//! The browser's request is held open until the exchange is done, so the page tells its result and not a hope.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use super::authorize::CallbackParams;
use super::authorizer::{AuthorizationPrompt, Authorizer, AuthorizerSession, RedirectWish, SignInPrompt};
use super::page::Page;
use super::urls::is_loopback;
use crate::{AuthError, AuthErrorKind, AuthFuture, Secret};

/// A request line with a code in it is far shorter.
const HEAD_LIMIT: usize = 16 * 1024;
/// A browser sends its request at once, or has opened the connection for later.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the page may take to be delivered; the sign-in does not fail with it.
const PAGE_TIMEOUT: Duration = Duration::from_secs(3);
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

    async fn prepare(&self, wish: &RedirectWish) -> Result<Session, AuthError> {
        let (listener, redirect_uri) = match &wish.exact {
            Some(exact) => (listener_for(exact, wish.port).await?, exact.clone()),
            None => {
                let listener = match (wish.port, wish.preferred_port) {
                    (Some(port), _) => bind(port).await?,
                    (None, Some(port)) => match bind(port).await {
                        Ok(listener) => listener,
                        Err(_) => bind(0).await?,
                    },
                    (None, None) => bind(0).await?,
                };
                let port = listener.local_addr().map_err(|error| listen_error(0, error))?.port();
                // `localhost` and not 127.0.0.1: what registered clients have always listed.
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
    fn prepare<'a>(&'a self, wish: &'a RedirectWish) -> AuthFuture<'a, Box<dyn AuthorizerSession>> {
        Box::pin(async move { Ok(Box::new(self.prepare(wish).await?) as Box<dyn AuthorizerSession>) })
    }
}

async fn bind(port: u16) -> Result<TcpListener, AuthError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| listen_error(port, error))
}

/// The listener of a configured redirect URI: the port in it, else the callback port. A URI of another machine
/// has none; its answer can only be pasted.
async fn listener_for(
    redirect_uri: &str,
    callback_port: Option<u16>,
) -> Result<Option<TcpListener>, AuthError> {
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
    bind(port).await.map(Some)
}

fn bad_redirect(why: &str) -> AuthError {
    AuthError::new(AuthErrorKind::Misconfigured, format!("use the configured redirect URI: {why}"))
}

fn listen_error(port: u16, error: std::io::Error) -> AuthError {
    let why = match error.kind() {
        std::io::ErrorKind::AddrInUse => "another program is using it".to_owned(),
        kind => kind.to_string(),
    };
    let message = format!("listen on port {port} of 127.0.0.1 for the callback: {why}");
    AuthError::new(AuthErrorKind::Misconfigured, message).with_source(error)
}

#[derive(Debug)]
struct Session {
    prompt: Arc<dyn SignInPrompt>,
    person_timeout: Duration,
    listener: Option<TcpListener>,
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
                    pasted(&*self.prompt).await
                };
                tokio::select! {
                    received = receive(self.listener.as_ref(), &self.path, &state) => {
                        let (params, stream) = received?;
                        Ok((params, Some(stream)))
                    }
                    pasted = shown => Ok((pasted?, None)),
                }
            };
            let (params, stream) = timeout(limit, answer).await.unwrap_or_else(|_| {
                let message = format!(
                    "authorize: nobody finished the sign-in within {} minutes",
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

/// Waits for something pasted that can be an answer.
async fn pasted(prompt: &dyn SignInPrompt) -> Result<CallbackParams, AuthError> {
    loop {
        let text = prompt.pasted().await?;
        match CallbackParams::from_pasted(text.expose()) {
            Some(params) => return Ok(params),
            None => prompt.paste_refused().await?,
        }
    }
}

/// Accepts connections until one brings the answer to *this* sign-in. Browsers open connections that they never
/// use and ask for icons, and any page can send requests here: none of that ends the sign-in.
async fn receive(
    listener: Option<&TcpListener>,
    path: &str,
    state: &Secret,
) -> Result<(CallbackParams, TcpStream), AuthError> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (found, mut answers) = mpsc::channel(1);
    // Dropped with this future, and the connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.map_err(|error| listen_error(0, error))?;
                let (path, state, found) = (path.to_owned(), state.clone(), found.clone());
                connections.spawn(async move {
                    if let Some(answer) = serve(stream, &path, &state).await {
                        // The first answer wins; a reload finds nobody waiting.
                        let _ = found.try_send(answer);
                    }
                });
            }
            Some(answer) = answers.recv() => return Ok(answer),
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Reads one request: the answer with its connection, or nothing after having said so.
async fn serve(mut stream: TcpStream, path: &str, state: &Secret) -> Option<(CallbackParams, TcpStream)> {
    let head = timeout(HEAD_TIMEOUT, read_head(&mut stream)).await.ok()??;
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next());
    let (at, query) = target.map(|target| target.split_once('?').unwrap_or((target, ""))).unwrap_or_default();
    if at != path {
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            .await;
        return None;
    }
    let params = CallbackParams::from_query(query);
    if params.state.as_ref() != Some(state) {
        respond(&mut stream, Page::NotExpected).await;
        return None;
    }
    Some((params, stream))
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
mod tests {
    use super::super::authorizer::{DevicePrompt, authorization_prompt};
    use super::*;

    #[derive(Debug, Default)]
    struct Silent {
        pastes: std::sync::Mutex<Vec<&'static str>>,
        refused: std::sync::atomic::AtomicU32,
    }

    impl SignInPrompt for Silent {
        fn authorization<'a>(&'a self, _: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
            Box::pin(std::future::ready(Ok(())))
        }

        fn pasted(&self) -> AuthFuture<'_, Secret> {
            match self.pastes.lock().unwrap().pop() {
                Some(text) => Box::pin(std::future::ready(Ok(Secret::new(text)))),
                None => Box::pin(std::future::pending()),
            }
        }

        fn paste_refused(&self) -> AuthFuture<'_, ()> {
            self.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Box::pin(std::future::ready(Ok(())))
        }

        fn device<'a>(&'a self, _: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
            Box::pin(std::future::ready(Ok(())))
        }
    }

    async fn get(port: u16, target: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        stream
            .write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn session(wish: RedirectWish) -> Session {
        LoopbackAuthorizer::new(Arc::new(Silent::default())).prepare(&wish).await.unwrap()
    }

    fn port_of(session: &Session) -> u16 {
        Url::parse(session.redirect_uri()).unwrap().port().unwrap()
    }

    #[tokio::test]
    async fn f077_the_page_waits_for_the_outcome_and_tells_it() {
        for failed in [false, true] {
            let mut session = session(RedirectWish::default()).await;
            let port = port_of(&session);
            let url = Url::parse("https://as.example/").unwrap();
            let state = Secret::new("s1");
            // Neither a connection that says nothing, nor an icon, nor a foreign answer ends the sign-in.
            let _idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
            let browser = tokio::spawn(async move {
                assert!(get(port, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
                assert!(get(port, "/callback?code=evil&state=other").await.contains("Not expected"));
                get(port, "/callback?code=c1&state=s1").await
            });
            let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
            assert_eq!(params.code.unwrap().expose(), "c1");
            assert!(!browser.is_finished(), "the request is held open until the exchange is done");
            let error = AuthError::new(AuthErrorKind::Protocol, "exchange the authorization code: <refused>");
            session.finish("srv", if failed { Err(&error) } else { Ok(()) }).await.unwrap();
            let page = browser.await.unwrap();
            if failed {
                assert!(page.starts_with("HTTP/1.1 400") && page.contains("&lt;refused&gt;"), "{page}");
            } else {
                assert!(page.starts_with("HTTP/1.1 200") && page.contains("Signed in"), "{page}");
            }
        }
    }

    #[tokio::test]
    async fn a_second_round_goes_on_in_the_tab_of_the_first() {
        let mut session = session(RedirectWish::default()).await;
        let port = port_of(&session);
        let (first, second) = (Secret::new("s1"), Secret::new("s2"));
        let url = Url::parse("https://as.example/first").unwrap();
        let browser = tokio::spawn(async move { get(port, "/callback?code=c1&state=s1").await });
        session.authorize(authorization_prompt("srv", &url, &first)).await.unwrap();

        let url = Url::parse("https://as.example/second?x=1").unwrap();
        let came_back = tokio::spawn(async move {
            let led_on = browser.await.unwrap();
            assert!(led_on.starts_with("HTTP/1.1 303"), "{led_on}");
            assert!(led_on.contains("\r\nLocation: https://as.example/second?x=1\r\n"), "{led_on}");
            get(port, "/callback?code=c2&state=s2").await
        });
        let params = session.authorize(authorization_prompt("srv", &url, &second)).await.unwrap();
        assert_eq!(params.code.unwrap().expose(), "c2");
        session.finish("srv", Ok(())).await.unwrap();
        assert!(came_back.await.unwrap().contains("Signed in"));
    }

    #[tokio::test]
    async fn f071_a_busy_port_is_an_error_that_names_it_at_once() {
        let taken = bind(0).await.unwrap();
        let port = taken.local_addr().unwrap().port();
        let authorizer = LoopbackAuthorizer::new(Arc::new(Silent::default()));
        let wish = RedirectWish { port: Some(port), ..RedirectWish::default() };
        let error = authorizer.prepare(&wish).await.unwrap_err();
        assert!(error.to_string().contains(&port.to_string()), "{error}");
        let wish = RedirectWish { preferred_port: Some(port), ..RedirectWish::default() };
        assert_ne!(port_of(&session(wish).await), port, "a preferred port is only preferred");
    }

    #[tokio::test]
    async fn f070_the_redirect_uri_is_exactly_the_configured_one_and_its_port_is_listened_on() {
        let free = bind(0).await.unwrap().local_addr().unwrap().port();
        let exact = format!("http://127.0.0.1:{free}/oauth/cb");
        let session = session(RedirectWish { exact: Some(exact.clone()), ..RedirectWish::default() }).await;
        assert_eq!(session.redirect_uri(), exact);
        assert_eq!(session.listener.as_ref().unwrap().local_addr().unwrap().port(), free);
        assert_eq!(session.path, "/oauth/cb");

        let authorizer = LoopbackAuthorizer::new(Arc::new(Silent::default()));
        for bad in ["nonsense", "http://example.com/cb", "custom://x"] {
            let wish = RedirectWish { exact: Some(bad.into()), ..RedirectWish::default() };
            assert_eq!(
                authorizer.prepare(&wish).await.unwrap_err().kind(),
                AuthErrorKind::Misconfigured,
                "{bad}"
            );
        }
        let wish =
            RedirectWish { exact: Some(exact), port: Some(free.wrapping_add(1)), ..RedirectWish::default() };
        assert!(authorizer.prepare(&wish).await.unwrap_err().to_string().contains("port"));
    }

    #[tokio::test]
    async fn f073_a_pasted_redirect_ends_the_wait_and_nonsense_does_not() {
        let prompt = Arc::new(Silent::default());
        *prompt.pastes.lock().unwrap() = vec!["http://localhost/callback?code=c&state=s", "not it"];
        let mut session =
            LoopbackAuthorizer::new(prompt.clone()).prepare(&RedirectWish::default()).await.unwrap();
        let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
        let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
        assert_eq!(params.code.unwrap().expose(), "c");
        assert_eq!(prompt.refused.load(std::sync::atomic::Ordering::Relaxed), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn f081_nobody_coming_back_is_a_clean_end() {
        let mut session = session(RedirectWish::default()).await;
        let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
        let error = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Cancelled);
    }
}
