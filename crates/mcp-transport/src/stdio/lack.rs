//! What a process lacks, by the line that tells why it ended.
//!
//! It decides nothing about the server: only what a person is led to. Each tool's words are a row, and what no row knows is said
//! to be nothing.

use mcp_status::ProcessLack;

/// The shortest name that is taken for one of a variable.
const MIN_NAME: usize = 4;

/// What its arguments name is not there, or they are not what the program takes.
const ARGUMENTS: &[&[&str]] = &[
    // npm, pnpm, Yarn.
    &["npm err", "404"],
    &["err_pnpm_fetch_404"],
    &["could not determine executable to run"],
    &["is not in this registry"],
    // uv, pip.
    &["does not provide any executables"],
    &["not found in the package registry"],
    &["no solution found"],
    &["no matching distribution found"],
    &["could not find a version that satisfies"],
    &["error: failed to spawn"],
    // Python and Java say so before the program begins.
    &["python", ": no module named "],
    &["can't open file"],
    &["unable to access jarfile"],
    &["could not find or load main class"],
    // Docker and Podman.
    &["unable to find image"],
    &["pull access denied"],
    &["manifest unknown"],
    &["repository does not exist"],
    &["invalid reference format"],
    // What was found out about how it was run.
    &["in its argument `"],
    // Parsers of command lines; the words of Go's stand in its package `flag`, and in pflag.
    &["flag provided but not defined"],
    &["flag needs an argument"],
    &["for flag -"],
    &["invalid argument", "flag"],
    &["invalid value", "for '"],
    &["unknown shorthand flag"],
    &["unknown long flag"],
    &["unknown short flag"],
    &["unknown command", "for \""],
    &["invalid boolean value", "for -"],
    &["unrecognized subcommand"],
    &["unrecognized argument"],
    &["unrecognized option"],
    &["unexpected argument"],
    &["unknown option"],
    &["unknown flag"],
    &["unknown argument"],
    &["invalid option"],
    &["bad option"],
    &["no such option"],
    &["no such command"],
    &["arguments are required"],
    &["required arguments were not provided"],
    &["missing argument"],
    &["missing option"],
    &["missing required argument"],
];

/// Another program has to be running.
const SERVICES: &[(&[&str], &str)] = &[
    (&["cannot connect to the docker daemon"], "Docker"),
    (&["error during connect", "docker"], "Docker"),
    (&["failed to connect to the docker api"], "Docker"),
    (&["cannot connect to podman"], "Podman"),
];

/// Memory ran out, in the words of systems and languages.
const MEMORY: &[&str] = &[
    "heap out of memory",
    "memoryerror",
    "cannot allocate memory",
    "outofmemoryerror",
    "std::bad_alloc",
    "out of memory: killed",
];

/// How a variable that is not there is spoken of.
const ABSENT: &[&str] = &[
    "not set",
    "isn't set",
    "not defined",
    "undefined",
    "unset",
    "missing",
    "required",
    "must be set",
    "not provided",
    "not found",
    "please set",
    "keyerror",
    "is empty",
];

/// What a process lacks that printed `line` before it ended.
pub(super) fn of_line(line: &str) -> Option<ProcessLack> {
    let lower = line.to_lowercase();
    let has = |words: &[&str]| words.iter().all(|word| lower.contains(word));
    if let Some((_, name)) = SERVICES.iter().find(|(words, _)| has(words)) {
        return Some(ProcessLack::Service { name: (*name).to_owned() });
    }
    if MEMORY.iter().any(|words| lower.contains(words)) {
        return Some(ProcessLack::Memory);
    }
    if let Some(name) = variable(line).filter(|_| ABSENT.iter().any(|words| lower.contains(words))) {
        return Some(ProcessLack::Variable { name: name.to_owned() });
    }
    let is_told = ARGUMENTS.iter().any(|words| has(words)) || is_missing_script(line);
    is_told.then_some(ProcessLack::Arguments)
}

/// The one word of a line that is written as variables of the environment are; `None` where there is another one.
fn variable(line: &str) -> Option<&str> {
    let is_name = |word: &&str| {
        word.len() >= MIN_NAME
            && word.contains('_')
            && word.starts_with(|c: char| c.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            // The codes of systems and tools are written like this, too.
            && !word.starts_with("ERR_")
            && mcp_text::is_variable_name(word)
    };
    let mut names = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(is_name);
    let first = names.next()?;
    names.all(|name| name == first).then_some(first)
}

/// Node, of the script that it was to run: a module of another one is told by its name.
fn is_missing_script(line: &str) -> bool {
    line.split_once("Cannot find module '")
        .is_some_and(|(_, rest)| rest.starts_with('/') || rest.get(1..3).is_some_and(|drive| drive == ":\\"))
        || line.contains("Module not found \"file:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a1_what_a_process_lacks_is_known_by_the_words_of_each_tool() {
        let variable = |name: &str| Some(ProcessLack::Variable { name: name.to_owned() });
        let service = |name: &str| Some(ProcessLack::Service { name: name.to_owned() });
        for (line, expected) in [
            (
                "npm error 404 Not Found - GET https://registry.npmjs.org/@x%2fnope",
                Some(ProcessLack::Arguments),
            ),
            ("npm ERR! 404 '@x/nope@*' is not in this registry.", Some(ProcessLack::Arguments)),
            ("npm error could not determine executable to run", Some(ProcessLack::Arguments)),
            ("/usr/bin/python3: No module named my_server", Some(ProcessLack::Arguments)),
            ("python3: can't open file '/a/server.py': [Errno 2] No such file", Some(ProcessLack::Arguments)),
            ("Error: Cannot find module '/a/dist/index.js'", Some(ProcessLack::Arguments)),
            (r"Error: Cannot find module 'C:\a\index.js'", Some(ProcessLack::Arguments)),
            ("error: unrecognized arguments: --trasport", Some(ProcessLack::Arguments)),
            ("flag provided but not defined: -foo", Some(ProcessLack::Arguments)),
            ("flag needs an argument: -port", Some(ProcessLack::Arguments)),
            ("invalid value \"x\" for flag -port: parse error", Some(ProcessLack::Arguments)),
            ("invalid boolean value \"x\" for -v: parse error", Some(ProcessLack::Arguments)),
            ("ERR unknown command 'JSON.GET'", None),
            ("Error: unknown shorthand flag: 'f' in -foo", Some(ProcessLack::Arguments)),
            ("Error: unknown command \"serv\" for \"srv\"", Some(ProcessLack::Arguments)),
            ("error: unrecognized subcommand 'serv'", Some(ProcessLack::Arguments)),
            ("error: invalid value 'x' for '--port <PORT>': invalid digit", Some(ProcessLack::Arguments)),
            ("error: unexpected argument '--foo' found", Some(ProcessLack::Arguments)),
            ("error: the following required arguments were not provided:", Some(ProcessLack::Arguments)),
            ("docker: Error response from daemon: pull access denied for x", Some(ProcessLack::Arguments)),
            ("it printed nothing; in its argument `~/s`, `~` is not expanded", Some(ProcessLack::Arguments)),
            // A dependency of the script is not an argument.
            ("ModuleNotFoundError: No module named 'requests'", None),
            ("Error: Cannot find module 'express'", None),
            ("docker: Cannot connect to the Docker daemon at unix:///x. Is it running?", service("Docker")),
            ("Error: unable to connect: cannot connect to Podman socket", service("Podman")),
            ("Error: DATABASE_URL missing", variable("DATABASE_URL")),
            ("KeyError: 'GITHUB_TOKEN'", variable("GITHUB_TOKEN")),
            ("GITHUB_TOKEN is not set; export GITHUB_TOKEN", variable("GITHUB_TOKEN")),
            ("Error: API_KEY is required", variable("API_KEY")),
            // Which one of the two, it does not say; and this one is there.
            ("set API_KEY or API_TOKEN: both are missing", None),
            ("API_KEY was refused by the service", None),
            ("Error [ERR_MODULE_NOT_FOUND]: x not found", None),
            ("required: ghp_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", None),
            ("FATAL ERROR: Reached heap limit - JavaScript heap out of memory", Some(ProcessLack::Memory)),
            ("TypeError: cannot read x", None),
            ("license expired", None),
            ("", None),
        ] {
            assert_eq!(of_line(line), expected, "{line}");
        }
    }
}
