//! Servers in places that no program reads: a frequent reason why "my server does not show up".

use std::path::PathBuf;

use crate::decisions::{ParsedFile, project_nodes};
use crate::document::Document;
use crate::json::Pointer;
use crate::source::{FilePurpose, UnreadPlace};
use crate::{Env, Locations, Platform, Problem, ProblemCode, Project, Severity};

/// Every such place.
pub(crate) fn places(locations: &Locations, project: &Project, env: &Env) -> Vec<(UnreadPlace, PathBuf)> {
    let mut paths = Vec::new();
    if let Some(dir) = &locations.config_dir {
        for name in [".mcp.json", "mcp.json", "config/mcp.json"] {
            paths.push((UnreadPlace::ConfigDir, dir.join(name)));
        }
    }
    for dir in project.settings_dirs() {
        for name in [".mcp.json", "mcp.json"] {
            paths.push((UnreadPlace::ProjectDir, dir.join(".claude").join(name)));
        }
    }
    if let Some(home) = &locations.home {
        paths.push((UnreadPlace::OtherConfigDir, home.join(".claude.json")));
    }
    if locations.platform == Platform::Windows
        && let Some(dir) = env.path("APPDATA")
    {
        paths.push((UnreadPlace::ConfigDir, dir.join("Claude").join("mcp.json")));
    }
    paths.extend(locations.desktop_file(env).map(|path| (UnreadPlace::Desktop, path)));
    paths
}

pub(crate) fn check(
    files: &[ParsedFile<'_>],
    locations: &Locations,
    project: &Project,
    problems: &mut Vec<Problem>,
) {
    for (role, document) in files {
        match role {
            FilePurpose::NeverRead(why) => {
                problems.extend(whole_file(document, *why, locations, project));
            }
            FilePurpose::UserSettings
            | FilePurpose::ProjectSettings
            | FilePurpose::LocalSettings
            | FilePurpose::ManagedSettings => {
                let hint = "move them into `.mcp.json` (for the project) or `.claude.json` (for you)";
                let message = "servers in a settings file are never read";
                problems.extend(servers(document, "mcpServers", Severity::Warning, message, hint));
            }
            FilePurpose::User | FilePurpose::Own => problems.extend(subfolder(document, project)),
            _ => {}
        }
    }
}

fn whole_file(
    document: &Document<'_>,
    why: UnreadPlace,
    locations: &Locations,
    project: &Project,
) -> Option<Problem> {
    let user_file = locations.user_file.as_ref();
    let user_file = user_file.map_or_else(|| ".claude.json".to_owned(), |path| path.display().to_string());
    let (severity, message, hint) = match why {
        UnreadPlace::ConfigDir => (
            Severity::Warning,
            "servers in this file are never read",
            format!("move them into `mcpServers` of {user_file}"),
        ),
        UnreadPlace::ProjectDir => (
            Severity::Warning,
            "servers in this file are never read",
            format!("move the file to {}", project.root.join(".mcp.json").display()),
        ),
        UnreadPlace::OtherConfigDir => (
            Severity::Note,
            "servers in this file are not read while CLAUDE_CONFIG_DIR is set",
            format!("{user_file} is read instead"),
        ),
        UnreadPlace::Desktop => (
            Severity::Note,
            "servers in this file belong to the desktop application and are not read",
            format!("copy them into `mcpServers` of {user_file} to use them here too"),
        ),
    };
    // Some people write the flat shape or another program's spelling into such files.
    let keys = ["mcpServers", "servers"];
    keys.iter().find_map(|key| servers(document, key, severity, message, &hint))
}

fn servers(
    document: &Document<'_>,
    key: &str,
    severity: Severity,
    message: &str,
    hint: &str,
) -> Option<Problem> {
    let node = document.object()?.get(key)?;
    node.as_object()?.iter().next()?;
    let path = Pointer::of(&[key]);
    Some(document.problem(severity, ProblemCode::NeverRead, &path, node.span, message).with_hint(hint))
}

/// Local servers of a subfolder: inside a repository the key is its root.
fn subfolder(document: &Document<'_>, project: &Project) -> Option<Problem> {
    if project.roots().contains(&project.cwd.as_path()) {
        return None;
    }
    project_nodes(document, &project.cwd).find_map(|(path, node)| {
        let servers = node.as_object()?.get("mcpServers")?;
        servers.as_object().filter(|servers| servers.iter().next().is_some())?;
        let message = "servers of a subfolder are not read; inside a repository they belong to its root";
        let hint = format!("move them to the project {}", project.root.display());
        let path = path.key("mcpServers");
        let (severity, code) = (Severity::Warning, ProblemCode::NeverRead);
        Some(document.problem(severity, code, &path, servers.span, message).with_hint(hint))
    })
}
