//! Every reason, brought about for real, and the step that it names: it runs as printed, is never what was just run, brings
//! a fact or a change, and leads to a server that works or to what only a person can decide.
//! A reason without a situation fails the test.
//!
//! Longer than 500 lines because the situations are one table, which the test holds against all reasons.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mcp_harness::Output;
use mcp_status::ReasonCode;
use mcp_testkit::{
    Accept, FakeAuthServer, FakeBrowser, FakeEra, FakeHelper, FakeMcpServer, HttpAnswer, Refusal,
    ScriptedAnswer,
};
use serde_json::{Value, json};

use crate::setting::{Setting, http, row, with_environment, with_headers, with_helper};

/// Steps after which a way must have ended.
const STEPS: usize = 4;

/// A server `s` in trouble.
struct Situation {
    setting: Setting,
    /// What is run first.
    look: Vec<&'static str>,
    environment: Vec<(&'static str, String)>,
    /// What happens on the other side while the first step runs.
    meanwhile: Option<Box<dyn FnOnce() + Send>>,
    end: End,
    /// It is seen once: what is found out about it is kept.
    once: bool,
    _held: Vec<Box<dyn Any>>,
}

/// Where the steps lead.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    /// The server works.
    Connected,
    /// The last step names what a person has to change: the file, its line, and what of it.
    Shown,
    /// The step is a person's, and no command: it names the rule and the file.
    Says(&'static str),
}

impl Situation {
    fn new(setting: Setting) -> Self {
        Self {
            setting,
            look: vec!["status", "s"],
            environment: Vec::new(),
            meanwhile: None,
            end: End::Shown,
            once: false,
            _held: Vec::new(),
        }
    }

    fn of(entry: Value) -> Self {
        Self::new(Setting::of("s", entry))
    }

    /// A server that answers everything like this.
    fn answering(answer: ScriptedAnswer) -> Self {
        let server = FakeMcpServer::builder().always(answer).start().unwrap();
        Self::of(http(&server)).holding(server)
    }

    /// The same, until the first step has begun.
    fn passing(answer: ScriptedAnswer) -> Self {
        let server = Arc::new(FakeMcpServer::start().unwrap());
        server.next_answers(vec![answer; 100]);
        let entry = http(&server);
        let later = server.clone();
        Self::of(entry).holding(server).until(move || {
            later.clear_script();
        })
    }

    fn refusing(refusal: Refusal) -> Self {
        let server = FakeMcpServer::builder().accept(Accept::Nothing).refuse_with(refusal).start().unwrap();
        Self::of(http(&server)).holding(server)
    }

    /// A server that takes sign-ins, and a person who signs in when a browser opens.
    fn with_sign_in(change: impl FnOnce(&FakeAuthServer)) -> Self {
        Self::with_sign_in_to(&Arc::new(FakeMcpServer::start().unwrap()), change)
    }

    fn with_sign_in_to(server: &Arc<FakeMcpServer>, change: impl FnOnce(&FakeAuthServer)) -> Self {
        let auth = Arc::new(FakeAuthServer::start().unwrap());
        change(&auth);
        Self::signing_in(server, &auth)
    }

    fn signing_in(server: &Arc<FakeMcpServer>, auth: &Arc<FakeAuthServer>) -> Self {
        let (server, auth) = (server.clone(), auth.clone());
        auth.protect(&server);
        let browser = FakeBrowser::new().unwrap();
        let this = Self::of(http(&server)).with("BROWSER", browser.command()).ending(End::Connected);
        this.holding(server).holding(auth).holding(browser)
    }

    fn looking(mut self, more: &[&'static str]) -> Self {
        self.look.extend(more);
        self
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn holding(mut self, what: impl Any) -> Self {
        self._held.push(Box::new(what));
        self
    }

    /// It passes while the first step runs, and then the server works.
    fn until(mut self, meanwhile: impl FnOnce() + Send + 'static) -> Self {
        self.meanwhile = Some(Box::new(meanwhile));
        self.ending(End::Connected)
    }

    fn ending(mut self, end: End) -> Self {
        self.end = end;
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        with_environment(self.setting.mcplink(arguments), &self.environment).run()
    }

    /// What the first look says to do.
    fn first_step(&self) -> String {
        step_of(&self.run(&["status", "s"])).unwrap_or_default()
    }

    /// Runs `step` as a person would who pastes it.
    fn paste(&self, step: &str) -> Output {
        with_environment(self.setting.shell(step), &self.environment).run()
    }
}

/// A server in the trouble that `code` is the name of, once or in several ways.
fn situations(code: ReasonCode) -> Vec<Situation> {
    let refusing = || FakeMcpServer::builder().accept(Accept::bearer("right")).start().unwrap();
    let helper = |prepare: &dyn Fn(&FakeHelper)| {
        let (server, helper) = (refusing(), FakeHelper::new().unwrap());
        prepare(&helper);
        Situation::of(with_helper(&server, &helper)).holding(server).holding(helper)
    };
    let project = |entry: Value| Situation::new(Setting::new().project_file(json!({ "s": entry })));
    match code {
        ReasonCode::Unauthorized => {
            let server = refusing();
            vec![Situation::of(http(&server)).holding(server), Situation::with_sign_in(|_| {})]
        }
        ReasonCode::Forbidden => vec![Situation::refusing(Refusal::forbidden())],
        ReasonCode::LoginRedirect => vec![Situation::answering(ScriptedAnswer::login_page())],
        ReasonCode::Blocked => {
            let page = "<html><title>Access denied</title>Cloudflare Ray ID: 1</html>";
            vec![Situation::refusing(Refusal::forbidden().body("text/html", page))]
        }
        ReasonCode::CredentialsRejected => {
            let server = refusing();
            let headers = with_headers(&server, json!({ "Authorization": "Bearer ${T}" }));
            vec![
                Situation::of(headers).with("T", "wrong").holding(server),
                helper(&|helper| helper.prints_bearer("wrong")),
                helper(&|helper| {
                    helper.prints_bearers_in_turn(&["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"])
                }),
            ]
        }
        ReasonCode::InsufficientScope => {
            let challenge = "Bearer error=\"insufficient_scope\", scope=\"files:write\"";
            let server = FakeMcpServer::builder()
                .accept(Accept::Nothing)
                .refuse_with(Refusal::forbidden().challenge(challenge))
                .start()
                .unwrap();
            let entry = with_headers(&server, json!({ "Authorization": "Bearer small" }));
            let small = Arc::new(FakeMcpServer::start().unwrap());
            let signs_in = Situation::with_sign_in_to(&small, |auth| {
                auth.set(|settings| {
                    settings.scopes = ["files:read", "files:write"].map(str::to_owned).into()
                });
            });
            signs_in.run(&["login", "s", "--oauth-scope", "files:read"]).expect_code(0);
            small.require_scope("tools/list", "files:write");
            vec![Situation::of(entry).holding(server), signs_in]
        }
        ReasonCode::HelperFailed => {
            let failing = helper(&|helper| helper.fails(7, "session expired"));
            // What ended well and printed no headers is no better the next time.
            let wrong = ["no JSON", "[\"a\"]", "{\"X-Count\": 1}", "{\"Authorization\": \"Bearer \"}"];
            let wrong = wrong.map(|printed| {
                let (server, helper) = (refusing(), FakeHelper::new().unwrap());
                helper.prints(printed);
                let situation = Situation::of(with_helper(&server, &helper)).holding(server).holding(helper);
                assert_eq!(situation.first_step(), "mcplink headers s --run", "{printed}");
                situation
            });
            std::iter::once(failing).chain(wrong).collect()
        }
        ReasonCode::CredentialsFailed => {
            let situation = Situation::with_sign_in(|_| {});
            situation.run(&["login", "s"]).expect_code(0);
            let folder = situation.setting.home.state_dir().join("tokens").join("tokens");
            for file in std::fs::read_dir(folder).unwrap() {
                std::fs::write(file.unwrap().path(), "{\"access_tok").unwrap();
            }
            vec![situation]
        }
        ReasonCode::HelperUntrusted => {
            let (server, helper) = (refusing(), FakeHelper::new().unwrap());
            helper.prints_bearer("right");
            let situation = project(with_helper(&server, &helper)).ending(End::Connected);
            situation.run(&["approve", "s", "--yes"]).expect_code(0);
            vec![situation.holding(server).holding(helper)]
        }
        ReasonCode::WithoutHelper => {
            let (server, helper) = (FakeMcpServer::start().unwrap(), FakeHelper::new().unwrap());
            helper.prints_bearer("right");
            let situation = project(with_helper(&server, &helper)).ending(End::Connected);
            situation.run(&["approve", "s", "--yes"]).expect_code(0);
            vec![situation.holding(server).holding(helper)]
        }
        ReasonCode::SignInExpired => {
            let auth = Arc::new(FakeAuthServer::start().unwrap());
            let lasting = |time| auth.set(|settings| settings.token_lifetime = time);
            auth.set(|settings| settings.refresh_error = Some("invalid_grant".to_owned()));
            let situation = Situation::signing_in(&Arc::new(FakeMcpServer::start().unwrap()), &auth);
            lasting(Duration::from_secs(1));
            situation.run(&["login", "s"]).expect_code(0);
            std::thread::sleep(Duration::from_millis(1200));
            // However slow this machine is, the next one is good until it has been looked at.
            lasting(Duration::from_secs(3600));
            vec![Situation { once: true, ..situation }]
        }
        ReasonCode::WrongAccount => {
            let server = Arc::new(FakeMcpServer::start().unwrap());
            let mut situation = Situation::with_sign_in_to(&server, |auth| {
                auth.set(|settings| settings.id_claims = Some(r#"{"sub":"ann"}"#.to_owned()));
            });
            situation.run(&["login", "s"]).expect_code(0);
            // As if another person had signed in before.
            let folder = situation.setting.home.state_dir().join("tokens").join("tokens");
            for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
                let text = std::fs::read_to_string(&file).unwrap();
                std::fs::write(file, text.replace("\"ann\"", "\"bob\"")).unwrap();
            }
            let mut entry = http(&server);
            entry["oauth"] = json!({ "expectSubject": "ann" });
            situation.setting.write("s", entry);
            vec![situation]
        }
        ReasonCode::NotFound => vec![Situation::answering(ScriptedAnswer::status(404))],
        ReasonCode::Rejected => vec![Situation::answering(ScriptedAnswer::status(422))],
        ReasonCode::Unavailable => vec![Situation::passing(ScriptedAnswer::status(503))],
        ReasonCode::RateLimited => vec![Situation::passing(ScriptedAnswer::status(429))],
        ReasonCode::Unreachable => {
            let server = Arc::new(FakeMcpServer::start().unwrap());
            server.go_down();
            let later = server.clone();
            vec![Situation::of(http(&server)).holding(server).until(move || later.come_up().unwrap())]
        }
        ReasonCode::Timeout => vec![Situation::passing(ScriptedAnswer::Hang).with("MCP_TIMEOUT", "1000")],
        ReasonCode::Tls => {
            let server = FakeMcpServer::start().unwrap();
            let url = server.url().as_str().replacen("http:", "https:", 1);
            vec![Situation::of(json!({ "type": "http", "url": url })).holding(server)]
        }
        ReasonCode::ProxyAuth => vec![Situation::answering(ScriptedAnswer::proxy_auth())],
        ReasonCode::Protocol => vec![Situation::answering(ScriptedAnswer::json(json!({ "hello": "world" })))],
        ReasonCode::Moved => {
            vec![Situation::answering(ScriptedAnswer::redirect(308, "https://elsewhere.example/mcp"))]
        }
        ReasonCode::Version => {
            let server =
                FakeMcpServer::builder().era(FakeEra::Legacy).initialize_version("1999-01-01").start();
            let server = server.unwrap();
            vec![Situation::of(http(&server)).holding(server)]
        }
        ReasonCode::Spawn => vec![Situation::of(json!({ "command": "/no/such/program" }))],
        ReasonCode::Exited => vec![Situation::of(json!({ "command": "false" }))],
        ReasonCode::Connecting => {
            vec![Situation::answering(ScriptedAnswer::Hang).looking(&["--timeout", "300ms"])]
        }
        ReasonCode::Retrying => {
            // It waits as long as it is asked to, whenever its first answer comes within the limit.
            let busy = ScriptedAnswer::Http(HttpAnswer::new(503).header("Retry-After", "60"));
            vec![Situation::answering(busy).looking(&["--retry", "--timeout", "4s"])]
        }
        ReasonCode::AwaitingApproval => {
            let server = FakeMcpServer::start().unwrap();
            vec![project(http(&server)).holding(server).ending(End::Connected)]
        }
        ReasonCode::ChangedSinceApproval => {
            let server = FakeMcpServer::start().unwrap();
            let situation = project(json!({ "command": "x" })).ending(End::Connected);
            situation.run(&["approve", "s", "--yes"]).expect_code(0);
            let text = json!({ "mcpServers": { "s": http(&server) } }).to_string();
            situation.setting.home.write_project(".mcp.json", text).unwrap();
            vec![situation.holding(server)]
        }
        ReasonCode::Declined => {
            let server = FakeMcpServer::start().unwrap();
            let ours = project(http(&server)).holding(server).ending(End::Connected);
            ours.run(&["reject", "s"]).expect_code(0);
            // Another program's file, which is not written to.
            let theirs = project(json!({ "command": "x" }));
            let settings = json!({ "disabledMcpjsonServers": ["s"] }).to_string();
            theirs.setting.home.write(".claude/settings.json", settings).unwrap();
            vec![ours, theirs]
        }
        ReasonCode::NotConfigured => vec![Situation::of(json!({ "type": "http", "url": "" }))],
        ReasonCode::Config => vec![
            Situation::of(json!({ "type": "http" })),
            Situation::of(json!({ "type": "ws", "url": "ws://127.0.0.1:9/mcp" })),
            Situation::of(json!({ "type": "sdk", "name": "x" })),
        ],
        ReasonCode::SelfReference => {
            vec![Situation::of(json!({ "command": "mcplink", "args": ["bridge", "s"] }))]
        }
        ReasonCode::Policy => {
            let server = FakeMcpServer::start().unwrap();
            let denied = Situation::of(http(&server)).holding(server);
            let list = json!({ "deniedMcpServers": [{ "serverName": "s" }] }).to_string();
            denied.setting.home.write(".claude/settings.json", list).unwrap();
            vec![denied.ending(End::Says("change deniedMcpServers[0] in "))]
        }
        ReasonCode::ToolsUnavailable => {
            let server = FakeMcpServer::start().unwrap();
            server.always_to(
                "tools/list",
                ScriptedAnswer::RpcError { code: -32603, message: "rebuilding".into() },
            );
            vec![Situation::of(http(&server)).holding(server)]
        }
        ReasonCode::ToolsUnapproved => {
            let server = FakeMcpServer::start().unwrap();
            let mut entry = http(&server);
            entry["pinTools"] = json!(true);
            vec![Situation::of(entry).holding(server).ending(End::Connected)]
        }
        ReasonCode::NoTools => {
            let server = FakeMcpServer::builder().tools(Vec::new()).start().unwrap();
            vec![Situation::of(http(&server)).holding(server).ending(End::Connected)]
        }
        new => panic!("{new} has no situation here yet: bring it about, and see where its step leads"),
    }
}

/// The step that an output names.
pub(crate) fn step_of(output: &Output) -> Option<String> {
    let all = format!("{}\n{}", output.stdout, output.stderr);
    let of_line = |line: &str| line.split_once("next: ").map(|(_, step)| step.trim().to_owned());
    let of_block = |line: &str| line.strip_prefix("next  ").map(str::to_owned);
    all.lines().filter_map(|line| of_line(line).or_else(|| of_block(line))).next_back()
}

/// The facts of an output: its lines without figures, which differ from run to run.
fn facts(output: &Output) -> BTreeSet<String> {
    let all = format!("{}\n{}", output.stdout, output.stderr);
    let words = |line: &str| match line.starts_with("no bridge is running") {
        // It says nothing about the server.
        true => String::new(),
        false => line.replace(|c: char| c.is_ascii_digit(), "").trim().to_owned(),
    };
    all.lines().map(words).filter(|line| !line.is_empty()).collect()
}

/// The exit codes that docs/statuses.md gives this step, given what it tells of the server; `code` is the trouble that it began with.
fn documented(step: &str, output: &Output, code: ReasonCode) -> &'static [i32] {
    let verb = step.split(' ').nth(1).unwrap_or_default();
    let failed: &[i32] = match code {
        ReasonCode::Config | ReasonCode::SelfReference => &[2],
        ReasonCode::Protocol | ReasonCode::Version => &[6],
        _ => &[4],
    };
    let seen = output
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("s ")?.split_whitespace().next())
        .next_back();
    match (verb, seen) {
        ("wait", Some("failed" | "pending")) => &[4, 7],
        ("wait", None) => &[4, 7],
        ("status" | "reconnect", Some("connected" | "disabled")) | ("wait", Some("connected")) => &[0],
        ("status" | "reconnect", Some("needs-auth")) => &[3],
        ("status" | "reconnect", Some("failed")) => failed,
        // Approval is a person's; everything else that is pending may come.
        ("status" | "reconnect", Some("pending")) if output.stdout.contains("next: mcplink approve") => &[3],
        ("status" | "reconnect", Some("pending")) => &[7],
        // A pointer that leads nowhere is a warning.
        ("validate", _) if code == ReasonCode::SelfReference => &[0],
        ("validate", _) => &[2],
        ("headers", _) => &[3],
        ("approve-tools", _) if step.contains(" --yes=") => &[0],
        ("approve-tools", _) => &[3],
        ("approve" | "trust", _) if step.contains(" --yes=") => &[0],
        ("login" | "approve" | "trust", _) if output.stderr.starts_with("error: ") => &[2, 3],
        ("login" | "approve" | "trust", _) => &[0],
        ("tools", _) if code == ReasonCode::ToolsUnavailable => &[5],
        _ => panic!("{step} has no exit code here yet: {output}"),
    }
}

/// Where nothing that the entry says would help.
const ASK: &str = "ask the operator of the server";
/// Where it answers, and a wait was in vain.
const LATER: &str = "try again later, or ask the operator of the server";

/// Whether a step is a sentence for a person, and no command.
fn is_said(step: &str) -> bool {
    ["correct ", "start it, or correct ", "change ", "add `", "set `", "take it out there: ", ASK, LATER]
        .iter()
        .any(|said| step.starts_with(said))
}

fn leads_somewhere(code: ReasonCode, mut situation: Situation) {
    let mut look = situation.look.clone();
    look.push("--json");
    let seen = row(&situation.run(&look).json(), "s");
    assert_eq!(seen["reason"]["code"], code.as_str(), "{seen:#}");
    let mut next = seen["reason"]["next"].as_str().map(str::to_owned);
    let output = situation.run(&situation.look);
    assert!(situation.once || step_of(&output) == next, "{code}: a person is told the same: {output}");
    let mut known = facts(&output);
    let mut run: Vec<String> = vec![format!("mcplink {}", situation.look[..2].join(" "))];
    let meanwhile = situation.meanwhile.take().map(|change| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(1500));
            change();
        })
    });
    while let Some(step) = next.take_if(|next| !is_said(next)) {
        assert!(!step.starts_with("mcplink get "), "{code}: {step} changes nothing");
        assert!(run.len() <= STEPS, "{code}: no end after {run:?}, then {step}");
        assert!(!run.contains(&step), "{code}: in a circle: {run:?}, then {step}");
        // Who waits without an end waits here for a moment.
        let is_wait = step.starts_with("mcplink wait ") && situation.end == End::Shown;
        let output = situation.paste(&if is_wait { format!("{step} --timeout 2s") } else { step.clone() });
        let exit = output.code.unwrap_or(-1);
        let documented = documented(&step, &output, code);
        assert!(documented.contains(&exit), "{code}: {step}: not one of {documented:?}: {output}");
        // An entry that cannot be used is one of the configuration; no step is.
        let is_usage = exit == 2 && output.stderr.contains("mcplink --help");
        assert!(!is_usage, "{code}: {step} is not a command: {output}");
        let learnt = facts(&output);
        assert!(!learnt.is_subset(&known), "{code}: {step} says nothing new: {output}");
        known.extend(learnt);
        next = step_of(&output);
        run.push(step);
    }
    let said = next.as_deref().filter(|next| is_said(next));
    if let Some(meanwhile) = meanwhile {
        meanwhile.join().unwrap();
    }
    match situation.end {
        End::Connected => {
            let now = row(&situation.run(&look).json(), "s");
            assert_eq!(now["status"], "connected", "{code}: after {run:?}: {now:#}");
        }
        End::Says(words) => {
            let step = next.unwrap_or_default();
            assert!(step.starts_with(words) && step.contains("settings.json:1"), "{code}: {step}");
            // What forbids it is in every other look at it, and it is never contacted.
            for look in [&["get", "s"][..], &["call", "s", "echo"], &["doctor", "s"], &["reconnect", "s"]] {
                let output = situation.run(look);
                let all = format!("{}{}", output.stdout, output.stderr);
                assert!(all.contains("deniedMcpServers[0] in "), "{code}: {look:?}: {output}");
            }
        }
        // What is wrong is in the reason; the sentence says what to change, and where.
        End::Shown => {
            let is_shown = run.last().unwrap().starts_with("mcplink validate");
            let names = said.is_some_and(|said| said.contains(".json:") || said == ASK || said == LATER);
            assert!(is_shown || names, "{code}: {run:?} ends in nothing that a person could change");
        }
    }
}

#[test]
fn fh_h3_every_reason_is_brought_about_and_its_steps_lead_somewhere() {
    // Each on a thread of its own: they wait more than they work.
    std::thread::scope(|scope| {
        let ways: Vec<_> = ReasonCode::ALL
            .into_iter()
            .map(|code| {
                let way = move || situations(code).into_iter().for_each(|one| leads_somewhere(code, one));
                (code, scope.spawn(way))
            })
            .collect();
        let failed: Vec<ReasonCode> =
            ways.into_iter().filter_map(|(code, way)| way.join().is_err().then_some(code)).collect();
        assert!(failed.is_empty(), "{failed:?}");
    });
}
