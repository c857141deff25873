//! `add` as a person runs it next: with the options of this invocation, so that it asks the same registry and writes the same place.

use clap::ValueEnum as _;

use crate::args::AddArgs;

/// `mcplink add WORDS` with what this invocation says of the registry, of the entry and of how it is written. What may hold a secret is
/// named, and its value left to the person.
pub(super) fn again<'w>(args: &AddArgs, words: impl IntoIterator<Item = &'w str>) -> String {
    let mut line = "mcplink add".to_owned();
    let mut add = |option: &str, value: Option<&str>| {
        line.push_str(&format!(" {option}"));
        if let Some(value) = value {
            line.push_str(&format!(" {}", mcp_text::shell_word(value)));
        }
    };
    for word in words {
        add(&mcp_text::shell_word(word), None);
    }
    // A query may hold a secret.
    if let Some(registry) = args.registry.registry.as_deref().filter(|url| !url.contains('?')) {
        add("--registry", Some(registry));
    }
    if let Some(number) = args.registry.choose {
        add("--choose", Some(&number.to_string()));
    }
    let transport = args.transport.and_then(|transport| transport.to_possible_value());
    if let Some(transport) = transport {
        add("--transport", Some(transport.get_name()));
    }
    for header in &args.headers {
        let (name, value) = header.split_once(':').unwrap_or((header, ""));
        add("-H", Some(&format!("{name}: {}", told(value.trim()))));
    }
    for variable in &args.env {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        add("-e", Some(&format!("{name}={}", told(value))));
    }
    if args.headers_helper.is_some() {
        add("--headers-helper", Some("COMMAND"));
    }
    if let Some(client) = &args.oauth.client_id {
        add("--client-id", Some(client));
    }
    if let Some(port) = args.oauth.callback_port {
        add("--callback-port", Some(&port.to_string()));
    }
    for (option, is_given) in [
        ("--client-secret", args.oauth.client_secret),
        ("--replace", args.write.replace),
        ("--only-here", args.write.only_here),
        ("--no-check", args.write.no_check),
        ("--check", args.write.check),
        ("--dry-run", args.write.dry_run),
        ("--yes", args.registry.yes),
    ] {
        if is_given {
            add(option, None);
        }
    }
    for given in args.registry.inputs.iter().filter(|given| !may_be_secret(given)) {
        add("--input", Some(given));
    }
    line
}

/// A reference says where a value is; any other one is the person's to say again.
fn told(value: &str) -> &str {
    let (_, secret) = mcp_text::scheme_of(value).unwrap_or(("", value));
    if mcp_text::variable(secret).is_some() { value } else { "VALUE" }
}

/// Whether `NAME=VALUE` may hold a secret that was not declared as one.
fn may_be_secret(given: &str) -> bool {
    let (id, value) = given.split_once('=').unwrap_or(("", given));
    !value.starts_with("${") && (mcp_text::is_credential_name(id) || mcp_text::looks_like_token(value))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Cli, Command};

    #[test]
    fn fh_h5_what_is_run_next_asks_the_same_registry_and_writes_the_same_place_without_a_secret() {
        for (line, expected) in [
            ("add io.x/y", "mcplink add new"),
            ("add --search y --registry http://127.0.0.1:1", "mcplink add new --registry http://127.0.0.1:1"),
            (
                "add my io.x/y --registry https://r.example --only-here --yes --no-check --input dir=/x --choose 2",
                "mcplink add new --registry https://r.example --choose 2 --only-here --no-check --yes --input 'dir=/x'",
            ),
            (
                "add io.x/y -H X-Mine:canary -e TOKEN=canary -e A=${B} --headers-helper canary --replace",
                "mcplink add new -H 'X-Mine: VALUE' -e 'TOKEN=VALUE' -e 'A=${B}' --headers-helper COMMAND --replace",
            ),
            ("add io.x/y --registry https://r.example/?key=canary --check", "mcplink add new --check"),
            (
                "add io.x/y --dry-run -t sse --client-id me",
                "mcplink add new --transport sse --client-id me --dry-run",
            ),
        ] {
            let cli = Cli::try_parse_from(["mcplink"].into_iter().chain(line.split(' '))).unwrap();
            let Command::Add(args) = cli.command else { panic!("{line}") };
            assert_eq!(again(&args, ["new"]), expected, "{line}");
        }
    }
}
