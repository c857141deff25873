//! Servers in places that no program reads: a frequent reason why "my server does not show up".

use std::path::{Path, PathBuf};

use crate::decisions::{ParsedFile, project_nodes};
use crate::document::Document;
use crate::json::Pointer;
use crate::source::{FilePurpose, ReadFile, UnreadPlace};
use crate::{Env, Locations, Platform, Problem, ProblemCode, Project, Severity};

/// Some people write the flat shape or another program's spelling into such files.
const KEYS: [&str; 2] = ["mcpServers", "servers"];

impl ReadFile {
    /// Where it is looked for.
    fn path(self, locations: &Locations, project: &Project) -> PathBuf {
        let of_person =
            |path: &Option<PathBuf>| path.clone().unwrap_or_else(|| PathBuf::from(".claude.json"));
        match self {
            Self::User => of_person(&locations.user_file),
            Self::Own => of_person(&locations.own_file),
            Self::Project => project.root.join(".mcp.json"),
        }
    }
}

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
    paths.extend(misnamed(locations, project).filter(|(_, path)| path.is_file()));
    paths
}

/// Names that people give to a file that is to be read, in the folder where it would be: those of an editor that shows no endings,
/// of JSON with comments, and of other programs.
fn misnamed(locations: &Locations, project: &Project) -> impl Iterator<Item = (UnreadPlace, PathBuf)> {
    const OF_SERVERS: [&str; 9] = [
        "mcp.jsonc",
        ".mcp.jsonc",
        "mcp.json5",
        ".mcp.json5",
        "mcp.json.txt",
        ".mcp.json.txt",
        "mcp_servers.json",
        "mcp-servers.json",
        "claude_desktop_config.json",
    ];
    const OF_PERSON: [&str; 5] =
        ["claude.json", ".claude.jsonc", ".claude.json5", ".claude.json.txt", "claude_desktop_config.json"];
    const OF_OWN: [&str; 4] = [".mcp.json", "mcplink.json", "servers.json", "config.json"];
    // A file that a variable names may stand in a folder of any kind.
    let own_dir = locations.own_file.as_deref().and_then(Path::parent);
    let own_dir = own_dir.filter(|dir| dir.file_name().is_some_and(|name| name == Locations::NAME));
    let folders = [project.cwd.as_path(), project.root.as_path()];
    let projects = folders.into_iter().take(if folders[0] == folders[1] { 1 } else { 2 });
    let in_folder = |dir: Option<&Path>, names: &[&str], meant: ReadFile| {
        let dir = dir.map(Path::to_owned);
        let paths: Vec<PathBuf> =
            dir.iter().flat_map(|dir| names.iter().map(|name| dir.join(name))).collect();
        paths.into_iter().map(move |path| (UnreadPlace::Misnamed(meant), path))
    };
    let of_projects = projects.flat_map(move |dir| in_folder(Some(dir), &OF_SERVERS, ReadFile::Project));
    in_folder(own_dir, &OF_SERVERS, ReadFile::Own)
        .chain(in_folder(own_dir, &OF_OWN, ReadFile::Own))
        .chain(in_folder(locations.home.as_deref(), &OF_PERSON, ReadFile::User))
        .chain(in_folder(locations.config_dir.as_deref(), &OF_SERVERS, ReadFile::User))
        .chain(of_projects.collect::<Vec<_>>())
}

pub(crate) fn check(
    files: &[ParsedFile<'_>],
    locations: &Locations,
    project: &Project,
    problems: &mut Vec<Problem>,
) {
    for (role, document) in files {
        match role {
            FilePurpose::NeverRead(UnreadPlace::Misnamed(meant)) => {
                let right = meant.path(locations, project);
                let is_there = files.iter().any(|(_, other)| other.place.path() == Some(&right));
                let (right, own) = (right.display(), document.place.path());
                let own = own.and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
                let hint = match is_there {
                    true => format!("move them into `mcpServers` of {right}"),
                    false => format!("rename {own} to {right}"),
                };
                let message =
                    "servers in this file are never read: its name is not the one that is looked for";
                let found = |key: &&str| servers(document, key, Severity::Warning, message, &hint);
                problems.extend(KEYS.iter().find_map(found));
            }
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
        // Told with what is there.
        UnreadPlace::Misnamed(_) => return None,
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
    KEYS.iter().find_map(|key| servers(document, key, severity, message, &hint))
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
