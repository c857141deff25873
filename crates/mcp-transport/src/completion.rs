//! What a server offers for a value that is being typed (`completion/complete`, since 2024-11-05; the capability
//! `completions` and the arguments that are given already, since 2025-03-26 and 2025-06-18).

use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::to_raw_value;

use crate::connection::Connection;
use crate::error::{TransportError, TransportErrorKind};
use crate::message::Payload;
use crate::options::RequestOptions;

/// What the value belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(tag = "type")]
#[non_exhaustive]
pub enum CompletionTarget<'a> {
    /// An argument of a prompt.
    #[serde(rename = "ref/prompt")]
    Prompt {
        /// The name of the prompt.
        name: &'a str,
    },
    /// A variable of a resource template.
    #[serde(rename = "ref/resource")]
    Resource {
        /// The URI template, or a URI.
        uri: &'a str,
    },
}

/// The values that a server suggests, best first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Completion {
    /// At most 100, by the specification.
    pub values: Vec<String>,
    /// How many there are in all, where the server says.
    pub total: Option<u64>,
    /// Whether there are more than these.
    pub has_more: bool,
    /// The whole result, as sent.
    pub raw: Payload,
}

impl Connection {
    /// What could stand for `argument`, of which `typed` is there already. `given` are the other arguments that have a
    /// value; a server may suggest other things because of them.
    ///
    /// A server that declares the capability `completions` answers this; before 2025-03-26 there was no such capability.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request); [`Protocol`](TransportErrorKind::Protocol) where the answer is not a completion.
    pub async fn complete(
        &self,
        target: CompletionTarget<'_>,
        (argument, typed): (&str, &str),
        given: &[(String, String)],
        options: impl Into<RequestOptions>,
    ) -> Result<Completion, TransportError> {
        let mut params = json!({ "ref": target, "argument": { "name": argument, "value": typed } });
        if !given.is_empty() {
            let given: serde_json::Map<_, _> =
                given.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            params["context"] = json!({ "arguments": given });
        }
        // Strings in an object: this cannot fail.
        let params = to_raw_value(&params).unwrap_or_default();
        read(self.request("completion/complete", Some(&params), options).await?)
    }
}

fn read(raw: Payload) -> Result<Completion, TransportError> {
    #[derive(Deserialize)]
    struct Answer {
        completion: Values,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Values {
        values: Vec<String>,
        #[serde(default)]
        total: Option<u64>,
        #[serde(default)]
        has_more: Option<bool>,
    }
    match serde_json::from_str(raw.get()) {
        Ok(Answer { completion: Values { values, total, has_more } }) => {
            let count = u64::try_from(values.len()).unwrap_or(u64::MAX);
            // A server that counts more than it sends has more, whether it says so or not.
            let has_more = has_more.unwrap_or_else(|| total.is_some_and(|total| total > count));
            Ok(Completion { values, total, has_more, raw })
        }
        Err(error) => {
            let message = "the result of completion/complete is not valid";
            Err(TransportError::new(TransportErrorKind::Protocol, message).with_source(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn an_answer_is_read_as_far_as_it_goes_and_kept_as_it_is() {
        let of = |text: &str| read(RawValue::from_string(text.to_owned()).unwrap().into());
        for (text, values, total, has_more) in [
            (
                r#"{"completion":{"values":["a","b"],"total":10,"hasMore":true}}"#,
                vec!["a", "b"],
                Some(10),
                true,
            ),
            (r#"{"completion":{"values":["a"],"total":1}}"#, vec!["a"], Some(1), false),
            (r#"{"completion":{"values":["a"],"total":2}}"#, vec!["a"], Some(2), true),
            (r#"{"completion":{"values":[],"total":null,"hasMore":null},"x":1.0}"#, vec![], None, false),
        ] {
            let completion = of(text).unwrap();
            assert_eq!(completion.values, values, "{text}");
            assert_eq!((completion.total, completion.has_more), (total, has_more), "{text}");
            assert_eq!(completion.raw.get(), text);
        }
        for text in ["{}", "[]", r#"{"completion":{}}"#, r#"{"completion":{"values":"a"}}"#] {
            assert_eq!(*of(text).unwrap_err().kind(), TransportErrorKind::Protocol, "{text}");
        }
    }
}
