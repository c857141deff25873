//! Where the files are: the paths, from the environment and the platform alone. Nothing is read here.

use std::path::{Path, PathBuf};

use crate::Env;

/// The name of the file of trust and approvals.
pub(crate) const DECISIONS_FILE: &str = "trust.json";

/// The operating system whose conventions decide where files are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Platform {
    /// Linux, WSL and other Unix systems.
    Unix,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl Platform {
    /// The platform that this was compiled for.
    pub const CURRENT: Self = if cfg!(windows) {
        Self::Windows
    } else if cfg!(target_os = "macos") {
        Self::MacOs
    } else {
        Self::Unix
    };
}

/// The directories and files that do not depend on the project.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use mcp_config::{Env, Locations, Platform};
///
/// let env = Env::new().with("HOME", "/home/ann");
/// let locations = Locations::new(&env, Path::new("/"), Platform::Unix);
/// assert_eq!(locations.user_file.as_deref(), Some(Path::new("/home/ann/.claude.json")));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Locations {
    /// The platform that decided.
    pub platform: Platform,
    /// The person's home directory, where the environment names one.
    pub home: Option<PathBuf>,
    /// `~/.claude`, or `CLAUDE_CONFIG_DIR`.
    pub config_dir: Option<PathBuf>,
    /// `~/.claude.json`, or the file of that name in `CLAUDE_CONFIG_DIR`: user and local scope.
    pub user_file: Option<PathBuf>,
    /// This tool's own servers: `mcplink/mcp.json` in the person's configuration directory, or `MCPLINK_CONFIG`.
    pub own_file: Option<PathBuf>,
    /// The directory of the files that an administrator manages.
    pub managed_dir: PathBuf,
    /// The directory of this tool's own state: trust, approvals, tokens.
    pub state_dir: Option<PathBuf>,
}

impl Locations {
    /// What the folders of our own files are called, and what keyrings know the sign-ins by: one name for all programs that
    /// share them.
    pub const NAME: &'static str = "mcplink";

    /// The locations for `env`; relative paths in it are taken from `cwd`.
    pub fn new(env: &Env, cwd: &Path, platform: Platform) -> Self {
        let home = home(env, cwd, platform);
        let chosen = env.path("CLAUDE_CONFIG_DIR").map(|dir| cwd.join(dir));
        let user_file = chosen.as_ref().or(home.as_ref()).map(|dir| dir.join(".claude.json"));
        let config_dir = chosen.or_else(|| Some(home.as_ref()?.join(".claude")));
        let managed_dir = PathBuf::from(match platform {
            Platform::Unix => "/etc/claude-code",
            Platform::MacOs => "/Library/Application Support/ClaudeCode",
            Platform::Windows => r"C:\Program Files\ClaudeCode",
        });
        let state_dir = state_dir(env, cwd, platform, home.as_deref());
        let own_file = own_file(env, cwd, platform, home.as_deref());
        Self { platform, home, config_dir, user_file, own_file, managed_dir, state_dir }
    }

    /// The file that takes exclusive control where it exists.
    pub(crate) fn managed_file(&self) -> PathBuf {
        self.managed_dir.join("managed-mcp.json")
    }

    /// The file of trust and approvals given to this tool.
    pub(crate) fn decisions_file(&self) -> Option<PathBuf> {
        Some(self.state_dir.as_ref()?.join(DECISIONS_FILE))
    }

    /// The configuration of the desktop application: another program's, and never read here.
    pub(crate) fn desktop_file(&self, env: &Env) -> Option<PathBuf> {
        let dir = match self.platform {
            Platform::Windows => env.path("APPDATA")?.join("Claude"),
            Platform::MacOs => self.home.as_ref()?.join("Library/Application Support/Claude"),
            Platform::Unix => xdg_config_dir(env, self.home.as_deref())?.join("Claude"),
        };
        Some(dir.join("claude_desktop_config.json"))
    }
}

/// The person's home directory, where the environment names one.
pub(crate) fn home(env: &Env, cwd: &Path, platform: Platform) -> Option<PathBuf> {
    let variable = if platform == Platform::Windows { "USERPROFILE" } else { "HOME" };
    env.path(variable).or_else(|| env.path("HOME")).map(|home| cwd.join(home))
}

/// The XDG base directory specification has relative paths ignored.
pub(crate) fn xdg_config_dir(env: &Env, home: Option<&Path>) -> Option<PathBuf> {
    let named = env.path("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    named.or_else(|| Some(home?.join(".config")))
}

/// Terminal programs have `~/.config` on macOS as well: a person edits this file, and looks for it there.
fn own_file(env: &Env, cwd: &Path, platform: Platform, home: Option<&Path>) -> Option<PathBuf> {
    if let Some(file) = env.path("MCPLINK_CONFIG") {
        return Some(cwd.join(file));
    }
    let dir = match platform {
        Platform::Unix | Platform::MacOs => xdg_config_dir(env, home)?,
        Platform::Windows => env.path("APPDATA").or_else(|| Some(home?.join(r"AppData\Roaming")))?,
    };
    Some(dir.join(Locations::NAME).join("mcp.json"))
}

fn state_dir(env: &Env, cwd: &Path, platform: Platform, home: Option<&Path>) -> Option<PathBuf> {
    if let Some(dir) = env.path("MCPLINK_STATE_DIR") {
        return Some(cwd.join(dir));
    }
    // The XDG base directory specification has relative paths ignored.
    if let Some(dir) = env.path("XDG_STATE_HOME").filter(|dir| dir.is_absolute()) {
        return Some(dir.join(Locations::NAME));
    }
    match platform {
        Platform::Unix => Some(home?.join(".local/state").join(Locations::NAME)),
        Platform::MacOs => Some(home?.join("Library/Application Support").join(Locations::NAME)),
        Platform::Windows => {
            let local = env.path("LOCALAPPDATA").or_else(|| Some(home?.join(r"AppData\Local")));
            Some(local?.join(Locations::NAME))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locations(env: Env, platform: Platform) -> Locations {
        Locations::new(&env, Path::new("/work"), platform)
    }

    #[test]
    fn the_home_directory_decides_unless_a_variable_does() {
        let plain = locations(Env::from([("HOME", "/h")]), Platform::Unix);
        assert_eq!(plain.user_file.as_deref(), Some(Path::new("/h/.claude.json")));
        assert_eq!(plain.config_dir.as_deref(), Some(Path::new("/h/.claude")));
        assert_eq!(plain.state_dir.as_deref(), Some(Path::new("/h/.local/state/mcplink")));
        assert_eq!(plain.managed_file(), Path::new("/etc/claude-code/managed-mcp.json"));
        assert_eq!(plain.own_file.as_deref(), Some(Path::new("/h/.config/mcplink/mcp.json")));

        let env = Env::from([("HOME", "/h"), ("CLAUDE_CONFIG_DIR", "conf"), ("XDG_STATE_HOME", "/s")]);
        let chosen = locations(env, Platform::Unix);
        assert_eq!(chosen.user_file.as_deref(), Some(Path::new("/work/conf/.claude.json")));
        assert_eq!(chosen.config_dir.as_deref(), Some(Path::new("/work/conf")));
        assert_eq!(chosen.state_dir.as_deref(), Some(Path::new("/s/mcplink")));

        let env = Env::from([("HOME", "/h"), ("XDG_STATE_HOME", "relative"), ("CLAUDE_CONFIG_DIR", "")]);
        let ignored = locations(env, Platform::MacOs);
        assert_eq!(ignored.user_file.as_deref(), Some(Path::new("/h/.claude.json")));
        assert_eq!(ignored.state_dir.as_deref(), Some(Path::new("/h/Library/Application Support/mcplink")));

        let env = Env::from([("XDG_STATE_HOME", "/s"), ("MCPLINK_STATE_DIR", "/own")]);
        let homeless = locations(env, Platform::Unix);
        assert_eq!((homeless.home, homeless.user_file, homeless.own_file), (None, None, None));
        assert_eq!(homeless.state_dir.as_deref(), Some(Path::new("/own")));
    }

    #[test]
    fn this_tools_own_file_is_where_the_platform_or_a_variable_puts_it() {
        for (env, platform, expected) in [
            (Env::from([("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")]), Platform::Unix, "/x/mcplink/mcp.json"),
            (
                Env::from([("HOME", "/h"), ("XDG_CONFIG_HOME", "x")]),
                Platform::MacOs,
                "/h/.config/mcplink/mcp.json",
            ),
            (Env::from([("HOME", "/h"), ("MCPLINK_CONFIG", "own.json")]), Platform::Unix, "/work/own.json"),
            (Env::from([("USERPROFILE", "/u"), ("APPDATA", "/a")]), Platform::Windows, "/a/mcplink/mcp.json"),
        ] {
            assert_eq!(locations(env, platform).own_file.as_deref(), Some(Path::new(expected)));
        }
    }
}
