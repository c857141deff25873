//! An entry of a host that leads through this program: put into the host's file, and taken out again.
//!
//! What stood there is kept as its bytes, so that it comes back byte for byte, also where the rest of the file was edited
//! since. A file without such an edit becomes what it was as a whole.

mod difference;
mod lines;
mod meanwhile;
mod record;
mod toml;
mod write;

use std::fmt;
use std::path::Path;

pub use difference::{ChangedLine, LineChange};
pub use meanwhile::BridgeRemark;
pub use record::{KeptNames, WrapRecord, WrappedEntry};
pub use write::WrapFailure;

use crate::display::display_key;
use crate::edit::{self, Change, EditError, Value};
use crate::editor::EntryPlace;
use crate::entry::ServerEntry;
use crate::hosts::HostListing;
use crate::hosts::{Format, HostFile, KnownHost, LocalForm};
use crate::json::{self, Node};
use crate::project::{Project, canonical};
use crate::{Config, Request, Scope};

/// A file of a host, and how an entry is written into it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostTarget {
    /// Whose it is.
    pub host: &'static KnownHost,
    /// The file.
    pub place: EntryPlace,
    /// Whether a project brings it along.
    pub of_project: bool,
    /// Its row in the table of the host; none of Claude Code, whose files are ours as well.
    row: Option<&'static HostFile>,
}

/// How a host starts this program in the place of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BridgeCommand {
    /// The program, with its whole path.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables that it needs and the host may not have.
    pub env: Vec<(String, String)>,
    /// The names of variables that the host is told to hand on, where it hands on a few alone
    /// ([`KnownHost::hands_on`]).
    pub env_vars: Vec<String>,
}

impl BridgeCommand {
    /// The program as a bridge to `name`.
    pub fn to(program: &Path, name: &str, project: Option<&Path>) -> Self {
        let project = project.map(|folder| ["--project".to_owned(), folder.display().to_string()]);
        let name = name.to_owned();
        let args = match name.starts_with('-') {
            // It would be taken for an option.
            true => project.into_iter().flatten().chain(["--".to_owned(), name]).collect::<Vec<_>>(),
            false => [name].into_iter().chain(project.into_iter().flatten()).collect(),
        };
        let args = ["bridge".to_owned()].into_iter().chain(args).collect();
        Self { program: program.display().to_string(), args, env: Vec::new(), env_vars: Vec::new() }
    }

    /// The folder whose servers it is told to reach.
    pub fn project(&self) -> Option<&str> {
        let mut args = self.args.iter().skip_while(|word| *word != "--project");
        args.nth(1).map(String::as_str)
    }
}

/// Why a file of a host is not edited.
#[derive(Debug)]
#[non_exhaustive]
pub enum WrapError {
    /// The text cannot be changed.
    Edit(EditError),
    /// It is in a format, or in a form, that is not edited here.
    NotEdited(&'static str),
    /// A host would start a bridge to what it makes of such a name.
    Name(&'static str),
    /// The entry is not what was put there.
    Changed,
    /// What was put there has another name now: this one.
    Renamed(String),
}

impl fmt::Display for WrapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edit(error) => write!(f, "{error}"),
            Self::NotEdited(why) | Self::Name(why) => f.write_str(why),
            Self::Renamed(name) => write!(f, "what was put there is called {} now", display_key(name)),
            Self::Changed => f.write_str("the entry is not what was put there; it is left as it is"),
        }
    }
}

impl std::error::Error for WrapError {}

impl From<EditError> for WrapError {
    fn from(error: EditError) -> Self {
        Self::Edit(error)
    }
}

/// A text with an entry that leads through this program.
#[derive(Clone)]
#[non_exhaustive]
pub struct WrapEdit {
    /// The text.
    pub text: String,
    /// The bytes that stood there; none where nothing did. They may hold secrets.
    pub original: Option<String>,
}

impl fmt::Debug for WrapEdit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapEdit").field("had_one", &self.original.is_some()).finish_non_exhaustive()
    }
}

/// Whether both lead to one file or folder: a home, or what is below it, may be reached by a link.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other || canonical(one) == canonical(other)
}

impl HostTarget {
    /// Where the entry `name` of `host` stands, or would: the file that has it, or else the host's own file.
    pub fn of(
        host: &'static KnownHost,
        name: &str,
        found: &[HostListing],
        config: &Config,
        request: &Request,
    ) -> Option<Self> {
        if host.is_read_anyway() {
            let scopes = [Scope::Local, Scope::Project, Scope::User];
            // Of several the one that the host uses, whether it leads through this program already or not.
            let has = |scope: &Scope| {
                let pointer = config.pointers_of(name).any(|pointer| pointer.entry.scope == *scope);
                pointer || config.definitions(name).any(|entry| entry.scope == *scope)
            };
            let scope = scopes.into_iter().find(has).unwrap_or(Scope::User);
            let pointer = config.pointers_of(name).find(|pointer| pointer.entry.scope == scope);
            let mut place = config.place_of_entry(name, scope)?;
            if let Some(file) = pointer.and_then(|pointer| pointer.entry.origin.place.path()) {
                place.file = file.to_owned();
            }
            return Some(Self { host, place, of_project: scope == Scope::Project, row: None });
        }
        let has = |file: &&HostListing| {
            file.host == host && file.servers.iter().any(|server| server.entry.name == name)
        };
        let places = host.places(&request.env, &config.project, request.platform);
        // What a project brings along takes no name from what this person has.
        let with = found.iter().filter(|file| !file.of_project).find(has).or_else(|| found.iter().find(has));
        let with = with.and_then(|file| file.place.path().map(Path::to_owned));
        let own = || {
            let mut own = places.iter().filter(|(place, _)| !place.file().is_of_project());
            let first = own.clone().next();
            own.find(|(_, path)| path.exists()).or(first).map(|(_, path)| path.clone())
        };
        let path = with.or_else(own)?;
        Self::at(host, &path, config, request)
    }

    /// Where `kept` was put; none where it is of another folder than this one.
    pub fn kept(
        host: &'static KnownHost,
        kept: &KeptNames,
        config: &Config,
        request: &Request,
    ) -> Option<Self> {
        if !host.is_read_anyway() {
            return Self::at(host, &kept.file, config, request);
        }
        let file = kept.file.clone();
        let is_of_person = config.locations.user_file.as_ref().is_some_and(|own| is_same(own, &file));
        let place = match &kept.folder {
            Some(folder) if config.project.roots().iter().any(|root| is_same(root, folder)) => {
                EntryPlace::in_folder(Scope::Local, file, folder.clone())
            }
            None if is_of_person => EntryPlace::of_file(Scope::User, file),
            None if file.parent().is_some_and(|folder| config.project.cwd.starts_with(folder)) => {
                EntryPlace::of_file(Scope::Project, file)
            }
            _ => return None,
        };
        Some(Self { host, of_project: place.scope == Scope::Project, place, row: None })
    }

    /// The file `path` of `host`.
    pub fn at(host: &'static KnownHost, path: &Path, config: &Config, request: &Request) -> Option<Self> {
        let places = host.places(&request.env, &config.project, request.platform);
        let (place, _) = places.into_iter().find(|(_, known)| is_same(known, path))?;
        let of_project = place.file().is_of_project();
        let scope = if of_project { Scope::Project } else { Scope::User };
        let at = EntryPlace::of_file(scope, path.to_owned());
        Some(Self { host, place: at, of_project, row: Some(place.file()) })
    }

    /// Whether what stands there is for one project alone.
    pub fn is_of_one_project(&self) -> bool {
        self.of_project || self.place.folder().is_some()
    }

    /// The path to the entry `name` in `text`.
    fn path(&self, text: &str, name: &str) -> Vec<String> {
        let Some(row) = self.row else { return self.place.path(text, name) };
        let root = json::parse(text).ok();
        let servers =
            root.as_ref().and_then(Node::as_object).and_then(|root| crate::hosts::servers_of(root, row.keys));
        // Of two places of which one is in the other, the outer one is what every version has.
        let keys = servers.unwrap_or_else(|| {
            let outer = row.keys.iter().find(|keys| row.keys.iter().all(|other| other.starts_with(keys)));
            outer.or(row.keys.first()).copied().unwrap_or(&["mcpServers"])
        });
        keys.iter().map(|key| (*key).to_owned()).chain([name.to_owned()]).collect()
    }

    /// How this file says what `through` does.
    fn value(&self, text: &str, name: &str, through: &BridgeCommand) -> Value {
        let path = self.path(text, name);
        let is_plain = path.len() == 2 && path[0] == "mcpServers";
        let text_of = |text: &String| Value::from(&**text);
        let mut words = vec![text_of(&through.program)];
        words.extend(through.args.iter().map(text_of));
        let env: Vec<(String, Value)> =
            through.env.iter().map(|(name, value)| (name.clone(), text_of(value))).collect();
        let mut members = Vec::new();
        let mut add = |key: &str, value: Value| members.push((key.to_owned(), value));
        match self.host.local {
            LocalForm::Words if !is_plain => {
                add("type", Value::from("local"));
                add("command", Value::Array(words));
                if !env.is_empty() {
                    add("environment", Value::Object(env));
                }
                // In the newer form it is not known.
                if path.iter().all(|key| key != "servers") {
                    add("enabled", Value::Bool(true));
                }
            }
            local => {
                let (first, all_tools) = match local {
                    LocalForm::Command(first) => (first, false),
                    LocalForm::CommandAndTools(first) => (first, true),
                    LocalForm::Words => (&[][..], false),
                };
                for (key, value) in first {
                    add(key, Value::from(*value));
                }
                add("command", words.remove(0));
                add("args", Value::Array(words));
                if !env.is_empty() {
                    add("env", Value::Object(env));
                }
                if !through.env_vars.is_empty() {
                    add("env_vars", Value::Array(through.env_vars.iter().map(text_of).collect()));
                }
                if all_tools {
                    add("tools", Value::Array(vec![Value::from("*")]));
                }
            }
        }
        Value::Object(members)
    }

    /// The entry as a person would write it into this file, where `text` stands.
    pub fn shown(&self, text: &str, name: &str, through: &BridgeCommand) -> String {
        match self.row.map(|row| row.format) {
            Some(Format::Toml) => toml::block(&["mcp_servers"], name, through, "\n"),
            Some(Format::Yaml) => yaml(name, through, &self.of_host_in_yaml(text, name)),
            _ => {
                let path = self.path("", name);
                edit::apply("", &path, &Change::Set(self.value("", name, through))).unwrap_or_default()
            }
        }
    }

    /// What the entry `name` of a file in YAML says that is nothing of the way to its server.
    fn of_host_in_yaml(&self, text: &str, name: &str) -> Vec<(String, Value)> {
        let Some(row) = self.row else { return Vec::new() };
        let Ok(root) = crate::hosts::parse_yaml(text) else { return Vec::new() };
        let servers = row.keys.iter().find_map(|keys| {
            keys.iter().try_fold(&root, |node, key| node.as_object().and_then(|object| object.get(key)))
        });
        let entry = servers.and_then(Node::as_object).and_then(|servers| servers.get(name));
        let members = entry.and_then(Node::as_object).into_iter().flat_map(|entry| entry.iter());
        let said = members.filter(|member| !meanwhile::is_way(self.host, &member.key));
        said.map(|member| (member.key.to_string(), crate::hosts::written(&member.node))).collect()
    }

    /// `text` with the entry `name` leading through this program.
    ///
    /// # Errors
    ///
    /// See [`WrapError`].
    pub fn wrapped(&self, text: &str, name: &str, through: &BridgeCommand) -> Result<WrapEdit, WrapError> {
        if !self.host.forms.is_empty() && ["$", "{env:", "{file:"].iter().any(|sign| name.contains(sign)) {
            return Err(WrapError::Name("its name reads as a variable, which the host replaces"));
        }
        match self.row.map(|row| row.format) {
            Some(Format::Yaml) => Err(WrapError::NotEdited("its file is YAML, which is not edited here")),
            Some(Format::Toml) => toml::wrapped(self.host, text, name, through),
            _ => {
                let path = self.path(text, name);
                let original = edit::written_at(text, &path)?;
                let kept = edit::value_at(text, &path)?.map(|value| meanwhile::of_host(self.host, value));
                let value = meanwhile::with(self.value(text, name, through), kept.unwrap_or_default());
                let text = edit::apply(text, &path, &Change::Set(value))?;
                Ok(WrapEdit { text, original })
            }
        }
    }

    /// Whether the bytes `original` stand at the entry `name`, or nothing does.
    fn has(&self, text: &str, name: &str, original: Option<&str>) -> bool {
        match self.row.map(|row| row.format) {
            Some(Format::Toml) => toml::has(self.host, text, name, original),
            Some(Format::Yaml) => false,
            _ => edit::written_at(text, &self.path(text, name)).is_ok_and(|is| is.as_deref() == original),
        }
    }

    /// `text` with what stood in the place of the entry `name`.
    ///
    /// # Errors
    ///
    /// See [`WrapError`].
    pub fn unwrapped(
        &self,
        text: &str,
        name: &str,
        through: &BridgeCommand,
        original: Option<&str>,
    ) -> Result<String, WrapError> {
        match self.row.map(|row| row.format) {
            Some(Format::Yaml) => Err(WrapError::NotEdited("its file is YAML, which is not edited here")),
            Some(Format::Toml) => toml::unwrapped(self.host, text, name, through, original),
            _ => {
                let path = self.path(text, name);
                let is = edit::value_at(text, &path)?.ok_or(WrapError::Changed)?;
                let wrote = self.value(text, name, through);
                if meanwhile::program(&is) != meanwhile::program(&wrote) {
                    return Err(WrapError::Changed);
                }
                let Some(original) = original else { return Ok(edit::apply(text, &path, &Change::Remove)?) };
                let mut back = edit::restored(text, &path, original)?;
                // What the host, or a person in it, has said of the server meanwhile.
                let was = meanwhile::with(wrote, meanwhile::of_host(self.host, Value::parse(original)?));
                for (key, now) in meanwhile::changed(self.host, &was, &is) {
                    let change = now.cloned().map_or(Change::Remove, Change::Set);
                    let path: Vec<&str> = path.iter().map(String::as_str).chain([key]).collect();
                    back = edit::apply(&back, &path, &change)?;
                }
                Ok(back)
            }
        }
    }
}

impl HostTarget {
    /// What the servers of the file are.
    fn servers(&self, text: &str) -> Option<Value> {
        match self.row.map(|row| row.format) {
            Some(Format::Yaml) => None,
            Some(Format::Toml) => toml::servers(text),
            _ => {
                let mut path = self.path(text, "");
                path.pop();
                edit::value_at(text, &path).ok().flatten()
            }
        }
    }

    /// What the file says of the entry.
    fn entry(&self, text: &str, name: &str) -> Option<Value> {
        match self.row.map(|row| row.format) {
            Some(Format::Yaml) => None,
            Some(Format::Toml) => toml::entry(text, name),
            _ => edit::value_at(text, &self.path(text, name)).ok().flatten(),
        }
    }
}

/// The entry for Goose, to be pasted, with what it says for itself (`of_host`): one that is switched off stays so.
fn yaml(name: &str, through: &BridgeCommand, of_host: &[(String, Value)]) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut out = format!("extensions:\n  {}:\n    type: stdio\n", quoted(name));
    if !of_host.iter().any(|(key, _)| key == "enabled") {
        out.push_str("    enabled: true\n");
    }
    for (key, value) in of_host {
        // JSON is YAML (YAML 1.2.2 section 1.3).
        out.push_str(&format!("    {key}: {}\n", value.to_json()));
    }
    out.push_str(&format!("    cmd: {}\n    args:\n", quoted(&through.program)));
    for word in &through.args {
        out.push_str(&format!("      - {}\n", quoted(word)));
    }
    if !through.env_vars.is_empty() {
        out.push_str("    env_keys:\n");
        through.env_vars.iter().for_each(|name| out.push_str(&format!("      - {}\n", quoted(name))));
    }
    if !through.env.is_empty() {
        out.push_str("    envs:\n");
        for (name, value) in &through.env {
            out.push_str(&format!("      {}: {}\n", quoted(name), quoted(value)));
        }
    }
    out
}

/// The variables that an entry refers to, in any of its values.
pub fn variables_in(entry: &Value) -> Vec<String> {
    fn look(value: &Value, names: &mut Vec<String>) {
        match value {
            Value::String(text) => crate::consent::variables_of(text, names),
            Value::Array(items) => items.iter().for_each(|item| look(item, names)),
            value => value.members().for_each(|(_, value)| look(value, names)),
        }
    }
    let mut names = Vec::new();
    look(entry, &mut names);
    names
}

/// The variables that files of `host` have it hand on to their servers (`env_vars`), whichever server it is.
pub fn named_in_files(host: &'static KnownHost, request: &Request) -> Vec<String> {
    let project = Project::find(&request.cwd);
    let places = host.places(&request.env, &project, request.platform);
    let mut names = Vec::new();
    for (_, path) in places {
        let read = mcp_files::read(&path, &mcp_files::Policy::surroundings(record::MAX_BYTES).owned());
        let text = read.ok().and_then(|text| String::from_utf8(text).ok());
        let Some(servers) = text.as_deref().and_then(toml::servers) else { continue };
        let listed = servers.members().filter_map(|(_, entry)| entry.get("env_vars"));
        let items = listed.flat_map(|listed| match listed {
            Value::Array(items) => items.as_slice(),
            _ => &[],
        });
        for item in items {
            let name = item.as_str().or_else(|| item.get("name")?.as_str());
            names.extend(name.map(str::to_owned));
        }
    }
    names
}

/// The folder that `--project` has to name for a bridge to `entry`.
pub fn project_of<'c>(entry: &ServerEntry, config: &'c Config) -> Option<&'c Path> {
    entry.is_of_one_project().then_some(&*config.project.root)
}
