//! Multi round-trip requests: a result that asks for input, and the parameters of the retry that brings it
//! (2026-07-28, basic, patterns, multi round-trip requests).
//!
//! Pure. Who answers, how often and with which pauses is decided in `rounds`.

use std::borrow::Cow;
use std::fmt;

use memchr::{memchr, memmem::find};
use serde::Deserialize;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{TransportError, TransportErrorKind};
use crate::message::{Members, Object, methods};

const RESPONSES: &str = "inputResponses";
const STATE: &str = "requestState";

/// What a result of the modern era is.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// The last word: the result of the request.
    Complete,
    /// The request has not been carried out yet.
    InputRequired(InputRequired<'a>),
}

/// What has to come with the retry.
pub(crate) struct InputRequired<'a> {
    /// `None` where the server wants nothing but to be asked again.
    pub(crate) requests: Option<Vec<InputRequest<'a>>>,
    /// A JSON string, as it was spelled. It means something to the server alone.
    pub(crate) state: Option<&'a RawValue>,
}

impl fmt::Debug for InputRequired<'_> {
    /// Without the state, which is a secret of the server's for all we know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputRequired").field("requests", &self.requests).finish_non_exhaustive()
    }
}

/// One question of the server.
pub(crate) struct InputRequest<'a> {
    /// The server's name for it, which the response carries.
    pub(crate) key: String,
    pub(crate) method: String,
    pub(crate) params: Option<&'a RawValue>,
}

impl fmt::Debug for InputRequest<'_> {
    /// Without the parameters: a question may hold anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InputRequest")
            .field("key", &self.key)
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Reads what kind of result this is. A server that does not say gives its last word.
///
/// # Errors
///
/// [`Protocol`](TransportErrorKind::Protocol): a result type that was not negotiated, or malformed questions.
pub(crate) fn read(result: &str) -> Result<Answer<'_>, TransportError> {
    let Some(kind) = result_type(result) else { return Ok(Answer::Complete) };
    match serde_json::from_str::<Cow<'_, str>>(kind.get()).ok().as_deref() {
        Some("complete") => Ok(Answer::Complete),
        Some("input_required") => read_input_required(result).map(Answer::InputRequired),
        kind => {
            let kind = mcp_text::line(kind.unwrap_or("none"), 40);
            let what = format!("the result is of type `{kind}`, which this client did not ask for");
            Err(broken(&what).with_said(Some(what)))
        }
    }
}

fn read_input_required(result: &str) -> Result<InputRequired<'_>, TransportError> {
    let members = Members::read(result).ok_or_else(|| broken("the result is not an object"))?;
    let member = |name| members.get(name).filter(|value| value.get() != "null");
    let state = member(STATE);
    if state.is_some_and(|state| !state.get().starts_with('"')) {
        return Err(broken("the request state is not a string"));
    }
    let requests = member("inputRequests").map(|requests| {
        let requests =
            Members::read(requests.get()).ok_or_else(|| broken("the input requests are no object"))?;
        requests.iter().map(|(key, request)| read_input_request(key, request)).collect::<Result<Vec<_>, _>>()
    });
    let requests = requests.transpose()?;
    if requests.is_none() && state.is_none() {
        return Err(broken("the server asks for input and does not say for which"));
    }
    Ok(InputRequired { requests, state })
}

fn read_input_request<'a>(key: &str, request: &'a RawValue) -> Result<InputRequest<'a>, TransportError> {
    #[derive(Deserialize)]
    struct Request<'a> {
        method: String,
        #[serde(borrow, default)]
        params: Option<&'a RawValue>,
    }
    let Request { method, params } = serde_json::from_str(request.get())
        .map_err(|error| broken("an input request is not a request").with_source(error))?;
    if methods::client_capability(&method).is_none() {
        return Err(broken("an input request is of a method that none may have"));
    }
    Ok(InputRequest { key: key.to_owned(), method, params })
}

/// The parameters of the retry: those of the first request, and what this round asked for. Nothing of an earlier
/// round is left in them.
///
/// # Errors
///
/// [`Misconfigured`](TransportErrorKind::Misconfigured) where the first parameters are no JSON object.
pub(crate) fn retry_params(
    first: Option<&str>,
    responses: Option<&[(String, Box<RawValue>)]>,
    state: Option<&RawValue>,
) -> Result<String, TransportError> {
    let members = Members::read(first.unwrap_or("{}")).ok_or_else(|| {
        TransportError::new(TransportErrorKind::Misconfigured, "the parameters must be a JSON object")
    })?;
    let mut out = Object::new();
    for (key, value) in members.iter().filter(|(key, _)| ![RESPONSES, STATE].contains(key)) {
        out.member(key, value.get());
    }
    if let Some(responses) = responses {
        let mut answers = Object::new();
        for (key, response) in responses {
            answers.member(key, response.get());
        }
        out.member(RESPONSES, &answers.into_text());
    }
    if let Some(state) = state {
        out.member(STATE, state.get());
    }
    Ok(out.into_text())
}

/// The member `resultType`, looked for no further than to where it is: a result may be large, and most servers
/// write it first.
fn result_type(result: &str) -> Option<&RawValue> {
    struct Find<'f, 'de>(&'f mut Option<&'de RawValue>);

    impl<'de> Visitor<'de> for Find<'_, 'de> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                if key == "resultType" {
                    *self.0 = Some(map.next_value()?);
                    // The only way to leave the rest unread.
                    return Err(A::Error::custom("found"));
                }
                map.next_value::<IgnoredAny>()?;
            }
            Ok(())
        }
    }

    // Most results of legacy habit have no type, and a search is much faster than reading to their end. A key can be
    // spelled with escapes, too.
    let bytes = result.as_bytes();
    let is_escaped = || memchr(b'\\', bytes).is_some() && find(bytes, b"\\u").is_some();
    if find(bytes, b"resultType").is_none() && !is_escaped() {
        return None;
    }
    let mut found = None;
    // That it stopped is not a failure, and a result that is not an object has no type.
    let _ = serde_json::Deserializer::from_str(result).deserialize_map(Find(&mut found));
    found
}

fn broken(message: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Protocol, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn a_result_without_a_type_or_of_type_complete_is_the_last_word() {
        for text in [
            r#"{}"#,
            r#"{"content":[{"resultType":"input_required"}]}"#,
            r#"{"content":[],"resultType":"complete"}"#,
            r#"{"result\u0054ype":"complete"}"#,
            "[]",
            "null",
        ] {
            let result = raw(text);
            assert!(matches!(read(result.get()), Ok(Answer::Complete)), "{text}");
        }
    }

    #[test]
    fn an_unknown_type_is_a_breach_and_never_taken_for_a_result() {
        for kind in [r#""task""#, r#""Complete""#, r#""""#, "null", "1", "[]"] {
            let result = raw(&format!(r#"{{"content":[],"resultType":{kind}}}"#));
            let error = read(result.get()).unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Protocol, "{kind}");
        }
        assert!(read(r#"{"result\u0054ype":"task"}"#).is_err(), "a key may be spelled with escapes");
    }

    #[test]
    fn questions_keep_their_order_their_keys_and_their_parameters() {
        let result = raw(r#"{"resultType":"input_required","requestState":"s","inputRequests":{
                "b":{"method":"roots/list"},"a \"key\"":{"method":"sampling/createMessage","params":{"n":1.0}}}}"#);
        let Ok(Answer::InputRequired(wanted)) = read(result.get()) else {
            panic!("{:?}", read(result.get()))
        };
        let requests = wanted.requests.unwrap();
        let seen: Vec<_> = requests
            .iter()
            .map(|request| (&*request.key, &*request.method, request.params.map(RawValue::get)))
            .collect();
        let expected =
            [("b", "roots/list", None), ("a \"key\"", "sampling/createMessage", Some(r#"{"n":1.0}"#))];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_no_question_is_a_breach() {
        for members in [
            r#""x":1"#,
            r#""requestState":null,"inputRequests":null"#,
            r#""requestState":7"#,
            r#""inputRequests":[]"#,
            r#""inputRequests":{"a":{}}"#,
            r#""inputRequests":{"a":{"method":"tools/call"}}"#,
        ] {
            let result = raw(&format!(r#"{{"resultType":"input_required",{members}}}"#));
            let error = read(result.get()).unwrap_err();
            assert_eq!(*error.kind(), TransportErrorKind::Protocol, "{members}");
        }
    }

    #[test]
    fn the_state_comes_back_byte_for_byte() {
        let spelled = r#""\u0041 \/ \ud83d\ude00 é 1.0""#;
        let result = raw(&format!(r#"{{"resultType":"input_required","requestState":{spelled}}}"#));
        let Ok(Answer::InputRequired(wanted)) = read(result.get()) else {
            panic!("{:?}", read(result.get()))
        };
        assert!(wanted.requests.is_none());
        let params = retry_params(Some(r#" { "name":"x", "n":1.00 } "#), None, wanted.state).unwrap();
        assert_eq!(params, format!(r#"{{"name":"x","n":1.00,"requestState":{spelled}}}"#));
    }

    #[test]
    fn nothing_of_an_earlier_round_is_left() {
        let first = r#"{"requestState":"old","name":"x","inputResponses":{"old":{}}}"#;
        assert_eq!(retry_params(Some(first), None, None).unwrap(), r#"{"name":"x"}"#);
        let responses = [("k\"".to_owned(), raw(r#"{"action":"decline"}"#)), ("l".to_owned(), raw("{}"))];
        assert_eq!(
            retry_params(Some(first), Some(&responses), None).unwrap(),
            r#"{"name":"x","inputResponses":{"k\"":{"action":"decline"},"l":{}}}"#
        );
        assert_eq!(retry_params(None, Some(&[]), None).unwrap(), r#"{"inputResponses":{}}"#);
        let error = retry_params(Some("[]"), None, None).unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Misconfigured);
    }
}
