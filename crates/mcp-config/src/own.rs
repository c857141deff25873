//! The servers that this tool's own file has for one project:
//!
//! ```json
//! {"projects": {"/home/me/app": {"mcpServers": {"db": {"command": "my-db"}}}}}
//! ```
//!
//! They are of the scope of that file and nearer than those at its top.

use crate::decisions::project_nodes;
use crate::document::Document;
use crate::entry::{Scope, ServerEntry};
use crate::schema::Context;
use crate::shape::map_of_servers;
use crate::{Problem, Project};

/// What a person's own file has for this project alone, the worktree before its main checkout. What it has for other projects
/// is not even read.
pub(crate) fn of_project(
    document: &Document<'_>,
    project: &Project,
    context: Context<'_>,
    problems: &mut Vec<Problem>,
) -> Vec<ServerEntry> {
    // Security: a helper runs in the project, as one of the local scope does; it is this person's, so nothing is kept from it. What
    // it starts may be a file of the repository, so that it waits for trust, as a plug-in and `${cmd:..}` do.
    let context = Context { person_dir: context.launch_dir, for_project: true, ..context };
    let mut found = Vec::new();
    for root in project.roots() {
        for (path, node) in project_nodes(document, root) {
            let servers =
                map_of_servers(document, node.as_object(), &path, Scope::Mcplink, context, problems);
            let folder = || Some(root.to_owned());
            found.extend(servers.into_iter().map(|entry| ServerEntry { folder: folder(), ..entry }));
        }
    }
    found
}
