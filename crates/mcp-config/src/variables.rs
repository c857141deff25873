//! Limits and paths of certificates in variables of the environment: checked as a field of a file is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Env, Problem, ProblemCode, Severity};

/// What a limit below this is: a mistake of the unit. No server answers so fast, or no call is so short.
const LEAST: u64 = 1000;

/// Where certificates are: variables that are read by the platform's library, by helpers and by local servers. Those that
/// name a file to be trusted here are judged where they are read, content and all (`mcp_transport::TrustFile::check`).
const CERTIFICATES: [&str; 3] = ["SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// What stands between the paths of a list.
const BETWEEN_PATHS: char = if cfg!(windows) { ';' } else { ':' };

/// Tells of certificates that are not where they are said to be, before a server is not trusted for it.
pub(crate) fn check_certificates(env: &Env, cwd: &Path, problems: &mut Vec<Problem>) {
    for name in CERTIFICATES {
        let Some(value) = env.var(name).filter(|value| !value.is_empty()) else { continue };
        let paths: Vec<PathBuf> = match name {
            // A list, of which the library takes what is there.
            "SSL_CERT_DIR" => value.split(BETWEEN_PATHS).map(PathBuf::from).collect(),
            _ => vec![value.into()],
        };
        let is_there = |path: &PathBuf| {
            let path = cwd.join(path);
            if name == "SSL_CERT_DIR" { path.is_dir() } else { path.exists() && !path.is_dir() }
        };
        if paths.iter().any(is_there) {
            continue;
        }
        let is_other = paths.iter().any(|path| cwd.join(path).exists());
        let (kind, other) = if name == "SSL_CERT_DIR" { ("folder", "a file") } else { ("file", "a folder") };
        let what = if is_other { format!("{other}, not a {kind}") } else { "not there".to_owned() };
        let message = format!("names {}, which is {what}", mcp_text::line(value, 200));
        let hint = format!("name the {kind} of the certificates that are to be trusted, or unset {name}");
        let mut problem = Problem::new(Severity::Warning, ProblemCode::IgnoredValue, message).with_hint(hint);
        problem.field = Some(name.to_owned());
        problems.push(problem);
    }
}

/// Tells of limits that are no numbers, or that are most likely meant as seconds.
pub(crate) fn check(env: &Env, problems: &mut Vec<Problem>) {
    for (name, short_counts) in [("MCP_TIMEOUT", true), ("MCP_TOOL_TIMEOUT", false)] {
        let Some(value) = env.var(name).map(str::trim).filter(|value| !value.is_empty()) else { continue };
        let shown = mcp_text::line(value, 40);
        let (message, hint) = match value.parse::<u64>() {
            Ok(number) if number >= LEAST => continue,
            Ok(0) | Err(_) => {
                let meant = in_words(value).map(|limit| limit.as_millis().to_string());
                let hint = meant.map_or_else(
                    || "write a number of milliseconds: 30000 is 30 s".to_owned(),
                    |milliseconds| format!("write {milliseconds}"),
                );
                (format!("{shown:?} is not a number of milliseconds; it is ignored"), hint)
            }
            Ok(number) => {
                let ignored = if short_counts { "" } else { ", and ignored" };
                let hint =
                    format!("the unit is milliseconds: {number} s are {}", number.saturating_mul(1000));
                (format!("{number} is less than a second{ignored}"), hint)
            }
        };
        let mut problem = Problem::new(Severity::Warning, ProblemCode::IgnoredValue, message).with_hint(hint);
        problem.field = Some(name.to_owned());
        problems.push(problem);
    }
}

/// A limit as people write it elsewhere: `60s`, `2m`, `1.5 min`.
fn in_words(value: &str) -> Option<Duration> {
    let digits = value.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(value.len());
    let (number, unit) = value.split_at(digits);
    let seconds = match unit.trim() {
        "ms" => 0.001,
        "s" | "sec" | "seconds" => 1.0,
        "m" | "min" | "minutes" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok().filter(|limit| !limit.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems_with(name: &str, value: &str) -> Vec<String> {
        let mut problems = Vec::new();
        check(&Env::from([(name, value)]), &mut problems);
        problems.iter().map(|p| format!("{}: {}", p.message, p.hint.as_deref().unwrap_or_default())).collect()
    }

    #[test]
    fn fa_a91_certificates_that_are_not_there_are_told_by_their_variable() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), "").unwrap();
        let certificate_problems = |name: &str, value: &str| {
            let mut problems = Vec::new();
            check_certificates(&Env::from([(name, value)]), folder.path(), &mut problems);
            problems
                .iter()
                .map(|p| format!("{}: {}", p.field.as_deref().unwrap(), p.message))
                .collect::<Vec<_>>()
        };
        for name in CERTIFICATES {
            let there = if name == "SSL_CERT_DIR" { "." } else { "ca.pem" };
            let other = if name == "SSL_CERT_DIR" { "ca.pem" } else { "." };
            assert_eq!(certificate_problems(name, ""), [""; 0]);
            assert_eq!(certificate_problems(name, there), [""; 0], "{name}");
            assert_eq!(
                certificate_problems(name, "gone"),
                [format!("{name}: names gone, which is not there")]
            );
            assert_eq!(certificate_problems(name, other).len(), 1, "{name}");
            assert_eq!(certificate_problems(name, "/gone/\u{1b}[31mca")[0].matches('\u{1b}').count(), 0);
        }
        assert_eq!(certificate_problems("SSL_CERT_DIR", &format!("gone{BETWEEN_PATHS}.")), [""; 0]);
    }

    #[test]
    fn fa_a112_a_limit_in_another_unit_is_told_with_what_to_write() {
        for value in ["", " ", "1000", " 30000 "] {
            assert_eq!(problems_with("MCP_TIMEOUT", value), [""; 0], "{value:?}");
        }
        for (value, said) in [
            ("30", "30 is less than a second: the unit is milliseconds: 30 s are 30000"),
            ("60s", "\"60s\" is not a number of milliseconds; it is ignored: write 60000"),
            ("1.5 min", "\"1.5 min\" is not a number of milliseconds; it is ignored: write 90000"),
            ("2h", "\"2h\" is not a number of milliseconds; it is ignored: write 7200000"),
            (
                "0",
                "\"0\" is not a number of milliseconds; it is ignored: write a number of milliseconds: 30000 is 30 s",
            ),
            (
                "soon",
                "\"soon\" is not a number of milliseconds; it is ignored: write a number of milliseconds: 30000 is 30 s",
            ),
            (
                "-5",
                "\"-5\" is not a number of milliseconds; it is ignored: write a number of milliseconds: 30000 is 30 s",
            ),
            (
                "1e9999h",
                "\"1e9999h\" is not a number of milliseconds; it is ignored: write a number of milliseconds: 30000 is 30 s",
            ),
        ] {
            assert_eq!(problems_with("MCP_TIMEOUT", value), [said], "{value:?}");
        }
        assert_eq!(
            problems_with("MCP_TOOL_TIMEOUT", "90"),
            ["90 is less than a second, and ignored: the unit is milliseconds: 90 s are 90000"]
        );
    }
}
