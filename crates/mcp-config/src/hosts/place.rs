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
