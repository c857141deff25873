//! What the sources may name, and where.

use crate::Problems;
use crate::lexer::{Kind, Token};
use crate::sources::Source;

/// The longest `main.rs` of the binary, in lines.
const MAIN_LIMIT: usize = 15;
/// The longest file without a reason, in lines.
const FILE_LIMIT: usize = 500;
/// What introduces the reason, in the header of a longer file.
const LONGER: &str = "Longer than 500 lines because";

/// Checks every rule.
pub(super) fn check(sources: &[Source]) -> Problems {
    let mut problems: Problems = sources.iter().flat_map(check_one).collect();
    problems.extend(check_http_client(sources));
    problems
}

fn check_one(source: &Source) -> Problems {
    let mut problems = Problems::new();
    problems.extend(quarantine(source, "backoff", |path| path == "crates/mcp-transport/src/retry/imp.rs"));
    problems.extend(quarantine(source, "oauth2", |path| path.starts_with("crates/mcp-auth/src/oauth/")));
    if source.is_shipped() && source.crate_name() != "mcp-harness" {
        // In tests it is also the name of a server to talk to.
        problems.extend(quarantine(source, "rmcp", is_sdk));
    }
    problems.extend(transport_words(source));
    problems.extend(environment(source));
    problems.extend(files(source));
    problems.extend(names(source));
    problems.extend(length(source));
    problems
}

/// `word` is a name in allowed places only. Tests and benches are bound as well: what they name
/// leaks into what they prove.
fn quarantine(source: &Source, word: &str, is_allowed: impl Fn(&str) -> bool) -> Problems {
    if is_allowed(&source.path) || source.crate_name() == "xtask" {
        return Problems::new();
    }
    places(source, |token| token.kind == Kind::Word && token.text == word)
        .map(|place| format!("{place}: `{word}` is quarantined elsewhere"))
        .collect()
}

/// The adapter to the official SDK.
fn is_sdk(path: &str) -> bool {
    path.starts_with("crates/mcp-rmcp/")
}

/// A program of the test kit that is written with the SDK.
fn is_fixture(path: &str) -> bool {
    path.starts_with("crates/mcp-harness/fixtures/")
}

/// The files of mcp-transport that may name the HTTP client library.
const HTTP_CLIENT: [&str; 2] =
    ["crates/mcp-transport/src/http/client.rs", "crates/mcp-transport/src/http/dial.rs"];

/// Two files may name the HTTP client. Nothing that ships names the library that benches compare with, which tests may use.
fn check_http_client(sources: &[Source]) -> Problems {
    let names = |source: &Source, word: &str| {
        source.tokens.iter().any(|token| token.kind == Kind::Word && token.text == word)
    };
    let mut problems = Problems::new();
    for source in sources.iter().filter(|source| source.is_shipped() && source.crate_name() != "xtask") {
        if names(source, "reqwest") {
            problems.push(format!("{}: names reqwest, which is for benches and tests", source.path));
        }
        let is_home = HTTP_CLIENT.contains(&&*source.path);
        if source.crate_name() == "mcp-transport" && !is_home && names(source, "hyper_util") {
            problems.push(format!("{}: names the HTTP client, as http/client.rs does already", source.path));
        }
    }
    problems
}

/// The transport knows providers by what they can do, so it has no word for any of them.
fn transport_words(source: &Source) -> Problems {
    if !source.path.starts_with("crates/mcp-transport/src/") {
        return Problems::new();
    }
    let is_forbidden = |token: &Token| {
        let text = token.text.to_ascii_lowercase();
        text.contains("helper") || text.contains("oauth")
    };
    places(source, is_forbidden)
        .map(|place| format!("{place}: the transport has no word for helper or OAuth"))
        .collect()
}

/// The environment is a value, read where the process starts. The test kit has no such place: the tests
/// that use it start in the test harness.
fn environment(source: &Source) -> Problems {
    let is_start = source.path == "crates/mcp-cli/src/main.rs";
    if !source.is_shipped()
        || is_start
        || matches!(source.crate_name(), "mcp-harness" | "mcp-testkit" | "xtask")
    {
        return Problems::new();
    }
    let mut problems = Problems::new();
    for (at, token) in source.tokens.iter().enumerate() {
        let follows = |path: &[&str]| {
            let texts = source.tokens[at..].iter().map(|token| token.text.as_str());
            texts.take(path.len()).eq(path.iter().copied())
        };
        // Constants of the platform that was compiled for are no environment.
        let is_constant = follows(&["std", ":", ":", "env", ":", ":", "consts"]);
        if follows(&["std", ":", ":", "env"]) && !is_constant {
            problems.push(format!(
                "{}:{}: only main.rs of mcp-cli reads the environment",
                source.path, token.line
            ));
        }
    }
    problems
}

/// What is behind a name is judged before it is opened, in one place. Tests read what they wrote themselves, and so do the
/// test kit and this program.
fn files(source: &Source) -> Problems {
    // A new file for a person who asked for it: nothing that is there is opened.
    let makes_a_new_one = source.path == "crates/mcp-cli/src/view/content.rs";
    let is_reader = matches!(source.crate_name(), "mcp-files" | "mcp-harness" | "mcp-testkit" | "xtask");
    if !source.is_shipped() || is_reader || makes_a_new_one || source.path.contains("/tests/") {
        return Problems::new();
    }
    let texts: Vec<&str> = source.shipped_tokens().iter().map(|token| token.text.as_str()).collect();
    let opens = |at: usize| {
        let follows = |path: &[&str]| texts[at..].starts_with(path);
        follows(&["fs", ":", ":", "read", "("])
            || follows(&["fs", ":", ":", "read_to_string"])
            || follows(&["File", ":", ":", "open"])
            || follows(&["File", ":", ":", "options"])
            || follows(&["OpenOptions"])
    };
    (0..texts.len())
        .filter(|at| opens(*at))
        .map(|at| format!("{}:{}: files are opened by mcp-files", source.path, source.tokens[at].line))
        .collect()
}

/// No getters named so, and no module whose name says nothing.
fn names(source: &Source) -> Problems {
    let mut problems = Problems::new();
    let stem = source.path.rsplit('/').next().and_then(|name| name.strip_suffix(".rs")).unwrap_or_default();
    let empty_names = ["utils", "util", "common", "manager", "misc"];
    if source.is_shipped() && source.path.split('/').chain([stem]).any(|part| empty_names.contains(&part)) {
        problems.push(format!("{}: the name says nothing about what is in it", source.path));
    }
    for pair in source.tokens.windows(2) {
        // The GET stream of Streamable HTTP is a noun.
        let is_getter = pair[1].text.starts_with("get_") && !pair[1].text.starts_with("get_stream");
        // What a trait of the SDK is called is not ours to say.
        let is_theirs = pair[1].text == "get_info" && (is_sdk(&source.path) || is_fixture(&source.path));
        let is_getter = is_getter && !is_theirs;
        if is_getter && pair[0].text == "fn" && pair[0].kind == Kind::Word {
            problems.push(format!("{}:{}: `{}` needs no `get_`", source.path, pair[1].line, pair[1].text));
        }
    }
    problems
}

fn length(source: &Source) -> Problems {
    let mut problems = Problems::new();
    let lines = source.text.lines().count();
    if source.path == "crates/mcp-cli/src/main.rs" && lines > MAIN_LIMIT {
        problems.push(format!("{}: {lines} lines; {MAIN_LIMIT} are enough to start a library", source.path));
    }
    let has_reason = source.text.lines().take(20).any(|line| line.contains(LONGER));
    if lines > FILE_LIMIT && !has_reason {
        problems.push(format!("{}: {lines} lines, and no \"{LONGER} …\" in its header", source.path));
    }
    problems
}

fn places<'a>(
    source: &'a Source,
    matches: impl Fn(&Token) -> bool + 'a,
) -> impl Iterator<Item = String> + 'a {
    source
        .tokens
        .iter()
        .filter(move |token| matches(token))
        .map(|token| format!("{}:{}", source.path, token.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> usize {
        check(&[Source::new(path, text).unwrap()]).len()
    }

    #[test]
    fn each_quarantine_holds_its_crate() {
        let table = [
            ("crates/mcp-transport/src/retry/imp.rs", "use backoff::X;", 0),
            ("crates/mcp-transport/src/retry.rs", "use backoff::X;", 1),
            ("crates/mcp-transport/tests/it/main.rs", "use backoff::X;", 1),
            ("crates/mcp-transport/src/retry.rs", "// backoff is elsewhere\nconst A: &str = \"backoff\";", 0),
            ("crates/mcp-auth/src/oauth/refresh.rs", "use oauth2::X;", 0),
            ("crates/mcp-auth/src/plan.rs", "use oauth2::X;", 1),
            ("crates/mcp-rmcp/src/lib.rs", "use rmcp::X;", 0),
            ("crates/mcp-rmcp/examples/rmcp_client.rs", "use rmcp::X;", 0),
            ("crates/mcp-transport/src/connection.rs", "use rmcp::X;", 1),
            ("crates/mcp-bridge/src/rmcp.rs", "use rmcp::X;", 1),
            ("crates/mcp-transport/src/http/client.rs", "use reqwest::X;", 1),
            ("crates/mcp-transport/src/http/client.rs", "use hyper_util::X;", 0),
            ("crates/mcp-transport/benches/call.rs", "use reqwest::X;", 0),
            ("crates/mcp-cli/src/wire.rs", "use reqwest::X;", 1),
        ];
        for (path, text, expected) in table {
            assert_eq!(problems(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn s_k7_files_are_opened_in_one_crate() {
        let tested = "fn f() {}\n#[cfg(test)]\nmod tests { fn g() { std::fs::read_to_string(p); } }";
        for (path, text, expected) in [
            ("crates/mcp-config/src/project.rs", "fn f() { fs::read_to_string(p) }", 1),
            ("crates/mcp-config/src/project.rs", "fn f() { std::fs::read(p) }", 1),
            ("crates/mcp-config/src/project.rs", "fn f() { fs::read_dir(p) }", 0),
            ("crates/mcp-cli/src/logs.rs", "fn f() { File::open(p) }", 1),
            ("crates/mcp-auth/src/other.rs", "use std::fs::OpenOptions;", 1),
            ("crates/mcp-files/src/read.rs", "fn f() { fs::read(p) }", 0),
            ("crates/mcp-testkit/src/home.rs", "fn f() { fs::read(p) }", 0),
            ("crates/mcp-cli/tests/it/main.rs", "fn f() { fs::read(p) }", 0),
            ("crates/mcp-cli/src/logs.rs", tested, 0),
        ] {
            assert_eq!(problems(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn two_files_of_a_crate_name_the_http_client() {
        for (path, text, expected) in [
            ("crates/mcp-transport/src/http/client.rs", "use hyper_util::X;", 0),
            ("crates/mcp-transport/src/http/dial.rs", "use hyper_util::X;", 0),
            ("crates/mcp-transport/src/http/other.rs", "use hyper_util::X;", 1),
            ("crates/mcp-cli/src/menu/web/serve.rs", "use hyper_util::X;", 0),
            ("crates/mcp-auth/tests/oauth/exchange.rs", "use reqwest::X;", 0),
            ("crates/mcp-auth/src/oauth/http.rs", "use reqwest::X;", 1),
        ] {
            assert_eq!(problems(path, text), expected, "{path}: {text}");
        }
    }

    #[test]
    fn the_transport_has_no_word_for_a_provider() {
        let path = "crates/mcp-transport/src/authed.rs";
        for text in ["fn run_helper() {}", "struct OAuthThing;", "const A: &str = \"headers-helper\";"] {
            assert_eq!(problems(path, text), 1, "{text}");
            assert_eq!(problems("crates/mcp-auth/src/plan.rs", text), 0, "{text}");
        }
        assert_eq!(problems(path, "// the helper is elsewhere"), 0);
    }

    #[test]
    fn only_the_start_of_the_program_reads_the_environment() {
        let reads = "fn f() { std::env::var_os(\"HOME\"); }";
        assert_eq!(problems("crates/mcp-cli/src/main.rs", reads), 0);
        assert_eq!(problems("crates/mcp-cli/src/commands/list.rs", reads), 1);
        assert_eq!(problems("crates/mcp-auth/src/plan.rs", "use std::env;"), 1);
        assert_eq!(problems("crates/mcp-auth/src/plan.rs", "use std::env::consts::OS;"), 0);
        assert_eq!(problems("crates/mcp-auth/tests/it/main.rs", reads), 0);
    }

    #[test]
    fn names_say_what_is_in_them() {
        assert_eq!(problems("crates/mcp-auth/src/utils.rs", ""), 1);
        assert_eq!(problems("crates/mcp-auth/src/common/x.rs", ""), 1);
        assert_eq!(problems("crates/mcp-rmcp/tests/sdk.rs", "fn get_info() {}"), 0);
        assert_eq!(problems("crates/mcp-transport/src/connection.rs", "fn get_info() {}"), 1);
        assert_eq!(
            problems("crates/mcp-auth/src/plan.rs", "fn get_name() {} fn getter() {} fn get_stream() {}"),
            1
        );
    }

    #[test]
    fn long_files_have_a_reason() {
        let long = "\n".repeat(501);
        assert_eq!(problems("crates/mcp-auth/src/plan.rs", &long), 1);
        assert_eq!(problems("crates/mcp-auth/src/plan.rs", &format!("//! {LONGER} it is a table.{long}")), 0);
        assert_eq!(problems("crates/mcp-cli/src/main.rs", &"\n".repeat(16)), 1);
        assert_eq!(problems("crates/mcp-cli/src/main.rs", &"\n".repeat(15)), 0);
    }
}
