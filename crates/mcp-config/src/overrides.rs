//! `overrides`: what this person says, in this tool's own file, of entries that stand in files that others share.
//!
//! ```json
//! {"overrides": {"tickets": {"timeout": 120000, "account": "work"}},
//!  "projects": {"/home/me/app": {"overrides": {"db": {"disabled": true}}}}}
//! ```
//!
//! By name everywhere, or by name in one folder and all below it, where the nearest one is the strongest. They say more about an
//! entry than its own file does, but for what an administrator manages, which cannot be switched on here.

use std::collections::HashMap;
use std::time::Duration;

use crate::decisions::ParsedFile;
use crate::document::Document;
use crate::entry::{Field, Scope, ServerEntry, Switch};
use crate::json::{Node, Object, Pointer};
use crate::project::project_key;
use crate::schema::{PINS, TOOL_LISTS, UnknownPolicy};
use crate::source::FilePurpose;
use crate::tool_policy::ToolPolicy;
use crate::{Origin, Problem, ProblemCode, Project, Severity, account, suggest};

/// The name of the object.
pub(crate) const KEY: &str = "overrides";

/// What can be overridden.
pub(crate) const FIELDS: [&str; 6] =
    ["disabled", "timeout", account::KEY, "allowedTools", "blockedTools", PINS];

/// What is said of one name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Override {
    disabled: Option<(bool, Origin)>,
    timeout: Option<(Duration, Origin)>,
    account: Option<(String, Origin)>,
    /// It takes tools away, and gives none back.
    tools: ToolPolicy,
    shown_tools: Vec<Field>,
}

/// What is said of every name here.
#[derive(Debug, Default)]
pub(crate) struct Overrides(HashMap<String, Override>);

impl Overrides {
    pub(crate) fn read(files: &[ParsedFile<'_>], project: &Project, problems: &mut Vec<Problem>) -> Self {
        let mut overrides = Self::default();
        for (_, document) in files.iter().filter(|(role, _)| *role == FilePurpose::Own) {
            overrides.read_object(document, &Pointer::default(), &document.root, problems);
            // The nearest is the strongest, and what is read last counts.
            for (path, node) in nodes_around(document, project) {
                overrides.read_object(document, &path, node, problems);
            }
        }
        overrides
    }

    fn read_object(
        &mut self,
        document: &Document<'_>,
        path: &Pointer,
        node: &Node,
        problems: &mut Vec<Problem>,
    ) {
        let Some(node) = node.as_object().and_then(|object| object.get(KEY)) else { return };
        let path = path.key(KEY);
        let Some(object) = members(document, &path, node, problems) else { return };
        for member in object.iter() {
            let path = path.key(&member.key);
            let mut found = Vec::new();
            if let Some(fields) = members(document, &path, &member.node, &mut found) {
                let said = self.0.entry(member.key.to_string()).or_default();
                read_fields(document, &path, fields, said, &mut found);
            }
            problems.extend(found.into_iter().map(|problem| problem.of_server(&member.key)));
        }
    }

    /// Has the entry be as it is said.
    pub(crate) fn apply(&self, entry: &mut ServerEntry) {
        let Some(said) = self.0.get(&entry.name) else { return };
        match &said.disabled {
            Some((true, origin)) => {
                let below = std::mem::replace(&mut entry.switch, Switch::On);
                entry.switch = Switch::Off(vec![origin.clone()]).and(below);
            }
            // Security: what an administrator has switched off stays off.
            Some((false, origin)) if entry.scope != Scope::Managed => {
                entry.switch = Switch::On;
                show(entry, "disabled", "false".to_owned(), origin);
            }
            _ => {}
        }
        if let Some((timeout, origin)) = &said.timeout {
            entry.timeout = Some(*timeout);
            show(entry, "timeout", timeout.as_millis().to_string(), origin);
        }
        if let Some((account, origin)) = &said.account {
            entry.account = Some(account.clone());
            show(entry, account::KEY, account.clone(), origin);
        }
        entry.tools.add(&said.tools);
        entry.fields.extend(said.shown_tools.iter().cloned());
    }
}

/// What the file says under `projects` of a folder that a person is in, the nearest last.
fn nodes_around<'d>(document: &'d Document<'_>, project: &Project) -> Vec<(Pointer, &'d Node)> {
    let projects = document.object().and_then(|object| object.get("projects")).and_then(Node::as_object);
    let Some(projects) = projects else { return Vec::new() };
    let around = project.around();
    let ranks: HashMap<String, usize> = around
        .iter()
        .enumerate()
        .filter_map(|(rank, folder)| Some((project_key(folder.to_str()?), rank)))
        .collect();
    let mut found: Vec<(usize, Pointer, &Node)> = projects
        .iter()
        .filter_map(|member| {
            let rank = *ranks.get(&project_key(&member.key))?;
            Some((rank, Pointer::of(&["projects", &member.key]), &member.node))
        })
        .collect();
    found.sort_by_key(|(rank, ..)| *rank);
    found.into_iter().map(|(_, path, node)| (path, node)).collect()
}

/// Shows what is in force in the place of what the entry says.
fn show(entry: &mut ServerEntry, name: &str, value: String, origin: &Origin) {
    entry.fields.retain(|field| field.name != name);
    entry.fields.push(Field { name: name.to_owned(), value, origin: origin.clone(), missing: Vec::new() });
}

/// What is wrong with the overrides of a file, whatever they are of.
pub(crate) fn check(document: &Document<'_>, problems: &mut Vec<Problem>) {
    let mut overrides = Overrides::default();
    overrides.read_object(document, &Pointer::default(), &document.root, problems);
    let projects = document.object().and_then(|object| object.get("projects")).and_then(Node::as_object);
    for member in projects.into_iter().flat_map(Object::iter) {
        let path = Pointer::of(&["projects", &member.key]);
        overrides.read_object(document, &path, &member.node, problems);
    }
}

fn members<'n>(
    document: &Document<'_>,
    path: &Pointer,
    node: &'n Node,
    problems: &mut Vec<Problem>,
) -> Option<&'n Object> {
    let object = node.as_object();
    if object.is_none() && !node.is_null() {
        let message = format!("expected an object, found {}; it is ignored", node.kind());
        problems.push(document.problem(
            Severity::Warning,
            ProblemCode::IgnoredValue,
            path,
            node.span,
            message,
        ));
    }
    object
}

fn read_fields(
    document: &Document<'_>,
    path: &Pointer,
    fields: &Object,
    said: &mut Override,
    problems: &mut Vec<Problem>,
) {
    crate::schema::duplicates(document, fields, path, problems);
    let mut warn = |path: &Pointer, code, span, message: String, hint: Option<String>| {
        let mut problem = document.problem(Severity::Warning, code, path, span, message);
        problem.hint = hint;
        problems.push(problem);
    };
    for member in fields.iter().filter(|member| !member.node.is_null()) {
        let (node, path) = (&member.node, path.key(&member.key));
        let origin = document.origin(&path, node.span);
        match &*member.key {
            "disabled" => match node.as_bool() {
                Some(disabled) => said.disabled = Some((disabled, origin)),
                None => {
                    // As in an entry: what is not understood keeps it off.
                    said.disabled = Some((true, origin));
                    let message =
                        format!("expected true or false, found {}; the server stays off", node.kind());
                    warn(&path, ProblemCode::IgnoredValue, node.span, message, None);
                }
            },
            "timeout" => match crate::schema::timeout_of(node) {
                Ok(timeout) => said.timeout = Some((timeout, origin)),
                Err(why) => warn(&path, ProblemCode::IgnoredValue, node.span, why, None),
            },
            account::KEY => match account::of(node) {
                Ok(account) => said.account = Some((account, origin)),
                Err(why) => {
                    warn(&path, ProblemCode::IgnoredValue, node.span, format!("{why}; it is ignored"), None);
                }
            },
            key @ ("allowedTools" | "blockedTools") => match crate::schema::tool_names(node) {
                Some(names) => {
                    let value = crate::schema::shown_tools(&names);
                    let field =
                        Field { name: key.to_owned(), value, origin: origin.clone(), missing: Vec::new() };
                    said.shown_tools.push(field);
                    if key == "allowedTools" {
                        said.tools.only(names, origin);
                    } else {
                        said.tools.without(names, origin);
                    }
                }
                None => {
                    // What it forbids is not known, so nothing is allowed.
                    said.tools.only(Vec::new(), origin);
                    let message = format!(
                        "expected an array of names of tools, found {}; no tool of the server is used",
                        node.kind()
                    );
                    warn(&path, ProblemCode::ToolPolicy, node.span, message, None);
                }
            },
            // It takes away as well, and gives nothing back: `false` lifts no pin of the entry.
            PINS => {
                let pins = node.as_bool();
                if pins.is_none() {
                    let message =
                        format!("expected true or false, found {}; it is taken as true", node.kind());
                    warn(&path, ProblemCode::IgnoredValue, node.span, message, None);
                }
                if pins != Some(false) {
                    let (name, value) = (PINS.to_owned(), "true".to_owned());
                    said.shown_tools.push(Field { name, value, origin: origin.clone(), missing: Vec::new() });
                    said.tools.pin(origin);
                }
            }
            key if crate::remark::is_remark(key) => {}
            // What it forbids counts as far as it is known, and else nothing is allowed.
            key if takes_tools(key, node, &mut said.tools, &origin) => {
                let message = format!(
                    "{:?} cannot be overridden; what it may forbid is not used",
                    crate::display::display_key(key)
                );
                let hint = "use `allowedTools` and `blockedTools`: lists of names".to_owned();
                warn(&path, ProblemCode::ToolPolicy, member.key_span, message, Some(hint));
            }
            key => {
                let message =
                    format!("{:?} cannot be overridden; it is ignored", crate::display::display_key(key));
                let near = suggest::nearest(key, FIELDS).map(|near| format!("did you mean `{near}`?"));
                let hint = near.unwrap_or_else(|| format!("what can be is {}", FIELDS.join(", ")));
                warn(&path, ProblemCode::UnknownField, member.key_span, message, Some(hint));
            }
        }
    }
}

/// Has a field that is about tools, and that no override has, take away what it names; `false` where it is about anything else.
fn takes_tools(key: &str, node: &Node, tools: &mut ToolPolicy, origin: &Origin) -> bool {
    let Some(meant) = crate::schema::meant_of_tools(key, node) else { return false };
    let list = match meant {
        UnknownPolicy::TakenFor(field) => TOOL_LISTS.iter().find(|(list, _)| *list == field),
        UnknownPolicy::NotUnderstood => None,
    };
    match (list, crate::schema::tool_names(node)) {
        (Some((_, false)), Some(names)) => tools.without(names, origin.clone()),
        (Some((_, true)), Some(names)) => tools.only(names, origin.clone()),
        _ => tools.only(Vec::new(), origin.clone()),
    }
    true
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::json;

    use crate::{Config, Env, Request};

    /// What is said of a folder holds in those below it, where the nearest one is the strongest.
    #[test]
    fn fh_h5_what_is_said_of_a_folder_holds_below_it() {
        let home = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(home.path()).unwrap();
        let folder = |path: &str| {
            let folder = base.join(path);
            fs::create_dir_all(&folder).unwrap();
            folder
        };
        let (app, web, inner, beside) =
            (folder("app"), folder("app/web"), folder("app/web/x"), folder("apple"));
        let repository = folder("app/web/repository");
        fs::create_dir_all(repository.join(".git")).unwrap();
        fs::write(repository.join(".git/HEAD"), "ref: refs/heads/main\n").unwrap();
        let own = base.join(".config/mcplink/mcp.json");
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        let of = |said: serde_json::Value| json!({ "overrides": { "db": said } });
        let name = |path: &Path| path.to_str().unwrap().to_owned();
        let text = json!({
            "mcpServers": { "db": { "command": "db" } },
            "overrides": { "db": { "timeout": 1000 } },
            "projects": {
                // The order in the file decides nothing.
                name(&web): of(json!({ "disabled": false, "timeout": 3000 })),
                name(&app): of(json!({ "disabled": true, "timeout": 2000, "blockedTools": ["drop"] })),
            },
        });
        fs::write(&own, text.to_string()).unwrap();
        for (cwd, off, seconds, hides) in [
            (&base, false, 1, false),
            (&beside, false, 1, false),
            (&app, true, 2, true),
            (&web, false, 3, true),
            (&inner, false, 3, true),
            (&repository, false, 3, true),
        ] {
            let config = Config::load(&Request::new(cwd, Env::from([("HOME", base.as_path())])));
            let db = config.entry("db").unwrap();
            assert_eq!(db.gate() == crate::Gate::Disabled, off, "{}", cwd.display());
            assert_eq!(db.timeout.map(|timeout| timeout.as_secs()), Some(seconds), "{}", cwd.display());
            assert_eq!(db.tools.hides("drop").is_some(), hides, "{}", cwd.display());
        }
    }
}
