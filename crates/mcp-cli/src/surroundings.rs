//! What a program that a desktop starts has of a person's environment: not what their shell set, and another `PATH`.

use std::ffi::OsString;
use std::path::Path;

use mcp_config::hosts::KnownHost;
use mcp_config::{Platform, Request};

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

/// The variables of a person that this program reads itself, wherever it runs: the way to the network, its own places, and how
/// long it waits.
pub(crate) const OF_THIS_PROGRAM: [&str; 18] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
    "XDG_RUNTIME_DIR",
    "XDG_CACHE_HOME",
    "MCPLINK_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "MCP_TIMEOUT",
    "MCP_TOOL_TIMEOUT",
    "MCP_CLIENT_SECRET",
];

/// Variables that decide where our own files are, and that a host may not have.
pub(crate) const PINNED: [(&str, Option<&str>); 5] = [
    ("MCPLINK_CONFIG", None),
    ("MCPLINK_STATE_DIR", None),
    ("CLAUDE_CONFIG_DIR", None),
    ("XDG_CONFIG_HOME", Some(".config")),
    ("XDG_STATE_HOME", Some(".local/state")),
];

/// The folder in which `host` starts its servers, where that is neither the person's nor their home.
pub(crate) fn root_of(host: &KnownHost) -> Option<&'static Path> {
    (host.name == "claude-desktop" && cfg!(unix)).then(|| Path::new("/"))
}

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
    /// This one as what `host` starts has it. A host that is started in a terminal has all of it, and hands it on unless it
    /// is one that hands on what its file names.
    pub(crate) fn of_host(self, host: &'static KnownHost) -> Self {
        let named = || match self.directory() {
            Ok(directory) => {
                mcp_config::wrap::named_in_files(host, &Request::new(directory, self.variables().clone()))
            }
            Err(_) => Vec::new(),
        };
        let given: Vec<String> = match host.hands_on() {
            Some(usual) => usual.iter().map(|name| (*name).to_owned()).chain(named()).collect(),
            None if host.is_started_by_desktop() => OF_A_DESKTOP.map(str::to_owned).to_vec(),
            None => return self,
        };
        // `wrap` writes these into the entry.
        let pinned = PINNED.iter().map(|(name, _)| (*name).to_owned());
        let given: Vec<String> = given.into_iter().chain(pinned).collect();
        let variable = |name: &String| Some((name.into(), self.text(name)?.into()));
        let mut variables: Vec<(OsString, OsString)> = given.iter().filter_map(variable).collect();
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
