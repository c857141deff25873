//! What a stdio server is started with.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use crate::entry::ServerEntry;
use crate::env::CLIENT_SECRET;
use crate::stdio::Stdio;
use crate::{Env, Project, chain, plugin};

/// What a server gets of the environment where `CLAUDE_CODE_MCP_ALLOWLIST_ENV=1` asks for the least: what
/// a program needs to find its home, its tools and its language, and no more.
const BASELINE: [&str; 22] = [
    "HOME",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "USER",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "APPDATA",
    "HOMEDRIVE",
    "HOMEPATH",
    "LOCALAPPDATA",
    "PATHEXT",
    "PROGRAMFILES",
    "SYSTEMDRIVE",
    "SYSTEMROOT",
    "TEMP",
    "USERNAME",
    "USERPROFILE",
];

/// A process to start: program, arguments, the whole environment, the directory.
#[derive(Clone)]
#[non_exhaustive]
pub struct Launch {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Its working directory: that of the entry, or the launch directory.
    pub cwd: PathBuf,
}

impl fmt::Debug for Launch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: all of it is expanded and may carry secrets.
        f.debug_struct("Launch").finish_non_exhaustive()
    }
}

impl ServerEntry {
    /// The process to start for this entry in `project`, with `env` as the environment to inherit; `None` where it is
    /// no command.
    ///
    /// `OTEL_*` is not inherited, because telemetry set up for the host is not the server's;
    /// `CLAUDE_PROJECT_DIR` is added. The entry's `envFile` wins over both, and its own `env` over that, but not over `MCPLINK_CHAIN`: what keeps an
    /// entry from starting itself is not the entry's to take away.
    pub fn launch(&self, env: &Env, project: &Project) -> Option<Launch> {
        let mut launch = self.stdio()?.launch(env, project);
        launch.env.retain(|name, _| !(cfg!(windows) && name.eq_ignore_ascii_case(chain::VARIABLE)));
        launch.env.insert(chain::VARIABLE.into(), self.chain_below().into());
        if let Some(root) = &self.plugin {
            launch.env.insert(plugin::VARIABLE.into(), root.into());
        }
        Some(launch)
    }
}

impl Stdio {
    fn launch(&self, env: &Env, project: &Project) -> Launch {
        let baseline_only = env.var("CLAUDE_CODE_MCP_ALLOWLIST_ENV") == Some("1");
        let inherited = |name: &OsStr| {
            let name = name.to_string_lossy().to_ascii_uppercase();
            !name.starts_with("OTEL_")
                && name != CLIENT_SECRET
                && (!baseline_only || BASELINE.contains(&&*name))
        };
        let mut variables: BTreeMap<OsString, OsString> = env
            .iter()
            .filter(|(name, _)| inherited(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        variables.insert("CLAUDE_PROJECT_DIR".into(), project.root.clone().into());
        let from_file = self.env_file.iter().flat_map(|file| &file.variables);
        let from_file = from_file.map(|(name, value)| (name, value.expose().as_str()));
        for (name, value) in from_file.chain(self.env.iter().map(|(name, value)| (name, value.expose()))) {
            if cfg!(windows) {
                // There `Path` and `PATH` are one variable; two spellings of it would leave the winner to chance.
                variables.retain(|inherited, _| !inherited.eq_ignore_ascii_case(name));
            }
            variables.insert(name.into(), value.into());
        }
        Launch {
            program: self.command.expose().into(),
            args: self.args.iter().map(|arg| arg.expose().into()).collect(),
            env: variables,
            cwd: self.working_directory(&project.cwd).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::expand::Text;

    fn launch(env: Env) -> Launch {
        let env = env.with("TOKEN", "canary").with("PATH", "/bin").with("OTEL_X", "1");
        let text = |written: &str| Text::expand(written, &env);
        let stdio = Stdio {
            folder: None,
            command: text("${TOKEN}/run"),
            args: vec![text("a b"), text("${TOKEN}")],
            env: vec![("A".to_owned(), text("${TOKEN}")), ("PATH".to_owned(), text("/mine"))],
            env_file: None,
            cwd: None,
            startup_timeout: None,
        };
        stdio.launch(&env, &Project::find(Path::new("/nowhere/app")))
    }

    #[test]
    fn s_n19_a_server_does_not_inherit_the_client_secret_and_may_be_given_one() {
        let launch =
            launch(Env::from([("MCP_CLIENT_SECRET", "canary"), ("Mcp_Client_Secret", "canary"), ("B", "c")]));
        assert_eq!(names(&launch), ["A", "B", "CLAUDE_PROJECT_DIR", "PATH", "TOKEN"]);
        let own = Stdio {
            folder: None,
            command: Text::expand("x", &Env::new()),
            args: Vec::new(),
            env: vec![("MCP_CLIENT_SECRET".to_owned(), Text::expand("given", &Env::new()))],
            env_file: None,
            cwd: None,
            startup_timeout: None,
        };
        let launch = own.launch(&Env::new(), &Project::find(Path::new("/nowhere/app")));
        assert_eq!(launch.cwd, Path::new("/nowhere/app"));
        let of_project = Stdio { folder: Some("/nowhere".into()), ..own.clone() };
        assert_eq!(
            of_project.launch(&Env::new(), &Project::find(Path::new("/nowhere/app"))).cwd,
            Path::new("/nowhere")
        );
        assert!(names(&launch).contains(&"MCP_CLIENT_SECRET"), "what the entry says is the person's word");
    }

    fn names(launch: &Launch) -> Vec<&str> {
        launch.env.keys().map(|name| name.to_str().unwrap()).collect()
    }

    #[test]
    fn the_entry_wins_over_what_is_inherited() {
        let launch = launch(Env::new());
        assert_eq!(launch.program, "canary/run");
        assert_eq!(launch.args, ["a b", "canary"]);
        assert_eq!(names(&launch), ["A", "CLAUDE_PROJECT_DIR", "PATH", "TOKEN"]);
        assert_eq!(launch.env[OsStr::new("PATH")], "/mine");
        assert_eq!(launch.env[OsStr::new("CLAUDE_PROJECT_DIR")], "/nowhere/app");
        assert!(!format!("{launch:?}").contains("canary"));
    }

    #[test]
    fn the_baseline_is_all_that_is_inherited_where_that_is_asked_for() {
        let launch = launch(Env::from([("CLAUDE_CODE_MCP_ALLOWLIST_ENV", "1"), ("HOME", "/h")]));
        assert_eq!(names(&launch), ["A", "CLAUDE_PROJECT_DIR", "HOME", "PATH"]);
    }
}
