//! Words of other hosts, and what to write instead.
//!
//! People copy entries and files from one host to another. What the hosts have is known in [`hosts`](crate::hosts); nothing
//! of it is honoured in a file of ours, and here is what to say about it.

use crate::hosts::{FieldMeaning, Host, words};
use crate::json::Object;

/// Where another host keeps its servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostFile {
    /// The key, or keys from the outside in.
    keys: &'static [&'static str],
    /// Whose it is.
    pub(crate) host: &'static str,
}

impl HostFile {
    /// The key as people write it.
    pub(crate) fn key(&self) -> String {
        self.keys.join(".")
    }

    /// The outermost key.
    pub(crate) fn first_key(&self) -> &'static str {
        self.keys.first().copied().unwrap_or_default()
    }
}

/// The keys of whole files, the more special ones first.
fn places() -> Vec<HostFile> {
    let files = Host::all().flat_map(|host| host.files.iter().map(move |file| (host.title, file.keys)));
    let mut places: Vec<HostFile> = files
        .flat_map(|(host, keys)| keys.iter().map(move |keys| HostFile { keys, host }))
        .filter(|place| *place.keys != ["mcpServers"])
        .collect();
    // It comes by a policy of the operating system, and not as a file.
    places.push(HostFile { keys: &["managedMcpServers"], host: "a managed Claude Desktop" });
    places.sort_by_key(|place| std::cmp::Reverse(place.keys.len()));
    places
}

/// The place of another host in which a file has its servers.
pub(crate) fn place(file: &Object) -> Option<HostFile> {
    places().into_iter().find(|place| {
        let (first, rest) = place.keys.split_first().unwrap_or((&"", &[]));
        let outer = file.get(first);
        let found = rest.iter().try_fold(outer, |node, key| node.map(|node| node.as_object()?.get(key)));
        let speaks_for_itself = !matches!(*first, "mcp" | "extensions");
        found
            .flatten()
            .is_some_and(|node| words::holds_servers(node) || speaks_for_itself && node.as_object().is_some())
    })
}

/// The `type` that is meant by another host's.
pub(crate) fn kind(word: &str) -> Option<&'static str> {
    words::kind(word)
}

/// The first field of an entry that holds the address of its server in another host's word, with what to do about it.
pub(crate) fn url(entry: &Object) -> Option<(&str, &'static str)> {
    entry.iter().find_map(|member| {
        let address = member.node.as_str()?;
        let row = words::field(&member.key).filter(|row| matches!(row.means, FieldMeaning::Address(_)))?;
        let instead = row.instead?;
        (address.contains("://") || address.contains('.')).then_some((&*member.key, instead))
    })
}

/// What to do instead of using `field`.
pub(crate) fn field(field: &str) -> Option<String> {
    words::field(field)?.instead.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    #[test]
    fn fa_a37_a39_files_of_other_hosts_are_known_by_their_key() {
        for (text, key) in [
            (r#"{"mcp": {"x": {"type": "remote", "url": "https://h/mcp"}}}"#, "mcp"),
            (r#"{"mcp": {"servers": {"x": {"url": "https://h/mcp"}}}}"#, "mcp.servers"),
            (r#"{"mcp.servers": {"x": {"url": "https://h/mcp"}}}"#, "mcp.servers"),
            (r#"{"context_servers": {"x": {"command": "x"}}}"#, "context_servers"),
            (r#"{"mcp_servers": {"x": {"command": "x"}}}"#, "mcp_servers"),
            (r#"{"amp.mcpServers": {"x": {"command": "x"}}}"#, "amp.mcpServers"),
            (r#"{"managedMcpServers": [{"name": "x", "transport": "http"}]}"#, "managedMcpServers"),
            (r#"{"inputs": [], "servers": {"x": {"type": "stdio"}}}"#, "servers"),
            (r#"{"extensions": {"x": {"cmd": "x"}}}"#, "extensions"),
        ] {
            let root = json::parse(text).unwrap();
            assert_eq!(
                place(root.as_object().unwrap()).map(|place| place.key()).as_deref(),
                Some(key),
                "{text}"
            );
        }
        for text in ["{}", r#"{"mcp": {"timeout": 3}}"#, r#"{"extensions": {}}"#, r#"{"servers": "x"}"#] {
            assert!(place(json::parse(text).unwrap().as_object().unwrap()).is_none(), "{text}");
        }
    }

    #[test]
    fn fa_a36_types_of_other_hosts_are_known_however_they_are_written() {
        for (theirs, ours) in [
            ("remote", Some("http")),
            ("local", Some("stdio")),
            ("http-stream", Some("http")),
            ("streamableHttp", Some("http")),
            ("STREAMABLE_HTTP", Some("http")),
            ("websocket", Some("ws")),
            ("HTTP+SSE", Some("sse")),
            ("smoke", None),
        ] {
            assert_eq!(kind(theirs), ours, "{theirs}");
        }
    }
}
