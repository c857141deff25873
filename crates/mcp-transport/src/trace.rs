//! Distributed traces: the context that requests carry, and the spans that say what this crate does.
//!
//! A context travels in `_meta` (2026-07-28, basic, `_meta`), in the formats of W3C Trace Context and W3C Baggage.
//! Without a [`TracePropagator`] that of a caller passes through untouched, and one per request can be given with
//! [`RequestOptions::trace`](crate::RequestOptions::trace).

pub(crate) mod spans;

use std::borrow::Cow;
use std::fmt;

use crate::message::object::Members;

pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";
const BAGGAGE: &str = "baggage";

/// The place of a request in a distributed trace, as `_meta` carries it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceContext {
    traceparent: String,
    tracestate: Option<String>,
    baggage: Option<String>,
}

impl TraceContext {
    /// A context with this `traceparent`; `None` where it does not have the format of W3C Trace Context section 3.2.
    pub fn new(traceparent: impl Into<String>) -> Option<Self> {
        let traceparent = traceparent.into();
        is_traceparent(&traceparent).then_some(Self { traceparent, tracestate: None, baggage: None })
    }

    /// With what vendors add (W3C Trace Context section 3.3). What is no printable ASCII is left out, as the
    /// section wants of what cannot be read.
    #[must_use]
    pub fn with_tracestate(mut self, tracestate: impl Into<String>) -> Self {
        self.tracestate = Some(tracestate.into()).filter(|text| is_printable(text));
        self
    }

    /// With what the application adds (W3C Baggage section 3). What is no printable ASCII is left out.
    #[must_use]
    pub fn with_baggage(mut self, baggage: impl Into<String>) -> Self {
        self.baggage = Some(baggage.into()).filter(|text| is_printable(text));
        self
    }

    /// Version, trace, parent and flags.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// What vendors add.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// What the application adds.
    pub fn baggage(&self) -> Option<&str> {
        self.baggage.as_deref()
    }

    /// The context in `_meta` of these parameters, the text of a JSON object.
    fn of_params(params: &str) -> Option<Self> {
        // Most requests carry none, and are told apart without being parsed.
        if !params.contains(TRACEPARENT) && !params.contains("\\u") {
            return None;
        }
        let meta = Members::read(Members::read(params)?.get("_meta")?.get())?;
        let text = |name| serde_json::from_str::<String>(meta.get(name)?.get()).ok();
        let mut context = Self::new(text(TRACEPARENT)?)?;
        context.tracestate = text(TRACESTATE).filter(|text| is_printable(text));
        context.baggage = text(BAGGAGE).filter(|text| is_printable(text));
        Some(context)
    }

    /// Adds the members of `_meta`, without braces, to those that are there.
    pub(crate) fn write(&self, members: &mut String) {
        let values = [
            (TRACEPARENT, Some(self.traceparent())),
            (TRACESTATE, self.tracestate()),
            (BAGGAGE, self.baggage()),
        ];
        for (name, value) in values {
            let Some(value) = value else { continue };
            let comma = if members.is_empty() { "" } else { "," };
            // A string always has a JSON form.
            let value = serde_json::to_string(value).unwrap_or_default();
            members.push_str(&format!("{comma}\"{name}\":{value}"));
        }
    }
}

/// `version-trace_id-parent_id-flags` in lowercase hexadecimal. A later version may have more, behind a dash.
fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    let field = |from: usize, to: usize| {
        bytes.get(from..to).filter(|part| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
    };
    let is_not_zero = |part: &[u8]| part.iter().any(|byte| *byte != b'0');
    let (Some(version), Some(trace), Some(parent), Some(_)) =
        (field(0, 2), field(3, 35), field(36, 52), field(53, 55))
    else {
        return false;
    };
    let dashes = [2, 35, 52].iter().all(|at| bytes[*at] == b'-');
    let ends = bytes.len() == 55 || (version != b"00" && bytes[55] == b'-' && is_printable(text));
    dashes && ends && version != b"ff" && is_not_zero(trace) && is_not_zero(parent)
}

fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// Joins the requests of this client to distributed traces, for a program that has spans of its own.
pub trait TracePropagator: fmt::Debug + Send + Sync + 'static {
    /// The context that goes to the server with a request, in place of the caller's.
    ///
    /// The `tracing` span of the request is the current one while this is called. `parent` is what the caller gave,
    /// with the request or in its parameters, so the span is a part of that trace. `None` leaves everything as the
    /// caller gave it.
    fn outgoing(&self, parent: Option<&TraceContext>) -> Option<TraceContext>;
}

/// What goes to the server with a request, beside what its parameters carry anyway.
fn outgoing<'a>(
    propagator: Option<&dyn TracePropagator>,
    given: Option<&'a TraceContext>,
    params: Option<&str>,
) -> Option<Cow<'a, TraceContext>> {
    let Some(propagator) = propagator else { return given.map(Cow::Borrowed) };
    let carried = match given {
        Some(_) => None,
        None => params.and_then(TraceContext::of_params),
    };
    match propagator.outgoing(given.or(carried.as_ref())) {
        Some(context) => Some(Cow::Owned(context)),
        None => given.map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01";
    const OURS: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_traceparent_has_the_format_of_the_recommendation() {
        for good in [
            PARENT,
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-what-comes-later",
        ] {
            assert!(TraceContext::new(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "00",
            "00-0AF7651916CD43DD8448EB211C80319C-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01-more",
            "cc-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01.more",
            "00_0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
            "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-0",
            "00-0af7651916cd43dd8448eb211c8031\u{e9}-00f067aa0ba902b7-01",
        ] {
            assert!(TraceContext::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_left_out() {
        let context = TraceContext::new(PARENT).unwrap();
        assert_eq!(context.clone().with_tracestate("a=1\n").tracestate(), None);
        assert_eq!(context.clone().with_baggage("a=\u{e9}").baggage(), None);
        let whole = context.with_tracestate("a=1").with_baggage("b=\"2\"");
        let mut text = r#""t":1"#.to_owned();
        whole.write(&mut text);
        assert_eq!(text, format!(r#""t":1,"traceparent":"{PARENT}","tracestate":"a=1","baggage":"b=\"2\"""#));
    }

    #[test]
    fn the_context_of_a_caller_is_found_in_its_parameters() {
        let params = format!(
            r#"{{"name":"x","_meta":{{"traceparent":"{PARENT}","tracestate":"a=1","baggage":"b=2"}}}}"#
        );
        let context = TraceContext::of_params(&params).unwrap();
        assert_eq!(context, TraceContext::new(PARENT).unwrap().with_tracestate("a=1").with_baggage("b=2"));
        for none in [
            "{}".to_owned(),
            format!(r#"{{"arguments":{{"traceparent":"{PARENT}"}}}}"#),
            r#"{"_meta":{"traceparent":"nonsense"}}"#.to_owned(),
            r#"{"_meta":{"traceparent":1}}"#.to_owned(),
        ] {
            assert!(TraceContext::of_params(&none).is_none(), "{none}");
        }
    }

    /// Answers with a span of its own, and with what it was given.
    #[derive(Debug)]
    struct Fixed(Option<TraceContext>, std::sync::Mutex<Vec<Option<String>>>);

    impl TracePropagator for Fixed {
        fn outgoing(&self, parent: Option<&TraceContext>) -> Option<TraceContext> {
            self.1.lock().unwrap().push(parent.map(|parent| parent.traceparent().to_owned()));
            self.0.clone()
        }
    }

    #[test]
    fn a_propagator_hears_of_the_caller_and_has_the_last_word() {
        let given = TraceContext::new(PARENT).unwrap();
        let ours = TraceContext::new(OURS).unwrap();
        let params = format!(r#"{{"_meta":{{"traceparent":"{PARENT}"}}}}"#);
        assert_eq!(outgoing(None, None, Some(&params)), None, "what the caller wrote stays what it is");
        assert_eq!(outgoing(None, Some(&given), None).as_deref(), Some(&given));

        let joins = Fixed(Some(ours.clone()), Default::default());
        assert_eq!(outgoing(Some(&joins), None, Some(&params)).as_deref(), Some(&ours));
        assert_eq!(outgoing(Some(&joins), Some(&ours), Some(&params)).as_deref(), Some(&ours));
        assert_eq!(outgoing(Some(&joins), None, None).as_deref(), Some(&ours));
        let heard = joins.1.into_inner().unwrap();
        assert_eq!(heard, [Some(PARENT.to_owned()), Some(OURS.to_owned()), None]);

        let abstains = Fixed(None, Default::default());
        assert_eq!(outgoing(Some(&abstains), Some(&given), None).as_deref(), Some(&given));
        assert_eq!(outgoing(Some(&abstains), None, Some(&params)), None);
    }
}
