//! `mcplink menu --web`: who is let in, what is told, and the page in a real browser.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use mcp_harness::{Running, lead_through, real_or_skip};
use mcp_testkit::{Accept, FakeHelper, FakeMcpServer, FakeTool};
use serde_json::{Value, json};

use crate::setting::{Setting, http, with_headers, with_helper};

/// A page that is served.
pub(crate) struct Served<'a> {
    running: Running<'a>,
    port: u16,
}

impl<'a> Served<'a> {
    pub(crate) fn start(setting: &'a Setting) -> Self {
        let running = setting.mcplink(&["menu", "--web", "--json", "--non-interactive"]).start();
        let first = running.wait_for_stdout("the address", |text| text.contains('\n'));
        let port = first.split("127.0.0.1:").nth(1).unwrap().split('/').next().unwrap().parse().unwrap();
        Self { running, port }
    }

    /// The newest address.
    fn address(&self) -> String {
        let text = self.running.stdout();
        let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        line["url"].as_str().unwrap().to_owned()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// The status and all of the answer to one request with these lines besides.
    fn ask(&self, request: &str, lines: &str, body: &str) -> (u16, String) {
        let mut stream = self.connect();
        let text = format!(
            "{request} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Length: {}\r\n{lines}\r\n{body}",
            self.port,
            body.len()
        );
        // Where it is refused before all of it is read, the rest is not taken.
        drop(stream.write_all(text.as_bytes()));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer).into_owned();
        (answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0), answer)
    }

    /// As the page itself posts.
    fn post(&self, path: &str, lines: &str, body: &str) -> (u16, String) {
        let own =
            format!("Origin: http://127.0.0.1:{}\r\nContent-Type: application/json\r\n{lines}", self.port);
        self.ask(&format!("POST {path}"), &own, body)
    }

    /// The line that carries the token.
    pub(crate) fn token(&self) -> String {
        let address = self.address();
        let code = address.split_once("#code=").unwrap().1;
        let (status, answer) = self.post("/begin", "", &json!({ "code": code }).to_string());
        assert_eq!(status, 200, "{answer}");
        let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        format!("X-Mcplink-Token: {}\r\n", body["token"].as_str().unwrap())
    }

    /// What the page is sent until a document is as wanted, with the whole text until then.
    #[track_caller]
    pub(crate) fn wait_for_document(&self, token: &str, is_it: impl Fn(&Value) -> bool) -> (Value, String) {
        let mut stream = self.connect();
        let host = format!("Host: 127.0.0.1:{}\r\n", self.port);
        stream.write_all(format!("GET /events HTTP/1.1\r\n{host}{token}\r\n").as_bytes()).unwrap();
        let (mut text, mut chunk) = (String::new(), [0; 16 * 1024]);
        let began = Instant::now();
        loop {
            let read = stream.read(&mut chunk).unwrap_or(0);
            assert!(read > 0 && began.elapsed() < Duration::from_secs(30), "never:\n{text}");
            text.push_str(&String::from_utf8_lossy(&chunk[..read]));
            let whole = text.split("\n\n").filter_map(|event| event.split_once("data: "));
            if let Some(document) =
                whole.filter_map(|(_, data)| serde_json::from_str(data).ok()).find(|document| is_it(document))
            {
                return (document, text);
            }
        }
    }
}

fn server<'d>(document: &'d Value, name: &str) -> &'d Value {
    let servers = document["servers"].as_array().unwrap();
    servers.iter().find(|server| server["id"] == name).unwrap_or(&Value::Null)
}

#[test]
fn s_w1_strangers_learn_nothing_and_do_nothing_and_do_not_keep_others_out() {
    let up = FakeMcpServer::start().unwrap();
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let helper = FakeHelper::new().unwrap();
    let setting = Setting::new();
    let (key, minted) = (setting.home.secret("header"), setting.home.secret("helper"));
    helper.prints_bearer(&minted);
    let setting = setting
        .with("files", with_headers(&up, json!({ "X-Api-Key": key })))
        .with("tickets", with_helper(&refusing, &helper));
    let before = setting.home.snapshot();
    let served = Served::start(&setting);
    let (status, page) = served.ask("GET /", "", "");
    assert_eq!(status, 200);
    assert!(!page.contains("files") && !page.contains("tickets"), "the page itself holds nothing");
    for header in [
        "content-security-policy: default-src 'none'; script-src 'sha256-",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "x-frame-options: DENY",
        "x-content-type-options: nosniff",
    ] {
        assert!(page.contains(header), "{header}\n{}", page.split_once("\r\n\r\n").unwrap().0);
    }
    assert!(!page.to_ascii_lowercase().contains("access-control-") && !page.contains("'unsafe-"), "{page}");
    let press = r#"{"act":"key","server":"files","key":"x"}"#;
    let wrong = format!("X-Mcplink-Token: {}\r\n", "0".repeat(64));
    assert_eq!(served.ask("GET /events", "", "").0, 401);
    assert_eq!(served.ask("GET /events", &wrong, "").0, 401);
    assert_eq!(served.post("/act", &wrong, press).0, 401);
    assert_eq!(served.post("/begin", "", r#"{"code":"0"}"#).0, 401);
    let token = served.token();
    let foreign = |lines: &str| format!("Content-Type: application/json\r\n{token}{lines}");
    assert_eq!(served.ask("POST /act", &foreign("Origin: https://evil.example\r\n"), press).0, 403);
    assert_eq!(served.ask("POST /act", &foreign(""), press).0, 403);
    assert_eq!(served.ask("GET /events", &format!("{token}Sec-Fetch-Site: cross-site\r\n"), "").0, 403);
    assert_eq!(served.ask("GET /", "Host: evil.example\r\n", "").0, 421);
    assert_eq!(served.post("/act", &token, &"x".repeat(1 << 20)).0, 413);
    assert_eq!(served.post("/act", &token, "{}").0, 400);
    // Connections that say nothing, and more of them than are kept.
    let silent: Vec<TcpStream> = (0..200).map(|_| served.connect()).collect();
    let is_down = |document: &Value| server(document, "tickets")["status"] == "needs-auth";
    let (document, text) = served.wait_for_document(&token, is_down);
    assert_eq!(server(&document, "files")["status"], "connected", "nothing of that was done: {document}");
    drop(silent);
    // What it does, it does; its helper runs, and its header is sent.
    let ran = helper.runs();
    assert_eq!(served.post("/act", &token, r#"{"act":"key","server":"tickets","key":"r"}"#).0, 202);
    let (_, more) = served.wait_for_document(&token, |document| document["message"] == "tickets: needs-auth");
    assert!(helper.runs() > ran);
    assert_eq!(served.post("/act", &token, r#"{"act":"key","server":"tickets","key":"h"}"#).0, 202);
    let (_, helped) = served.wait_for_document(&token, |document| document["panel"]["stage"] == "ended");
    assert!(helped.contains("mcplink headers tickets --run"), "{helped}");
    for (place, text) in
        [("the page", &page), ("events", &text), ("more events", &more), ("a command", &helped)]
    {
        setting.home.canaries().assert_absent(place, text.as_bytes());
    }
    assert!(setting.home.snapshot().paths().count() <= before.paths().count() + 4, "looking keeps nothing");
    assert_eq!(served.post("/act", &token, press).0, 202);
    served.wait_for_document(&token, |document| server(document, "files")["status"] == "disabled");
    served.running.signal("INT");
    let output = served.running.wait().expect_code(130);
    assert!(
        !output.stdout.contains(token.trim().split(' ').nth(1).unwrap()),
        "the token is nowhere but in the page"
    );
}

#[test]
fn a_person_uses_the_page_by_keyboard_in_the_dark_and_on_a_phone() {
    let up = FakeMcpServer::start().unwrap();
    let refusing = FakeMcpServer::builder().accept(Accept::Nothing).start().unwrap();
    let helper = FakeHelper::new().unwrap();
    helper.prints_bearer("old");
    let hostile = "<img src=x onerror=alert(1)> 日本語 a-name-that-is-longer-than-most-screens-are-wide";
    let setting = Setting::of("files", http(&up))
        .with("tickets", with_helper(&refusing, &helper))
        .with(hostile, http(&up));
    let served = Served::start(&setting);
    let pictures = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let picture = |name: &str| json!(["picture", pictures.join(name)]);
    let focus = || json!(["value", "document.activeElement.textContent"]);
    let wide = || json!(["value", "document.scrollingElement.scrollWidth <= innerWidth"]);
    let steps = [
        json!(["see", "3 servers: 2 connected, 1 needs you"]),
        picture("web-light.png"),
        // Nothing but keys: the filter, the list, the server, its first action.
        json!(["press", "/"]),
        json!(["type", "tick"]),
        json!(["press", "ArrowDown"]),
        focus(),
        json!(["press", "Enter"]),
        json!(["press", "Tab"]),
        focus(),
        json!(["press", "Enter"]),
        json!(["see", "tickets: needs-auth"]),
        focus(),
        json!(["press", "Escape"]),
        json!(["press", "/"]),
        json!(["press", "Escape"]),
        // A command with its output.
        json!(["click", "button", "doctor"]),
        json!(["see", "cause"]),
        json!([
            "value",
            "(({ scrollHeight: all, clientHeight: seen, scrollTop: at }) => all > seen && all - seen - at < 2)(document.querySelector('pre'))"
        ]),
        json!(["value", "getComputedStyle(document.querySelector('pre .line')).textIndent.startsWith('-')"]),
        json!(["scheme", "dark"]),
        json!(["value", "getComputedStyle(document.body).backgroundColor"]),
        picture("web-dark.png"),
        json!(["click", "button", "close"]),
        json!([
            "value",
            "(async () => { while (document.querySelector('#one section')) await new Promise((done) => setTimeout(done, 20)); return document.activeElement.textContent; })()"
        ]),
        json!(["size", 360, 740]),
        wide(),
        picture("web-phone.png"),
        json!(["click", "button", "tickets needs-auth"]),
        json!(["see", "← all servers"]),
        wide(),
        picture("web-phone-one.png"),
        json!(["click", "button", "← all servers"]),
        focus(),
        json!(["load"]),
        json!(["see", "3 servers: 2 connected, 1 needs you"]),
        json!(["value", "[localStorage.length, sessionStorage.length, document.cookie]"]),
    ];
    let Some(seen) = real_or_skip(lead_through(&served.address(), &steps)) else { return };
    let values: Vec<&Value> = seen.values.iter().collect();
    let [at_list, at_action, still, end, hangs, dark, closed, wide_list, wide_one, back, kept] = values[..]
    else {
        panic!("{values:?}")
    };
    for place in [at_list, back] {
        assert!(place.as_str().unwrap().contains("tickets"), "{values:?}");
    }
    assert_eq!((at_action, still), (&json!("reconnect"), &json!("reconnect")), "the focus stays where it is");
    assert_eq!(
        (end, hangs),
        (&json!(true), &json!(true)),
        "what a command comes to is seen, below its labels"
    );
    assert_eq!(closed, "doctor", "the button that began it has the focus again");
    assert_eq!(dark, "rgb(18, 21, 27)");
    assert_eq!((wide_one, wide_list), (&json!(true), &json!(true)), "nothing is wider than the screen");
    assert_eq!(kept, &json!([0, 0, ""]), "nothing is stored");
    assert_eq!((seen.console, seen.elsewhere), (Vec::<String>::new(), Vec::<String>::new()));
    served.running.signal("TERM");
    served.running.wait().expect_code(143);
}

/// The whole way of a person in a desktop host: a project's server is pending; what it would run is shown, agreed to, and used.
#[test]
fn s_w1_what_was_shown_is_agreed_to_and_what_it_became_meanwhile_is_not() {
    let server = FakeMcpServer::start().unwrap();
    let setting = Setting::new().project_file(json!({ "db": http(&server) }));
    let served = Served::start(&setting);
    let token = served.token();
    let act = |body: Value| served.post("/act", &token, &body.to_string()).0;
    let wait_for = |is_it: &dyn Fn(&Value) -> bool| served.wait_for_document(&token, is_it).0;
    wait_for(&|document| server_is(document, "db", "pending"));
    // What is confirmed without having been shown is nothing, and neither is a stranger's word.
    assert_eq!(act(json!({ "act": "confirm", "mark": 1 })), 202);
    assert_eq!(act(json!({ "act": "key", "server": "db", "key": "a" })), 202);
    let shown = wait_for(&|document| document["panel"]["stage"] == "offers");
    let text = shown["panel"]["lines"].to_string();
    assert!(text.contains("/mcp") && text.contains(".mcp.json:"), "{shown:#}");
    let wrong = format!("X-Mcplink-Token: {}\r\n", "0".repeat(64));
    let mark = shown["panel"]["mark"].as_u64().unwrap();
    let confirm = json!({ "act": "confirm", "mark": mark });
    assert_eq!(served.post("/act", &wrong, &confirm.to_string()).0, 401);
    let foreign = format!("Content-Type: application/json\r\n{token}Origin: http://localhost:1\r\n");
    assert_eq!(served.ask("POST /act", &foreign, &confirm.to_string()).0, 403);
    assert_eq!(act(json!({ "act": "confirm", "mark": mark + 1 })), 202);
    assert_eq!(server.requests().len(), 0, "it is not contacted before");
    // The file becomes another one while the question waits.
    let other = FakeMcpServer::start().unwrap();
    let changed = json!({ "mcpServers": { "db": http(&other) } });
    setting.home.write_project(".mcp.json", changed.to_string()).unwrap();
    assert_eq!(act(confirm), 202);
    wait_for(&|document| document["panel"]["stage"] == "ended");
    assert!(
        setting.mcplink(&["status", "db"]).run().expect_code(3).stdout.contains("changed"),
        "not what was shown"
    );
    assert_eq!((server.requests().len(), other.requests().len()), (0, 0));
    // Once more, and agreed to as it is.
    assert_eq!(act(json!({ "act": "key", "server": "db", "key": "a" })), 202);
    let shown = wait_for(&|document| document["panel"]["stage"] == "offers");
    let mark = &shown["panel"]["mark"];
    assert_eq!(act(json!({ "act": "confirm", "mark": mark })), 202);
    wait_for(&|document| server_is(document, "db", "connected"));
    assert_eq!(act(json!({ "act": "key", "server": "db", "key": "o" })), 202);
    wait_for(&|document| document["panel"]["stage"] == "tools");
    assert_eq!(act(json!({ "act": "call", "arguments": { "a": "1" } })), 202);
    assert_eq!(other.count("tools/call"), 0, "no form is open");
    served.running.signal("INT");
    let _ = served.running.wait().expect_code(130);
}

/// The tools of a server that pins them: what was shown is approved, and what the server says since is not.
#[test]
fn s_w1_s_m17_tools_are_approved_on_the_page_as_they_were_shown() {
    let up = FakeMcpServer::start().unwrap();
    let tool = |said: &str| {
        let definition = json!({ "name": "send", "description": said, "inputSchema": { "type": "object" } });
        FakeTool::custom(definition, json!({ "content": [] }))
    };
    up.set_tools(vec![tool("Sends.")]);
    let mut entry = http(&up);
    entry["pinTools"] = json!(true);
    let setting = Setting::of("x", entry);
    let served = Served::start(&setting);
    let token = served.token();
    let act = |body: Value| served.post("/act", &token, &body.to_string()).0;
    let told = |is_it: &dyn Fn(&Value) -> bool| served.wait_for_document(&token, is_it).0;
    let unapproved = |document: &Value| server(document, "x")["reason"].to_string().contains("1 of 1 tools");
    let offer = || {
        assert_eq!(act(json!({ "act": "key", "server": "x", "key": "a" })), 202);
        told(&|document| document["panel"]["stage"] == "offers")["panel"].clone()
    };
    told(&unapproved);
    let shown = offer();
    let lines = shown["lines"].to_string();
    assert!(lines.contains("new       send") && lines.contains("description: Sends."), "{shown:#}");
    // The command agrees to the same, and to nothing else.
    let digest =
        setting.run(&["approve-tools", "x", "--json"], 3).json()["digest"].as_str().unwrap().to_owned();
    assert_eq!(shown["command"], format!("mcplink approve-tools x --yes={digest}"));
    up.set_tools(vec![tool("Sends to evil.")]);
    assert_eq!(act(json!({ "act": "confirm", "mark": shown["mark"] })), 202);
    let ended = told(&|document| document["panel"]["stage"] == "ended");
    assert_eq!(ended["panel"]["lines"], json!(["1 tool of x approved"]), "{ended:#}");
    let left = setting.run(&["approve-tools", "x"], 3);
    assert!(left.stdout.contains("changed   send"), "{left}");
    let shown = offer();
    assert!(shown["lines"].to_string().contains("Sends. → Sends to evil."), "{shown:#}");
    // Left alone, nothing is approved.
    assert_eq!(act(json!({ "act": "close" })), 202);
    assert_eq!(act(json!({ "act": "confirm", "mark": shown["mark"] })), 202);
    setting.run(&["approve-tools", "x"], 3);
    let mark = offer()["mark"].clone();
    assert_eq!(act(json!({ "act": "confirm", "mark": mark })), 202);
    told(&|document| server_is(document, "x", "connected") && !unapproved(document));
    assert_eq!(act(json!({ "act": "key", "server": "x", "key": "a" })), 202, "it is offered no more");
    served.running.signal("INT");
    let _ = served.running.wait().expect_code(130);
}

fn server_is(document: &Value, name: &str, status: &str) -> bool {
    server(document, name)["status"] == status
}

#[test]
fn a_person_agrees_to_a_server_and_calls_a_tool_with_nothing_but_keys() {
    let up = FakeMcpServer::start().unwrap();
    let setting = Setting::new().project_file(json!({ "db": http(&up) }));
    let served = Served::start(&setting);
    let focus =
        || json!(["value", "document.activeElement.dataset.key ?? document.activeElement.textContent"]);
    let wide = || json!(["value", "document.scrollingElement.scrollWidth <= innerWidth"]);
    let pictures = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let picture = |name: &str| json!(["picture", pictures.join(name)]);
    let press = |key: &str| json!(["press", key]);
    let steps = [
        json!(["see", "pending"]),
        press("/"),
        press("ArrowDown"),
        press("Enter"),
        press("Tab"),
        focus(),
        press("Enter"),
        json!(["see", "This is what it would allow"]),
        focus(),
        picture("web-consent.png"),
        press("Tab"),
        press("Enter"),
        json!(["see", "db is approved"]),
        json!(["see", "connected"]),
        json!(["click", "button", "tools"]),
        json!(["see", "Adds two numbers"]),
        focus(),
        picture("web-tools.png"),
        json!(["type", "add"]),
        press("Tab"),
        press("Enter"),
        json!(["see", "all tools"]),
        focus(),
        json!(["type", "x"]),
        press("Enter"),
        json!(["see", "must be number"]),
        press("Backspace"),
        json!(["type", "2"]),
        press("Tab"),
        json!(["type", "40"]),
        json!(["see", "a=2 b=40"]),
        press("Enter"),
        json!(["see", "result after"]),
        json!(["see", "42"]),
        json!(["scheme", "dark"]),
        json!(["size", 360, 740]),
        wide(),
        picture("web-form-phone.png"),
    ];
    let Some(seen) = real_or_skip(lead_through(&served.address(), &steps)) else { return };
    let expected = [json!("act a"), json!("approve"), json!("tools"), json!("field add a"), json!(true)];
    assert_eq!(seen.values, expected);
    assert_eq!((seen.console, seen.elsewhere), (Vec::<String>::new(), Vec::<String>::new()));
    assert_eq!(up.count("tools/call"), 1, "what is wrong is not sent");
    served.running.signal("TERM");
    let _ = served.running.wait().expect_code(143);
}

#[test]
fn a_port_that_is_taken_is_told_and_a_terminal_is_not_needed() {
    let setting = Setting::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = setting.run(&["menu", "--web", "--port", &port], 2);
    assert!(output.stderr.contains("cannot be listened on"), "{output}");
    setting.run(&["menu", "--port", "1"], 2);
    let running = setting.mcplink(&["menu", "--web", "--non-interactive"]).start();
    let shown = running.wait_for_stdout("the address", |text| text.contains("Ctrl-C"));
    assert!(shown.contains("http://127.0.0.1:") && shown.contains("as you asked"), "{shown}");
    running.signal("INT");
    running.wait().expect_code(130);
}
