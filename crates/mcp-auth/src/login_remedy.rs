//! What takes out of the way what stands in the way of a sign-in.

/// What makes a sign-in possible that is not.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum LoginRemedy {
    /// Nothing here: what is at this origin does not answer as it has to.
    Operator {
        /// Scheme, host and port.
        origin: String,
    },
    /// A client that is registered by hand, in the settings.
    Client,
    /// The settings name who issues tokens, or where that is published.
    AuthorizationServer,
    /// The settings name the certificate authority that vouches for the authorization server.
    Authority,
    /// Other settings, which the message names.
    Settings,
}

#[cfg(feature = "oauth")]
impl LoginRemedy {
    /// Who runs what this URL is of; `None` where that has no host.
    pub(crate) fn operator_of(url: &str) -> Option<Self> {
        let origin = url::Url::parse(url).ok()?.origin();
        origin.is_tuple().then(|| Self::Operator { origin: origin.ascii_serialization() })
    }
}
