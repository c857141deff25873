//! Files of plugins (Claude Code): where the root of the plugin is, and the variable that names it.
//!
//! Such a file is asked for with `--mcp-config`; which folder is a plugin, its manifest says.

use std::path::{Path, PathBuf};

use crate::{ConfigSource, Env};

/// The variable: expanded in the entries, and set for what they start.
pub(crate) const VARIABLE: &str = "CLAUDE_PLUGIN_ROOT";

/// The root of the plugin that the file is of, if it is of one.
pub(crate) fn root(place: &ConfigSource) -> Option<PathBuf> {
    let folder = place.path().and_then(Path::parent)?;
    folder.join(".claude-plugin/plugin.json").is_file().then(|| folder.to_owned())
}

/// A plugin, while its entries are read.
pub(crate) struct Plugin<'a> {
    root: &'a Path,
    env: Env,
}

impl<'a> Plugin<'a> {
    pub(crate) fn new(root: &'a Path, env: &Env) -> Self {
        Self { root, env: env.clone().with(VARIABLE, root) }
    }

    /// The environment that its entries are read with.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// The folder that its helpers run in.
    pub(crate) fn folder(&self) -> &Path {
        self.root
    }
}
