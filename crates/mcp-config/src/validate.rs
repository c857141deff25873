//! Checks one file by itself: before it is used, or where it is not among those that are read.

use std::path::Path;

use crate::sources::{self, Content};
use crate::{Env, Place, Problem, ProblemCode, Severity, load};

/// What is wrong with the file at `path`, as a `.mcp.json`, a `--mcp-config` file or a `.claude.json`.
///
/// Variables are looked up in `env`. A file that cannot be read is one problem.
pub fn validate_file(path: &Path, env: &Env) -> Vec<Problem> {
    let place = Place::File(path.to_owned());
    let why = match sources::read(sources::Role::User, path) {
        Content::Text(text) => return load::validate(place, &text, env),
        Content::Absent => "there is no such file".to_owned(),
        Content::Unreadable(why) => why,
    };
    vec![Problem::new(Severity::Error, ProblemCode::Unreadable, why).in_place(&place)]
}

/// What is wrong with `text`, which is called `place` in the problems.
pub fn validate_text(place: Place, text: &str, env: &Env) -> Vec<Problem> {
    load::validate(place, text, env)
}
