//! Where the files of hosts are: from the environment and the platform alone.

use std::path::{Path, PathBuf};

use crate::{Env, Platform, locations};

/// The folder that a file of a host is in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Base {
    /// The folder of the project.
    Project,
    /// The home directory.
    Home,
    /// Where a platform keeps what programs configure: `~/Library/Application Support`, `%APPDATA%`, `$XDG_CONFIG_HOME`.
    Application,
    /// `$XDG_CONFIG_HOME` or `~/.config`, on Windows as well.
    Config,
    /// `%APPDATA%`; there is no such folder elsewhere.
    AppData,
    /// As [`Self::Config`], but not on Windows.
    ConfigOfUnix,
    /// As [`Self::Application`] on macOS and Windows; there is no such folder elsewhere.
    ApplicationNotUnix,
    /// The folder that this variable names, or else this one in the home directory.
    Variable(&'static str, &'static str),
    /// The file that this variable names; without it there is none.
    FileInVariable(&'static str),
}

/// What decides where a base is.
pub(crate) struct Folder<'a> {
    pub(crate) env: &'a Env,
    pub(crate) cwd: &'a Path,
    pub(crate) platform: Platform,
}

impl Folder<'_> {
    fn home(&self) -> Option<PathBuf> {
        locations::home(self.env, self.cwd, self.platform)
    }

    fn config(&self) -> Option<PathBuf> {
        locations::xdg_config_dir(self.env, self.home().as_deref())
    }

    fn app_data(&self) -> Option<PathBuf> {
        self.env.path("APPDATA").or_else(|| Some(self.home()?.join("AppData").join("Roaming")))
    }

    /// The folder; for [`Base::FileInVariable`] the file itself.
    pub(crate) fn of(&self, base: Base) -> Option<PathBuf> {
        match base {
            Base::Project => Some(self.cwd.to_owned()),
            Base::Home => self.home(),
            Base::Config => self.config(),
            Base::ConfigOfUnix => self.config().filter(|_| self.platform != Platform::Windows),
            Base::AppData => self.app_data().filter(|_| self.platform == Platform::Windows),
            Base::ApplicationNotUnix if self.platform == Platform::Unix => None,
            Base::Application | Base::ApplicationNotUnix => match self.platform {
                Platform::Windows => self.app_data(),
                Platform::MacOs => Some(self.home()?.join("Library").join("Application Support")),
                Platform::Unix => self.config(),
            },
            Base::Variable(name, usual) => {
                let named = self.env.path(name).map(|dir| self.cwd.join(dir));
                named.or_else(|| Some(super::below(&self.home()?, usual)))
            }
            Base::FileInVariable(name) => self.env.path(name).map(|file| self.cwd.join(file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Project;
    use crate::hosts::KnownHost;

    /// The files of a person for `host`, on a machine of this platform.
    fn files(host: &str, env: &[(&str, &str)], platform: Platform) -> Vec<String> {
        let env = Env::from_iter(env.iter().map(|(name, value)| (*name, *value)));
        let project = Project::find(Path::new("/nowhere/project"));
        let places = KnownHost::named(host).unwrap().places(&env, &project, platform);
        let own = places.into_iter().filter(|(place, _)| !place.file().is_of_project());
        // The separators of this system, whatever the platform is.
        own.map(|(_, path)| path.display().to_string().replace('\\', "/")).collect()
    }

    const MAC: &[(&str, &str)] = &[("HOME", "/Users/me")];
    const WINDOWS: &[(&str, &str)] = &[("USERPROFILE", "/c/me"), ("APPDATA", "/c/me/AppData/Roaming")];
    const BARE: &[(&str, &str)] = &[("USERPROFILE", "/c/me")];
    const LINUX: &[(&str, &str)] = &[("HOME", "/home/me")];
    const MOVED: &[(&str, &str)] = &[("HOME", "/home/me"), ("XDG_CONFIG_HOME", "/x")];

    #[test]
    fn fh_h5_each_platform_keeps_the_files_of_hosts_where_their_makers_say() {
        let support = "/Users/me/Library/Application Support";
        for (host, env, platform, expected) in [
            ("claude-desktop", MAC, Platform::MacOs, format!("{support}/Claude/claude_desktop_config.json")),
            ("vscode", MAC, Platform::MacOs, format!("{support}/Code/User/mcp.json")),
            ("zed", MAC, Platform::MacOs, format!("{support}/Zed/settings.json")),
            ("cursor", MAC, Platform::MacOs, "/Users/me/.cursor/mcp.json".to_owned()),
            ("codex", MAC, Platform::MacOs, "/Users/me/.codex/config.toml".to_owned()),
            ("goose", MAC, Platform::MacOs, "/Users/me/.config/goose/config.yaml".to_owned()),
            (
                "claude-desktop",
                WINDOWS,
                Platform::Windows,
                "/c/me/AppData/Roaming/Claude/claude_desktop_config.json".to_owned(),
            ),
            (
                "claude-desktop",
                BARE,
                Platform::Windows,
                "/c/me/AppData/Roaming/Claude/claude_desktop_config.json".to_owned(),
            ),
            ("vscode", WINDOWS, Platform::Windows, "/c/me/AppData/Roaming/Code/User/mcp.json".to_owned()),
            (
                "goose",
                WINDOWS,
                Platform::Windows,
                "/c/me/AppData/Roaming/Block/goose/config/config.yaml".to_owned(),
            ),
            ("zed", WINDOWS, Platform::Windows, "/c/me/AppData/Roaming/Zed/settings.json".to_owned()),
            ("windsurf", WINDOWS, Platform::Windows, "/c/me/.codeium/windsurf/mcp_config.json".to_owned()),
            (
                "claude-desktop",
                LINUX,
                Platform::Unix,
                "/home/me/.config/Claude/claude_desktop_config.json".to_owned(),
            ),
            ("claude-desktop", MOVED, Platform::Unix, "/x/Claude/claude_desktop_config.json".to_owned()),
            ("zed", MOVED, Platform::Unix, "/x/zed/settings.json".to_owned()),
            ("cursor", MOVED, Platform::Unix, "/home/me/.cursor/mcp.json".to_owned()),
        ] {
            let found = files(host, env, platform);
            assert!(found.contains(&expected), "{host} on {platform:?}: {expected} is not in {found:?}");
        }
        // What one platform has is looked for on no other.
        let elsewhere = files("goose", LINUX, Platform::Unix);
        assert!(elsewhere.iter().all(|path| !path.contains("Block")), "{elsewhere:?}");
    }
}
