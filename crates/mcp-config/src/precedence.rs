//! Which definition of a name is in force. Scopes are ranked here alone; elsewhere a scope only says who wrote an entry.
//!
//! `--mcp-config` > managed > local > project > mcplink > user. The winning definition is used whole; fields are never merged.
//! Within a scope the nearer definition wins: the last `--mcp-config`, the worktree before its main
//! checkout, the `.mcp.json` nearest to the launch directory. An invalid definition keeps its name, because
//! silently reaching another server of the same name would be worse than an error.
//!
//! One exception: a project entry that is not approved yields to an entry of the person. A repository must
//! not be able to take a name away from a person who has not agreed to it.

use std::collections::HashMap;

use crate::entry::{Approval, Scope, ServerEntry, Switch};
use crate::{Origin, Problem, ProblemCode, Severity};

/// A definition that is not in force.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShadowedEntry {
    /// The definition.
    pub entry: ServerEntry,
    /// The scope of the one that is.
    pub by: Scope,
}

/// Smaller wins.
fn rank(scope: Scope) -> Option<usize> {
    Scope::ALL.iter().position(|other| *other == scope)
}

/// Chooses among `candidates`; within a scope they are given nearest first.
pub(crate) fn choose(
    mut candidates: Vec<ServerEntry>,
    problems: &mut Vec<Problem>,
) -> (Vec<ServerEntry>, Vec<ShadowedEntry>) {
    candidates.sort_by_key(|entry| rank(entry.scope));
    let mut entries: Vec<ServerEntry> = Vec::new();
    let mut holders: HashMap<String, usize> = HashMap::with_capacity(candidates.len());
    let mut shadowed = Vec::new();
    for candidate in candidates {
        match holders.get(&candidate.name).map(|holder| &mut entries[*holder]) {
            None => {
                holders.insert(candidate.name.clone(), entries.len());
                entries.push(candidate);
            }
            Some(holder) if yields(holder) && !yields(&candidate) => {
                problems.push(not_approved(holder, &candidate));
                let by = candidate.scope;
                shadowed.push(ShadowedEntry { entry: std::mem::replace(holder, candidate), by });
            }
            Some(holder) => shadowed.push(ShadowedEntry { entry: candidate, by: holder.scope }),
        }
    }
    let mut others: HashMap<&str, Vec<&ServerEntry>> = HashMap::new();
    for ShadowedEntry { entry, .. } in &shadowed {
        others.entry(&entry.name).or_default().push(entry);
    }
    for entry in &entries {
        let others = others.get(&*entry.name).map_or(&[][..], Vec::as_slice);
        problems.extend(conflict(entry, others));
        problems.extend(hidden_by_list(entry));
    }
    (entries, shadowed)
}

fn yields(entry: &ServerEntry) -> bool {
    matches!(entry.approval, Approval::Undecided | Approval::Rejected(_))
}

fn not_approved(project: &ServerEntry, winner: &ServerEntry) -> Problem {
    let state = if project.approval == Approval::Undecided { "not approved" } else { "rejected" };
    let message = format!("this project entry is {state}; the {} entry of that name is used", winner.scope);
    let problem = Problem::new(Severity::Note, ProblemCode::NotApproved, message);
    problem.at(&project.origin).of_server(&project.name)
}

/// A warning where another scope (one of `shadowed`, which have the same name) defines it for a different endpoint (once, naming all of them).
fn conflict(entry: &ServerEntry, shadowed: &[&ServerEntry]) -> Option<Problem> {
    let others: Vec<&ServerEntry> = shadowed
        .iter()
        .copied()
        .filter(|other| other.scope != entry.scope && !yields(other))
        .filter(|other| !other.same_endpoint(entry))
        .collect();
    if others.is_empty() || entry.scope == Scope::Dynamic {
        // An entry of the command line replaces one on purpose.
        return None;
    }
    let all: Vec<&ServerEntry> = std::iter::once(entry).chain(others).collect();
    let places: Vec<String> = all
        .iter()
        .map(|entry| {
            let endpoint = entry.written_endpoint().unwrap_or_else(|| "no usable endpoint".to_owned());
            format!("{} ({endpoint})", entry.scope)
        })
        .collect();
    let message = format!(
        "defined in several scopes with different endpoints: {}; the {} one is used",
        places.join(", "),
        entry.scope
    );
    let removals: Vec<String> = all.iter().map(|entry| entry.origin.to_string()).collect();
    let problem = Problem::new(Severity::Warning, ProblemCode::ConflictingScopes, message);
    let hint = format!("keep one, and remove the entry of the other: {}", removals.join(" or "));
    Some(problem.at(&entry.origin).of_server(&entry.name).with_hint(hint))
}

fn hidden_by_list(entry: &ServerEntry) -> Option<Problem> {
    let Switch::Off(lists) = &entry.switch else { return None };
    let is_own =
        |at: &Origin| at.place == entry.origin.place && at.pointer.starts_with(&entry.origin.pointer);
    let list = lists.iter().find(|at| !is_own(at)).filter(|_| entry.scope == Scope::Dynamic)?;
    let message = format!(
        "is switched off by {} in {list} and stays off, although --mcp-config asks for it",
        list.field
    );
    let problem = Problem::new(Severity::Warning, ProblemCode::DisabledOverride, message);
    // One of a list, or a switch of its own.
    let hint = match list.field.ends_with(']') {
        true => format!("remove it from {} to use it", list.field),
        false => format!("take {} out to use it", list.field),
    };
    Some(problem.at(&entry.origin).of_server(&entry.name).with_hint(hint))
}
