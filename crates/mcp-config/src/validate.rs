//! Checks one file by itself: before it is used, or where it is not among those that are read.

use std::path::Path;

use crate::document::Document;
use crate::env_file::{self, EnvFiles};
use crate::json::{Node, Object, Pointer};
use crate::program::Program;
use crate::schema::Context;
use crate::shape::map_of_servers;
use crate::source::{Content, FilePurpose};
use crate::sources;
use crate::{ConfigSource, Env, Problem, ProblemCode, Scope, Severity, overrides, pointer, shape};

/// What is wrong with the file at `path`, as a `.mcp.json`, a `--mcp-config` file or a `.claude.json`.
///
/// Variables are looked up in `env`. A file that cannot be read is one problem.
pub fn validate_file(path: &Path, env: &Env) -> Vec<Problem> {
    let place = ConfigSource::File(path.to_owned());
    let why = match sources::read(FilePurpose::User, path) {
        Content::Text(text) => return validate(place, &text, env),
        Content::Absent => "there is no such file".to_owned(),
        Content::Unreadable(why) => why,
    };
    vec![Problem::new(Severity::Error, ProblemCode::Unreadable, why).in_place(&place)]
}

/// What is wrong with `text`, which is called `place` in the problems.
///
/// # Examples
///
/// ```
/// use mcp_config::{ConfigSource, Env};
/// use mcp_config::validate::validate_text;
///
/// let text = r#"{"mcpServers": {"docs": {"type": "http", "ulr": "https://docs.example/mcp"}}}"#;
/// let problems = validate_text(ConfigSource::File("mcp.json".into()), text, &Env::new());
/// assert!(problems.iter().any(|problem| problem.to_line().contains("ulr")));
/// ```
pub fn validate_text(place: ConfigSource, text: &str, env: &Env) -> Vec<Problem> {
    validate(place, text, env)
}

/// The problems of one text as a file of servers, whatever is configured elsewhere.
fn validate(place: ConfigSource, text: &str, env: &Env) -> Vec<Problem> {
    let mut problems = Vec::new();
    let document = match Document::parse_object(place, text) {
        Ok(document) => document,
        Err(problem) => return vec![*problem],
    };
    let Some(object) = document.object() else { return problems };
    let here = document.place.path().and_then(Path::parent).filter(|folder| *folder != Path::new(""));
    let here = here.unwrap_or(Path::new("."));
    let env_files = EnvFiles::new(env_file::read);
    let (trusted, env_files, known) = (false, &env_files, &[][..]);
    let for_project = false;
    let context = Context { env, launch_dir: here, person_dir: here, for_project, trusted, env_files, known };
    let projects = object.get("projects").and_then(Node::as_object);
    if projects.is_none() {
        shape::check(&document, object, &mut problems);
    }
    overrides::check(&document, &mut problems);
    let mut servers = Vec::new();
    for member in projects.into_iter().flat_map(Object::iter) {
        let path = Pointer::of(&["projects", &member.key]);
        let project = member.node.as_object();
        servers.extend(map_of_servers(&document, project, &path, Scope::Local, context, &mut problems));
    }
    let root = Pointer::default();
    servers.extend(map_of_servers(&document, Some(object), &root, Scope::User, context, &mut problems));
    pointer::notes(&servers, Program { file: None, env, cwd: here }, &mut problems);
    problems
}
