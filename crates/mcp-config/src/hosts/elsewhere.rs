//! Where hosts keep their servers, for files that are read as those of another one.

use crate::hosts::{KnownHost, words};
use crate::json::{Node, Object};

/// Where another host keeps its servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForeignPlace {
    /// The key, or keys from the outside in.
    keys: &'static [&'static str],
    /// Whose it is.
    pub(crate) host: &'static str,
}

impl ForeignPlace {
    /// The key as people write it.
    pub(crate) fn key(&self) -> String {
        self.keys.join(".")
    }

    /// What a file has there.
    pub(crate) fn node<'o>(&self, file: &'o Object) -> Option<&'o Node> {
        let (last, outer) = self.keys.split_last()?;
        outer.iter().try_fold(file, |object, key| object.get(key)?.as_object())?.get(last)
    }

    /// The outermost key.
    pub(crate) fn first_key(&self) -> &'static str {
        self.keys.first().copied().unwrap_or_default()
    }
}

/// The keys of whole files, the more special ones first.
fn places() -> Vec<ForeignPlace> {
    let files = KnownHost::all().flat_map(|host| host.files.iter().map(move |file| (host.title, file.keys)));
    let mut places: Vec<ForeignPlace> = files
        .flat_map(|(host, keys)| keys.iter().map(move |keys| ForeignPlace { keys, host }))
        .filter(|place| *place.keys != ["mcpServers"])
        .collect();
    // It comes by a policy of the operating system, and not as a file.
    places.push(ForeignPlace { keys: &["managedMcpServers"], host: "a managed Claude Desktop" });
    places.sort_by_key(|place| std::cmp::Reverse(place.keys.len()));
    places
}

/// The place of another host in which a file has its servers.
pub(crate) fn place(file: &Object) -> Option<ForeignPlace> {
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
}
