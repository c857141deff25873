//! Files of plugins (Claude Code): where the root of the plugin is, and the variable that names it.
//!
//! Such a file is asked for with `--mcp-config`; which folder is a plugin, its manifest says.

use std::path::{Path, PathBuf};

use crate::{Env, Place};

/// The variable: expanded in the entries, and set for what they start.
pub(crate) const VARIABLE: &str = "CLAUDE_PLUGIN_ROOT";

/// The root of the plugin that the file is of, if it is of one.
pub(crate) fn root(place: &Place) -> Option<PathBuf> {
    let folder = place.path().and_then(Path::parent)?;
    folder.join(".claude-plugin/plugin.json").is_file().then(|| folder.to_owned())
}

/// The environment that the entries of a plugin are read with.
pub(crate) fn env(env: &Env, root: &Path) -> Env {
    env.clone().with(VARIABLE, root)
}
