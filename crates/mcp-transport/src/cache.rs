//! How long a result may be used again, and by whom, as its server says (2026-07-28, server utilities, caching).
//!
//! A connection keeps little: which arguments its tools mirror into headers. Callers that keep more get the hint with the
//! result and decides.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::message::object::Members;
use crate::protocol::header_params::ToolHeaders;

/// Who may use a result again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum CacheScope {
    /// Only requests with the same credentials. Also where the server does not say.
    #[default]
    Private,
    /// All requests.
    Public,
}

/// What a server says about using a result again. It is a hint: what it describes may change at any time, and a
/// notification that it has changed ends the hint at once.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheHint {
    /// How long it is fresh, from when it was received. Zero where it is not to be used again, which is also the default.
    pub ttl: Duration,
    /// Who may use it again.
    pub scope: CacheScope,
}

impl CacheHint {
    /// What this result says, in which nothing but its members is looked at.
    pub(crate) fn read(result: &str) -> Self {
        Members::read(result).map(|members| Self::of(|name| members.get(name))).unwrap_or_default()
    }

    /// What these members of a result say. A time that is negative, or none, is zero.
    pub(crate) fn of<'a>(member: impl Fn(&str) -> Option<&'a RawValue>) -> Self {
        let ttl = member("ttlMs").and_then(|raw| serde_json::from_str(raw.get()).ok());
        let public = member("cacheScope").is_some_and(|raw| raw.get() == r#""public""#);
        Self {
            ttl: Duration::from_millis(ttl.unwrap_or_default()),
            scope: if public { CacheScope::Public } else { CacheScope::Private },
        }
    }
}

/// The hint for a list whose pages say different things, each from when it was received.
#[derive(Debug, Default)]
pub(crate) struct PagedHint(Option<(Instant, CacheScope)>);

impl PagedHint {
    pub(crate) fn page(&mut self, hint: CacheHint, received: Instant) {
        let until = received.checked_add(hint.ttl).unwrap_or(received);
        let (sooner, narrower) = match self.0 {
            None => (until, hint.scope),
            Some((other, CacheScope::Public)) => (other.min(until), hint.scope),
            Some((other, CacheScope::Private)) => (other.min(until), CacheScope::Private),
        };
        self.0 = Some((sooner, narrower));
    }

    /// The hint for the whole, from `now` on.
    pub(crate) fn whole(&self, now: Instant) -> CacheHint {
        self.0.map_or_else(CacheHint::default, |(until, scope)| CacheHint {
            ttl: until.saturating_duration_since(now),
            scope,
        })
    }
}

/// How many tools of several pages are known at most.
const MOST_KNOWN: usize = 10_000;

/// The tools whose arguments are mirrored into headers, as of the last list of one connection.
#[derive(Debug, Default)]
pub(crate) struct KnownTools(Mutex<ToolCache>);

#[derive(Debug, Default)]
struct ToolCache {
    tools: HashMap<String, Arc<ToolHeaders>>,
    /// `None` where the server gave the list no time. Then it is good until the server refuses headers that do not fit.
    until: Option<Instant>,
    /// How many changes the server had reported when the list was asked for.
    changes: u64,
}

impl KnownTools {
    fn known(&self) -> MutexGuard<'_, ToolCache> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn remember(
        &self,
        tools: Vec<(String, ToolHeaders)>,
        hint: CacheHint,
        changes: u64,
        now: Instant,
    ) {
        let tools = tools.into_iter().map(|(name, headers)| (name, Arc::new(headers))).collect();
        let until = now.checked_add(hint.ttl).filter(|_| !hint.ttl.is_zero());
        *self.known() = ToolCache { tools, until, changes };
    }

    /// Those of a further page of the same list.
    pub(crate) fn add(&self, tools: Vec<(String, ToolHeaders)>) {
        let mut known = self.known();
        // Pages without an end must not fill the memory; what is not known is asked for where a server refuses the call.
        let room = MOST_KNOWN.saturating_sub(known.tools.len());
        known.tools.extend(tools.into_iter().take(room).map(|(name, headers)| (name, Arc::new(headers))));
    }

    pub(crate) fn of(&self, tool: &str) -> Option<Arc<ToolHeaders>> {
        self.known().tools.get(tool).cloned()
    }

    /// Whether what is known of this tool is to be asked for again before it is used.
    pub(crate) fn is_stale(&self, tool: &str, changes: u64, now: Instant) -> bool {
        let known = self.known();
        let expired = known.until.is_some_and(|until| now >= until);
        known.tools.contains_key(tool) && (expired || known.changes != changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(milliseconds: u64, scope: CacheScope) -> CacheHint {
        CacheHint { ttl: Duration::from_millis(milliseconds), scope }
    }

    #[test]
    fn what_is_not_said_is_not_fresh_and_not_shared() {
        use CacheScope::{Private, Public};
        for (result, expected) in [
            (r#"{"ttlMs":300000,"cacheScope":"public"}"#, hint(300_000, Public)),
            (r#"{"ttlMs":5}"#, hint(5, Private)),
            (r#"{"cacheScope":"public"}"#, hint(0, Public)),
            (r#"{"ttlMs":-1,"cacheScope":"private"}"#, hint(0, Private)),
            (r#"{"ttlMs":"5","cacheScope":"PUBLIC"}"#, hint(0, Private)),
            (r#"{"ttlMs":null,"cacheScope":null}"#, hint(0, Private)),
            (r#"{"tools":[{"ttlMs":5,"cacheScope":"public"}]}"#, hint(0, Private)),
            ("[]", hint(0, Private)),
        ] {
            assert_eq!(CacheHint::read(result), expected, "{result}");
        }
    }

    #[test]
    fn a_list_is_as_fresh_as_its_oldest_page_and_as_private_as_its_most_private() {
        use CacheScope::{Private, Public};
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut pages = PagedHint::default();
        assert_eq!(pages.whole(start), hint(0, Private));
        pages.page(hint(1_000, Public), start);
        pages.page(hint(950, Public), at(100));
        assert_eq!(pages.whole(at(100)), hint(900, Public));
        pages.page(hint(5_000, Private), at(200));
        pages.page(hint(5_000, Public), at(200));
        assert_eq!(pages.whole(at(200)), hint(800, Private));
        assert_eq!(pages.whole(at(2_000)), hint(0, Private));
        pages.page(hint(u64::MAX, Public), at(200));
        assert!(pages.whole(at(200)).ttl <= Duration::from_millis(800));
    }

    #[test]
    fn knowledge_of_a_tool_ends_with_its_time_or_a_change() {
        let (now, known) = (Instant::now(), KnownTools::default());
        let after = |milliseconds| now + Duration::from_millis(milliseconds);
        let tools = || vec![("a".to_owned(), ToolHeaders::default())];
        known.remember(tools(), hint(1_000, CacheScope::Private), 3, now);
        assert!(known.of("a").is_some() && known.of("b").is_none());
        assert!(!known.is_stale("a", 3, after(999)) && known.is_stale("a", 3, after(1_000)));
        assert!(known.is_stale("a", 4, now) && !known.is_stale("b", 4, after(9_999)));
        // A further page adds to it, up to a bound.
        let page =
            |names: std::ops::Range<usize>| names.map(|n| (n.to_string(), ToolHeaders::default())).collect();
        known.add(page(0..2));
        assert!(known.of("a").is_some() && known.of("1").is_some());
        known.add(page(2..MOST_KNOWN + 9));
        assert!(known.of("2").is_some() && known.of(&MOST_KNOWN.to_string()).is_none());
        // Without a time, only a change, or a refusal, ends it.
        known.remember(tools(), hint(0, CacheScope::Private), 4, now);
        assert!(!known.is_stale("a", 4, after(1_000_000)));
    }
}
