use mcp_harness::Random;

use super::*;

fn entry(command: &str) -> Value {
    Value::Object(vec![
        ("command".to_owned(), Value::from(command)),
        ("args".to_owned(), Value::Array(vec![Value::from("-x"), Value::from("ä\"\n")])),
    ])
}

fn set(text: &str, path: &[&str], value: Value) -> String {
    apply(text, path, &Change::Set(value)).unwrap()
}

fn remove(text: &str, path: &[&str]) -> String {
    apply(text, path, &Change::Remove).unwrap()
}

#[test]
fn a_file_that_holds_nothing_becomes_one_with_the_entry() {
    let expected = "{\n  \"mcpServers\": {\n    \"n\": {\n      \"command\": \"c\",\n      \"args\": [\"-x\", \"ä\\\"\\n\"]\n    }\n  }\n}\n";
    for (text, before, line_end) in [
        ("", "", "\n"),
        ("\n \n", "", "\n"),
        ("{}\n", "", "\n"),
        ("{\n}\n", "", "\n"),
        ("\u{feff}", "\u{feff}", "\n"),
        ("\u{feff}{}\r\n", "\u{feff}", "\r\n"),
        ("// mine\r\n/* and\r\nyours */", "// mine\r\n/* and\r\nyours */\r\n", "\r\n"),
    ] {
        let edited = set(text, &["mcpServers", "n"], entry("c"));
        assert_eq!(edited, format!("{before}{}", expected.replace('\n', line_end)), "{text:?}");
    }
    assert_eq!(set("{}", &["a"], Value::Null), "{\n  \"a\": null\n}");
    assert_eq!(
        set("{\"mcpServers\": null}", &["mcpServers", "n"], Value::Bool(true)),
        "{\"mcpServers\": {\"n\": true}}"
    );
}

#[test]
fn a_new_entry_looks_like_its_neighbours() {
    for (text, expected) in [
        // Two steps of a tab, CRLF, a trailing comma.
        (
            "{\r\n\t\"s\": {\r\n\t\t\"a\": 1,\r\n\t},\r\n}",
            "{\r\n\t\"s\": {\r\n\t\t\"a\": 1,\r\n\t\t\"n\": 2,\r\n\t},\r\n}",
        ),
        // The comment of the last one stays on its line; one below stays below.
        (
            "{\n \"s\": {\n  \"a\": 1 // one\n  // end\n }\n}",
            "{\n \"s\": {\n  \"a\": 1, // one\n  \"n\": 2\n  // end\n }\n}",
        ),
        (
            "{\n \"s\": {\n  \"a\": 1, // one\r\n }\n}",
            "{\n \"s\": {\n  \"a\": 1, // one\n  \"n\": 2,\r\n }\n}",
        ),
        // All on one line, close and wide.
        (r#"{"s":{"a":1}}"#, r#"{"s":{"a":1,"n":2}}"#),
        (r#"{"s": {"a": 1, "b": 2}}"#, r#"{"s": {"a": 1, "b": 2, "n": 2}}"#),
        // The comma that counts is not a comma of a comment.
        (r#"{"s": {"a": 1 /* , */}}"#, r#"{"s": {"a": 1, "n": 2 /* , */}}"#),
        (r#"{"s": {"a": 1 /* x */ ,}}"#, r#"{"s": {"a": 1 /* x */ , "n": 2,}}"#),
        // Objects that are empty, or hold a comment.
        ("{\n  \"s\": {}\n}", "{\n  \"s\": {\n    \"n\": 2\n  }\n}"),
        ("{\n  \"s\": {\n    // none\n  }\n}", "{\n  \"s\": {\n    // none\n    \"n\": 2\n  }\n}"),
        ("{\n    \"s\": { /* none */ }\n}", "{\n    \"s\": { /* none */\n        \"n\": 2\n    }\n}"),
        (r#"{"s": {}}"#, r#"{"s": {"n": 2}}"#),
        // Entries on one line each.
        ("{\"s\": {\n  \"a\": 1,\n  \"b\": 2}}", "{\"s\": {\n  \"a\": 1,\n  \"b\": 2,\n  \"n\": 2}}"),
        // The object that counts is the last one of its name.
        (
            "{\n  \"s\": {\"x\": 1},\n  \"s\": {}\n}",
            "{\n  \"s\": {\"x\": 1},\n  \"s\": {\n    \"n\": 2\n  }\n}",
        ),
    ] {
        let edited = set(text, &["s", "n"], Value::Number("2".to_owned()));
        assert_eq!(edited, expected, "{text:?}");
    }
}

#[test]
fn a_value_is_replaced_where_it_counts() {
    let text = "{\n  \"a\": 1, // first\n  \"a\": 2 /* second */\n}\n";
    assert_eq!(set(text, &["a"], Value::Bool(true)), text.replace("2 /*", "true /*"));
    let text = "{\n  \"s\": {\n    \"a\": {\n      \"x\": 1\n    },\n    \"b\": {\"y\": 1}\n  }\n}\n";
    let one = Value::Object(vec![("z".to_owned(), Value::Null)]);
    assert_eq!(set(text, &["s", "a"], one.clone()), text.replace("\"x\": 1", "\"z\": null"));
    assert_eq!(set(text, &["s", "b"], one), text.replace("\"y\": 1", "\"z\": null"));
}

#[test]
fn an_entry_goes_with_its_line_and_its_comma() {
    for (text, expected) in [
        ("{\n  \"n\": 1,\n  \"b\": 2\n}", "{\n  \"b\": 2\n}"),
        ("{\n  \"a\": 1,\n  \"n\": 2\n}", "{\n  \"a\": 1\n}"),
        ("{\r\n  \"a\": 1,\r\n  \"n\": 2,\r\n}", "{\r\n  \"a\": 1,\r\n}"),
        // A comment of its line goes with it, one above stays.
        ("{\n  // above\n  \"n\": 1, // n\n  \"b\": 2\n}", "{\n  // above\n  \"b\": 2\n}"),
        ("{\n  \"a\": 1, // a\n  \"n\": 2 // n\n}", "{\n  \"a\": 1 // a\n}"),
        (r#"{"n": 1, "b": 2}"#, r#"{"b": 2}"#),
        (r#"{"a": 1, "n": 2, "b": 3}"#, r#"{"a": 1, "b": 3}"#),
        (r#"{"a": 1, "n": 2}"#, r#"{"a": 1}"#),
        (r#"{"a":1,"n":2}"#, r#"{"a":1}"#),
        // What would be swallowed by a comment is not moved behind it.
        ("{\"a\": 1, // c\n \"n\": 2}", "{\"a\": 1 // c\n }"),
        ("{\"a\": 1, // c\n \"n\": 2, \"b\": 3}", "{\"a\": 1, // c\n \"b\": 3}"),
        (r#"{"n": 1}"#, "{}"),
        ("{\n  \"n\": {\"x\": 1}\n}\n", "{}\n"),
        ("{\n  // kept\n  \"n\": 1\n}", "{\n  // kept\n}"),
        // Both of them, or the first one would come into force.
        ("{\n  \"n\": 1,\n  \"b\": 2,\n  \"n\": 3\n}", "{\n  \"b\": 2\n}"),
        (r#"{"a": 1}"#, r#"{"a": 1}"#),
        ("", ""),
        ("// only\n", "// only\n"),
    ] {
        assert_eq!(remove(text, &["n"]), expected, "{text:?}");
        assert_eq!(remove(text, &["x", "y"]), text, "{text:?}");
    }
}

#[test]
fn a_text_that_is_not_understood_is_refused_with_its_place() {
    for (text, kind, place) in [
        ("{\n  \"a\": tru\n}", EditErrorKind::Syntax, "2:8: "),
        ("{\"a\": 1} {", EditErrorKind::Syntax, "1:10: "),
        (
            "{\n \"mcpServers\": [\"canary\"]}",
            EditErrorKind::WrongShape,
            "2:16: mcpServers: expected an object, found an array",
        ),
        ("[]", EditErrorKind::WrongShape, "1:1: expected an object, found an array"),
        ("null", EditErrorKind::WrongShape, "1:1: expected an object, found null"),
    ] {
        let error = apply(text, &["mcpServers", "n"], &Change::Set(Value::Null)).unwrap_err();
        assert_eq!(error.kind(), kind, "{text}");
        assert!(error.to_string().starts_with(place), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
    assert!(apply("{", &["a"], &Change::Remove).is_err());
}

/// A text that no reader would take back is not handed out.
#[test]
fn what_would_break_the_file_is_refused() {
    let deep = format!("{}1{}", "[".repeat(json::MAX_DEPTH), "]".repeat(json::MAX_DEPTH));
    let deep = Value::parse(&deep).unwrap();
    let refused = apply("{\"a\": {}}", &["a", "b"], &Change::Set(deep)).unwrap_err();
    assert_eq!(refused.kind(), EditErrorKind::Unsafe);
    for bytes in ["{} // c", "// c\n1 // d", "1 /* c */ // d"] {
        let refused = restored(r#"{"a": 1, "b": 2}"#, &["a"], bytes).unwrap_err();
        assert_eq!(refused.kind(), EditErrorKind::Unsafe, "{bytes}");
    }
    assert_eq!(
        restored(r#"{"a": 1, "b": 2}"#, &["a"], "{} /* c */").unwrap(),
        r#"{"a": {} /* c */, "b": 2}"#
    );
}

#[test]
fn values_have_an_order_and_show_no_secrets() {
    let value = Value::parse("{\"b\": \"canary\", /* c */ \"a\": [1.50, null], \"b\": {}}").unwrap();
    let members = [("a", "an array"), ("b", "an object")].map(|(name, kind)| (name.to_owned(), kind));
    let Value::Object(found) = &value else { panic!("{value:?}") };
    assert_eq!(found.iter().map(|(name, value)| (name.clone(), value.kind())).collect::<Vec<_>>(), members);
    assert!(!format!("{:?} {:?}", value, Change::Set(Value::from("canary"))).contains("canary"));
    assert_eq!(set("{}", &["x"], value), "{\n  \"x\": {\n    \"a\": [1.50, null],\n    \"b\": {}\n  }\n}");
}

/// A file as people and programs leave them: of one layout, or of none.
struct File {
    random: Random,
    line_end: &'static str,
    unit: &'static str,
    trailing: bool,
    /// Every object is on lines of its own or on one line, and comments stand where people put them.
    regular: bool,
}

impl File {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let line_end = random.one(&["\n", "\r\n"]);
        let unit = random.one(&["  ", "    ", "\t", ""]);
        let (trailing, regular) = (random.below(3) == 0, random.below(4) != 0);
        Self { random, line_end, unit, trailing, regular }
    }

    fn text(&mut self) -> String {
        let mark = self.random.one(&["", "", "\u{feff}"]);
        let head = self.random.one(&["", "// \"mcpServers\": {\n", "/* { */ "]).replace('\n', self.line_end);
        let tail = self.random.one(&["", "\n", "\n// }\n"]).replace('\n', self.line_end);
        format!("{mark}{head}{}{tail}", self.object(0))
    }

    fn gap(&mut self, depth: usize, lines: bool) -> String {
        let line = format!("{}{}", self.line_end, self.unit.repeat(depth));
        if self.regular {
            return if lines { line } else { " ".to_owned() };
        }
        match self.random.below(6) {
            0 => format!(" // , }} {line}"),
            1 => "/* , } */".to_owned(),
            2 => format!("{line}{line}"),
            3 => String::new(),
            4 => line,
            _ => " ".to_owned(),
        }
    }

    fn object(&mut self, depth: usize) -> String {
        let lines = self.regular && self.random.below(3) != 0;
        let count = self.random.below(4);
        let mut text = "{".to_owned();
        for number in 0..count {
            if lines && self.random.below(4) == 0 {
                text.push_str(&self.gap(depth + 1, true));
                text.push_str("// above, }");
            }
            if lines || number > 0 || !self.regular {
                text.push_str(&self.gap(depth + 1, lines));
            }
            let keys = ["mcpServers", "a", "b\\u0063", "ä", "n", "mcpServers", "overrides"];
            let key = self.random.one(&keys);
            text.push_str(&format!("\"{key}\":"));
            text.push_str(&if self.regular { " ".to_owned() } else { self.gap(depth + 1, lines) });
            text.push_str(&self.value(depth + 1));
            if !self.regular {
                text.push_str(&self.gap(depth + 1, lines));
            }
            if number + 1 < count || (self.trailing && lines) {
                text.push(',');
            }
            if lines && self.random.below(4) == 0 {
                text.push_str(self.random.one(&[" // its own, }", " /* , */"]));
            }
        }
        if count > 0 && (lines || !self.regular) {
            text.push_str(&self.gap(depth, lines));
        }
        text.push('}');
        text
    }

    fn value(&mut self, depth: usize) -> String {
        match self.random.below(if depth > 3 { 4 } else { 8 }) {
            0 => "\"x // y\"".to_owned(),
            1 => "-1.50e3".to_owned(),
            2 => "[1, {\"n\": 2}, \"]\" /* ] */]".to_owned(),
            3 => "null".to_owned(),
            _ => self.object(depth),
        }
    }
}

/// The comments of a text, in order.
fn comments(text: &str) -> Vec<&str> {
    let (mut found, mut at, mut in_string) = (Vec::new(), 0, false);
    while at < text.len() {
        let rest = &text[at..];
        let length = if in_string && rest.starts_with('\\') {
            2
        } else if rest.starts_with('"') {
            in_string = !in_string;
            1
        } else if !in_string && rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if !in_string && rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else {
            rest.chars().next().unwrap().len_utf8()
        };
        if !in_string && rest.starts_with('/') {
            found.push(rest[..length].trim_end());
        }
        at += length;
    }
    found
}

#[test]
fn any_file_is_changed_in_one_place_only_and_back_again() {
    let (mut back, mut refused) = (0, 0);
    for seed in 1..2000 {
        let mut file = File::new(seed);
        let text = file.text();
        assert!(json::parse(&text).is_ok(), "{text}");
        for path in [&["new"][..], &["mcpServers", "new"], &["mcpServers", "a", "new"], &["n"]] {
            let value = if file.random.below(2) == 0 { Value::Bool(true) } else { entry("c") };
            let was = value_at(&text, path).unwrap();
            let edited = match apply(&text, path, &Change::Set(value.clone())) {
                Ok(edited) => edited,
                Err(error) => {
                    assert_eq!(error.kind(), EditErrorKind::WrongShape, "{path:?} {text}");
                    refused += 1;
                    continue;
                }
            };
            assert_eq!(value_at(&edited, path).unwrap(), Some(value), "{text}\n{edited}");
            let parent = value_at(&text, &path[..path.len() - 1]).unwrap();
            // A `null` on the way is as good as absent, and is replaced.
            let is_new = was.is_none() && !text.contains("null");
            if is_new {
                assert_eq!(comments(&edited), comments(&text), "{text}\n{edited}");
                // Without what was put in, it is what it was.
                let outside: String = text.chars().filter(|c| !c.is_whitespace()).collect();
                assert!(is_part(&outside, &edited), "{text}\n{edited}");
            }
            let removed = apply(&edited, path, &Change::Remove).unwrap();
            assert_eq!(value_at(&removed, path).unwrap(), None, "{edited}\n{removed}");
            let had_members = matches!(&parent, Some(Value::Object(members)) if !members.is_empty());
            if file.regular && is_new && had_members {
                assert_eq!(removed, text, "{path:?}\n{edited}");
                back += 1;
            }
        }
    }
    assert!(back > 1000 && refused > 300, "{back} {refused}");
}

/// Whether the characters of `part` stand in `whole` in this order.
fn is_part(part: &str, whole: &str) -> bool {
    let mut rest = whole.chars();
    part.chars().all(|wanted| rest.any(|c| c == wanted))
}
