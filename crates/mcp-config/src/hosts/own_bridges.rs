//! Entries of the files that are read anyway whose command is this program as a bridge to a URL.
//!
//! What answers such a command answers at once, whether anything is behind it or not, so a look at it would say nothing of the
//! server. Such an entry is read as the remote one that it stands for, as in the file of a host, and everything that is said of it
//! is said of the server. A bridge to a name is another matter: see [`crate::pointer`].

use crate::Problem;
use crate::document::Document;
use crate::hosts::entry::Entries;
use crate::hosts::variables::Inputs;
use crate::hosts::{EditorVariables, KnownHost};
use crate::json::{Member, Node, Object, Pointer, Value};

/// The host whose files are read as they stand.
const NATIVE: &str = "claude-code";

/// The servers `node` of `document` at `path`, with such entries as what they lead to, and a document to read them with; `None`
/// where there is not one of them.
pub(crate) fn led_to<'a>(
    document: &Document<'a>,
    node: &Node,
    path: &Pointer,
    problems: &mut Vec<Problem>,
) -> Option<(Document<'a>, Node)> {
    // An entry in a host's own words is read as one of its host.
    let servers = node.as_object().filter(|_| document.host.is_none())?;
    let host = KnownHost::named(NATIVE)?;
    // Variables of an editor are none of ours.
    let around =
        EditorVariables { folder: document.folder.clone().unwrap_or_default(), home: None, changes: false };
    let mut inputs = Inputs::default();
    let mut entries = Entries::new(host, document, &around, &mut inputs, problems);
    let mut is_any = false;
    let led: Vec<Member> = servers
        .all()
        .iter()
        .map(|member| {
            let is_in_force = !member.overridden;
            let led = is_in_force.then(|| entries.led_to(member, &path.key(&member.key))).flatten();
            is_any |= led.is_some();
            led.unwrap_or_else(|| member.clone())
        })
        .collect();
    let origins = entries.into_origins();
    let node = Node { span: node.span, value: Value::Object(Object::of(led)) };
    is_any.then(|| (document.part_told(node.clone(), origins), node))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::{Config, EntryTransport, Env, Request};

    fn loaded(entries: &Value) -> Config {
        let mut request = Request::new("/nowhere", Env::from([("TOKEN", "canary-token")]));
        request.mcp_config.push(json!({ "mcpServers": entries }).to_string());
        Config::load(&request)
    }

    /// The fields of the entry `name` as they may be shown.
    fn fields(config: &Config, name: &str) -> Vec<(String, String)> {
        let entry = config.entry(name).unwrap_or_else(|| panic!("{name}: {:?}", config.problems));
        entry.fields().iter().map(|field| (field.name.clone(), field.value.clone())).collect()
    }

    #[test]
    fn a_bridge_to_a_url_is_the_server_that_it_leads_to_in_every_file() {
        let url = "https://h.example/mcp";
        let header = "Authorization: Bearer ${TOKEN}";
        let plain = json!({ "type": "http", "url": url });
        let with_header =
            json!({ "type": "http", "url": url, "headers": { "Authorization": "Bearer ${TOKEN}" } });
        for (entry, same) in [
            (json!({ "command": "mcplink", "args": ["bridge", url] }), &plain),
            (
                json!({ "type": "stdio", "command": "/opt/bin/mcplink", "args": ["serve", "--shared", url] }),
                &plain,
            ),
            (json!({ "command": "npx", "args": ["-y", "mcplink@latest", "bridge", url] }), &plain),
            (json!({ "command": "sh", "args": ["-c", format!("exec mcplink bridge {url}")] }), &plain),
            (json!({ "command": "mcplink", "args": ["bridge", url, "-H", header] }), &with_header),
            (
                json!({ "command": "mcplink", "args": ["bridge", url, "-H", header], "timeout": 9000 }),
                &json!({ "type": "http", "url": url, "headers": with_header["headers"], "timeout": 9000 }),
            ),
            (
                json!({
                    "command": "mcplink",
                    "args": ["bridge", url, "-H", "Authorization: Bearer ${env:OWN}"],
                    "env": { "OWN": "${TOKEN}" },
                }),
                &with_header,
            ),
            (
                json!({ "command": "mcplink", "args": ["bridge", url, "-t", "sse"] }),
                &json!({ "type": "sse", "url": url }),
            ),
        ] {
            let config = loaded(&json!({ "a": entry, "b": same, "other": { "command": "sh" } }));
            let sorted = |name: &str| {
                let mut fields = fields(&config, name);
                fields.sort();
                fields
            };
            assert_eq!(sorted("a"), sorted("b"), "{entry}");
            let told: Vec<String> = config.problems.iter().map(ToString::to_string).collect();
            let said = told.iter().filter(|said| said.contains("is a bridge (mcplink)")).count();
            assert_eq!(said, 1, "{entry}: {told:?}");
            assert!(!told.concat().contains("canary-token"), "{entry}");
        }
    }

    #[test]
    fn what_says_more_than_an_entry_can_stays_a_command() {
        let url = "https://h.example/mcp";
        let config = loaded(&json!({
            "name": { "command": "mcplink", "args": ["bridge", "wiki"] },
            "unknown": { "command": "mcplink", "args": ["bridge", url, "--unknown"] },
            "variable": { "command": "mcplink", "args": ["bridge", url], "env": { "SOME_VARIABLE": "x" } },
            "secret": { "command": "mcplink", "args": ["bridge", url], "env": { "MCP_CLIENT_SECRET": "x" } },
            "more": { "command": "op", "args": ["run", "--", "mcplink", "bridge", url] },
            "other": { "command": "npx", "args": ["-y", "mcp-remote", url] },
            "demo": { "command": "mcplink", "args": ["demo", "--stdio"] },
        }));
        assert!(config.entry("name").is_none(), "a pointer");
        for name in ["unknown", "variable", "secret", "more", "other", "demo"] {
            assert_eq!(config.entry(name).unwrap().transport(), EntryTransport::Stdio, "{name}");
        }
        assert!(!config.problems.iter().any(|problem| problem.message.contains("is a bridge (")));
    }

    #[test]
    fn what_is_wrong_with_it_is_told_where_it_stands() {
        let config = loaded(&json!({
            "a": { "command": "mcplink", "args": ["bridge", "https://h.example/mcp", "-H", "X-Key: ${NOT_SET}"] },
        }));
        let told: Vec<&crate::Problem> =
            config.problems.iter().filter(|problem| problem.message.contains("NOT_SET")).collect();
        assert_eq!(told.len(), 1, "{:?}", config.problems);
        assert_eq!(told[0].field.as_deref(), Some("mcpServers.a.args[3]"), "{told:?}");
    }
}
