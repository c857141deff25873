//! Where hosts keep their servers, for files that are read as those of another one.

use crate::hosts::{Format, KnownHost, parse_yaml, servers_of, toml_tree, words};
use crate::json::{Node, Object};
use crate::syntax;

/// Where another host keeps its servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForeignPlace {
    /// The key, or keys from the outside in.
    keys: &'static [&'static str],
    /// Whose it is.
    pub(crate) host: &'static str,
    /// The same, where that one has files of its own.
    known: Option<&'static KnownHost>,
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

    /// What to do with a file that has its servers there.
    pub(crate) fn hint(&self) -> String {
        to_write(self.known)
    }

    /// The outermost key.
    pub(crate) fn first_key(&self) -> &'static str {
        self.keys.first().copied().unwrap_or_default()
    }
}

/// What to do with servers that another host has written: no command takes a file of it from just any place.
fn to_write(host: Option<&KnownHost>) -> String {
    let to_write = "put its servers into an object `mcpServers`";
    match host {
        Some(KnownHost { title, name, .. }) => {
            format!("{to_write}; `mcplink import {name}` takes over what {title} has in its own files")
        }
        None => to_write.to_owned(),
    }
}

/// What to do with the servers of a text in another format, and whose they are as far as that can be told; `None` where it has none.
pub(crate) fn hint_of(text: &str) -> Option<String> {
    let (format, tree) = match syntax::format(text)? {
        "TOML" => (Format::Toml, toml_tree(text)?),
        "YAML" => (Format::Yaml, parse_yaml(text).ok()?),
        _ => return None,
    };
    let root = tree.as_object()?;
    let has_file = |host: &&KnownHost| {
        let mut files = host.files.iter().filter(|file| file.format == format);
        files.any(|file| servers_of(root, file.keys).is_some())
    };
    match KnownHost::all().find(has_file) {
        Some(host) => Some(format!("it is a file of {}: {}", host.title, to_write(Some(host)))),
        None => root.get("mcpServers").map(|_| to_write(None)),
    }
}

/// The keys of whole files, the more special ones first.
fn places() -> Vec<ForeignPlace> {
    let files = KnownHost::all().flat_map(|host| host.files.iter().map(move |file| (host, file.keys)));
    let place = |host: &'static KnownHost, keys| ForeignPlace { keys, host: host.title, known: Some(host) };
    let mut places: Vec<ForeignPlace> = files
        .flat_map(|(host, keys)| keys.iter().map(move |keys| place(host, keys)))
        .filter(|place| *place.keys != ["mcpServers"])
        .collect();
    // It comes by a policy of the operating system, and not as a file.
    let managed = "a managed Claude Desktop";
    places.push(ForeignPlace { keys: &["managedMcpServers"], host: managed, known: None });
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
        for (text, title) in [
            ("[mcp_servers.x]\ncommand = \"x\"\n", Some("Codex")),
            ("extensions:\n  x:\n    cmd: x\n", Some("Goose")),
            // Of a host that is not known.
            ("mcpServers:\n  - name: x\n    command: x\n", None),
        ] {
            let hint = hint_of(text).unwrap();
            assert!(hint.contains("put its servers into an object `mcpServers`"), "{hint}");
            assert_eq!(hint.contains("`mcplink import "), title.is_some(), "{hint}");
            assert!(
                title.is_none_or(|title| hint.starts_with(&format!("it is a file of {title}: "))),
                "{hint}"
            );
        }
        assert!(
            hint_of("model = \"x\"\n").is_none() && hint_of("a: 1\n").is_none() && hint_of("{").is_none()
        );
        for text in ["{}", r#"{"mcp": {"timeout": 3}}"#, r#"{"extensions": {}}"#, r#"{"servers": "x"}"#] {
            assert!(place(json::parse(text).unwrap().as_object().unwrap()).is_none(), "{text}");
        }
    }
}
