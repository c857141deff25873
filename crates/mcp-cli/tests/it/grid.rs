//! One secret in each place that can hold one, repeated in each spelling by what was given it, on each surface.
//!
//! A new place, spelling or surface is one line of a table. The harness looks for the secret itself; each spelling of it is
//! a secret as well.
//!
//! Longer than 500 lines because places, spellings and surfaces are one grid, and each test takes them all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mcp_testkit::{FakeMcpServer, FakeTool};
use serde_json::{Value, json};

use crate::local::SERVER;
use crate::setting::Setting;

type Spell = fn(&str) -> String;

fn each(secret: &str, spell: impl Fn(u8) -> String) -> String {
    secret.bytes().map(spell).collect()
}

fn percent(secret: &str) -> String {
    each(secret, |byte| format!("%{byte:02X}"))
}

fn html(secret: &str) -> String {
    secret.replace('/', "&#47;").replace('+', "&#x2B;")
}

const SPELLINGS: &[(&str, Spell)] = &[
    ("raw", |secret| secret.to_owned()),
    ("upper case", |secret| secret.to_ascii_uppercase()),
    ("quoted", |secret| format!("{secret:?}")),
    ("percent", percent),
    ("percent, lower", |secret| percent(secret).to_ascii_lowercase()),
    ("percent, some", |secret| secret.replace('/', "%2F").replace('+', "%2b")),
    ("percent, twice", |secret| secret.replace('/', "%252F").replace('+', "%252B")),
    ("percent, all of it twice", |secret| percent(&percent(secret))),
    ("base64", |secret| STANDARD.encode(secret)),
    ("base64url", |secret| URL_SAFE_NO_PAD.encode(secret)),
    ("base64 behind a name", |secret| STANDARD.encode(format!("me:{secret}"))),
    ("base64 within", |secret| STANDARD.encode(format!("{{\"k\":\"{secret}\"}}"))),
    ("base64, percent", |secret| percent(&STANDARD.encode(secret))),
    ("slashes", |secret| secret.replace('/', "\\/")),
    ("units", |secret| each(secret, |byte| format!("\\u{byte:04x}"))),
    ("units, upper", |secret| each(secret, |byte| format!("\\u{byte:04X}"))),
    ("units, some", |secret| secret.replace('/', "\\u002f").replace('+', "\\u002B")),
    ("units, twice", |secret| secret.replace('/', "\\\\u002f")),
    ("json in json", |secret| json!(json!({ "k": secret }).to_string().replace('/', "\\/")).to_string()),
    ("hex", |secret| each(secret, |byte| format!("{byte:02x}"))),
    ("hex, upper", |secret| each(secret, |byte| format!("{byte:02X}"))),
    ("hex, both cases", |secret| each(secret, |b| format!("{:x}{:X}", b >> 4, b & 15))),
    ("hex, dumped", |secret| each(secret, |byte| format!("{byte:02x}:"))),
    ("hex, with blanks", |secret| each(secret, |byte| format!("{byte:02x} "))),
    ("bytes", |secret| each(secret, |byte| format!("\\x{byte:02x}"))),
    ("html", html),
    ("html, all", |secret| each(secret, |byte| format!("&#{byte};"))),
    ("quoted-printable", |secret| secret.replace('/', "=2F").replace('+', "=2B")),
    ("first half", |secret| secret[..20].to_owned()),
    ("second half", |secret| secret[20..].to_owned()),
    ("on two lines", |secret| format!("{}\n{}", &secret[..20], &secret[20..])),
    ("with what is not seen", |secret| format!("{}\u{200b}\u{1b}[31m{}", &secret[..9], &secret[9..])),
    ("with what is not seen between all", |secret| {
        secret.chars().map(|letter| format!("{letter}\u{200b}\u{ad}")).collect()
    }),
];

/// A helper whose line says nothing of what it prints.
const MINTING: &str = r#"printf '{"X-Key":"%s"}' "$CANARY""#;

/// An entry with the secret in one place, for a server at this URL, or one that runs this script.
type Place = fn(server: &str, secret: &str) -> Value;

const REMOTE: &[(&str, Place)] = &[
    ("header", |url, secret| with(url, json!({ "X-Api-Key": secret }))),
    ("bearer", |url, secret| with(url, json!({ "Authorization": format!("Bearer {secret}") }))),
    ("basic", |url, secret| {
        with(url, json!({ "Authorization": format!("Basic {}", STANDARD.encode(format!("me:{secret}"))) }))
    }),
    ("cookie", |url, secret| with(url, json!({ "Cookie": format!("a=b; sid={secret}") }))),
    ("variable", |url, _| with(url, json!({ "X-Api-Key": "${CANARY}" }))),
    ("default", |url, secret| with(url, json!({ "X-Api-Key": format!("${{UNSET:-{secret}}}") }))),
    ("query", |url, secret| at(format!("{url}?api_key={}", percent(secret)))),
    ("variable in the query", |url, _| at(format!("{url}?k=${{CANARY}}"))),
    ("path", |url, secret| at(format!("{url}/{}", percent(secret)))),
    ("userinfo", |url, secret| at(url.replace("://", &format!("://me:{}@", percent(secret))))),
    ("helper", |url, secret| helped(url, format!("printf '{{\"X-Key\":\"%s\"}}' '{secret}'"))),
    // Known to the connection alone.
    ("minted", |url, _| helped(url, MINTING.to_owned())),
];

/// The same for a local server, which tells the spelling on its stderr and ends.
const LOCAL: &[(&str, Place)] = &[
    ("argument", |script, secret| started(script, &["--api-key", secret])),
    ("argument, glued", |script, secret| started(script, &[&format!("--db-pass={secret}")])),
    ("argument, pair", |script, secret| started(script, &["-u", &format!("me:{secret}")])),
    ("argument, url", |script, secret| started(script, &[&format!("postgres://u:{}@h/d", percent(secret))])),
    ("argument, variable", |script, _| started(script, &["${CANARY}"])),
    ("environment", |script, secret| {
        let mut entry = started(script, &[]);
        entry["env"] = json!({ "SOME_KEY": secret });
        entry
    }),
    ("environment, variable", |script, _| {
        let mut entry = started(script, &[]);
        entry["env"] = json!({ "WHATEVER": "${CANARY}" });
        entry
    }),
    ("inherited", |script, _| started(script, &[])),
    ("helper that fails", |script, secret| {
        helped("http://127.0.0.1:1/mcp", format!("printf '{{\"X-Key\":\"%s\"}}' '{secret}'; {script}"))
    }),
];

/// What is run on all servers: what contacts them, and what only reads the files; and what is run on one of each place.
const ON_ALL: &[&[&str]] = &[&["status"], &["status", "--json", "-vv"]];
const ON_FILES: &[&[&str]] =
    &[&["list"], &["list", "--json"], &["validate"], &["status", "--offline"], &["paths"]];
const ON_ONE: &[&[&str]] = &[
    &["get", "NAME"],
    &["get", "NAME", "--json"],
    &["status", "NAME", "--json"],
    &["reconnect", "NAME"],
    &["tools", "NAME"],
    &["call", "NAME", "echo", "text=x"],
    &["call", "NAME", "echo", "text=x", "--json"],
    &["ping", "NAME", "--json"],
    &["resources", "NAME"],
    &["read", "NAME", "x:y"],
    &["prompt", "NAME", "greet", "--json"],
    &["wait", "NAME", "--timeout", "1s"],
    &["login", "NAME", "--no-browser"],
    &["logout", "NAME", "--json"],
    &["bridge", "NAME"],
    &["logs", "NAME"],
    &["headers", "NAME", "--run"],
];
/// How much is logged: the flag, and `RUST_LOG`.
const LOGS: &[(&[&str], &str)] = &[(&[], "off"), (&["-vv"], "trace")];

fn at(url: String) -> Value {
    json!({ "type": "http", "url": url })
}

fn with(url: &str, headers: Value) -> Value {
    json!({ "type": "http", "url": url, "headers": headers })
}

fn helped(url: &str, helper: String) -> Value {
    json!({ "type": "http", "url": url, "headersHelper": helper })
}

fn started(script: &str, args: &[&str]) -> Value {
    let args = [&["-c", script, "sh"][..], args].concat();
    json!({ "command": "sh", "args": args })
}

/// How a server repeats the secret.
#[derive(Clone, Copy, Debug)]
enum Repeats {
    Text,
    Json,
    RpcError,
    Challenge,
    OwnName,
    OwnMethod,
    ListError,
    Lists,
}

impl Repeats {
    /// Status, headers and body of the answer to this request.
    fn answer(self, request: &Value, all: &[String], spelling: usize) -> (&'static str, String, String) {
        let words = all[spelling].as_str();
        let rpc = |member: &str, value: Value| {
            json!({ "jsonrpc": "2.0", "id": request["id"], member: value }).to_string()
        };
        let json = "Content-Type: application/json".to_owned();
        let error = || json!({ "code": -32000, "message": words, "data": { "why": words } });
        let named = |name: &str| {
            let info = json!({ "name": name, "version": name });
            let capabilities = json!({ "tools": {}, "resources": {}, "prompts": {} });
            json!({ "protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info, "instructions": name })
        };
        match (self, request["method"].as_str().unwrap_or_default()) {
            (Self::Text, _) => ("400 Bad Request", "Content-Type: text/plain".into(), words.to_owned()),
            (Self::Json, _) => {
                ("422 Unprocessable", json, json!({ "error": "x", "message": words }).to_string())
            }
            (Self::Challenge, _) => {
                // What a header can carry.
                let said: String = words.chars().filter(|c| matches!(c, ' '..='~')).collect();
                let said = said.replace('\\', "\\\\").replace('"', "\\\"");
                let header = format!(
                    "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"{said}\", realm=\"{said}\""
                );
                ("401 Unauthorized", header, String::new())
            }
            (Self::OwnName, "initialize") => ("200 OK", json, rpc("result", named(words))),
            (Self::Lists, "initialize") => ("200 OK", json, rpc("result", named("x"))),
            // All spellings at once: a list has room for them.
            (Self::Lists, "tools/list") => {
                let tool = |words: &String| {
                    let properties = json!({ "a": { "description": words }, words: {} });
                    let schema = json!({ "type": "object", "properties": properties, "required": [words] });
                    json!({ "name": words, "description": words, "inputSchema": schema })
                };
                let mut tools: Vec<Value> = all.iter().map(tool).collect();
                let properties: Vec<Value> =
                    all.iter().map(|words| json!({ "description": words })).collect();
                let names = (0..).map(|number| format!("a{number}"));
                let properties: serde_json::Map<String, Value> = names.zip(properties).collect();
                let schema = json!({ "type": "object", "properties": properties });
                tools.push(json!({ "name": "echo", "title": words, "inputSchema": schema }));
                ("200 OK", json, rpc("result", json!({ "tools": tools })))
            }
            (Self::Lists, "resources/list") => {
                let resource =
                    |words: &String| json!({ "uri": format!("x:{words}"), "name": words, "mimeType": words });
                let resources: Vec<Value> = all.iter().map(resource).collect();
                ("200 OK", json, rpc("result", json!({ "resources": resources })))
            }
            (Self::Lists, "prompts/list") => {
                let prompt = |words: &String| {
                    let argument = json!({ "name": words, "required": true });
                    json!({ "name": words, "description": words, "arguments": [argument] })
                };
                let prompts: Vec<Value> = all.iter().map(prompt).collect();
                ("200 OK", json, rpc("result", json!({ "prompts": prompts })))
            }
            (Self::ListError, "initialize") => ("200 OK", json, rpc("result", named("x"))),
            (Self::OwnMethod, "initialize") => ("200 OK", json, rpc("result", named("x"))),
            // The server asks before it answers, which a modern one may not.
            (Self::OwnMethod, _) if !request["id"].is_null() => {
                let asks =
                    json!({ "jsonrpc": "2.0", "id": words, "method": words, "params": { "why": words } });
                let answer = rpc("error", json!({ "code": -32601, "message": "no" }));
                let stream = format!("event: message\ndata: {asks}\n\ndata: {answer}\n\n");
                ("200 OK", "Content-Type: text/event-stream".into(), stream)
            }
            (Self::RpcError, _) | (Self::ListError, _) if !request["id"].is_null() => {
                ("200 OK", json, rpc("error", error()))
            }
            (_, "tools/list") => ("200 OK", json, rpc("result", json!({ "tools": [] }))),
            (_, _) if request["id"].is_null() => ("202 Accepted", json, String::new()),
            (_, _) => ("200 OK", json, rpc("error", json!({ "code": -32601, "message": "no" }))),
        }
    }
}

/// A server of many paths: `/N/..` repeats the secret in the spelling `N`. It ends with the process of the tests.
fn serve(repeats: Repeats, secret: &str) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let words: Vec<String> =
        SPELLINGS.iter().map(|(_, spell)| format!("the key {} fails", spell(secret))).collect();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let words = words.clone();
            thread::spawn(move || converse(client, repeats, &words));
        }
    });
    address
}

fn converse(mut client: TcpStream, repeats: Repeats, words: &[String]) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        let spelling: usize = line.split('/').nth(1)?.parse().ok()?;
        let mut length = 0;
        while !line.trim().is_empty() {
            line.clear();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request = serde_json::from_slice(&body).unwrap_or_default();
        let (status, headers, body) = repeats.answer(&request, words, spelling);
        let length = body.len();
        write!(client, "HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
    }
}

/// A home in which each spelling of the secret is one that must not be shown.
fn secretive() -> (Setting, String) {
    let setting = Setting::new();
    let secret = setting.home.secret("the secret");
    for (label, spell) in SPELLINGS {
        for line in spell(&secret).lines() {
            setting.home.canaries().add(label, line.trim());
        }
    }
    (setting, secret)
}

fn run(setting: &Setting, command: &[&str], secret: &str) {
    for (flags, log) in LOGS {
        run_once(setting, &[command, flags].concat(), secret, log);
    }
}

fn run_once(setting: &Setting, command: &[&str], secret: &str, log: &str) {
    // The harness looks for the secrets.
    let program = setting.mcplink(command).env("CANARY", secret).env("MCP_TIMEOUT", "20000");
    let program = program.env("RUST_LOG", log);
    if command[0] == "bridge" {
        converse_as_a_host(program.start());
    } else {
        let output = program.run();
        assert!(output.code.is_some_and(|code| code != 1), "{command:?}: {output}");
    }
}

/// Asks for what makes a bridge repeat what the server said.
fn converse_as_a_host(mut bridge: mcp_harness::Running<'_>) {
    let client = json!({ "name": "h", "version": "1" });
    let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
    let call = json!({ "name": "echo", "arguments": { "text": "x" } });
    for (id, method, params) in
        [(1, "initialize", params), (2, "tools/list", json!({})), (3, "tools/call", call)]
    {
        let line = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        bridge.write(format!("{line}\n")).unwrap();
        bridge.wait_for_stdout("an answer", |seen| seen.contains(&format!("\"id\":{id}")));
    }
    bridge.close_stdin();
    let _ = bridge.wait();
}

/// Every place and every spelling in one home.
fn fill(setting: &mut Setting, repeats: Repeats, secret: &str) {
    let address = serve(repeats, secret);
    let all = REMOTE.iter().flat_map(|(place, entry)| {
        (0..SPELLINGS.len()).map(move |spelling| {
            let url = format!("http://{address}/{spelling}/mcp");
            (format!("{place} {spelling}"), entry(&url, secret))
        })
    });
    setting.write_all(all);
}

fn grid(repeats: Repeats) {
    let (mut setting, secret) = secretive();
    fill(&mut setting, repeats, &secret);
    for command in ON_ALL {
        run_once(&setting, command, &secret, "trace");
    }
}

#[test]
fn s_m11_k5_no_spelling_in_a_text_gets_through() {
    grid(Repeats::Text);
}

#[test]
fn s_m11_k5_no_spelling_in_a_document_gets_through() {
    grid(Repeats::Json);
}

#[test]
fn s_m11_k5_no_spelling_in_an_error_gets_through() {
    grid(Repeats::RpcError);
}

#[test]
fn s_m11_k5_no_spelling_in_the_error_of_a_list_gets_through() {
    grid(Repeats::ListError);
}

#[test]
fn s_m11_k5_no_spelling_in_a_challenge_gets_through() {
    grid(Repeats::Challenge);
}

#[test]
fn s_m11_k5_no_spelling_in_the_name_of_a_server_gets_through() {
    grid(Repeats::OwnName);
}

/// For people; what a program reads stays as the server sent it.
#[test]
fn s_m11_k5_no_spelling_in_the_lists_of_a_server_gets_through() {
    let (mut setting, secret) = secretive();
    let server = serve(Repeats::Lists, &secret);
    for (place, entry) in REMOTE {
        setting.write("one", entry(&format!("http://{server}/0/mcp"), &secret));
        for command in
            [&["tools", "one"][..], &["tools", "one", "echo"], &["resources", "one"], &["prompts", "one"]]
        {
            let output = setting.mcplink(command).env("CANARY", &secret).run().expect_code(0);
            assert!(output.stdout.matches("the key").count() > 20, "{place}: {output}");
        }
    }
    // The same of a local server.
    let tools = format!("{{\"name\":\"see-{secret}\",\"inputSchema\":{{}}}}");
    let script = SERVER.replacen("\"tools\":[", &format!("\"tools\":[{tools},"), 1);
    assert_ne!(script, SERVER);
    setting.write("one", json!({ "command": "sh", "args": ["-c", script, "sh", "--api-key", secret] }));
    let shown = setting.run(&["tools", "one"], 0).stdout;
    assert!(shown.contains("see-[redacted]"), "{shown}");
}

/// What a command minted, and minted again, is known to the connection alone; others look at it through a live session.
#[test]
fn s_m11_k5_a_minted_token_is_hidden_where_a_live_server_calls_itself_by_it() {
    let (mut setting, secret) = secretive();
    let server = serve(Repeats::OwnName, &secret);
    for spelling in [0, 3, 8, 19] {
        setting.write("one", helped(&format!("http://{server}/{spelling}/mcp"), MINTING.to_owned()));
        let mut bridge = setting.mcplink(&["bridge", "one"]).env("CANARY", &secret).start();
        let client = json!({ "name": "h", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        bridge.write(format!("{hello}\n")).unwrap();
        // What a host is told is as the server sent it, so the harness does not look at that.
        bridge.wait_for_stdout("an answer", |seen| seen.contains("\"id\":1"));
        for command in [&["status", "one", "--offline", "--json"][..], &["status", "one", "--json"], &["ps"]]
        {
            let program = setting.mcplink(&[command, &["-vv"]].concat()).env("CANARY", &secret);
            let output = program.env("RUST_LOG", "trace").run();
            let shown = output.expect_code(0).stdout;
            assert!(command != ["status", "one", "--json"] || shown.contains("[redacted]"), "{shown}");
        }
        bridge.close_stdin();
        std::thread::sleep(std::time::Duration::from_millis(300));
        for path in setting.home.snapshot().paths().filter(|path| path.starts_with("home/.cache")) {
            let kept = std::fs::read(setting.home.root().join(path)).unwrap();
            setting.home.canaries().assert_absent(&path.display().to_string(), &kept);
        }
    }
}

/// Nor in what a person is asked: the words of the question, of its fields and of its choices.
#[test]
fn s_m11_k5_a_question_does_not_repeat_what_a_command_minted() {
    let (mut setting, secret) = secretive();
    for spelling in [0, 3, 8, 19] {
        let (_, spell) = SPELLINGS[spelling];
        let said = spell(&secret);
        let field = json!({ "type": "string", "title": said, "enum": ["a", said], "default": said });
        let schema = json!({ "type": "object", "properties": { "x": field } });
        let params = json!({ "message": format!("sign {said} here"), "requestedSchema": schema });
        let ask = FakeTool::asking("ask", "elicitation/create", params);
        let server = FakeMcpServer::builder().tool(ask).start().unwrap();
        setting.write("one", helped(server.url().as_str(), MINTING.to_owned()));
        let Some(call) = setting.on_a_terminal(&["call", "one", "ask"]) else { return };
        // The harness looks for the secret.
        let call = call.env("CANARY", &secret).stdin("a\ny\n").run();
        assert!(call.stdout.contains("The server asks: sign [redacted]"), "{call}");
    }
}

#[test]
fn s_m11_k5_no_spelling_in_what_a_server_asks_gets_through() {
    grid(Repeats::OwnMethod);
}

#[test]
fn s_m12_k5_no_place_of_a_file_is_shown() {
    let (mut setting, secret) = secretive();
    fill(&mut setting, Repeats::Text, &secret);
    for command in ON_FILES {
        run(&setting, command, &secret);
    }
    for (place, _) in REMOTE {
        run(&setting, &["get", &format!("{place} 0")], &secret);
        run(&setting, &["get", &format!("{place} 0"), "--json"], &secret);
    }
}

#[test]
fn s_m11_k5_no_command_on_a_server_lets_one_through() {
    let (mut setting, secret) = secretive();
    let servers =
        [Repeats::Text, Repeats::RpcError, Repeats::ListError].map(|repeats| serve(repeats, &secret));
    for (index, command) in ON_ONE.iter().enumerate() {
        let (_, entry) = REMOTE[index % REMOTE.len()];
        let spelling = index * 5 % SPELLINGS.len();
        let url = format!("http://{}/{spelling}/mcp", servers[index % servers.len()]);
        setting.write("one", entry(&url, &secret));
        let command: Vec<&str> =
            command.iter().map(|word| if *word == "NAME" { "one" } else { *word }).collect();
        run(&setting, &command, &secret);
    }
}

#[test]
fn s_n09_s_n10_s_n12_k5_no_spelling_on_stderr_gets_through() {
    let (mut setting, secret) = secretive();
    for (index, (place, entry)) in LOCAL.iter().enumerate() {
        for (spelling, (_, spell)) in SPELLINGS.iter().enumerate() {
            let file = setting.home.project().join(format!("words-{spelling}"));
            std::fs::write(&file, format!("the key {} fails\n", spell(&secret))).unwrap();
            setting.write("one", entry(&format!("cat '{}' >&2; exit 3", file.display()), &secret));
            if spelling % LOCAL.len() == index {
                let command = ON_ONE[spelling % ON_ONE.len()];
                let command: Vec<&str> =
                    command.iter().map(|word| if *word == "NAME" { "one" } else { *word }).collect();
                run(&setting, &command, &secret);
            }
            let output = setting
                .mcplink(&["status", "one", "--json", "-vv"])
                .env("CANARY", &secret)
                .env("INHERITED_KEY", &secret)
                .run();
            let is_shown = ["the key", "fails"].iter().any(|words| output.stdout.contains(words));
            assert!(is_shown, "{place}, nothing was told: {output}");
        }
    }
    // One that runs, too.
    setting.write("one", json!({ "command": "sh", "args": ["-c", SERVER, "--token", secret] }));
    run(&setting, &["tools", "one"], &secret);
}
