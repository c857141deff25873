//! Which provider answers for a server, in what order, and why the others do not: [`AuthPlan`].
//!
//! The order is decided here and nowhere else, by what is *configured*, never by what succeeds.
//!
//! | configured | base | authority | OAuth |
//! |---|---|---|---|
//! | a provider of the program's own, or `auth` | static headers | that provider | fallback |
//! | an `auth` that may not be used | static headers | none: it is withheld | skipped |
//! | a helper | static headers | the helper | fallback |
//! | a helper that may not run | static headers | none: it is withheld | skipped |
//! | a static `Authorization`, no helper | – | static headers | skipped |
//! | neither | static headers | OAuth, once the server asks for it | authority |

use std::fmt;
use std::sync::Arc;

pub use crate::credentials::ANONYMOUS;
use crate::settings::unattended::{AWS_NAME, FILE_NAME, PLUGIN_NAME};
use crate::settings::{GrantKind, WithholdReason};
use crate::{AuthSettings, static_headers, userinfo};

/// The name of the provider that runs a command.
pub(crate) const HELPER_NAME: &str = "headers-helper";
/// The name of the provider that a person signs in to.
const OAUTH_NAME: &str = "oauth";

/// One of the providers that a plan arranges.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ProviderKind {
    /// Headers from the configuration.
    StaticHeaders,
    /// User and password of the address, which go along as a header of the configuration does.
    Url,
    /// A command that prints headers.
    HeadersHelper,
    /// What `auth` of an entry says, without a person: a grant or a file, by its name.
    Unattended(&'static str),
    /// MCP authorization.
    OAuth,
    /// A provider of the program's own, by the name that it has for people and JSON.
    Custom(Arc<str>),
}

impl ProviderKind {
    /// The one of this name, which is none of a program's own providers.
    pub fn named(name: &str) -> Option<Self> {
        let unattended =
            GrantKind::ALL.map(GrantKind::name).into_iter().chain([FILE_NAME, PLUGIN_NAME, AWS_NAME]);
        [Self::StaticHeaders, Self::Url, Self::HeadersHelper, Self::OAuth]
            .into_iter()
            .chain(unattended.map(Self::Unattended))
            .find(|kind| kind.name() == name)
    }

    /// Where its credentials come from.
    pub fn supply(&self) -> Supply {
        match self {
            Self::Custom(_) | Self::Unattended(_) => Supply::Program,
            Self::StaticHeaders => Supply::Configuration,
            Self::Url => Supply::Address,
            Self::HeadersHelper => Supply::Command,
            Self::OAuth => Supply::Person,
        }
    }

    /// What people call it: as their file spells it, where it stands there.
    pub fn called(&self) -> &str {
        match self {
            Self::Custom(name) => name,
            Self::StaticHeaders => "headers",
            Self::Url => "user and password of the URL",
            Self::HeadersHelper => "headersHelper",
            Self::Unattended(_) => "auth",
            Self::OAuth => "the sign-in",
        }
    }

    /// Its stable, kebab-case name.
    pub fn name(&self) -> &str {
        match self {
            Self::Custom(name) => name,
            Self::StaticHeaders => static_headers::NAME,
            Self::Url => userinfo::NAME,
            Self::HeadersHelper => HELPER_NAME,
            Self::Unattended(name) => name,
            Self::OAuth => OAUTH_NAME,
        }
    }
}

/// Where credentials come from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Supply {
    /// They stand in the configuration, and are what they are until that is edited.
    Configuration,
    /// They stand there as well, as user and password of the address.
    Address,
    /// A command makes them.
    Command,
    /// A person signed in.
    Person,
    /// The program gets them in a way of its own.
    Program,
}

/// What a provider does in the chain of one server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ProviderRole {
    /// Its headers go along with every request, unless another provider replaces them by name.
    Base,
    /// It answers for the server: it is asked when the server refuses.
    Authority,
    /// It is asked only after the authority has had its turn and failed.
    Fallback,
    /// It is the authority, but may not run.
    Withheld,
    /// It never runs.
    Skipped,
}

impl ProviderRole {
    fn word(self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Authority => "authority",
            Self::Fallback => "fallback",
            Self::Withheld => "withheld",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a provider has its role.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LinkReason {
    /// The entry configures it, and nothing outranks it.
    Configured,
    /// The entry does not mention it, but the server may ask for it.
    OnDemand,
    /// A helper comes first: the helper must have failed, the server must offer OAuth, and a person must
    /// have signed in.
    AfterHelper,
    /// The entry configures a provider of the program's own, which comes first: that must have failed, the server must offer
    /// OAuth, and a person must have signed in.
    AfterCustom,
    /// The entry configures a provider of the program's own, which takes its place.
    CustomConfigured,
    /// It may not run.
    Withheld(WithholdReason),
    /// The entry has a helper that may not run. Nothing stands in for it, or the author of the entry could
    /// steer how a person signs in.
    HelperWithheld,
    /// The entry has an `auth` that may not be used. Nothing stands in for it, for the same reason.
    UnattendedWithheld,
    /// The entry has a static `Authorization` header.
    StaticAuthorization,
    /// The entry says `oauth: false`.
    SwitchedOff,
}

impl fmt::Display for LinkReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Configured => "configured",
            Self::OnDemand => "not configured; used when the server asks for it",
            Self::AfterHelper => {
                "only when fresh helper headers were refused too, the server offers OAuth and a person has signed in"
            }
            Self::AfterCustom => {
                "only when fresh credentials were refused too, the server offers OAuth and a person has signed in"
            }
            Self::CustomConfigured => "another provider is configured and takes its place",
            Self::Withheld(WithholdReason::UntrustedFolder) => {
                "the folder is not trusted, so requests carry static headers alone"
            }
            Self::HelperWithheld => "headersHelper is configured and outranks it, although it may not run",
            Self::UnattendedWithheld => "auth is configured and outranks it, although it may not be used",
            Self::SwitchedOff => "`oauth` is false in the entry",
            Self::StaticAuthorization => "a static Authorization header is configured and outranks it",
        })
    }
}

/// One provider of a plan.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub struct Link {
    /// Which provider.
    pub provider: ProviderKind,
    /// What it does.
    pub role: ProviderRole,
    /// Why.
    pub why: LinkReason,
}

/// The auth chain of one server as a value: it can be compared, printed, and [built](Self::build).
///
/// # Examples
///
/// ```
/// use mcp_auth::{AuthPlan, AuthSettings};
/// use mcp_auth::plan::{ProviderKind, ProviderRole};
/// use mcp_auth::settings::HelperSpec;
///
/// let mut settings = AuthSettings::default();
/// settings.helper = Some(HelperSpec::new("my-sso token", "."));
/// let plan = AuthPlan::resolve(&settings);
/// assert_eq!(plan.role(ProviderKind::HeadersHelper), Some(ProviderRole::Authority));
/// // Asked only after the helper had its turn, and never in its place.
/// assert_eq!(plan.role(ProviderKind::OAuth), Some(ProviderRole::Fallback));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthPlan {
    links: Vec<Link>,
    settings: AuthSettings,
}

impl AuthPlan {
    /// Decides the chain. Pure: it runs nothing and reads nothing but `settings`.
    pub fn resolve(settings: &AuthSettings) -> Self {
        use ProviderKind::{HeadersHelper, OAuth, StaticHeaders};
        let link = |provider, role, why| Link { provider, role, why };
        let fixed = settings.header_names().any(is_authorization);
        // Of both there is one at most: they are spelled by one field.
        let own = settings.custom.as_ref().map(|custom| ProviderKind::Custom(custom.name.clone()));
        let unattended = settings.unattended.as_ref().filter(|_| own.is_none());
        let own_withheld = unattended.and_then(|unattended| unattended.withheld);
        let custom = own.or_else(|| unattended.map(|spec| ProviderKind::Unattended(spec.name())));
        let withheld = settings.helper.as_ref().filter(|_| custom.is_none()).and(settings.helper_withheld);

        let mut links = Vec::with_capacity(4);
        if settings.header_names().next().is_some() {
            let alone = settings.helper.is_none() && custom.is_none() && fixed;
            let role = if alone { ProviderRole::Authority } else { ProviderRole::Base };
            links.push(link(StaticHeaders, role, LinkReason::Configured));
        }
        links.extend(custom.clone().map(|custom| match own_withheld {
            Some(reason) => link(custom, ProviderRole::Withheld, LinkReason::Withheld(reason)),
            None => link(custom, ProviderRole::Authority, LinkReason::Configured),
        }));
        links.extend(settings.helper.as_ref().map(|_| match withheld {
            _ if custom.is_some() => link(HeadersHelper, ProviderRole::Skipped, LinkReason::CustomConfigured),
            Some(reason) => link(HeadersHelper, ProviderRole::Withheld, LinkReason::Withheld(reason)),
            None => link(HeadersHelper, ProviderRole::Authority, LinkReason::Configured),
        }));
        links.push(match (&settings.helper, withheld) {
            _ if settings.oauth_off => link(OAuth, ProviderRole::Skipped, LinkReason::SwitchedOff),
            _ if own_withheld.is_some() => link(OAuth, ProviderRole::Skipped, LinkReason::UnattendedWithheld),
            _ if custom.is_some() => link(OAuth, ProviderRole::Fallback, LinkReason::AfterCustom),
            (Some(_), Some(_)) => link(OAuth, ProviderRole::Skipped, LinkReason::HelperWithheld),
            (Some(_), None) => link(OAuth, ProviderRole::Fallback, LinkReason::AfterHelper),
            (None, _) if fixed => link(OAuth, ProviderRole::Skipped, LinkReason::StaticAuthorization),
            (None, _) if settings.oauth.is_some() => {
                link(OAuth, ProviderRole::Authority, LinkReason::Configured)
            }
            (None, _) => link(OAuth, ProviderRole::Authority, LinkReason::OnDemand),
        });
        Self { links, settings: settings.clone() }
    }

    /// Every provider that the entry configures or the server may ask for, in order of precedence.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// What this provider does for the server; `None` where the entry does not configure it.
    pub fn role(&self, provider: ProviderKind) -> Option<ProviderRole> {
        self.links.iter().find(|link| link.provider == provider).map(|link| link.role)
    }

    /// Why the authority may not run, if so.
    pub fn withheld(&self) -> Option<WithholdReason> {
        self.links.iter().find_map(|link| match link.why {
            LinkReason::Withheld(reason) => Some(reason),
            _ => None,
        })
    }

    /// The names of the *configured* providers that may supply headers, in order. OAuth is among them only where
    /// the entry has an `oauth` block; on any other server it shows once it has supplied something.
    pub fn chain_names(&self) -> Vec<&str> {
        let supplies = |link: &&Link| match link.role {
            ProviderRole::Base | ProviderRole::Authority | ProviderRole::Fallback => {
                link.provider != ProviderKind::OAuth || self.settings.oauth.is_some()
            }
            ProviderRole::Withheld | ProviderRole::Skipped => false,
        };
        self.links.iter().filter(supplies).map(|link| link.provider.name()).collect()
    }

    /// The header names that are known without running anything, each with its provider, as the entry spells them.
    ///
    /// What the others supply is known once they have: see [`Credentials::names`](crate::Credentials::names).
    fn header_names(&self) -> Vec<(&str, ProviderKind)> {
        let mut names: Vec<(&str, ProviderKind)> = Vec::new();
        for name in self.settings.header_names() {
            if !names.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                let of_url = self.settings.authorization_of_url && is_authorization(name);
                names.push((name, if of_url { ProviderKind::Url } else { ProviderKind::StaticHeaders }));
            }
        }
        names
    }

    /// What the plan was made from.
    pub fn settings(&self) -> &AuthSettings {
        &self.settings
    }
}

fn is_authorization(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization")
}

/// One line per provider: name, role, why.
impl fmt::Display for AuthPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, link) in self.links.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}: ", link.provider.name())?;
            // That a link simply does its part goes without saying.
            if !matches!(link.role, ProviderRole::Base | ProviderRole::Authority) {
                write!(f, "{}, ", link.role.word())?;
            }
            match (&link.provider, link.role) {
                (ProviderKind::StaticHeaders, role) => {
                    let names: Vec<&str> =
                        self.header_names().iter().map(|(name, _)| mcp_text::member_name(name)).collect();
                    write!(f, "{}", names.join(", "))?;
                    if role == ProviderRole::Base && self.links.len() > 1 {
                        f.write_str("; headers of the same name from what follows win")?;
                    }
                }
                (ProviderKind::HeadersHelper, ProviderRole::Authority) => {
                    f.write_str("run at connect, when the server refuses, and ahead of expiry")?;
                }
                _ => write!(f, "{}", link.why)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use crate::settings::{CustomSpec, HelperSpec, OAuthSpec};

    fn settings(headers: &[&str], helper: bool, withheld: bool, oauth: bool) -> AuthSettings {
        AuthSettings {
            static_headers: headers.iter().map(|name| ((*name).to_owned(), Secret::new("canary"))).collect(),
            helper: helper.then(|| HelperSpec::new("print-headers --secret canary", "/")),
            helper_withheld: withheld.then_some(WithholdReason::UntrustedFolder),
            oauth: oauth.then(OAuthSpec::default),
            ..AuthSettings::default()
        }
    }

    #[test]
    fn fa_a40_oauth_false_skips_oauth_whatever_else_is_configured() {
        for (headers, helper) in [(&[][..], false), (&["Authorization"][..], false), (&[][..], true)] {
            let mut settings = settings(headers, helper, false, false);
            settings.oauth_off = true;
            let plan = AuthPlan::resolve(&settings);
            assert_eq!(plan.role(ProviderKind::OAuth), Some(ProviderRole::Skipped));
            assert!(plan.to_string().contains("`oauth` is false"), "{plan}");
        }
    }

    /// `provider:role` of each link.
    fn shown(plan: &AuthPlan) -> String {
        let link = |link: &Link| format!("{}:{}", link.provider.name(), link.role.word());
        plan.links().iter().map(link).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_order_is_decided_by_what_is_configured() {
        let none: &[&str] = &[];
        let table = [
            (none, false, false, false, "oauth:authority", ""),
            (none, false, false, true, "oauth:authority", "oauth"),
            (&["X-Team"], false, false, false, "static-headers:base oauth:authority", "static-headers"),
            (&["X-Team"], false, false, true, "static-headers:base oauth:authority", "static-headers oauth"),
            (
                &["authorization"],
                false,
                false,
                false,
                "static-headers:authority oauth:skipped",
                "static-headers",
            ),
            (
                &["Authorization"],
                false,
                false,
                true,
                "static-headers:authority oauth:skipped",
                "static-headers",
            ),
            (none, true, false, false, "headers-helper:authority oauth:fallback", "headers-helper"),
            (none, true, false, true, "headers-helper:authority oauth:fallback", "headers-helper oauth"),
            (
                &["Authorization"],
                true,
                false,
                false,
                "static-headers:base headers-helper:authority oauth:fallback",
                "static-headers headers-helper",
            ),
            (
                &["X-Team"],
                true,
                true,
                true,
                "static-headers:base headers-helper:withheld oauth:skipped",
                "static-headers",
            ),
            // Nothing is withheld where nothing is configured.
            (none, false, true, false, "oauth:authority", ""),
        ];
        for (headers, helper, withheld, oauth, links, chain) in table {
            let plan = AuthPlan::resolve(&settings(headers, helper, withheld, oauth));
            assert_eq!(shown(&plan), links);
            assert_eq!(plan.chain_names().join(" "), chain, "{links}");
            assert_eq!(plan.withheld().is_some(), helper && withheld);
        }
    }

    #[test]
    fn a_plan_prints_each_provider_with_its_reason_and_no_value() {
        let plan = AuthPlan::resolve(&settings(&["X-Team", "x-team", "Authorization"], true, false, false));
        assert_eq!(
            plan.to_string(),
            "static-headers: X-Team, Authorization; headers of the same name from what follows win\n\
             headers-helper: run at connect, when the server refuses, and ahead of expiry\n\
             oauth: fallback, only when fresh helper headers were refused too, the server offers OAuth \
             and a person has signed in"
        );
        let withheld = AuthPlan::resolve(&settings(&[], true, true, true));
        assert_eq!(
            withheld.to_string(),
            "headers-helper: withheld, the folder is not trusted, so requests carry static headers alone\n\
             oauth: skipped, headersHelper is configured and outranks it, although it may not run"
        );
        for plan in [plan, withheld] {
            let shown = format!("{plan} {plan:?}");
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn a_provider_of_the_programs_own_has_the_place_of_the_helper() {
        let own = |headers: &[&str], helper, withheld, oauth| {
            let mut settings = settings(headers, helper, withheld, oauth);
            settings.custom = Some(CustomSpec::new("acme-sso").with_settings(Secret::new("canary")));
            AuthPlan::resolve(&settings)
        };
        for (plan, links, chain) in [
            (own(&[], false, false, false), "acme-sso:authority oauth:fallback", "acme-sso"),
            (
                own(&["Authorization"], false, false, true),
                "static-headers:base acme-sso:authority oauth:fallback",
                "static-headers acme-sso oauth",
            ),
            // It takes the place of the helper, whether that might run or not.
            (
                own(&[], true, true, false),
                "acme-sso:authority headers-helper:skipped oauth:fallback",
                "acme-sso",
            ),
        ] {
            assert_eq!(shown(&plan), links);
            assert_eq!(plan.chain_names().join(" "), chain);
            assert_eq!(plan.withheld(), None);
            assert_eq!(plan.role(ProviderKind::Custom("acme-sso".into())), Some(ProviderRole::Authority));
            assert!(!format!("{plan} {plan:?}").contains("canary"));
        }
        let plan = own(&[], false, false, false);
        assert!(plan.to_string().starts_with("acme-sso: configured\noauth: fallback, only when"), "{plan}");
        assert_eq!(plan.links()[0].provider.supply(), Supply::Program);
        assert_eq!(ProviderKind::named("acme-sso"), None);
    }

    #[test]
    fn equal_settings_make_equal_plans() {
        let of = |oauth| AuthPlan::resolve(&settings(&["X-Team"], true, false, oauth));
        assert_eq!(of(true), of(true));
        assert_ne!(of(true), of(false));
    }
}
