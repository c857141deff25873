//! Local servers that may be this program again: what is told them of the entries above, and how they refuse.
//!
//! A chain in the environment ends a loop as long as no process in between clears the environment. A local server is therefore
//! told the same in the opening of the conversation (`initialize`, `server/discover`), which reaches the program that speaks in the
//! end, through whatever it was started. A bridge that finds its own entry in it refuses, and its client knows the refusal
//! for what it is. Remote servers are told nothing.

use mcp_status::ReasonCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::meta::CHAIN;
use crate::message::{Members, Object, RpcError};

/// The chain that the opening of a conversation carries, the parameters of which these are.
pub fn announced_chain(params: Option<&RawValue>) -> Option<String> {
    let params = params?.get();
    // Most hosts are other programs, and their parameters are not looked into.
    if !params.contains("/chain") && !params.contains("\\") {
        return None;
    }
    let meta = Members::read(Members::read(params)?.get("_meta")?.get())?;
    let chain: String = serde_json::from_str(meta.get(CHAIN)?.get()).ok()?;
    Some(chain).filter(|chain| !chain.is_empty())
}

/// The member of `_meta` that tells `chain`, without braces; empty where there is none.
pub(crate) fn meta(chain: Option<&str>) -> String {
    let Some(chain) = chain else { return String::new() };
    let mut member = Object::new();
    member.string(CHAIN, chain);
    let text = member.into_text();
    text[1..text.len() - 1].to_owned()
}

/// How a loop is named by a bridge that refuses because of one; `None` where `error` says something else.
pub(crate) fn reported_loop(error: &RpcError) -> Option<String> {
    #[derive(Deserialize)]
    struct Details {
        reason: LoopReason,
    }
    #[derive(Deserialize)]
    struct LoopReason {
        code: String,
        message: String,
    }
    let details: Details = serde_json::from_str(error.data.as_deref()?.get()).ok()?;
    (details.reason.code == ReasonCode::SelfReference.as_str())
        .then(|| mcp_text::sentence(&details.reason.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: impl Into<String>) -> Box<RawValue> {
        RawValue::from_string(text.into()).unwrap()
    }

    #[test]
    fn s_b2_what_is_told_is_read_again_and_nothing_else_is_taken_for_it() {
        let chain = "a~0000000000000001,b \"~";
        let params = raw(format!(r#"{{"_meta":{{{}}},"protocolVersion":"x"}}"#, meta(Some(chain))));
        assert_eq!(announced_chain(Some(&params)).as_deref(), Some(chain));
        assert_eq!(meta(None), "");
        for other in [
            r#"{}"#.to_owned(),
            format!(r#"{{"{CHAIN}":"a"}}"#),
            format!(r#"{{"_meta":{{"{CHAIN}":1}}}}"#),
            format!(r#"{{"_meta":{{"{CHAIN}":""}}}}"#),
            format!(r#"{{"_meta":"{CHAIN}"}}"#),
            r#"{"_meta":{"io.other/chain":"a"}}"#.to_owned(),
        ] {
            assert_eq!(announced_chain(Some(&raw(other.clone()))), None, "{other}");
        }
        assert_eq!(announced_chain(None), None);
        // A key may be spelled with escapes.
        let spelled = raw(r#"{"_meta":{"io.github.mcplink\u002fchain":"a"}}"#);
        assert_eq!(announced_chain(Some(&spelled)).as_deref(), Some("a"));
    }

    #[test]
    fn s_b2_a_refusal_is_known_by_its_reason_and_its_words_are_harmless() {
        let refusal = |data: &str| reported_loop(&RpcError::new(-31_000, "x").with_data(raw(data)));
        let named =
            refusal(r#"{"source":"mcplink","reason":{"code":"self-reference","message":"a → \u001b[2Jb"}}"#);
        assert!(named.as_deref().is_some_and(|how| how.starts_with("a → ")), "{named:?}");
        assert!(!named.unwrap().contains('\u{1b}'));
        for other in [
            r#"{"reason":{"code":"exited","message":"m"}}"#,
            r#"{"reason":null}"#,
            r#"{}"#,
            r#""self-reference""#,
        ] {
            assert_eq!(refusal(other), None, "{other}");
        }
        assert_eq!(reported_loop(&RpcError::new(-31_000, "self-reference")), None);
    }
}
