//! What people decided elsewhere and this crate only reads: trust in a folder, approvals of project
//! entries, disabled lists.
//!
//! Longer than 500 lines because each decision is read from several files, and which of them counts is one order.
//!
//! | decision | read from |
//! |---|---|
//! | trust | `projects[..].hasTrustDialogAccepted` of `.claude.json`, and this tool's own store |
//! | approval | `enabledMcpjsonServers`, `disabledMcpjsonServers`, `enableAllProjectMcpServers` of settings files, and this tool's own store |
//! | disabled | `projects[..].disabledMcpServers` of `.claude.json` |
//!
//! Security: what a project's own files say counts only once the folder is trusted, or a repository could approve
//! itself, and a stranger's folder could take servers away; and its approvals hold for the entries that were there then,
//! or a later change could bring an entry and its approval along. An approval is of what an entry said, not of its name:
//! see [`consent`](crate::consent). In a folder of another account only decisions count that were made when it was
//! that account's already; names that other tools approved do not.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::consent::{Record, Slot};
use crate::document::Document;
use crate::entry::{Approval, EntryChange, ServerEntry, Switch};
use crate::json::{Node, Object, Pointer};
use crate::project::project_key;
use crate::source::FilePurpose;
use crate::{Locations, Origin, Problem, ProblemCode, Project, Severity};

/// Whether the folder itself is trusted, and who says so.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trust {
    /// A person said so, there.
    Trusted(Origin),
    /// Not agreed to. Trust in a parent folder does not count.
    Untrusted,
}

impl Trust {
    /// Whether the folder is trusted.
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted(_))
    }
}

/// A parsed file and what it was read for.
pub(crate) type ParsedFile<'a> = (FilePurpose, Document<'a>);

/// The members of `projects` in `document` that belong to the folder `root`.
pub(crate) fn project_nodes<'d>(
    document: &'d Document<'_>,
    root: &'d Path,
) -> impl Iterator<Item = (Pointer, &'d Node)> {
    let key = root.to_str().map(project_key);
    let projects = document.object().and_then(|object| object.get("projects")).and_then(Node::as_object);
    projects.into_iter().flat_map(|projects| projects.iter()).filter_map(move |member| {
        let same = Some(project_key(&member.key)) == key;
        same.then(|| (Pointer::of(&["projects", &member.key]), &member.node))
    })
}

/// The folders that the files of this person say something of, each once.
pub(crate) fn folders(files: &[ParsedFile<'_>]) -> Vec<PathBuf> {
    let of_person = files.iter().filter(|(role, _)| matches!(role, FilePurpose::User | FilePurpose::Own));
    let projects = of_person.filter_map(|(_, document)| document.object()?.get("projects")?.as_object());
    let mut folders: Vec<PathBuf> = Vec::new();
    for member in projects.flat_map(Object::iter) {
        let folder = PathBuf::from(project_key(&member.key));
        if folder.is_absolute() && !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// Whether the folder that `project` stands for is trusted.
pub(crate) fn trust(files: &[ParsedFile<'_>], project: &Project) -> Trust {
    for (role, document) in files {
        for root in project.roots() {
            let found = match role {
                // What is in another tool's file was said of a name, whichever account the folder belonged to.
                FilePurpose::User if project.foreign.is_none() => project_nodes(document, root)
                    .find_map(|(path, node)| accepted(document, &path, node, "hasTrustDialogAccepted")),
                FilePurpose::Decisions => own_folder(document, root)
                    .filter(|(_, node)| is_for_owner(node, project))
                    .and_then(|(path, node)| accepted(document, &path, node, "trusted")),
                _ => None,
            };
            if let Some(origin) = found {
                return Trust::Trusted(origin);
            }
        }
    }
    Trust::Untrusted
}

fn accepted(document: &Document<'_>, path: &Pointer, node: &Node, key: &str) -> Option<Origin> {
    let flag = node.as_object()?.get(key)?;
    (flag.as_bool() == Some(true)).then(|| document.origin(&path.key(key), flag.span))
}

/// Whether trust was given to the folder while it belonged to whom it belongs to now.
fn is_for_owner(node: &Node, project: &Project) -> bool {
    let then = node.as_object().and_then(|folder| folder.get("owner")).and_then(Node::as_u64);
    project.foreign.is_none_or(|account| then == Some(account.into()))
}

fn own_folder<'d>(document: &'d Document<'_>, root: &Path) -> Option<(Pointer, &'d Node)> {
    let key = project_key(root.to_str()?);
    let node = document.object()?.get("folders")?.as_object()?.get(&key)?;
    Some((Pointer::of(&["folders", &key]), node))
}

/// A name in a list, and where.
type NamedOrigin = (String, Origin);

/// The disabled lists of this project.
#[derive(Debug, Default)]
pub(crate) struct DisabledLists(HashMap<String, Vec<Origin>>);

impl DisabledLists {
    pub(crate) fn read(files: &[ParsedFile<'_>], project: &Project, problems: &mut Vec<Problem>) -> Self {
        let mut disabled = Self::default();
        for (_, document) in files.iter().filter(|(role, _)| *role == FilePurpose::User) {
            for root in project.roots() {
                for (path, node) in project_nodes(document, root) {
                    for (name, origin) in names(document, node, &path, "disabledMcpServers", problems) {
                        disabled.0.entry(name).or_default().push(origin);
                    }
                    // The opposite list is for servers built into a host; it is read to be checked only.
                    names(document, node, &path, "enabledMcpServers", problems);
                }
            }
        }
        disabled
    }

    pub(crate) fn switch(&self, name: &str) -> Switch {
        self.0.get(name).map_or(Switch::On, |origins| Switch::Off(origins.clone()))
    }
}

/// What decides whether a project's own settings are heard.
pub(crate) struct SettingsGate<'a> {
    pub(crate) locations: &'a Locations,
    pub(crate) project: &'a Project,
    pub(crate) trust: &'a Trust,
}

impl SettingsGate<'_> {
    /// Whether this settings file of the project counts: its folder is trusted, and it belongs to whom the folder does.
    pub(crate) fn counts(&self, document: &Document<'_>) -> bool {
        let ours = document.foreign.is_none() || document.foreign == self.project.foreign;
        self.is_home(document) || ours && self.trust.is_trusted()
    }

    /// Whether it is the person's own, because the project is the home directory.
    fn is_home(&self, document: &Document<'_>) -> bool {
        document.foreign.is_none() && is_config_home(document, self.locations)
    }
}

/// The problem that `key` of a project's own settings is not heard; `None` where it is not there.
pub(crate) fn unheard(document: &Document<'_>, key: &str) -> Option<Problem> {
    let node = document.object()?.get(key).filter(|node| !node.is_null())?;
    let message = "a project's own settings count once its folder is trusted";
    let (severity, code) = (Severity::Note, ProblemCode::NotApproved);
    let problem = document.problem(severity, code, &Pointer::of(&[key]), node.span, message);
    Some(problem.with_hint("trust the folder, or decide about the servers yourself"))
}

/// What a person agreed to, of one file.
#[derive(Debug)]
struct FileApproval {
    file: String,
    /// The account that the file or its folder belonged to then, where it was another one.
    foreign: Option<u64>,
    record: Record,
    origin: Origin,
}

/// Names that are approved, and whether all are.
#[derive(Debug, Default)]
struct ApprovedNames {
    approved: HashMap<String, Origin>,
    everything: Option<Origin>,
}

/// What people decided about the entries of this project's `.mcp.json`, and about helpers of their own for it.
#[derive(Debug, Default)]
pub(crate) struct Approvals {
    rejected: HashMap<String, Origin>,
    approved: HashMap<String, Origin>,
    everything: Option<Origin>,
    /// What the repository's own settings approve, in a folder that is trusted.
    by_repository: ApprovedNames,
    /// The folder was trusted here, or its approvals have been met. From then on the repository's own settings approve
    /// nothing that was not there then.
    settled: bool,
    contents: HashMap<String, Vec<FileApproval>>,
    helpers: HashMap<String, Vec<FileApproval>>,
    /// Our own decisions could be read. Where they could not, it is not known what was agreed to.
    known: bool,
    /// Of a linked worktree: its root, and that of the main checkout.
    worktree: Option<(String, String)>,
}

/// What was agreed to under one name, by how near it is to an entry of that name.
struct MatchingApprovals<'a> {
    in_its_file: Vec<&'a FileApproval>,
    /// In a linked worktree: in the file of the main checkout that the entry's is a copy of.
    in_main_checkout: Vec<&'a FileApproval>,
    anywhere: Vec<&'a FileApproval>,
}

impl<'a> MatchingApprovals<'a> {
    /// In the entry's file, or else in the one that it is a copy of.
    fn here(&self) -> &[&'a FileApproval] {
        if self.in_its_file.is_empty() { &self.in_main_checkout } else { &self.in_its_file }
    }

    /// Here, or else anywhere.
    fn nearest(&self) -> &[&'a FileApproval] {
        if self.here().is_empty() { &self.anywhere } else { self.here() }
    }
}

impl Approvals {
    pub(crate) fn read(
        files: &[ParsedFile<'_>],
        heard: &SettingsGate<'_>,
        known: bool,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut approvals = Self { known, ..Self::default() };
        for (role, document) in files {
            match role {
                FilePurpose::ManagedSettings | FilePurpose::UserSettings => {
                    approvals.read_settings(document, problems)
                }
                FilePurpose::ProjectSettings if heard.counts(document) && !heard.is_home(document) => {
                    approvals.read_repository(document, problems);
                }
                FilePurpose::ProjectSettings | FilePurpose::LocalSettings if heard.counts(document) => {
                    approvals.read_settings(document, problems);
                }
                FilePurpose::ProjectSettings | FilePurpose::LocalSettings => {
                    problems.extend(SETTINGS.iter().filter_map(|key| unheard(document, key)));
                }
                FilePurpose::Decisions => approvals.read_own(document, heard.project, problems),
                _ => {}
            }
        }
        approvals
    }

    fn read_settings(&mut self, document: &Document<'_>, problems: &mut Vec<Problem>) {
        let root = Pointer::default();
        let [approved, rejected, everything] = SETTINGS;
        extend(&mut self.rejected, names(document, &document.root, &root, rejected, problems));
        extend(&mut self.approved, names(document, &document.root, &root, approved, problems));
        let everything = self.flag(document, everything, problems);
        self.everything = self.everything.take().or(everything);
    }

    /// The settings that a repository brings along. Its rejections are as good as any.
    fn read_repository(&mut self, document: &Document<'_>, problems: &mut Vec<Problem>) {
        let mut own = Self::default();
        own.read_settings(document, problems);
        extend(&mut self.rejected, own.rejected);
        extend(&mut self.by_repository.approved, own.approved);
        self.by_repository.everything = self.by_repository.everything.take().or(own.everything);
    }

    fn read_own(&mut self, document: &Document<'_>, project: &Project, problems: &mut Vec<Problem>) {
        let shown = |path: &std::path::Path| path.display().to_string();
        self.worktree =
            (project.root != project.main_root).then(|| (shown(&project.root), shown(&project.main_root)));
        for root in project.roots() {
            if let Some((path, node)) = own_folder(document, root) {
                self.settled |= node.as_object().and_then(|folder| folder.get(SETTLED)).is_some();
                extend(&mut self.rejected, names(document, node, &path, "rejected", problems));
                extend(&mut self.approved, names(document, node, &path, "approved", problems));
                agreed(document, &path, node, Slot::Contents, &mut self.contents);
                agreed(document, &path, node, Slot::Helpers, &mut self.helpers);
            }
        }
    }

    /// Whether the repository's own settings approve nothing new any more.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// As they would be if the folder were trusted now: what its settings approve is what trust would agree to.
    pub(crate) fn before_trust(mut self) -> Self {
        self.settled = false;
        self
    }

    /// What was decided about `entry` of a project's file, and whether what it says has yet to be kept.
    ///
    /// A rejection anywhere beats every approval. What only the repository approves, by its own settings, counts because
    /// the folder is trusted, and so for what was there when it was. An approval counts for what was agreed to in this file, or, where
    /// nothing in this file has been agreed to, in the file of the main checkout whose copy in a worktree it is.
    ///
    /// Security: the same words mean another program in another folder: `./run.sh` in a package that was fetched into the project.
    pub(crate) fn of(&self, entry: &ServerEntry) -> (Approval, bool) {
        if let Some(origin) = self.rejected.get(&entry.name) {
            return (Approval::Rejected(origin.clone()), false);
        }
        let by_person = self.approved.get(&entry.name).or(self.everything.as_ref());
        let repository = &self.by_repository;
        let by_repository = repository.approved.get(&entry.name).or(repository.everything.as_ref());
        let Some(named) = by_person.or(by_repository).filter(|_| self.known) else {
            return (Approval::Undecided, false);
        };
        let agreed = self.agreed(&self.contents, entry);
        if agreed.nearest().is_empty() {
            if by_person.is_none() && self.settled {
                return (Approval::Undecided, false);
            }
            return match entry.foreign {
                None => (Approval::Approved(named.clone()), true),
                // The approval of a name did not mean what another account would put there.
                Some(_) => (Approval::Undecided, false),
            };
        }
        if !agreed.nearest().iter().any(|agreed| agreed.record.covers(entry.terms())) {
            let changes = agreed.nearest()[0].record.changes(entry.terms());
            return (Approval::Changed(Box::new(EntryChange { agreed: named.clone(), changes })), false);
        }
        let covering: Vec<_> =
            agreed.here().iter().filter(|agreed| agreed.record.covers(entry.terms())).collect();
        if covering.is_empty() {
            return (Approval::Undecided, false);
        }
        // Security: the same words may mean another program in the folder of another account.
        let foreign = entry.foreign.map(u64::from);
        let same_owner = foreign.is_none()
            || covering.iter().any(|agreed| agreed.foreign == foreign && agreed.file == file_of(entry));
        let approval = if same_owner { Approval::Approved(named.clone()) } else { Approval::Undecided };
        (approval, false)
    }

    /// What was agreed to under the name of `entry`.
    fn agreed<'a>(
        &self,
        all: &'a HashMap<String, Vec<FileApproval>>,
        entry: &ServerEntry,
    ) -> MatchingApprovals<'a> {
        let all = all.get(&entry.name).map(Vec::as_slice).unwrap_or_default();
        let of = |file: &str| all.iter().filter(|agreed| agreed.file == file).collect();
        let file = file_of(entry);
        let main_file = self
            .worktree
            .as_ref()
            .and_then(|(root, main)| file.strip_prefix(root.as_str()).map(|below| format!("{main}{below}")));
        MatchingApprovals {
            in_its_file: of(&file),
            in_main_checkout: main_file.map(|file| of(&file)).unwrap_or_default(),
            anywhere: all.iter().collect(),
        }
    }

    /// The same for an entry of a project's file of another host.
    ///
    /// Security: a name that was approved elsewhere was approved as one of `.mcp.json`, and so was everything that all
    /// approve. So only what was agreed to here, in this very file, counts.
    pub(crate) fn of_host(&self, entry: &ServerEntry) -> Approval {
        if let Some(origin) = self.rejected.get(&entry.name) {
            return Approval::Rejected(origin.clone());
        }
        let Some(named) = self.approved.get(&entry.name).filter(|_| self.known) else {
            return Approval::Undecided;
        };
        match self.agreed(&self.contents, entry).in_its_file.first() {
            Some(agreed) if agreed.foreign != entry.foreign.map(u64::from) => Approval::Undecided,
            Some(agreed) if agreed.record.covers(entry.terms()) => Approval::Approved(named.clone()),
            Some(agreed) => {
                let changes = agreed.record.changes(entry.terms());
                Approval::Changed(Box::new(EntryChange { agreed: named.clone(), changes }))
            }
            None => Approval::Undecided,
        }
    }

    /// The same for the helper of a local entry in a trusted folder.
    pub(crate) fn of_helper(&self, entry: &ServerEntry) -> (Approval, bool) {
        let terms = entry.terms().minting(&MINTS);
        let agreed = self.agreed(&self.helpers, entry);
        match agreed.nearest().first() {
            None => (Approval::NotNeeded, true),
            Some(_) if agreed.nearest().iter().any(|agreed| agreed.record.covers(&terms)) => {
                (Approval::NotNeeded, false)
            }
            Some(first) => {
                let changes = first.record.changes(&terms);
                (Approval::Changed(Box::new(EntryChange { agreed: first.origin.clone(), changes })), false)
            }
        }
    }

    fn flag(&self, document: &Document<'_>, key: &str, problems: &mut Vec<Problem>) -> Option<Origin> {
        let node = document.object()?.get(key)?;
        let path = Pointer::of(&[key]);
        if node.as_bool().is_none() && !node.is_null() {
            let message = format!("expected true or false, found {}; it is ignored", node.kind());
            let code = ProblemCode::IgnoredValue;
            problems.push(document.problem(Severity::Warning, code, &path, node.span, message));
        }
        (node.as_bool() == Some(true)).then(|| document.origin(&path, node.span))
    }
}

/// The approvals, rejections and the blanket approval of a settings file.
const SETTINGS: [&str; 3] = ["enabledMcpjsonServers", "disabledMcpjsonServers", "enableAllProjectMcpServers"];

/// The member of a folder of our own store that says that its approvals have been met.
pub(crate) const SETTLED: &str = "settled";

/// The fields whose commands a trusted folder lets run.
pub(crate) const MINTS: [&str; 2] = ["headersHelper", crate::unattended::KEY];

/// What `entry` is called among what was agreed to: its file.
pub(crate) fn file_of(entry: &ServerEntry) -> String {
    entry.origin.place.to_string()
}

fn agreed(
    document: &Document<'_>,
    path: &Pointer,
    folder: &Node,
    slot: Slot,
    into: &mut HashMap<String, Vec<FileApproval>>,
) {
    let names = folder.as_object().and_then(|folder| folder.get(slot.key())).and_then(Node::as_object);
    for name in names.into_iter().flat_map(|names| names.iter()) {
        let files = name.node.as_object();
        for member in files.into_iter().flat_map(|files| files.iter()) {
            let foreign =
                member.node.as_object().and_then(|record| record.get("owner")).and_then(Node::as_u64);
            let path = path.key(slot.key()).key(&name.key).key(&member.key);
            into.entry(name.key.to_string()).or_default().push(FileApproval {
                file: member.key.to_string(),
                foreign,
                record: Record::from_node(&member.node),
                origin: document.origin(&path, member.key_span),
            });
        }
    }
}

/// Where a name is listed twice, the first place is the one that is told.
fn extend(names: &mut HashMap<String, Origin>, more: impl IntoIterator<Item = NamedOrigin>) {
    for (name, origin) in more {
        names.entry(name).or_insert(origin);
    }
}

/// A folder whose `.claude` is the person's own configuration directory cannot be a stranger's.
fn is_config_home(document: &Document<'_>, locations: &Locations) -> bool {
    let settings_dir = document.place.path().and_then(Path::parent);
    let config_dir = locations.config_dir.as_deref().map(crate::project::canonical);
    settings_dir.is_some_and(|dir| {
        let dir = crate::project::canonical(dir);
        config_dir.as_deref() == Some(&dir) || config_dir.as_deref() == dir.parent()
    })
}

/// The names in the list `key` of `node`. Anything but an array of strings is tolerated with a warning.
fn names(
    document: &Document<'_>,
    node: &Node,
    path: &Pointer,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Vec<NamedOrigin> {
    let Some(list) = node.as_object().and_then(|object| object.get(key)).filter(|list| !list.is_null())
    else {
        return Vec::new();
    };
    let path = path.key(key);
    let mut warn = |path: &Pointer, node: &Node, expected: &str| {
        let message = format!("expected {expected}, found {}; it is ignored", node.kind());
        problems.push(document.problem(
            Severity::Warning,
            ProblemCode::IgnoredValue,
            path,
            node.span,
            message,
        ));
    };
    let Some(items) = list.as_array() else {
        warn(&path, list, "an array of server names");
        return Vec::new();
    };
    let mut names = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let path = path.index(index);
        match item.as_str() {
            Some(name) => names.push((name.to_owned(), document.origin(&path, item.span))),
            None => warn(&path, item, "a server name"),
        }
    }
    names
}
