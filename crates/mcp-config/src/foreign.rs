//! Words of other hosts, and what to write instead.
//!
//! People copy entries and files from one host to another. Each row is one word of another host: a new one is a new row.
//! Nothing of another host is honoured here; what is, stands with our own fields.

use crate::json::{Node, Object};

/// Where another host keeps its servers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The key, or keys from the outside in.
    keys: &'static [&'static str],
    /// Whose it is.
    pub(crate) host: &'static str,
}

impl Place {
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
const PLACES: [Place; 9] = [
    Place { keys: &["mcp", "servers"], host: "VS Code's settings" },
    Place { keys: &["mcp.servers"], host: "VS Code's settings" },
    Place { keys: &["mcp"], host: "opencode" },
    Place { keys: &["context_servers"], host: "Zed" },
    Place { keys: &["mcp_servers"], host: "Codex" },
    Place { keys: &["amp.mcpServers"], host: "Amp" },
    Place { keys: &["managedMcpServers"], host: "a managed Claude Desktop" },
    Place { keys: &["servers"], host: "VS Code" },
    Place { keys: &["extensions"], host: "Goose" },
];

/// The place of another host in which a file has its servers.
pub(crate) fn place(file: &Object) -> Option<&'static Place> {
    PLACES.iter().find(|place| {
        let (first, rest) = place.keys.split_first().unwrap_or((&"", &[]));
        let outer = file.get(first);
        let found = rest.iter().try_fold(outer, |node, key| node.map(|node| node.as_object()?.get(key)));
        let speaks_for_itself = !matches!(*first, "mcp" | "extensions");
        found
            .flatten()
            .is_some_and(|node| holds_servers(node) || speaks_for_itself && node.as_object().is_some())
    })
}

/// Whether a value is what hosts keep servers in: entries by name, or a list of them.
fn holds_servers(node: &Node) -> bool {
    let is_server = |node: &Node| {
        let has = |key: &str| node.as_object().is_some_and(|entry| entry.get(key).is_some());
        ["command", "url", "cmd", "uri", "type", "serverUrl", "httpUrl", "transport"]
            .iter()
            .any(|key| has(key))
    };
    match (node.as_object(), node.as_array()) {
        (Some(object), _) => object.iter().any(|member| is_server(&member.node)),
        (_, Some(items)) => items.iter().any(is_server),
        _ => false,
    }
}

/// The value of `type` of other hosts, and the one that is meant.
const TYPES: [(&str, &str); 14] = [
    ("remote", "http"),
    ("local", "stdio"),
    ("command", "stdio"),
    ("process", "stdio"),
    ("streamable", "http"),
    ("streamablehttp", "http"),
    ("httpstream", "http"),
    ("httpstreamable", "http"),
    ("https", "http"),
    ("url", "http"),
    ("http+sse", "sse"),
    ("httpsse", "sse"),
    ("eventstream", "sse"),
    ("websocket", "ws"),
];

/// The `type` that is meant by another host's.
pub(crate) fn kind(word: &str) -> Option<&'static str> {
    let word: String =
        word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect();
    TYPES.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

/// Names of other hosts for the address of a remote server.
const URLS: [(&str, &str); 8] = [
    ("serverUrl", "Windsurf's"),
    ("httpUrl", "Gemini CLI's"),
    ("baseUrl", "mcporter's and Cherry Studio's"),
    ("uri", "Goose's"),
    ("sseUrl", "another host's"),
    ("link", "another host's"),
    ("endpoint", "another host's"),
    ("address", "another host's"),
];

/// The first field of an entry that holds the address of its server in another host's word, with that host.
pub(crate) fn url(entry: &Object) -> Option<(&str, &'static str)> {
    entry.iter().find_map(|member| {
        let address = member.node.as_str()?;
        let (_, host) = URLS.iter().find(|(word, _)| word.eq_ignore_ascii_case(&member.key))?;
        (address.contains("://") || address.contains('.')).then_some((&*member.key, *host))
    })
}

/// Fields of other hosts and common misunderstandings.
const FIELDS: [(&str, &str); 52] = [
    ("workingDirectory", "use `cwd`"),
    ("workdir", "use `cwd`"),
    ("transport", "use `type`"),
    ("transportType", "use `type`"),
    ("cmd", "use `command`"),
    ("arguments", "use `args`"),
    ("environment", "use `env`"),
    ("envs", "use `env`"),
    ("env_vars", "use `env`: {\"NAME\": \"${NAME}\"}"),
    ("env_keys", "use `env`: {\"NAME\": \"${NAME}\"}"),
    ("env_file", "use `envFile`"),
    ("dotenv", "use `envFile`"),
    ("env_file", "write the variables into `env`, or use ${NAME} for variables that are set"),
    ("requestInit", "use `headers`"),
    ("header", "use `headers`"),
    ("http_headers", "use `headers`"),
    ("httpHeaders", "use `headers`"),
    ("env_http_headers", "use `headers`: {\"X-Name\": \"${NAME}\"}"),
    ("http_headers_helper", "use `headersHelper`"),
    ("envHelper", "let the command set its variables itself"),
    ("authorization", "use `headers`: {\"Authorization\": ..}"),
    ("bearerToken", "use `headers`: {\"Authorization\": \"Bearer ${NAME}\"}"),
    ("bearer_token", "use `headers`: {\"Authorization\": \"Bearer ${NAME}\"}"),
    ("bearerTokenEnv", "use `headers`: {\"Authorization\": \"Bearer ${NAME}\"}"),
    ("bearer_token_env_var", "use `headers`: {\"Authorization\": \"Bearer ${NAME}\"}"),
    ("apiKey", "use `headers`: {\"X-API-Key\": \"${NAME}\"}, or what the server wants"),
    ("token", "use `headers`: {\"Authorization\": \"Bearer ${NAME}\"}"),
    ("auth", "use `headers`, `headersHelper` or `oauth`"),
    ("authProviderType", "use `oauth`, which is found out by asking the server"),
    ("scope", "scopes belong into `oauth`, as one string `scopes`"),
    ("scopes", "scopes belong into `oauth`, as one string `scopes`"),
    ("oauthScopes", "scopes belong into `oauth`, as one string `scopes`"),
    ("oauthClientId", "use `oauth`: {\"clientId\": ..}"),
    ("clientId", "use `oauth`: {\"clientId\": ..}"),
    ("oauthGrantType", "the grant is chosen by what the server offers"),
    ("oauthRedirectUrl", "use `oauth`: {\"callbackPort\": ..}"),
    ("headersRefreshTtlMs", "use `headersHelperTtlMs`"),
    ("headersHelperTtlSec", "use `headersHelperTtlMs`, in milliseconds"),
    ("headersHelperRefreshBufferSec", "use `headersHelperTtlMs`, in milliseconds"),
    ("request_timeout_ms", "use `timeout`"),
    ("requestTimeoutMs", "use `timeout`"),
    ("toolTimeoutMs", "use `timeout`"),
    ("tool_timeout_sec", "use `timeout`, in milliseconds"),
    ("startup_timeout_ms", "use `startupTimeoutMs`"),
    ("startup_timeout_sec", "use `startupTimeoutMs`, in milliseconds"),
    ("startupTimeoutSec", "use `startupTimeoutMs`, in milliseconds"),
    ("startupTimeout", "use `startupTimeoutMs`, in milliseconds"),
    ("timeoutMs", "use `timeout`"),
    ("active", "use `enabled`"),
    ("enable", "use `enabled`"),
    ("isEnabled", "use `enabled`"),
    ("off", "use `disabled`"),
];

/// What to do instead of using `field`.
pub(crate) fn field(field: &str) -> Option<String> {
    if let Some((_, host)) = URLS.iter().find(|(word, _)| word.eq_ignore_ascii_case(field)) {
        return Some(format!("it is {host} word: use `url` with \"type\": \"http\""));
    }
    let known = FIELDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(field));
    known.map(|(_, instead)| (*instead).to_owned())
}

/// What a text that is not JSON looks like, by the first line that is no comment.
pub(crate) fn format(text: &str) -> Option<&'static str> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let is_name = |name: &str| {
        let name = name.trim().trim_matches('"');
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_. \"".contains(c))
    };
    let table = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let table = table.map(|table| table.strip_prefix('[').unwrap_or(table).trim_end_matches(']'));
    if table.is_some_and(|table| {
        is_name(table) && table.starts_with(|c: char| c.is_ascii_alphabetic() || c == '"')
    }) || line.split_once('=').is_some_and(|(name, _)| is_name(name))
    {
        return Some("TOML");
    }
    if line == "---" || line.split_once(':').is_some_and(|(name, _)| is_name(name) && !name.starts_with('"'))
    {
        return Some("YAML");
    }
    if line.starts_with("```") {
        return Some("Markdown");
    }
    line.starts_with('<').then_some("XML or HTML")
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
            assert_eq!(place(root.as_object().unwrap()).map(Place::key).as_deref(), Some(key), "{text}");
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

    #[test]
    fn fa_a49_a_text_of_another_format_is_called_by_its_name() {
        for (text, expected) in [
            ("# Codex\n[mcp_servers.x]\ncommand = \"x\"", Some("TOML")),
            ("model = \"x\"\n", Some("TOML")),
            ("[[servers]]\n", Some("TOML")),
            ("mcpServers:\n  x:\n", Some("YAML")),
            ("---\na: 1", Some("YAML")),
            ("```json\n{}\n```", Some("Markdown")),
            ("<html>", Some("XML or HTML")),
            ("[1, 2", None),
            ("{\"a\": }", None),
            ("\"mcpServers\": {}", None),
            ("", None),
        ] {
            assert_eq!(format(text), expected, "{text:?}");
        }
    }
}
