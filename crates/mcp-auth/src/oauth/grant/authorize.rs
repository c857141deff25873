//! The authorization request and the check of its answer (RFC 6749 section 4.1, RFC 7636, RFC 8707, RFC 9207).

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::StatusCode;
use mcp_text::{OWN_AUTHORIZE_PARAMS, Secrets};
use oauth2::{
    AuthUrl, Client, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    basic::{BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse},
};
use url::{Url, form_urlencoded};

use super::super::discover::discovery::Discovery;
use super::super::failure::{Answer, Failure, Step, error_code};
use super::token::TokenAnswer;
use crate::Secret;

/// A request that is under way: what its answer is checked against.
pub(crate) struct AuthorizationRequest {
    /// What a person opens.
    pub(crate) url: Url,
    pub(crate) state: Secret,
    pub(crate) verifier: PkceCodeVerifier,
    pub(crate) redirect_uri: String,
    endpoint: String,
    issuer: String,
    iss_required: bool,
}

impl AuthorizationRequest {
    /// Builds the URL. Each parameter occurs once, whatever the endpoint's own query says. A `prompt` (OpenID Connect
    /// Core section 3.1.2.1) is sent only if there is one: some servers know none, others take it too seriously. What the
    /// entry says (`extra`) wins over both.
    pub(crate) fn new(
        discovery: &Discovery,
        client_id: &str,
        redirect_uri: &str,
        scopes: &[String],
        resource: Option<&str>,
        prompt: Option<&str>,
        extra: &BTreeMap<String, String>,
    ) -> Result<Self, Failure> {
        let step = Step::Authorization;
        let Some(endpoint) = &discovery.server.authorization_endpoint else {
            return Err(Failure::invalid(
                step,
                &discovery.issuer,
                "the authorization server has no authorization endpoint",
            ));
        };
        let base = (discovery.named_by.may_open(endpoint))
            .map_err(|refusal| Failure::barred(step, endpoint, "the authorization page", &refusal))?;
        if !discovery.server.supports_s256() {
            let why = "the authorization server does not advertise PKCE with S256; `oauth.pkce: \"assumed\"` says \
                       that it does it all the same";
            return Err(Failure::new(step, endpoint, Answer::Misconfigured(why.to_owned())));
        }
        let redirect = RedirectUrl::new(redirect_uri.to_owned())
            .map_err(|_| Failure::invalid(step, endpoint, "the redirect URI is not a URL"))?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let client: Client<
            BasicErrorResponse,
            TokenAnswer,
            BasicTokenIntrospectionResponse,
            oauth2::StandardRevocableToken,
            BasicRevocationErrorResponse,
            _,
            _,
            _,
            _,
            _,
        > = Client::new(ClientId::new(client_id.to_owned())).set_auth_uri(AuthUrl::from_url(without_ours(
            base,
            prompt.is_some(),
            extra,
        )));
        let mut request = client
            .authorize_url(CsrfToken::new_random)
            .set_pkce_challenge(challenge)
            .set_redirect_uri(Cow::Borrowed(&redirect))
            .add_scopes(scopes.iter().cloned().map(Scope::new));
        if let Some(resource) = resource {
            request = request.add_extra_param("resource", resource);
        }
        if let Some(prompt) = prompt.filter(|_| !extra.contains_key("prompt")) {
            request = request.add_extra_param("prompt", prompt);
        }
        for (name, value) in extra.iter().filter(|(name, _)| !OWN_AUTHORIZE_PARAMS.contains(&&***name)) {
            request = request.add_extra_param(name.as_str(), value.as_str());
        }
        let (url, state) = request.url();
        Ok(Self {
            url,
            state: Secret::new(state.secret().as_str()),
            verifier,
            redirect_uri: redirect_uri.to_owned(),
            endpoint: endpoint.clone(),
            issuer: discovery.issuer.clone(),
            iss_required: discovery.server.authorization_response_iss_parameter_supported == Some(true),
        })
    }

    /// The code of an answer that belongs to this request and comes from this issuer.
    ///
    /// Nothing of an answer that fails the first two checks is shown or acted on (RFC 9207 section 2.4).
    pub(crate) fn check(&self, answer: &CallbackParams) -> Result<Secret, Failure> {
        let invalid = |why: &str| Failure::invalid(Step::Authorization, &self.endpoint, why);
        let breach = |why: String| Failure::new(Step::Authorization, &self.endpoint, Answer::Breach(why));
        // A pasted code comes without a state; the person who pasted it is the proof that it belongs here.
        let unproven = answer.is_error_without_state();
        if !answer.pasted_code && !unproven && answer.state.as_ref() != Some(&self.state) {
            return Err(invalid("state mismatch: the answer does not belong to this sign-in"));
        }
        match &answer.iss {
            Some(iss) if *iss != self.issuer => {
                // Security: what it says itself is not repeated.
                return Err(breach(format!(
                    "issuer mismatch in the authorization response: it is not of {}",
                    mcp_text::sentence(&self.issuer)
                )));
            }
            // There is no code in it that could go to the wrong place.
            None if unproven => {}
            None if self.iss_required && answer.pasted_code => {
                return Err(invalid("this server needs the whole redirect URL, not the code alone"));
            }
            None if self.iss_required => {
                return Err(breach("issuer missing in the authorization response".to_owned()));
            }
            _ => {}
        }
        if let Some(error) = &answer.error {
            let secrets: Secrets = [self.state.expose()].into_iter().collect();
            let words = answer.error_description.as_deref().map(|words| secrets.sentence(words));
            let description = words.filter(|words| !words.is_empty());
            // Servers are known that forget the state of an error. A person pasted it, so it ends the sign-in; it can do no more.
            let description = match (unproven, description) {
                (true, Some(words)) => {
                    Some(format!("{words}; the answer has no state, so who sent it is not proven"))
                }
                (true, None) => Some("the answer has no state, so who sent it is not proven".to_owned()),
                (false, description) => description,
            };
            let refused = Answer::Refused { status: StatusCode::FOUND, code: error_code(error), description };
            return Err(Failure::new(Step::Authorization, &self.endpoint, refused));
        }
        answer.code.clone().ok_or_else(|| breach("the answer has neither a code nor an error".to_owned()))
    }
}

fn without_ours(mut url: Url, prompt: bool, extra: &BTreeMap<String, String>) -> Url {
    let is_set = |name: &str| {
        OWN_AUTHORIZE_PARAMS.contains(&name) || prompt && name == "prompt" || extra.contains_key(name)
    };
    let foreign: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| !is_set(name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.set_fragment(None);
    url.set_query(None);
    if !foreign.is_empty() {
        url.query_pairs_mut().extend_pairs(foreign);
    }
    url
}

/// The parameters of an authorization response (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207 section 2).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CallbackParams {
    /// The authorization code.
    pub code: Option<Secret>,
    /// The `state` that was sent along.
    pub state: Option<Secret>,
    /// The issuer that answers.
    pub iss: Option<String>,
    /// The error code, where there is no `code`.
    pub error: Option<String>,
    /// The error in words.
    pub error_description: Option<String>,
    /// A person pasted the code alone.
    pub(crate) pasted_code: bool,
}

/// How long a code is at least that is pasted alone.
const LEAST_CODE: usize = 6;

impl CallbackParams {
    /// An error that says nothing of which sign-in it belongs to. It can be told, and never lead to a token.
    pub(crate) fn is_error_without_state(&self) -> bool {
        self.error.is_some() && self.state.is_none() && self.code.is_none()
    }

    /// The error in words, on one line and bounded.
    pub(crate) fn said(&self) -> String {
        let [code, words] = [&self.error, &self.error_description]
            .map(|text| Secrets::default().sentence(text.as_deref().unwrap_or_default()));
        if words.is_empty() { code } else { format!("{code} ({words})") }
    }

    /// The parameters in the query of a redirect. A parameter that occurs twice counts as absent: RFC 6749 section
    /// 3.1 forbids it, and which of two values is meant cannot be known.
    pub fn from_query(query: &str) -> Self {
        let once = |wanted: &str| {
            let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == wanted);
            let first = values.next().map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty());
            first.filter(|_| values.next().is_none())
        };
        Self {
            code: once("code").map(Secret::new),
            state: once("state").map(Secret::new),
            iss: once("iss"),
            error: once("error"),
            error_description: once("error_description"),
            pasted_code: false,
        }
    }

    /// What a person pasted: the URL that the browser was sent to, its query, or the code alone.
    /// `None` if it can be neither: a word such as `yes` is not a code, which has to be hard to guess (RFC 6749 section 10.10).
    pub fn from_pasted(text: &str) -> Option<Self> {
        // As it is in the source of a page.
        let text = text.replace("&amp;", "&");
        let text = text.trim().trim_matches(['"', '\'', '<', '>']);
        let query = match Url::parse(text) {
            Ok(url) if url.has_host() => Some(url.query().unwrap_or_default().to_owned()),
            _ => text.contains('=').then(|| text.trim_start_matches('?').to_owned()),
        };
        if let Some(query) = query {
            let params = Self::from_query(&query);
            if params.code.is_some() || params.error.is_some() {
                return Some(params);
            }
            if text.contains("://") {
                return None;
            }
        }
        let is_code = text.len() >= LEAST_CODE
            && text.chars().all(|c| c.is_ascii_graphic())
            && text.chars().any(|c| !c.is_ascii_lowercase());
        is_code.then(|| Self { code: Some(Secret::new(text)), pasted_code: true, ..Self::default() })
    }
}

#[cfg(test)]
mod tests;
