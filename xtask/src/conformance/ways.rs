//! The ways by which the client reaches the server, and which scenarios cannot be expressed by one.

use std::path::{Path, PathBuf};

/// How the client that the suite drives is made of what this repository builds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Way {
    /// The public API of the crates.
    Crates,
    /// The commands of the binary, with a configuration file.
    Commands,
    /// The bridge of the binary, with a configuration file.
    Bridge,
}

/// Scenarios that a way cannot express.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClosedScenarios {
    /// What their names begin with.
    pub(super) beginning: &'static str,
    /// What the names of those begin with that it can express all the same.
    pub(super) but: &'static [&'static str],
    pub(super) why: &'static str,
}

impl ClosedScenarios {
    /// Whether a scenario, or a run of it, is one of them.
    pub(super) fn holds(&self, scenario: &str) -> bool {
        scenario.starts_with(self.beginning) && !self.but.iter().any(|but| scenario.starts_with(but))
    }
}

const TO_COMMANDS: [ClosedScenarios; 2] = [
    ClosedScenarios {
        beginning: "elicitation-",
        but: &[],
        why: "a command asks the person at its terminal, and the suite has none",
    },
    ClosedScenarios {
        beginning: "sep-2640-",
        but: &[],
        why: "no command lists skills, because mcplink loads none",
    },
];

/// The scenarios that `auth` of an entry is enough for.
const UNATTENDED: [&str; 3] =
    ["auth/client-credentials-", "auth/enterprise-managed-authorization", "auth/wif-jwt-bearer"];

const TO_BRIDGES: [ClosedScenarios; 1] = [ClosedScenarios {
    beginning: "auth/",
    but: &UNATTENDED,
    why: "a bridge starts no sign-in; `mcplink login` does, and is among the commands",
}];

impl Way {
    pub(super) const ALL: [Self; 3] = [Self::Crates, Self::Commands, Self::Bridge];

    /// What it is called on the command line, in the list of what passes and in the folder of its results.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crates => "crates",
            Self::Commands => "commands",
            Self::Bridge => "bridge",
        }
    }

    /// What it is, for the page.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Crates => "the public API of the crates",
            Self::Commands => {
                "the binary with `~/.claude.json`, as a script uses it: `status`, the `next` step it names (`login`), `tools`, \
                 `call`, `resources`, `read`, `prompts`, `prompt`"
            }
            Self::Bridge => "the binary with `~/.claude.json`, as a host uses it: `mcplink bridge`",
        }
    }

    /// The way of this name.
    pub(super) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.name() == name)
    }

    /// The scenarios that it cannot express.
    pub(super) fn closed(self) -> &'static [ClosedScenarios] {
        match self {
            Self::Crates => &[],
            Self::Commands => &TO_COMMANDS,
            Self::Bridge => &TO_BRIDGES,
        }
    }

    /// Whether a scenario can be expressed by it.
    pub(super) fn is_open_to(self, scenario: &str) -> bool {
        !self.closed().iter().any(|closed| closed.holds(scenario))
    }
}

/// The programs that a way is made of.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    /// The client that takes the URL as its last argument.
    pub(super) client: PathBuf,
    /// The binary that people install.
    pub(super) mcplink: PathBuf,
}

impl Programs {
    /// The command by which the suite starts the client. It splits it at spaces and lets a shell put it together again.
    pub(super) fn command(&self, way: Way) -> String {
        let client = self.client.display();
        match way {
            Way::Crates => client.to_string(),
            Way::Commands | Way::Bridge => {
                format!("{client} --{} {}", way.name(), self.mcplink.display())
            }
        }
    }

    /// The one whose path the suite would split.
    pub(super) fn unusable(&self) -> Option<&Path> {
        let paths = [&self.client, &self.mcplink].map(PathBuf::as_path);
        paths.into_iter().find(|path| path.to_string_lossy().contains(char::is_whitespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_is_named_and_open_but_to_what_its_table_says() {
        for way in Way::ALL {
            assert_eq!(Way::of(way.name()), Some(way));
            assert!(way.is_open_to("tools_call"), "{way:?}");
        }
        assert_eq!(Way::of("binary"), None);
        assert!(Way::Crates.is_open_to("auth/dpop") && Way::Commands.is_open_to("auth/dpop"));
        assert!(
            !Way::Bridge.is_open_to("auth/dpop") && !Way::Commands.is_open_to("sep-2640-client-verify-size")
        );
        for way in Way::ALL {
            assert!(way.is_open_to("auth/wif-jwt-bearer") && way.is_open_to("auth/client-credentials-jwt"));
        }
    }

    #[test]
    fn a_command_is_of_words_without_blanks() {
        let programs = Programs { client: "/t/client".into(), mcplink: "/t/mcplink".into() };
        assert_eq!(programs.command(Way::Crates), "/t/client");
        assert_eq!(programs.command(Way::Bridge), "/t/client --bridge /t/mcplink");
        assert_eq!(programs.unusable(), None);
        let apart = Programs { mcplink: "/a b/mcplink".into(), ..programs };
        assert_eq!(apart.unusable(), Some(Path::new("/a b/mcplink")));
    }
}
