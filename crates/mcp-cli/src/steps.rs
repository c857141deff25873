//! What is printed as the next step, as it can be pasted: with the options of this invocation that decide which entries
//! are seen, and never the command that was just run.

use std::sync::Arc;

use mcp_config::Address;

use crate::args::{Cli, Command};

/// What steps take over from the invocation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Steps {
    /// The command that was just run; empty for one that no step names.
    verb: &'static str,
    /// With a blank before each.
    options: String,
    /// The servers that were given by their URLs: a step has what was said of them.
    addresses: Arc<[Address]>,
}

impl Steps {
    pub(crate) fn of(cli: &Cli) -> Self {
        let mut options = String::new();
        for config in &cli.global.mcp_config {
            // A text may hold a secret, and a pipe is empty the second time.
            if !is_text_or_pipe(config) {
                options.push_str(&format!(" --mcp-config {}", mcp_text::shell_word(config)));
            }
        }
        if cli.global.strict_mcp_config {
            options.push_str(" --strict-mcp-config");
        }
        if let Some(folder) = &cli.global.project {
            options.push_str(&format!(" --project {}", mcp_text::shell_word(&folder.to_string_lossy())));
        }
        if let Some(host) = &cli.global.from {
            options.push_str(&format!(" --from {}", mcp_text::shell_word(host)));
        }
        if let Ok((Some(scope), _)) = cli.scopes() {
            options.push_str(&format!(" --scope {scope}"));
        }
        let verb = match cli.command {
            Command::Reconnect(_) => "reconnect",
            Command::Wait(_) => "wait",
            Command::Login(_) => "login",
            Command::Status(_) => "status",
            Command::Tools(ref args) if args.tool.is_none() => "tools",
            _ => "",
        };
        Self { verb, options, addresses: Arc::new([]) }
    }

    pub(crate) fn with_addresses(self, addresses: Arc<[Address]>) -> Self {
        Self { addresses, ..self }
    }

    /// `next` as it is printed. What is no command of this program is left as it is.
    pub(crate) fn step(&self, next: &str) -> String {
        let Some(rest) = next.strip_prefix("mcplink ") else { return next.to_owned() };
        let (verb, arguments) = rest.split_once(' ').unwrap_or((rest, ""));
        // What was just run brings nothing new. What the entry says, and where, may.
        let verb = if !arguments.is_empty() && verb == self.verb { "get" } else { verb };
        let alone = arguments.is_empty() || verb.starts_with('-') || arguments.contains("--help");
        let sees_entries = !alone || matches!(verb, "validate" | "list" | "status" | "paths");
        let options = if sees_entries && !next.ends_with(&*self.options) { &*self.options } else { "" };
        let options =
            self.of_address(arguments).filter(|own| !next.contains(&**own)).unwrap_or_default() + options;
        let arguments = if arguments.is_empty() { String::new() } else { format!(" {arguments}") };
        format!("mcplink {verb}{arguments}{options}")
    }
}

impl Steps {
    /// What was said of the server that these arguments begin with, with a blank before each word.
    fn of_address(&self, arguments: &str) -> Option<String> {
        let is_it = |address: &&Address| {
            let rest = arguments.strip_prefix(&*mcp_text::shell_word(address.name()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let address = self.addresses.iter().find(is_it)?;
        Some(address.options().iter().map(|word| format!(" {}", mcp_text::shell_word(word))).collect())
    }
}

fn is_text_or_pipe(config: &str) -> bool {
    let is_pipe = ["/dev/", "/proc/"].iter().any(|place| config.starts_with(place));
    config.trim_start().starts_with('{') || is_pipe || config == "-"
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn step(line: &str, next: &str) -> String {
        Steps::of(&Cli::try_parse_from(line.split(' ')).unwrap()).step(next)
    }

    #[test]
    fn fh_h4_a_step_carries_the_options_that_decide_what_is_seen() {
        for (line, next, expected) in [
            ("mcplink status", "mcplink login x", "mcplink login x"),
            ("mcplink status --mcp-config a.json", "mcplink login x", "mcplink login x --mcp-config a.json"),
            (
                "mcplink status --mcp-config a.json",
                "mcplink validate",
                "mcplink validate --mcp-config a.json",
            ),
            (
                "mcplink status --mcp-config a.json --mcp-config b.json --strict-mcp-config",
                "mcplink get x",
                "mcplink get x --mcp-config a.json --mcp-config b.json --strict-mcp-config",
            ),
            ("mcplink status --scope user", "mcplink get x", "mcplink get x --scope user"),
            ("mcplink status --project /a/b", "mcplink get x", "mcplink get x --project /a/b"),
            ("mcplink list --from cursor", "mcplink login x", "mcplink login x --from cursor"),
            ("mcplink status --mcp-config {}", "mcplink get x", "mcplink get x"),
            ("mcplink status --mcp-config /dev/fd/63", "mcplink get x", "mcplink get x"),
            ("mcplink status --mcp-config a.json", "mcplink --help", "mcplink --help"),
            ("mcplink status --mcp-config a.json", "mcplink call --help", "mcplink call --help"),
            ("mcplink status --mcp-config a.json", "correct line 3 of x", "correct line 3 of x"),
        ] {
            assert_eq!(step(line, next), expected, "{line}");
            assert_eq!(step(line, expected), expected, "once and for all: {line}");
        }
    }

    #[test]
    fn fh_h3_a_step_is_never_the_command_that_was_just_run() {
        for verb in ["reconnect", "wait", "login", "tools", "status"] {
            assert_eq!(step(&format!("mcplink {verb} x"), &format!("mcplink {verb} x")), "mcplink get x");
            assert_eq!(step("mcplink ping x", &format!("mcplink {verb} x")), format!("mcplink {verb} x"));
        }
        assert_eq!(step("mcplink reconnect --all", "mcplink reconnect x"), "mcplink get x");
    }
}
