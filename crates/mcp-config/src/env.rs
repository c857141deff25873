//! The environment as a value, so that nothing in this crate depends on the process it runs in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// The variable with the secret of the client of an `oauth` block. For authorization servers: no child gets it.
pub(crate) const CLIENT_SECRET: &str = "MCP_CLIENT_SECRET";

/// The environment variables that a configuration is read with.
///
/// # Examples
///
/// ```
/// use mcp_config::Env;
///
/// let env = Env::new().with("REGION", "eu");
/// assert_eq!((env.var("REGION"), env.var("HOME")), (Some("eu"), None));
/// ```
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Env(BTreeMap<OsString, OsString>);

impl Env {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `name`, where it is set to valid Unicode.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.var_os(name)?.to_str()
    }

    /// The value of `name`. Names compare without case on Windows, as the system does.
    pub fn var_os(&self, name: &str) -> Option<&OsStr> {
        if let Some(value) = self.0.get(OsStr::new(name)) {
            return Some(value);
        }
        if !cfg!(windows) {
            return None;
        }
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_os_str())
    }

    /// The path in `name`, unless it is unset or empty.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Every variable.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// A copy with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Env {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(variables: T) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl<K: Into<OsString>, V: Into<OsString>, const N: usize> From<[(K, V); N]> for Env {
    fn from(variables: [(K, V); N]) -> Self {
        variables.into_iter().collect()
    }
}

// Security: values are tokens as often as not; only the names are shown.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Env ")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}
