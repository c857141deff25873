//! What a sign-in, a child and a broken store let through, and what they say.

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use mcp_testkit::{
    Accept, AuthEndpoint, FakeAuthServer, FakeBrowser, FakeMcpServer, HttpAnswer, ProtectedResource,
    TempHome, visit,
};
use serde_json::{Value, json};
use url::Url;

use crate::setting::{Setting, http};

/// A server that wants a sign-in, its authorization server, and a home with an entry for it.
fn protected(oauth: Option<Value>) -> (FakeMcpServer, FakeAuthServer, Setting) {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect(&server);
    let mut entry = http(&server);
    if let Some(oauth) = oauth {
        entry["oauth"] = oauth;
    }
    (server, auth, Setting::of("s", entry))
}

/// Every file below the folder of sign-ins.
fn token_files(home: &TempHome) -> Vec<PathBuf> {
    let folder = home.state_dir().join("tokens").join("tokens");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn s_n17_a_sign_in_that_cannot_be_read_is_told_by_its_file_and_no_helper_is_blamed() {
    let (_server, _auth, setting) = protected(None);
    let browser = FakeBrowser::new().unwrap();
    let login = |code| {
        let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.command());
        login.may_hold_secrets("state").run().expect_code(code)
    };
    login(0);
    let [file] = &token_files(&setting.home)[..] else { panic!() };
    let spoil: [(&str, &dyn Fn()); 3] = [
        ("damaged", &|| std::fs::write(file, "{\"access_tok").unwrap()),
        ("not a file", &|| {
            std::fs::remove_file(file).unwrap();
            std::fs::create_dir(file).unwrap();
        }),
        ("a link", &|| {
            std::fs::remove_dir(file).unwrap();
            std::os::unix::fs::symlink("/dev/zero", file).unwrap();
        }),
    ];
    for (what, spoil) in spoil {
        spoil();
        let row = setting.status("s");
        assert_eq!(
            (&row["status"], &row["reason"]["code"]),
            (&json!("needs-auth"), &json!("credentials-failed"))
        );
        let message = row["reason"]["message"].as_str().unwrap();
        assert!(message.contains(&*file.to_string_lossy()), "{what}: {message}");
        assert!(!message.contains("headersHelper"), "{what}: {message}");
        assert_eq!(row["reason"]["next"], "mcplink login s", "{what}");
        setting.run(&["status", "s"], 3);
    }
    std::fs::remove_file(file).unwrap();
    std::fs::write(file, "{").unwrap();
    // The next step is one.
    login(0);
    assert_eq!(setting.status("s")["status"], "connected");
}

#[test]
fn s_n19_neither_a_local_server_nor_a_helper_nor_the_browser_sees_the_client_secret() {
    let server = FakeMcpServer::builder().accept(Accept::header("x-seen", "none")).start().unwrap();
    let mut entry = http(&server);
    entry["headersHelper"] = json!(r#"printf '{"X-Seen":"%s"}' "${MCP_CLIENT_SECRET-none}""#);
    let setting = Setting::of("s", entry);
    let secret = setting.home.secret("client");
    let marks = setting.home.root().join("marks");
    std::fs::create_dir(&marks).unwrap();
    let script = format!("printf %s \"${{MCP_CLIENT_SECRET-none}}\" > '{}'", marks.join("server").display());
    let setting = setting.with("local", json!({ "command": "sh", "args": ["-c", script] }));
    let status = setting.mcplink(&["status", "s", "--json"]).env("MCP_CLIENT_SECRET", &*secret).run();
    assert_eq!(status.json()["servers"][0]["status"], "connected", "{status}");
    let status = setting.mcplink(&["status", "local"]).env("MCP_CLIENT_SECRET", &*secret).run();
    assert_ne!(status.code, Some(0), "it is not a server");
    assert_eq!(std::fs::read_to_string(marks.join("server")).unwrap(), "none");

    let (_server, _auth, setting) = protected(None);
    let mark = setting.home.root().join("browser-saw");
    let browser = setting.home.root().join("browser");
    let script = format!(
        "#!/bin/sh\nprintf %s \"${{MCP_CLIENT_SECRET-none}}\" > '{}'\ncurl -sL \"$1\" >/dev/null &\n",
        mark.display()
    );
    std::fs::write(&browser, script).unwrap();
    std::fs::set_permissions(&browser, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.to_string_lossy());
    login.env("MCP_CLIENT_SECRET", "canary-for-no-server").may_hold_secrets("state").run().expect_code(0);
    assert_eq!(std::fs::read_to_string(mark).unwrap(), "none");
}

#[test]
fn s_n20_a_repositorys_helper_sees_the_proxy_and_not_its_password() {
    let server = FakeMcpServer::builder().accept(Accept::header("x-db", "none")).start().unwrap();
    let mut entry = http(&server);
    entry["headersHelper"] =
        json!(r#"printf '{"X-Proxy":"%s","X-Db":"%s"}' "$HTTPS_PROXY" "${DATABASE_URL-none}""#);
    let setting = Setting::new().project_file(json!({ "s": entry }));
    setting.run(&["approve", "s", "--yes"], 0);
    setting.run(&["trust", "--yes"], 0);
    let secret = "pw-canary-1";
    let status = setting
        .mcplink(&["status", "s", "--json"])
        .env("HTTPS_PROXY", format!("http://u:{secret}@127.0.0.1:1"))
        .env("DATABASE_URL", format!("postgres://u:{secret}@h/db"))
        .run();
    assert_eq!(status.json()["servers"][0]["status"], "connected", "{status}");
    for request in server.requests() {
        assert_eq!(request.header("x-proxy"), Some("http://127.0.0.1:1"));
    }
}

#[test]
fn s_n20_k12_a_repositorys_script_sees_settings_and_what_its_entry_names() {
    let server =
        FakeMcpServer::builder().accept(Accept::header("x-seen", "acme,none,none,AB12-CD34")).start();
    let server = server.unwrap();
    let mut entry = http(&server);
    entry["headersHelper"] = json!("LICENSE=\"$LICENSE\" sh mint.sh");
    let setting = Setting::new().project_file(json!({ "s": entry }));
    let script = r#"printf '{"X-Seen":"%s"}' "$CORP,${SESSION_ID-none},${SLACK_WEBHOOK-none},$LICENSE""#;
    std::fs::write(setting.home.project().join("mint.sh"), script).unwrap();
    setting.run(&["approve", "s", "--yes"], 0);
    setting.run(&["trust", "--yes"], 0);
    let status = setting
        .mcplink(&["status", "s", "--json"])
        .env("CORP", "acme")
        .env("SESSION_ID", "x7f3")
        .env("SLACK_WEBHOOK", "https://hooks.slack.example/services/T0/B0/x7f3")
        .env("LICENSE", "AB12-CD34")
        .run();
    assert_eq!(status.json()["servers"][0]["status"], "connected", "{status}");
}

/// `login` with a client secret in the environment.
fn login(setting: &Setting, browser: &FakeBrowser, secret: &str, code: i32) -> mcp_harness::Output {
    let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.command());
    login.env("MCP_CLIENT_SECRET", secret).may_hold_secrets("state").run().expect_code(code)
}

/// Hosts write the client of their documentation as a variable. It goes out as what that holds, or not at all; the file of a project
/// names no variable of the person's.
#[test]
fn fh_h5_a_client_that_is_a_variable_goes_out_as_what_it_holds_or_not_at_all() {
    let (_server, auth, setting) = protected(Some(json!({ "clientId": "${MY_CLIENT}" })));
    auth.add_public_client("me", &[]);
    let browser = FakeBrowser::new().unwrap();
    let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.command()).env("MY_CLIENT", "me");
    login.may_hold_secrets("state").run().expect_code(0);
    let clients = || -> Vec<String> {
        let asked = auth.requests_to(AuthEndpoint::Authorize);
        let fields = asked.iter().flat_map(|request| request.form());
        fields.filter(|(name, _)| name == "client_id").map(|(_, id)| id).collect()
    };
    assert_eq!(clients(), ["me"]);
    let shown = setting.run(&["get", "s"], 0);
    assert!(shown.stdout.contains("${MY_CLIENT}") && !shown.stdout.contains(" me\n"), "{shown}");
    let unset = setting.mcplink(&["validate"]).run();
    assert!(format!("{unset}").contains("the variable MY_CLIENT is not set; it is left out"), "{unset}");

    let entry = json!({ "s": { "type": "http", "url": "https://h.example", "oauth": { "clientId": "${HOME}", "resource": "${HOME}" } } });
    let of_project = Setting::new().project_file(entry);
    let told = format!("{}", of_project.mcplink(&["validate"]).run());
    assert!(
        told.contains(
            "oauth.clientId: variables are not expanded in `oauth` of a project's file; it is left out"
        ),
        "{told}"
    );
    assert!(
        told.contains("oauth.resource: variables are not expanded in `oauth` of a project's file"),
        "{told}"
    );
}

#[test]
fn s_n21_the_client_secret_waits_for_a_person_who_says_where_it_belongs() {
    let (server, auth, mut setting) = protected(Some(json!({ "clientId": "me" })));
    let secret = setting.home.secret("client");
    auth.add_secret_client("me", &secret, "client_secret_post");
    let browser = FakeBrowser::new().unwrap();
    let output = login(&setting, &browser, &secret, 2);
    assert!(output.stderr.contains(&auth.issuer()) && output.stderr.contains("\"issuer\""), "{output}");
    assert!(output.stderr.lines().count() <= 3, "{output}");
    assert!(browser.arguments().is_empty() && auth.requests_to(AuthEndpoint::Token).is_empty());

    let mut entry = http(&server);
    entry["oauth"] = json!({ "clientId": "me", "issuer": "https://as.example" });
    setting.write("s", entry.clone());
    let output = login(&setting, &browser, &secret, 2);
    assert!(
        output.stderr.contains(&auth.issuer()) && output.stderr.contains("https://as.example"),
        "{output}"
    );
    assert!(browser.arguments().is_empty() && auth.requests_to(AuthEndpoint::Token).is_empty());

    entry["oauth"]["issuer"] = json!(auth.issuer());
    setting.write("s", entry);
    login(&setting, &browser, &secret, 0);
    assert_eq!(setting.status("s")["status"], "connected");
}

#[test]
fn s_n13_a_kept_client_secret_is_told_once_and_gone_after_the_logout() {
    let (server, auth, mut setting) = protected(None);
    let secret = setting.home.secret("client");
    auth.add_secret_client("me", &secret, "client_secret_post");
    let mut entry = http(&server);
    entry["oauth"] = json!({ "clientId": "me", "issuer": auth.issuer() });
    setting.write("s", entry);
    let browser = FakeBrowser::new().unwrap();
    let kept = || {
        let snapshot = setting.home.snapshot();
        snapshot.paths().any(|path| {
            let text = String::from_utf8_lossy(snapshot.contents(path).unwrap_or_default()).into_owned();
            text.contains(&*secret)
        })
    };
    let said = "the client secret is kept with the sign-in";
    assert!(login(&setting, &browser, &secret, 0).stderr.contains(said));
    assert!(kept(), "a refresh needs it");
    assert!(!login(&setting, &browser, &secret, 0).stderr.contains(said), "once");
    let output = setting.mcplink(&["logout", "s"]).may_hold_secrets("state").run().expect_code(0);
    assert!(output.stderr.contains("the client secret that was kept for it is removed"), "{output}");
    assert!(!kept());
}

#[test]
fn s_n16_a_sign_in_survives_the_loss_of_all_its_descriptors() {
    let (_server, _auth, setting) = protected(None);
    let program = env!("CARGO_BIN_EXE_mcplink");
    let script = format!("ulimit -n 64 && exec '{program}' login s --no-browser");
    let mut login = mcp_harness::Mcplink::new("/bin/sh", &setting.home)
        .args(["-c", &script])
        .may_hold_secrets("state")
        .start();
    let shown =
        login.wait_for_stderr("the URL", |text| text.contains("redirect_uri=") && text.contains("paste"));
    let url = shown.split_whitespace().find(|word| word.contains("redirect_uri=")).unwrap();
    let url = Url::parse(url).unwrap();
    let redirect = url.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    let port = Url::parse(&redirect).unwrap().port().unwrap();
    let idle: Vec<TcpStream> = (0..300).map_while(|_| TcpStream::connect(("127.0.0.1", port)).ok()).collect();
    assert!(idle.len() > 64);
    std::thread::sleep(Duration::from_millis(300));
    let pages = visit(&url).unwrap();
    assert!(pages.last().unwrap().body.contains("Signed in"), "{pages:?}");
    drop(idle);
    login.close_stdin();
    login.wait().expect_code(0);
}

/// A server that lets everyone in, and wants a sign-in for `method` alone: only the refusal of that says where its metadata is.
fn in_part(method: &str) -> (FakeMcpServer, FakeAuthServer, Setting) {
    let server = FakeMcpServer::start().unwrap();
    let auth = FakeAuthServer::start().unwrap();
    auth.protect_as(&server, ProtectedResource::new().at("/nowhere/known"));
    server.accept(Accept::Any);
    let challenge = format!("Bearer resource_metadata=\"{}\"", server.url_of("/nowhere/known"));
    server.next_answers_to(method, [HttpAnswer::new(401).header("www-authenticate", challenge).into()]);
    let setting = Setting::of("s", http(&server));
    (server, auth, setting)
}

#[test]
fn fb_o45_a_sign_in_asks_for_what_the_server_has() {
    let (server, _auth, setting) = in_part("tools/list");
    let browser = FakeBrowser::new().unwrap();
    let login = setting.mcplink(&["login", "s"]).env("BROWSER", browser.command());
    let output = login.may_hold_secrets("state/tokens").run().expect_code(0);
    assert!(output.stdout.starts_with("signed in to s with "), "{output}");
    assert!(server.count("tools/list") >= 1);
}

#[cfg(unix)]
#[test]
fn fb_o45_a_call_that_is_refused_is_signed_in_to_at_the_terminal_and_made_again() {
    for (typed, code, calls) in [("yes\n", 0, 2), ("\n", 3, 1)] {
        let (server, auth, setting) = in_part("tools/call");
        let browser = FakeBrowser::new().unwrap();
        let Some(call) = setting.on_a_terminal(&["call", "s", "echo", "text=hello"]) else { return };
        let mut running = call.env("BROWSER", browser.command()).may_hold_secrets("state/tokens").start();
        let asked =
            running.wait_for_stdout("the question", |shown| shown.contains("Type yes to sign in to s now"));
        assert!(
            asked.contains("needs authentication") || asked.contains("the request to s failed"),
            "{asked}"
        );
        running.write(typed).unwrap();
        let output = running.wait().expect_code(code);
        assert_eq!(server.count("tools/call"), calls, "{output}");
        assert_eq!(output.stdout.contains("hello\r\n"), code == 0, "{output}");
        // Whether one could begin is looked at unasked; nothing else is done there.
        assert_eq!(auth.registrations().is_empty(), code != 0, "{output}");
    }
    // Without a terminal nothing is asked, and nothing waits.
    let (server, auth, setting) = in_part("tools/call");
    let output = setting.run(&["call", "s", "echo", "text=hello"], 3);
    assert!(
        output.stderr.contains("next: mcplink login s") && !output.stderr.contains("Type yes"),
        "{output}"
    );
    assert_eq!((server.count("tools/call"), auth.registrations().len()), (1, 0));
}
