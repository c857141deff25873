//! What the hosts of this person have: which files there are, and what can be carried over from each.

use std::path::{Path, PathBuf};

use crate::consent::Terms;
use crate::document::Document;
use crate::edit::Value as Written;
use crate::entry::ServerEntry;
use crate::env_file::{self, EnvFiles};
use crate::hosts::{HostPlace, Input, KnownHost, required};
use crate::json::{Node, Pointer, Value};
use crate::pointer::Pointer as HostPointer;
use crate::program::Program;
use crate::schema::{self, Context};
use crate::source::{Content, FilePurpose, Source};
use crate::sources::{self, Request};
use crate::{ConfigSource, Locations, Problem, ProblemCode, Project, Scope, Severity, locations};

/// A file of a host.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostListing {
    /// Whose it is.
    pub host: &'static KnownHost,
    /// The file.
    pub place: ConfigSource,
    /// Whether a project brings it along.
    pub of_project: bool,
    /// Its servers. An entry that is how the host reaches a server through this program is none.
    pub servers: Vec<HostServer>,
    /// How many of its entries are such ways.
    pub pointers: usize,
    /// Why it is not read, where it is not.
    pub unreadable: Option<Box<Problem>>,
}

/// A server of a host in our own form.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostServer {
    /// The entry as it is read from the host's file.
    pub entry: ServerEntry,
    /// Its entry in a file of ours, an object. It may hold secrets.
    pub value: Written,
    /// What could not be taken over, and what became of what was.
    pub problems: Vec<Problem>,
    /// What the host asks for, and this entry refers to.
    pub inputs: Vec<Input>,
    /// What the entry says in a file of ours.
    pub(crate) terms: Terms,
}

impl HostListing {
    /// Looks at the files of every host, or of one. Never fails: what cannot be read says so.
    ///
    /// The files of Claude Code are not among them, because they are read anyway.
    pub fn all(request: &Request, only: Option<&'static KnownHost>) -> Vec<Self> {
        let hosts = KnownHost::all().filter(|host| only.is_none_or(|only| std::ptr::eq(only, *host)));
        Self::in_places(request, |project| {
            hosts.flat_map(|host| host.places(&request.env, project, request.platform)).collect()
        })
    }

    /// Looks at all files that this host reads, those of other hosts included. Never fails: what cannot be read says so.
    pub fn read_by(host: &'static KnownHost, request: &Request) -> Vec<Self> {
        Self::in_places(request, |project| host.places_that_are_read(&request.env, project, request.platform))
    }

    fn in_places(request: &Request, places: impl FnOnce(&Project) -> Vec<(HostPlace, PathBuf)>) -> Vec<Self> {
        let project = Project::find(&request.cwd);
        let locations = Locations::new(&request.env, &project.cwd, request.platform);
        let look = |(place, path)| {
            let file = sources::file(FilePurpose::Host(place), path);
            Self::of(place, &file, request, &project, &locations)
        };
        places(&project).into_iter().filter_map(look).collect()
    }

    pub(crate) fn of(
        place: HostPlace,
        file: &Source,
        request: &Request,
        project: &Project,
        locations: &Locations,
    ) -> Option<Self> {
        let of_project = place.file().is_of_project();
        let mut found = Self {
            host: place.host,
            place: file.place.clone(),
            of_project,
            servers: Vec::new(),
            pointers: 0,
            unreadable: None,
        };
        let reading = match &file.content {
            Content::Absent => return None,
            Content::Unreadable(why) => {
                let problem = Problem::new(Severity::Error, ProblemCode::Unreadable, why.as_str());
                found.unreadable = Some(Box::new(problem.in_place(&file.place)));
                return Some(found);
            }
            Content::Text(text) => place.read(file, text, project, locations),
        };
        let reading = match reading {
            Ok(reading) => reading,
            Err(problem) => {
                found.unreadable = Some(problem);
                return Some(found);
            }
        };
        let mut problems = reading.problems;
        if let Some(whole) = problems.iter().find(|problem| problem.is_of_whole_file()) {
            found.unreadable = Some(Box::new(whole.clone()));
        }
        let scope = if of_project { Scope::Project } else { Scope::User };
        let env_files = EnvFiles::new(env_file::read);
        let context = Context {
            env: &request.env,
            launch_dir: &project.cwd,
            person_dir: &project.cwd,
            for_project: false,
            trusted: false,
            env_files: &env_files,
            known: &request.known_fields,
        };
        let servers = reading.document.object().and_then(|root| root.get("mcpServers"));
        let node = servers?;
        let path = Pointer::of(&["mcpServers"]);
        let entries = schema::servers(&reading.document, node, &path, scope, context, &mut problems);
        // Security: where a command of a stranger's file leads is not looked up.
        let file = request.program.as_deref().filter(|_| !of_project);
        let program = Program { file, env: &request.env, cwd: &project.cwd };
        for entry in entries {
            if HostPointer::of(&entry, program).is_some() {
                found.pointers += 1;
                continue;
            }
            let value = node.as_object().and_then(|object| object.get(&entry.name));
            let value = value.map_or(Written::Null, written);
            let mut value = match reading.document.folder.as_deref() {
                Some(folder) => anchored(value, folder),
                None => value,
            };
            let (mut terms, said) = as_ours(&entry.name, &value, context);
            if leave_out(&mut value, &entry.name, &said) {
                terms = as_ours(&entry.name, &value, context).0;
            }
            let own = |problem: &&Problem| problem.server.as_deref() == Some(&*entry.name);
            let own_problems = problems.iter().filter(own).cloned().collect();
            let inputs = reading.inputs.iter().filter(|input| refers(&value, &input.variable));
            let inputs = inputs.cloned().collect();
            found.servers.push(HostServer { entry, value, problems: own_problems, inputs, terms });
        }
        Some(found)
    }
}

/// The entry with the places that it means, wherever it is read: those of a project's entry begin at `folder`, and a command that names
/// none runs there.
#[must_use]
pub fn anchored(mut value: Written, folder: &Path) -> Written {
    let place = |value: &mut Written| {
        if let Some(path) = value.as_str().filter(|path| !path.starts_with("${") && !path.starts_with('~')) {
            *value = Written::from(&*folder.join(path).display().to_string());
        }
    };
    let Written::Object(members) = &mut value else { return value };
    for (key, value) in members.iter_mut() {
        match (&**key, value) {
            ("cwd" | "envFile" | "headersFile", value) => place(value),
            ("tls", Written::Object(files)) => {
                let files = files.iter_mut().filter(|(key, _)| matches!(&**key, "ca" | "cert" | "key"));
                files.for_each(|(_, value)| place(value));
            }
            _ => {}
        }
    }
    let has = |key: &str| members.iter().any(|(known, _)| known == key);
    if has("command") && !has("cwd") {
        members.push(("cwd".to_owned(), Written::from(&*folder.display().to_string())));
    }
    value
}

/// The terms of an entry as it would be read from a file of this person, and what would be said of it there.
fn as_ours(name: &str, value: &Written, context: Context<'_>) -> (Terms, Vec<Problem>) {
    let servers = Written::Object(vec![(name.to_owned(), value.clone())]);
    let text = Written::Object(vec![("mcpServers".to_owned(), servers)]).to_json();
    let Ok(document) = Document::parse(ConfigSource::File("import".into()), &text) else {
        return (Terms::default(), Vec::new());
    };
    let servers = document.object().and_then(|root| root.get("mcpServers"));
    let path = Pointer::of(&["mcpServers"]);
    let mut problems = Vec::new();
    let entries = servers
        .map(|node| schema::servers(&document, node, &path, Scope::User, context, &mut problems))
        .unwrap_or_default();
    (entries.first().map(|entry| entry.terms().clone()).unwrap_or_default(), problems)
}

/// What would be left aside in our file, as a number that is no whole one, is not written there: it would be wrong from its first day on. A switch that is no
/// switch keeps the server off, and becomes one.
///
/// Whether anything was different for that.
fn leave_out(value: &mut Written, name: &str, said: &[Problem]) -> bool {
    let before = value.clone();
    let Written::Object(members) = &mut *value else { return false };
    let is_left_aside = |key: &str| {
        let at = Pointer::of(&["mcpServers", name, key]).to_string();
        said.iter().any(|problem| {
            let is_it = problem.pointer.as_ref() == Some(&at) && problem.severity > Severity::Note;
            is_it
                && match problem.code {
                    ProblemCode::UnknownField => true,
                    // Of other values a part counts, or what is wrong with them bans something.
                    ProblemCode::IgnoredValue => schema::is_plain(key),
                    _ => false,
                }
        })
    };
    members.retain(|(key, value)| *value != Written::Null && !is_left_aside(key));
    for (key, value) in members {
        let off = match &**key {
            "disabled" => true,
            "enabled" | "isActive" => false,
            _ => continue,
        };
        if !matches!(value, Written::Bool(_)) {
            *value = Written::Bool(off);
        }
    }
    *value != before
}

fn refers(value: &Written, variable: &str) -> bool {
    match value {
        Written::String(text) => [required(variable), format!("${{{variable}}}"), format!("${{{variable}:-")]
            .iter()
            .any(|reference| text.contains(reference)),
        Written::Array(items) => items.iter().any(|item| refers(item, variable)),
        Written::Object(members) => members.iter().any(|(_, value)| refers(value, variable)),
        _ => false,
    }
}

/// The value as it would be written. A number that is no whole one means nothing in any of our fields.
pub(crate) fn written(node: &Node) -> Written {
    match &node.value {
        Value::Null => Written::Null,
        Value::Bool(value) => Written::Bool(*value),
        Value::Number(_) => node.as_u64().map_or(Written::Null, |number| Written::Number(number.to_string())),
        Value::String(text) => Written::String(text.to_string()),
        Value::Array(items) => Written::Array(items.iter().map(written).collect()),
        Value::Object(object) => Written::Object(
            object.iter().map(|member| (member.key.to_string(), written(&member.node))).collect(),
        ),
    }
}

impl KnownHost {
    /// Where it would keep the files of the person of `request`, where none of them is there, nor a folder of its own.
    pub fn absent_from(&'static self, request: &Request) -> Option<Vec<PathBuf>> {
        let project = Project::find(&request.cwd);
        let places = self.places_that_are_read(&request.env, &project, request.platform);
        let own: Vec<PathBuf> = places
            .into_iter()
            .filter(|(place, _)| !place.file().is_of_project())
            .map(|(_, path)| path)
            .collect();
        let home = locations::home(&request.env, &project.cwd, request.platform);
        let shared = [home.clone(), locations::xdg_config_dir(&request.env, home.as_deref())];
        let has_folder = |path: &PathBuf| {
            path.parent()
                .is_some_and(|dir| dir.is_dir() && !shared.iter().flatten().any(|other| other == dir))
        };
        let is_there = own.iter().any(|path| path.exists() || has_folder(path));
        (!own.is_empty() && !is_there).then_some(own)
    }
}
