//! What a program that a desktop starts has of a person's environment: not what their shell set, and another `PATH`.

use std::path::Path;

use mcp_config::Platform;
use mcp_config::hosts::KnownHost;

use crate::environment::Environment;

/// The variables that it has.
pub(crate) const OF_A_DESKTOP: [&str; 14] = [
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "SHELL",
    "TMPDIR",
    "USERPROFILE",
    "APPDATA",
    "LOCALAPPDATA",
    "SystemRoot",
    "XDG_RUNTIME_DIR",
    "MCPLINK_RUNTIME_DIR",
    "DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// The `PATH` of what a desktop starts; none where the person's own is the desktop's.
fn desktop_path(platform: Platform) -> Option<&'static str> {
    match platform {
        Platform::Unix => Some("/usr/local/bin:/usr/bin:/bin"),
        Platform::MacOs => Some("/usr/bin:/bin:/usr/sbin:/sbin"),
        _ => None,
    }
}

/// Where a desktop looks for programs, where that is not in the folder of this one.
pub(crate) fn desktop_path_without(program: &Path) -> Option<&'static str> {
    let path = desktop_path(Platform::CURRENT)?;
    let folder = program.parent()?;
    (!path.split(':').any(|known| Path::new(known) == folder)).then_some(path)
}

/// The `PATH` that `host` has in this environment.
pub(crate) fn path_of(host: &KnownHost, environment: &Environment) -> String {
    let theirs = desktop_path(Platform::CURRENT).filter(|_| host.is_started_by_desktop());
    theirs.map_or_else(|| environment.text("PATH").unwrap_or_default().to_owned(), str::to_owned)
}

impl Environment {
    /// This one as `host` has it. One that is started in a terminal has all of it.
    pub(crate) fn of_host(self, host: &KnownHost) -> Self {
        if !host.is_started_by_desktop() {
            return self;
        }
        let kept = |name: &&&str| self.text(name).is_some();
        let variable = |name: &&str| ((*name).into(), self.text(name).unwrap_or_default().into());
        let mut variables: Vec<_> = OF_A_DESKTOP.iter().filter(kept).map(variable).collect();
        variables.push(("PATH".into(), path_of(host, &self).into()));
        self.with_variables(variables)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h5_a_desktop_gives_the_path_of_its_platform_and_no_more() {
        for (platform, has, has_not) in [
            (Platform::Unix, "/usr/local/bin", "/opt/homebrew/bin"),
            (Platform::MacOs, "/usr/sbin", "/usr/local/bin"),
        ] {
            let path = desktop_path(platform).unwrap();
            let folders: Vec<&str> = path.split(':').collect();
            assert!(folders.contains(&has) && !folders.contains(&has_not), "{platform:?}: {path}");
        }
        assert_eq!(desktop_path(Platform::Windows), None, "the person's own is the desktop's");
        // Security: a check that is run with a variable of this shell proves nothing about the host's.
        let secret = OF_A_DESKTOP.iter().find(|name| mcp_text::is_credential_name(name));
        assert_eq!(secret, None);
    }
}
