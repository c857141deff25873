//! [`AuthPlan`] → provider: a plan meets code that can run.

use std::sync::Arc;

use crate::chain::{Base, Chain, Fallback};
use crate::plan::{AuthPlan, ProviderKind, ProviderRole};
use crate::settings::{HelperSpec, MachineSignInSpec};
use crate::{AuthError, AuthErrorKind, AuthProvider, AuthSettings, StaticHeaders, Target};

/// What of a provider's name is told, in characters.
const MAX_NAME: usize = 60;

/// What a plan needs that settings cannot hold.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Parts {
    /// The provider for the OAuth role: `mcp_auth::oauth`'s, or another.
    pub oauth: Option<Arc<dyn AuthProvider>>,
    /// The provider of the program's own that the settings name ([`CustomSpec`](crate::settings::CustomSpec)).
    pub authority: Option<Arc<dyn AuthProvider>>,
}

impl Parts {
    /// No parts: what the settings say is enough.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a provider for the OAuth role.
    #[must_use]
    pub fn with_oauth(mut self, oauth: Arc<dyn AuthProvider>) -> Self {
        self.oauth = Some(oauth);
        self
    }

    /// With the provider of the program's own that the settings name.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use http::{HeaderName, HeaderValue};
    /// use mcp_auth::{AuthPlan, AuthSettings, Parts, StaticHeaders, Target};
    /// use mcp_auth::settings::CustomSpec;
    ///
    /// # fn main() -> Result<(), mcp_auth::AuthError> {
    /// let mut settings = AuthSettings::default();
    /// settings.custom = Some(CustomSpec::new("static-headers"));
    /// let key = (HeaderName::from_static("x-key"), HeaderValue::from_static("s3cret"));
    /// // Any provider: what the plan calls it must be its name.
    /// let parts = Parts::new().with_authority(Arc::new(StaticHeaders::new([key])));
    /// # let url = url::Url::parse("https://mcp.example/mcp").unwrap();
    /// let provider = AuthPlan::resolve(&settings).build(&Target::new("web", url), parts)?;
    /// assert_eq!(provider.name(), "static-headers");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_authority(mut self, authority: Arc<dyn AuthProvider>) -> Self {
        self.authority = Some(authority);
        self
    }
}

impl AuthPlan {
    /// Builds the provider of one connection to `target`. Build one for each connection: what it remembers
    /// (minted credentials, an active fallback) lives exactly as long as it.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] where a static header is not valid HTTP, or where a provider that the entry
    /// configures is not available in this build, is not among `parts`, or is another one there. A missing provider is never
    /// skipped in favour of the next one.
    pub fn build(&self, target: &Target, parts: Parts) -> Result<Arc<dyn AuthProvider>, AuthError> {
        let fixed = StaticHeaders::from_settings(&self.settings().static_headers)?
            .with_authorization_of_url(self.settings().authorization_of_url)
            .with_variables(&self.settings().header_variables, self.settings().lives_on)
            .with_empty_variables(&self.settings().empty_variables);
        let sourced = sourced_headers(self.settings(), target)?;
        let base = |sourced| Base::new(fixed.clone().into_credentials(), sourced);
        let configured = self.settings().oauth.is_some();
        let oauth = match self.role(ProviderKind::OAuth) {
            Some(ProviderRole::Authority | ProviderRole::Fallback) => match parts.oauth {
                None if configured => return Err(not_available("an `oauth` block", "oauth")),
                oauth => oauth,
            },
            _ => None,
        };
        let withheld = self.links().iter().find(|link| link.role == ProviderRole::Withheld);
        if let Some(link) = withheld {
            return Ok(Arc::new(Chain::withheld(base(sourced), link.provider.called())));
        }
        if let Some(authority) = own_authority(self.settings(), parts.authority)? {
            let fallback = oauth.map(|provider| Fallback::new(provider, configured));
            return Ok(Arc::new(Chain::authority(base(sourced), authority, fallback)));
        }
        let helper = self.role(ProviderKind::HeadersHelper);
        Ok(match (helper, &self.settings().helper, oauth) {
            (Some(_), Some(spec), oauth) => {
                let fallback = oauth.map(|provider| Fallback::new(provider, configured));
                Arc::new(Chain::authority(base(sourced), helper_provider(spec, target)?, fallback))
            }
            (.., Some(oauth)) => Arc::new(Chain::sign_in(base(sourced), oauth, configured)),
            (.., None) => match sourced {
                Some(sourced) => Arc::new(Chain::authority(base(None), sourced, None)),
                None => Arc::new(fixed),
            },
        })
    }
}

/// The provider of the program's own, under the name that the plan has for it: what people are told of it would be untrue
/// otherwise.
fn own_authority(
    settings: &AuthSettings,
    authority: Option<Arc<dyn AuthProvider>>,
) -> Result<Option<Arc<dyn AuthProvider>>, AuthError> {
    let misconfigured = |message| Err(AuthError::new(AuthErrorKind::Misconfigured, message));
    let custom = settings.custom.as_ref().map(|spec| &*spec.name);
    let name = custom.or_else(|| settings.unattended.as_ref().map(MachineSignInSpec::name));
    match (name, authority) {
        (None, None) => Ok(None),
        (Some(name), Some(authority)) if *name == *authority.name() => Ok(Some(authority)),
        (Some(name), Some(authority)) => misconfigured(format!(
            "use the provider `{}`: the one that was given calls itself `{}`",
            mcp_text::name(name, MAX_NAME),
            mcp_text::name(authority.name(), MAX_NAME)
        )),
        (Some(name), None) => misconfigured(format!(
            "use the provider `{}`: this program has none of that name",
            mcp_text::name(name, MAX_NAME)
        )),
        (None, Some(authority)) => misconfigured(format!(
            "use the provider `{}`: the settings do not name it",
            mcp_text::name(authority.name(), MAX_NAME)
        )),
    }
}

#[cfg(feature = "helper")]
fn helper_provider(spec: &HelperSpec, target: &Target) -> Result<Arc<dyn AuthProvider>, AuthError> {
    // The command has a limit of its own, and says more of itself when that is over.
    let limit = spec.timeout.saturating_add(std::time::Duration::from_secs(30));
    let helper = crate::HeadersHelper::new(spec.clone(), target.clone());
    Ok(Arc::new(crate::SingleFlight::new(helper).with_timeout(limit)))
}

#[cfg(not(feature = "helper"))]
fn helper_provider(_: &HelperSpec, _: &Target) -> Result<Arc<dyn AuthProvider>, AuthError> {
    Err(not_available("a `headersHelper`", "helper"))
}

/// What reads the headers that have secrets in them, where the entry has such.
#[cfg(all(feature = "helper", feature = "oauth"))]
fn sourced_headers(
    settings: &AuthSettings,
    target: &Target,
) -> Result<Option<Arc<dyn AuthProvider>>, AuthError> {
    let headers = &settings.sourced_headers;
    Ok((!headers.is_empty()).then(|| crate::sourced_headers::provider(headers, target)))
}

#[cfg(not(all(feature = "helper", feature = "oauth")))]
fn sourced_headers(settings: &AuthSettings, _: &Target) -> Result<Option<Arc<dyn AuthProvider>>, AuthError> {
    match settings.sourced_headers.is_empty() {
        true => Ok(None),
        false => Err(not_available("a secret by reference", "oauth")),
    }
}

fn not_available(what: &str, feature: &str) -> AuthError {
    let message = format!("use {what}: this program was built without the feature `{feature}` of mcp-auth");
    AuthError::new(AuthErrorKind::Misconfigured, message)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::Secret;
    use crate::settings::{CustomSpec, OAuthSpec};

    fn target() -> Target {
        Target::new("s", Url::parse("http://localhost/mcp").unwrap())
    }

    #[test]
    fn what_is_configured_but_not_built_in_is_an_error_that_names_the_feature() {
        let settings = AuthSettings { oauth: Some(OAuthSpec::default()), ..AuthSettings::default() };
        let error = AuthPlan::resolve(&settings).build(&target(), Parts::new()).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
        assert!(error.to_string().contains("feature `oauth`"), "{error}");
    }

    #[cfg(not(feature = "helper"))]
    #[test]
    fn a_helper_without_its_feature_is_never_skipped() {
        let settings = AuthSettings { helper: Some(HelperSpec::new("true", "/")), ..AuthSettings::default() };
        let error = AuthPlan::resolve(&settings).build(&target(), Parts::new()).unwrap_err();
        assert!(error.to_string().contains("feature `helper`"), "{error}");
    }

    #[tokio::test]
    async fn a_provider_of_the_programs_own_answers_where_the_settings_name_it_and_nowhere_else() {
        let headers = || [(http::HeaderName::from_static("x-own"), http::HeaderValue::from_static("1"))];
        let own = || Parts::new().with_authority(Arc::new(StaticHeaders::new(headers())));
        let static_headers = vec![("X-Team".to_owned(), Secret::new("a"))];
        let mut settings = AuthSettings { static_headers, ..AuthSettings::default() };
        let build = |settings: &AuthSettings, parts| AuthPlan::resolve(settings).build(&target(), parts);
        let error = build(&settings, own()).unwrap_err();
        assert!(error.to_string().contains("the settings do not name it"), "{error}");

        settings.custom = Some(CustomSpec::new("acme"));
        let error = build(&settings, Parts::new()).unwrap_err();
        assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
        assert!(error.to_string().contains("`acme`: this program has none"), "{error}");
        let error = build(&settings, own()).unwrap_err();
        assert!(error.to_string().contains("calls itself `static-headers`"), "{error}");

        settings.custom = Some(CustomSpec::new("static-headers"));
        let sent = build(&settings, own()).unwrap().credentials().await.unwrap();
        let names: Vec<_> = sent.names().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-team", "x-own"], "on top of the headers of the entry");
    }

    #[test]
    fn an_entry_without_auth_needs_no_parts() {
        let provider = AuthPlan::resolve(&AuthSettings::default()).build(&target(), Parts::new()).unwrap();
        assert_eq!(provider.name(), "anonymous");
    }

    #[test]
    fn a_bad_static_header_is_an_error_before_anything_runs() {
        let headers = vec![("X-Key".to_owned(), Secret::new("a\nb"))];
        let settings = AuthSettings { static_headers: headers, ..AuthSettings::default() };
        let error = AuthPlan::resolve(&settings).build(&target(), Parts::new()).unwrap_err();
        assert!(error.to_string().contains("`X-Key`"), "{error}");
    }
}
