//! What people decided elsewhere and this crate only reads: trust in a folder, approvals of project
//! entries, disabled lists.
//!
//! | decision | read from |
//! |---|---|
//! | trust | `projects[..].hasTrustDialogAccepted` of `.claude.json`, and this tool's own store |
//! | approval | `enabledMcpjsonServers`, `disabledMcpjsonServers`, `enableAllProjectMcpServers` of settings files, and this tool's own store |
//! | disabled | `projects[..].disabledMcpServers` of `.claude.json` |
//!
//! Security: what a project's own files say about approval counts only once the folder is trusted, or a
//! repository could approve itself. What they reject counts always.

use std::collections::HashMap;
use std::path::Path;

use serde::Serialize;

use crate::document::Document;
use crate::entry::{Approval, Switch};
use crate::json::{Node, Pointer};
use crate::project::project_key;
use crate::sources::Role;
use crate::{Locations, Origin, Problem, ProblemCode, Project, Severity};

/// Whether the folder itself is trusted, and who says so.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trust {
    /// A person said so, there.
    Trusted(Origin),
    /// Nobody did. Trust in a parent folder does not count.
    Untrusted,
}

impl Trust {
    /// Whether the folder is trusted.
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted(_))
    }
}

/// A parsed file and what it was read for.
pub(crate) type Parsed<'a> = (Role, Document<'a>);

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

/// Whether the folder that `project` stands for is trusted.
pub(crate) fn trust(files: &[Parsed<'_>], project: &Project) -> Trust {
    for (role, document) in files {
        for root in project.roots() {
            let found = match role {
                Role::User => project_nodes(document, root)
                    .find_map(|(path, node)| accepted(document, &path, node, "hasTrustDialogAccepted")),
                Role::Decisions => own_folder(document, root)
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

fn own_folder<'d>(document: &'d Document<'_>, root: &Path) -> Option<(Pointer, &'d Node)> {
    let key = project_key(root.to_str()?);
    let node = document.object()?.get("folders")?.as_object()?.get(&key)?;
    Some((Pointer::of(&["folders", &key]), node))
}

/// A name in a list, and where.
type Named = (String, Origin);

/// The disabled lists of this project.
#[derive(Debug, Default)]
pub(crate) struct Disabled(HashMap<String, Vec<Origin>>);

impl Disabled {
    pub(crate) fn read(files: &[Parsed<'_>], project: &Project, problems: &mut Vec<Problem>) -> Self {
        let mut disabled = Self::default();
        for (_, document) in files.iter().filter(|(role, _)| *role == Role::User) {
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

/// What people decided about the entries of this project's `.mcp.json`.
#[derive(Debug, Default)]
pub(crate) struct Approvals {
    rejected: HashMap<String, Origin>,
    approved: HashMap<String, Origin>,
    everything: Option<Origin>,
}

impl Approvals {
    pub(crate) fn read(
        files: &[Parsed<'_>],
        locations: &Locations,
        project: &Project,
        trust: &Trust,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut approvals = Self::default();
        for (role, document) in files {
            let counts = match role {
                Role::ManagedSettings | Role::UserSettings => true,
                Role::ProjectSettings | Role::LocalSettings => {
                    trust.is_trusted() || is_config_home(document, locations)
                }
                Role::Decisions => {
                    approvals.read_own(document, project, problems);
                    continue;
                }
                _ => continue,
            };
            approvals.read_settings(document, counts, problems);
        }
        approvals
    }

    fn read_settings(&mut self, document: &Document<'_>, counts: bool, problems: &mut Vec<Problem>) {
        let root = Pointer::default();
        let rejected = names(document, &document.root, &root, "disabledMcpjsonServers", problems);
        add(&mut self.rejected, rejected);
        let approved = names(document, &document.root, &root, "enabledMcpjsonServers", problems);
        let everything = self.flag(document, "enableAllProjectMcpServers", problems);
        if counts {
            add(&mut self.approved, approved);
            self.everything = self.everything.take().or(everything);
        } else if let Some(origin) = approved.first().map(|(_, origin)| origin).or(everything.as_ref()) {
            let message = "a project's own approvals count once its folder is trusted";
            let problem = Problem::new(Severity::Note, ProblemCode::NotApproved, message).at(origin);
            problems.push(problem.with_hint("trust the folder, or approve the servers yourself"));
        }
    }

    fn read_own(&mut self, document: &Document<'_>, project: &Project, problems: &mut Vec<Problem>) {
        for root in project.roots() {
            if let Some((path, node)) = own_folder(document, root) {
                add(&mut self.rejected, names(document, node, &path, "rejected", problems));
                add(&mut self.approved, names(document, node, &path, "approved", problems));
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

    /// A rejection anywhere beats every approval.
    pub(crate) fn of(&self, name: &str) -> Approval {
        if let Some(origin) = self.rejected.get(name) {
            return Approval::Rejected(origin.clone());
        }
        match self.approved.get(name).cloned().or_else(|| self.everything.clone()) {
            Some(origin) => Approval::Approved(origin),
            None => Approval::Undecided,
        }
    }
}

/// Adds to a list; the first place of a name is the one that is told.
fn add(list: &mut HashMap<String, Origin>, names: Vec<Named>) {
    for (name, origin) in names {
        list.entry(name).or_insert(origin);
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
) -> Vec<Named> {
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
