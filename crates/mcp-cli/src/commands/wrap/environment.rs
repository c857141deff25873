//! What a bridge has of a person's environment in a host, and is given where the host would not.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use mcp_config::ServerEntry;
use mcp_config::edit::Value;

use super::WrapContext;
use super::own::EntryMove;
use crate::app::App;
use crate::error::CliError;
use crate::runner::{self, Runner};
use crate::surroundings::{OF_THIS_PROGRAM, PINNED};
use crate::view::shown;

/// The file of this program: the one on the `PATH` that leads to it, where there is one, because that stays where it is when
/// the program is replaced by a later one.
pub(super) fn program(app: &App) -> Result<PathBuf, String> {
    let program = app.environment.program().map_err(ToString::to_string)?;
    let real = program.canonicalize().unwrap_or_else(|_| program.clone());
    let name = program.file_name().unwrap_or_default();
    let links = runner::folders(&app.environment).map(|folder| folder.join(name));
    let leads_here = |link: &PathBuf| link.canonicalize().is_ok_and(|link| link == real);
    Ok(links.filter(|link| Runner::of(link).is_none()).find(leads_here).unwrap_or_else(|| program.clone()))
}

impl WrapContext<'_> {
    /// A file that a package runner keeps for as long as it likes is none that a host can start.
    pub(super) fn refuse_a_cache(&self) -> Result<(), CliError> {
        let program = self.program()?;
        let Some(runner) = Runner::of(program) else { return Ok(()) };
        Err(CliError::usage(
            "no-program",
            "this mcplink is in the cache of a package runner, which clears it",
        )
        .why(shown::line(&format!("a host would be told to start {}", program.display())))
        .next(format!("install it first: {}", runner.install)))
    }

    /// The variables that the bridge needs of the host's environment, where the host hands on what is named alone.
    pub(super) fn named(
        &self,
        moves: Option<&EntryMove>,
        entry: Option<&ServerEntry>,
        pinned: &[(String, String)],
    ) -> Vec<String> {
        let Some(usual) = self.host.hands_on() else {
            // Goose hands on what it keeps itself, by the same names.
            let env = moves.filter(|_| self.host.name == "goose").and_then(|moves| moves.value().get("env"));
            let of_itself = |(name, value): (&str, &Value)| {
                (value.as_str() == Some(&*format!("${{{name}}}"))).then(|| name.to_owned())
            };
            return env.into_iter().flat_map(Value::members).filter_map(of_itself).collect();
        };
        let of_entry = match (moves, entry) {
            (Some(moves), _) => mcp_config::wrap::variables_in(moves.value()),
            (None, Some(entry)) => entry.terms().variables().into_iter().map(str::to_owned).collect(),
            (None, None) => Vec::new(),
        };
        let is_set = |name: &str| self.app.environment.text(name).is_some();
        // What looks like a reference and is none is in no environment, and then seldom in capital letters.
        let is_one = |name: &String| is_set(name) || !name.contains(|c: char| c.is_ascii_lowercase());
        let ours = OF_THIS_PROGRAM.into_iter().filter(|name| is_set(name)).map(str::to_owned);
        let mut names: Vec<String> = of_entry.into_iter().filter(is_one).chain(ours).collect();
        let mut met = HashSet::new();
        names.retain(|name| {
            let is_there = usual.contains(&&**name) || pinned.iter().any(|(pinned, _)| pinned == name);
            !is_there && met.insert(name.clone())
        });
        names
    }

    /// The variables that decide where our files are, where they are not where they usually are.
    pub(super) fn pinned(&self) -> Vec<(String, String)> {
        let home = self.config.locations.home.clone().unwrap_or_default();
        let set = PINNED.into_iter().filter_map(|(name, usual)| {
            let value = self.app.environment.text(name)?;
            let is_usual = usual.is_some_and(|usual| Path::new(value) == home.join(usual));
            (!is_usual).then(|| (name.to_owned(), value.to_owned()))
        });
        set.collect()
    }
}
