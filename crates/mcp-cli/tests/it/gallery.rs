//! The gallery: broken set-ups, each with the one cause that `doctor` names and the step that it prints. A command is run as
//! printed, in a shell of the same home; where the step is a change for a person, the harness makes exactly that one, in the file
//! and at the line that is named, and only of fields that the words name (`mend`). Afterwards `status` has to be connected. No
//! cause fits two set-ups, so `doctor` tells them apart.

mod credentials;
mod entries;
mod mend;
mod network;
mod processes;

use std::any::Any;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use mcp_harness::Output;
use mcp_status::ReasonCode;
use serde_json::Value;

use self::mend::{Field, Mend};
use crate::reasons::step_of;
use crate::setting::{Setting, row, with_environment};

/// One broken set-up of a server `s`.
struct SetUp {
    name: &'static str,
    /// The reason that `status` has; none for what is switched off.
    code: Option<ReasonCode>,
    /// The check that shows it.
    topic: &'static str,
    /// Words of the cause, which no other set-up has.
    cause: &'static str,
    /// The command, as printed.
    step: &'static str,
    broken: Broken,
}

/// What is broken, and what mends it.
struct Broken {
    setting: Setting,
    environment: Vec<(&'static str, String)>,
    mend: Mend,
    held: Vec<Box<dyn Any + Send>>,
}

impl Broken {
    fn new(setting: Setting) -> Self {
        Self { setting, environment: Vec::new(), mend: Mend::Command, held: Vec::new() }
    }

    fn of(entry: Value) -> Self {
        Self::new(Setting::of("s", entry))
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    fn holding(mut self, what: impl Any + Send) -> Self {
        self.held.push(Box::new(what));
        self
    }

    fn meanwhile(mut self, change: impl FnOnce() + Send + 'static) -> Self {
        self.mend = Mend::Meanwhile(Box::new(change));
        self
    }

    /// These fields are changed, and nothing else.
    fn fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.mend = Mend::Fields(fields.into_iter().collect());
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.mend = Mend::Variable(name, value);
        self
    }

    fn started(mut self, start: impl FnOnce() + Send + 'static) -> Self {
        self.mend = Mend::Start(Box::new(start));
        self
    }

    fn file(mut self, path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        self.mend = Mend::File(path.into(), text.into());
        self
    }

    fn elsewhere(mut self, named: &'static str, change: impl FnOnce(&mut Self) + Send + 'static) -> Self {
        self.mend = Mend::Elsewhere(named, Box::new(change));
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        with_environment(self.setting.mcplink(arguments), &self.environment).run()
    }

    /// Runs `step` as a person would who pastes it.
    fn paste(&self, step: &str) -> Output {
        with_environment(self.setting.shell(step), &self.environment).run()
    }
}

/// Every row of the gallery: name, reason, check, words of the cause, command.
type Expected = (&'static str, Option<ReasonCode>, &'static str, &'static str, &'static str);

fn all() -> Vec<Expected> {
    [entries::EXPECTED, credentials::EXPECTED, network::EXPECTED, processes::EXPECTED].concat()
}

/// Brings about each set-up of a family, each on a thread of its own, as they wait more than they work.
fn hold(report: &[Expected], bring_about: fn(&str) -> Broken) {
    let every = all();
    std::thread::scope(|scope| {
        let ways: Vec<_> = report
            .iter()
            .map(|&(name, code, topic, cause, step)| {
                let every = &every;
                let way = move || {
                    // Each look has its turn; the set-up is another one, as some can be looked at only so often.
                    let number = every.iter().position(|(other, ..)| *other == name).unwrap_or_default();
                    for number in [number, number + LOOKS.len() / 2] {
                        leads_out(name, &bring_about(name), LOOKS[number % LOOKS.len()]);
                    }
                    SetUp { name, code, topic, cause, step, broken: bring_about(name) }.mends(every);
                };
                (name, scope.spawn(way))
            })
            .collect();
        let failed: Vec<&str> =
            ways.into_iter().filter_map(|(name, way)| way.join().is_err().then_some(name)).collect();
        assert!(failed.is_empty(), "{failed:?}");
    });
}

/// What a person may have run when something is broken.
const LOOKS: [&[&str]; 9] = [
    &["status", "s"],
    &["call", "s", "echo", "text=hello"],
    &["tools", "s"],
    &["ping", "s"],
    &["reconnect", "s"],
    &["wait", "s", "--timeout", "1s"],
    &["get", "s"],
    &["headers", "s"],
    &["doctor", "s"],
];

/// Steps after which a way must have ended.
const STEPS: usize = 4;

/// Commands that change something: whatever is said then is said of something else.
const CHANGES: [&str; 6] = ["approve ", "trust", "login ", "enable ", "approve-tools ", "secret "];

/// Follows what is printed from `look` on, and mends nothing: no step is what was run before, each is a command as printed, and
/// the way ends in what changes something, or in a sentence for a person.
fn leads_out(name: &str, broken: &Broken, look: &[&str]) {
    let mut way = vec![format!("mcplink {}", look.join(" "))];
    let mut output = broken.run(look);
    while let Some(step) = step_of(&output).filter(|step| step.starts_with("mcplink ")) {
        assert!(!way.contains(&step), "{name}: in a circle: {way:?}, then {step}: {output}");
        // What has no headers is looked at for what it has.
        let is_of_command = output.stderr.contains("is a command, and gets no headers");
        assert!(
            is_of_command || !step.starts_with("mcplink get "),
            "{name}: {way:?}: {step} changes nothing"
        );
        way.push(step.clone());
        assert!(way.len() <= STEPS, "{name}: no end: {way:?}");
        if CHANGES.iter().any(|change| step["mcplink ".len()..].starts_with(change)) {
            return;
        }
        // Who waits without an end waits here for a moment.
        let bounded = if step.starts_with("mcplink wait ") { format!("{step} --timeout 1s") } else { step };
        output = broken.paste(&bounded);
        assert!(!output.stderr.contains("mcplink --help"), "{name}: {bounded} is not a command: {output}");
    }
}

impl SetUp {
    fn mends(self, every: &[Expected]) {
        let Self { name, code, topic, cause, step, mut broken } = self;
        let seen = row(&broken.run(&["doctor", "s", "--json"]).json(), "s");
        let report =
            seen["cause"]["message"].as_str().unwrap_or_else(|| panic!("{name}: no cause: {seen:#}"));
        assert!(report.contains(cause), "{name}: {report}");
        for (other, _, _, words, _) in every.iter().filter(|(other, ..)| *other != name) {
            assert!(!report.contains(words), "{name} cannot be told from {other}: {report}");
        }
        assert_eq!(seen["reason"]["code"].as_str(), code.map(ReasonCode::as_str), "{name}: {seen:#}");
        let number = seen["cause"]["check"].as_u64().unwrap_or_else(|| panic!("{name}: {seen:#}"));
        let check = &seen["checks"][usize::try_from(number).unwrap() - 1];
        assert_eq!(check["topic"], topic, "{name}: {report}: {:#}", seen["checks"]);
        let next = seen["cause"]["next"].as_str().unwrap_or_default().to_owned();
        let is_it = match step.strip_suffix('*') {
            Some(start) => next.starts_with(start),
            None => next == step,
        };
        assert!(is_it, "{name}: {next}");
        let run = |broken: &Broken, step: &str| {
            // A person answers the question.
            let asks = ["mcplink approve ", "mcplink approve-tools ", "mcplink trust"]
                .iter()
                .any(|asking| step.starts_with(asking));
            let output = broken.paste(&if asks { format!("{step} --yes") } else { step.to_owned() });
            assert!(!output.stderr.contains("mcplink --help"), "{name}: {step} is not a command: {output}");
            output.to_string()
        };
        let is_command = next.contains("mcplink ");
        let mend = std::mem::replace(&mut broken.mend, Mend::Command);
        // What a person reads: the cause, the step, and what it prints where it is a command.
        let mut shown = format!("{next}: {report}");
        if is_command && !matches!(mend, Mend::Command | Mend::Meanwhile(_)) {
            shown.push_str(&run(&broken, &next));
        }
        assert_eq!(matches!(mend, Mend::Elsewhere(..)), ELSEWHERE.contains(&name), "{name}");
        match mend {
            Mend::Command => assert!(is_command, "{name}: {next} is nothing that could be run"),
            Mend::Meanwhile(change) => {
                let other = std::thread::spawn(|| {
                    std::thread::sleep(Duration::from_millis(300));
                    change();
                });
                shown = run(&broken, &next);
                other.join().unwrap();
            }
            Mend::Fields(fields) => mend::make(name, &fields, &shown),
            Mend::Variable(variable, value) => {
                assert_eq!(next, format!("set {variable}"), "{name}");
                broken.environment.push((variable, value.to_owned()));
            }
            Mend::Start(start) => {
                assert!(next.starts_with("start "), "{name}: {next}");
                start();
            }
            Mend::File(path, text) => {
                assert!(shown.contains(&*path.to_string_lossy()), "{name}: {}: {shown}", path.display());
                std::fs::write(path, text).unwrap();
            }
            Mend::Elsewhere(named, change) => {
                assert!(report.contains(named), "{name}: {named}: {report}");
                let before = mend::files(&broken);
                change(&mut broken);
                assert_eq!(mend::files(&broken), before, "{name} is mended in a file");
            }
        }
        // What is printed is run as well, and so is what `status` names then, such as the sign-in that is possible now.
        let mut step = is_command.then_some(next.clone());
        let mut last = shown;
        for _ in 0..2 {
            if let Some(step) = step.take() {
                last = run(&broken, &step);
            }
            let now = row(&broken.run(&["status", "s", "--json"]).json(), "s");
            if now["status"] == "connected" {
                return;
            }
            let after = now["reason"]["next"].as_str().unwrap_or_default();
            step = after.starts_with("mcplink ").then(|| after.to_owned());
            last.push_str(&format!("{now:#}"));
        }
        panic!("{name}: after {next}: {last}");
    }
}

/// The set-ups that no change of a file, a variable or a command of this machine mends: the server, what stands in front of it, who
/// issues its tokens, the clock, or what else runs here.
const ELSEWHERE: [&str; 8] =
    ["clock", "expired", "firewall", "helper-refused", "killed", "no-list", "not-yet-valid", "old-version"];

#[test]
fn the_gallery_has_forty_set_ups_and_every_reason() {
    let all = all();
    assert!(all.len() >= 40, "{}", all.len());
    let names: BTreeSet<&str> = all.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), all.len());
    assert!(ELSEWHERE.iter().all(|name| names.contains(name)));
    let had: BTreeSet<&str> = all.iter().filter_map(|(_, code, ..)| code.map(ReasonCode::as_str)).collect();
    // The first two pass by themselves; with the other one the server is connected, and nothing is the cause of that.
    let passing = [ReasonCode::Connecting, ReasonCode::Retrying, ReasonCode::NoTools];
    let missing: Vec<_> = ReasonCode::ALL
        .iter()
        .filter(|code| !passing.contains(code) && !had.contains(code.as_str()))
        .collect();
    assert!(missing.is_empty(), "{missing:?} have no set-up");
}

/// `docs/gallery.md`; `UPDATE_EXPECT=1` writes it again.
#[test]
fn the_page_of_the_gallery_is_what_is_brought_about() {
    let mut page = format!(
        "# Broken set-ups\n\nMade from the table of a test, which brings about each of these {} set-ups of a server `s`. \
         `mcplink doctor s` has to name the cause, in words that no other set-up has, and a command. The test runs the command \
         as printed; where a person has to change something, it makes exactly the change that the words name, in the file and at the \
         line that they name, or sets the variable. Afterwards `mcplink status` has to be connected. Only {} are mended where no \
         file of this machine is: {}. `*` stands for what differs from machine to machine.\n\n\
         | set-up | reason | check | words of the cause | command |\n|---|---|---|---|---|\n",
        all().len(),
        ELSEWHERE.len(),
        ELSEWHERE.join(", ")
    );
    for (name, code, topic, cause, step) in all() {
        let code = code.map_or("none".to_owned(), |code| format!("[{code}](reasons.md#{code})"));
        let cause = cause.replace('`', "").replace('|', "\\|");
        // A sentence has marks of its own.
        let step = if step.contains('`') { step.to_owned() } else { format!("`{step}`") };
        page.push_str(&format!("| {name} | {code} | {topic} | {cause} | {step} |\n"));
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gallery.md");
    mcp_harness::is_kept(&path, &page);
}
