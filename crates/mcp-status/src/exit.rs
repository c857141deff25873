//! How a process ended, in words: codes and signals are numbers that few people know by heart.

use crate::Phase;

/// The signals that have the same number on every system (POSIX, `kill`), their names, and what they usually mean.
const SIGNALS: [(i32, &str, &str); 11] = [
    (1, "SIGHUP", "its terminal was closed"),
    (2, "SIGINT", "it was interrupted"),
    (3, "SIGQUIT", "it was asked to quit"),
    (4, "SIGILL", "it needs another processor"),
    (6, "SIGABRT", "it gave up by itself"),
    (8, "SIGFPE", "an arithmetic error"),
    (9, "SIGKILL", "another process killed it, or the system did because memory ran out"),
    (11, "SIGSEGV", "it crashed"),
    (13, "SIGPIPE", "it wrote to what was closed"),
    (14, "SIGALRM", "a timer of its own ended it"),
    (15, "SIGTERM", "something asked it to end"),
];

/// Exit codes that mean the same for every program: those of a shell that cannot run what it was told to (POSIX, shell,
/// 2.8.2), and those that Windows ends programs with (`NTSTATUS`).
const CODES: [(i32, &str); 7] = [
    (126, "what a shell was to run may not be executed"),
    (127, "what a shell was to run was not found"),
    (-1_073_741_819, "it crashed: access violation"),
    (-1_073_741_571, "it crashed: stack overflow"),
    (-1_073_741_515, "a library that it needs is missing"),
    (-1_073_741_510, "it was interrupted"),
    (-1_073_740_791, "it crashed: stack buffer overrun"),
];

/// A shell tells a signal as 128 and its number (POSIX, shell, 2.8.2).
const SHELL_SIGNAL: i32 = 128;

/// A fragment that says how a command ended, and when.
pub(crate) fn phrase(code: Option<i32>, signal: Option<i32>, phase: Phase) -> String {
    let when = match phase {
        Phase::Connect => " while it started",
        Phase::Session => "",
    };
    match (code, signal) {
        (Some(code), _) => format!("the command exited with code {code}{when}{}", meaning(code)),
        (None, Some(number)) => match named(number) {
            Some((name, means)) => format!("the command was ended by {name}{when} ({means})"),
            None => format!("the command was ended by signal {number}{when}"),
        },
        (None, None) => format!("the command ended{when}"),
    }
}

fn named(signal: i32) -> Option<(&'static str, &'static str)> {
    SIGNALS.iter().find(|(number, ..)| *number == signal).map(|(_, name, means)| (*name, *means))
}

fn meaning(code: i32) -> String {
    if let Some((_, means)) = CODES.iter().find(|(known, _)| *known == code) {
        return format!(" ({means})");
    }
    match code.checked_sub(SHELL_SIGNAL).and_then(named) {
        Some((name, means)) => format!(" ({name}: {means})"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fc_c3_c4_an_end_is_named_with_when_it_came() {
        use Phase::{Connect, Session};
        let table = [
            (Some(1), None, Connect, "the command exited with code 1 while it started"),
            (Some(0), None, Session, "the command exited with code 0"),
            (
                Some(127),
                None,
                Session,
                "the command exited with code 127 (what a shell was to run was not found)",
            ),
            (
                Some(139),
                None,
                Connect,
                "the command exited with code 139 while it started (SIGSEGV: it crashed)",
            ),
            (
                Some(-1_073_741_515),
                None,
                Session,
                "the command exited with code -1073741515 (a library that it needs is missing)",
            ),
            (
                None,
                Some(9),
                Session,
                "the command was ended by SIGKILL (another process killed it, or the system did because memory ran out)",
            ),
            (None, Some(11), Connect, "the command was ended by SIGSEGV while it started (it crashed)"),
            // Its number differs from system to system.
            (None, Some(31), Session, "the command was ended by signal 31"),
            (None, None, Connect, "the command ended while it started"),
            (Some(i32::MIN), None, Session, "the command exited with code -2147483648"),
        ];
        for (code, signal, phase, expected) in table {
            assert_eq!(phrase(code, signal, phase), expected);
        }
    }
}
