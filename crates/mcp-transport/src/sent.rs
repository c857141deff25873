//! What a server was sent and may repeat in whatever it says: in an error, as its own name, in the description of a tool.
//!
//! Only the connection knows all of it: what a command minted or a sign-in renewed is in no file.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderName;
use mcp_auth::Credentials;
use mcp_text::Secrets;

/// How many different ones are kept: a server repeats what it has just been sent, or refused before.
const KEPT: usize = 8;

/// The credentials that one endpoint was sent, the latest last. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct SentCredentials(Arc<Mutex<VecDeque<Credentials>>>);

impl SentCredentials {
    /// Whether they were not known.
    pub(crate) fn remember(&self, used: &Credentials) -> bool {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if used.is_empty() || kept.iter().rev().any(|known| known.same_headers(used)) {
            return false;
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(used.clone());
        true
    }

    /// What proves something among `used`.
    pub(crate) fn of(used: &Credentials) -> Secrets {
        values(used, Credentials::is_credential).collect()
    }

    /// Of those headers that are `wanted`.
    pub(crate) fn values(&self, wanted: fn(&Credentials, &HeaderName) -> bool) -> Secrets {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut secrets = Secrets::default();
        for used in kept.iter() {
            secrets.extend(values(used, wanted));
        }
        secrets
    }
}

fn values(used: &Credentials, wanted: fn(&Credentials, &HeaderName) -> bool) -> impl Iterator<Item = &str> {
    let names = used.names().filter(move |(name, _)| wanted(used, name));
    names.filter_map(|(name, _)| used.header(name)?.to_str().ok())
}

impl fmt::Debug for SentCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SentCredentials")
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn credentials(provider: &'static str, name: &'static str, value: &str) -> Credentials {
        Credentials::new(provider, [(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn s_m11_what_was_sent_before_is_still_hidden_and_a_route_only_where_it_is_told_of() {
        let sent = SentCredentials::default();
        for number in 0..KEPT + 1 {
            sent.remember(&credentials("mint", "authorization", &format!("Bearer canary-{number}")));
            sent.remember(&credentials("mint", "authorization", &format!("Bearer canary-{number}")));
        }
        sent.remember(&credentials("static-headers", "x-team", "payments"));
        sent.remember(&Credentials::none());
        let all = sent.values(|_, _| true);
        for hidden in ["canary-3", "canary-8", "payments"] {
            assert!(!all.hide_known(&format!("a {hidden} b")).contains(hidden), "{hidden}");
        }
        let proving = sent.values(Credentials::is_credential);
        assert_eq!(proving.hide_known("payments_list canary-8"), "payments_list [redacted]");
        assert_eq!(format!("{sent:?}"), "SentCredentials");
    }
}
