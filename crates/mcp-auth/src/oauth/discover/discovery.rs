//! Who issues tokens for this server: protected resource metadata, then authorization server metadata
//! (MCP authorization 2026-07-28, "Authorization Server Discovery"; 2025-03-26 for servers without either).
//!
//! One URL is requested at a time, and no more than the search needs: a well-known URL that the specification does not
//! ask for may belong to another tenant of the same host.
//!
//! Longer than 500 lines because each step of the search hands the next one who named what it found.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use url::Url;

use super::super::agent;
use super::super::failure::{Answer, Failure, Step};
use super::super::said;
use super::super::urls::{canonical_resource, covers, origin, same_issuer, well_known_inserted};
use super::metadata::{ResourceMetadata, ServerMetadata, document};
use crate::url_policy::UrlSource;
use crate::{Challenge, HttpExchange};

/// How long it is looked for what the server itself publishes, where it has failed to say who issues its tokens: one that is silent
/// would be waited for at each place.
const ORIGIN_PATIENCE: Duration = Duration::from_secs(10);
/// Redirects that a request follows; only within the origin that was asked.
pub(crate) const REDIRECT_LIMIT: usize = 3;

/// What is known about who issues tokens for a server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Discovery {
    /// The resource identifier to ask tokens for (RFC 8707), exactly as published, else the canonical URI.
    pub resource: String,
    /// The protected resource metadata, where the server publishes it.
    pub resource_metadata: Option<ResourceMetadata>,
    /// The issuer, exactly as received: what `iss` is compared with and what tokens are kept under.
    pub issuer: String,
    /// The authorization server's metadata.
    pub server: ServerMetadata,
    /// How the authorization server was found.
    pub found: DiscoverySource,
    /// Who named the endpoints in `server`: the document that they are in.
    pub(crate) named_by: UrlSource,
}

/// What a person has said about who issues tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pins<'a> {
    /// Where the metadata is.
    pub(crate) metadata: Option<&'a Url>,
    /// Who it is.
    pub(crate) issuer: Option<&'a str>,
}

/// How an authorization server was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DiscoverySource {
    /// Named by protected resource metadata (RFC 9728).
    ResourceMetadata,
    /// The metadata URL is configured.
    Configured,
    /// The server is its own authorization server and publishes metadata (MCP 2025-03-26).
    Origin,
    /// The server publishes nothing: default endpoints at its origin (MCP 2025-03-26).
    DefaultEndpoints,
}

/// The parameters of a challenge that matter here, from the first challenge that has them.
pub(crate) fn challenge_param<'a>(challenges: &'a [Challenge], name: &str) -> Option<&'a str> {
    challenges.iter().filter(|c| c.is("Bearer") || c.is("DPoP")).find_map(|c| c.param(name))
}

/// Finds the authorization server of `server`.
pub(crate) async fn discover(
    http: &dyn HttpExchange,
    server: &Url,
    pins: Pins<'_>,
    challenges: &[Challenge],
    needs: MetadataNeeds<'_>,
) -> Result<Discovery, Failure> {
    if let Some(url) = pins.metadata {
        return configured(http, server, url, pins.issuer).await;
    }
    let (found, named_by) = match resource_metadata(http, server, challenges).await {
        Ok(Some((found, at))) => (Some(found), UrlSource::server(&at)),
        Ok(None) => (None, UrlSource::server(server)),
        // A person has said who it is.
        Err(failure) if failure.is_transient() && pins.issuer.is_some() => (None, UrlSource::server(server)),
        // Some gateways answer like that where they have nothing; one that is down has nothing of the other kind either.
        Err(failure) if failure.is_transient() => {
            let own = tokio::time::timeout(ORIGIN_PATIENCE, at_origin(http, server, None, needs)).await;
            return match own {
                Ok(Ok(own)) if own.found == DiscoverySource::Origin => Ok(own),
                _ => Err(failure),
            };
        }
        Err(failure) => return Err(failure),
    };
    let listed = found.as_ref().and_then(|found| found.authorization_servers.clone()).unwrap_or_default();
    if let Some(pinned) = pins.issuer {
        if !listed.is_empty() && !listed.iter().any(|issuer| same_issuer(issuer, pinned)) {
            return Err(other_issuer(Step::ResourceMetadata, server.as_str(), &listed.join(" "), pinned));
        }
        let (metadata, named_by) = server_metadata(http, pinned, &UrlSource::person(), needs).await?;
        return Ok(issued_by(server, found, pinned.to_owned(), metadata, named_by));
    }
    if listed.is_empty() {
        // Without saying who issues tokens: servers of the 2025-03-26 kind are their own issuer.
        return at_origin(http, server, found, needs).await;
    }
    let mut last = None;
    for issuer in listed {
        match server_metadata(http, &issuer, &named_by, needs).await {
            Ok((metadata, named_by)) => return Ok(issued_by(server, found, issuer, metadata, named_by)),
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| {
        Failure::invalid(Step::ServerMetadata, server.as_str(), "no authorization server")
    }))
}

/// What is known where a person has named the token endpoint: nothing is asked.
pub(crate) fn at_token_endpoint(server: &Url, endpoint: &Url, issuer: Option<&str>) -> Discovery {
    let token_endpoint = Some(endpoint.as_str().to_owned());
    Discovery {
        resource: canonical_resource(server),
        resource_metadata: None,
        // Without an issuer, an assertion is made out to the endpoint (RFC 7523 section 3).
        issuer: issuer.unwrap_or(endpoint.as_str()).to_owned(),
        server: ServerMetadata { token_endpoint, ..ServerMetadata::default() },
        found: DiscoverySource::Configured,
        named_by: UrlSource::person(),
    }
}

fn issued_by(
    server: &Url,
    resource_metadata: Option<ResourceMetadata>,
    issuer: String,
    metadata: ServerMetadata,
    named_by: UrlSource,
) -> Discovery {
    let published = resource_metadata.as_ref().and_then(|found| found.resource.clone());
    let spelled = metadata.issuer.clone().filter(|spelled| same_issuer(spelled, &issuer));
    Discovery {
        resource: published.unwrap_or_else(|| canonical_resource(server)),
        resource_metadata,
        // As the authorization server spells it: that is what it puts into `iss`.
        issuer: spelled.unwrap_or(issuer),
        server: metadata,
        found: DiscoverySource::ResourceMetadata,
        named_by,
    }
}

/// A person has pinned the issuer, and something names another one.
fn other_issuer(step: Step, url: &str, named: &str, pinned: &str) -> Failure {
    let named = mcp_text::sentence(named);
    let why = format!("it names {named}, and `issuer` of the entry is {pinned}");
    Failure::new(step, url, Answer::Misconfigured(why))
}

/// The protected resource metadata of `server`, and the URL it was found at: where the challenge says, else at the
/// well-known URLs. `None` if the server publishes none.
///
/// A candidate that cannot be used, for whatever reason, never hides the next one. Why it could not is told only if
/// none is left.
pub(crate) async fn resource_metadata(
    http: &dyn HttpExchange,
    server: &Url,
    challenges: &[Challenge],
) -> Result<Option<(ResourceMetadata, Url)>, Failure> {
    const NAME: &str = "oauth-protected-resource";
    let mut trouble = Trouble::default();
    let mut candidates = Vec::new();
    if let Some(named) = challenge_param(challenges, "resource_metadata") {
        match named_by_challenge(server, named) {
            Ok(url) => candidates.push(url),
            Err(failure) => trouble.note(failure),
        }
    }
    let inserted = well_known_inserted(server, NAME);
    let root = format!("{}/.well-known/{NAME}", origin(server));
    for url in [inserted, root] {
        if !candidates.contains(&url) {
            candidates.push(url);
        }
    }

    // A document that names no authorization server is used only if no other one names any.
    let mut bare = None;
    for url in candidates {
        let at = match admitted(Step::ResourceMetadata, &url, &UrlSource::server(server), Some(server)) {
            Ok(at) => at,
            Err(failure) => {
                trouble.note(failure);
                continue;
            }
        };
        match get(http, Step::ResourceMetadata, at.clone()).await {
            Ok(Some(body)) => {
                let Some(metadata) = document::<ResourceMetadata>(&body) else { continue };
                if let Err(failure) = check_resource(server, &url, &metadata) {
                    trouble.note(failure);
                } else if metadata.names_an_issuer() {
                    return Ok(Some((metadata, at)));
                } else if metadata.resource.is_some() {
                    bare.get_or_insert((metadata, at));
                }
            }
            Ok(None) => {}
            Err(failure) => trouble.note(failure),
        }
    }
    // A server that is down, or whose documents may not be used, must not pass for one of the 2025-03-26 kind. One that
    // leads every unknown address to its sign-in page may be of that kind.
    match trouble {
        Trouble { transient: Some(failure), .. } => Err(failure),
        Trouble { lasting: Some(failure), .. } if bare.is_none() => Err(failure),
        _ => Ok(bare),
    }
}

/// The URL in a challenge. It may be a path only; the origin is then the server's.
fn named_by_challenge(server: &Url, named: &str) -> Result<String, Failure> {
    let mut url = server.join(named).map_err(|_| {
        Failure::invalid(Step::ResourceMetadata, server.as_str(), "the challenge names no valid URL")
    })?;
    // TLS ends before many servers, and what they then say of themselves is http. The same host over TLS is what we
    // are talking to already.
    if url.scheme() == "http" && server.scheme() == "https" && url.host() == server.host() {
        let port = url.port().filter(|port| *port != 80).or(server.port());
        // Both fail for URLs without a host only.
        let _ = (url.set_scheme("https"), url.set_port(port));
    }
    Ok(url.into())
}

/// Why candidates could not be used: the failure that is told if none could. One that may pass by itself comes
/// before one that says what is wrong, as nothing is known then.
#[derive(Debug, Default)]
struct Trouble {
    transient: Option<Failure>,
    lasting: Option<Failure>,
    redirect: Option<Failure>,
}

impl Trouble {
    fn note(&mut self, failure: Failure) {
        let place = match &failure.answer {
            _ if failure.is_transient() => &mut self.transient,
            Answer::Redirect { .. } => &mut self.redirect,
            _ => &mut self.lasting,
        };
        place.get_or_insert(failure);
    }

    fn into_failure(self) -> Option<Failure> {
        self.transient.or(self.lasting).or(self.redirect)
    }
}

fn check_resource(server: &Url, url: &str, metadata: &ResourceMetadata) -> Result<(), Failure> {
    match &metadata.resource {
        // Security (RFC 9728 section 7.3): otherwise a server could collect tokens that are meant for another.
        Some(resource) if Url::parse(resource).is_ok_and(|url| url.fragment().is_some()) => {
            let why = "the metadata has a fragment in its `resource`, which then names nothing";
            Err(Failure::invalid(Step::ResourceMetadata, url, why))
        }
        Some(resource) if !covers(resource, server) => Err(Failure::invalid(
            Step::ResourceMetadata,
            url,
            format!(
                "the metadata is for another resource ({}), not for {}{}",
                super::super::urls::redacted(resource),
                canonical_resource(server),
                would_match(resource, server),
            ),
        )),
        _ => Ok(()),
    }
}

/// Which `url` of the entry would fit a resource that differs in its scheme or port only: the usual proxy in front.
fn would_match(resource: &str, server: &Url) -> String {
    let Ok(resource) = Url::parse(resource) else { return String::new() };
    let mut moved = server.clone();
    let possible = resource.has_host()
        && resource.host() == server.host()
        && moved.set_scheme(resource.scheme()).is_ok()
        && moved.set_port(resource.port()).is_ok()
        && covers(resource.as_str(), &moved);
    if !possible {
        return String::new();
    }
    format!("; the entry would fit it with `url` {}", super::super::urls::redacted(moved.as_str()))
}

/// What a sign-in needs of an authorization server's metadata; the search goes on until it is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MetadataNeeds<'a> {
    /// A person authorizes: the authorization endpoint, and PKCE.
    pub(crate) person: bool,
    /// We have no client and would like to register one.
    pub(crate) registration: bool,
    /// What the entry says that the metadata names as its issuer.
    pub(crate) metadata_issuer: Option<&'a str>,
    /// The settings are those of a grant without a person, which have names of their own.
    pub(crate) grant: bool,
}

impl MetadataNeeds<'_> {
    /// A token endpoint is enough.
    pub(crate) const TOKENS: Self =
        Self { person: false, registration: false, metadata_issuer: None, grant: false };

    /// What a person writes who knows better than what was found.
    fn named_otherwise(self) -> &'static str {
        match self.grant {
            true => "name its token endpoint in `tokenEndpoint` of `auth`",
            false => "name the document in `oauth.authServerMetadataUrl`",
        }
    }

    fn are_met_by(self, server: &ServerMetadata) -> bool {
        let authorizes = server.authorization_endpoint.is_some() && server.supports_s256();
        let identifies = server.registration_endpoint.is_some()
            || server.client_id_metadata_document_supported == Some(true);
        server.token_endpoint.is_some() && (authorizes || !self.person) && (identifies || !self.registration)
    }
}

/// The metadata of the authorization server `issuer`, which `named_by` named, and who names what is in it: RFC 8414,
/// then OpenID Connect with the path inserted, then appended.
///
/// The documents of one issuer complete each other: where the first lacks what is needed (servers are known that name
/// PKCE in their OpenID document only), the next ones are read, too.
pub(crate) async fn server_metadata(
    http: &dyn HttpExchange,
    issuer: &str,
    named_by: &UrlSource,
    needs: MetadataNeeds<'_>,
) -> Result<(ServerMetadata, UrlSource), Failure> {
    let base = named_by.may_request(issuer).map_err(|refusal| {
        Failure::barred(Step::ServerMetadata, issuer, "the authorization server's URL", &refusal)
    })?;
    let own = UrlSource::server(&base);
    let accept = |url: &str, metadata: &ServerMetadata| match metadata.issuer.as_deref() {
        // Security: a deliberate opt-in of the entry, of exactly this text. Where it was found stays what it is.
        Some(named) if needs.metadata_issuer == Some(named) => Ok(()),
        named => check_issuer(url, issuer, named, needs),
    };
    let places = metadata_places(&base);
    let outcome = search(http, &places, &own, needs, accept).await;
    outcome.found.map(|found| (found, own)).ok_or_else(|| {
        outcome.trouble.into_failure().unwrap_or_else(|| {
            let asked = places.first().map_or(issuer, String::as_str);
            let why = "the authorization server publishes no metadata here, nor elsewhere where the specifications have it; \
                       if you know where it is";
            Failure::invalid(Step::ServerMetadata, asked, format!("{why}, {}", needs.named_otherwise()))
        })
    })
}

/// Where the metadata of an issuer may be, in order of preference.
fn metadata_places(issuer: &Url) -> Vec<String> {
    let mut places = vec![
        well_known_inserted(issuer, "oauth-authorization-server"),
        well_known_inserted(issuer, "openid-configuration"),
    ];
    if !issuer.path().trim_matches('/').is_empty() {
        places.push(format!(
            "{}{}/.well-known/openid-configuration",
            origin(issuer),
            issuer.path().trim_end_matches('/')
        ));
    }
    places
}

#[derive(Debug)]
struct SearchResult {
    found: Option<ServerMetadata>,
    trouble: Trouble,
}

/// Reads `places` until what is `needed` is known. Each document has to be `accept`ed by itself before anything of it
/// is used.
async fn search(
    http: &dyn HttpExchange,
    places: &[String],
    named_by: &UrlSource,
    needs: MetadataNeeds<'_>,
    accept: impl Fn(&str, &ServerMetadata) -> Result<(), Failure>,
) -> SearchResult {
    let (mut found, mut trouble) = (None::<ServerMetadata>, Trouble::default());
    for url in places {
        let at = match admitted(Step::ServerMetadata, url, named_by, None) {
            Ok(at) => at,
            Err(failure) => {
                trouble.note(failure);
                continue;
            }
        };
        match get(http, Step::ServerMetadata, at).await {
            Ok(Some(body)) => {
                let Some(metadata) = document::<ServerMetadata>(&body).filter(ServerMetadata::is_usable)
                else {
                    continue;
                };
                if let Err(failure) = accept(url, &metadata) {
                    trouble.note(failure);
                    continue;
                }
                let known =
                    match found.take() {
                        // Security: another issuer's document completes nothing.
                        Some(first) if !first.is_by_the_issuer_of(&metadata) => {
                            if needs.are_met_by(&metadata) { metadata } else { first }
                        }
                        Some(first) => first.completed_by(metadata),
                        None => metadata,
                    };
                let enough = needs.are_met_by(&known);
                found = Some(known);
                if enough {
                    break;
                }
            }
            Ok(None) => {}
            Err(failure) => trouble.note(failure),
        }
    }
    SearchResult { found, trouble }
}

/// RFC 8414 section 3.3, as strings: no case folding; only the slash that stands for an empty path is none.
fn check_issuer(
    url: &str,
    expected: &str,
    found: Option<&str>,
    needs: MetadataNeeds<'_>,
) -> Result<(), Failure> {
    match found {
        Some(found) if same_issuer(found, expected) => Ok(()),
        Some(found) => {
            // A template is not an issuer at all; some services publish one. Another issuer may be an attack (RFC 9207
            // section 1), so only a person who names the document can mean it.
            let hint = match found.contains('{') && !needs.grant {
                true => "`oauth.metadataIssuer` accepts exactly that".to_owned(),
                false => format!("if you know that this is right, {}", needs.named_otherwise()),
            };
            let found = mcp_text::sentence(found);
            Err(Failure::invalid(
                Step::ServerMetadata,
                url,
                format!("issuer mismatch: expected {expected:?}, the metadata says {found:?}; {hint}"),
            ))
        }
        None => Err(Failure::invalid(Step::ServerMetadata, url, "the metadata names no issuer")),
    }
}

/// Metadata at a configured URL: its issuer is taken as it is, because a person named the document.
async fn configured(
    http: &dyn HttpExchange,
    server: &Url,
    url: &Url,
    pinned: Option<&str>,
) -> Result<Discovery, Failure> {
    let at = UrlSource::person().may_request(url.as_str()).map_err(|refusal| {
        Failure::new(Step::ServerMetadata, url.as_str(), Answer::Misconfigured(refusal.to_string()))
    })?;
    let named_by = UrlSource::server(&at);
    let body = get(http, Step::ServerMetadata, at).await?;
    let Some(metadata) = body.as_deref().and_then(document::<ServerMetadata>) else {
        return Err(Failure::invalid(
            Step::ServerMetadata,
            url.as_str(),
            "there is no metadata at the configured URL",
        ));
    };
    let Some(issuer) = metadata.issuer.clone() else {
        return Err(Failure::invalid(Step::ServerMetadata, url.as_str(), "the metadata names no issuer"));
    };
    if let Some(pinned) = pinned.filter(|pinned| !same_issuer(pinned, &issuer)) {
        return Err(other_issuer(Step::ServerMetadata, url.as_str(), &issuer, pinned));
    }
    Ok(Discovery {
        resource: canonical_resource(server),
        resource_metadata: None,
        issuer,
        server: metadata,
        found: DiscoverySource::Configured,
        named_by,
    })
}

/// The server as its own authorization server (MCP 2025-03-26, "Server Metadata Discovery"): at its root, and then
/// below the server's own path, where servers behind a gateway have it.
pub(crate) async fn at_origin(
    http: &dyn HttpExchange,
    server: &Url,
    resource_metadata: Option<ResourceMetadata>,
    needs: MetadataNeeds<'_>,
) -> Result<Discovery, Failure> {
    let base = origin(server);
    let named_by = UrlSource::server(server);
    let root = named_by
        .may_request(&base)
        .map_err(|refusal| Failure::barred(Step::ServerMetadata, &base, "the server's URL", &refusal))?;
    let resource = resource_metadata
        .as_ref()
        .and_then(|metadata| metadata.resource.clone())
        .unwrap_or_else(|| canonical_resource(server));
    let mut places = metadata_places(&root);
    places.extend(
        metadata_places(server).into_iter().filter(|place| !places.contains(place)).collect::<Vec<_>>(),
    );
    let own = canonical_resource(server);
    // The issuer is not named here: the origin stands for it, or the server's own URL. Both spellings of an empty path
    // lead to the same places (RFC 8414 section 3.1).
    let accept = |url: &str, metadata: &ServerMetadata| match metadata.issuer.as_deref() {
        Some(issuer) if same_issuer(issuer, &own) => Ok(()),
        Some(issuer) => check_issuer(url, &base, Some(issuer), needs),
        None => Ok(()),
    };
    let searched = search(http, &places, &named_by, needs, accept).await;
    if let Some(metadata) = searched.found {
        let issuer = metadata.issuer.clone().unwrap_or_else(|| base.clone());
        return Ok(Discovery {
            resource,
            resource_metadata,
            issuer,
            server: metadata,
            found: DiscoverySource::Origin,
            named_by,
        });
    }
    if let Some(failure) = searched.trouble.into_failure() {
        return Err(failure);
    }
    let at = |path: &str| Some(format!("{base}{path}"));
    let metadata = ServerMetadata {
        issuer: Some(base.clone()),
        authorization_endpoint: at("/authorize"),
        token_endpoint: at("/token"),
        registration_endpoint: at("/register"),
        // MCP 2025-03-26 makes PKCE mandatory for everyone, so it needs no advertisement here.
        code_challenge_methods_supported: Some(vec!["S256".to_owned()]),
        ..ServerMetadata::default()
    };
    Ok(Discovery {
        resource,
        resource_metadata,
        issuer: base,
        server: metadata,
        found: DiscoverySource::DefaultEndpoints,
        named_by,
    })
}

/// The metadata URL that `named_by` named, if it may be requested. `home` is an origin that is trusted whatever its
/// scheme, because the person configured it.
fn admitted(step: Step, url: &str, named_by: &UrlSource, home: Option<&Url>) -> Result<Url, Failure> {
    if let Ok(at) = Url::parse(url)
        && home.is_some_and(|home| home.origin() == at.origin())
    {
        return Ok(at);
    }
    named_by
        .may_request(url)
        .map_err(|refusal| Failure::barred(step, url, "the URL of the metadata", &refusal))
}

/// One metadata request: the body of a 200, `None` for "there is nothing here".
async fn get(http: &dyn HttpExchange, step: Step, mut at: Url) -> Result<Option<Bytes>, Failure> {
    let asked = at.clone();
    let url = asked.as_str();
    for _ in 0..=REDIRECT_LIMIT {
        let request = Request::builder()
            .method(Method::GET)
            .uri(at.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_| Failure::invalid(step, url, "is not a URL"))?;
        let response = agent::send(http, request)
            .await
            .map_err(|error| Failure::new(step, at.as_str(), Answer::None(error)))?;
        let status = response.status();
        if status.is_redirection() {
            match same_origin_redirect(&at, &response) {
                Some(next) => at = next,
                None => return Err(Failure::new(step, at.as_str(), Answer::Redirect { status })),
            }
            continue;
        }
        return match status {
            StatusCode::OK => Ok(Some(response.into_body())),
            status if status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429) => {
                let words = said::words(&response, said::members(&response).as_ref());
                let description =
                    words.map(|words| mcp_text::sentence(&words)).filter(|words| !words.is_empty());
                let answer = Answer::Refused { status, code: None, description };
                Err(Failure::new(step, at.as_str(), answer).with_wait_of(response.headers()))
            }
            _ => Ok(None),
        };
    }
    Err(Failure::invalid(step, url, "redirects in a circle"))
}

/// Where a redirect leads, if it stays on the origin of `from`.
pub(crate) fn same_origin_redirect(from: &Url, response: &Response<Bytes>) -> Option<Url> {
    let target = response.headers().get(header::LOCATION)?.to_str().ok()?;
    let no_user = |to: &Url| to.username().is_empty() && to.password().is_none();
    from.join(target).ok().filter(|to| to.origin() == from.origin() && no_user(to))
}

#[cfg(test)]
mod tests;
