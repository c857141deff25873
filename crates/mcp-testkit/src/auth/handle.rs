//! From an HTTP request to an endpoint of the authorization server.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::Url;

use super::client;
use super::form::{Form, OAuthError};
use super::grant;
use super::settings::{AuthEndpoint, AuthServerSettings, Echo, MetadataAt};
use super::state::{Code, Decision, Device, Grant, State};
use crate::mcp::{HttpAnswer, ScriptedAnswer, http_answer};
use crate::sync::lock;
use crate::wire::{Handler, HangUp, Recorder, ReplyBody};

type Reply = Result<Response<ReplyBody>, HangUp>;

/// Where the code of a device is entered.
const DEVICE_PAGE: &str = "/device";

/// What the server's thread and the test's handle share.
#[derive(Debug)]
pub(crate) struct AuthServerState {
    pub(crate) state: Mutex<State>,
    pub(crate) recorder: Recorder,
    /// Known only once the server is bound, and set before a client can know its address.
    pub(crate) origin: Mutex<String>,
}

impl Handler for AuthServerState {
    async fn handle(self: Arc<Self>, request: Request<Incoming>, connection: u64) -> Reply {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let receipt = self.recorder.note(connection, &parts, &body);
        let reply = self.answer(&parts, &body).await;
        if let Ok(response) = &reply {
            self.recorder.answered(receipt, response.status());
        }
        reply
    }
}

impl AuthServerState {
    pub(crate) fn issuer(&self) -> String {
        format!("{}{}", lock(&self.origin), lock(&self.state).settings.issuer_path)
    }

    /// Which endpoint a path is, if any.
    pub(crate) fn endpoint_of(&self, path: &str) -> Option<AuthEndpoint> {
        let state = lock(&self.state);
        if metadata_path(&state.settings).as_deref() == Some(path) {
            return Some(AuthEndpoint::Metadata);
        }
        Some(match path {
            "/register" => AuthEndpoint::Register,
            "/authorize" => AuthEndpoint::Authorize,
            "/token" => AuthEndpoint::Token,
            "/revoke" => AuthEndpoint::Revoke,
            "/device_authorization" => AuthEndpoint::Device,
            _ => return None,
        })
    }

    async fn answer(&self, parts: &Parts, body: &Bytes) -> Reply {
        let Some(endpoint) = self.endpoint_of(parts.uri.path()) else {
            let route = lock(&self.state).routes.get(parts.uri.path()).cloned();
            if route.is_none() && parts.uri.path() == DEVICE_PAGE && parts.method == Method::GET {
                return self.agree_to_device(&Form::parse(parts.uri.query().unwrap_or_default().as_bytes()));
            }
            return self.scripted(route.unwrap_or(ScriptedAnswer::Honest)).await.unwrap_or_else(not_found);
        };
        let scripted = lock(&self.state).scripted(endpoint);
        if let Some(reply) = self.scripted(scripted).await {
            return reply;
        }
        let is_get = parts.method == Method::GET;
        if is_get != matches!(endpoint, AuthEndpoint::Metadata | AuthEndpoint::Authorize) {
            return http_answer(HttpAnswer::new(405));
        }
        match endpoint {
            AuthEndpoint::Metadata => json_answer(200, &self.metadata()),
            AuthEndpoint::Authorize => {
                self.authorize(&Form::parse(parts.uri.query().unwrap_or_default().as_bytes()))
            }
            AuthEndpoint::Register => self.register(body),
            AuthEndpoint::Token => self.token(parts, &Form::parse(body)),
            AuthEndpoint::Revoke => self.revoke(parts, &Form::parse(body)),
            AuthEndpoint::Device => self.device(parts, &Form::parse(body)),
        }
    }

    /// Plays an answer of a script; `None` for the honest answer.
    async fn scripted(&self, answer: ScriptedAnswer) -> Option<Reply> {
        match answer {
            ScriptedAnswer::Honest => None,
            ScriptedAnswer::Late(delay) => {
                tokio::time::sleep(delay).await;
                None
            }
            ScriptedAnswer::Http(answer) => Some(http_answer(answer)),
            ScriptedAnswer::Refuse => Some(http_answer(HttpAnswer::new(401))),
            ScriptedAnswer::Drop => Some(Err(HangUp)),
            ScriptedAnswer::Hang => std::future::pending().await,
            // The rest are forms of JSON-RPC answers, which an authorization server does not give.
            _ => Some(not_found()),
        }
    }

    fn metadata(&self) -> Value {
        let (issuer, origin) = (self.issuer(), lock(&self.origin).clone());
        let state = lock(&self.state);
        let settings = &state.settings;
        let mut metadata = json!({
            "issuer": settings.metadata_issuer.as_ref().unwrap_or(&issuer),
            "authorization_endpoint":
                settings.authorization_endpoint.clone().unwrap_or_else(|| format!("{origin}/authorize")),
            "token_endpoint": settings.token_endpoint.clone().unwrap_or_else(|| format!("{origin}/token")),
            "revocation_endpoint": format!("{origin}/revoke"),
            "response_types_supported": ["code"],
            "grant_types_supported": grant::supported(settings),
            "token_endpoint_auth_methods_supported": settings.auth_methods,
            "token_endpoint_auth_signing_alg_values_supported": ["ES256"],
            "authorization_response_iss_parameter_supported": settings.advertise_iss,
            "client_id_metadata_document_supported": settings.client_id_metadata_documents,
        });
        if settings.advertise_pkce {
            metadata["code_challenge_methods_supported"] = json!(["S256"]);
        }
        if settings.registration {
            metadata["registration_endpoint"] = json!(format!("{origin}/register"));
        }
        if settings.device {
            metadata["device_authorization_endpoint"] = json!(format!("{origin}/device_authorization"));
        }
        if !settings.scopes.is_empty() {
            metadata["scopes_supported"] = json!(settings.scopes);
        }
        if settings.metadata_at != MetadataAt::Rfc8414 {
            // Required of an OpenID provider.
            metadata["jwks_uri"] = json!(format!("{origin}/jwks"));
            metadata["subject_types_supported"] = json!(["public"]);
            metadata["id_token_signing_alg_values_supported"] = json!(["ES256"]);
        }
        metadata
    }

    /// The consent of a person who always agrees: straight back with a code.
    fn authorize(&self, form: &Form) -> Reply {
        let issuer = self.issuer();
        let mut state = lock(&self.state);
        // Without a known client and redirect URI there is nowhere safe to send an error to (RFC 6749, 4.1.2.1).
        let page = |text: &str| http_answer(HttpAnswer::new(400).body("text/plain", text));
        let Some(client_id) = form.get("client_id") else { return page("no client_id") };
        let Some(client) = client::known(&state, client_id) else { return page("unknown client") };
        let Some(redirect_uri) = form.get("redirect_uri") else { return page("no redirect_uri") };
        let Ok(mut target) = Url::parse(redirect_uri) else { return page("redirect_uri is not a URL") };
        if !client::may_redirect(&client, redirect_uri) {
            return page("redirect_uri is not registered");
        }
        let outcome = agree(&mut state, form, client_id, redirect_uri);
        {
            let mut query = target.query_pairs_mut();
            match outcome {
                Ok(code) => query.append_pair("code", &code),
                Err(error) => query
                    .append_pair("error", &error.code)
                    .append_pair("error_description", &error.description),
            };
            for (name, echo, right) in [
                ("state", &state.settings.state, form.get("state").unwrap_or_default()),
                ("iss", &state.settings.iss, if state.settings.advertise_iss { issuer.as_str() } else { "" }),
            ] {
                let value = match echo {
                    Echo::Right => right,
                    Echo::Missing => "",
                    Echo::Wrong(value) => value,
                };
                if !value.is_empty() {
                    query.append_pair(name, value);
                }
            }
        }
        http_answer(HttpAnswer::new(302).header("location", target.as_str()))
    }

    fn register(&self, body: &Bytes) -> Reply {
        let mut state = lock(&self.state);
        if !state.settings.registration {
            return not_found();
        }
        let Ok(metadata) = serde_json::from_slice::<Value>(body) else {
            return oauth_error(400, &OAuthError::new("invalid_client_metadata", "not JSON"));
        };
        match client::register(&mut state, &metadata) {
            Ok(answer) => json_answer(201, &answer),
            Err(error) => oauth_error(400, &error),
        }
    }

    fn token(&self, parts: &Parts, form: &Form) -> Reply {
        let audiences = self.audiences();
        let mut state = lock(&self.state);
        match grant::token(&mut state, &parts.headers, form, &audiences) {
            Ok(body) => json_answer(200, &body),
            Err(error) => refusal(&state.settings, &error),
        }
    }

    fn revoke(&self, parts: &Parts, form: &Form) -> Reply {
        let audiences = self.audiences();
        let mut state = lock(&self.state);
        let outcome = client::authenticate(&mut state, &parts.headers, form, &audiences)
            .and_then(|_| grant::revoke(&mut state, form));
        match outcome {
            Ok(()) => http_answer(HttpAnswer::new(200)),
            Err(error) => refusal(&state.settings, &error),
        }
    }

    fn device(&self, parts: &Parts, form: &Form) -> Reply {
        let (audiences, origin) = (self.audiences(), lock(&self.origin).clone());
        let mut state = lock(&self.state);
        if !state.settings.device {
            return not_found();
        }
        let client = match client::authenticate(&mut state, &parts.headers, form, &audiences) {
            Ok(client) => client,
            Err(error) => return refusal(&state.settings, &error),
        };
        let (device_code, user_code) = (state.fresh_secret("device"), state.fresh("USER"));
        let lifetime = state.settings.device_lifetime;
        let device = Device {
            grant: Grant { client, scopes: form.scopes(), resource: form.resource() },
            user_code: user_code.clone(),
            decision: Decision::Pending,
            expires: Instant::now() + lifetime,
            last_poll: None,
        };
        state.devices.insert(device_code.clone(), device);
        json_answer(
            200,
            &json!({
                "device_code": device_code,
                "user_code": user_code,
                "verification_uri": format!("{origin}{DEVICE_PAGE}"),
                "verification_uri_complete": format!("{origin}{DEVICE_PAGE}?user_code={user_code}"),
                "expires_in": lifetime.as_secs(),
                "interval": state.settings.device_interval,
            }),
        )
    }

    /// The page of a device's code: a form, and the consent of a person who always agrees.
    fn agree_to_device(&self, form: &Form) -> Reply {
        let page = |status: u16, body: &str| {
            let html = format!("<!doctype html><title>Sign in a device</title>{body}\n");
            http_answer(HttpAnswer::new(status).body("text/html", html))
        };
        let Some(code) = form.get("user_code") else {
            return page(200, "<form>Code: <input name=user_code> <button>Agree</button></form>");
        };
        let mut state = lock(&self.state);
        let known = state.devices.values_mut().find(|device| device.user_code == code);
        match known.filter(|device| device.decision == Decision::Pending) {
            Some(device) => {
                device.decision = Decision::Approved;
                page(200, "<p>The device is signed in. You can close this page.</p>")
            }
            None => page(404, "<p>No device waits with this code.</p>"),
        }
    }

    /// What a client assertion may be addressed to: the issuer, or the token endpoint (RFC 7523, section 3).
    fn audiences(&self) -> Vec<String> {
        vec![self.issuer(), format!("{}/token", lock(&self.origin))]
    }
}

/// Checks an authorization request and makes its code.
fn agree(state: &mut State, form: &Form, client: &str, redirect_uri: &str) -> Result<String, OAuthError> {
    if let Some(error) = &state.settings.authorize_error {
        return Err(OAuthError::new(error, "as the test asked"));
    }
    if form.get("response_type") != Some("code") {
        return Err(OAuthError::new("unsupported_response_type", "only code"));
    }
    let challenge = form.get("code_challenge").filter(|_| form.get("code_challenge_method") == Some("S256"));
    let Some(challenge) = challenge else {
        return Err(OAuthError::new("invalid_request", "PKCE with S256 is required"));
    };
    if state.settings.resource_required && form.get("resource").is_none() {
        return Err(OAuthError::new("invalid_target", "resource is required"));
    }
    let grant = Grant { client: client.to_owned(), scopes: form.scopes(), resource: form.resource() };
    let code =
        Code { grant, redirect_uri: redirect_uri.to_owned(), challenge: challenge.to_owned(), used_by: None };
    let name = state.fresh_secret("code");
    state.codes.insert(name.clone(), code);
    Ok(name)
}

pub(crate) fn metadata_path(settings: &AuthServerSettings) -> Option<String> {
    let path = &settings.issuer_path;
    Some(match settings.metadata_at {
        MetadataAt::Rfc8414 => format!("/.well-known/oauth-authorization-server{path}"),
        MetadataAt::OidcInserted => format!("/.well-known/openid-configuration{path}"),
        MetadataAt::OidcAppended => format!("{path}/.well-known/openid-configuration"),
        MetadataAt::Nowhere => return None,
    })
}

fn json_answer(status: u16, body: &Value) -> Reply {
    http_answer(
        HttpAnswer::new(status)
            .header("cache-control", "no-store")
            .body("application/json", body.to_string()),
    )
}

fn oauth_error(status: u16, error: &OAuthError) -> Reply {
    json_answer(status, &error.body())
}

/// Client authentication fails with 401, everything else with 400 (RFC 6749, 5.2), unless the test set another status.
fn refusal(settings: &AuthServerSettings, error: &OAuthError) -> Reply {
    let is_usual = settings.error_status == 400;
    oauth_error(if is_usual && error.code == "invalid_client" { 401 } else { settings.error_status }, error)
}

fn not_found() -> Reply {
    http_answer(HttpAnswer::new(404).body("text/html", "<!doctype html><title>Not found</title>"))
}
