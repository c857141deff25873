//! Where entries stand, for steps that no command takes: a person changes a file, and is told which, and at which line.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mcp_auth::plan::ProviderKind;
use mcp_config::{Config, EntryTransport};
use mcp_connect::Description;
use mcp_status::EntryPart;

/// What of a name and of a path is shown, in characters.
const MAX_NAME: usize = 60;
const MAX_PLACE: usize = 400;

/// Where nothing that the entry says would help.
const ASK: &str = "ask the operator of the server";

/// Each entry by its name, as of the last look at the files.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<HashMap<String, SeenEntry>>);

/// What of an entry decides what is changed in it.
#[derive(Clone, Debug)]
struct SeenEntry {
    place: Place,
    runs: Runs,
}

#[derive(Clone, Debug)]
enum Place {
    /// `FILE:LINE`, or what else entries are read from.
    At(String),
    /// It was given by its URL.
    CommandLine,
}

/// What of an entry is a program of this machine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Runs {
    Nothing,
    /// The server itself.
    Server,
    /// What prints its headers.
    Helper,
}

impl Runs {
    fn of(transport: EntryTransport, has_helper: bool) -> Self {
        match transport {
            EntryTransport::Stdio => Self::Server,
            _ if has_helper => Self::Helper,
            _ => Self::Nothing,
        }
    }
}

impl Places {
    pub(super) fn see(&self, config: &Config) {
        let mut places = self.lock();
        // Of a name that is both, the server is what a person wants to change.
        for entry in config.pointers.iter().map(|pointer| &pointer.entry).chain(&config.entries) {
            let place = match &entry.origin.place {
                mcp_config::ConfigSource::Url => Place::CommandLine,
                place => Place::at(&place.to_string(), place.path().map(|_| entry.origin.line)),
            };
            let has_helper = entry.remote().is_some_and(|remote| remote.helper.is_some());
            let runs = Runs::of(entry.transport(), has_helper);
            places.insert(entry.name.clone(), SeenEntry { place, runs });
        }
    }

    pub(super) fn see_entry(&self, entry: &Description) {
        let place = match entry.by_url {
            true => Place::CommandLine,
            false => Place::at(&entry.source, entry.line),
        };
        let has_helper = entry.chain.iter().any(|name| *name == ProviderKind::HeadersHelper.name());
        let runs = Runs::of(entry.transport, has_helper);
        self.lock().insert(entry.name.clone(), SeenEntry { place, runs });
    }

    /// Whether there is a server of this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.lock().contains_key(name)
    }

    /// What is to be changed of the entry `name`, and where.
    pub(super) fn change(&self, part: EntryPart, name: &str) -> String {
        change(part, name, self.lock().get(name).map(|seen| &seen.place))
    }

    /// That the entry `name` gives its server a variable, and where.
    pub(super) fn give(&self, variable: &str, name: &str) -> String {
        let places = self.lock();
        let at = match places.get(name).map(|seen| &seen.place) {
            Some(Place::At(place)) if !place.is_empty() => format!(" in {place}"),
            _ => String::new(),
        };
        let [variable, name] = [variable, name].map(|text| mcp_text::name(text, MAX_NAME));
        format!("set {variable} in `env` of {name}{at}")
    }

    /// What brings a person further in place of `mcplink VERB ARGUMENTS`, which has just been run: what it tried again was a
    /// program of this machine, or it is for the people who run the server.
    pub(super) fn instead(&self, verb: &str, arguments: &str) -> String {
        let places = self.lock();
        let is_it = |name: &&String| {
            let rest = arguments.strip_prefix(&*mcp_text::shell_word(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let name = places.keys().find(is_it).map_or(arguments, String::as_str);
        let (place, runs) = match places.get(name) {
            Some(seen) => (Some(&seen.place), seen.runs),
            None => (None, Runs::Nothing),
        };
        let change = |part| change(part, name, place);
        match (verb, runs) {
            ("tools" | "login", _) => ASK.to_owned(),
            ("wait" | "status", Runs::Server) => change(EntryPart::Process),
            ("wait" | "status", _) => format!("start it, or {}", change(EntryPart::Url)),
            (_, Runs::Server) => change(EntryPart::Process),
            (_, Runs::Helper) => change(EntryPart::Helper),
            (_, Runs::Nothing) => format!("try again later, or {ASK}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, SeenEntry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn at(source: &str, line: Option<usize>) -> Self {
        let source = mcp_text::line(source, MAX_PLACE);
        Self::At(line.map_or_else(|| source.clone(), |line| format!("{source}:{line}")))
    }
}

/// What is to be changed of the entry `name`.
fn change(part: EntryPart, name: &str, place: Option<&Place>) -> String {
    let at = match place {
        Some(Place::At(place)) if !place.is_empty() => format!(" in {place}"),
        _ => String::new(),
    };
    let name = mcp_text::name(name, MAX_NAME);
    let what = match (part, place) {
        (EntryPart::Url, Some(Place::CommandLine)) => return "correct the URL".to_owned(),
        // The server may know itself by another name; or who runs it does not know this one.
        (EntryPart::Host, Some(Place::CommandLine)) => {
            return "correct the host in the URL, or add it to the hosts that the server allows".to_owned();
        }
        (EntryPart::Host, _) => {
            return format!(
                "correct the host in `url` of {name}{at}, or add it to the hosts that the server allows"
            );
        }
        (EntryPart::Headers, Some(Place::CommandLine)) => return "correct its headers (-H)".to_owned(),
        (EntryPart::Credentials, Some(Place::CommandLine)) => {
            return "give it credentials, as in -H 'Authorization: Bearer ${TOKEN}'".to_owned();
        }
        (EntryPart::Authority, Some(Place::CommandLine)) => {
            return "trust its authority: --ca FILE".to_owned();
        }
        (EntryPart::Client, Some(Place::CommandLine)) => return "name its client: --client-id ID".to_owned(),
        (EntryPart::Protocol, Some(Place::CommandLine)) => return "leave out --protocol".to_owned(),
        (EntryPart::Transport, Some(Place::CommandLine)) => {
            return "let another transport be tried: -t http or -t sse, without `-only`".to_owned();
        }
        (EntryPart::AddressFamily, Some(Place::CommandLine)) => return "leave out --ipv4".to_owned(),
        // There is no option for that.
        (EntryPart::AuthorizationServer, Some(Place::CommandLine)) => {
            return "give it an entry (mcplink add), with what the reason names".to_owned();
        }
        (_, Some(Place::CommandLine)) => return "correct the URL or its options".to_owned(),
        (EntryPart::Url, _) => "`url`",
        (EntryPart::Command, _) => "`command`",
        (EntryPart::Arguments, _) => "`args`",
        (EntryPart::WorkingDirectory, _) => "`cwd`",
        (EntryPart::Timeout, _) => "`timeout`",
        (EntryPart::StartTime, _) => "`startupTimeoutMs` or `command`",
        (EntryPart::Limits, _) => "`limits`",
        (EntryPart::Request, _) => "`url` or `headers`",
        (EntryPart::SignIn, _) => "`oauth`",
        (EntryPart::Protocol, _) => "`protocol`",
        (EntryPart::Transport, _) => "`fallback`",
        (EntryPart::AddressFamily, _) => "`ipv4`",
        (EntryPart::Process, _) => "`command`, `args` or `env`",
        (EntryPart::Headers, _) => "`headers`",
        (EntryPart::Credentials, _) => return format!("add `headers` or a `headersHelper` to {name}{at}"),
        (EntryPart::Helper, _) => "`headersHelper`",
        (EntryPart::Source, _) => "`auth`",
        (EntryPart::Proxy, _) => "`url` or `proxy`",
        (EntryPart::ServerName, _) => "`url` or `tls.serverName`",
        (EntryPart::Authority, _) => "`tls.ca`",
        (EntryPart::ClientCertificate, _) => "`tls.cert`",
        (EntryPart::Client, _) => "`oauth.clientId`",
        (EntryPart::AuthorizationServer, _) => "`oauth.authServerMetadataUrl`",
        // The reason says what is wrong with it.
        _ => "the entry",
    };
    // What is often not there yet.
    let verb = match part {
        EntryPart::Authority
        | EntryPart::ClientCertificate
        | EntryPart::Client
        | EntryPart::AuthorizationServer
        | EntryPart::Limits
        | EntryPart::SignIn => "set",
        EntryPart::Protocol | EntryPart::Transport | EntryPart::AddressFamily => "leave out",
        _ => "correct",
    };
    format!("{verb} {what} of {name}{at}")
}

#[cfg(test)]
mod tests {
    use mcp_config::entry::RemoteKind;

    use super::*;

    #[test]
    fn a_change_names_file_and_line_and_what_to_change() {
        let places = Places::default();
        let mut entry = Description::new(
            "a b",
            "user",
            "/home/me/.claude.json",
            EntryTransport::Remote(RemoteKind::Http),
        );
        entry.line = Some(4);
        places.see_entry(&entry);
        let at = "/home/me/.claude.json:4";
        for (part, expected) in [
            (EntryPart::Url, format!("correct `url` of a b in {at}")),
            (
                EntryPart::Host,
                format!(
                    "correct the host in `url` of a b in {at}, or add it to the hosts that the server allows"
                ),
            ),
            (EntryPart::Command, format!("correct `command` of a b in {at}")),
            (EntryPart::Arguments, format!("correct `args` of a b in {at}")),
            (EntryPart::WorkingDirectory, format!("correct `cwd` of a b in {at}")),
            (EntryPart::Timeout, format!("correct `timeout` of a b in {at}")),
            (EntryPart::Process, format!("correct `command`, `args` or `env` of a b in {at}")),
            (EntryPart::Headers, format!("correct `headers` of a b in {at}")),
            (EntryPart::Credentials, format!("add `headers` or a `headersHelper` to a b in {at}")),
            (EntryPart::Helper, format!("correct `headersHelper` of a b in {at}")),
            (EntryPart::Source, format!("correct `auth` of a b in {at}")),
            (EntryPart::Named, format!("correct the entry of a b in {at}")),
            (EntryPart::StartTime, format!("correct `startupTimeoutMs` or `command` of a b in {at}")),
            (EntryPart::Limits, format!("set `limits` of a b in {at}")),
            (EntryPart::Request, format!("correct `url` or `headers` of a b in {at}")),
            (EntryPart::SignIn, format!("set `oauth` of a b in {at}")),
            (EntryPart::Protocol, format!("leave out `protocol` of a b in {at}")),
            (EntryPart::Transport, format!("leave out `fallback` of a b in {at}")),
            (EntryPart::AddressFamily, format!("leave out `ipv4` of a b in {at}")),
            (EntryPart::ServerName, format!("correct `url` or `tls.serverName` of a b in {at}")),
            (EntryPart::Authority, format!("set `tls.ca` of a b in {at}")),
            (EntryPart::ClientCertificate, format!("set `tls.cert` of a b in {at}")),
            (EntryPart::Client, format!("set `oauth.clientId` of a b in {at}")),
            (EntryPart::AuthorizationServer, format!("set `oauth.authServerMetadataUrl` of a b in {at}")),
        ] {
            assert_eq!(places.change(part, "a b"), expected);
        }
        assert_eq!(places.give("API_KEY", "a b"), format!("set API_KEY in `env` of a b in {at}"));
        assert_eq!(
            places.instead("reconnect", "'a b'"),
            "try again later, or ask the operator of the server"
        );
        assert_eq!(places.instead("login", "'a b' --from x"), "ask the operator of the server");
        assert_eq!(
            places.instead("wait", "'a b'"),
            format!("start it, or {}", places.change(EntryPart::Url, "a b"))
        );
        assert_eq!(places.instead("tools", "'a b'"), "ask the operator of the server");
        assert_eq!(places.instead("login", "a"), "ask the operator of the server");
        // A program of this machine that was just run once more.
        entry.chain = vec![ProviderKind::HeadersHelper.name().to_owned()];
        places.see_entry(&entry);
        assert_eq!(places.instead("reconnect", "'a b'"), places.change(EntryPart::Helper, "a b"));
        entry.transport = EntryTransport::Stdio;
        places.see_entry(&entry);
        for verb in ["reconnect", "wait"] {
            assert_eq!(places.instead(verb, "'a b'"), places.change(EntryPart::Process, "a b"));
        }
        entry.by_url = true;
        places.see_entry(&entry);
        for (part, expected) in [
            (EntryPart::Url, "correct the URL"),
            (EntryPart::Headers, "correct its headers (-H)"),
            (EntryPart::Credentials, "give it credentials, as in -H 'Authorization: Bearer ${TOKEN}'"),
            (EntryPart::Authority, "trust its authority: --ca FILE"),
            (EntryPart::Client, "name its client: --client-id ID"),
            (EntryPart::AuthorizationServer, "give it an entry (mcplink add), with what the reason names"),
            (EntryPart::Protocol, "leave out --protocol"),
            (EntryPart::Transport, "let another transport be tried: -t http or -t sse, without `-only`"),
            (EntryPart::AddressFamily, "leave out --ipv4"),
            (EntryPart::Named, "correct the URL or its options"),
        ] {
            assert_eq!(places.change(part, "a b"), expected);
        }
        assert_eq!(places.change(EntryPart::Url, "other"), "correct `url` of other");
    }
}
