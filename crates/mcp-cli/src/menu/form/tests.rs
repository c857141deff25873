use serde_json::{Value, json};

use super::*;

pub(in crate::menu) fn tool(name: &str, described: &str, schema: &Value) -> ToolEntry {
    let schema = schema.to_string();
    ToolEntry {
        name: name.into(),
        described: described.into(),
        arguments: signature::arguments(&schema),
        schema,
    }
}

/// A form of one tool in which each of these was typed into the field of its name.
fn filled(schema: &Value, typed: &[(&str, &str)]) -> Form {
    let mut form = Form::new("a b", &tool("do it", "Does it.", schema));
    for (name, text) in typed {
        let at = form.tool.arguments.iter().position(|own| own.name == *name).unwrap();
        form.focus = at;
        form.paste(text);
    }
    form.focus = form.typed.len();
    form
}

fn sent(form: &mut Form) -> Result<Value, String> {
    match form.press(Key::Enter) {
        Step::Do(Work::Call { server, tool, arguments }) => {
            assert_eq!((&*server, &*tool), ("a b", "do it"));
            Ok(serde_json::from_str(&arguments).unwrap())
        }
        Step::Stay => Err(form.problem.clone().unwrap()),
        step => panic!("{step:?}"),
    }
}

fn property(schema: Value) -> Value {
    json!({ "type": "object", "properties": { "x": schema } })
}

#[test]
fn what_is_typed_is_sent_as_the_type_that_the_schema_wants() {
    for (kind, typed, expected) in [
        (json!({ "type": "string" }), "3", json!("3")),
        (json!({ "type": "string" }), "@etc", json!("@etc")),
        (json!({ "type": "string" }), "a\nb 'c' \"d\" $(e)", json!("a\nb 'c' \"d\" $(e)")),
        (json!({ "type": "string" }), "-", json!("-")),
        (json!({ "type": "string" }), "{\"y\": 1}", json!("{\"y\": 1}")),
        (json!({ "type": "number" }), "1.5", json!(1.5)),
        (json!({ "type": "integer" }), "12345678901234567890123", json!(12_345_678_901_234_567_890_123_f64)),
        (json!({ "type": "boolean" }), "true", json!(true)),
        (json!({ "type": ["integer", "null"] }), "7", json!(7)),
        (json!({ "type": ["string", "null"] }), "7", json!("7")),
        (json!({ "type": "array", "items": { "type": "string" } }), "[\"a\", \"b\"]", json!(["a", "b"])),
        (json!({ "type": "object" }), "{\"k\": [1]}", json!({ "k": [1] })),
        (json!({ "enum": ["a", "b"] }), "b", json!("b")),
        (json!({}), "[1]", json!([1])),
        (json!({}), "word", json!("word")),
    ] {
        let form = &mut filled(&property(kind.clone()), &[("x", typed)]);
        assert_eq!(sent(form), Ok(json!({ "x": expected })), "{typed:?} as {kind}");
    }
}

#[test]
fn what_is_wrong_is_told_as_call_tells_it_and_the_focus_goes_there() {
    let schema = json!({
        "properties": {
            "n": { "type": "integer" }, "list": { "type": "array" }, "b": { "type": "boolean" }, "s": { "type": "string" },
        },
        "required": ["s"],
    });
    let position = |form: &Form| form.tool.arguments.get(form.focus).map(|own| own.name.clone());
    for (typed, problem, focus) in [
        (&[("s", "x"), ("n", "1.5")][..], "`n` must be integer, and is of type string", "n"),
        (&[("s", "x"), ("b", "perhaps")], "`b` must be boolean, and is of type string", "b"),
        (&[("s", "x"), ("list", "[1")], "list has a value that is not valid JSON: it ends too early", "list"),
        (&[("s", "x"), ("list", "{}")], "`list` must be array, and is of type object", "list"),
        (&[("n", "1")], "it needs `s` (string)", "s"),
    ] {
        let mut form = filled(&schema, typed);
        assert_eq!(sent(&mut form), Err(problem.to_owned()));
        assert_eq!(position(&form).as_deref(), Some(focus), "{problem}");
    }
    // What fills itself in may be left empty.
    let schema = json!({ "properties": { "s": { "type": "string", "default": "x" } }, "required": ["s"] });
    assert_eq!(sent(&mut filled(&schema, &[])), Ok(json!({})));
}

#[test]
fn the_call_that_is_shown_is_the_call_that_is_made() {
    let names = ["x", "a=b", "c:", "{d", "日本", "--e", ""];
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    let schema = json!({ "properties": properties });
    for text in ["v", "it's", "a b", "@f", "{}", "-", "=", "\"", "x:=1"] {
        let typed: Vec<(&str, &str)> = names.iter().map(|name| (*name, text)).collect();
        let mut form = filled(&schema, &typed);
        let command = form.command();
        let expected = sent(&mut form).unwrap();
        assert_eq!(expected.as_object().unwrap().len(), names.len());
        let words = crate::written::words(&command);
        assert_eq!(words[..4], ["mcplink", "call", "a b", "do it"]);
        let read = Arguments::parse(&words[4..], &NoFiles).unwrap();
        assert_eq!(serde_json::from_str::<Value>(read.to_json().get()).unwrap(), expected, "{command}");
    }
}

#[test]
fn values_are_gone_through_and_one_that_may_be_left_out_is_empty_again() {
    let of = |schema: Value, keys: &[Key]| {
        let mut form = Form::new("s", &tool("t", "", &property(schema)));
        keys.iter().for_each(|key| drop(form.press(*key)));
        form.typed[0].text().to_owned()
    };
    let right = Key::Right;
    for (keys, expected) in [
        (&[right][..], "true"),
        (&[right, right], "false"),
        (&[right, right, right], ""),
        (&[Key::Left], "false"),
        (&[Key::Char(' ')], "true"),
    ] {
        assert_eq!(of(json!({ "type": "boolean" }), keys), expected);
    }
    assert_eq!(of(json!({ "enum": [1, "two"] }), &[Key::Left]), "two");
    assert_eq!(of(json!({ "enum": [1, "two"] }), &[right]), "1");
    // In a text, they move the cursor.
    assert_eq!(of(json!({ "type": "string" }), &[Key::Char('b'), Key::Left, Key::Char(' ')]), " b");
}

#[test]
fn a_call_that_goes_on_takes_no_keys_but_the_one_that_gives_it_up() {
    let mut form = filled(&property(json!({ "type": "string" })), &[("x", "1")]);
    assert!(sent(&mut form).is_ok() && form.is_under_way());
    assert!(matches!(form.press(Key::Enter), Step::Scroll(_)), "not twice");
    form.focus = 0;
    form.paste("more");
    assert_eq!(form.words(), ["x=1"]);
    assert!(matches!(form.press(Key::Escape), Step::Do(Work::Nothing)));
    assert!(!form.is_under_way());
    assert!(matches!(form.press(Key::Escape), Step::Back));
}
