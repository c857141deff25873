//! The line of a shell that starts such a program.

use super::base_name;

/// The command that a shell is given as one line (`sh -c LINE`), where it is one alone; what the shell replaces is written as
/// hosts do.
pub(in crate::hosts) fn of_a_shell(words: &[String]) -> Option<Vec<String>> {
    let [shell, option, line] = words else { return None };
    let is_shell = ["sh", "bash", "zsh", "dash"].contains(&&*base_name(shell));
    if !is_shell
        || !matches!(&**option, "-c" | "-lc" | "-ic")
        || line.contains([';', '&', '|', '\n', '<', '>'])
    {
        return None;
    }
    let command = crate::script::last_command(line)?;
    Some(command.iter().map(|word| braced(word)).collect())
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
            let words = ["/bin/sh", "-c", line].map(str::to_owned);
            let words = of_a_shell(&words)?;
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
