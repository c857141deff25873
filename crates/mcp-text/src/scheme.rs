//! The authorization schemes that may stand before a credential (RFC 9110 section 11.1): no secret by themselves.

/// Their names, in lower case; each may be written in any case.
pub const SCHEMES: [&str; 8] = ["apikey", "basic", "bearer", "digest", "dpop", "key", "negotiate", "token"];

/// Those of them behind which a credential stands wherever they are written. The others are words of every sentence.
const TELLING: [&str; 4] = ["basic", "bearer", "dpop", "negotiate"];

/// Whether this is the name of an authorization scheme that stands before a token, in a place where one can be expected.
///
/// # Examples
///
/// ```
/// assert!(mcp_text::is_scheme("Bearer") && mcp_text::is_scheme("negotiate"));
/// assert!(!mcp_text::is_scheme("hunter2"));
/// ```
#[must_use]
pub fn is_scheme(word: &str) -> bool {
    SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The scheme that a value begins with, and what follows the blanks behind it.
///
/// # Examples
///
/// ```
/// assert_eq!(mcp_text::scheme_of("Bearer  abc"), Some(("Bearer", "abc")));
/// assert_eq!(mcp_text::scheme_of("Bearer"), None);
/// assert_eq!(mcp_text::scheme_of("correct horse"), None);
/// ```
#[must_use]
pub fn scheme_of(value: &str) -> Option<(&str, &str)> {
    let (word, rest) = value.split_once(' ')?;
    is_scheme(word).then(|| (word, rest.trim_start_matches(' ')))
}

/// Whether the word stands before a credential wherever it is written. `token expired` and `no key given` are sentences.
pub(crate) fn is_telling_scheme(word: &str) -> bool {
    TELLING.iter().any(|known| known.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secrets;

    #[test]
    fn what_tells_is_a_scheme() {
        assert!(TELLING.iter().all(|name| is_scheme(name)));
    }

    #[test]
    fn a_scheme_is_known_in_any_case_and_only_as_a_whole_word() {
        for name in SCHEMES {
            for written in [name.to_owned(), name.to_ascii_uppercase()] {
                let value = format!("{written}  canary");
                assert_eq!(scheme_of(&value), Some((&*written, "canary")));
            }
            assert_eq!(scheme_of(name), None);
            assert_eq!(scheme_of(&format!("{name}canary x")), None);
        }
    }

    /// Each place that hides credentials knows all of them: what follows is hidden, and the scheme is not.
    #[test]
    fn what_follows_any_scheme_is_hidden_in_a_header_and_in_what_repeats_it() {
        for name in SCHEMES {
            let header = format!("X-Api-Key: {name} canary");
            assert!(!Secrets::default().hide(&header).contains("canary"), "{header}");
            let refused = format!("refused {name} canary today");
            assert_eq!(
                !Secrets::default().hide(&refused).contains("canary"),
                is_telling_scheme(name),
                "{refused}"
            );
            let mut secrets = Secrets::default();
            secrets.insert(&format!("{name} canary-one-two"));
            assert!(!secrets.hide("no canary-one-two here").contains("canary"), "{name}");
            let challenge = format!("{name} error=\"invalid_token\"");
            assert_eq!(secrets.hide(&challenge), challenge);
            // What was never filled in is what a person needs to know.
            let mut secrets = Secrets::default();
            secrets.insert(&format!("{name} ${{TOKEN}}"));
            assert!(secrets.is_empty(), "{name}");
        }
    }

    #[test]
    fn a_word_that_may_be_the_credential_itself_is_hidden_with_what_follows() {
        for (text, shown) in [
            ("X-Api-Key: Key canary", "X-Api-Key: [redacted] [redacted]"),
            ("X-Api-Key: key not found", "X-Api-Key: [redacted] not found"),
            ("X-Api-Key: Bearer canary", "X-Api-Key: Bearer [redacted]"),
            ("MY_KEY=digest NEXT=1", "MY_KEY=[redacted] NEXT=1"),
        ] {
            assert_eq!(Secrets::default().hide(text), shown);
        }
    }
}
