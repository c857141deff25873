//! Passwords behind options of one letter: `-p secret`, which many programs understand, and many understand otherwise.

/// What stands for a password, key or token in enough programs (mysql(1), redis-cli(1), ldapsearch(1)). A word too much that
/// is hidden is the lesser harm.
const OPTIONS: [&str; 9] = ["-a", "-k", "-K", "-p", "-P", "-s", "-t", "-T", "-w"];

/// Programs whose own options of these letters, before the command or package that they start, mean something else; and how many
/// words of their own come before that (`cargo run`, `docker run`).
const LAUNCHERS: [(&str, usize); 19] = [
    ("bun", 1),
    ("bunx", 0),
    ("cargo", 1),
    ("cp", 0),
    ("deno", 1),
    ("docker", 1),
    ("install", 0),
    ("mkdir", 0),
    ("node", 0),
    ("npm", 1),
    ("npx", 0),
    ("pipx", 1),
    ("pnpm", 1),
    ("pnpx", 0),
    ("podman", 1),
    ("python3", 0),
    ("tsx", 0),
    ("uv", 1),
    ("uvx", 0),
];

/// Values that name a transport, a place or a switch.
const WORDS: [&str; 25] = [
    "all",
    "auto",
    "bash",
    "debug",
    "default",
    "dev",
    "false",
    "http",
    "https",
    "info",
    "json",
    "local",
    "localhost",
    "none",
    "prod",
    "production",
    "project",
    "sh",
    "sse",
    "stdio",
    "streamable-http",
    "tcp",
    "true",
    "unix",
    "user",
];

/// How the names of files end that are given to options.
const ENDINGS: [&str; 17] = [
    "cfg", "conf", "crt", "csv", "db", "env", "ini", "js", "json", "key", "md", "pem", "py", "toml", "ts",
    "yaml", "yml",
];

/// The values among `arguments` of `program` that may be credentials because of the option of one letter before them, with
/// their places.
///
/// Ports, versions, paths, files, packages and plain words of options are none, nor are the options of a program that only
/// starts another one.
///
/// # Examples
///
/// ```
/// let found = |line: &[&str]| mcp_text::values_of_short_options(line[0], &line[1..]);
/// assert_eq!(found(&["psql-mcp", "-p", "hunter"]), [1]);
/// assert!(found(&["psql-mcp", "-p", "5432"]).is_empty() && found(&["npx", "-p", "tool", "run"]).is_empty());
/// ```
#[must_use]
pub fn values_of_short_options(program: &str, arguments: &[&str]) -> Vec<usize> {
    let name = program.rsplit(['/', '\\']).next().unwrap_or(program);
    let name = name.strip_suffix(".exe").or_else(|| name.strip_suffix(".cmd")).unwrap_or(name);
    let mut own_words = LAUNCHERS.iter().find(|(launcher, _)| *launcher == name).map(|(_, words)| *words);
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(argument) = arguments.get(at) {
        let value = arguments.get(at + 1).map(|value| bare(value));
        if OPTIONS.contains(&bare(argument)) && value.is_some_and(|value| !value.starts_with('-')) {
            if own_words.is_none() && value.is_some_and(may_be_credential) {
                found.push(at + 1);
            }
            at += 2;
            continue;
        }
        if !argument.starts_with('-') {
            own_words = own_words.and_then(|words| words.checked_sub(1));
        }
        at += 1;
    }
    found
}

/// The same for `-p=secret`, which is one word.
#[must_use]
pub fn is_behind_short_option(option: &str, value: &str) -> bool {
    OPTIONS.contains(&option) && may_be_credential(bare(value))
}

/// The same in a command line or script, as the places of words that blanks are between.
#[must_use]
pub fn short_option_words(line: &str) -> Vec<usize> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((program, rest)) = words.split_first() else { return Vec::new() };
    values_of_short_options(program, rest).into_iter().map(|at| at + 1).collect()
}

fn bare(word: &str) -> &str {
    word.trim_matches(['"', '\'', ';'])
}

fn may_be_credential(value: &str) -> bool {
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || b".:,".contains(&byte));
    let is_path = value.contains(['/', '\\']) || value.starts_with(['.', '~', '%', '$', '@']);
    let is_file = value.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending));
    let is_package = value
        .split_once('@')
        .is_some_and(|(_, version)| version == "latest" || version.starts_with(|c: char| c.is_ascii_digit()));
    let is_known = WORDS.iter().any(|word| value.eq_ignore_ascii_case(word));
    let is_short = value.len() < 4;
    // A URL is shown by rules of its own, and a pair of a port.
    !(is_number && value.len() < 22 || is_path || is_file || is_package || is_known || is_short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_n10_a_password_behind_one_letter_is_told_from_what_else_stands_there() {
        for (line, hidden) in [
            ("psql-mcp -p secretone", &["secretone"][..]),
            ("mysql -u root -P tops3cret --host x", &["tops3cret"]),
            ("redis-cli -a hunter -p 6379", &["hunter"]),
            ("npx -y server -k abcdef", &["abcdef"]),
            ("npx -y -p typescript tsc -t token9", &["token9"]),
            ("docker run -i -p 8080:80 image -w hushhush", &["hushhush"]),
            ("sh -c 'x -p one1; y -s two2'", &["one1;", "two2'"]),
            ("server -p 8080 -p 127.0.0.1:80 -t stdio -p ./a -p tsconfig.json -p @acme/x -p x@1.2", &[]),
            ("npx -p typescript tsc", &[]),
            ("mkdir -p folder", &[]),
            ("cargo run --release -p mcp-cli -- bridge internal", &[]),
            ("cargo run -p tool -- serve -p hushhush", &["hushhush"]),
            ("uv run -p python server -k hushhush", &["hushhush"]),
            ("server -p --verbose -p", &[]),
            ("server -v secret -x secret", &[]),
            ("server -p $PASSWORD -p ${PASSWORD}", &[]),
            ("C:\\bin\\npx.cmd -p tool run", &[]),
            ("", &[]),
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            let found: Vec<&str> = short_option_words(line).into_iter().map(|at| words[at]).collect();
            assert_eq!(found, hidden, "{line}");
        }
    }
}
