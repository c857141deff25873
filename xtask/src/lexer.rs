//! Rust source as identifiers, literals and marks, without comments: enough to ask which names a file
//! uses without being fooled by prose.

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
    /// The contents of a string or character literal.
    Literal,
    /// One mark (`:` and `:` for a path separator).
    Mark,
}

/// Splits `source` into tokens.
pub(crate) fn lex(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1, tokens: Vec::new() };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn push(&mut self, line: usize, kind: Kind, text: String) {
        self.tokens.push(Token { line, kind, text });
    }

    fn step(&mut self) {
        let line = self.line;
        match (self.peek(0).unwrap_or_default(), self.peek(1)) {
            ('/', Some('/')) => {
                while !matches!(self.peek(0), None | Some('\n')) {
                    self.bump();
                }
            }
            ('/', Some('*')) => self.block_comment(),
            ('"', _) => self.string(line),
            ('\'', next) => self.quote(line, next),
            (c, _) if is_word(c) => self.word(line),
            (c, _) => {
                self.bump();
                if !c.is_whitespace() {
                    self.push(line, Kind::Mark, c.to_string());
                }
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.bump(), self.peek(0)) {
                (Some('/'), Some('*')) => {
                    self.bump();
                    depth += 1;
                }
                (Some('*'), Some('/')) => {
                    self.bump();
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                (None, _) => return,
                _ => {}
            }
        }
    }

    fn string(&mut self, line: usize) {
        self.bump();
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '"' => break,
                '\\' => text.extend(self.bump()),
                c => text.push(c),
            }
        }
        self.push(line, Kind::Literal, text);
    }

    /// A character literal, or a lifetime.
    fn quote(&mut self, line: usize, next: Option<char>) {
        self.bump();
        if next != Some('\\') && self.peek(1) != Some('\'') {
            return; // A lifetime: its name follows as a word.
        }
        let mut text = String::new();
        while let Some(c) = self.bump() {
            match c {
                '\'' => break,
                '\\' => text.extend(self.bump()),
                c => text.push(c),
            }
        }
        self.push(line, Kind::Literal, text);
    }

    fn word(&mut self, line: usize) {
        let mut text = String::new();
        while let Some(c) = self.peek(0).filter(|c| is_word(*c)) {
            text.push(c);
            self.bump();
        }
        let raw = matches!(text.as_str(), "r" | "br" | "cr");
        match self.peek(0) {
            Some('"') if raw => self.raw_string(line, 0),
            Some('"') if matches!(text.as_str(), "b" | "c") => self.string(line),
            Some('#') if raw => {
                let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
                if self.peek(hashes) == Some('"') {
                    self.raw_string(line, hashes);
                } else {
                    self.bump(); // A raw identifier: the word after the hash is its name.
                }
            }
            _ => self.push(line, Kind::Word, text),
        }
    }

    fn raw_string(&mut self, line: usize, hashes: usize) {
        for _ in 0..=hashes {
            self.bump();
        }
        let mut text = String::new();
        while let Some(c) = self.bump() {
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..hashes {
                    self.bump();
                }
                break;
            }
            text.push(c);
        }
        self.push(line, Kind::Literal, text);
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        lex(source).into_iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
    }

    fn literals(source: &str) -> Vec<String> {
        lex(source).into_iter().filter(|token| token.kind == Kind::Literal).map(|token| token.text).collect()
    }

    #[test]
    fn comments_are_not_code() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g //! h"), ["a", "c", "g"]);
    }

    #[test]
    fn strings_are_literals_and_not_names() {
        let source = r####"use x; "reqwest \" still"; b"bytes"; r#"raw " // no comment"#; br##"x"# y"##;"####;
        assert_eq!(words(source), ["use", "x"]);
        assert_eq!(literals(source), ["reqwest \" still", "bytes", "raw \" // no comment", "x\"# y"]);
    }

    #[test]
    fn a_lifetime_is_no_character() {
        assert_eq!(words("fn f<'a>(x: &'a str) { 'b'; '\\''; '\"'; }"), ["fn", "f", "a", "x", "a", "str"]);
        assert_eq!(literals("'b' '\\'' '\"'"), ["b", "'", "\""]);
        assert_eq!(words("r#type + r + b"), ["type", "r", "b"]);
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let tokens = lex("/*\n\n*/ a \"x\ny\"\nb");
        assert_eq!(tokens.iter().map(|token| token.line).collect::<Vec<_>>(), [3, 3, 5]);
    }
}
