//! What a person types, for each command: shown below its help, and parsed by a test.

/// A command, and what it is for.
pub(crate) type Example = (&'static str, &'static str);

/// The examples of a command; none where there is no such command.
pub(crate) fn examples(verb: &str) -> &'static [Example] {
    EXAMPLES.iter().find(|(name, _)| *name == verb).map_or(&[], |(_, examples)| *examples)
}

const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "list",
        &[
            ("mcplink list", "What is configured here"),
            ("mcplink list --scope project", "What this project brings"),
        ],
    ),
    (
        "status",
        &[
            ("mcplink status", "Every server, and what is wrong with it"),
            ("mcplink status tickets --json", "One, for a script"),
            ("mcplink status --offline", "Only what the files tell"),
            ("mcplink status --watch", "Go on looking, and tell each change"),
        ],
    ),
    (
        "menu",
        &[
            ("mcplink menu", "Look, and do what helps"),
            ("mcplink menu --plain", "Without frames, for a screen reader"),
            ("mcplink menu --web", "In a browser"),
        ],
    ),
    ("wait", &[("mcplink wait tickets --timeout 30s && ./nightly.sh", "Begin when it works")]),
    (
        "doctor",
        &[
            ("mcplink doctor tickets", "Why it does not work, and what to do"),
            ("mcplink doctor https://mcp.example.com/mcp --trace", "With each exchange over HTTP"),
            ("mcplink doctor tickets --as claude-desktop", "With what that host has of your environment"),
        ],
    ),
    ("get", &[("mcplink get tickets", "Its entry, and from which file and line each part is")]),
    ("ps", &[("mcplink ps", "Who holds a connection, since when, in which state")]),
    ("stop", &[("mcplink stop 27396", "One session"), ("mcplink stop tickets", "Those of a server")]),
    (
        "reconnect",
        &[
            ("mcplink reconnect tickets", "After something changed: its helper runs again"),
            ("mcplink reconnect --failed", "All that do not work"),
        ],
    ),
    ("reset", &[("mcplink reset notes", "Begin with its sign-in from the start")]),
    (
        "login",
        &[
            ("mcplink login notes", "In the browser"),
            ("mcplink login notes --no-browser", "Over ssh: prints the address, takes the answer"),
            ("mcplink login notes --device", "With a code, on another device"),
            ("mcplink login notes --account work", "A second sign-in beside the first"),
            ("mcplink login notes tickets", "One after the other; --all for each that has none"),
            ("mcplink login notes --from-stdin", "In a pipeline, with a sign-in made elsewhere"),
        ],
    ),
    (
        "logout",
        &[
            ("mcplink logout notes", "Revoke its tokens and forget them"),
            ("mcplink logout notes --account work", "Those of one account"),
            ("mcplink logout notes --all", "Those of all its accounts"),
        ],
    ),
    (
        "accounts",
        &[
            ("mcplink accounts", "Every sign-in that is kept"),
            ("mcplink accounts notes", "Those of one server"),
        ],
    ),
    (
        "secret",
        &[
            (
                "mcplink secret set wiki-token",
                "Keep what is typed, or comes on stdin: ${keyring:mcp/wiki-token}",
            ),
            ("mcplink secret list", "The names of all, and where each is kept"),
            ("mcplink secret delete wiki-token", "Forget one"),
        ],
    ),
    (
        "auth-plugin",
        &[(
            "mcplink auth-plugin check ./mcplink-auth-acme",
            "Whether it keeps the rules of docs/auth-plugins.md",
        )],
    ),
    (
        "headers",
        &[
            ("mcplink headers tickets", "Which headers it gets, and from where"),
            ("mcplink headers tickets --run", "Run its helper, and look at what it prints"),
        ],
    ),
    (
        "logs",
        &[
            ("mcplink logs", "What any session wrote last"),
            ("mcplink logs tickets -f", "One server, as it happens"),
            ("mcplink logs 27396", "One session, by its process"),
        ],
    ),
    (
        "support-bundle",
        &[
            ("mcplink support-bundle", "Show what would be in it, ask, and write it here"),
            ("mcplink support-bundle -o - --offline", "Look at all of it, without asking a server"),
        ],
    ),
    ("trust", &[("mcplink trust", "This folder: shows what it allows, and asks")]),
    ("untrust", &[("mcplink untrust", "This folder")]),
    (
        "approve",
        &[
            ("mcplink approve tickets", "Shows what it allows, and asks"),
            (
                "mcplink approve tickets --yes",
                "Asks nothing; in a script, --yes=DIGEST of --json agrees to that and no more",
            ),
        ],
    ),
    (
        "approve-tools",
        &[
            ("mcplink approve-tools tickets", "Shows what is new or changed, and asks"),
            (
                "mcplink approve-tools tickets --json | jq -r .digest",
                "For --yes=DIGEST, which approves this and nothing that comes later",
            ),
        ],
    ),
    ("reject", &[("mcplink reject tickets", "It is not asked for again")]),
    (
        "tools",
        &[
            ("mcplink tools tickets", "All of them"),
            ("mcplink tools tickets --grep search", "Those that are about searching"),
            ("mcplink tools tickets search", "What one takes, and a call to copy"),
        ],
    ),
    (
        "call",
        &[
            ("mcplink call tickets search text=printer limit:=5", "A text and a number"),
            ("mcplink call tickets/search text=@question.txt", "A text from a file"),
            (
                "mcplink call tickets search '{\"text\": \"printer\"}' --json",
                "The arguments as JSON; the result as JSON",
            ),
        ],
    ),
    ("resources", &[("mcplink resources wiki", "All of them")]),
    (
        "read",
        &[
            ("mcplink read wiki wiki://page/1", "As text"),
            ("mcplink read wiki wiki://logo -o .", "Into a file here"),
        ],
    ),
    ("prompts", &[("mcplink prompts wiki", "All of them")]),
    ("prompt", &[("mcplink prompt wiki review language=python", "With an argument")]),
    ("complete", &[("mcplink complete wiki language py --prompt review", "Values that begin with py")]),
    ("ping", &[("mcplink ping tickets", "How long it takes")]),
    (
        "bridge",
        &[
            ("mcplink bridge tickets", "What is in a host's file as the command of a server"),
            (
                "mcplink bridge https://mcp.example.com/mcp -H 'Authorization: Bearer ${env:TOKEN}'",
                "Without an entry",
            ),
        ],
    ),
    (
        "add",
        &[
            (
                "mcplink add https://mcp.example.com/mcp",
                "Asks the server what it is; the name is made of the address",
            ),
            (
                "mcplink add tickets https://tickets.example.com/mcp --headers-helper 'my-sso headers'",
                "Its headers come from a command",
            ),
            ("mcplink add memory -- npx -y @modelcontextprotocol/server-memory", "A local server"),
            ("mcplink add io.github.acme/weather", "From a registry"),
        ],
    ),
    (
        "add-json",
        &[(
            "mcplink add-json tickets '{\"type\": \"http\", \"url\": \"https://tickets.example.com/mcp\"}'",
            "As a README shows it",
        )],
    ),
    ("remove", &[("mcplink remove tickets", "With its sign-in")]),
    ("enable", &[("mcplink enable tickets", "Use it again")]),
    ("disable", &[("mcplink disable tickets", "Leave its entry, and do not use it")]),
    (
        "import",
        &[
            ("mcplink import", "From every host: shows what, and asks"),
            ("mcplink import cursor --dry-run", "From one; writes nothing"),
        ],
    ),
    ("wrap", &[("mcplink wrap cursor --all", "Shows the difference, and asks")]),
    ("unwrap", &[("mcplink unwrap cursor --all", "Its file as it was")]),
    ("hosts", &[("mcplink hosts", "Whose files are here")]),
    (
        "validate",
        &[("mcplink validate", "Every file that is read"), ("mcplink validate .mcp.json", "One file")],
    ),
    ("schema", &[("mcplink schema > mcp.schema.json", "For an editor")]),
    ("paths", &[("mcplink paths", "Each place, whether it is read, and why")]),
    (
        "demo",
        &[
            ("mcplink demo", "Half a minute, on this machine alone"),
            ("mcplink demo --keep", "Leave its servers running to play with"),
        ],
    ),
    (
        "completions",
        &[
            ("eval \"$(mcplink completions bash)\"", "In this bash; in ~/.bashrc, in each"),
            ("mcplink completions zsh > ~/.zfunc/_mcplink", "For zsh, with ~/.zfunc in fpath"),
            ("mcplink completions fish > ~/.config/fish/completions/mcplink.fish", "For fish"),
        ],
    ),
    ("man", &[("mcplink man | man -l -", "The program"), ("mcplink man status | man -l -", "One command")]),
    ("version", &[("mcplink version --json", "For a script")]),
    (
        "help",
        &[
            ("mcplink help status", "One command"),
            ("mcplink help options", "What every command takes"),
            ("mcplink help not-found", "What a reason means, and what mends it"),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::{Cli, command_line};
    use super::*;

    #[test]
    fn fh_h15_each_command_has_examples_and_each_example_is_a_command() {
        let program = command_line();
        for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
            let verb = command.get_name();
            let examples = examples(verb);
            assert!(!examples.is_empty(), "{verb} has no example");
            for (line, what) in examples {
                let words = mcp_harness::invocations(line, "mcplink").swap_remove(0);
                assert_eq!(words[1], verb, "{line}");
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{line}: {error}");
                }
                assert!(what.starts_with(|c: char| c.is_ascii_uppercase()) && !what.ends_with('.'), "{what}");
            }
        }
        for (verb, _) in EXAMPLES {
            assert!(program.find_subcommand(verb).is_some(), "{verb} is not a command");
        }
    }
}
