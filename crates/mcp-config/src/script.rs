//! The command that a one-line shell script ends in, as far as it can be told without running anything.

/// The words of the last command of `script`; `None` where more than words decides what it is: a pipe, a
/// substitution, something in the background, a quote without an end.
pub(crate) fn last_command(script: &str) -> Option<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut letters = script.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let text = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        quoted => text.push(quoted),
                    }
                }
            }
            '"' => {
                let text = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '`' => return None,
                        '$' if letters.peek() == Some(&'(') => return None,
                        '\\' if letters.peek().is_some_and(|next| "\"\\$`".contains(*next)) => {
                            text.extend(letters.next());
                        }
                        quoted => text.push(quoted),
                    }
                }
            }
            '\\' => match letters.next()? {
                '\n' => {}
                escaped => word.get_or_insert_default().push(escaped),
            },
            '`' | '(' | ')' => return None,
            '$' if letters.peek() == Some(&'(') => return None,
            '|' | '&' => {
                // `a && b` and `a || b` go on to `b`; a pipe and a background job are something else.
                letters.next_if_eq(&letter)?;
                finish(&mut commands, &mut word);
                commands.push(Vec::new());
            }
            ';' | '\n' => {
                finish(&mut commands, &mut word);
                commands.push(Vec::new());
            }
            '<' | '>' => {
                // A number in front says which stream, and is not a word of the command.
                if !word.as_ref().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit())) {
                    finish(&mut commands, &mut word);
                }
                word = None;
                skip_target(&mut letters)?;
            }
            '#' if word.is_none() => while letters.next_if(|next| *next != '\n').is_some() {},
            space if space.is_whitespace() => finish(&mut commands, &mut word),
            other => word.get_or_insert_default().push(other),
        }
    }
    finish(&mut commands, &mut word);
    commands.into_iter().rev().find(|command| !command.is_empty())
}

fn finish(commands: &mut [Vec<String>], word: &mut Option<String>) {
    if let (Some(command), Some(word)) = (commands.last_mut(), word.take()) {
        command.push(word);
    }
}

/// Reads over what follows `<` or `>`: another one, `&`, spaces, a plain word.
fn skip_target(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<()> {
    while letters.next_if(|c| "<>&|".contains(*c) || *c == ' ').is_some() {}
    if letters.peek() == Some(&'(') {
        return None;
    }
    while letters.next_if(|c| !c.is_whitespace() && !";&|".contains(*c)).is_some() {}
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_command_is_what_speaks() {
        for (script, words) in [
            ("mcplink bridge a", Some(&["mcplink", "bridge", "a"][..])),
            ("  exec   mcplink\tbridge 'a b' ", Some(&["exec", "mcplink", "bridge", "a b"])),
            (". ~/.profile; cd /x && mcplink bridge \"a\\\"b\"", Some(&["mcplink", "bridge", "a\"b"])),
            ("false || mcplink bridge a 2>>/tmp/log", Some(&["mcplink", "bridge", "a"])),
            ("mcplink bridge a 2>&1 >out # note", Some(&["mcplink", "bridge", "a"])),
            ("mcplink bridge a\n", Some(&["mcplink", "bridge", "a"])),
            ("mcplink \\\n bridge a\\ b", Some(&["mcplink", "bridge", "a b"])),
            ("\"$0\" \"$@\"", Some(&["$0", "$@"])),
            ("mcplink bridge a | tee log", None),
            ("mcplink bridge a & wait", None),
            ("mcplink bridge $(name)", None),
            ("mcplink bridge \"`name`\"", None),
            ("(mcplink bridge a)", None),
            ("mcplink bridge 'a", None),
            ("", None),
            (" ;; ", None),
        ] {
            let expected = words.map(|words| words.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(last_command(script), expected, "{script}");
        }
    }
}
