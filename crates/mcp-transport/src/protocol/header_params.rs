//! Tool arguments that travel in headers too, so that a gateway can route without reading the body
//! (MCP 2026-07-28, Streamable HTTP, "Custom Headers from Tool Parameters").
//!
//! A tool marks a property of its `inputSchema` with `x-mcp-header: Name`; a call then carries the argument
//! as `Mcp-Param-Name`. A tool whose marks break the rules must not be offered at all, because a server and a
//! gateway in front of it could read such a call differently.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use memchr::memmem;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::message::envelope::{MAX_SAFE_INTEGER, integer};

/// The annotation.
pub(crate) const ANNOTATION: &str = "x-mcp-header";
/// What the annotation's value is appended to.
const PREFIX: &str = "Mcp-Param-";
/// Around a value that is not safe as it is.
const SENTINEL: (&str, &str) = ("=?base64?", "?=");

/// Keywords whose value maps names of the author's choice to schemas.
const SCHEMA_MAPS: [&str; 5] =
    ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords whose value is instance data, where the annotation's name is an ordinary key.
const INSTANCE_DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// Which arguments of one tool travel in headers.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolHeaders {
    root: Node,
}

/// The annotated properties at and below one property.
#[derive(Clone, Debug, Default)]
struct Node {
    header: Option<HeaderName>,
    children: BTreeMap<String, Node>,
}

/// Why a tool's annotations, or the arguments of a call, cannot be turned into headers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct InvalidHeaderParam {
    /// The property, as the names that lead to it.
    path: Vec<String>,
    reason: &'static str,
}

impl fmt::Display for InvalidHeaderParam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_slice() {
            [] => write!(f, "the schema itself: {}", self.reason),
            path => write!(f, "`{}`: {}", mcp_text::sentence(&path.join(".")), self.reason),
        }
    }
}

impl std::error::Error for InvalidHeaderParam {}

impl ToolHeaders {
    /// Reads the annotations of an `inputSchema`.
    ///
    /// # Errors
    /// An annotation breaks a rule; the tool must then be left out of the list of tools.
    pub(crate) fn from_schema(schema: &RawValue) -> Result<Self, InvalidHeaderParam> {
        let text = schema.get().as_bytes();
        // Most schemas have none, and need not be parsed to know it. An escape could spell the annotation in
        // another way.
        if memmem::find(text, ANNOTATION.as_bytes()).is_none() && memmem::find(text, b"\\u").is_none() {
            return Ok(Self::default());
        }
        let mut scan = Scan { path: Vec::new(), seen: HashSet::new() };
        let Ok(schema) = serde_json::from_str(schema.get()) else {
            return Err(scan.invalid("the schema is nested too deeply"));
        };
        Ok(Self { root: scan.schema(&schema, SchemaPosition::Root)? })
    }

    /// Whether no argument travels in a header.
    pub(crate) fn is_empty(&self) -> bool {
        self.root.children.is_empty()
    }

    /// The headers of a call with these arguments. An argument that is absent or `null` has none.
    ///
    /// The value decides its own spelling, whatever type the schema declares: the header must say what the body
    /// says, and whether that fits the schema is for the server to judge. The values are marked sensitive.
    ///
    /// # Errors
    /// An annotated argument is not a string, boolean or integer that every JSON implementation reads exactly.
    pub(crate) fn headers(
        &self,
        arguments: Option<&RawValue>,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderParam> {
        let mut headers = Vec::new();
        if let Some(arguments) = arguments.filter(|_| !self.is_empty()) {
            self.root.collect(arguments, &mut Vec::new(), &mut headers)?;
        }
        Ok(headers)
    }
}

impl Node {
    fn collect(
        &self,
        value: &RawValue,
        path: &mut Vec<String>,
        headers: &mut Vec<(HeaderName, HeaderValue)>,
    ) -> Result<(), InvalidHeaderParam> {
        if let Some(name) = &self.header
            && value.get() != "null"
        {
            let text =
                spell(value.get()).map_err(|reason| InvalidHeaderParam { path: path.clone(), reason })?;
            let mut value = encode_value(&text);
            value.set_sensitive(true);
            headers.push((name.clone(), value));
        }
        if self.children.is_empty() {
            return Ok(());
        }
        // What is not an object has no properties, so nothing below it is present.
        let Ok(properties) = serde_json::from_str::<BTreeMap<String, &RawValue>>(value.get()) else {
            return Ok(());
        };
        for (name, child) in &self.children {
            if let Some(value) = properties.get(name) {
                path.push(name.clone());
                child.collect(value, path, headers)?;
                path.pop();
            }
        }
        Ok(())
    }
}

/// A header value for any text: the text itself where that is safe, otherwise its Base64 form between the
/// sentinels. Also for `Mcp-Name`.
///
/// Safe is printable ASCII without a space at either end. A tab inside would be allowed too, but is encoded:
/// proxies are known to fold it. Text that looks encoded already is encoded, or it would be read as something
/// else.
pub(crate) fn encode_value(text: &str) -> HeaderValue {
    let (prefix, suffix) = SENTINEL;
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let looks_encoded = text.starts_with(prefix) && text.ends_with(suffix);
    let text = if printable && !looks_encoded && !text.starts_with(' ') && !text.ends_with(' ') {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("{prefix}{}{suffix}", STANDARD.encode(text)))
    };
    HeaderValue::from_str(&text).expect("printable ASCII, as it is or as Base64, is a header value")
}

/// A JSON value as the text of a header.
fn spell(value: &str) -> Result<Cow<'_, str>, &'static str> {
    match value.as_bytes().first() {
        Some(b'"') => {
            let text =
                serde_json::from_str::<String>(value).map_err(|_| "not a string of Unicode characters")?;
            Ok(Cow::Owned(text))
        }
        Some(b't' | b'f') => Ok(Cow::Borrowed(value)),
        Some(b'-' | b'0'..=b'9') => match integer(value) {
            Some(number) if number.abs() <= MAX_SAFE_INTEGER => Ok(Cow::Owned(number.to_string())),
            _ => Err("not an integer between -(2^53 - 1) and 2^53 - 1"),
        },
        _ => Err("not a string, integer or boolean"),
    }
}

/// Where a schema stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SchemaPosition {
    /// The `inputSchema` itself.
    Root,
    /// A property that a chain of `properties` alone leads to.
    Property,
    /// Anywhere else: below `items`, `anyOf`, `$defs`, ...
    Elsewhere,
}

/// A walk over one schema.
struct Scan {
    path: Vec<String>,
    seen: HashSet<HeaderName>,
}

impl Scan {
    fn invalid(&self, reason: &'static str) -> InvalidHeaderParam {
        InvalidHeaderParam { path: self.path.clone(), reason }
    }

    fn schema(&mut self, schema: &Value, place: SchemaPosition) -> Result<Node, InvalidHeaderParam> {
        let mut node = Node::default();
        let members = match schema {
            Value::Object(members) => members,
            Value::Array(elements) => {
                for element in elements {
                    self.schema(element, SchemaPosition::Elsewhere)?;
                }
                return Ok(node);
            }
            _ => return Ok(node),
        };
        if let Some(annotation) = members.get(ANNOTATION) {
            node.header = Some(self.annotation(annotation, members.get("type"), place)?);
        }
        for (keyword, value) in members {
            let named = value.as_object().filter(|_| SCHEMA_MAPS.contains(&keyword.as_str()));
            if keyword == ANNOTATION || INSTANCE_DATA.contains(&keyword.as_str()) {
                continue;
            } else if let Some(named) = named {
                let chain = keyword == "properties" && place != SchemaPosition::Elsewhere;
                let place = if chain { SchemaPosition::Property } else { SchemaPosition::Elsewhere };
                for (name, schema) in named {
                    self.path.push(name.clone());
                    let child = self.schema(schema, place)?;
                    self.path.pop();
                    if chain && (child.header.is_some() || !child.children.is_empty()) {
                        node.children.insert(name.clone(), child);
                    }
                }
            } else {
                self.schema(value, SchemaPosition::Elsewhere)?;
            }
        }
        Ok(node)
    }

    fn annotation(
        &mut self,
        annotation: &Value,
        declared: Option<&Value>,
        place: SchemaPosition,
    ) -> Result<HeaderName, InvalidHeaderParam> {
        if place != SchemaPosition::Property {
            return Err(self.invalid("x-mcp-header where `properties` alone do not lead"));
        }
        let Some(suffix) = annotation.as_str().filter(|suffix| !suffix.is_empty()) else {
            return Err(self.invalid("x-mcp-header is not a non-empty string"));
        };
        if !matches!(declared.and_then(Value::as_str), Some("string" | "integer" | "boolean")) {
            return Err(self.invalid("x-mcp-header on something else than a string, integer or boolean"));
        }
        let name = HeaderName::from_bytes(format!("{PREFIX}{suffix}").as_bytes())
            .map_err(|_| self.invalid("x-mcp-header is not a header field name"))?;
        if self.seen.insert(name.clone()) {
            Ok(name)
        } else {
            Err(self.invalid("x-mcp-header names a header that another property already has"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded::Random;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn tool(properties: &str) -> Result<ToolHeaders, InvalidHeaderParam> {
        ToolHeaders::from_schema(&raw(&format!(r#"{{"type":"object","properties":{properties}}}"#)))
    }

    /// `name=value` of each header, in the order of the names.
    fn sent(tool: &ToolHeaders, arguments: &str) -> Result<Vec<String>, String> {
        let headers = tool.headers(Some(&raw(arguments))).map_err(|error| error.to_string())?;
        let mut shown: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().unwrap())).collect();
        shown.sort();
        Ok(shown)
    }

    #[test]
    fn values_are_encoded_as_the_specification_shows() {
        let table = [
            ("us-west1", "us-west1"),
            ("Hello, 世界", "=?base64?SGVsbG8sIOS4lueVjA==?="),
            (" padded ", "=?base64?IHBhZGRlZCA=?="),
            ("line1\nline2", "=?base64?bGluZTEKbGluZTI=?="),
            ("=?base64?literal?=", "=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="),
            // Between its lines.
            ("", ""),
            ("inner space", "inner space"),
            ("trailing ", "=?base64?dHJhaWxpbmcg?="),
            ("a\tb", "=?base64?YQli?="),
            ("a\u{7f}", "=?base64?YX8=?="),
            ("=?base64?=", "=?base64?PT9iYXNlNjQ/PQ==?="),
            ("=?BASE64?x?=", "=?BASE64?x?="),
            ("=?base64?x", "=?base64?x"),
            ("a\r\nX-Evil: 1", "=?base64?YQ0KWC1FdmlsOiAx?="),
        ];
        for (text, expected) in table {
            assert_eq!(encode_value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn arguments_become_headers() {
        let tool = tool(
            r#"{
                "region": {"type": "string", "x-mcp-header": "Region"},
                "limit": {"type": "integer", "x-mcp-header": "Limit"},
                "dry": {"type": "boolean", "x-mcp-header": "Dry-Run"},
                "where": {"type": "object", "properties": {
                    "deep": {"type": "object", "properties": {"zone": {"type": "string", "x-mcp-header": "Zone"}}}
                }},
                "query": {"type": "string"}
            }"#,
        )
        .unwrap();
        let table = [
            (r#"{"region":"us","query":"secret"}"#, vec!["mcp-param-region=us"]),
            (r#"{"region":"","dry":false}"#, vec!["mcp-param-dry-run=false", "mcp-param-region="]),
            (r#"{"region":null,"limit":null}"#, vec![]),
            ("{}", vec![]),
            ("[1]", vec![]),
            (r#"{"where":{"deep":{"zone":"a"}}}"#, vec!["mcp-param-zone=a"]),
            (r#"{"where":{"deep":"zone"},"zone":"b"}"#, vec![]),
            (r#"{"limit":42.0}"#, vec!["mcp-param-limit=42"]),
            (r#"{"limit":1e3}"#, vec!["mcp-param-limit=1000"]),
            (r#"{"limit":-0}"#, vec!["mcp-param-limit=0"]),
            (r#"{"limit":9007199254740991}"#, vec!["mcp-param-limit=9007199254740991"]),
            (r#"{"limit":-9007199254740991}"#, vec!["mcp-param-limit=-9007199254740991"]),
            // The body decides the spelling; the last of two equal names counts, as in every JSON reader.
            (r#"{"limit":"7","region":true}"#, vec!["mcp-param-limit=7", "mcp-param-region=true"]),
            (r#"{"region":"a","region":"b"}"#, vec!["mcp-param-region=b"]),
            (r#"{"reg\u0069on":"c"}"#, vec!["mcp-param-region=c"]),
        ];
        for (arguments, expected) in table {
            assert_eq!(sent(&tool, arguments).unwrap(), expected, "{arguments}");
        }
        for wrong in ["9007199254740992", "-9007199254740992", "1e300", "1.5", "[]", "{}", r#""\ud800""#] {
            let error = sent(&tool, &format!(r#"{{"limit":{wrong}}}"#)).unwrap_err();
            assert!(error.starts_with("`limit`: not "), "{wrong}: {error}");
        }
        assert!(tool.headers(None).unwrap().is_empty());
    }

    #[test]
    fn values_are_marked_sensitive() {
        let tool = tool(r#"{"a":{"type":"string","x-mcp-header":"A"}}"#).unwrap();
        let headers = tool.headers(Some(&raw(r#"{"a":"canary"}"#))).unwrap();
        assert!(!format!("{headers:?}").contains("canary"));
    }

    #[test]
    fn what_is_not_an_annotation() {
        let table = [
            r#"{"a":{"type":"string"}}"#,
            r#"{"x-mcp-header":{"type":"string"}}"#,
            r#"{"a":{"type":"object","default":{"x-mcp-header":"A"},"const":{"x-mcp-header":1}}}"#,
            r#"{"a":{"enum":[{"x-mcp-header":"A"}],"examples":[{"x-mcp-header":"A"}]}}"#,
            r#"{"a":true,"b":{"description":"x-mcp-header"}}"#,
        ];
        for properties in table {
            assert!(tool(properties).unwrap().is_empty(), "{properties}");
        }
        assert!(!tool(r#"{"x-mcp-header":{"type":"string","x-mcp-header":"X"}}"#).unwrap().is_empty());
        // An escape does not hide an annotation.
        assert!(!tool(r#"{"a":{"type":"string","x-mcp-\u0068eader":"X"}}"#).unwrap().is_empty());
    }

    #[test]
    fn a_broken_rule_rejects_the_tool() {
        let annotated = r#"{"type":"string","x-mcp-header":"A"}"#;
        let in_a = |body: &str| format!(r#"{{"a":{body}}}"#);
        let table = [
            // The value.
            (in_a(r#"{"type":"string","x-mcp-header":""}"#), "non-empty"),
            (in_a(r#"{"type":"string","x-mcp-header":null}"#), "non-empty"),
            (in_a(r#"{"type":"string","x-mcp-header":["A"]}"#), "non-empty"),
            (in_a(r#"{"type":"string","x-mcp-header":"a b"}"#), "field name"),
            (in_a(r#"{"type":"string","x-mcp-header":"a/b"}"#), "field name"),
            (in_a(r#"{"type":"string","x-mcp-header":"a:b"}"#), "field name"),
            (in_a(r#"{"type":"string","x-mcp-header":"é"}"#), "field name"),
            (in_a(r#"{"type":"string","x-mcp-header":"a\r\nb"}"#), "field name"),
            (in_a(r#"{"type":"string","x-mcp-header":"a\u0000"}"#), "field name"),
            (in_a(&format!(r#"{{"type":"string","x-mcp-header":"{}"}}"#, "a".repeat(70_000))), "field name"),
            // The type.
            (in_a(r#"{"type":"number","x-mcp-header":"A"}"#), "something else"),
            (in_a(r#"{"type":"object","x-mcp-header":"A"}"#), "something else"),
            (in_a(r#"{"type":"array","x-mcp-header":"A"}"#), "something else"),
            (in_a(r#"{"type":"null","x-mcp-header":"A"}"#), "something else"),
            (in_a(r#"{"type":["string","null"],"x-mcp-header":"A"}"#), "something else"),
            (in_a(r#"{"x-mcp-header":"A"}"#), "something else"),
            // The place.
            (in_a(&format!(r#"{{"type":"array","items":{annotated}}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"type":"array","prefixItems":[{annotated}]}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"anyOf":[{annotated},{{"type":"null"}}]}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"oneOf":[{{"properties":{{"b":{annotated}}}}}]}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"if":{annotated}}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"not":{annotated}}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"additionalProperties":{annotated}}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"patternProperties":{{"^x":{annotated}}}}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"$defs":{{"d":{annotated}}}}}"#)), "do not lead"),
            (in_a(&format!(r#"{{"x-vendor":{{"deep":[{annotated}]}}}}"#)), "do not lead"),
            // The name, twice, in another case and at another depth.
            (
                format!(
                    r#"{{"a":{annotated},"b":{{"properties":{{"c":{{"type":"integer","x-mcp-header":"a"}}}}}}}}"#
                ),
                "already has",
            ),
        ];
        for (properties, reason) in table {
            let error = tool(&properties).unwrap_err().to_string();
            assert!(error.contains(reason) && error.starts_with('`'), "{properties}: {error}");
        }
        let root = ToolHeaders::from_schema(&raw(annotated)).unwrap_err();
        assert!(root.to_string().starts_with("the schema itself"), "{root}");
        let deep = format!(r#"{}{annotated}{}"#, r#"{"not":"#.repeat(300), "}".repeat(300));
        assert!(ToolHeaders::from_schema(&raw(&deep)).unwrap_err().to_string().contains("too deeply"));
    }

    #[test]
    fn random_schemas_and_arguments_never_panic() {
        let seed = br#"{"properties":{"a":{"type":"integer","x-mcp-header":"A"},"b":{"properties":{}}}}"#;
        let fixed = tool(r#"{"a":{"type":"string","x-mcp-header":"A"}}"#).unwrap();
        let mut random = Random::new(17);
        for _ in 0..20_000 {
            let mut text = seed.to_vec();
            for _ in 0..1 + random.below(4) {
                let at = random.below(text.len());
                if random.below(2) == 0 { text[at] = random.byte() } else { text.insert(at, random.byte()) }
            }
            let Ok(text) = String::from_utf8(text) else { continue };
            let _ = encode_value(&text);
            let Ok(json) = RawValue::from_string(text) else { continue };
            let _ = fixed.headers(Some(&json));
            if let Ok(tool) = ToolHeaders::from_schema(&json) {
                let _ = tool.headers(Some(&json));
            }
        }
    }
}
