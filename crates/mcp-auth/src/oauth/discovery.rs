//! Who issues tokens for this server: protected resource metadata, then authorization server metadata
//! (MCP authorization 2026-07-28, "Authorization Server Discovery"; 2025-03-26 for servers without either).
//!
//! One URL is requested at a time and none beyond need: a well-known URL that the specification does not
//! ask for may belong to another tenant of the same host.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use url::Url;

use super::failure::{Answer, Failure, Step};
use super::metadata::{ResourceMetadata, ServerMetadata, document};
use super::urls::{canonical_resource, covers, is_loopback, origin, secure, well_known_inserted};
use crate::{Challenge, HttpExchange};

/// Redirects that a discovery request follows; only within the origin that was asked.
const REDIRECT_LIMIT: usize = 3;

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
    pub found: Found,
}

/// How an authorization server was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Found {
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
    configured_metadata: Option<&Url>,
    challenges: &[Challenge],
) -> Result<Discovery, Failure> {
    if let Some(url) = configured_metadata {
        return configured(http, server, url).await;
    }
    let Some(found) = resource_metadata(http, server, challenges).await? else {
        return at_origin(http, server, None).await;
    };
    let issuers = found.authorization_servers.clone().unwrap_or_default();
    if issuers.is_empty() {
        // Published, but without saying who issues tokens: servers of the 2025-03-26 kind are their own issuer.
        return at_origin(http, server, Some(found)).await;
    }
    let mut last = None;
    for issuer in issuers {
        match server_metadata(http, &issuer).await {
            Ok(metadata) => {
                let resource = found.resource.clone().unwrap_or_else(|| canonical_resource(server));
                let found_by = Found::ResourceMetadata;
                return Ok(Discovery {
                    resource,
                    resource_metadata: Some(found),
                    issuer,
                    server: metadata,
                    found: found_by,
                });
            }
            Err(failure) => last = Some(failure),
        }
    }
    Err(last.unwrap_or_else(|| {
        Failure::invalid(Step::ServerMetadata, server.as_str(), "no authorization server")
    }))
}

/// The protected resource metadata of `server`: where the challenge says, else at the well-known URLs.
/// `None` if the server publishes none.
pub(crate) async fn resource_metadata(
    http: &dyn HttpExchange,
    server: &Url,
    challenges: &[Challenge],
) -> Result<Option<ResourceMetadata>, Failure> {
    const NAME: &str = "oauth-protected-resource";
    let mut candidates = Vec::new();
    if let Some(named) = challenge_param(challenges, "resource_metadata") {
        // The challenge may give a path only; the origin is then the server's.
        let url = server.join(named).map_err(|_| {
            Failure::invalid(Step::ResourceMetadata, server.as_str(), "the challenge names no valid URL")
        })?;
        candidates.push(url.into());
    }
    let inserted = well_known_inserted(server, NAME);
    let root = format!("{}/.well-known/{NAME}", origin(server));
    candidates.push(inserted);
    candidates.push(root);
    candidates.dedup();

    let mut trouble = None;
    for url in candidates {
        match get(http, Step::ResourceMetadata, &url, Some(server)).await {
            Ok(Some(body)) => {
                if let Some(metadata) = document::<ResourceMetadata>(&body) {
                    return check_resource(server, &url, metadata).map(Some);
                }
            }
            Ok(None) => {}
            Err(failure) if failure.is_transient() => trouble = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    // A server that is down must not pass for one of the 2025-03-26 kind.
    trouble.map_or(Ok(None), Err)
}

fn check_resource(server: &Url, url: &str, metadata: ResourceMetadata) -> Result<ResourceMetadata, Failure> {
    match &metadata.resource {
        // Security (RFC 9728 section 7.3): otherwise a server could collect tokens that are meant for another.
        Some(resource) if !covers(resource, server) => Err(Failure::invalid(
            Step::ResourceMetadata,
            url,
            format!(
                "the metadata is for another resource ({}), not for {}",
                super::urls::redacted(resource),
                canonical_resource(server)
            ),
        )),
        _ => Ok(metadata),
    }
}

/// The metadata of the authorization server `issuer`: RFC 8414, then OpenID Connect with the path inserted,
/// then appended.
pub(crate) async fn server_metadata(
    http: &dyn HttpExchange,
    issuer: &str,
) -> Result<ServerMetadata, Failure> {
    let base = secure(issuer).map_err(|why| {
        Failure::invalid(Step::ServerMetadata, issuer, format!("the authorization server's URL {why}"))
    })?;
    let mut candidates = vec![
        well_known_inserted(&base, "oauth-authorization-server"),
        well_known_inserted(&base, "openid-configuration"),
    ];
    if !base.path().trim_matches('/').is_empty() {
        candidates.push(format!(
            "{}{}/.well-known/openid-configuration",
            origin(&base),
            base.path().trim_end_matches('/')
        ));
    }
    let mut trouble = None;
    for url in &candidates {
        match get(http, Step::ServerMetadata, url, None).await {
            Ok(Some(body)) => {
                let Some(metadata) = document::<ServerMetadata>(&body) else { continue };
                check_issuer(url, issuer, metadata.issuer.as_deref())?;
                return Ok(metadata);
            }
            Ok(None) => {}
            Err(failure) if failure.is_transient() => trouble = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    Err(trouble.unwrap_or_else(|| {
        Failure::invalid(Step::ServerMetadata, issuer, "the authorization server publishes no metadata")
    }))
}

/// RFC 8414 section 3.3, as strings: no case folding, no slash added.
fn check_issuer(url: &str, expected: &str, found: Option<&str>) -> Result<(), Failure> {
    match found {
        Some(found) if found == expected => Ok(()),
        Some(found) => {
            let found = super::failure::presentable(found, []).unwrap_or_default();
            Err(Failure::invalid(
                Step::ServerMetadata,
                url,
                format!("issuer mismatch: expected {expected:?}, the metadata says {found:?}"),
            ))
        }
        None => Err(Failure::invalid(Step::ServerMetadata, url, "the metadata names no issuer")),
    }
}

/// Metadata at a configured URL: its issuer is taken as it is, because a person named the document.
async fn configured(http: &dyn HttpExchange, server: &Url, url: &Url) -> Result<Discovery, Failure> {
    secure(url.as_str()).map_err(|why| {
        Failure::new(Step::ServerMetadata, url.as_str(), Answer::Misconfigured(why.to_owned()))
    })?;
    let body = get(http, Step::ServerMetadata, url.as_str(), None).await?;
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
    Ok(Discovery {
        resource: canonical_resource(server),
        resource_metadata: None,
        issuer,
        server: metadata,
        found: Found::Configured,
    })
}

/// The server as its own authorization server (MCP 2025-03-26, "Server Metadata Discovery").
async fn at_origin(
    http: &dyn HttpExchange,
    server: &Url,
    resource_metadata: Option<ResourceMetadata>,
) -> Result<Discovery, Failure> {
    let base = origin(server);
    secure(&base)
        .map_err(|why| Failure::invalid(Step::ServerMetadata, &base, format!("the server's URL {why}")))?;
    let resource = resource_metadata
        .as_ref()
        .and_then(|metadata| metadata.resource.clone())
        .unwrap_or_else(|| canonical_resource(server));
    let mut trouble = None;
    for name in ["oauth-authorization-server", "openid-configuration"] {
        let url = format!("{base}/.well-known/{name}");
        match get(http, Step::ServerMetadata, &url, None).await {
            Ok(Some(body)) => {
                let Some(metadata) = document::<ServerMetadata>(&body) else { continue };
                // Nobody told us the issuer here: the origin stands for it, and both of its spellings lead to
                // this URL (RFC 8414 section 3.1).
                let issuer = metadata.issuer.clone().unwrap_or_else(|| base.clone());
                if issuer.strip_suffix('/').unwrap_or(&issuer) != base {
                    check_issuer(&url, &base, Some(&issuer))?;
                }
                return Ok(Discovery {
                    resource,
                    resource_metadata,
                    issuer,
                    server: metadata,
                    found: Found::Origin,
                });
            }
            Ok(None) => {}
            Err(failure) if failure.is_transient() => trouble = Some(failure),
            Err(failure) => return Err(failure),
        }
    }
    if let Some(failure) = trouble {
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
        found: Found::DefaultEndpoints,
    })
}

/// One metadata request: the body of a 200, `None` for "there is nothing here". `home` is an origin that is
/// trusted whatever its scheme, because the person configured it.
async fn get(
    http: &dyn HttpExchange,
    step: Step,
    url: &str,
    home: Option<&Url>,
) -> Result<Option<Bytes>, Failure> {
    let mut at = Url::parse(url).map_err(|_| Failure::invalid(step, url, "is not a URL"))?;
    let at_home = home.is_some_and(|home| home.origin() == at.origin());
    if !at_home {
        secure(url).map_err(|why| Failure::invalid(step, url, why))?;
    }
    // Security: a server elsewhere has no business making us send requests to services of this machine.
    if home.is_some_and(|home| is_loopback(&at) && !is_loopback(home)) {
        return Err(Failure::invalid(step, url, "the challenge of a remote server points at this machine"));
    }
    for _ in 0..=REDIRECT_LIMIT {
        let request = Request::builder()
            .method(Method::GET)
            .uri(at.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_| Failure::invalid(step, url, "is not a URL"))?;
        let response = http
            .exchange(request)
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
                let answer = Answer::Refused { status, code: None, description: None };
                Err(Failure::new(step, at.as_str(), answer))
            }
            _ => Ok(None),
        };
    }
    Err(Failure::invalid(step, url, "redirects in a circle"))
}

fn same_origin_redirect(from: &Url, response: &Response<Bytes>) -> Option<Url> {
    let target = response.headers().get(header::LOCATION)?.to_str().ok()?;
    from.join(target).ok().filter(|to| to.origin() == from.origin())
}

#[cfg(test)]
mod tests;
