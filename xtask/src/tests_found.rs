//! The tests: functions in the sources, by what their attributes say, and folders of cases.

use std::fs;

use crate::Problems;
use crate::lexer::{Kind, Token};
use crate::shell::root;
use crate::sources::Source;

/// One test function.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Test {
    /// The crate it belongs to.
    pub(crate) crate_name: String,
    /// The name of the function.
    pub(crate) name: String,
    /// The file and line of it.
    pub(crate) place: String,
    /// It carries `#[ignore]`.
    pub(crate) ignored: bool,
}

impl Test {
    /// The field failures that its name claims to cover: `f004_…`, `f051_f052_…`, `f051_and_f052_…`.
    pub(crate) fn field_failures(&self) -> Vec<usize> {
        let parts = self.name.split('_').filter(|part| *part != "and").map_while(|part| {
            let digits = part.strip_prefix('f')?;
            let is_number = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok())?
        });
        parts.collect()
    }

    /// The ids that follow `family` at the start of its name: `s_m04_n16a_…` of the family `s` covers `M4` and `N16a`,
    /// and `fa_a105_fb_t50_…` covers a row of each of two families.
    pub(crate) fn family(&self, family: &str) -> Vec<String> {
        let mut ids = Vec::new();
        let mut current = None;
        // A test of the first collection may cover a row of a later one: `f071_fb_a15_…`.
        for part in self.name.split('_').skip(self.field_failures().len()) {
            if FAMILIES.contains(&part) {
                current = Some(part);
            } else if let (Some(of), Some(id)) = (current, id(part)) {
                ids.extend((of == family).then_some(id));
            } else {
                break;
            }
        }
        ids
    }

    /// How the tables name it.
    pub(crate) fn shown(&self) -> String {
        format!("{}::{}", self.crate_name, self.name)
    }
}

/// What ids may belong to: threats, and the collections of field reports.
const FAMILIES: [&str; 5] = ["s", "fa", "fb", "fc", "fh"];

/// `m04` as a table writes it, `M4`: one letter, a number, and perhaps one more letter.
fn id(part: &str) -> Option<String> {
    let mut characters = part.chars();
    let letter = characters.next().filter(char::is_ascii_lowercase)?.to_ascii_uppercase();
    let rest = characters.as_str();
    let digits = rest.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let suffix = &rest[digits.len()..];
    let number: u32 = digits.parse().ok()?;
    (suffix.len() <= 1).then(|| format!("{letter}{number}{suffix}"))
}

/// The tests of these files.
pub(crate) fn find(sources: &[Source]) -> Vec<Test> {
    sources.iter().flat_map(in_source).collect()
}

/// The folders in `crates/CRATE/tests/cases/`. A crate that has such a folder makes a test of the same
/// name of each, and tests that it left none out.
pub(crate) fn find_cases() -> Result<Vec<Test>, Problems> {
    let unreadable = |error: std::io::Error| vec![format!("the test cases cannot be read: {error}")];
    let mut tests = Vec::new();
    for crate_folder in fs::read_dir(root().join("crates")).map_err(unreadable)? {
        let crate_folder = crate_folder.map_err(unreadable)?;
        let Ok(cases) = fs::read_dir(crate_folder.path().join("tests/cases")) else { continue };
        for case in cases {
            let case = case.map_err(unreadable)?;
            tests.push(Test {
                crate_name: crate_folder.file_name().to_string_lossy().into_owned(),
                name: case.file_name().to_string_lossy().into_owned(),
                place: case.path().display().to_string(),
                ignored: false,
            });
        }
    }
    Ok(tests)
}

fn in_source(source: &Source) -> Vec<Test> {
    let mut tests = Vec::new();
    let (mut is_test, mut ignored) = (false, false);
    let tokens = &source.tokens;
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at].text == "#" && tokens.get(at + 1).is_some_and(|next| next.text == "[") {
            let end = attribute_end(tokens, at + 1);
            let path = attribute_path(&tokens[at + 2..end]);
            is_test |= path.last().is_some_and(|name| *name == "test");
            ignored |= path == ["ignore"];
            at = end + 1;
            continue;
        }
        match tokens[at].text.as_str() {
            "fn" if tokens[at].kind == Kind::Word => {
                if let Some(name) = tokens.get(at + 1).filter(|_| is_test) {
                    tests.push(Test {
                        crate_name: source.crate_name().to_owned(),
                        name: name.text.clone(),
                        place: format!("{}:{}", source.path, name.line),
                        ignored,
                    });
                }
                (is_test, ignored) = (false, false);
            }
            // Attributes of anything else than a function end here.
            "{" | ";" | "}" => (is_test, ignored) = (false, false),
            _ => {}
        }
        at += 1;
    }
    tests
}

/// The index of the bracket that closes the one at `open`.
fn attribute_end(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open).filter(|(_, token)| token.kind == Kind::Mark) {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return index;
        }
    }
    tokens.len() - 1
}

/// The path of an attribute (`tokio`, `test`), without its arguments.
fn attribute_path(tokens: &[Token]) -> Vec<&str> {
    tokens
        .iter()
        .take_while(|token| token.kind == Kind::Word || token.text == ":")
        .filter(|token| token.kind == Kind::Word)
        .map(|token| token.text.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<(String, bool)> {
        let source = Source::new("crates/mcp-x/src/lib.rs", text).unwrap();
        in_source(&source).into_iter().map(|test| (test.name, test.ignored)).collect()
    }

    #[test]
    fn tests_are_told_from_other_functions() {
        let text = r#"
            #[cfg(test)] mod tests {
                #[test] fn one() {}
                fn helper() {}
                // #[test] fn commented() {}
                #[tokio::test(start_paused = true)] #[expect(lint, reason = "] x")] async fn two() {}
                #[test] #[ignore = "slow"] fn three() {}
                #[cfg(test)] struct S; fn not_a_test() {}
            }
        "#;
        let expected = [("one", false), ("two", false), ("three", true)].map(|(n, i)| (n.to_owned(), i));
        assert_eq!(names(text), expected);
    }

    #[test]
    fn the_numbers_stand_in_front_of_the_name() {
        let test = |name: &str| Test {
            crate_name: "mcp-x".into(),
            name: name.into(),
            place: String::new(),
            ignored: false,
        };
        assert_eq!(test("f004_exit_code").field_failures(), [4]);
        assert_eq!(test("f051_f052_off").field_failures(), [51, 52]);
        assert_eq!(test("f051_and_f052_off").field_failures(), [51, 52]);
        assert!(test("four_f004").field_failures().is_empty());
        assert!(test("f04_short").field_failures().is_empty());
        assert_eq!(test("s_m04_n16a_a_flood").family("s"), ["M4", "N16a"]);
        assert_eq!(test("s_k10_2_ways").family("s"), ["K10"]);
        assert!(test("s_slow_peers").family("s").is_empty());
        assert!(test("status_m04").family("s").is_empty());
        let old = test("f071_fb_a15_busy");
        assert_eq!((old.field_failures(), old.family("fb")), (vec![71], vec!["A15".into()]));
        let both = test("fa_a105_fb_t50_t5a_words_b1");
        assert_eq!(
            (both.family("fa"), both.family("fb")),
            (vec!["A105".into()], vec!["T50".into(), "T5a".into()])
        );
    }
}
