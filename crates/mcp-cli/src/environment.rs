//! The process environment as a value: read once by `main`, a parameter everywhere else.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use mcp_config::Env;
use mcp_transport::ClientInfo;

/// Variables, the current directory, and this program's own file.
#[derive(Debug)]
pub struct Environment {
    variables: Env,
    directory: io::Result<PathBuf>,
    program: io::Result<PathBuf>,
}

/// The name of this program: in what it says of itself, and in the errors of its bridges.
pub(crate) const PROGRAM: &str = "mcplink";

/// Who this program says it is: to servers, and on the pages where people agree to something.
pub(crate) fn program() -> ClientInfo {
    ClientInfo::new(PROGRAM, env!("CARGO_PKG_VERSION"))
}

impl Environment {
    /// An environment of these variables, this current directory and this program file.
    pub fn new(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        directory: io::Result<PathBuf>,
        program: io::Result<PathBuf>,
    ) -> Self {
        Self { variables: variables.into_iter().collect(), directory, program }
    }

    /// With the entries that this process runs under, where only the processes above it tell which.
    #[must_use]
    #[cfg_attr(not(target_os = "linux"), expect(unused_mut, reason = "only Linux tells"))]
    pub(crate) fn with_ancestors(mut self) -> Self {
        #[cfg(target_os = "linux")]
        if self.variables.var_os(mcp_config::CHAIN_VARIABLE).is_none_or(|chain| chain.is_empty())
            && let Some(chain) = crate::ancestors::chain(self.program().ok().map(PathBuf::as_path))
        {
            self.variables = std::mem::take(&mut self.variables).with(mcp_config::CHAIN_VARIABLE, chain);
        }
        self
    }

    /// With other variables.
    pub(crate) fn with_variables(mut self, variables: Vec<(OsString, OsString)>) -> Self {
        self.variables = variables.into_iter().collect();
        self
    }

    /// Without these variables, for this program and for what it starts.
    pub(crate) fn without(self, names: &[&str]) -> Self {
        let is_kept = |name: &std::ffi::OsStr| !names.iter().any(|other| name == *other);
        let kept = self.variables.iter().filter(|(name, _)| is_kept(name));
        let kept = kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        self.with_variables(kept)
    }

    /// The file that this process runs, or why it is not known.
    pub(crate) fn program(&self) -> Result<&PathBuf, &io::Error> {
        self.program.as_ref()
    }

    /// Every variable.
    pub(crate) fn variables(&self) -> &Env {
        &self.variables
    }

    /// One variable, if it is set, not empty and text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.variables.var(name).filter(|value| !value.is_empty())
    }

    /// One variable as a count of at least one.
    pub(crate) fn count(&self, name: &str) -> Option<usize> {
        self.text(name).and_then(|value| value.trim().parse().ok()).filter(|count| *count > 0)
    }

    /// The current directory, or why there is none.
    pub(crate) fn directory(&self) -> Result<&PathBuf, &io::Error> {
        self.directory.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_numbers_are_as_good_as_unset() {
        let variables = [("A", "120000"), ("B", "soon"), ("C", ""), ("D", "0"), ("E", " 5 ")];
        let environment = Environment::new(
            variables.map(|(name, value)| (name.into(), value.into())),
            Ok(PathBuf::from("/")),
            Ok(PathBuf::from("/mcplink")),
        );
        assert_eq!((environment.count("A"), environment.count("B")), (Some(120_000), None));
        assert_eq!(environment.text("C"), None);
        assert_eq!(environment.count("D"), None);
        assert_eq!(environment.count("E"), Some(5));
    }
}
