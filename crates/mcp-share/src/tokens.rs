//! The tokens of progress: each host numbers its own, and over one connection they would meet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_bridge::parts::{string, text, with_members, with_meta};
use mcp_transport::message::Members;
use serde_json::value::RawValue;

use crate::peer::Peer;

const TOKEN: &str = "progressToken";

/// The tokens of the requests under way, as the server knows them.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: u64,
    known: HashMap<String, Owner>,
}

/// Whose token it is, and how its host spells it.
#[derive(Debug)]
struct Owner {
    peer: Arc<Peer>,
    token: Box<RawValue>,
}

impl Tokens {
    /// The parameters of a request with a token that no other has; `None` where it asks for no progress. It is
    /// known until the guard is dropped.
    pub(crate) fn assign(
        &self,
        peer: &Arc<Peer>,
        params: Option<&RawValue>,
    ) -> Option<(Box<RawValue>, TokenGuard<'_>)> {
        let params = params.filter(|params| params.get().contains(TOKEN))?;
        let meta = Members::read(Members::read(params.get())?.get("_meta")?.get())?;
        let owner = Owner { peer: peer.clone(), token: meta.get(TOKEN)?.to_owned() };
        let name = {
            let mut state = self.state();
            state.last += 1;
            let name = format!("bridge-{}", state.last);
            state.known.insert(name.clone(), owner);
            name
        };
        let changed = with_meta(Some(params), |key| key == TOKEN, &[(TOKEN, &string(&name))]);
        Some((changed, TokenGuard { tokens: self, name }))
    }

    /// Whose progress this is, in its own terms; `None` where the request is over.
    pub(crate) fn translate(&self, params: Option<&RawValue>) -> Option<(Arc<Peer>, Box<RawValue>)> {
        let name = Members::read(params?.get())?.get(TOKEN).and_then(text)?;
        let state = self.state();
        let Owner { peer, token } = state.known.get(&name)?;
        Some((peer.clone(), with_members(params, &[TOKEN], &[(TOKEN, token.get())])))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A token in use.
#[derive(Debug)]
pub(crate) struct TokenGuard<'a> {
    tokens: &'a Tokens,
    name: String,
}

impl Drop for TokenGuard<'_> {
    fn drop(&mut self) {
        self.tokens.state().known.remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_bridge::parts::raw;

    #[tokio::test]
    async fn equal_tokens_of_two_hosts_stay_apart() {
        let (tokens, peers) = (Tokens::default(), [Peer::unheard(1), Peer::unheard(2)]);
        let params = raw(r#"{"name":"x","_meta":{"progressToken":1,"other":true}}"#);
        let assigned = peers.each_ref().map(|peer| tokens.assign(peer, Some(&params)).unwrap());
        assert_ne!(assigned[0].0.get(), assigned[1].0.get());
        assert_eq!(assigned[1].0.get(), r#"{"_meta":{"other":true,"progressToken":"bridge-2"},"name":"x"}"#);
        let progress = raw(r#"{"progressToken":"bridge-2","progress":0.50}"#);
        let (peer, shown) = tokens.translate(Some(&progress)).unwrap();
        assert_eq!((peer.id, shown.get()), (2, r#"{"progress":0.50,"progressToken":1}"#));
        drop(assigned);
        assert!(tokens.translate(Some(&progress)).is_none(), "the request is over");
        assert!(tokens.assign(&peers[0], Some(&raw(r#"{"text":"progressToken"}"#))).is_none());
    }
}
