//! What a server of revision 2026-07-28 checks before it looks at the method: "Request Metadata" and "Server
//! Validation" of its Streamable HTTP page, and the required `_meta` fields of its overview.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use serde_json::{Value, json};

use super::rpc::RpcError;
use super::tool::FakeTool;

pub(crate) const REVISION: &str = "2026-07-28";
pub(crate) const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";
pub(crate) const META_CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";
pub(crate) const META_SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";
pub(crate) const META_SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

const HEADER_MISMATCH: i64 = -32020;
const MISSING_CAPABILITY: i64 = -32021;
const UNSUPPORTED_VERSION: i64 = -32022;
const INVALID_PARAMS: i64 = -32602;

/// Whether a request says that it is of the modern era: by its `_meta`, or by a header that only that era has.
pub(crate) fn looks_modern(headers: &HeaderMap, message: &Value) -> bool {
    meta(message).get(META_VERSION).is_some()
        || headers.contains_key("mcp-method")
        || text(headers, "mcp-protocol-version").is_some_and(|version| version >= REVISION)
}

/// Checks a request's headers against its body; the error is what the server must answer.
pub(crate) fn validate(
    headers: &HeaderMap,
    message: &Value,
    supported: &[String],
    tools: &[FakeTool],
) -> Result<(), RpcError> {
    let header_version = required(headers, "MCP-Protocol-Version")?;
    let meta = meta(message);
    let Some(body_version) = meta.get(META_VERSION).and_then(Value::as_str) else {
        return Err(RpcError::bad(INVALID_PARAMS, format!("_meta lacks {META_VERSION}")));
    };
    if header_version != body_version {
        return Err(mismatch("MCP-Protocol-Version", header_version, body_version));
    }
    if !supported.iter().any(|version| version == body_version) {
        return Err(unsupported_version(body_version, supported));
    }
    if !meta.get(META_CAPABILITIES).is_some_and(Value::is_object) {
        return Err(RpcError::bad(INVALID_PARAMS, format!("_meta lacks {META_CAPABILITIES}")));
    }
    let method = message["method"].as_str().unwrap_or_default();
    let header_method = required(headers, "Mcp-Method")?;
    if header_method != method {
        return Err(mismatch("Mcp-Method", header_method, method));
    }
    let Some(field) = named_by(method) else { return Ok(()) };
    let name = message["params"][field].as_str().unwrap_or_default();
    let header_name = decoded("Mcp-Name", required(headers, "Mcp-Name")?)?;
    if header_name != name {
        return Err(mismatch("Mcp-Name", &header_name, name));
    }
    match tools.iter().find(|tool| method == "tools/call" && tool.name() == name) {
        Some(tool) => validate_parameters(headers, tool, &message["params"]["arguments"]),
        None => Ok(()),
    }
}

/// The error that names the supported revisions.
pub(crate) fn unsupported_version(requested: &str, supported: &[String]) -> RpcError {
    RpcError::bad(UNSUPPORTED_VERSION, "Unsupported protocol version")
        .data(json!({ "supported": supported, "requested": requested }))
}

/// The error for a server request that the client has not declared it can fulfil; `None` if it has.
pub(crate) fn missing_capability(message: &Value, asked: &str) -> Option<RpcError> {
    let capability = match asked {
        "elicitation/create" => "elicitation",
        "sampling/createMessage" => "sampling",
        "roots/list" => "roots",
        _ => return None,
    };
    meta(message)[META_CAPABILITIES].get(capability).is_none().then(|| {
        RpcError::bad(MISSING_CAPABILITY, format!("this needs the client capability {capability}"))
            .data(json!({ "requiredCapabilities": { capability: {} } }))
    })
}

fn meta(message: &Value) -> &Value {
    &message["params"]["_meta"]
}

/// The member of `params` that the `Mcp-Name` header mirrors.
fn named_by(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn required<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, RpcError> {
    text(headers, name).ok_or_else(|| {
        RpcError::bad(HEADER_MISMATCH, format!("Header mismatch: {name} is missing or malformed"))
    })
}

fn mismatch(name: &str, header: &str, body: &str) -> RpcError {
    RpcError::bad(
        HEADER_MISMATCH,
        format!("Header mismatch: {name} header value '{header}' does not match body value '{body}'"),
    )
}

/// Undoes the Base64 sentinel encoding ("Value Encoding").
fn decoded(name: &str, value: &str) -> Result<String, RpcError> {
    let Some(encoded) = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) else {
        return Ok(value.to_owned());
    };
    STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        RpcError::bad(HEADER_MISMATCH, format!("Header mismatch: {name} is not valid Base64 of UTF-8"))
    })
}

/// Compares every annotated parameter with its `Mcp-Param-*` header.
fn validate_parameters(headers: &HeaderMap, tool: &FakeTool, arguments: &Value) -> Result<(), RpcError> {
    let mut annotated = Vec::new();
    collect_annotated(&tool.definition()["inputSchema"], &mut Vec::new(), &mut annotated);
    for (path, suffix) in annotated {
        let name = format!("Mcp-Param-{suffix}");
        let value =
            path.iter().try_fold(arguments, |value, key| value.get(key)).filter(|value| !value.is_null());
        match (value, headers.get(&name)) {
            (None, None) => {}
            (None, Some(_)) => {
                return Err(RpcError::bad(
                    HEADER_MISMATCH,
                    format!("Header mismatch: {name} has no value in the body"),
                ));
            }
            (Some(value), _) => {
                let header = decoded(&name, required(headers, &name)?)?;
                if !equals(value, &header) {
                    return Err(mismatch(&name, &header, &value.to_string()));
                }
            }
        }
    }
    Ok(())
}

/// Properties with `x-mcp-header`, by their chain of `properties` keys, the only place where the annotation counts.
fn collect_annotated(schema: &Value, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (key, property) in properties {
        path.push(key.clone());
        if let Some(suffix) = property.get("x-mcp-header").and_then(Value::as_str) {
            found.push((path.clone(), suffix.to_owned()));
        }
        collect_annotated(property, path, found);
        path.pop();
    }
}

/// Numbers are compared as numbers, as the specification recommends.
fn equals(value: &Value, header: &str) -> bool {
    match value {
        Value::String(text) => text == header,
        Value::Bool(truth) => header == if *truth { "true" } else { "false" },
        Value::Number(number) => header.parse::<f64>().is_ok_and(|parsed| number.as_f64() == Some(parsed)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, mut params: Value) -> Value {
        params["_meta"] = json!({ META_VERSION: REVISION, META_CAPABILITIES: {} });
        json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn code(pairs: &[(&'static str, &str)], message: &Value, tools: &[FakeTool]) -> Option<i64> {
        validate(&headers(pairs), message, &[REVISION.to_owned()], tools).err().map(|error| error.code)
    }

    const VERSION: (&str, &str) = ("mcp-protocol-version", REVISION);

    #[test]
    fn each_required_header_is_required_and_compared() {
        let call = request("tools/call", json!({ "name": "echo" }));
        let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "echo"));
        assert_eq!(code(&[VERSION, method, name], &call, &[]), None);
        assert_eq!(code(&[method, name], &call, &[]), Some(HEADER_MISMATCH));
        assert_eq!(code(&[VERSION, name], &call, &[]), Some(HEADER_MISMATCH));
        assert_eq!(code(&[VERSION, method], &call, &[]), Some(HEADER_MISMATCH));
        assert_eq!(code(&[VERSION, method, ("mcp-name", "other")], &call, &[]), Some(HEADER_MISMATCH));
        assert_eq!(code(&[VERSION, ("mcp-method", "tools/list"), name], &call, &[]), Some(HEADER_MISMATCH));
        assert_eq!(code(&[VERSION, method, ("mcp-name", "=?base64?ZWNobw==?=")], &call, &[]), None);
        assert_eq!(code(&[VERSION, method, ("mcp-name", "=?base64?!?=")], &call, &[]), Some(HEADER_MISMATCH));
        assert_eq!(
            code(&[("mcp-protocol-version", "2099-01-01"), method, name], &call, &[]),
            Some(HEADER_MISMATCH)
        );
    }

    #[test]
    fn an_unknown_revision_is_told_the_known_ones() {
        let mut list = request("tools/list", json!({}));
        list["params"]["_meta"][META_VERSION] = json!("1900-01-01");
        let sent = headers(&[("mcp-protocol-version", "1900-01-01"), ("mcp-method", "tools/list")]);
        let error = validate(&sent, &list, &[REVISION.to_owned()], &[]).unwrap_err();
        assert_eq!((error.code, error.status), (UNSUPPORTED_VERSION, 400));
        assert_eq!(error.data, Some(json!({ "supported": [REVISION], "requested": "1900-01-01" })));
    }

    #[test]
    fn required_meta_fields_are_required() {
        for field in [META_VERSION, META_CAPABILITIES] {
            let mut list = request("tools/list", json!({}));
            list["params"]["_meta"].as_object_mut().unwrap().remove(field);
            assert_eq!(
                code(&[VERSION, ("mcp-method", "tools/list")], &list, &[]),
                Some(INVALID_PARAMS),
                "{field}"
            );
        }
    }

    #[test]
    fn annotated_parameters_are_compared_with_their_headers() {
        let schema = json!({ "properties": {
            "region": { "type": "string", "x-mcp-header": "Region" },
            "deep": { "properties": { "count": { "type": "integer", "x-mcp-header": "Count" } } },
        } });
        let tools = [FakeTool::custom(json!({ "name": "query", "inputSchema": schema }), json!({}))];
        let call =
            |arguments: Value| request("tools/call", json!({ "name": "query", "arguments": arguments }));
        let base = [VERSION, ("mcp-method", "tools/call"), ("mcp-name", "query")];
        let with = |more: &[(&'static str, &'static str)]| [base.as_slice(), more].concat();
        let both = call(json!({ "region": "eu", "deep": { "count": 42 } }));
        assert_eq!(
            code(&with(&[("mcp-param-region", "eu"), ("mcp-param-count", "42.0")]), &both, &tools),
            None
        );
        assert_eq!(code(&with(&[("mcp-param-region", "eu")]), &both, &tools), Some(HEADER_MISMATCH));
        let other = with(&[("mcp-param-region", "us"), ("mcp-param-count", "42")]);
        assert_eq!(code(&other, &both, &tools), Some(HEADER_MISMATCH));
        assert_eq!(code(&base, &call(json!({ "region": null })), &tools), None);
        assert_eq!(
            code(&with(&[("mcp-param-region", "eu")]), &call(json!({})), &tools),
            Some(HEADER_MISMATCH)
        );
    }

    #[test]
    fn capabilities_are_looked_up_for_the_question_that_needs_them() {
        let mut call = request("tools/call", json!({ "name": "ask" }));
        assert_eq!(
            missing_capability(&call, "elicitation/create").map(|error| error.code),
            Some(MISSING_CAPABILITY)
        );
        call["params"]["_meta"][META_CAPABILITIES] = json!({ "elicitation": {} });
        assert!(missing_capability(&call, "elicitation/create").is_none());
    }
}
