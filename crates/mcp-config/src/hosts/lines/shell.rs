//! The line in one word that starts such a program: of a shell, of `cmd`, of `npx -c`.

use crate::launchers::{self, InnerCommandLine, StartedCommand};

/// The words of a command line of which one word is a line, with what stands before what reads it, and which word it is; what a shell
/// replaces is written as hosts do. `None` where the line has more than one command, which no entry has.
pub(in crate::hosts) fn unfolded(words: &[String]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    loop {
        match launchers::started(words.get(at..)?)? {
            InnerCommandLine { adds: true, .. } => return None,
            InnerCommandLine { command: StartedCommand::At(inner), .. } => at += inner,
            InnerCommandLine {
                command: StartedCommand::Line { word, words: line, is_alone: true }, ..
            } => {
                let before = words[..at].iter().cloned();
                return Some((before.chain(line.iter().map(|word| braced(word))).collect(), at + word));
            }
            InnerCommandLine { .. } => return None,
        }
    }
}

/// `$NAME` as `${NAME}`.
fn braced(word: &str) -> String {
    let mut out = String::new();
    let mut parts = word.split('$');
    out.extend(parts.next());
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        match end {
            0 => out.push_str(&format!("${part}")),
            _ => out.push_str(&format!("${{{}}}{}", &part[..end], &part[end..])),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn a_line_of_a_shell_is_the_one_command_in_it() {
        let of = |line: &str| {
            let words = ["env", "A=b", "/bin/sh", "-c", line].map(str::to_owned);
            let (words, word) = unfolded(&words)?;
            assert_eq!((&*words[0], &*words[1], word), ("env", "A=b", 4));
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let line = read(&words, &|_| None)?;
            Some((words[line.address].to_owned(), line.headers.first().map(|(_, value, _)| value.clone())))
        };
        let url = || "https://h/mcp".to_owned();
        assert_eq!(of("npx -y mcp-remote https://h/mcp"), Some((url(), None)));
        assert_eq!(
            of("exec npx mcp-remote 'https://h/mcp' --header \"Authorization: Bearer $TOKEN\""),
            Some((url(), Some("Bearer ${TOKEN}".to_owned())))
        );
        for other in [
            "cd /x && npx mcp-remote https://h/mcp",
            "npx mcp-remote https://h/mcp | tee /x",
            "echo; npx mcp-remote https://h/mcp",
            "npx mcp-remote $(cat url)",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
