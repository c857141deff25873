//! The value that providers hand over: headers, where each came from, a generation and an expiry.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::reserved::reserved;
use crate::signing::RequestSigner;
use crate::{AuthError, signing};

/// The name of a provider that has nothing to give: what came of a request without credentials was not its doing.
pub const ANONYMOUS: &str = "anonymous";

/// The provider whose headers may be no credentials, but route: those that a configuration fixes.
pub(crate) const STATIC_HEADERS: &str = "static-headers";

/// One header and the provider that supplied it.
#[derive(Clone)]
struct SuppliedHeader {
    name: HeaderName,
    value: HeaderValue,
    provider: Cow<'static, str>,
    note: Option<Arc<str>>,
    /// The variable that its value was to come from, and that is empty.
    empty: Option<Arc<str>>,
}

impl SuppliedHeader {
    fn is_credential(&self) -> bool {
        self.provider != STATIC_HEADERS || is_credential(&self.name)
    }
}

#[derive(Clone, Default)]
struct Inner {
    headers: Vec<SuppliedHeader>,
    generation: u64,
    /// The generations that this value was made from, its own not included; sorted.
    parts: Box<[u64]>,
    expires_at: Option<SystemTime>,
    refresh_at: Option<SystemTime>,
    signer: Option<Arc<dyn RequestSigner>>,
    remark: Option<Arc<str>>,
}

/// The headers to send with every request, cheap to clone.
///
/// No header value can be read from its `Debug`; every value is marked sensitive, so a
/// [`HeaderMap`] that holds it does not show it either.
///
/// # Generations
///
/// Every value has a [generation](Self::generation) that is unique in the process. A value that is made from
/// others, by [overlaying](Self::overlaid_with) one provider's headers on another's or by
/// [adding an expiry](Self::with_expiry), has a generation of its own and remembers those of its parts.
/// So each provider can answer "was it my value that the server refused?" for a request that carried the headers
/// of several: it asks whether the refused credentials [include](Self::includes_generation) the generation it
/// handed out, and never compares generations for equality.
///
/// # Examples
///
/// ```
/// use http::{HeaderName, HeaderValue};
/// use mcp_auth::Credentials;
///
/// let key = (HeaderName::from_static("x-api-key"), HeaderValue::from_static("s3cret"));
/// let credentials = Credentials::new("vault", [key]);
/// assert!(!format!("{credentials:?}").contains("s3cret"));
/// assert_eq!(credentials.header(&HeaderName::from_static("x-api-key")).unwrap(), "s3cret");
/// assert_eq!(credentials.supplier(&HeaderName::from_static("x-api-key")), Some("vault"));
/// ```
#[derive(Clone)]
pub struct Credentials(Arc<Inner>);

/// Generations are unique in the process, so "is this the value that was refused" is one comparison.
static NEXT_GENERATION: AtomicU64 = AtomicU64::new(1);

impl Credentials {
    /// Credentials of `provider`; a name given twice keeps its last value.
    ///
    /// Headers that frame a message (`Content-Length`, `Connection`, …), or that the protocol sets for each request
    /// (`Accept`, `Content-Type`, `MCP-Protocol-Version`, `Mcp-*`), are left out with a warning, whatever supplies them: a
    /// provider can add to a request and not break it.
    pub fn new(
        provider: impl Into<Cow<'static, str>>,
        headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Self {
        let provider = provider.into();
        let mut supplied: Vec<SuppliedHeader> = Vec::new();
        for (name, mut value) in headers {
            if let Some(why) = reserved(&name) {
                tracing::warn!(%provider, header = %name, %why, "left out a header");
                continue;
            }
            value.set_sensitive(true);
            put(
                &mut supplied,
                SuppliedHeader { name, value, provider: provider.clone(), note: None, empty: None },
            );
        }
        Self::made_of(&[], Inner { headers: supplied, ..Inner::default() })
    }

    /// No headers at all: an anonymous request.
    pub fn none() -> Self {
        Self::made_of(&[], Inner::default())
    }

    /// A value of a generation of its own, which remembers those of its parts.
    fn made_of(made_of: &[&Self], inner: Inner) -> Self {
        let generation = NEXT_GENERATION.fetch_add(1, Ordering::Relaxed);
        let mut parts: Vec<u64> =
            made_of.iter().flat_map(|part| part.0.parts.iter().copied().chain([part.0.generation])).collect();
        parts.sort_unstable();
        parts.dedup();
        Self(Arc::new(Inner { generation, parts: parts.into(), ..inner }))
    }

    fn changed(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner::clone(&self.0);
        change(&mut inner);
        Self::made_of(&[self], inner)
    }

    /// The same credentials with an expiry.
    #[must_use]
    pub fn with_expiry(self, expires_at: Option<SystemTime>) -> Self {
        self.changed(|inner| inner.expires_at = expires_at)
    }

    /// The same credentials with the time from which their source wants to be asked again, while these still serve: soon
    /// for what is cheap to read again, early for what takes long to get. Without one,
    /// [`SingleFlight`](crate::SingleFlight) derives it from the expiry.
    #[must_use]
    pub fn with_refresh_at(self, refresh_at: Option<SystemTime>) -> Self {
        self.changed(|inner| inner.refresh_at = refresh_at)
    }

    /// The same credentials with what their source said while it supplied them, such as a warning of a command that
    /// succeeded. It is told when they are refused; it must hold no secret.
    #[must_use]
    pub fn with_remark(self, remark: Option<String>) -> Self {
        self.changed(|inner| inner.remark = remark.map(Arc::from))
    }

    /// The same credentials with what is known of where the value of one header comes from: a fragment that goes on after
    /// its name, and holds no value. It is told when they are refused.
    #[must_use]
    pub fn with_note(self, name: &HeaderName, note: impl Into<Arc<str>>) -> Self {
        let note = note.into();
        self.changed(|inner| {
            for supplied in inner.headers.iter_mut().filter(|supplied| supplied.name == *name) {
                supplied.note = Some(note.clone());
            }
        })
    }

    /// The same credentials, of which this header was to have its value from this variable, which is empty.
    pub(crate) fn with_empty(self, name: &HeaderName, variable: &str) -> Self {
        self.changed(|inner| {
            for supplied in inner.headers.iter_mut().filter(|supplied| supplied.name == *name) {
                supplied.empty = Some(variable.into());
            }
        })
    }

    /// The same credentials with a signer that runs for each request.
    #[must_use]
    pub fn with_signer(self, signer: Arc<dyn RequestSigner>) -> Self {
        self.changed(|inner| inner.signer = Some(signer))
    }

    /// These credentials with those of `over` on top: same-named headers are replaced (names compare
    /// without case), the rest stays. The earlier expiry wins. Which of two headers
    /// of one name counts is decided here alone.
    #[must_use]
    pub fn overlaid_with(&self, over: &Self) -> Self {
        let mut headers = self.0.headers.clone();
        for supplied in &over.0.headers {
            put(&mut headers, supplied.clone());
        }
        let earlier = |a: Option<SystemTime>, b: Option<SystemTime>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let inner = Inner {
            headers,
            expires_at: earlier(self.0.expires_at, over.0.expires_at),
            refresh_at: earlier(self.0.refresh_at, over.0.refresh_at),
            signer: over.0.signer.clone().or_else(|| self.0.signer.clone()),
            remark: over.0.remark.clone().or_else(|| self.0.remark.clone()),
            ..Inner::default()
        };
        Self::made_of(&[self, over], inner)
    }

    /// Puts the headers into a request, replacing same-named ones. Credentials that [sign](Self::signs) are not complete with
    /// that: see [`sign`](Self::sign).
    pub fn apply(&self, headers: &mut HeaderMap) {
        for supplied in &self.0.headers {
            headers.insert(supplied.name.clone(), supplied.value.clone());
        }
    }

    /// Whether each request has to be [signed](Self::sign), as the last thing before it is sent.
    pub fn signs(&self) -> bool {
        self.0.signer.is_some()
    }

    /// Puts the headers that their signer makes for this request into `headers`; nothing where there is
    /// [no signer](Self::signs). What is not for credentials is left out, as in [`Credentials::new`].
    ///
    /// # Errors
    ///
    /// Those of the signer, and [`TimedOut`](crate::AuthErrorKind::TimedOut) and
    /// [`SourceFailed`](crate::AuthErrorKind::SourceFailed) for one that hangs or panics. `headers` are as they were then.
    pub async fn sign(
        &self,
        method: &Method,
        url: &Url,
        headers: &mut HeaderMap,
        body: &Bytes,
    ) -> Result<(), AuthError> {
        match self.0.signer.as_deref() {
            Some(signer) => signing::sign(signer, method, url, headers, body).await,
            None => Ok(()),
        }
    }

    /// Which fetch this value came from; unique in the process.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// Whether this is the value of that generation, or was made from it. This is how a provider recognises its
    /// own credentials in a refused request, whatever other providers added.
    pub fn includes_generation(&self, generation: u64) -> bool {
        self.0.generation == generation || self.0.parts.binary_search(&generation).is_ok()
    }

    /// When the credentials stop working, as far as that is knowable.
    pub fn expires_at(&self) -> Option<SystemTime> {
        self.0.expires_at
    }

    /// From when on their source wants to be asked again, where it said so.
    pub fn refresh_at(&self) -> Option<SystemTime> {
        self.0.refresh_at
    }

    /// What their source said while it supplied them.
    pub fn remark(&self) -> Option<&str> {
        self.0.remark.as_deref()
    }

    /// Whether a request with them carries a credential. A static header that only routes, such as the name of a tenant,
    /// is none; what a command or a sign-in supplied is one whatever its name.
    pub fn prove_something(&self) -> bool {
        self.0.signer.is_some() || self.0.headers.iter().any(SuppliedHeader::is_credential)
    }

    /// Whether the header of this name is a credential, and not one that only routes.
    pub fn is_credential(&self, name: &HeaderName) -> bool {
        self.0.headers.iter().any(|supplied| supplied.name == *name && supplied.is_credential())
    }

    /// Whether a request with these credentials is anonymous.
    pub fn is_empty(&self) -> bool {
        self.0.headers.is_empty() && self.0.signer.is_none()
    }

    /// The header of this name.
    pub fn header(&self, name: &HeaderName) -> Option<&HeaderValue> {
        self.0.headers.iter().find(|supplied| supplied.name == *name).map(|supplied| &supplied.value)
    }

    /// The provider that supplied the header of this name.
    pub fn supplier(&self, name: &HeaderName) -> Option<&str> {
        self.0.headers.iter().find(|supplied| supplied.name == *name).map(|supplied| &*supplied.provider)
    }

    /// The variable that the value of a header was to come from, and that is empty.
    pub(crate) fn empty_variable(&self, name: &HeaderName) -> Option<&str> {
        self.0.headers.iter().find(|supplied| supplied.name == *name)?.empty.as_deref()
    }

    /// What is known of where the value of the header of this name comes from.
    pub fn note(&self, name: &HeaderName) -> Option<&str> {
        self.0.headers.iter().find(|supplied| supplied.name == *name)?.note.as_deref()
    }

    /// Each header name with the provider that supplied it.
    pub fn names(&self) -> impl Iterator<Item = (&HeaderName, &str)> {
        self.0.headers.iter().map(|supplied| (&supplied.name, &*supplied.provider))
    }

    /// Whether a request with `other` would carry the very same bytes. A request that was refused with
    /// the same bytes is not sent again: its answer is known.
    pub fn same_headers(&self, other: &Self) -> bool {
        // One set that is used again and again is the usual case, on every request.
        if Arc::ptr_eq(&self.0, &other.0) {
            return true;
        }
        let same_signer = match (&self.0.signer, &other.0.signer) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            _ => false,
        };
        same_signer
            && self.0.headers.len() == other.0.headers.len()
            && self.0.headers.iter().all(|mine| other.header(&mine.name) == Some(&mine.value))
    }

    /// Whether a request with these carried every byte of `part`, whatever others added to it. Never where there is nothing
    /// to compare: without a header, or where each request is signed automatically.
    pub(crate) fn carry(&self, part: &Self) -> bool {
        part.0.signer.is_none()
            && !part.0.headers.is_empty()
            && part.0.headers.iter().all(|header| self.header(&header.name) == Some(&header.value))
    }
}

/// Whether a header of this name carries a credential.
pub(crate) fn is_credential(name: &HeaderName) -> bool {
    mcp_text::is_credential_name(name.as_str())
}

fn put(headers: &mut Vec<SuppliedHeader>, new: SuppliedHeader) {
    match headers.iter_mut().find(|old| old.name == new.name) {
        Some(old) => *old = new,
        None => headers.push(new),
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> =
            self.names().map(|(name, provider)| format!("{name} ({provider})")).collect();
        f.debug_struct("Credentials")
            .field("headers", &names)
            .field("generation", &self.0.generation)
            .field("expires_at", &self.0.expires_at)
            .field("signed", &self.0.signer.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    }

    #[test]
    fn later_layers_replace_same_named_headers_and_keep_the_rest() {
        let base = Credentials::new("static-headers", [pair("authorization", "old"), pair("x-team", "a")]);
        let merged = base.overlaid_with(&Credentials::new("headers-helper", [pair("authorization", "new")]));
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("from elsewhere"));
        merged.apply(&mut headers);
        assert_eq!(headers.get_all("authorization").iter().count(), 1);
        assert_eq!(headers["authorization"], "new");
        assert_eq!(headers["x-team"], "a");
        let suppliers: Vec<_> = merged.names().map(|(name, by)| (name.as_str(), by)).collect();
        assert_eq!(suppliers, [("authorization", "headers-helper"), ("x-team", "static-headers")]);
    }

    #[test]
    fn debug_shows_names_and_no_value() {
        let credentials = Credentials::new("p", [pair("authorization", "Bearer canary-secret")]);
        let mut headers = HeaderMap::new();
        credentials.apply(&mut headers);
        let shown = format!("{credentials:?} {headers:?}");
        assert!(shown.contains("authorization") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn what_is_not_for_credentials_is_left_out_from_every_source() {
        let names = ["accept", "connection", "content-length", "mcp-session-id", "host", "x-key"];
        let credentials = Credentials::new("p", names.map(|name| pair(name, "1")));
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("application/json"));
        credentials.apply(&mut headers);
        assert_eq!(headers["accept"], "application/json");
        let mut applied: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        applied.sort_unstable();
        assert_eq!(applied, ["accept", "host", "x-key"]);
        assert_eq!(credentials.names().count(), 2);
    }

    #[test]
    fn same_bytes_are_recognised_across_generations() {
        let a = Credentials::new("p", [pair("a", "1"), pair("b", "2")]);
        let b = Credentials::new("p", [pair("b", "2"), pair("a", "1")]);
        assert_ne!(a.generation(), b.generation());
        assert!(a.same_headers(&b));
        assert!(!a.same_headers(&Credentials::new("p", [pair("a", "1")])));
        assert!(!a.same_headers(&Credentials::new("p", [pair("a", "1"), pair("b", "3")])));
    }

    #[test]
    fn a_composed_value_includes_the_generations_of_all_its_parts_and_no_others() {
        let base = Credentials::new("a", [pair("a", "1")]);
        let minted = Credentials::new("b", [pair("b", "2")]);
        let minted = minted.clone().with_expiry(Some(SystemTime::UNIX_EPOCH));
        let other = Credentials::none();
        let composed = base.overlaid_with(&minted).overlaid_with(&Credentials::none());
        for part in [&base, &minted, &composed] {
            assert!(composed.includes_generation(part.generation()));
        }
        assert!(!composed.includes_generation(other.generation()));
        assert!(!base.includes_generation(composed.generation()));
    }
}
