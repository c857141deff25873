//! Which tools of a list may be offered, and which of their arguments travel in headers (2026-07-28, tools, `x-mcp-header`).

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::Payload;
use crate::message::envelope::{elements, pick};
use crate::protocol::header_params::{ANNOTATION, ToolHeaders};

/// What of the arguments of these tools, by their names, travels in headers.
pub(crate) type MirroredArguments = Vec<(String, ToolHeaders)>;

/// The parameters of a tool that are mirrored into headers, if any.
///
/// # Errors
///
/// Why the tool must not be offered.
pub(crate) fn mirrored_parameters(tool: &str) -> Result<Option<ToolHeaders>, String> {
    #[derive(Deserialize)]
    struct Definition<'a> {
        #[serde(borrow, default, rename = "inputSchema")]
        input_schema: Option<&'a RawValue>,
    }
    let definition: Option<Definition<'_>> = serde_json::from_str(tool).ok();
    let Some(schema) = definition.and_then(|definition| definition.input_schema) else { return Ok(None) };
    let headers = ToolHeaders::from_schema(schema).map_err(|error| error.to_string())?;
    Ok(Some(headers).filter(|headers| !headers.is_empty()))
}

/// What every definition of a tool has.
#[derive(Deserialize)]
pub(crate) struct ToolName {
    pub(crate) name: String,
}

/// One page of `tools/list`, for those who pass it on: every byte as sent, but without the tools that must not be offered.
pub(crate) fn page(page: Payload) -> (Payload, MirroredArguments) {
    let text = page.get().as_bytes();
    // As good as every page. An escape could spell the annotation in another way.
    if memmem::find(text, ANNOTATION.as_bytes()).is_none() && memmem::find(text, b"\\u").is_none() {
        return (page, MirroredArguments::new());
    }
    let (mut offered, mut mirrored) = (Vec::new(), MirroredArguments::new());
    let Some([Some(tools)]) = pick(page.get(), ["tools"]) else { return (page, mirrored) };
    let mut all = 0;
    let read = elements(tools, |tool| {
        all += 1;
        match (mirrored_parameters(tool), serde_json::from_str::<ToolName>(tool)) {
            (Ok(headers), named) => {
                offered.push(tool);
                if let (Some(headers), Ok(ToolName { name })) = (headers, named) {
                    mirrored.push((name, headers));
                }
            }
            (Err(reason), named) => {
                let tool = named.map(|named| named.name).unwrap_or_default();
                tracing::warn!(%tool, %reason, "left out a tool with an invalid definition");
            }
        }
        Some(())
    });
    if read.is_none() || offered.len() == all {
        return (page, mirrored);
    }
    let start = tools.as_ptr() as usize - page.get().as_ptr() as usize;
    let (before, after) = (&page.get()[..start], &page.get()[start + tools.len()..]);
    let text = format!("{before}[{}]{after}", offered.join(","));
    let rest = match RawValue::from_string(text) {
        Ok(rest) => Payload::from(rest).with_lease(page.lease()),
        Err(_) => page,
    };
    (rest, mirrored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed_on(text: &str) -> (String, Vec<String>) {
        let (passed, mirrored) = page(RawValue::from_string(text.to_owned()).unwrap().into());
        (passed.get().to_owned(), mirrored.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn a_page_is_passed_on_as_sent_without_what_must_not_be_offered() {
        let tool = |name: &str, header: &str| {
            format!(
                r#"{{ "name":"{name}","inputSchema":{{"properties":{{"a":{{"type":"string","{header}"}}}}}}}}"#
            )
        };
        let good = tool("good", r#"x-mcp-header":"A"#);
        let bad = tool("bad", r#"x-mcp-header":"no token"#);
        let escaped = tool("escaped", r#"x-mcp\u002dheader":""#);
        let plain = tool("plain", r#"title":"x"#);
        let list = |tools: &[&str]| format!(r#"{{"ttlMs":1.0e2, "tools":[{}],"x":[1]}}"#, tools.join(","));
        for unchanged in [list(&[&plain]), list(&[&good, &plain]), r#"{"tools":{}}"#.into(), "[1]".into()] {
            assert_eq!(passed_on(&unchanged).0, unchanged);
        }
        let (passed, mirrored) = passed_on(&list(&[&bad, &good, &escaped, &plain]));
        assert_eq!((passed, mirrored), (list(&[&good, &plain]), vec!["good".to_owned()]));
        assert_eq!(passed_on(&list(&[&bad])).0, list(&[]));
    }
}
