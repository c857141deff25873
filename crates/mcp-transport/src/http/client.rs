//! HTTP requests. What a socket is, and which way it goes, is in `dial`.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use mcp_auth::userinfo::without_userinfo;
use mcp_files::Stamp;
use tokio::time::Instant;
use url::Url;

use super::body::Body;
use super::coding::Decoder;
use super::dial::{Dialer, Way};
use super::idle::Idleness;
use super::own::EndpointSettings;
use super::route::{Proxy, Routes};
#[cfg(test)]
use super::simulated::Network;
use super::trouble::{self, Kind, Stage};
use super::{sounding, tls};
use crate::endpoint::HttpEndpoint;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::revision::Era;
use crate::options::ClientOptions;

/// How long what was found by a closer look holds.
const LOOK_AGAIN: Duration = Duration::from_secs(10);
/// How long it is looked whether a server that ends connections is reached by the other scheme.
const SCHEME_PATIENCE: Duration = Duration::from_secs(1);
/// How long a socket that is not used is kept.
const IDLE: Duration = Duration::from_secs(90);
/// How often a request is sent again that a server of HTTP/2 has turned away unseen.
const TURNED_AWAY: u32 = 2;

/// A shared HTTP client: cheap to clone, one connection pool and one set of TLS settings for all clones.
///
/// It costs nothing until the first request. Redirects are never followed here, and no credentials are added.
#[derive(Clone)]
pub struct HttpClient(Arc<Shared>);

struct Shared {
    options: Arc<ClientOptions>,
    routes: Result<Routes, TransportError>,
    built: RwLock<Option<PooledClient>>,
    eras: Arc<Mutex<HashMap<Url, Era>>>,
    /// The clients of endpoints with settings of their own, as long as one of these is in use.
    own: Mutex<Vec<(EndpointSettings, Weak<Shared>)>>,
    /// What was found at the last URL that was looked at closely, and when.
    seen: Mutex<Option<(Url, Instant, Option<String>)>>,
    /// What stands in for the network in a simulation.
    #[cfg(test)]
    network: Option<Arc<dyn Network>>,
}

type Library = Client<Dialer, Full<Bytes>>;

/// The library's client, with its pool of connections.
#[derive(Clone)]
struct PooledClient {
    client: Library,
    at: Instant,
    /// The files of its certificates and keys, as they were then.
    files: Vec<Stamp>,
}

impl HttpClient {
    /// A client with these options. Invalid ones are reported by the first request.
    pub fn new(options: ClientOptions) -> Self {
        Self::sharing(options, Arc::default())
    }

    fn sharing(options: ClientOptions, eras: Arc<Mutex<HashMap<Url, Era>>>) -> Self {
        Self(Arc::new(Shared {
            routes: Routes::new(&options.proxy),
            options: Arc::new(options),
            built: RwLock::new(None),
            eras,
            own: Mutex::default(),
            seen: Mutex::new(None),
            #[cfg(test)]
            network: None,
        }))
    }

    /// A client whose requests go to `network`.
    #[cfg(test)]
    pub(crate) fn over(options: ClientOptions, network: Arc<dyn Network>) -> Self {
        let mut client = Self::new(options);
        if let Some(shared) = Arc::get_mut(&mut client.0) {
            shared.network = Some(network);
        }
        client
    }

    /// The client of requests to this endpoint: this one, or one with the settings of the endpoint, which all endpoints
    /// with the same settings share while it is in use. Sockets are never shared between different settings.
    pub fn for_endpoint(&self, endpoint: &HttpEndpoint) -> Self {
        let Some(settings) = EndpointSettings::of(endpoint) else { return self.clone() };
        let mut own = self.0.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|(_, client)| client.strong_count() > 0);
        let known = own.iter().find(|(known, _)| *known == settings).and_then(|(_, client)| client.upgrade());
        known.map(Self).unwrap_or_else(|| {
            let client = Self::sharing(settings.over(&self.0.options), self.0.eras.clone());
            own.push((settings, Arc::downgrade(&client.0)));
            client
        })
    }

    /// The options that all connections of this client share.
    pub fn options(&self) -> &Arc<ClientOptions> {
        &self.0.options
    }

    /// The era that this endpoint was last seen to speak. Memory only: it saves a request when a
    /// connection is made again, and a wrong answer costs one.
    pub(crate) fn era(&self, endpoint: &Url) -> Option<Era> {
        self.0.eras.lock().unwrap_or_else(PoisonError::into_inner).get(endpoint).copied()
    }

    pub(crate) fn remember_era(&self, endpoint: &Url, era: Option<Era>) {
        let mut eras = self.0.eras.lock().unwrap_or_else(PoisonError::into_inner);
        match era {
            Some(era) => eras.insert(endpoint.clone(), era),
            None => eras.remove(endpoint),
        };
    }

    /// Sends one request and returns the head of its answer, whatever its status.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, TransportError> {
        self.send_and_keep(method, url, headers, body, None).await
    }

    /// The same, over a connection that is used again only where it was idle no longer than `most_idle`.
    pub(super) async fn send_and_keep(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
        body: Bytes,
        most_idle: Option<Duration>,
    ) -> Result<Answer, TransportError> {
        #[cfg(test)]
        if let Some(network) = &self.0.network {
            return simulated(network, method, url, headers, body).await;
        }
        let client = self.client()?;
        if let Ok(routes) = &self.0.routes {
            routes.check(url)?;
        }
        // Security: the library names its connections after the authority of the URL, and logs that.
        let uri = Uri::try_from(without_userinfo(url).as_str()).map_err(|error| {
            let stage = Stage { builder: true, ..Stage::default() };
            trouble::explain(error.into(), stage)
        })?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.headers_mut() = headers;
        request.headers_mut().entry(header::ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        if let Some(proxy) = self.proxy(url).filter(|proxy| url.scheme() == "http" && !proxy.is_socks())
            && let Some(basic) = Way::credentials(&proxy.url, &uri)
        {
            request.headers_mut().entry(header::PROXY_AUTHORIZATION).or_insert(basic);
        }
        *request.uri_mut() = uri;
        let sent = match url.scheme() {
            // Over HTTP/2 alone is a request turned away unseen.
            "https" => send_unseen(&client, request).await,
            _ => client.request(request).await,
        };
        let (head, body) = match sent {
            Ok(response) => response.into_parts(),
            // Boxed, as what hardly ever happens: it would make every request larger.
            Err(error) => return Err(Box::pin(self.trouble(error, url)).await),
        };
        #[cfg(test)]
        let body = super::simulated::real(body);
        let mut body = Body::new(body, Decoder::new(&head.headers));
        body.ends_by(head.version, &head.headers);
        if let Some(connection) = head.extensions.get::<Idleness>() {
            connection.bound(&head.headers, most_idle);
            body.frees(connection);
        }
        Ok(Answer { method, status: head.status, headers: head.headers, body, led_to: None })
    }

    /// What a request to `url` that got no answer failed of, looked at closely where the library does not say.
    async fn trouble(&self, error: ClientError, url: &Url) -> TransportError {
        let proxy = self.proxy(url);
        let resolver = self.0.options.resolver.as_ref();
        let stage = Stage {
            proxy: proxy.map(|proxy| if proxy.is_socks() { Kind::Socks } else { Kind::Http }),
            ..stage_of(&error)
        };
        let error = trouble::explain(error.into(), stage);
        match proxy {
            Some(proxy) if trouble::refused_a_tunnel(&error) => {
                match sounding::refusal(resolver, &proxy.url, url).await {
                    Some((status, page)) => {
                        let page = page.unwrap_or_default();
                        let host = url.host_str().unwrap_or_default();
                        let past =
                            self.0.routes.as_ref().map(|routes| routes.way_past(host)).unwrap_or_default();
                        let said = format!("it answered {status}{page}; {past}");
                        let kind = TransportErrorKind::Proxy { status: Some(status) };
                        error.with_kind(kind).with_said(Some(mcp_text::line(&said, 200)))
                    }
                    None => error,
                }
            }
            None if *error.kind() == TransportErrorKind::Protocol && url.scheme() == "http" => {
                match self.what_answers(url).await {
                    Some(said) => error.with_said(Some(said)),
                    None => error,
                }
            }
            // TLS where none is spoken, or none where it is: an end without a word is all that some say to that.
            None if matches!(error.kind(), TransportErrorKind::Dropped | TransportErrorKind::Unreachable | TransportErrorKind::Tls)
                // One that has answered is what its URL says.
                && self.era(url).is_none()
                && trouble::ended_without_a_word(&error) =>
            {
                match self.other_scheme(url).await {
                    Some(said) => error.with_kind(TransportErrorKind::Tls).with_said(Some(said)),
                    None => error,
                }
            }
            None if trouble::has_no_way(&error) => {
                let addresses = sounding::addresses(resolver, url).await;
                if !addresses.is_empty() && addresses.iter().all(SocketAddr::is_ipv6) {
                    let said =
                        "the server has addresses of IPv6 alone, and there is no way to those from here";
                    return error.with_said(Some(said.to_owned()));
                }
                error
            }
            _ => error,
        }
    }

    /// That what answers at `url` is reached by the other scheme.
    async fn other_scheme(&self, url: &Url) -> Option<String> {
        let look = async {
            let resolver = self.0.options.resolver.as_ref();
            let is_other = match url.scheme() {
                "https" => sounding::speaks_http(resolver, url).await,
                _ => self.speaks_tls(&HttpEndpoint::new(url.clone())).await,
            };
            is_other.then(|| crate::words::other_scheme(url.scheme()).to_owned())
        };
        // What ends connections without a word may well say nothing to this either, and everyone waits for it.
        let look = async { tokio::time::timeout(SCHEME_PATIENCE, look).await.ok().flatten() };
        self.looked_closer(url, look).await
    }

    /// What answers at `url`, which is not HTTP.
    async fn what_answers(&self, url: &Url) -> Option<String> {
        self.looked_closer(url, sounding::what_answers(self.0.options.resolver.as_ref(), url)).await
    }

    /// What `look` finds at `url`. It is asked once for all that one attempt finds out.
    async fn looked_closer(&self, url: &Url, look: impl Future<Output = Option<String>>) -> Option<String> {
        let seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((_, _, said)) = seen.filter(|(at, when, _)| at == url && when.elapsed() < LOOK_AGAIN) {
            return said;
        }
        let said = look.await;
        let seen = Some((url.clone(), Instant::now(), said.clone()));
        *self.0.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        said
    }

    /// The proxy of requests to `url`.
    pub(super) fn proxy(&self, url: &Url) -> Option<&Arc<Proxy>> {
        self.0.routes.as_ref().ok()?.of(url)
    }

    /// By which proxy requests to `url` go, or why by none, in words and without credentials.
    pub(super) fn way(&self, url: &Url) -> String {
        match &self.0.routes {
            Ok(routes) => routes.way(url).to_string(),
            Err(error) => format!("not known: {error}"),
        }
    }

    /// The same in words, without its credentials.
    pub fn proxy_of(&self, url: &Url) -> Option<String> {
        self.proxy(url).map(ToString::to_string)
    }

    fn build(&self) -> Result<Library, TransportError> {
        let (options, routes) = (&self.0.options, self.0.routes.as_ref().map_err(Clone::clone)?);
        let tls = tls::client_config(&options.extra_ca_files, &options.tls)?;
        Ok(Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            // One header with a byte that has no place in it takes the others nothing, nor the answer.
            .http1_ignore_invalid_headers_in_responses(true)
            .build(Dialer::new(options, routes.clone(), tls)))
    }

    /// Lets go of the sockets that were opened before `moment`: after a sleep, or a change of the network, they
    /// are dead without knowing it. Requests under way keep theirs.
    pub(crate) fn forget_sockets(&self, moment: Instant) {
        let mut built = self.0.built.write().unwrap_or_else(PoisonError::into_inner);
        // Many connections share this client and notice the same moment; the first one does it.
        if built.as_ref().is_some_and(|built| built.at < moment) {
            *built = None;
        }
    }

    fn client(&self) -> Result<Library, TransportError> {
        let built = self.0.built.read().unwrap_or_else(PoisonError::into_inner).clone();
        let files = tls::files(&self.0.options.tls).map(Stamp::of);
        let built = match built {
            Some(built) if files.eq(built.files.iter().copied()) => Ok(built.client),
            _ => self.build_once(),
        };
        built.map_err(|error| {
            TransportError::new(error.kind().clone(), "the HTTP client cannot be set up")
                .with_said(Some(error.said().map_or_else(|| error.to_string(), str::to_owned)))
                .with_tls_setting(error.tls_setting())
                .with_source(error)
        })
    }

    /// What cannot be built is tried again by the next request: a file that it needs may be there by then.
    fn build_once(&self) -> Result<Library, TransportError> {
        let mut slot = self.0.built.write().unwrap_or_else(PoisonError::into_inner);
        // Before they are read: what is written meanwhile is news to the next request.
        let files: Vec<_> = tls::files(&self.0.options.tls).map(Stamp::of).collect();
        match &*slot {
            Some(built) if built.files == files => return Ok(built.client.clone()),
            _ => {}
        }
        match (self.build(), &*slot) {
            (Ok(client), _) => {
                *slot = Some(PooledClient { client: client.clone(), at: Instant::now(), files });
                Ok(client)
            }
            // A certificate whose key is not there yet: those of before do until it is.
            (Err(_), Some(built)) => Ok(built.client.clone()),
            (Err(error), None) => Err(error),
        }
    }
}

impl fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpClient").field("options", &self.0.options).finish_non_exhaustive()
    }
}

/// The head of an answer, and the way to its body.
#[derive(Debug)]
pub(crate) struct Answer {
    /// What was asked.
    pub(crate) method: Method,
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
    /// Where in the same origin redirects led to, where there was one.
    pub(crate) led_to: Option<Box<Url>>,
}

/// Sends it again where the server has turned it away without acting on it: its connection ends, or has no room for one more
/// (RFC 9113 sections 6.8 and 8.7).
async fn send_unseen(
    client: &Library,
    request: Request<Full<Bytes>>,
) -> Result<http::Response<Incoming>, ClientError> {
    for _ in 0..TURNED_AWAY {
        match client.request(request.clone()).await {
            Err(error) if trouble::is_turned_away(&error) => {}
            outcome => return outcome,
        }
    }
    client.request(request).await
}

fn stage_of(error: &ClientError) -> Stage {
    Stage { connect: error.is_connect(), timeout: trouble::is_timeout(error), ..Stage::default() }
}

/// The same exchange over what stands in for the network.
#[cfg(test)]
async fn simulated(
    network: &Arc<dyn Network>,
    method: Method,
    url: &Url,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, TransportError> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = url.as_str().parse().map_err(|error: http::uri::InvalidUri| {
        TransportError::new(TransportErrorKind::Misconfigured, "the URL").with_source(error)
    })?;
    *request.headers_mut() = headers;
    match network.exchange(request).await {
        Ok(answer) => {
            let (head, body) = answer.into_parts();
            let body = Body::new(super::simulated::arriving(body), Decoder::new(&head.headers));
            Ok(Answer { method, status: head.status, headers: head.headers, body, led_to: None })
        }
        Err((error, connect)) => Err(trouble::explain(error, Stage { connect, ..Stage::default() })),
    }
}
