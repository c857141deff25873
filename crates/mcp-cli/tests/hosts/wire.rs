//! A conversation of two sides, put together from its JSON-RPC messages. Everything but the envelope stays text.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// What a request came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    Result(String),
    Error(String),
    /// No answer, as after a cancellation.
    None,
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) params: Option<String>,
    pub(crate) outcome: Outcome,
}

/// A notification: its method and parameters.
pub(crate) type Notice = (String, Option<String>);

/// What two sides said to each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    /// Requests of the client.
    pub(crate) requests: Vec<Exchange>,
    /// Requests of the server.
    pub(crate) questions: Vec<Exchange>,
    /// Notifications of the client.
    pub(crate) said: Vec<Notice>,
    /// Notifications of the server.
    pub(crate) notices: Vec<Notice>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

impl Conversation {
    /// Puts requests and answers together by their ids, in order where an id was used again.
    pub(crate) fn read(sent: &[String], received: &[String]) -> Self {
        let (sent, received) = (envelopes(sent), envelopes(received));
        Self {
            requests: exchanges(&sent, &received),
            questions: exchanges(&received, &sent),
            said: notices(&sent),
            notices: notices(&received),
        }
    }

    /// Adds another one.
    pub(crate) fn append(&mut self, other: Self) {
        self.requests.extend(other.requests);
        self.questions.extend(other.questions);
        self.said.extend(other.said);
        self.notices.extend(other.notices);
    }

    /// Whether a request came to exactly this result.
    pub(crate) fn has_result(&self, text: &str) -> bool {
        self.requests
            .iter()
            .any(|request| matches!(&request.outcome, Outcome::Result(result) if result == text))
    }

    /// The parameters of every notification of the server with this method.
    pub(crate) fn notified(&self, method: &str) -> Vec<String> {
        let of_method = self.notices.iter().filter(|(name, _)| name == method);
        of_method.map(|(_, params)| params.clone().unwrap_or_default()).collect()
    }
}

fn envelopes(texts: &[String]) -> Vec<Envelope<'_>> {
    let parse = |text| serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    texts.iter().map(|text| parse(text.as_str())).collect()
}

fn exchanges(asked: &[Envelope<'_>], answered: &[Envelope<'_>]) -> Vec<Exchange> {
    let mut answers: Vec<_> = answered.iter().filter(|answer| answer.method.is_none()).collect();
    let text = |raw: &RawValue| raw.get().to_owned();
    let requests =
        asked.iter().filter_map(|request| Some((request.id?, request.method.as_deref()?, request.params)));
    // A host that looks at a server first and then starts another bridge uses ids twice. The test does not wait for the end of a
    // subscription, so its answer is the last with its id, if there is one.
    let mut requests: Vec<_> = requests.collect();
    requests.sort_by_key(|(_, method, _)| *method == "subscriptions/listen");
    let exchange = |(id, method, params): (&RawValue, &str, Option<&RawValue>)| {
        let at = answers.iter().position(|answer| answer.id.is_some_and(|of| of.get() == id.get()));
        let outcome = at.map(|at| answers.remove(at)).map_or(Outcome::None, |answer| {
            match (answer.result, answer.error) {
                (Some(result), _) => Outcome::Result(text(result)),
                (_, error) => Outcome::Error(error.map(text).unwrap_or_default()),
            }
        });
        Exchange { id: text(id), method: method.to_owned(), params: params.map(text), outcome }
    };
    let mut exchanges: Vec<_> = requests.into_iter().map(exchange).collect();
    // In the order in which they were made, on whichever connection: each counts.
    exchanges.sort_by_key(|exchange| exchange.id.parse::<u64>().unwrap_or_default());
    exchanges
}

fn notices(messages: &[Envelope<'_>]) -> Vec<Notice> {
    let notice = |message: &Envelope<'_>| {
        let method = message.method.as_deref().filter(|_| message.id.is_none())?;
        Some((method.to_owned(), message.params.map(|params| params.get().to_owned())))
    };
    messages.iter().filter_map(notice).collect()
}
