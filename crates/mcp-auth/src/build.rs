//! [`AuthPlan`] → provider: the one place where a plan meets code that can run.

use std::sync::Arc;

use crate::chain::{Chain, Fallback};
use crate::plan::{AuthPlan, ProviderKind, Role};
use crate::{AuthError, AuthErrorKind, AuthProvider, HelperSpec, StaticHeaders, Target};

/// What a plan needs that settings cannot hold.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Parts {
    /// The provider for the OAuth role: `mcp_auth::oauth`'s, or another.
    pub oauth: Option<Arc<dyn AuthProvider>>,
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
}

impl AuthPlan {
    /// Builds the provider of one connection to `target`. Build one for each connection: what it remembers
    /// (minted credentials, an active fallback) lives exactly as long as it.
    ///
    /// # Errors
    ///
    /// [`AuthErrorKind::Misconfigured`] where a static header is not valid HTTP, or where a provider that the entry
    /// configures is not available in this build. A missing provider is never skipped in favour of the next one.
    pub fn build(&self, target: &Target, parts: Parts) -> Result<Arc<dyn AuthProvider>, AuthError> {
        let fixed = StaticHeaders::from_settings(&self.settings().static_headers)?
            .with_variables(&self.settings().header_variables, self.settings().lives_on);
        let configured = self.settings().oauth.is_some();
        let oauth = match self.role(ProviderKind::OAuth) {
            Some(Role::Authority | Role::Fallback) => match parts.oauth {
                None if configured => return Err(not_available("an `oauth` block", "oauth")),
                oauth => oauth,
            },
            _ => None,
        };
        let helper = self.role(ProviderKind::HeadersHelper);
        Ok(match (helper, &self.settings().helper, oauth) {
            (Some(Role::Withheld), ..) => Arc::new(Chain::withheld(fixed.into_credentials())),
            (Some(_), Some(spec), oauth) => {
                let fallback = oauth.map(|provider| Fallback::new(provider, configured));
                Arc::new(Chain::authority(fixed.into_credentials(), helper_provider(spec, target)?, fallback))
            }
            (.., Some(oauth)) => Arc::new(Chain::sign_in(fixed.into_credentials(), oauth, configured)),
            (.., None) => Arc::new(fixed),
        })
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

fn not_available(what: &str, feature: &str) -> AuthError {
    let message = format!("use {what}: this program was built without the feature `{feature}` of mcp-auth");
    AuthError::new(AuthErrorKind::Misconfigured, message)
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{AuthSettings, OAuthSpec, Secret};

    fn target() -> Target {
        Target { name: "s".into(), url: Url::parse("http://localhost/mcp").unwrap() }
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
