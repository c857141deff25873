use std::collections::BTreeMap;

use mcp_status::{ActionFacts, SignInState, TransportKind};
use serde_json::{Value, json};

use super::super::super::exchange::{CallEnd, ServerTools};
use super::super::super::form::tests::tool;
use super::super::super::model::tests::{at, menu_of, refused, seen, seen_with, up};
use super::*;

fn document(page: &Page, menu: &Menu) -> Value {
    serde_json::from_str(&page.document(menu, "shop-api", at(9))).unwrap()
}

fn menu() -> Menu {
    let helped = ActionFacts::new(TransportKind::Remote).with_configured(true, true);
    let signs_in = ActionFacts::new(TransportKind::Remote).with_sign_in(SignInState::SignedIn);
    let mut tickets = seen_with("tickets", refused(), 1, helped);
    tickets.has_helper = true;
    menu_of(
        "mcplink menu --web",
        vec![seen("files", up(4), 0), tickets, seen_with("a b", refused(), 0, signs_in)],
    )
}

fn key(server: &str, key: char) -> PageAction {
    PageAction::Key { server: server.to_owned(), key }
}

#[test]
fn the_page_shows_what_the_menu_shows_and_each_action_with_its_command() {
    let menu = menu();
    let shown = document(&Page::default(), &menu);
    assert_eq!(shown["summary"], "3 servers: 1 connected, 2 need you");
    let names: Vec<&Value> = shown["servers"].as_array().unwrap().iter().map(|own| &own["name"]).collect();
    assert_eq!(names, ["tickets", "a b", "files"], "trouble first");
    let [tickets, signs_in, files] = &shown["servers"].as_array().unwrap()[..] else { panic!() };
    assert_eq!(files["said"], "4 tools");
    assert!(tickets["reason"].as_str().unwrap().contains("401"));
    assert_eq!(tickets["facts"][0], json!(["file", "/home/me/.claude.json:5 (user)"]));
    let of = |server: &Value, key: &str| {
        let actions = server["actions"].as_array().unwrap().clone();
        actions.into_iter().find(|own| own["key"] == key)
    };
    assert_eq!(of(tickets, "h").unwrap()["command"], "mcplink headers tickets --run");
    assert_eq!(of(signs_in, "s").unwrap()["command"], "mcplink login 'a b'");
    let headers = ActionFacts::new(TransportKind::Remote).with_configured(true, false);
    let by_hand = menu_of("mcplink menu --web", vec![seen_with("s", refused(), 0, headers)]);
    let edit = of(&document(&Page::default(), &by_hand)["servers"][0], "e").unwrap();
    assert_eq!((&edit["command"], &edit["runs"]), (&json!("edit /home/me/.claude.json:5"), &json!(false)));
    assert_eq!(Page::default().press(&by_hand, key("s", 'e')), None);
    // The keys of a server and those of the menu are the same.
    for (server, own) in menu.all().iter().zip([tickets, signs_in, files]) {
        let wanted: Vec<String> = server.actions().iter().map(|own| own.key.to_string()).collect();
        let actions = own["actions"].as_array().unwrap();
        let keys = actions.iter().filter_map(|own| own["key"].as_str());
        let offered: Vec<&str> = keys.skip_while(|key| *key == "o").collect();
        assert_eq!(offered[..wanted.len()], wanted);
    }
}

#[test]
fn s_w1_only_what_is_offered_is_done() {
    let menu = menu();
    let press = |press: PageAction| Page::default().press(&menu, press);
    let run = |command: &str| Some(PersonStep::Begin(Work::Run(command.to_owned())));
    for (server, letter, expected) in [
        ("tickets", 'r', Some(PersonStep::Reconnect("tickets".into()))),
        ("tickets", 'x', run("mcplink disable tickets")),
        ("tickets", 'd', run("mcplink doctor tickets")),
        ("tickets", 'h', run("mcplink headers tickets --run")),
        ("tickets", 'l', Some(PersonStep::Begin(Work::Log("tickets".into())))),
        ("a b", 's', Some(PersonStep::Begin(Work::SignIn("a b".into())))),
        ("a b", 'c', run("mcplink logout 'a b'")),
        // No helper, no sign-in, nothing that opens an editor, no such server.
        ("files", 'h', None),
        ("files", 's', None),
        // Tools of one that is connected, and of no other.
        ("files", 'o', Some(PersonStep::Begin(Work::List("files".into())))),
        ("tickets", 'o', None),
        ("tickets", 'e', None),
        ("tickets", 'z', None),
        ("unknown", 'r', None),
        ("tickets; rm -rf /", 'x', None),
    ] {
        assert_eq!(press(key(server, letter)), expected, "{server} {letter}");
    }
    let given = || BTreeMap::from([("a".to_owned(), "1".to_owned())]);
    for stray in [
        PageAction::Confirm { mark: 0 },
        PageAction::Confirm { mark: 1 },
        PageAction::Paste { text: "http://localhost/?code=1".into() },
        PageAction::Tool { name: "add".into() },
        PageAction::Fill { arguments: given() },
        PageAction::Call { arguments: given() },
        PageAction::Back,
    ] {
        assert_eq!(press(stray), None, "nothing waits for it");
    }
    assert!(!runs(Action::EditConfig));
}

#[test]
fn a_sign_in_on_the_page_goes_through_its_stages() {
    let menu = menu();
    let mut page = Page::default();
    page.press(&menu, key("a b", 's'));
    let stage = |page: &Page| document(page, &menu)["panel"]["stage"].as_str().unwrap().to_owned();
    assert_eq!((stage(&page), page.press(&menu, PageAction::Confirm { mark: 0 })), ("asks".to_owned(), None));
    page.hear(TaskEvent::SignIn(Stage::Doubts { issuer: "https://i".into(), server: "https://s".into() }));
    assert_eq!(stage(&page), "doubts");
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 0 }), Some(PersonStep::Begin(Work::Confirm)));
    page.hear(TaskEvent::SignIn(Stage::Waits { url: "https://i/authorize".into(), not_opened: None }));
    assert_eq!(document(&page, &menu)["panel"]["url"], "https://i/authorize");
    let pasted = PageAction::Paste { text: "x".into() };
    assert_eq!(page.press(&menu, pasted), Some(PersonStep::Begin(Work::Paste("x".into()))));
    page.hear(TaskEvent::SignIn(Stage::Refuses));
    assert!(document(&page, &menu)["panel"]["lines"][0].as_str().unwrap().contains("Paste it again"));
    page.hear(TaskEvent::SignIn(Stage::Ended { said: vec!["signed in".into()], is_error: false }));
    assert_eq!(stage(&page), "ended");
    assert_eq!(page.press(&menu, PageAction::Close), Some(PersonStep::Begin(Work::Nothing)));
    assert_eq!(document(&page, &menu)["panel"], Value::Null);
}

fn offered(lines: &[&str], command: Option<&str>) -> TaskEvent {
    let lines = lines.iter().map(|line| (*line).to_owned()).collect();
    TaskEvent::Offered { lines, command: command.map(str::to_owned) }
}

/// A project's server waits for its approval, another one for trust in its folder.
#[test]
fn s_w1_a_decision_is_made_about_what_was_shown_and_nothing_in_its_place() {
    let waits = |name: &str, action| {
        let mut server = seen(name, refused(), 0);
        server.row.actions = vec![action];
        server
    };
    let menu = menu_of(
        "mcplink menu --web",
        vec![waits("db", Action::Approve), waits("up", Action::Trust), waits("pins", Action::ApproveTools)],
    );
    let mut page = Page::default();
    let panel = |page: &Page| document(page, &menu)["panel"].clone();
    let asks = Some(PersonStep::Begin(Work::Consent(Consent::Approve("db".into()))));
    assert_eq!(page.press(&menu, key("db", 'a')), asks);
    assert_eq!(
        (&panel(&page)["stage"], &panel(&page)["command"]),
        (&json!("running"), &json!("mcplink approve db"))
    );
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 1 }), None, "nothing was shown yet");
    page.hear(offered(&["db  /p/.mcp.json:2", "  command  my-db"], None));
    assert_eq!((&panel(&page)["stage"], &panel(&page)["mark"]), (&json!("offers"), &json!(1)));
    assert_eq!(panel(&page)["lines"][1], "  command  my-db");
    for mark in [0, 2] {
        assert_eq!(page.press(&menu, PageAction::Confirm { mark }), None);
    }
    // Another question has taken its place.
    let asks = Some(PersonStep::Begin(Work::Consent(Consent::Trust)));
    assert_eq!(page.press(&menu, key("up", 't')), asks);
    page.hear(offered(&["/p"], None));
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 1 }), None, "that one was of db");
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 2 }), Some(PersonStep::Begin(Work::Confirm)));
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 2 }), None, "once");
    // Tools, with the command that agrees to just these.
    let asks = Some(PersonStep::Begin(Work::Consent(Consent::Tools("pins".into()))));
    assert_eq!(page.press(&menu, key("pins", 'a')), asks);
    assert_eq!(panel(&page)["command"], "mcplink approve-tools pins");
    page.hear(offered(&["new       send"], Some("mcplink approve-tools pins --yes=sha256:1")));
    assert_eq!(panel(&page)["command"], "mcplink approve-tools pins --yes=sha256:1");
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 2 }), None, "that one was of the folder");
    assert_eq!(page.press(&menu, PageAction::Confirm { mark: 3 }), Some(PersonStep::Begin(Work::Confirm)));
    page.press(&menu, key("up", 't'));
    page.hear(TaskEvent::Ran { lines: vec!["/p is trusted".into()], is_error: false });
    assert_eq!(
        (&panel(&page)["stage"], &panel(&page)["lines"]),
        (&json!("ended"), &json!(["/p is trusted"]))
    );
}

#[test]
fn a_tool_is_found_filled_in_and_called_as_on_a_terminal() {
    let menu = menu();
    let mut page = Page::default();
    page.press(&menu, key("files", 'o'));
    let schema = json!({
        "type": "object",
        "properties": { "a": { "type": "number", "description": "The first." }, "fast": { "type": "boolean" } },
        "required": ["a"],
    });
    let add = tool("add", "Adds.\nSlowly.", &schema);
    page.hear(TaskEvent::Tools(Ok(ServerTools { tools: vec![add], notes: vec!["withheld: rm".into()] })));
    let panel = |page: &Page| document(page, &menu)["panel"].clone();
    let listed = json!([{ "id": "add", "name": "add", "takes": "a [fast]", "said": "Adds." }]);
    assert_eq!((&panel(&page)["tools"], &panel(&page)["lines"]), (&listed, &json!(["withheld: rm"])));
    assert_eq!(page.press(&menu, PageAction::Tool { name: "rm".into() }), None, "it is not listed");
    let open = PageAction::Tool { name: "add".into() };
    assert_eq!(page.press(&menu, open), Some(PersonStep::Begin(Work::Nothing)));
    let given =
        |text: &str| BTreeMap::from([("a".to_owned(), text.to_owned()), ("z".to_owned(), "1".to_owned())]);
    assert_eq!(page.press(&menu, PageAction::Fill { arguments: given("x") }), None);
    let shown = panel(&page);
    assert_eq!((&shown["stage"], &shown["command"]), (&json!("form"), &json!("mcplink call files add a=x")));
    assert_eq!(shown["form"]["fields"][0]["summary"], "number, required. The first.");
    assert_eq!(shown["form"]["fields"][1]["choices"], json!(["true", "false"]));
    assert_eq!(page.press(&menu, PageAction::Call { arguments: given("x") }), None);
    assert!(panel(&page)["form"]["problem"].as_str().unwrap().contains("must be number"));
    let call = Work::Call { server: "files".into(), tool: "add".into(), arguments: "{\"a\":2}".into() };
    assert_eq!(page.press(&menu, PageAction::Call { arguments: given("2") }), Some(PersonStep::Begin(call)));
    assert_eq!(page.press(&menu, PageAction::Call { arguments: given("3") }), None, "one at a time");
    assert_eq!(panel(&page)["form"]["isCalled"], true);
    let took = std::time::Duration::from_millis(20);
    page.hear(TaskEvent::Called(CallEnd { lines: vec!["42".into()], is_error: false, took }));
    let shown = panel(&page);
    assert_eq!((&shown["form"]["ended"], &shown["lines"]), (&json!("result after 20 ms"), &json!(["42"])));
    assert_eq!(page.press(&menu, PageAction::Back), Some(PersonStep::Begin(Work::List("files".into()))));
    assert_eq!(panel(&page)["stage"], "tools");
}

#[test]
fn what_a_browser_sends_is_read_strictly() {
    let read = |text: &str| serde_json::from_str::<PageAction>(text).is_ok();
    assert!(read(r#"{"act":"key","server":"x","key":"r"}"#) && read(r#"{"act":"close"}"#));
    for text in
        ["", "{}", "[]", r#"{"act":"run","command":"id"}"#, r#"{"act":"key","server":"x","key":"rr"}"#]
    {
        assert!(!read(text), "{text}");
    }
}
