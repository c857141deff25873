//! The JSON Schema (draft 2020-12) of a file of servers, made from the tables that the reader goes by.

use serde_json::{Map, Value, json};

use super::fields::{EntryKinds, FIELDS};
use super::shape::Shape;
use super::{auth, limits, network, oauth, tools};
use crate::overrides;
use crate::remark::{REMARK_STARTS, REMARKS};
use crate::unattended::GrantWord;

impl Shape {
    fn schema(self) -> Value {
        match self {
            Self::Text => json!({ "type": "string" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::TextMap => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
            Self::Object => json!({ "type": "object" }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Whole(least, None) => json!({ "type": "integer", "minimum": least }),
            Self::Whole(least, Some(most)) => json!({ "type": "integer", "minimum": least, "maximum": most }),
            Self::OneOf(words) => json!({ "enum": words }),
            Self::Secret => json!({ "type": "string", "pattern": "^\\$\\{.+\\}$" }),
            Self::Auth => json!({ "$ref": "#/$defs/auth" }),
            Self::OAuth => json!({ "anyOf": [{ "type": "boolean" }, { "$ref": "#/$defs/oauth" }] }),
            Self::Tls => json!({ "$ref": "#/$defs/tls" }),
            Self::Limits => json!({ "$ref": "#/$defs/limits" }),
            Self::Tools => json!({ "anyOf": [
                { "type": "array", "items": { "type": "string" } },
                { "type": "array", "items": { "type": "object", "required": ["name"] } },
                { "type": "object" }
            ] }),
            Self::Permissions => {
                json!({ "type": "object", "additionalProperties": { "enum": tools::PERMISSIONS } })
            }
            Self::Any => json!({}),
        }
    }
}

/// The JSON Schema of this tool's own file, and of every other file with an object `mcpServers`: what the reader knows is in
/// it, and what it would warn of is not valid.
pub fn json_schema() -> Value {
    let servers = json!({
        "description": "The servers, by name. In their texts, ${env:NAME}, ${NAME} and ${NAME:-default} are variables, ${file:PATH}, ${cmd:COMMAND} and ${keyring:SERVICE/NAME} secrets, and ${literal:TEXT} is TEXT as it stands.",
        "type": "object",
        "additionalProperties": { "$ref": "#/$defs/server" }
    });
    let overridden = json!({
        "description": "What is said here of servers that stand in files of others, by name.",
        "type": "object",
        "additionalProperties": { "$ref": "#/$defs/override" }
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "MCP servers, as mcplink reads them",
        "type": "object",
        "properties": {
            "$schema": { "type": "string" },
            "mcpServers": servers,
            "overrides": overridden,
            "projects": {
                "description": "What holds in one project, by the path of its folder.",
                "type": "object",
                "additionalProperties": {
                    "type": "object",
                    "properties": { "mcpServers": servers, "overrides": overridden }
                }
            }
        },
        "$defs": {
            "server": server(),
            "auth": auth(),
            "oauth": object(oauth::FIELDS.iter().map(|(name, shape, about)| (*name, shape.schema(), *about))),
            "tls": object(network::TLS.iter().map(|(name, shape, about)| (*name, shape.schema(), *about))),
            "limits": object(limits::FIELDS.iter().map(|(name, least, most, about)| {
                (*name, Shape::Whole(*least, Some(*most)).schema(), *about)
            })),
            "override": with_remarks(object(overrides::FIELDS.iter().filter_map(|name| {
                let field = FIELDS.iter().find(|field| field.name == *name)?;
                Some((field.name, field.shape.schema(), field.about))
            }))),
        }
    })
}

/// The `auth` block: a file, a plug-in, a signature, or a grant with the fields of its own.
fn auth() -> Value {
    let of = |wanted: &dyn Fn(&str, &[GrantWord]) -> bool| {
        let fields = auth::FIELDS.iter().filter(|(name, .., of)| wanted(name, of));
        object(fields.map(|(name, shape, about, _)| (*name, shape.schema(), *about)))
    };
    let mut file = of(&|name, _| name == "file");
    file["required"] = json!(["file"]);
    let grants = GrantWord::ALL.into_iter().map(|word| {
        let mut grant = of(&|_, of| of.contains(&word));
        grant["properties"]["grant"]["enum"] = json!([word.as_str()]);
        grant["required"] = ["grant"].into_iter().chain(auth::needed(word)).collect();
        grant
    });
    let mut plugin = of(&|name, _| name == "provider" || name == "settings");
    plugin["required"] = json!(["provider"]);
    let mut sign = of(&|name, _| ["sign", "service", "region", "profile"].contains(&name));
    sign["required"] = json!(["sign", "service"]);
    let ways: Vec<Value> = [file, plugin, sign].into_iter().chain(grants).collect();
    json!({ "anyOf": ways })
}

/// An entry: a command, or a type and a URL.
fn server() -> Value {
    let fields = FIELDS.iter().map(|field| (field.name, field.shape.schema(), field.about));
    let mut server = with_remarks(object(fields));
    let required = |of: &[EntryKinds], words: &[&str], needed: &[&str]| {
        let others: Vec<&str> = FIELDS
            .iter()
            .filter(|field| field.of != EntryKinds::All && !of.contains(&field.of))
            .map(|field| field.name)
            .collect();
        let none: Map<String, Value> = others.iter().map(|name| ((*name).to_owned(), json!(false))).collect();
        let mut properties = none;
        properties.insert("type".to_owned(), json!({ "enum": words }));
        json!({ "required": needed, "properties": properties })
    };
    server["anyOf"] = json!([
        required(&[EntryKinds::Stdio], &["stdio"], &["command"]),
        required(
            &[EntryKinds::Remote, EntryKinds::Http],
            &["http", "streamable-http", "sse"],
            &["type", "url"]
        ),
    ]);
    server
}

/// An object with these members and no others.
fn object<'f>(fields: impl Iterator<Item = (&'f str, Value, &'f str)>) -> Value {
    let properties: Map<String, Value> = fields
        .map(|(name, mut schema, about)| {
            schema["description"] = json!(about);
            (name.to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The same object with remarks in it.
fn with_remarks(mut object: Value) -> Value {
    for name in REMARKS {
        object["properties"][name] = json!({});
    }
    let starts = REMARK_STARTS.map(|start| start.replace('$', "\\$")).join("|");
    object["patternProperties"] = json!({ format!("^({starts})"): {} });
    object
}
