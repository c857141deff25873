//! From files to the configuration in force. Never fails: what is wrong is a [`Problem`], and the rest is used.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::administrator::{self, Administrator};
use crate::chain::{self, Chain};
use crate::decisions::{
    Approvals, DisabledLists, ParsedFile, SettingsGate, Trust, folders, project_nodes, trust,
};
use crate::document::Document;
use crate::entry::{Approval, Scope, Server, ServerEntry, Switch};
use crate::env_file::EnvFiles;
use crate::explain::Explanation;
use crate::foreign;
use crate::json::{Object, Pointer};
use crate::overrides::Overrides;
use crate::paths::PathReport;
use crate::plugin::Plugin;
use crate::pointer::{self, Pointer as HostPointer};
use crate::policy::Policy;
use crate::precedence::{self, ShadowedEntry};
use crate::program::Program;
use crate::schema::{self, Context};
use crate::sources::{Content, Request, Role, Source, Sources};
use crate::tool_pins::PinStore;
use crate::trust::{RememberOutcome, TrustStore};
use crate::{
    Locations, Origin, Place, Problem, ProblemCode, Project, RedactedText, Severity, never_read, own, paths,
    shape, suggest, variables,
};

/// The configuration in force, what it shadows, and what is wrong.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The entries in force, one per name: by scope, then in the order of the files.
    pub entries: Vec<ServerEntry>,
    /// The definitions that are not in force.
    pub shadowed: Vec<ShadowedEntry>,
    /// The entries that are how a host reaches a server, and no servers. None of them is in force or shadowed.
    pub pointers: Vec<HostPointer>,
    /// Everything that is wrong or odd, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// The project that it was loaded for.
    pub project: Project,
    /// The locations that do not depend on the project.
    pub locations: Locations,
    /// Whether the folder is trusted.
    pub trust: Trust,
    /// What the folder's own settings approve has been met.
    settled: bool,
    paths: Vec<PathReport>,
    watched: RedactedText<Vec<PathBuf>>,
    folders: RedactedText<Vec<PathBuf>>,
    /// The numbers of the problems of each name.
    problems_of: HashMap<String, Vec<usize>>,
}

impl Config {
    /// Finds, reads and resolves everything that `request` needs.
    ///
    /// A decision that names only a name, of another tool or of an older version of this one, is bound to what the
    /// entry says the first time that it is met: that is kept in this tool's own state, and nothing else is written.
    pub fn load(request: &Request) -> Self {
        Self::resolve_and_remember(request, &Sources::read(request))
    }

    /// The same for what was read of `request` a moment ago.
    pub fn resolve_and_remember(request: &Request, sources: &Sources) -> Self {
        let mut config = Self::resolve(sources);
        match config.remember() {
            Ok(RememberOutcome::AsRead) => config,
            // Another process was first. What it met is what counts.
            Ok(RememberOutcome::Otherwise) => Self::resolve(&Sources::read(request)),
            Err(why) => {
                config.withhold_what_is_not_kept(&why);
                config
            }
        }
    }

    /// Keeps what the entries say that are used for the first time since a person decided about their names, and that
    /// what a trusted folder's own settings approve has been met. An error is why it could not.
    fn remember(&self) -> Result<RememberOutcome, String> {
        let met: Vec<&ServerEntry> = self.entries.iter().filter(|entry| entry.is_met_first()).collect();
        if met.is_empty() && (self.settled || !self.trust.is_trusted()) {
            return Ok(RememberOutcome::AsRead);
        }
        let why = match self.locations.state_dir.as_ref() {
            None => "there is no home directory".to_owned(),
            Some(dir) => match TrustStore::new(dir).remember(
                self.project.trust_folder(),
                &met,
                self.trust.is_trusted(),
            ) {
                Ok(remembered) => return Ok(remembered),
                Err(error) => format!("could not {error}"),
            },
        };
        if met.is_empty() {
            // Nothing runs that a later change could replace; a program that only looks must not complain.
            return Ok(RememberOutcome::AsRead);
        }
        Err(why)
    }

    /// Security: a name that was approved elsewhere stands for what the entry says when it is first met. Where that cannot be kept, it
    /// would stand for whatever comes under that name later, so the entries of a repository wait. A helper of the person's own
    /// entry does not: it stands in the file that trusts the folder, and a person who changes one can change the other.
    fn withhold_what_is_not_kept(&mut self, why: &str) {
        let mut waits = false;
        for entry in self.entries.iter_mut().filter(|entry| entry.is_met_first()) {
            if entry.scope == Scope::Project {
                entry.approval = Approval::NotKept(why.to_owned());
                waits = true;
            }
        }
        let effect = if waits { "so it waits" } else { "so a change to it will not be noticed" };
        let message = format!("what was approved could not be kept, {effect}: {why}");
        let problem = Problem::new(Severity::Warning, ProblemCode::NotKept, message);
        self.problems.push(problem.with_hint("make the directory writable, or set MCPLINK_STATE_DIR"));
    }

    /// Resolves what was read. Pure, but for two questions to the file system: whether the command of an entry that a
    /// person agreed to is the running program ([`Request::program`]), and what is in the files of variables that entries
    /// name.
    pub fn resolve(sources: &Sources) -> Self {
        Self::resolve_as(sources, None)
    }

    /// What the configuration would be if its folder were trusted now, for the person who decides about that. Nothing is
    /// kept.
    pub fn if_trusted(sources: &Sources) -> Self {
        let folder = sources.project.trust_folder().to_owned();
        let origin =
            Origin { place: Place::File(folder), pointer: String::new(), field: String::new(), line: 1 };
        Self::resolve_as(sources, Some(Trust::Trusted(origin)))
    }

    fn resolve_as(sources: &Sources, assumed: Option<Trust>) -> Self {
        let mut problems = Vec::new();
        let files = parse(sources, &mut problems);
        let known = unreadable(sources, &files, Role::Decisions).next().is_none();
        let found = if known { trust(&files, &sources.project) } else { Trust::Untrusted };
        let (is_assumed, trust) = (assumed.is_some(), assumed.unwrap_or(found));
        let env_files = EnvFiles::new(sources.read);
        let context = Context {
            env: &sources.env,
            launch_dir: &sources.project.cwd,
            person_dir: &sources.person_dir,
            trusted: trust.is_trusted(),
            env_files: &env_files,
            known: &sources.known_fields,
        };
        let control = Control::of(sources, &mut problems);
        let mut candidates = Vec::new();
        let administrator = Administrator::read(&files, sources, &mut problems);
        for (role, document) in files.iter().filter(|(role, _)| administrator.admits(*role)) {
            candidates.append(&mut entries(document, *role, control, sources, context, &mut problems));
        }
        candidates.append(&mut administrator::provided(&files, control, context, &mut problems));
        let heard = SettingsGate { locations: &sources.locations, project: &sources.project, trust: &trust };
        let disabled = DisabledLists::read(&files, &sources.project, &mut problems);
        let approvals = Approvals::read(&files, &heard, known, &mut problems);
        let settled = approvals.is_settled();
        let facts = Facts {
            disabled,
            overrides: Overrides::read(&files, &sources.project, &mut problems),
            approvals: if is_assumed { approvals.before_trust() } else { approvals },
            policy: Policy::read(
                &files,
                &heard,
                &sources.env,
                unreadable(sources, &files, Role::ManagedSettings).cloned().collect(),
                &mut problems,
            ),
            chain: Arc::new(Chain::parse(sources.env.var_os(chain::VARIABLE))),
        };
        candidates.iter_mut().for_each(|entry| facts.attach(entry, trust.is_trusted()));
        let program =
            Program { file: sources.program.as_deref(), env: &sources.env, cwd: &sources.project.cwd };
        let (candidates, pointers) = pointer::split(candidates, program);
        pointer::problems(&pointers, &candidates, &mut problems);
        let (entries, shadowed) = precedence::choose(candidates, &mut problems);
        never_read::check(&files, sources, &mut problems);
        variables::check(&sources.env, &mut problems);
        variables::check_certificates(&sources.env, &sources.project.cwd, &mut problems);
        let mut problems_of: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, problem) in problems.iter().enumerate() {
            if let Some(server) = &problem.server {
                problems_of.entry(server.clone()).or_default().push(number);
            }
        }
        let watched = sources.watched().into_iter().chain(env_files.opened()).chain(pins(sources, &entries));
        let watched = RedactedText::new(watched.collect());
        Self {
            entries,
            shadowed,
            pointers,
            problems,
            problems_of,
            project: sources.project.clone(),
            locations: sources.locations.clone(),
            trust,
            settled,
            paths: paths::report(sources, control, &files),
            folders: RedactedText::new(folders(&files)),
            watched,
        }
    }

    /// The entry in force under this name.
    pub fn entry(&self, name: &str) -> Option<&ServerEntry> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// Every definition of this name, the one in force first.
    pub fn definitions(&self, name: &str) -> impl Iterator<Item = &ServerEntry> {
        let shadowed = self.shadowed.iter().map(|shadowed| &shadowed.entry);
        self.entries.iter().chain(shadowed).filter(move |entry| entry.name == name)
    }

    /// The configured name that is nearest to `name`, if one is near enough to be what was meant.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        suggest::nearest(name, self.entries.iter().map(|entry| entry.name.as_str()))
    }

    /// What is wrong with whole files: what stands in them is not known.
    pub fn broken_files(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.is_of_whole_file())
    }

    /// The problems of the entries of this name.
    pub fn problems_of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Problem> + use<'a> {
        let numbers = self.problems_of.get(name).into_iter().flatten();
        numbers.filter_map(|number| self.problems.get(*number))
    }

    /// Where every part of an entry comes from, as it may be shown.
    pub fn explain(&self, name: &str) -> Option<Explanation> {
        Explanation::of(self, self.entry(name)?)
    }

    /// The folders that the files of this person say something of (`projects`), as they are written there: where a server may
    /// be that is not found from here.
    pub fn folders(&self) -> &[PathBuf] {
        self.folders.expose()
    }

    /// The files and directories that could make this another configuration, whether they are there or not.
    pub fn watched(&self) -> &[PathBuf] {
        self.watched.expose()
    }

    /// Every location that was considered: whether it exists, and why it is or is not used.
    pub fn paths(&self) -> &[PathReport] {
        &self.paths
    }
}

/// Which sources may define servers at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Control {
    /// All of them.
    Open,
    /// `--strict-mcp-config`: the command line only.
    Strict,
    /// `--from`: the files of one host, and the command line.
    Host {
        /// They are the ones that are read anyway, without our own.
        native: bool,
    },
    /// `managed-mcp.json` exists: it alone.
    Managed,
}

impl Control {
    fn of(sources: &Sources, problems: &mut Vec<Problem>) -> Self {
        let managed = sources.with_role(Role::Managed).find(|file| !matches!(file.content, Content::Absent));
        let Some(managed) = managed else {
            return match sources.host {
                _ if sources.strict => Self::Strict,
                Some(host) => Self::Host { native: host.is_read_anyway() },
                None => Self::Open,
            };
        };
        if sources.host.is_some() {
            let message = "the administrator's file has exclusive control; --from cannot be used";
            problems.push(
                Problem::new(Severity::Error, ProblemCode::ManagedPolicy, message).in_place(&managed.place),
            );
        }
        let is_given = sources.with_role(Role::Dynamic).any(|source| source.place == Place::Url);
        let is_configured = sources.with_role(Role::Dynamic).any(|source| source.place != Place::Url);
        for (is_so, what) in [
            (sources.strict || is_configured, "--mcp-config and --strict-mcp-config"),
            (is_given, "a server by its URL"),
        ] {
            if is_so {
                let message =
                    format!("the administrator's file has exclusive control; {what} cannot be used");
                let problem = Problem::new(Severity::Error, ProblemCode::ManagedPolicy, message);
                problems.push(problem.in_place(&managed.place));
            }
        }
        Self::Managed
    }

    /// Whether a file of this role may define servers.
    pub(crate) fn admits(self, role: Role) -> bool {
        match self {
            Self::Managed => role == Role::Managed,
            Self::Strict => role == Role::Dynamic,
            Self::Host { native: true } => matches!(role, Role::Dynamic | Role::User | Role::Project),
            Self::Host { native: false } => matches!(role, Role::Dynamic | Role::Host(_)),
            Self::Open => matches!(role, Role::Dynamic | Role::User | Role::Own | Role::Project),
        }
    }
}

/// What is known about names, whatever file defines them.
struct Facts {
    disabled: DisabledLists,
    overrides: Overrides,
    approvals: Approvals,
    policy: Policy,
    chain: Arc<Chain>,
}

impl Facts {
    fn attach(&self, entry: &mut ServerEntry, trusted: bool) {
        // What the entry says about itself comes first: it stands in the file that a person looks at.
        let own = std::mem::replace(&mut entry.switch, Switch::On);
        // Names in the lists of one host say nothing about another one's.
        let listed = entry.host.map_or_else(|| self.disabled.switch(&entry.name), |_| Switch::On);
        entry.switch = own.and(listed);
        entry.below = entry.switch.clone();
        self.overrides.apply(entry);
        entry.blocked = self.policy.check(entry);
        let helper = entry.remote().is_some_and(|remote| remote.helper.is_some());
        (entry.approval, entry.first_use) = match entry.scope {
            Scope::Project if entry.host.is_some() => (self.approvals.of_host(entry), false),
            Scope::Project => self.approvals.of(entry),
            Scope::Local if helper && trusted => self.approvals.of_helper(entry),
            _ => (Approval::NotNeeded, false),
        };
        if entry.starts_a_process() {
            entry.self_reference = self.chain.loop_of(entry);
            entry.chain = Some(self.chain.clone());
        }
        if matches!(entry.approval, Approval::Changed(_))
            && let Server::Remote(remote) = &mut entry.server
            && let Some(helper) = &mut remote.helper
        {
            helper.may_run = false;
        }
    }
}

/// Parses what was read; what cannot be used is one problem each and left out.
fn parse<'a>(sources: &'a Sources, problems: &mut Vec<Problem>) -> Vec<ParsedFile<'a>> {
    let mut parsed = Vec::new();
    for file in &sources.files {
        match document(file, sources, problems) {
            None => {}
            Some(Ok(document)) => parsed.push((file.role, document)),
            // A file that is not read may be broken in any way.
            Some(Err(_)) if matches!(file.role, Role::NeverRead(_)) => {}
            Some(Err(problem)) => problems.push(*problem),
        }
    }
    parsed
}

fn document<'a>(
    file: &'a Source,
    sources: &Sources,
    problems: &mut Vec<Problem>,
) -> Option<Result<Document<'a>, Box<Problem>>> {
    match (&file.content, file.role) {
        (Content::Text(text), Role::Host(place)) => {
            let read = place.read(file, text, &sources.project, &sources.locations);
            Some(read.map(|mut reading| {
                problems.append(&mut reading.problems);
                reading.document
            }))
        }
        (content, _) => document_of_ours(file, content),
    }
}

fn document_of_ours<'a>(
    file: &'a Source,
    content: &'a Content,
) -> Option<Result<Document<'a>, Box<Problem>>> {
    match content {
        Content::Absent => None,
        Content::Text(text) if matches!(file.role, Role::NeverRead(_)) => {
            Some(Document::glance(file.place.clone(), text))
        }
        Content::Text(text) => {
            let mut parsed = Document::parse_object(file.place.clone(), text);
            if let Ok(document) = &mut parsed {
                (document.foreign, document.plugin) = (file.foreign, file.plugin.clone());
            }
            Some(parsed)
        }
        Content::Unreadable(why) => {
            let problem = Problem::new(Severity::Error, ProblemCode::Unreadable, why.as_str());
            Some(Err(Box::new(problem.in_place(&file.place))))
        }
    }
}

/// Where it is kept which tools of these entries were approved.
fn pins(sources: &Sources, entries: &[ServerEntry]) -> Vec<PathBuf> {
    let Some(store) = sources.locations.state_dir.as_ref().map(PinStore::new) else { return Vec::new() };
    entries.iter().filter(|entry| entry.tools.pins().is_some()).map(|entry| store.path(entry)).collect()
}

/// The files of this role that exist and cannot be understood.
fn unreadable<'s>(
    sources: &'s Sources,
    files: &'s [ParsedFile<'_>],
    role: Role,
) -> impl Iterator<Item = &'s Place> {
    let understood = |file: &&Source| files.iter().any(|(_, document)| document.place == file.place);
    let there = sources.with_role(role).filter(|file| file.content.is_there());
    there.filter(move |file| !understood(file)).map(|file| &file.place)
}

/// The server entries of one file.
fn entries(
    document: &Document<'_>,
    role: Role,
    control: Control,
    sources: &Sources,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    if !control.admits(role) {
        return Vec::new();
    }
    let scope = match role {
        Role::Managed => Scope::Managed,
        Role::Dynamic => Scope::Dynamic,
        Role::Host(place) if place.file().is_of_project() => Scope::Project,
        Role::Project => Scope::Project,
        Role::Own => Scope::Mcplink,
        _ => Scope::User,
    };
    let Some(object) = document.object() else { return Vec::new() };
    let plugin = document.plugin.as_deref().map(|root| Plugin::new(root, &sources.env));
    let context = plugin.as_ref().map_or(context, |plugin| plugin.context(context));
    let has_more = match role {
        // It holds much besides servers, but no servers of another host.
        Role::User => foreign::place(object).is_none(),
        Role::Own => object.get("projects").is_some(),
        _ => document.host.is_some(),
    };
    if !has_more {
        shape::check(document, object, problems);
    }
    let mut found = Vec::new();
    if role == Role::User {
        for (path, node) in sources.project.roots().into_iter().flat_map(|root| project_nodes(document, root))
        {
            let object = node.as_object();
            found.extend(map_of_servers(document, object, &path, Scope::Local, context, problems));
        }
    } else if role == Role::Own {
        found.extend(own::of_project(document, &sources.project, context, problems));
    }
    found.extend(map_of_servers(document, Some(object), &Pointer::default(), scope, context, problems));
    found
}

pub(crate) fn map_of_servers(
    document: &Document<'_>,
    object: Option<&Object>,
    path: &Pointer,
    scope: Scope,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    if let Some(object) = object.filter(|_| document.host.is_none()) {
        shape::check_names(document, object, path, problems);
    }
    let Some(node) = object.and_then(|object| object.get("mcpServers")) else { return Vec::new() };
    schema::servers(document, node, &path.key("mcpServers"), scope, context, problems)
}
