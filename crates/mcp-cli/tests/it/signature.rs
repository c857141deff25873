//! What a tool takes, and what is missing from a call.

use mcp_testkit::{FakeMcpServer, Tool};
use serde_json::json;

use crate::setting::{Setting, http};

fn server() -> FakeMcpServer {
    let tool = json!({ "name": "sum", "description": "Adds two numbers.\n\nSlowly.", "inputSchema": {
        "type": "object",
        "required": ["a", "b"],
        "properties": {
            "a": { "type": "number", "description": "The first one." },
            "b": { "type": "number" },
            "note": { "type": "string", "default": "none" },
        },
    } });
    let refusal = json!({ "isError": true, "content": [{ "type": "text", "text": "expected number at b" }] });
    FakeMcpServer::builder().tool(Tool::custom(tool, refusal)).start().unwrap()
}

#[test]
fn fh_h6_a_tool_shows_its_arguments_and_a_call_to_copy() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    let shown = setting.run(&["tools", "math", "sum"], 0).stdout;
    for line in [
        "sum\n",
        "  Adds two numbers.\n",
        "  a     number, required\n        The first one.\n",
        "  b     number, required\n",
        "  note  string, optional, default none\n",
        "  mcplink call math sum a=1 b=1\n",
    ] {
        assert!(shown.contains(line), "{line:?}: {shown}");
    }
    let document = setting.run(&["tools", "math", "sum", "--json"], 0).json();
    assert_eq!(document["tools"].as_array().unwrap().len(), 1);
    assert_eq!(document["tools"][0]["inputSchema"]["required"], json!(["a", "b"]));
    let unknown = setting.run(&["tools", "math", "sun"], 5).stderr;
    assert!(
        unknown.contains("did you mean \"sum\"?") && unknown.contains("next: mcplink tools math"),
        "{unknown}"
    );
}

#[test]
fn fh_h6_a_wrong_call_names_the_argument_that_is_missing() {
    let server = server();
    let setting = Setting::of("math", http(&server));
    let output = setting.run(&["call", "math", "sum", "a=1"], 5);
    assert!(output.stdout.contains("expected number at b"), "{output}");
    assert!(output.stderr.contains("missing: `b` (number)"), "{output}");
    assert!(output.stderr.contains("next: mcplink tools math sum"), "{output}");
    let output = setting.run(&["call", "math", "sum", "a=1", "b=2"], 5);
    assert!(!output.stderr.contains("missing"), "{output}");
}
