//! From files to the configuration in force. Never fails: what is wrong is a [`Problem`], and the rest is used.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::administrator::{self, Administrator};
use crate::chain::{self, Chain};
use crate::config::Config;
use crate::control::Control;
use crate::decisions::{
    Approvals, DisabledLists, ParsedFile, SettingsGate, Trust, folders, project_nodes, trust,
};
use crate::document::Document;
use crate::entry::{Approval, EntryServer, Scope, ServerEntry, Switch};
use crate::env_file::EnvFiles;
use crate::hosts::{elsewhere, shared};
use crate::json::Pointer;
use crate::overrides::Overrides;
use crate::plugin::Plugin;
use crate::pointer;
use crate::policy::Policy;
use crate::precedence;
use crate::program::Program;
use crate::redacted::RedactedText;
use crate::schema::Context;
use crate::source::{Content, FilePurpose, Source};
use crate::sources::{Request, Sources};
use crate::tool_pins::PinStore;
use crate::trust::{RememberOutcome, TrustStore};
use crate::{ConfigSource, Origin, Problem, ProblemCode, Severity, never_read, own, paths, shape, variables};

impl Config {
    /// Finds, reads and resolves everything that `request` needs.
    ///
    /// A decision that names only a name, of another tool or of an older version of this one, is bound to what the
    /// entry says the first time that it is met: that is kept in this tool's own state, and nothing else is written.
    ///
    /// It reads files, and blocks while it does.
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
    /// entry does not: it is in the file that trusts the folder, and a person who changes one can change the other.
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
        let origin = Origin {
            place: ConfigSource::File(folder),
            pointer: String::new(),
            field: String::new(),
            line: 1,
        };
        Self::resolve_as(sources, Some(Trust::Trusted(origin)))
    }

    fn resolve_as(sources: &Sources, assumed: Option<Trust>) -> Self {
        let mut problems = Vec::new();
        let files = parse(sources, &mut problems);
        problems.extend(sources.files.iter().filter_map(Source::open_to_all));
        let known = unreadable(sources, &files, FilePurpose::Decisions).next().is_none();
        let found = if known { trust(&files, &sources.project) } else { Trust::Untrusted };
        let (is_assumed, trust) = (assumed.is_some(), assumed.unwrap_or(found));
        let env_files = EnvFiles::new(sources.read);
        let context = Context {
            env: &sources.env,
            launch_dir: &sources.project.cwd,
            person_dir: &sources.person_dir,
            for_project: false,
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
                unreadable(sources, &files, FilePurpose::ManagedSettings).cloned().collect(),
                &mut problems,
            ),
            chain: Arc::new(Chain::parse(sources.env.var_os(chain::VARIABLE))),
        };
        candidates.iter_mut().for_each(|entry| facts.attach(entry, trust.is_trusted()));
        let program =
            Program { file: sources.program.as_deref(), env: &sources.env, cwd: &sources.project.cwd };
        let (candidates, pointers) = pointer::split(candidates, program);
        // What the pointers of another host lead to is in our own files, which are not read beside its.
        let ends_here = !matches!(control, Control::Host { native: false });
        pointer::problems(&pointers, ends_here.then_some(candidates.as_slice()), &mut problems);
        let (entries, shadowed) = precedence::choose(candidates, &mut problems);
        never_read::check(&files, &sources.locations, &sources.project, &mut problems);
        variables::check(&sources.env, &mut problems);
        variables::check_certificates(&sources.env, &sources.project.cwd, &mut problems);
        let problems: Vec<Problem> = problems.into_iter().map(Problem::told_by_option).collect();
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
            reading: Arc::default(),
            host: sources.host,
            paths: paths::report(sources, control, &files),
            folders: RedactedText::new(folders(&files)),
            watched,
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
        // What the entry says about itself comes first: it is in the file that a person looks at.
        let own = std::mem::replace(&mut entry.switch, Switch::On);
        // Names in the lists of one host say nothing about another one's.
        let listed = entry.host.map_or_else(|| self.disabled.switch(&entry.name), |_| Switch::On);
        entry.switch = own.and(listed);
        entry.below = entry.switch.clone();
        self.overrides.apply(entry);
        entry.blocked = self.policy.check(entry);
        let helper = entry.mints_by_command();
        (entry.approval, entry.first_use) = match entry.scope {
            Scope::Project if entry.host.is_some() => (self.approvals.of_host(entry), false),
            Scope::Project => self.approvals.of(entry),
            Scope::Local if helper && trusted => self.approvals.of_helper(entry),
            _ => (Approval::NotNeeded, false),
        };
        if entry.starts_a_process() {
            entry.self_reference = self.chain.loop_of(entry.link());
            entry.chain = Some(self.chain.clone());
        }
        if matches!(entry.approval, Approval::Changed(_))
            && let EntryServer::Remote(remote) = &mut entry.server
        {
            if let Some(helper) = &mut remote.helper {
                helper.may_run = false;
            }
            // What was agreed to is how credentials are obtained, all of it.
            if let Some(auth) = remote.unattended.as_mut().filter(|auth| auth.commands().next().is_some()) {
                auth.may_run = false;
            }
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
            Some(Err(_)) if matches!(file.role, FilePurpose::NeverRead(_)) => {}
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
        (Content::Text(text), FilePurpose::Host(place)) => {
            let read = place.read(file, text, &sources.project, &sources.locations);
            Some(read.map(|mut reading| {
                problems.append(&mut reading.problems);
                reading.document
            }))
        }
        (content, FilePurpose::Project) => {
            let of_project = document_of_ours(file, content)?;
            let told = |document| shared::told(document, &sources.project, &sources.locations, problems);
            Some(of_project.map(told))
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
        Content::Text(text) if matches!(file.role, FilePurpose::NeverRead(_)) => {
            Some(Document::glance(file.place.clone(), text))
        }
        Content::Text(text) => {
            let mut parsed = Document::parse_object(file.place.clone(), text);
            if let Ok(document) = &mut parsed {
                (document.foreign, document.plugin) = (file.foreign, file.plugin.clone());
            }
            // What is given as a file of ours may be one of another host, in its own format.
            let hint = parsed.as_ref().err().and_then(|_| elsewhere::hint_of(text));
            Some(match hint {
                Some(hint) => parsed.map_err(|problem| Box::new(problem.with_hint(hint))),
                None => parsed,
            })
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
    role: FilePurpose,
) -> impl Iterator<Item = &'s ConfigSource> {
    let understood = |file: &&Source| files.iter().any(|(_, document)| document.place == file.place);
    let there = sources.with_role(role).filter(|file| file.content.is_there());
    there.filter(move |file| !understood(file)).map(|file| &file.place)
}

/// The server entries of one file.
fn entries(
    document: &Document<'_>,
    role: FilePurpose,
    control: Control,
    sources: &Sources,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    if !control.admits(role) {
        return Vec::new();
    }
    let scope = match role {
        FilePurpose::Managed => Scope::Managed,
        FilePurpose::Dynamic => Scope::Dynamic,
        FilePurpose::Host(place) if place.file().is_of_project() => Scope::Project,
        FilePurpose::Project => Scope::Project,
        FilePurpose::Own => Scope::Mcplink,
        _ => Scope::User,
    };
    let Some(object) = document.object() else { return Vec::new() };
    let plugin = document.plugin.as_deref().map(|root| Plugin::new(root, &sources.env));
    let context = plugin.as_ref().map_or(context, |plugin| Context {
        env: plugin.env(),
        launch_dir: plugin.folder(),
        ..context
    });
    let has_more = match role {
        // It holds much besides servers, but no servers of another host.
        FilePurpose::User => elsewhere::place(object).is_none(),
        // What a command took the last entry out of, too.
        FilePurpose::Own => object.iter().next().is_none() || object.get("projects").is_some(),
        _ => document.host.is_some(),
    };
    if !has_more {
        shape::check(document, object, problems);
    }
    let mut found = Vec::new();
    if role == FilePurpose::User {
        for (path, node) in sources.project.roots().into_iter().flat_map(|root| project_nodes(document, root))
        {
            let object = node.as_object();
            found.extend(shape::map_of_servers(document, object, &path, Scope::Local, context, problems));
        }
    } else if role == FilePurpose::Own {
        found.extend(own::of_project(document, &sources.project, context, problems));
    }
    found.extend(shape::map_of_servers(
        document,
        Some(object),
        &Pointer::default(),
        scope,
        context,
        problems,
    ));
    found
}
