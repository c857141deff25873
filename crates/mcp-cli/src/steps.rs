//! What is printed as the next step, as it can be pasted: with the options of this invocation that decide which entries
//! are seen, and never the command that was just run.
//!
//! Longer than 500 lines because each kind of step has its words here, and a third of the file is their tests.

mod places;
mod repeated;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use mcp_config::Config;
use mcp_config::address::Address;
use mcp_connect::Description;
use mcp_status::{Action, EntryPart, NextStep, ReasonCode};
use serde_json::Value;

use self::places::Places;
use self::repeated::repeated;
use crate::args::{Cli, Command};
use crate::printed_step::{AND, CURED, PrintedStep};
use crate::runner::Runner;
use crate::secret_name::{self, is_plain};
use crate::two_names;
use crate::written::{has_option, valued, written};

/// The command that takes the step for the server `name`, where one does.
fn command(step: &NextStep, name: &str) -> Option<String> {
    let verb = match step {
        NextStep::SignIn { .. } => "login",
        NextStep::Approve => "approve",
        NextStep::Enable => "enable",
        NextStep::Trust => return Some("mcplink trust".to_owned()),
        NextStep::LookAtCredentials => {
            return Some(format!("mcplink headers {} --run", mcp_text::shell_word(name)));
        }
        NextStep::LookAtStatus => "status",
        NextStep::Wait { .. } => "wait",
        NextStep::ListTools => "tools",
        NextStep::ApproveTools => "approve-tools",
        NextStep::KeepSecret { service, name } => {
            let takes = service != mcp_config::Locations::NAME && is_plain(service) && is_plain(name);
            // Otherwise another program has to keep it.
            return takes.then(|| format!("mcplink secret set {}", secret_name::argument(service, name)));
        }
        // For a person to do, and no command of this program.
        NextStep::Provider { .. }
        | NextStep::SetVariable { .. }
        | NextStep::ChangePolicy { .. }
        | NextStep::AskOperator
        | NextStep::AskMaker
        | NextStep::ComeBack { .. }
        | NextStep::Install { .. }
        | NextStep::ProvideFile { .. }
        | NextStep::StartService { .. }
        | NextStep::GiveVariable { .. }
        | NextStep::FreeMemory
        | NextStep::Update
        | NextStep::AskOperatorOf { .. }
        | NextStep::ChangeProxy { .. }
        | NextStep::ChangeEntry { .. } => return None,
        NextStep::AllowToRun { path } => {
            let (path, name) = (mcp_text::shell_word(path), mcp_text::shell_word(name));
            return Some(format!("chmod +x {path}{AND}mcplink reconnect {name}"));
        }
        NextStep::Cure { command } => {
            // Security: plain words of a command that the person runs anyway, for a person to paste.
            return Some(format!("{command}{AND}mcplink reconnect {}", mcp_text::shell_word(name)));
        }
        // What is not known here is for the session to find out.
        _ => "reconnect",
    };
    let command = format!("mcplink {verb} {}", mcp_text::shell_word(name));
    let NextStep::SignIn { scopes } = step else { return Some(command) };
    let more = scopes.iter().map(|scope| format!(" --oauth-scope {}", mcp_text::shell_word(scope)));
    Some(command + &more.collect::<String>())
}

/// What steps take over from the invocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    /// The command that was just run; empty for one that no step names.
    verb: &'static str,
    /// What runs this program, where that is not a file on the `PATH`; with a blank behind it.
    runner: &'static str,
    /// With a blank before each.
    options: String,
    /// The one among them that has a host's files read in place.
    from: String,
    /// What a person does first, because a `--mcp-config` of this invocation cannot be repeated.
    first: Option<&'static str>,
    /// The servers that were given by their URLs: a step has what was said of them.
    addresses: Arc<[Address]>,
    /// `--project` of the folder that was found for a name, once it was.
    found: OnceLock<String>,
    /// Where the entries stand.
    places: Arc<Places>,
}

impl Steps {
    pub(crate) fn of(cli: &Cli) -> Self {
        let mut options = String::new();
        let (mut first, mut from) = (None, String::new());
        for config in &cli.global.mcp_config {
            let word = repeated(config).unwrap_or_else(|instead| {
                first = Some(instead);
                "FILE".to_owned()
            });
            options.push_str(&valued(" --mcp-config", &word));
        }
        if cli.global.strict_mcp_config {
            options.push_str(" --strict-mcp-config");
        }
        if let Some(folder) = &cli.global.project {
            options.push_str(&option_of(folder));
        }
        if let Some(host) = &cli.global.from {
            from = valued(" --from", &mcp_text::shell_word(host));
            options.push_str(&from);
        }
        if let Some(account) = &cli.global.account {
            options.push_str(&valued(" --account", &mcp_text::shell_word(account)));
        }
        if let Ok((Some(scope), _)) = cli.scopes() {
            options.push_str(&format!(" --scope {scope}"));
        }
        let verb = match cli.command {
            Command::Reconnect(_) => "reconnect",
            Command::Wait(_) => "wait",
            Command::Login(_) => "login",
            Command::Status(_) => "status",
            Command::Doctor(_) => "doctor",
            Command::Tools(ref args) if args.tool.is_none() && !two_names::may_be_two(&args.name) => "tools",
            _ => "",
        };
        Self {
            verb,
            runner: "",
            options,
            from,
            first,
            addresses: Arc::new([]),
            found: OnceLock::new(),
            places: Arc::default(),
        }
    }

    /// The options that a step carries, for a test.
    #[cfg(test)]
    pub(crate) fn options(&self) -> &str {
        &self.options
    }

    /// The program is run by this.
    pub(crate) fn run_by(self, runner: Option<Runner>) -> Self {
        Self { runner: runner.map_or("", |runner| runner.run), ..self }
    }

    pub(crate) fn with_addresses(self, addresses: Arc<[Address]>) -> Self {
        Self { addresses, ..self }
    }

    /// The steps for a server in the files of this host.
    #[must_use]
    pub(crate) fn in_host(&self, host: &str) -> Self {
        let from = valued(" --from", &mcp_text::shell_word(host));
        let is_said = self.options.contains(&from);
        Self {
            options: if is_said { self.options.clone() } else { format!("{}{from}", self.options) },
            from,
            ..self.clone()
        }
    }

    /// The configuration of this folder counts from now on, though the invocation does not say so: a person who takes a step
    /// is somewhere else.
    pub(crate) fn found_in(&self, folder: &Path) {
        // A folder that was asked for is never searched for another one.
        drop(self.found.set(option_of(folder)));
    }

    /// The entries of this configuration are those that steps are about from now on.
    pub(crate) fn see(&self, config: &Config) {
        self.places.see(config);
    }

    /// This is where the entry of this server stands, in whichever host's files it was found.
    pub(crate) fn see_entry(&self, entry: &Description) {
        self.places.see_entry(entry);
    }

    /// The reason of a live session, which knows which options its steps take, and not what was just run here.
    pub(crate) fn for_session(&self, reason: &mut Value) {
        let again = format!("mcplink {} ", self.verb);
        let next = reason.get("next").and_then(Value::as_str).and_then(|next| next.strip_prefix(&again));
        if let Some(rest) = next.filter(|_| !self.verb.is_empty()) {
            reason["next"] = self.step(format!("{again}{rest}")).as_str().into();
        }
    }

    /// The step for the server `name`, as it is printed.
    pub(crate) fn words(&self, step: &NextStep, name: &str) -> PrintedStep {
        match (step, command(step, name)) {
            // Nothing is to be started that answers.
            (NextStep::Wait { answers: true }, Some(_)) if self.verb == "wait" => {
                PrintedStep::Sentence("try again later, or ask the operator of the server".to_owned())
            }
            (_, Some(command)) => self.step(PrintedStep::Command(command)),
            // Security: whatever it says, it does not become a command of this invocation.
            (NextStep::Provider { hint }, None) => PrintedStep::Sentence(hint.clone()),
            (NextStep::ChangeEntry { part }, None) => PrintedStep::Sentence(self.places.change(*part, name)),
            (NextStep::GiveVariable { name: variable }, None) => {
                PrintedStep::Sentence(self.places.give(variable, name))
            }
            (step @ NextStep::ProvideFile { .. }, None) => {
                let instead = self.places.change(EntryPart::Command, name);
                PrintedStep::Sentence(format!("{step}, or {instead}"))
            }
            (NextStep::Update, None) => PrintedStep::Sentence("update mcplink".to_owned()),
            (step, None) => PrintedStep::Sentence(step.to_string()),
        }
    }

    /// The same after a request failed with `code` over a connection that stood.
    pub(crate) fn words_after_request(&self, step: &NextStep, code: ReasonCode, name: &str) -> PrintedStep {
        match step {
            // What has just shaken hands is connected, and a wait for that would end at once. The parts of the way tell more.
            NextStep::Wait { .. } if code != ReasonCode::Unreachable => {
                self.step(format!("mcplink doctor {}", mcp_text::shell_word(name)))
            }
            step => self.words(step, name),
        }
    }

    /// The command that does `action` for the server `name`, as it is printed; `None` where a person does it by hand.
    #[cfg_attr(not(feature = "menu"), expect(dead_code, reason = "the menu alone has keys for actions"))]
    pub(crate) fn action(&self, action: Action, name: &str) -> Option<String> {
        let verb = match action {
            Action::Reconnect => "reconnect",
            Action::Authenticate | Action::ReAuthenticate => "login",
            Action::ClearAuthentication => "logout",
            Action::Enable => "enable",
            Action::Disable => "disable",
            Action::Approve => "approve",
            Action::Reject => "reject",
            Action::ApproveTools => "approve-tools",
            Action::Trust => return Some(self.line("mcplink trust")),
            _ => return None,
        };
        Some(self.line(&format!("mcplink {verb} {}", mcp_text::shell_word(name))))
    }

    /// A command of this program as it is printed within a text.
    pub(crate) fn line(&self, command: &str) -> String {
        self.step(command).to_string()
    }

    /// The same about our own files, whatever host's are read in place.
    pub(crate) fn own(&self, command: &str) -> String {
        Self { options: self.without_host(), ..self.clone() }.line(command)
    }

    /// `next` as it is printed. What is not a command of this program is left as it is.
    pub(crate) fn step(&self, next: impl Into<PrintedStep>) -> PrintedStep {
        let next = match next.into() {
            PrintedStep::Command(next) => next,
            sentence @ PrintedStep::Sentence(_) => return sentence,
        };
        let Some(rest) = next.strip_prefix("mcplink ") else {
            // Behind another command the one that was just run brings something new.
            let Some((before, rest)) = next.split_once(CURED) else { return PrintedStep::Command(next) };
            let again = Self { verb: "", ..self.clone() };
            return PrintedStep::Command(format!("{before}{AND}{}", again.line(&format!("mcplink {rest}"))));
        };
        let (verb, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
        // What was just run brings nothing new: what the entry says has to change, or what it is about.
        // With an option of its own, it is another command.
        // An examination has asked for the tools already, and who has waited knows the status.
        let is_known =
            verb == self.verb || matches!((verb, self.verb), ("tools", "doctor") | ("status", "wait"));
        // Nor is what was meant and not written: an address with its scheme.
        let is_meant = mcp_config::address::Address::is_one(arguments) && !self.places.knows(arguments);
        // Then it is what was to be asked in this way.
        let verb = if is_meant && verb == "status" && !self.verb.is_empty() { self.verb } else { verb };
        let is_again = !arguments.is_empty()
            && is_known
            && !is_meant
            && !arguments.starts_with('-')
            && !arguments.contains(" --");
        if is_again {
            return match (verb, self.verb) {
                ("status", "status") => {
                    Self { verb: "", ..self.clone() }.step(format!("mcplink wait {arguments}"))
                }
                _ => PrintedStep::Sentence(self.places.instead(verb, arguments)),
            };
        }
        let alone = arguments.is_empty() || verb.starts_with('-') || has_option(arguments, "--help");
        let sees_entries = !alone || matches!(verb, "validate" | "list" | "status" | "paths" | "trust");
        let options = format!("{}{}", self.options_of(verb), self.found.get().map_or("", String::as_str));
        let options = if sees_entries && !next.contains(&options) { &*options } else { "" };
        let options =
            self.of_address(arguments).filter(|own| !next.contains(&**own)).unwrap_or_default() + options;
        let arguments = if arguments.is_empty() { String::new() } else { format!(" {arguments}") };
        let command = written(&format!("mcplink {verb}{arguments}{options}"));
        let command = format!("{}{command}", self.runner);
        match self.first {
            Some(first) if sees_entries => PrintedStep::Sentence(format!("{first}, then {command}")),
            // What was typed is not shown again, and so is for the person to put there.
            _ if !self.addresses.is_empty() && command.contains(mcp_text::REDACTED) => PrintedStep::Sentence(
                format!("put what was typed in the place of {}: {command}", mcp_text::REDACTED),
            ),
            _ => PrintedStep::Command(command),
        }
    }

    /// The options that a step of this verb carries: what changes files of ours, or names the host itself, reads none in place.
    fn options_of(&self, verb: &str) -> String {
        match verb {
            "add" | "add-json" | "remove" | "enable" | "disable" | "import" | "wrap" | "unwrap" => {
                self.without_host()
            }
            _ => self.options.clone(),
        }
    }

    fn without_host(&self) -> String {
        self.options.replacen(&self.from, "", 1)
    }

    /// What was said of the server that these arguments begin with, with a blank before each word.
    fn of_address(&self, arguments: &str) -> Option<String> {
        let is_it = |address: &&Address| {
            let rest = arguments.strip_prefix(&*mcp_text::shell_word(address.name()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let address = self.addresses.iter().find(is_it)?;
        // A shell takes an option as it is; `shell_word` keeps a name from being one.
        let is_option =
            |word: &str| word.starts_with('-') && word.chars().all(|c| c == '-' || c.is_ascii_alphanumeric());
        let written = |word: &String| match is_option(word) {
            true => format!(" {word}"),
            false => format!(" {}", mcp_text::shell_word(word)),
        };
        Some(address.options().iter().map(written).collect())
    }
}

/// With a blank before it.
fn option_of(folder: &Path) -> String {
    valued(" --project", &mcp_text::shell_word(&folder.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use clap::Parser as _;
    use mcp_status::{ActionFacts, ServerStatus, SignInState, TransportKind, next_step};

    use super::*;

    /// About an entry that was not seen.
    const LATER: &str = "try again later, or ask the operator of the server";

    fn step(line: &str, next: &str) -> String {
        Steps::of(&Cli::try_parse_from(line.split(' ')).unwrap()).line(next)
    }

    #[test]
    fn fh_h4_a_step_carries_the_options_that_decide_what_is_seen() {
        for (line, next, expected) in [
            ("mcplink status", "mcplink login x", "mcplink login x"),
            ("mcplink status --mcp-config a.json", "mcplink login x", "mcplink login x --mcp-config a.json"),
            (
                "mcplink status --mcp-config a.json",
                "mcplink validate",
                "mcplink validate --mcp-config a.json",
            ),
            (
                "mcplink status --mcp-config a.json --mcp-config b.json --strict-mcp-config",
                "mcplink get x",
                "mcplink get x --mcp-config a.json --mcp-config b.json --strict-mcp-config",
            ),
            ("mcplink status --scope user", "mcplink get x", "mcplink get x --scope user"),
            ("mcplink status --project /a/b", "mcplink get x", "mcplink get x --project /a/b"),
            ("mcplink status --project /a/b", "mcplink trust", "mcplink trust --project /a/b"),
            ("mcplink list --from cursor", "mcplink login x", "mcplink login x --from cursor"),
            ("mcplink list --from cursor", "mcplink disable x", "mcplink disable x"),
            (
                "mcplink list --from cursor --project /a",
                "mcplink import cursor --name x",
                "mcplink import cursor --name x --project /a",
            ),
            ("mcplink status --mcp-config {}", "mcplink get x", "mcplink get x --mcp-config '{}'"),
            (
                "mcplink status --mcp-config /dev/fd/63",
                "mcplink get x",
                "write what the pipe gave to FILE, then mcplink get x --mcp-config FILE",
            ),
            ("mcplink status --mcp-config /dev/fd/63", "mcplink --help", "mcplink --help"),
            ("mcplink status --mcp-config a.json", "mcplink --help", "mcplink --help"),
            ("mcplink status --mcp-config a.json", "mcplink call --help", "mcplink call --help"),
            ("mcplink login x", "mcplink login --help", "mcplink login --help"),
            ("mcplink status --mcp-config a.json", "correct line 3 of x", "correct line 3 of x"),
        ] {
            assert_eq!(step(line, next), expected, "{line}");
            assert_eq!(step(line, expected), expected, "once and for all: {line}");
        }
    }

    #[test]
    fn fh_h10_a_step_names_the_folder_that_was_found_for_the_name() {
        let steps = Steps::of(&Cli::try_parse_from(["mcplink", "bridge", "x"]).unwrap());
        assert_eq!(steps.line("mcplink login x"), "mcplink login x");
        steps.found_in(Path::new("/home/me/my shop"));
        for (next, expected) in [
            ("mcplink login x", "mcplink login x --project '/home/me/my shop'"),
            ("mcplink login x --project '/home/me/my shop'", "mcplink login x --project '/home/me/my shop'"),
            ("mcplink validate", "mcplink validate --project '/home/me/my shop'"),
            ("mcplink --help", "mcplink --help"),
        ] {
            assert_eq!(steps.line(next), expected);
        }
    }

    #[test]
    fn fh_h3_what_is_not_shown_again_is_no_command_to_paste() {
        let steps = |line: &[&str]| {
            let mut cli = Cli::try_parse_from(line).unwrap();
            let addresses = cli.take_addresses().unwrap();
            Steps::of(&cli).with_addresses(addresses.into())
        };
        let secret = "http://127.0.0.1:1/mcp?api_key=abcdef123456";
        let shown = mcp_config::display_url(secret);
        let step = steps(&["mcplink", "status", secret]).words(&NextStep::Wait { answers: false }, &shown);
        let PrintedStep::Sentence(text) = step else { panic!("{step}") };
        assert!(text.starts_with("put what was typed in the place of [redacted]: mcplink wait "), "{text}");
        assert!(!text.contains("abcdef"), "{text}");
        // A server of a file may be called so.
        let named = steps(&["mcplink", "status", "[redacted]"])
            .words(&NextStep::Wait { answers: false }, "[redacted]");
        assert_eq!(named, PrintedStep::Command("mcplink wait '[redacted]'".into()));
    }

    #[test]
    fn every_step_is_a_command_of_this_program() {
        use clap::CommandFactory as _;
        let sign_in =
            |scopes: &[&str]| NextStep::SignIn { scopes: scopes.iter().map(|s| (*s).into()).collect() };
        let keep =
            |service: &str, name: &str| NextStep::KeepSecret { service: service.into(), name: name.into() };
        for (step, expected) in [
            (NextStep::Reconnect, "mcplink reconnect 'a b'"),
            (sign_in(&[]), "mcplink login 'a b'"),
            (NextStep::Approve, "mcplink approve 'a b'"),
            (NextStep::Trust, "mcplink trust"),
            (NextStep::LookAtCredentials, "mcplink headers 'a b' --run"),
            (NextStep::LookAtStatus, "mcplink status 'a b'"),
            (keep("mcp", "wiki"), "mcplink secret set wiki"),
            (keep("team", "wiki"), "mcplink secret set team/wiki"),
            (keep("mcp", "a/b"), "mcplink secret set mcp/a/b"),
            (NextStep::Wait { answers: false }, "mcplink wait 'a b'"),
            (NextStep::ListTools, "mcplink tools 'a b'"),
            (NextStep::ApproveTools, "mcplink approve-tools 'a b'"),
            (NextStep::Enable, "mcplink enable 'a b'"),
        ] {
            let command = command(&step, "a b").unwrap();
            assert_eq!(command, expected);
            let verb = command.split(' ').nth(1).unwrap();
            assert!(Cli::command().find_subcommand(verb).is_some(), "{command}");
        }
    }

    #[test]
    fn an_address_that_lacked_its_scheme_is_tried_with_it_in_the_same_way() {
        for (line, expected) in [
            ("mcplink doctor host/mcp", "mcplink doctor http://host/mcp"),
            ("mcplink status host/mcp --scope user", "mcplink status http://host/mcp --scope user"),
            ("mcplink get host/mcp", "mcplink status http://host/mcp"),
        ] {
            assert_eq!(step(line, "mcplink status http://host/mcp"), expected, "{line}");
        }
    }

    #[test]
    fn what_a_provider_says_is_shown_as_it_is_and_is_no_command_of_this_invocation() {
        let steps = Steps::of(&Cli::try_parse_from(["mcplink", "status", "--scope", "user"]).unwrap());
        for hint in ["run `aws sso login`", "mcplink login x", "mcplink status"] {
            let step = NextStep::Provider { hint: hint.to_owned() };
            let sentence = PrintedStep::Sentence(hint.to_owned());
            assert_eq!(steps.words(&step, "a b"), sentence);
            // Nor does it where an error passes it on.
            assert_eq!(steps.step(sentence.clone()), sentence);
        }
    }

    #[test]
    fn what_a_helper_asks_for_comes_before_the_command_that_tries_it() {
        let step = NextStep::Cure { command: "my-sso login".into() };
        for (line, expected) in [
            ("mcplink status --scope user", "my-sso login && mcplink reconnect 'a b' --scope user"),
            ("mcplink reconnect x", "my-sso login && mcplink reconnect 'a b'"),
        ] {
            let steps = Steps::of(&Cli::try_parse_from(line.split(' ')).unwrap());
            let expected = PrintedStep::Command(expected.to_owned());
            assert_eq!(steps.words(&step, "a b"), expected);
            assert_eq!(steps.step(expected.clone()), expected, "once and for all");
        }
    }

    #[test]
    fn fh_h3_nor_is_the_step_of_a_session_that_was_just_asked() {
        let next_of_session = |line: &str, next: Value| {
            let mut reason = serde_json::json!({ "code": "helper-failed", "next": next });
            Steps::of(&Cli::try_parse_from(line.split(' ')).unwrap()).for_session(&mut reason);
            reason["next"].clone()
        };
        assert_eq!(next_of_session("mcplink reconnect x", "mcplink reconnect x".into()), LATER);
        for (line, next) in [
            ("mcplink reconnect x", "mcplink login x --project /a"),
            ("mcplink status x", "mcplink reconnect x"),
            ("mcplink ping x", "mcplink  x"),
        ] {
            assert_eq!(next_of_session(line, next.into()), next);
        }
        assert_eq!(next_of_session("mcplink reconnect x", Value::Null), Value::Null);
        let mut none = Value::Null;
        Steps::of(&Cli::try_parse_from(["mcplink", "reconnect", "x"]).unwrap()).for_session(&mut none);
        assert_eq!(none, Value::Null);
    }

    #[test]
    fn fb_o46_the_sign_in_asks_for_the_scopes_that_were_missing() {
        let next = |scopes: &[&str]| {
            command(&NextStep::SignIn { scopes: scopes.iter().map(|s| (*s).into()).collect() }, "x").unwrap()
        };
        assert_eq!(next(&["files:write", "b"]), "mcplink login x --oauth-scope files:write --oauth-scope b");
        assert_eq!(next(&["$(id)"]), "mcplink login x --oauth-scope '$(id)'");
        assert!(Cli::try_parse_from(next(&["files:write", "b"]).split(' ')).is_ok());
    }

    #[test]
    fn fh_h3_a_step_is_never_the_command_that_was_just_run() {
        for (verb, instead) in [
            ("reconnect", LATER),
            ("wait", "start it, or correct `url` of x"),
            ("login", "ask the operator of the server"),
            ("tools", "ask the operator of the server"),
            ("status", "mcplink wait x"),
        ] {
            assert_eq!(step(&format!("mcplink {verb} x"), &format!("mcplink {verb} x")), instead);
            assert_eq!(step("mcplink ping x", &format!("mcplink {verb} x")), format!("mcplink {verb} x"));
        }
        assert_eq!(step("mcplink tools x/y", "mcplink tools x"), "mcplink tools x");
        assert_eq!(step("mcplink reconnect --all", "mcplink reconnect x"), LATER);
        assert_eq!(step("mcplink wait x", "mcplink status x"), "start it, or correct `url` of x");
        assert_eq!(step("mcplink login x", "mcplink login x --no-browser"), "mcplink login x --no-browser");
    }

    fn after(verb: &str) -> Steps {
        Steps::of(&Cli::try_parse_from(["mcplink", verb, "x"]).unwrap())
    }

    /// The verb of what is printed as the next step for a server `x` with this reason.
    fn verb_after(steps: &Steps, facts: &ActionFacts) -> Option<String> {
        let step = next_step(facts, None)?;
        let printed = match steps.verb {
            // The list fails over a connection that stands.
            "tools" if facts.code == Some(ReasonCode::ToolsUnavailable) => {
                steps.words_after_request(&NextStep::Wait { answers: false }, ReasonCode::Unavailable, "x")
            }
            "tools" => steps.words_after_request(&step, facts.code?, "x"),
            _ => steps.words(&step, "x"),
        };
        Some(printed.as_str().strip_prefix("mcplink ")?.split(' ').next()?.to_owned())
    }

    #[test]
    fn fh_h3_no_reason_leads_in_a_circle_from_any_verb() {
        // All that print the reason of a server.
        const VERBS: [&str; 7] = ["status", "wait", "tools", "doctor", "get", "reconnect", "login"];
        // They change something, or name what a person has to change. None only shows the entry.
        const ENDS: [&str; 6] = ["reconnect", "login", "approve", "approve-tools", "trust", "validate"];
        let after: HashMap<&str, Steps> = VERBS.into_iter().map(|verb| (verb, after(verb))).collect();
        for code in ReasonCode::ALL {
            for bits in 0..32_u8 {
                let has = |bit: u8| bits & (1 << bit) != 0;
                let mut facts = ActionFacts::new(TransportKind::Remote);
                facts.code = Some(code);
                facts.status =
                    if code == ReasonCode::ToolsUnavailable { facts.status } else { ServerStatus::Failed };
                facts.sign_in = if has(0) { SignInState::Offered } else { SignInState::NotOffered };
                (facts.entry.has_helper, facts.entry.has_static_headers) = (has(1), has(2));
                (facts.session, facts.entry.needs_restart) = (has(3), has(4));
                for began in VERBS {
                    let mut way = vec![began.to_owned()];
                    while let Some(next) = verb_after(&after[&**way.last().unwrap()], &facts) {
                        assert_ne!(next, "get", "{code}: {way:?}");
                        assert!(!way.contains(&next), "{code}: {way:?}, then {next}");
                        let ends = ENDS.contains(&&*next);
                        way.push(next);
                        if ends || ENDS.contains(&began) {
                            break;
                        }
                    }
                    assert!(way.len() <= 5, "{code}: {way:?}");
                }
            }
        }
    }

    #[test]
    fn fh_h3_a_list_that_fails_leads_to_an_examination_and_that_to_who_runs_the_server() {
        let facts = ActionFacts::new(TransportKind::Remote)
            .with_status(ServerStatus::Connected, Some(ReasonCode::ToolsUnavailable));
        let way = ["status", "tools"].map(|verb| verb_after(&after(verb), &facts).unwrap());
        assert_eq!(way, ["tools", "doctor"]);
        let last = after("doctor").words(&NextStep::ListTools, "x");
        assert_eq!(last.as_str(), "ask the operator of the server");
        assert_eq!(verb_after(&after("wait"), &facts).as_deref(), Some("tools"));
        let lost = after("get").words_after_request(
            &NextStep::Wait { answers: false },
            ReasonCode::Unreachable,
            "x",
        );
        assert_eq!(lost.as_str(), "mcplink wait x");
    }
}
