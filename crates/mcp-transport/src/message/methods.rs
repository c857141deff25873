//! What the specification says of each method: the one table of it.

/// What a method may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Method {
    repeatable: bool,
    cacheable: bool,
    may_ask: bool,
    mirrored: Option<&'static str>,
    /// What a server declares that knows it.
    capability: Option<&'static str>,
    /// The member of its result that holds the items, of a list.
    items: Option<&'static str>,
}

impl Method {
    fn named(method: &str) -> Self {
        let none = Self::default();
        let read = Self { repeatable: true, ..none };
        let list = |capability, items| Self {
            cacheable: true,
            capability: Some(capability),
            items: Some(items),
            ..read
        };
        match method {
            "server/discover" => Self { cacheable: true, ..read },
            "tools/list" => list("tools", "tools"),
            "prompts/list" => list("prompts", "prompts"),
            "resources/list" => list("resources", "resources"),
            "resources/templates/list" => list("resources", "resourceTemplates"),
            "resources/read" => Self { cacheable: true, may_ask: true, mirrored: Some("uri"), ..read },
            "prompts/get" => Self { may_ask: true, mirrored: Some("name"), ..read },
            "tools/call" => Self { may_ask: true, mirrored: Some("name"), ..none },
            "completion/complete" => Self { capability: Some("completions"), ..read },
            "ping" => read,
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

/// The capability of a server that answers a list, or a completion, of this method (2025-11-25 and 2026-07-28, server features).
pub fn server_capability(method: &str) -> Option<&'static str> {
    Method::named(method).capability
}

/// The member that holds the items in a result of this method, where it is one that lists something.
pub fn list_items(method: &str) -> Option<&'static str> {
    Method::named(method).items
}

/// What a server may ask a host for, and the capability of a host that answers it (2025-11-25, client features; 2026-07-28,
/// multi round-trip requests).
const QUESTIONS: [(&str, &str); 3] =
    [("elicitation/create", "elicitation"), ("sampling/createMessage", "sampling"), ("roots/list", "roots")];

/// The capability of a host that a server may ask a request of this method; `None` where no server may ask for it.
///
/// ```
/// use mcp_transport::message::methods::client_capability;
///
/// assert_eq!(client_capability("roots/list"), Some("roots"));
/// assert_eq!(client_capability("tools/call"), None);
/// ```
pub fn client_capability(method: &str) -> Option<&'static str> {
    QUESTIONS.iter().find(|(question, _)| *question == method).map(|(_, capability)| *capability)
}

/// Whether it begins a conversation: no server asks its client for it.
pub fn is_handshake(method: &str) -> bool {
    matches!(method, "initialize" | "server/discover")
}

/// The party that asked has no use for the answer any more.
pub const CANCELLED: &str = "notifications/cancelled";
/// A stream of changes is open (2026-07-28, subscriptions).
pub const SUBSCRIPTION_ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";

/// Whether it is about a request or a subscription of one connection, whose ids no other one knows.
pub fn is_of_connection(method: &str) -> bool {
    matches!(method, CANCELLED | SUBSCRIPTION_ACKNOWLEDGED)
}

/// A server has other tools now.
pub const TOOLS_CHANGED: &str = "notifications/tools/list_changed";
/// It has other resources.
pub const RESOURCES_CHANGED: &str = "notifications/resources/list_changed";
/// It has other prompts.
pub const PROMPTS_CHANGED: &str = "notifications/prompts/list_changed";
/// One resource is another one now.
pub const RESOURCE_UPDATED: &str = "notifications/resources/updated";

/// The capabilities whose lists change, and how a change of each is told.
pub const LIST_CHANGES: [(&str, &str); 3] =
    [("tools", TOOLS_CHANGED), ("resources", RESOURCES_CHANGED), ("prompts", PROMPTS_CHANGED)];

/// Whether it tells of a change of a list.
pub fn is_list_change(method: &str) -> bool {
    LIST_CHANGES.iter().any(|(_, change)| *change == method)
}

/// Whether it tells of a change that is subscribed to.
pub fn is_change(method: &str) -> bool {
    method == RESOURCE_UPDATED || is_list_change(method)
}

/// The method as the specification writes it, where it is one that servers send. Any other is the text of a stranger, who may have put
/// what it was sent into it, and belongs in no log.
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
        CANCELLED,
        "notifications/progress",
        "notifications/message",
        "notifications/elicitation/complete",
        PROMPTS_CHANGED,
        RESOURCES_CHANGED,
        RESOURCE_UPDATED,
        TOOLS_CHANGED,
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
    #[test]
    fn what_servers_ask_and_tell_is_known_as_such() {
        for (method, asks, is_own, list_changes, changes) in [
            ("elicitation/create", Some("elicitation"), false, false, false),
            ("sampling/createMessage", Some("sampling"), false, false, false),
            ("roots/list", Some("roots"), false, false, false),
            (CANCELLED, None, true, false, false),
            ("notifications/tools/list_changed", None, false, true, true),
            ("notifications/resources/list_changed", None, false, true, true),
            ("notifications/prompts/list_changed", None, false, true, true),
            ("notifications/resources/updated", None, false, false, true),
        ] {
            assert_eq!(sent_by_servers(method), Some(method));
            let seen = (client_capability(method), is_of_connection(method), is_list_change(method));
            assert_eq!((seen, is_change(method)), ((asks, is_own, list_changes), changes), "{method}");
        }
        assert!(is_of_connection("notifications/subscriptions/acknowledged"));
        for method in ["ping", "tools/call", "notifications/progress", "notifications/message"] {
            assert!(client_capability(method).is_none() && !is_of_connection(method) && !is_change(method));
        }
    }

    #[test]
    fn a_list_says_where_its_items_are_and_who_has_it() {
        for (method, items, capability) in [
            ("tools/list", Some("tools"), Some("tools")),
            ("resources/list", Some("resources"), Some("resources")),
            ("resources/templates/list", Some("resourceTemplates"), Some("resources")),
            ("prompts/list", Some("prompts"), Some("prompts")),
            ("completion/complete", None, Some("completions")),
            ("roots/list", None, None),
            ("tools/call", None, None),
        ] {
            assert_eq!((list_items(method), server_capability(method)), (items, capability), "{method}");
        }
    }
}
