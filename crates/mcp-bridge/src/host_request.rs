//! What a host asks of whatever stands in the place of its server: read once, for a bridge and for a shared connection.

use mcp_transport::message::methods::SUBSCRIPTION_ACKNOWLEDGED;
use mcp_transport::message::{Era, INVALID_PARAMS, Members, Object, RequestId, RpcError, meta};
use mcp_transport::subscription::SubscriptionFilter;
use serde_json::value::RawValue;

use crate::era::severity;
use crate::host::HostChannel;
use crate::splice::text;
use crate::subscriptions::{Subscriptions, id_text};

/// What a request is about, where it is answered here rather than by the server.
#[derive(Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "a bridge and a shared connection answer each of them")]
pub enum HostRequest {
    /// A modern host wants a stream of these changes.
    Listen(SubscriptionFilter),
    /// A legacy host wants to hear of one resource, or does so no more.
    Resource {
        /// Which.
        uri: String,
        /// Whether it wants to.
        wanted: bool,
    },
    /// A legacy host wants log messages from this level on.
    SetLevel(String),
    /// All others.
    Other,
}

impl HostRequest {
    /// What a request of this method is, from a host of this era.
    ///
    /// # Errors
    ///
    /// What the host is told about parameters that cannot be read.
    pub fn read(method: &str, era: Era, params: Option<&RawValue>) -> Result<Self, RpcError> {
        let member = |name| params.and_then(|params| Members::read(params.get())?.get(name));
        let invalid = |message| RpcError::new(INVALID_PARAMS, message);
        match (method, era) {
            ("subscriptions/listen", Era::Modern) => member("notifications")
                .and_then(|filter| serde_json::from_str(filter.get()).ok())
                .map(Self::Listen)
                .ok_or_else(|| invalid("`notifications` is missing or no filter")),
            ("resources/subscribe" | "resources/unsubscribe", Era::Legacy) => member("uri")
                .and_then(text)
                .map(|uri| Self::Resource { uri, wanted: method == "resources/subscribe" })
                .ok_or_else(|| invalid("`uri` is missing or no string")),
            ("logging/setLevel", Era::Legacy) => member("level")
                .and_then(text)
                .filter(|level| severity(level).is_some())
                .map(Self::SetLevel)
                .ok_or_else(|| invalid("`level` is missing or no log level")),
            _ => Ok(Self::Other),
        }
    }
}

/// Opens the stream that a host asked for, and says so.
pub fn open_stream(
    host: &HostChannel,
    subscriptions: &Subscriptions,
    id: RequestId,
    filter: SubscriptionFilter,
) {
    let mut params = Object::new();
    params.member("_meta", stream_meta(&id).get());
    // Booleans and strings only, so serialising cannot fail.
    params.member("notifications", &serde_json::to_string(&filter).unwrap_or_default());
    host.notify(SUBSCRIPTION_ACKNOWLEDGED, Some(&params.finish()));
    subscriptions.open(id, filter);
}

/// The `_meta` of what is about the stream that this request opened.
pub(crate) fn stream_meta(id: &RequestId) -> Box<RawValue> {
    let mut meta = Object::new();
    meta.member(meta::SUBSCRIPTION_ID, &id_text(id));
    meta.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::splice::raw;

    fn read(method: &str, era: Era, params: &str) -> Result<HostRequest, String> {
        let params = raw(params);
        HostRequest::read(method, era, Some(&params)).map_err(|error| error.message)
    }

    #[test]
    fn each_request_is_read_in_the_era_that_has_it() {
        let resource = |wanted| HostRequest::Resource { uri: "file:///a".to_owned(), wanted };
        let mut filter = SubscriptionFilter::default();
        filter.tools = true;
        for (method, era, params, expected) in [
            (
                "subscriptions/listen",
                Era::Modern,
                r#"{"notifications":{"toolsListChanged":true}}"#,
                HostRequest::Listen(filter),
            ),
            ("resources/subscribe", Era::Legacy, r#"{"uri":"file:///a"}"#, resource(true)),
            ("resources/unsubscribe", Era::Legacy, r#"{"uri":"file:///a"}"#, resource(false)),
            (
                "logging/setLevel",
                Era::Legacy,
                r#"{"level":"warning"}"#,
                HostRequest::SetLevel("warning".to_owned()),
            ),
            ("subscriptions/listen", Era::Legacy, "{}", HostRequest::Other),
            ("resources/subscribe", Era::Modern, "{}", HostRequest::Other),
            ("logging/setLevel", Era::Modern, "{}", HostRequest::Other),
            ("tools/call", Era::Legacy, "{}", HostRequest::Other),
        ] {
            assert_eq!(read(method, era, params), Ok(expected), "{method}");
        }
    }

    #[test]
    fn parameters_that_cannot_be_read_are_named() {
        for (method, era, name, bad) in [
            ("subscriptions/listen", Era::Modern, "notifications", ["{}", r#"{"notifications":1}"#, "[]"]),
            ("resources/subscribe", Era::Legacy, "uri", ["{}", r#"{"uri":1}"#, "[]"]),
            ("logging/setLevel", Era::Legacy, "level", ["{}", r#"{"level":"loud"}"#, "[]"]),
        ] {
            for params in bad {
                let told = read(method, era, params).unwrap_err();
                assert!(told.starts_with(&format!("`{name}` is missing or no ")), "{told}");
            }
            assert!(HostRequest::read(method, era, None).is_err());
        }
    }
}
