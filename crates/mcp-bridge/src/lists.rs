//! The lists that a server gave last, for as long as it gives none. They live and die with this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mcp_transport::ToolFilter;
use mcp_transport::message::methods::list_items;
use mcp_transport::message::{Era, Members, Object, Payload};
use mcp_transport::tool_filter::filtered_page;
use serde_json::value::RawValue;

use crate::splice::{raw, text};

/// The member that holds the tools of a list.
const TOOLS: &str = "tools";

/// What a host is told of a capability that was offered and that the server does not have.
const NOTHING_TO_COMPLETE: &str = r#"{"completion":{"values":[]}}"#;

/// A list, and in the terms of which era.
pub(crate) type KnownList = (Payload, Era);

/// The first page of each list, as it was last seen.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// By the member that holds the items.
    seen: Mutex<HashMap<&'static str, KnownList>>,
    /// Whether a host was told something that did not come from the server at that moment: a list, or that the server
    /// is away.
    made_up: AtomicBool,
    /// Which tools may be used, as of the last look at the entry.
    filter: Mutex<Option<Arc<dyn ToolFilter>>>,
}

/// The list whose member is `items`, with nothing in it.
fn empty(items: &str) -> Payload {
    raw(format!(r#"{{"{items}":[]}}"#)).into()
}

impl Lists {
    /// The tools that this lets through are told from now on, and no others, also of a list from before.
    pub(crate) fn filter_by(&self, filter: Option<Arc<dyn ToolFilter>>) {
        *self.filter.lock().unwrap_or_else(PoisonError::into_inner) = filter;
    }

    /// A list from before as it may be told now.
    fn screened(&self, items: &str, list: Payload) -> Payload {
        let filter = self.filter.lock().unwrap_or_else(PoisonError::into_inner);
        match filter.as_deref().filter(|_| items == TOOLS) {
            Some(filter) => filtered_page(filter, list).unwrap_or_else(|_| empty(items)),
            None => list,
        }
    }

    /// Remembers what the server answered.
    pub(crate) fn remember(&self, method: &str, params: Option<&RawValue>, result: &Payload, era: Era) {
        let Some(items) = list_items(method) else { return };
        if !is_first_page(params) {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // The usual list is the one that is known already: then nothing is copied.
        match seen.get_mut(items) {
            Some((known, of)) if *of == era && known.get() == result.get() => {}
            _ => drop(seen.insert(items, (result.clone(), era))),
        }
    }

    /// What to tell a host while the server does not answer; `None` where that would be a lie.
    pub(crate) fn last_known(&self, method: &str, params: Option<&RawValue>) -> Option<KnownList> {
        let items = list_items(method)?;
        if !is_first_page(params) {
            return None;
        }
        self.owe_news();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match seen.get(items) {
            Some((list, era)) => (self.screened(items, from_memory(list, *era)), *era),
            None => (empty(items), Era::Legacy),
        })
    }

    /// The host was told that the server is away: it hears when it is back.
    pub(crate) fn owe_news(&self) {
        self.made_up.store(true, Ordering::Release);
    }

    /// Whether a host was told something that did not come from the server, since this was last asked.
    pub(crate) fn take_made_up(&self) -> bool {
        self.made_up.swap(false, Ordering::AcqRel)
    }
}

/// The list as it is told while the server does not answer: without its cursor, because the page that it leads to cannot
/// be obtained, and, in the era that knows such a time, stale (2026-07-28, caching), or a host would not ask again.
fn from_memory(list: &Payload, era: Era) -> Payload {
    let timed = era == Era::Modern && list.get().contains("ttlMs");
    if !timed && !list.get().contains("nextCursor") {
        return list.clone();
    }
    let mut object = Object::new();
    for (name, value) in Members::read(list.get()).unwrap_or_default().iter() {
        match name {
            "nextCursor" => {}
            "ttlMs" if timed => {
                object.member(name, "0");
            }
            _ => {
                object.member(name, value.get());
            }
        }
    }
    object.finish().into()
}

/// The answer to a request for something that was offered before the server was known, and that it turned out
/// not to have. It does not know the method, and the host is not to blame.
pub(crate) fn nothing_of(method: &str) -> Option<Payload> {
    if method == "completion/complete" {
        return Some(raw(NOTHING_TO_COMPLETE).into());
    }
    list_items(method).map(empty)
}

fn is_first_page(params: Option<&RawValue>) -> bool {
    let Some(params) = params.filter(|params| params.get().contains("cursor")) else { return true };
    let cursor = Members::read(params.get()).and_then(|members| members.get("cursor")).and_then(text);
    cursor.is_none_or(|cursor| cursor.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_list_is_told_and_never_the_cursor_to_a_page_that_cannot_be_had() {
        let lists = Lists::default();
        let remembered =
            |params| lists.last_known("tools/list", params).map(|(list, _)| list.get().to_owned());
        assert_eq!(remembered(None).unwrap(), r#"{"tools":[]}"#);
        assert!(lists.take_made_up() && !lists.take_made_up());
        let page = raw(r#"{"tools":[{"name":"a"}],"nextCursor":"2"}"#).into();
        lists.remember("tools/list", None, &page, Era::Legacy);
        assert_eq!(remembered(None).unwrap(), r#"{"tools":[{"name":"a"}]}"#);
        let second = raw(r#"{"cursor":"2"}"#);
        assert_eq!(remembered(Some(&second)), None);
        lists.remember("tools/list", Some(&second), &raw(r#"{"tools":[]}"#).into(), Era::Legacy);
        assert_eq!(remembered(None).unwrap(), r#"{"tools":[{"name":"a"}]}"#, "a later page is not the list");
        // What is fresh for an hour was fresh when it was fetched; a legacy server means something of its own by it.
        let timed = raw(r#"{"tools":[],"ttlMs":3600000,"cacheScope":"public"}"#).into();
        lists.remember("tools/list", None, &timed, Era::Modern);
        assert_eq!(remembered(None).unwrap(), r#"{"tools":[],"ttlMs":0,"cacheScope":"public"}"#);
        lists.remember("tools/list", None, &timed, Era::Legacy);
        assert_eq!(remembered(None).unwrap(), timed.get());
        assert!(lists.last_known("tools/call", None).is_none());
    }
}
