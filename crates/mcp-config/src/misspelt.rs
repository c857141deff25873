//! References that were meant and are none: `${keyring:token}` without its service, `${vault:x}`, or one in a default. As they stand,
//! they would go to the server in the place of a secret.
//!
//! A shell further down may mean `${x:1:2}`, and another host `${input:x}`. Which it is, is decided here alone, by the field that
//! the text stands in.

use crate::expand::Text;
use crate::expand::{HOST_WORDS, Piece, VariableSource};
use crate::reference::{self, KINDS, is_of_a_shell};
use crate::suggest;

/// Who may read a text after this program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Readers {
    /// A command, its arguments and its environment: a shell may replace its own variables in them.
    Shell,
    /// A server over the network.
    Server,
}

/// A reference that leads nowhere: what is wrong, and what to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ReferenceFault {
    pub(crate) message: String,
    pub(crate) hint: String,
    /// Nothing else can be meant. The rest may be a template of the server's own.
    pub(crate) certain: bool,
}

/// Where other programs keep secrets, as people write it: whatever reads the text, none is a variable of a shell.
const STORES: [&str; 12] = [
    "1password",
    "bitwarden",
    "bw",
    "doppler",
    "infisical",
    "keychain",
    "op",
    "pass",
    "secret",
    "secrets",
    "ssm",
    "vault",
];

/// A longer word is something else.
const MAX_WORD: usize = 40;

/// What is wrong with the references in `text`.
pub(crate) fn misspelt(text: &Text, readers: Readers) -> Vec<ReferenceFault> {
    text.pieces().iter().flat_map(|piece| of_piece(piece, readers)).collect()
}

fn of_piece(piece: &Piece, readers: Readers) -> Vec<ReferenceFault> {
    match piece {
        Piece::Literal(text) => inner(text).filter_map(|inner| of(inner, readers)).collect(),
        Piece::Secret(_) | Piece::Escaped(_) => Vec::new(),
        Piece::Variable(variable) => {
            let default = variable.default.as_deref().unwrap_or_default();
            match reference::in_text(default) {
                // Also where the variable is set: a file is right on all machines or on none.
                Some(_) => vec![ReferenceFault {
                    message: format!(
                        "the default of {} has a reference in it, and a default is taken as it is written",
                        variable.name
                    ),
                    hint: format!("write the reference instead, or ${{{}}} without a default", variable.name),
                    certain: true,
                }],
                None if variable.from != VariableSource::Default => Vec::new(),
                None => inner(default).filter_map(|inner| of(inner, readers)).collect(),
            }
        }
    }
}

/// What stands between `${` and its brace.
fn inner(text: &str) -> impl Iterator<Item = &str> {
    text.split("${").skip(1).map(|part| reference::closing_brace(part).map_or(part, |end| &part[..end]))
}

/// What is wrong with `${inner}`, which is not a reference.
fn of(inner: &str, readers: Readers) -> Option<ReferenceFault> {
    let (word, rest) = inner.split_once(':')?;
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if readers == Readers::Server && word != word.trim() && KINDS.contains(&word.trim()) {
        let word = word.trim();
        let message = format!("${{ {word}:…}} has a blank before its kind");
        return Some(ReferenceFault { message, hint: format!("write ${{{word}:…}}"), certain: true });
    }
    if word.is_empty() || word.len() > MAX_WORD || !word.chars().all(is_word) {
        return None;
    }
    // A name that the hosts which have it would replace is told as theirs, and so is what a shell cuts out of a variable.
    let of_a_host = HOST_WORDS.contains(&word) || word == "env" && crate::expand::is_foreign_name(rest);
    let is_kind = KINDS.contains(&word);
    if of_a_host || is_of_a_shell(rest) && !(is_kind && readers == Readers::Server) {
        return None;
    }
    if is_kind {
        return Some(match is_of_a_shell(rest) && !rest.trim().is_empty() {
            // No shell reads what goes to a server, and nothing else has a blank there.
            true if rest.starts_with(char::is_whitespace) => of_blank(word),
            true => {
                let message =
                    format!("${{{word}:…}} is how a shell cuts its variable {word}, and no shell reads this");
                ReferenceFault { message, hint: format!("write {FORMS}"), certain: true }
            }
            false => of_kind(word, rest),
        });
    }
    let lower = word.to_ascii_lowercase();
    let near = match &*lower {
        "environment" | "getenv" | "var" => Some("env"),
        "command" | "exec" | "shell" | "sh" | "run" => Some("cmd"),
        "keychain" | "secret" | "secrets" | "credential" | "credentials" => Some("keyring"),
        // One slip in three letters makes many words of three.
        _ => suggest::nearest(&lower, KINDS)
            .filter(|kind| lower.len() > 3 || kind.eq_ignore_ascii_case(&lower)),
    };
    let certain = near.is_some() || STORES.contains(&&*lower);
    if readers == Readers::Shell && !certain {
        return None;
    }
    let hint = match near {
        Some("keyring") => "did you mean ${keyring:SERVICE/NAME}?".to_owned(),
        Some("cmd") => "did you mean ${cmd:COMMAND}?".to_owned(),
        Some(kind) => format!("did you mean ${{{kind}:…}}?"),
        None => format!("write {FORMS}; ${{cmd:COMMAND}} reads what another program keeps"),
    };
    let stays = if certain { "" } else { "; it is used as it stands" };
    let message = format!("there is no reference of the kind `{word}`{stays}");
    Some(ReferenceFault { message, hint, certain })
}

const FORMS: &str = "${env:NAME}, ${file:PATH}, ${cmd:COMMAND} or ${keyring:SERVICE/NAME}";

/// A known kind with a blank before what it names.
fn of_blank(kind: &str) -> ReferenceFault {
    ReferenceFault {
        message: format!("the reference ${{{kind}:…}} has a blank behind its colon"),
        hint: "write what it names right behind the colon".to_owned(),
        certain: true,
    }
}

/// A known kind that leads nowhere. Security: what stands in its place is not repeated, unless it is a plain name.
fn of_kind(kind: &str, rest: &str) -> ReferenceFault {
    let plain =
        rest.len() <= MAX_WORD && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let name = if plain && !rest.is_empty() { rest } else { "NAME" };
    let (what, right) = match kind {
        "keyring" if rest.trim().is_empty() => {
            ("names no secret", "write ${keyring:SERVICE/NAME}".to_owned())
        }
        "keyring" => (
            "names a secret without its service",
            format!("write ${{keyring:SERVICE/{name}}}, such as ${{keyring:mcp/{name}}}"),
        ),
        "file" => ("names no file", "write ${file:PATH}".to_owned()),
        "cmd" => ("names no command", "write ${cmd:COMMAND}".to_owned()),
        _ => ("names no variable", "write ${env:NAME}".to_owned()),
    };
    ReferenceFault { message: format!("the reference ${{{kind}:…}} {what}"), hint: right, certain: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Env;

    fn found(written: &str, readers: Readers) -> Option<String> {
        let all = misspelt(&Text::expand(written, &Env::from([("A", "1")])), readers);
        assert!(all.len() < 2, "{written}: {all:?}");
        all.into_iter().next().map(|found| format!("{}; {}", found.message, found.hint))
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_found_by_who_reads_the_text() {
        use Readers::{Server, Shell};
        const BOTH: &[Readers] = &[Server, Shell];
        const IN_A_HEADER: &[Readers] = &[Server];
        for (written, readers, said) in [
            ("Bearer ${keyring:tok}", BOTH, "such as ${keyring:mcp/tok}"),
            ("${keyring:}", BOTH, "names no secret"),
            ("${keyring:/x}", BOTH, "without its service; write ${keyring:SERVICE/NAME}"),
            ("${keyring:a b}", BOTH, "${keyring:mcp/NAME}"),
            ("${file:}", BOTH, "names no file"),
            ("${cmd:}", BOTH, "names no command"),
            ("${env:}", BOTH, "names no variable"),
            ("${vault:x}", BOTH, "no reference of the kind `vault`; write ${env:NAME}"),
            ("${op://vault/item/field}", BOTH, "no reference of the kind `op`"),
            ("${KEYRING:mcp/t}", BOTH, "did you mean ${keyring:SERVICE/NAME}?"),
            ("${keyrng:mcp/t}", BOTH, "did you mean ${keyring:SERVICE/NAME}?"),
            ("${ENV:T}", BOTH, "did you mean ${env:…}?"),
            ("${secret:t}", BOTH, "did you mean ${keyring:SERVICE/NAME}?"),
            ("${exec:pass show t}", BOTH, "did you mean ${cmd:COMMAND}?"),
            ("${B:-${keyring:mcp/t}}", BOTH, "the default of B has a reference in it"),
            ("${A:-${keyring:mcp/t}}", BOTH, "the default of A has a reference in it"),
            ("${B:-${vault:t}}", BOTH, "`vault`"),
            // What nothing but a shell means is not meant in a header.
            (
                "${corp-store:t}",
                IN_A_HEADER,
                "no reference of the kind `corp-store`; it is used as it stands",
            ),
            ("${x:y}", IN_A_HEADER, "no reference of the kind `x`"),
            ("${file:1:2}", IN_A_HEADER, "no shell reads this"),
            ("${file: }", IN_A_HEADER, "names no file"),
            ("${keyring: mcp/t}", IN_A_HEADER, "has a blank behind its colon"),
            ("${env: TOKEN}", IN_A_HEADER, "has a blank behind its colon"),
            ("${cmd:\tmint}", IN_A_HEADER, "has a blank behind its colon"),
            ("${ cmd:echo x}", IN_A_HEADER, "has a blank before its kind; write ${cmd:…}"),
            ("${keyring:1:2}", IN_A_HEADER, "no shell reads this"),
            ("${vault:0:3} ${x:1}", &[], ""),
            // Of a shell, of another host, of none; and what leads somewhere.
            ("${x:=1}", &[], ""),
            ("${file%.*} ${x##*/} ${x/a/b} $x ${} ${:x} ${a b:c}", &[], ""),
            ("${input:key} ${command:a.b} ${config:a.b} ${user_config.K} ${env:TO.KEN}", &[], ""),
            ("${workspaceFolder:web} ${extensionInstallFolder:a.b}", &[], ""),
            ("${A:-${keyring:tok}} ${NOPE} ${B:-d}", &[], ""),
            ("${keyring:mcp/t} ${file:/t} ${cmd:echo ${X:-}} ${env:A}", &[], ""),
        ] {
            for reader in BOTH {
                let found = found(written, *reader);
                let expected = readers.contains(reader);
                assert_eq!(found.is_some(), expected, "{written} of {reader:?}: {found:?}");
                assert!(found.is_none_or(|found| found.contains(said)), "{written} of {reader:?}");
            }
        }
    }

    #[test]
    fn what_no_reader_gives_a_meaning_is_an_error_and_not_a_warning() {
        let certain = |written: &str| {
            let found = misspelt(&Text::expand(written, &Env::new()), Readers::Server);
            found.first().map(|found| found.certain)
        };
        for written in [
            "${keyring:tok}",
            "${vault:x}",
            "${keyring: mcp/t}",
            "${env: TOKEN}",
            "${cmd: mint}",
            "${file:1:2}",
        ] {
            assert_eq!(certain(written), Some(true), "{written}");
        }
        assert_eq!(certain("${corp-store:t}"), Some(false));
    }

    #[test]
    fn what_stands_in_the_place_of_a_name_is_not_repeated() {
        for written in ["${keyring:canary/", "${keyring:can ary}", "${canary=:x}"] {
            let found = found(written, Readers::Server).unwrap_or_default();
            assert!(!found.contains("canary") && !found.contains("can ary"), "{found}");
        }
    }
}
