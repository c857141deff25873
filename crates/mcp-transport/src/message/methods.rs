//! What the specification says of each method: the one table of it.

/// What a method may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Method {
    repeatable: bool,
    cacheable: bool,
    may_ask: bool,
    mirrored: Option<&'static str>,
}

impl Method {
    fn named(method: &str) -> Self {
        let none = Self::default();
        let read = Self { repeatable: true, ..none };
        match method {
            "server/discover"
            | "tools/list"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list" => Self { cacheable: true, ..read },
            "resources/read" => Self { cacheable: true, may_ask: true, mirrored: Some("uri"), ..read },
            "prompts/get" => Self { may_ask: true, mirrored: Some("name"), ..read },
            "tools/call" => Self { may_ask: true, mirrored: Some("name"), ..none },
            "ping" | "completion/complete" => read,
            _ => none,
        }
    }
}

/// Whether a request of this method has no effects on the server, so that it may be sent again although it may have
/// arrived (2025-11-25 and 2026-07-28, server features).
pub fn is_repeatable(method: &str) -> bool {
    Method::named(method).repeatable
}

/// Whether results of this method say for how long they are good (2026-07-28, caching, cacheable results).
pub fn is_cacheable(method: &str) -> bool {
    Method::named(method).cacheable
}

/// Whether a server may answer a request of this method with questions (2026-07-28, multi round-trip requests,
/// supported requests).
pub fn may_ask(method: &str) -> bool {
    Method::named(method).may_ask
}

/// The parameter of this method that the header `Mcp-Name` mirrors (2026-07-28, standard request headers).
pub fn mirrored_parameter(method: &str) -> Option<&'static str> {
    Method::named(method).mirrored
}

/// The method as the specification writes it, where it is one that servers send. Any other is the text of a stranger, who may have put
/// what it was sent into it, and belongs into no log.
///
/// ```
/// use mcp_transport::message::methods::sent_by_servers;
///
/// assert_eq!(sent_by_servers("roots/list"), Some("roots/list"));
/// assert_eq!(sent_by_servers("tools/call"), None);
/// ```
pub fn sent_by_servers(method: &str) -> Option<&'static str> {
    const METHODS: [&str; 13] = [
        "ping",
        "roots/list",
        "sampling/createMessage",
        "elicitation/create",
        "notifications/cancelled",
        "notifications/progress",
        "notifications/message",
        "notifications/elicitation/complete",
        "notifications/prompts/list_changed",
        "notifications/resources/list_changed",
        "notifications/resources/updated",
        "notifications/tools/list_changed",
        "notifications/tasks/status",
    ];
    METHODS.into_iter().find(|known| *known == method)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_the_specification_says() {
        for (method, repeatable, cacheable, asks, mirrored) in [
            ("ping", true, false, false, None),
            ("server/discover", true, true, false, None),
            ("tools/list", true, true, false, None),
            ("prompts/list", true, true, false, None),
            ("resources/list", true, true, false, None),
            ("resources/templates/list", true, true, false, None),
            ("resources/read", true, true, true, Some("uri")),
            ("prompts/get", true, false, true, Some("name")),
            ("completion/complete", true, false, false, None),
            ("tools/call", false, false, true, Some("name")),
            ("logging/setLevel", false, false, false, None),
            ("initialize", false, false, false, None),
            ("x-vendor/anything", false, false, false, None),
        ] {
            let seen =
                (is_repeatable(method), is_cacheable(method), may_ask(method), mirrored_parameter(method));
            assert_eq!(seen, (repeatable, cacheable, asks, mirrored), "{method}");
        }
    }
}
