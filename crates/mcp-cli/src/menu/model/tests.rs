use std::time::{Duration, UNIX_EPOCH};

use clap::Parser as _;
use mcp_config::EntryTransport;
use mcp_config::entry::RemoteKind;
use mcp_connect::Description;
use mcp_status::{
    ActionFacts, ChallengeKind, Evidence, MessageContext, Outcome, Phase, ServerInfo, SignInState,
    StatusReport, TransportKind,
};

use super::*;
use crate::args::Cli;
use crate::view::row::AuthRow;

pub(in crate::menu) fn at(minute: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_239_000 + minute * 60)
}

pub(in crate::menu) fn seen(name: &str, outcome: Outcome, minute: u64) -> ServerView {
    seen_with(name, outcome, minute, ActionFacts::new(TransportKind::Remote))
}

pub(in crate::menu) fn seen_with(
    name: &str,
    outcome: Outcome,
    minute: u64,
    facts: ActionFacts,
) -> ServerView {
    let evidence = Evidence::new(Phase::Connect, outcome);
    let report = StatusReport::from_evidence(&evidence, &MessageContext::new(name), facts)
        .with_server(Some(ServerInfo::new("fake", "1.0")), None);
    let report = report.worded(|step| Some(crate::steps::Steps::default().words(step, name)));
    let auth = AuthRow::new(
        Vec::new(),
        &mcp_auth::provider::ProviderSnapshot::default(),
        facts.sign_in != SignInState::NotOffered,
    );
    let mut description =
        Description::new(name, "user", "/home/me/.claude.json", EntryTransport::Remote(RemoteKind::Http));
    description.url = Some(format!("https://{}.example.com/mcp", name.len()));
    let row = Row::new(description, report, auth, Duration::from_millis(1));
    ServerView { row, line: Some(5), since: at(minute), is_known: true, has_helper: false, connection: None }
}

pub(in crate::menu) fn up(tools: usize) -> Outcome {
    Outcome::Connected { tools: Some(tools) }
}

pub(in crate::menu) fn refused() -> Outcome {
    Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 }
}

pub(in crate::menu) fn menu_of(line: &str, seen: Vec<ServerView>) -> Menu {
    let mut menu = Menu::new(Arc::new(Steps::of(&Cli::try_parse_from(line.split(' ')).unwrap())));
    menu.update(seen, &[]);
    menu
}

fn three() -> Menu {
    menu_of(
        "mcplink menu",
        vec![seen("files", up(4), 0), seen("wiki", Outcome::Unreachable, 0), seen("notes", refused(), 0)],
    )
}

fn names(menu: &Menu) -> Vec<&str> {
    menu.shown().iter().map(|server| &*server.row.name).collect()
}

fn focus(menu: &Menu) -> &str {
    menu.focus().map_or("", |server| &server.row.name)
}

fn type_in(menu: &mut Menu, text: &str) {
    for letter in text.chars() {
        assert_eq!(menu.press(Key::Char(letter)), None, "{text}");
    }
}

#[test]
fn trouble_stands_first_and_has_the_focus() {
    let menu = three();
    assert_eq!((names(&menu), focus(&menu)), (vec!["notes", "wiki", "files"], "notes"));
}

#[test]
fn before_the_first_key_the_focus_is_where_trouble_is() {
    let mut menu = menu_of("mcplink menu", vec![seen("a", up(1), 0), seen("b", up(1), 0)]);
    assert_eq!(focus(&menu), "a");
    menu.update(vec![seen("a", up(1), 0), seen("b", refused(), 1)], &[]);
    assert_eq!(focus(&menu), "b");
}

#[test]
fn keys_go_through_the_list_and_stop_at_its_ends() {
    let mut menu = three();
    for (key, name) in [
        (Key::Up, "notes"),
        (Key::Down, "wiki"),
        (Key::Char('j'), "files"),
        (Key::Down, "files"),
        (Key::Char('k'), "wiki"),
        (Key::First, "notes"),
        (Key::Last, "files"),
    ] {
        assert_eq!((menu.press(key), focus(&menu)), (None, name), "{key:?}");
    }
}

#[test]
fn a_server_keeps_the_focus_when_it_moves_and_gives_it_up_when_it_goes() {
    let mut menu = three();
    menu.press(Key::Up);
    menu.update(vec![seen("files", up(4), 0), seen("notes", up(2), 1), seen("wiki", refused(), 1)], &[]);
    assert_eq!((names(&menu), focus(&menu)), (vec!["wiki", "files", "notes"], "notes"));
    menu.update(vec![seen("files", up(4), 0)], &[]);
    assert_eq!(focus(&menu), "files");
    menu.update(Vec::new(), &[]);
    assert_eq!(focus(&menu), "");
    for key in [Key::Down, Key::Up, Key::Last, Key::Enter, Key::Char('r'), Key::Char('o')] {
        assert_eq!((menu.press(key), menu.is_open), (None, false), "{key:?}");
    }
}

#[test]
fn the_keys_are_the_actions_of_the_server_and_no_others() {
    let remote = ActionFacts::new(TransportKind::Remote);
    let of = |facts: ActionFacts, outcome| menu_of("mcplink menu", vec![seen_with("s", outcome, 0, facts)]);
    for (facts, outcome) in [
        (remote, up(1)),
        (remote, refused()),
        (remote.with_sign_in(SignInState::Offered), refused()),
        (remote.with_sign_in(SignInState::SignedIn), up(1)),
        (remote.with_configured(true, true), refused()),
        (ActionFacts::new(TransportKind::Stdio), up(1)),
    ] {
        let mut menu = of(facts, outcome);
        let offered = menu.focus().unwrap().row.actions.clone();
        let keys = menu.actions();
        assert_eq!(keys.iter().map(|own| own.action).collect::<Vec<_>>(), offered, "each has a key");
        for letter in 'a'..='z' {
            let own = keys.iter().find(|own| own.key == letter).map(|own| own.action);
            if menu.looks().iter().any(|look| look.key == letter) {
                continue;
            }
            let effect = menu.press(Key::Char(letter));
            let acts = effect.as_ref().is_some_and(|effect| *effect != Effect::Quit);
            assert_eq!(acts, own.is_some(), "{letter} of {offered:?}: {effect:?}");
            menu = of(facts, menu_outcome(&menu));
        }
    }
}

/// Of the same kind, to begin again.
fn menu_outcome(menu: &Menu) -> Outcome {
    let is_up = menu.focus().unwrap().row.status == Some(ServerStatus::Connected);
    if is_up { up(1) } else { refused() }
}

#[test]
fn no_two_actions_of_a_server_share_a_key_and_none_is_taken() {
    let actions = [
        Action::Reconnect,
        Action::Authenticate,
        Action::ClearAuthentication,
        Action::Enable,
        Action::EditConfig,
        Action::Approve,
        Action::Reject,
        Action::Trust,
    ];
    let mut keys: Vec<char> = actions.iter().map(|action| ActionKey::of(*action).unwrap().key).collect();
    // Those that show something.
    keys.extend(['q', 'o', 'j', 'k', '/', '?', 'i', 'd', 'h', 'l']);
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn what_a_key_does_is_the_command_that_is_shown_with_the_options_of_the_invocation() {
    let facts = ActionFacts::new(TransportKind::Remote)
        .with_sign_in(SignInState::SignedIn)
        .with_configured(true, false);
    let rejected = || Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 };
    let of =
        |name: &str| menu_of("mcplink menu --mcp-config a.json", vec![seen_with(name, rejected(), 0, facts)]);
    for (key, expected) in [
        ('c', "mcplink logout 'a b' --mcp-config a.json"),
        ('x', "mcplink disable 'a b' --mcp-config a.json"),
    ] {
        let mut menu = of("a b");
        let action = menu.actions().into_iter().find(|own| own.key == key).unwrap().action;
        assert_eq!(menu.command(action).as_deref(), Some(expected));
        assert_eq!(menu.press(Key::Char(key)), Some(Effect::Run(expected.to_owned())));
    }
    for (key, command, work) in [
        ('s', "mcplink login 'a b' --mcp-config a.json", Work::SignIn("a b".to_owned())),
        ('l', "mcplink logs 'a b' -f --mcp-config a.json", Work::Log("a b".to_owned())),
    ] {
        let mut menu = of("a b");
        assert_eq!(menu.press(Key::Char(key)), Some(Effect::Begin(work)));
        let shown = menu.room().map(|room| menu.step(&room.command()));
        assert_eq!(shown.as_deref(), Some(command));
    }
    let mut menu = of("a b");
    let doctor = Effect::Run("mcplink doctor 'a b' --mcp-config a.json".to_owned());
    assert_eq!(menu.press(Key::Char('d')), Some(doctor));
    assert_eq!(menu.press(Key::Char('h')), None, "it has no helper");
    let mut helped = seen_with("a b", refused(), 0, facts);
    helped.has_helper = true;
    let run = Effect::Run("mcplink headers 'a b' --run".to_owned());
    assert_eq!(menu_of("mcplink menu", vec![helped]).press(Key::Char('h')), Some(run));
    let mut menu = of("a b");
    let reconnect = menu.command(Action::Reconnect);
    assert_eq!(reconnect.as_deref(), Some("mcplink reconnect 'a b' --mcp-config a.json"));
    assert_eq!(menu.press(Key::Char('r')), Some(Effect::Reconnect("a b".to_owned())));
}

#[test]
fn what_no_command_does_opens_the_file_at_its_line() {
    let headers = ActionFacts::new(TransportKind::Remote).with_configured(true, false);
    let mut menu = menu_of("mcplink menu", vec![seen_with("s", refused(), 0, headers)]);
    let file = "/home/me/.claude.json".to_owned();
    assert_eq!(menu.command(Action::EditConfig).unwrap(), "edit /home/me/.claude.json:5");
    assert_eq!(menu.press(Key::Char('e')), Some(Effect::Edit { file, line: Some(5) }));
}

#[test]
fn a_filter_leaves_what_has_it_and_its_letters_are_no_keys() {
    let mut menu = three();
    menu.press(Key::Char('/'));
    // `q` would end it, `r` reconnect, `o` show commands.
    type_in(&mut menu, "qro");
    assert_eq!((names(&menu), menu.focus().is_none(), menu.page), (vec![], true, Page::Detail));
    for _ in 0..3 {
        menu.press(Key::Erase);
    }
    type_in(&mut menu, "NEEDS-a");
    assert_eq!((names(&menu), focus(&menu)), (vec!["notes"], "notes"));
    menu.press(Key::Enter);
    assert!(!menu.is_typing && !menu.is_open);
    assert_eq!(menu.press(Key::Char('q')), Some(Effect::Quit));
    menu.press(Key::Escape);
    assert_eq!(names(&menu).len(), 3);
    // An empty one that is erased is given up.
    menu.press(Key::Char('/'));
    menu.press(Key::Erase);
    assert!(!menu.is_typing);
}

#[test]
fn a_page_opens_and_the_same_way_leads_back() {
    let mut menu = three();
    menu.press(Key::Enter);
    assert!(menu.is_open, "what is wrong with it");
    menu.press(Key::Char('i'));
    assert!(!menu.is_open);
    menu.press(Key::Char('i'));
    menu.press(Key::Down);
    assert_eq!((menu.scrolled, focus(&menu)), (1, "notes"));
    menu.press(Key::Char('o'));
    assert_eq!((menu.page, menu.is_open, menu.scrolled), (Page::Commands, true, 0));
    menu.press(Key::Char('o'));
    assert_eq!((menu.page, menu.is_open), (Page::Detail, false));
    menu.press(Key::Char('?'));
    menu.press(Key::Escape);
    assert_eq!((menu.page, menu.is_open), (Page::Detail, false));
}

#[test]
fn what_is_open_has_the_keys_and_what_it_does_ends_with_it() {
    let begun = |work| Some(Effect::Begin(work));
    let list = || begun(Work::List("files".to_owned()));
    let mut menu = menu_of("mcplink menu", vec![seen("files", up(4), 0)]);
    assert_eq!(menu.press(Key::Enter), list());
    // `r` is not a key here; `q` ends the menu from wherever nothing is typed.
    assert_eq!((menu.press(Key::Char('r')), menu.press(Key::Char('q'))), (None, Some(Effect::Quit)));
    let schema = serde_json::json!({ "properties": { "x": { "type": "string" } } });
    let tools = vec![crate::menu::form::tests::tool("t", "", &schema)];
    menu.hear(TaskEvent::Tools(Ok(crate::menu::exchange::ServerTools { tools, notes: Vec::new() })));
    assert_eq!(menu.press(Key::Enter), begun(Work::Nothing));
    type_in(&mut menu, "qlr");
    menu.press(Key::Enter);
    let call =
        || Work::Call { server: "files".into(), tool: "t".into(), arguments: "{\"x\":\"qlr\"}".into() };
    assert_eq!(menu.press(Key::Enter), begun(call()));
    assert_eq!(menu.press(Key::Interrupt), Some(Effect::Interrupt));
    assert_eq!(menu.press(Key::Escape), begun(Work::Nothing), "it is given up");
    assert_eq!(menu.press(Key::Escape), list(), "they may be others by now");
    assert_eq!((menu.press(Key::Escape), menu.room().is_none()), (begun(Work::Nothing), true));
    // Events of a closed view are dropped.
    menu.hear(TaskEvent::Log(vec!["x".to_owned()]));
    assert!(menu.room().is_none());
    menu.press(Key::Char('l'));
    assert_eq!(menu.press(Key::Escape), begun(Work::Nothing));
}

#[test]
fn a_sign_in_takes_what_is_pasted_asks_before_a_secret_goes_and_ends_with_its_page() {
    use crate::menu::exchange::Stage;
    let facts = ActionFacts::new(TransportKind::Remote).with_sign_in(SignInState::Offered);
    let signing = || {
        let mut menu = menu_of("mcplink menu", vec![seen_with("s", refused(), 0, facts)]);
        assert_eq!(menu.press(Key::Char('s')), Some(Effect::Begin(Work::SignIn("s".to_owned()))));
        menu
    };
    let mut menu = signing();
    menu.paste("too early");
    assert_eq!(menu.press(Key::Enter), None);
    menu.hear(TaskEvent::SignIn(Stage::Doubts { issuer: "https://i".into(), server: "https://s".into() }));
    assert_eq!(menu.press(Key::Enter), None, "a mere Enter agrees to nothing");
    assert_eq!(menu.press(Key::Char('y')), Some(Effect::Begin(Work::Confirm)));
    menu.hear(TaskEvent::SignIn(Stage::Waits { url: "https://i/authorize".into(), not_opened: None }));
    assert_eq!(menu.press(Key::Enter), None, "there is nothing to take");
    menu.paste(" http://localhost:1/callback?code=q&state=l\n");
    let pasted = Work::Paste("http://localhost:1/callback?code=q&state=l".to_owned());
    assert_eq!(menu.press(Key::Enter), Some(Effect::Begin(pasted)));
    menu.hear(TaskEvent::SignIn(Stage::Refuses));
    assert_eq!(menu.press(Key::Enter), None, "what was refused is gone");
    assert_eq!(menu.press(Key::Escape), Some(Effect::Begin(Work::Nothing)));
    let mut menu = signing();
    menu.hear(TaskEvent::SignIn(Stage::Ended { said: vec!["signed in".into()], is_error: false }));
    assert_eq!((menu.press(Key::Enter), menu.room().is_none()), (None, true));
    let mut menu = signing();
    menu.hear(TaskEvent::SignIn(Stage::Doubts { issuer: "https://i".into(), server: "https://s".into() }));
    assert_eq!(menu.press(Key::Char('n')), Some(Effect::Begin(Work::Nothing)));
}

#[test]
fn what_became_of_a_server_is_remembered_once_for_each_change() {
    let mut menu = menu_of("mcplink menu", vec![]);
    let connecting = ServerView { is_known: false, ..seen("s", up(1), 0) };
    menu.update(vec![connecting], &[]);
    assert_eq!(menu.focus().unwrap().history, []);
    for (outcome, minute) in [(up(1), 1), (up(2), 1), (refused(), 2), (refused(), 2), (up(2), 3)] {
        menu.update(vec![seen("s", outcome, minute)], &[]);
    }
    let message = |menu: &Menu| -> Vec<_> {
        menu.focus().unwrap().history.iter().map(|moment| (moment.at, moment.status.unwrap())).collect()
    };
    use ServerStatus::{Connected, NeedsAuth};
    assert_eq!(message(&menu), [(at(1), Connected), (at(2), NeedsAuth), (at(3), Connected)]);
    for minute in 4..100 {
        menu.update(vec![seen("s", if minute % 2 == 0 { refused() } else { up(2) }, minute)], &[]);
    }
    assert_eq!((message(&menu).len(), message(&menu).last().unwrap().0), (MOST_MOMENTS, at(99)));
}

#[test]
fn ctrl_c_and_ctrl_z_are_heard_while_a_filter_is_typed() {
    let mut menu = three();
    menu.press(Key::Char('/'));
    assert_eq!(menu.press(Key::Interrupt), Some(Effect::Interrupt));
    assert_eq!(menu.press(Key::Suspend), Some(Effect::Suspend));
}
