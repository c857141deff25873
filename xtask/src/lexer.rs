//! Rust source as identifiers, literals and marks, without comments: enough to ask which names a file
//! uses without being fooled by prose.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token and the line it starts on, counted from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// What a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// An identifier, a keyword or a number.
    Word,
    /// A string or character literal, without its quotes.
    Literal,
    /// One mark (`:` and `:` for a path separator).
    Mark,
}

/// Splits `source` into tokens.
///
/// # Errors
///
/// It is not Rust: a quote or a bracket is not closed.
pub(crate) fn lex(source: &str) -> Result<Vec<Token>, String> {
    let stream: TokenStream = source.parse().map_err(|error| format!("{error}"))?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        let mut push = |line, kind, text: &str| tokens.push(Token { line, kind, text: text.to_owned() });
        match tree {
            // A comment for rustdoc arrives as the attribute that it stands for.
            TokenTree::Punct(mark) if mark.as_char() == '#' => {
                let is_inner =
                    |tree: &TokenTree| matches!(tree, TokenTree::Punct(mark) if mark.as_char() == '!');
                let inner = trees.next_if(is_inner);
                if trees.next_if(is_comment).is_none() {
                    push(line, Kind::Mark, "#");
                    if inner.is_some() {
                        push(line, Kind::Mark, "!");
                    }
                }
            }
            // Of a lifetime only the name is left.
            TokenTree::Punct(mark) if mark.as_char() == '\'' => {}
            TokenTree::Punct(mark) => push(line, Kind::Mark, &mark.to_string()),
            TokenTree::Ident(name) => push(line, Kind::Word, name.to_string().trim_start_matches("r#")),
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                match inside(&text) {
                    Some(inside) => push(line, Kind::Literal, inside),
                    None => push(line, Kind::Word, &text),
                }
            }
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                push(line, Kind::Mark, open);
                let end = group.span_close().start().line;
                flatten(group.stream(), tokens);
                tokens.push(Token { line: end, kind: Kind::Mark, text: close.to_owned() });
            }
        }
    }
}

/// Whether it is the bracket of `#[doc = "…"]`.
fn is_comment(tree: &TokenTree) -> bool {
    let TokenTree::Group(group) = tree else { return false };
    let inside: Vec<TokenTree> = group.stream().into_iter().take(3).collect();
    matches!(
        &inside[..],
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Literal(_)] if name == "doc"
    )
}

/// What stands between the quotes of a literal, as written; `None` for a number.
fn inside(literal: &str) -> Option<&str> {
    let start = literal.find(['"', '\''])?;
    let quoted = &literal[start + 1..];
    quoted.rfind(['"', '\'']).map(|end| &quoted[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        lex(source)
            .unwrap()
            .into_iter()
            .filter(|token| token.kind == Kind::Word)
            .map(|token| token.text)
            .collect()
    }

    fn literals(source: &str) -> Vec<String> {
        lex(source)
            .unwrap()
            .into_iter()
            .filter(|token| token.kind == Kind::Literal)
            .map(|token| token.text)
            .collect()
    }

    #[test]
    fn comments_are_not_code() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g //! h"), ["a", "c", "g"]);
        assert_eq!(
            words("//! a\n/// b\n#[doc = \"c\"] #[test] fn d() {} #![deny(x)]"),
            ["test", "fn", "d", "deny", "x"]
        );
    }

    #[test]
    fn strings_are_literals_and_not_names() {
        let source = r####"use x; "reqwest \" still"; b"bytes"; r#"raw " // no comment"#; br##"x"# y"##;"####;
        assert_eq!(words(source), ["use", "x"]);
        assert_eq!(literals(source), ["reqwest \\\" still", "bytes", "raw \" // no comment", "x\"# y"]);
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(words("fn f<'a>(x: &'a str) { 'b'; '\\''; '\"'; }"), ["fn", "f", "a", "x", "a", "str"]);
        assert_eq!(literals("'b' '\\'' '\"'"), ["b", "\\'", "\""]);
        assert_eq!(words("r#type + r + b"), ["type", "r", "b"]);
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let tokens = lex("/*\n\n*/ a \"x\ny\"\nb").unwrap();
        assert_eq!(tokens.iter().map(|token| token.line).collect::<Vec<_>>(), [3, 3, 5]);
    }
}
