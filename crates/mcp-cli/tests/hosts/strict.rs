//! Every host with fakes of one era, which break no rule and write as no serialiser would.

use mcp_harness::{Surface, real_or_skip};
use mcp_testkit::{FakeEra, FakeMcpServer, FakeTool, ScriptedAnswer};
use serde_json::{Value, json};

use crate::host::{self, Host, Named};
use crate::unchanged;

/// A result in a spelling that no serialiser of ours would choose, and that every SDK reads.
const ODD: &str = r#"{ "unknown" : {"big":12345678901234567890,"e":1.0e2,"n":1.000000000000000000001,"":[ ]}, "content":[ {"text":"\u0068\u00e9llo \ud83e\udd80 \/ \u2028", "type":"text","\u0061nnotations":{"priority":1.0E-1}} ],	"isError":false , "structuredContent":{"z":1,"a":-0.0,"Z":2} ,"resultType":"complete"}"#;

/// A story of those steps that a fake offers.
fn story() -> Value {
    let call = |name: &str, arguments: Value| json!({ "name": name, "arguments": arguments });
    json!({
        "echo": call("echo", json!({ "text": "h\u{e9}llo \u{1f980} \u{2028}" })),
        "add": call("odd", json!({})),
        "failing": call("fail", json!({})),
        "progress": call("slow", json!({ "steps": Surface::STEPS, "delay_ms": 20 })),
        "endless": call("slow", json!({ "steps": 100_000, "delay_ms": 20 })),
        "resource": "fake://greeting",
        "template": null,
        "prompt": call("greet", json!({})),
        "completion": null,
        "ask": call("ask", json!({})),
        "sampling": null,
        "roots": null,
        "log": null,
        "change": null,
        "update": null,
    })
}

/// A server of one era, with a tool whose result is not what `odd` answers with: the script does.
fn fake(era: FakeEra) -> FakeMcpServer {
    let question = json!({
        "message": "Who is there?",
        "requestedSchema": { "type": "object", "properties": { "name": { "type": "string" } } },
    });
    let ask = FakeTool::asking("ask", "elicitation/create", question);
    let odd = json!({ "name": "odd", "inputSchema": { "type": "object" } });
    let server =
        FakeMcpServer::builder().era(era).tool(ask).tool(FakeTool::custom(odd, json!({}))).start().unwrap();
    // The second call of the story.
    server.next_answers_to("tools/call", [ScriptedAnswer::Honest, ScriptedAnswer::RpcText(ODD.to_owned())]);
    server
}

fn pass_through_the_bridge(host: Host) {
    if real_or_skip(host::all_are_here()).is_none() {
        return;
    }
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let server = fake(era);
        let report = host::tell(host, &server.url(), Named::Url, &story());
        let text =
            |step: &str| report.seen(step)["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("echo"), "h\u{e9}llo \u{1f980} \u{2028}", "{era:?}");
        assert_eq!(text("add"), "h\u{e9}llo \u{1f980} / \u{2028}", "{era:?}");
        assert_eq!(report.seen("failing")["isError"], true, "{era:?}");
        assert!(text("accepted").contains("Ada") && text("declined").contains("decline"), "{era:?}");
        assert_eq!(report.seen("cancel"), "given up", "{era:?}");
        unchanged::assert_unchanged(&report, host.era(), era);
        let seen = match (host.era(), era) {
            (FakeEra::Modern, FakeEra::Legacy) => None,
            // The one member that only the other era has, and no other byte.
            (FakeEra::Legacy, FakeEra::Modern) => Some(ODD.replace(r#" ,"resultType":"complete""#, "")),
            _ => Some(ODD.to_owned()),
        };
        assert!(seen.is_none_or(|seen| report.host_side.has_result(&seen)), "{era:?}");
        assert!(server.violations().is_empty(), "{era:?}: {:?}", server.violations());
    }
}

macro_rules! strict {
    ($($name:ident: $host:ident;)*) => {$(
        #[test]
        fn $name() {
            pass_through_the_bridge(Host::$host);
        }
    )*};
}

strict! {
    python_1_with_strict_servers: Python1;
    python_2_with_strict_servers: Python2Legacy;
    python_2_in_the_modern_era_with_strict_servers: Python2Modern;
    typescript_1_with_strict_servers: TypeScript1;
    typescript_2_with_strict_servers: TypeScript2Legacy;
    typescript_2_in_the_modern_era_with_strict_servers: TypeScript2Modern;
}
