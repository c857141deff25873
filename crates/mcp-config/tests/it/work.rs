//! Work and memory grow with the length of what is read, and no faster.

use std::fs;
use std::path::Path;
use std::time::Instant;

use mcp_config::{Config, Env, Request};

fn load(base: &Path, file: &str, text: &str) -> Config {
    let path = base.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    Config::load(&Request::new(base.join("project"), Env::from([("HOME", base)])))
}

fn entries(count: usize, separator: &str, entry: impl Fn(usize) -> String) -> String {
    let entries: Vec<String> = (0..count).map(|number| format!("\"s{number}\":{}", entry(number))).collect();
    format!("{{\"mcpServers\":{{{}}}}}", entries.join(separator))
}

/// How often the two are measured beside each other before the slower is believed to be slow by itself.
const TRIALS: usize = 8;

/// One text with sixteen times as much may cost three times what sixteen texts cost: what is quadratic costs sixteen times that.
///
/// Both are measured in turns, and one pair within the bound is enough. What else the machine does delays one of a pair now and
/// then; what is quadratic is beyond the bound each time.
fn grows_with_its_length(what: &str, text: impl Fn(usize) -> String) {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("project")).unwrap();
    let time = |text: &str, times: usize| {
        let since = Instant::now();
        for _ in 0..times {
            let config = load(home.path(), ".claude.json", text);
            // As the commands do for each entry.
            let problems: usize =
                config.entries.iter().map(|entry| config.problems_of(&entry.name).count()).sum();
            assert!(config.entries.len() + problems > 0);
        }
        since.elapsed()
    };
    let (few, many) = (text(200), text(3_200));
    let mut trials = Vec::new();
    while trials.len() < TRIALS {
        let (of_few, of_many) = (time(&few, 16), time(&many, 1));
        if of_many < of_few * 3 {
            return;
        }
        trials.push((of_few, of_many));
    }
    panic!("{what}: sixteen times a few, and sixteen times as much at once: {trials:?}");
}

#[test]
fn s_m16_time_grows_with_entries_valid_and_invalid() {
    let valid = |number| format!(r#"{{"type":"http","url":"https://h.example/{number}"}}"#);
    grows_with_its_length("valid", |count| entries(count, ",", valid));
    grows_with_its_length("invalid on one line", |count| entries(count, ",", |_| "1".into()));
    grows_with_its_length("invalid, a line each", |count| entries(count, ",\n", |_| "1".into()));
    // Names that are written twice, one for each.
    grows_with_its_length("twice", |count| {
        let twice = entries(count, ",", valid);
        let again = entries(count, ",", valid);
        format!("{},{}", &twice[..twice.len() - 2], &again["{\"mcpServers\":{".len()..])
    });
}

#[test]
fn s_m16_time_grows_with_headers_variables_and_lists() {
    let one = |fields: String| {
        format!(r#"{{"mcpServers":{{"a":{{"type":"http","url":"https://h.example",{fields}}}}}}}"#)
    };
    grows_with_its_length("headers", |count| {
        let headers: Vec<String> = (0..count).map(|number| format!("\"bad name {number}\":\"v\"")).collect();
        one(format!("\"headers\":{{{}}}", headers.join(",")))
    });
    grows_with_its_length("variables", |count| {
        let variables: String = (0..count).map(|number| format!("${{V{number}}}")).collect();
        one(format!("\"headers\":{{\"X\":\"{variables}\"}}"))
    });
    grows_with_its_length("variables of a process", |count| {
        let variables: Vec<String> = (0..count).map(|number| format!("\"a={number}\":\"v\"")).collect();
        format!(r#"{{"mcpServers":{{"a":{{"command":"c","env":{{{}}}}}}}}}"#, variables.join(","))
    });
}

/// The most memory that this process has held, in KiB; `None` where the system does not tell.
fn peak() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[test]
fn s_m16_a_hostile_project_costs_little_memory() {
    let home = tempfile::tempdir().unwrap();
    let base = home.path();
    fs::create_dir_all(base.join("project")).unwrap();
    let values = |bytes: usize| format!("[{}1]", "1,".repeat(bytes / 2 - 2));
    let Some(before) = peak() else { return };
    let write = |file: &str, text: &str| {
        let path = base.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    // Never read, and far too large; read, and as large as may be; one more of those.
    for file in ["project/.claude/mcp.json", "project/.claude/.mcp.json", ".claude/mcp.json"] {
        write(file, &values(60 << 20));
    }
    let text = format!("{{\"mcpServers\": {{\"a\": {}}}}}", values((4 << 20) - 64));
    write("project/.mcp.json", &text);
    let config = load(base, "project/.claude/settings.json", &text);
    assert_eq!(config.entries.len(), 1);
    let expected = "the files of the project have more than 4 MiB";
    assert!(config.problems.iter().any(|problem| problem.message == expected), "{:?}", config.problems);
    // The texts that this test makes have 120 MiB at a time.
    let grown = peak().unwrap() - before;
    assert!(grown < (120 + 200) * 1024, "{grown} KiB");
}

#[test]
fn s_m16_a_project_brings_so_many_entries_and_no_more() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("project")).unwrap();
    let config = load(home.path(), "project/.mcp.json", &entries(5_002, ",\n", |_| "1".into()));
    assert_eq!(config.entries.len(), 5_000);
    let problem = config.problems.iter().find(|problem| problem.message.contains("more than 5000 entries"));
    assert_eq!(
        problem.map(|problem| problem.line),
        Some(Some(5_001)),
        "the line of the first that is left out"
    );
    // A person's own file may have as many as it wants.
    let config = load(home.path(), ".claude.json", &entries(5_002, ",\n", |_| "1".into()));
    assert_eq!(config.entries.len(), 5_002);
}

#[test]
fn s_m16_of_one_entry_so_much_is_told_and_the_errors_first() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("project")).unwrap();
    let unknown: String = (0..1_000).map(|number| format!("\"u{number}\": 1, ")).collect();
    let text = format!("{{\"mcpServers\": {{\"a\": {{{unknown} \"command\": 1}}}}}}");
    let config = load(home.path(), "project/.mcp.json", &text);
    let problems: Vec<_> = config.problems_of("a").collect();
    assert_eq!(problems.len(), 100);
    assert_eq!(problems[0].severity, mcp_config::Severity::Error, "{:?}", problems[0]);
    assert!(
        problems[99].message.ends_with("more problems of this entry are not told"),
        "{}",
        problems[99].message
    );
}
