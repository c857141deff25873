use super::*;

const SCHEMA: &str = r#"{"type": "object", "required": ["b", "a", "mode", "list", "deep"], "properties": {
    "limit": {"type": "integer", "default": 10, "description": "How many."},
    "a": {"type": "number"}, "b": {"type": "string", "description": "A word."},
    "mode": {"enum": ["fast", "slow mode"], "type": "string"},
    "list": {"type": "array", "items": {"type": "string"}},
    "deep": {"type": "object"}, "either": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "odd": true, "speed": {"enum": ["fast", "slow"]}}}"#;

#[test]
fn fh_h6_arguments_and_a_call_to_copy_come_from_the_schema() {
    let arguments = arguments(SCHEMA);
    let lines: Vec<String> = arguments.iter().map(|one| format!("{}: {}", one.name, one.summary())).collect();
    assert_eq!(
        lines,
        [
            "a: number, required",
            "b: string, required",
            "mode: string, required, one of fast, slow mode",
            "list: array of string, required",
            "deep: object, required",
            "limit: integer, optional, default 10",
            "either: string|null, optional",
            "odd: any, optional",
            "speed: string, optional, one of fast, slow",
        ]
    );
    assert_eq!(
        example("my server", "do it", &arguments),
        "mcplink call 'my server' 'do it' a=1 b=TEXT mode=fast list:='[]' deep:='{}'"
    );
}

#[test]
fn fh_h6_only_what_nothing_can_fill_in_is_surely_missing() {
    for (schema, given, missing) in [
        (r#"{"required": ["a", "b"], "properties": {"a": {}, "b": {}}}"#, "a", "b"),
        (r##"{"required": ["a"], "properties": {"a": {"$ref": "#/$defs/x"}}}"##, "", "a"),
        (r#"{"required": ["a"], "properties": {"a": {}}, "anyOf": [{}]}"#, "", "a"),
        (r#"{"required": ["a"], "properties": {"a": {"default": 1}}}"#, "", ""),
        (r##"{"$ref": "#/$defs/x", "required": ["a"], "properties": {"a": {}}}"##, "", ""),
        (r#"{"anyOf": [{"required": ["a"]}], "properties": {"a": {}}}"#, "", ""),
        (r#"{"required": ["a"], "patternProperties": {"^a": {}}}"#, "", ""),
        (r#"{"required": "a", "properties": {"a": {}}}"#, "", ""),
        (r#"{"required": ["a"], "properties": {"a": {}}}"#, "a", ""),
        ("not a schema", "", ""),
    ] {
        let found = surely_missing(schema, |name| name == given);
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names.join(" "), missing, "{schema}");
    }
}

/// Security: a server says what the values of an argument are, and a person copies the call.
#[test]
fn a_value_that_a_server_names_is_no_file_of_the_person() {
    for schema in [
        r#"{"required": ["o"], "properties": {"o": {"enum": ["@/etc/hostname", "plain"]}}}"#,
        r#"{"required": ["o"], "properties": {"o": {"type": "string", "default": "@/etc/hostname"}}}"#,
    ] {
        let arguments = arguments(schema);
        assert_eq!(example("s", "t", &arguments), r#"mcplink call s t o:='"@/etc/hostname"'"#);
        assert!(arguments[0].choices().all(|choice| choice == "plain"));
    }
}

#[test]
fn what_a_schema_requires_is_looked_up_once_and_a_long_one_is_not_looked_at() {
    let names: Vec<String> = (0..9_000).map(|number| format!("{number:x}")).collect();
    let properties = names.iter().map(|name| (name.clone(), Value::Null)).collect();
    let schema = serde_json::json!({ "required": names, "properties": Value::Object(properties) });
    let schema = schema.to_string();
    assert!(arguments(&schema).len() == names.len() && arguments(&schema).iter().all(|one| one.required));
    let long = format!("{schema}{}", " ".repeat(MAX_SCHEMA));
    assert!(arguments(&long).is_empty() && surely_missing(&long, |_| false).is_empty());
    let said = unnamed(&long, &[]).unwrap();
    assert!(said.contains("KiB, which is not shown; --json has it"), "{said}");
}

#[test]
fn what_a_schema_refers_to_within_itself_is_followed() {
    let schema = r##"{"required": ["p", "color"], "properties": {
        "p": {"$ref": "#/$defs/P", "description": "Where."},
        "color": {"allOf": [{"$ref": "#/$defs/Color"}], "default": "red"},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Color"}, {"type": "null"}]},
        "list": {"type": "array", "items": {"$ref": "#/$defs/P"}},
        "loop": {"$ref": "#/$defs/Loop"}, "gone": {"$ref": "#/$defs/None"}},
        "$defs": {"P": {"type": "object"}, "Color": {"type": "string", "enum": ["red", "green"]},
            "Loop": {"anyOf": [{"$ref": "#/$defs/Loop"}]}}}"##;
    let lines: Vec<String> =
        arguments(schema).iter().map(|one| format!("{}: {}", one.name, one.summary())).collect();
    assert_eq!(
        lines,
        [
            "p: object, required",
            "color: string, required, one of red, green, default red",
            "maybe: string|null, optional, one of red, green",
            "list: array of object, optional",
            "loop: any, optional",
            "gone: any, optional",
        ]
    );
    assert_eq!(example("s", "t", &arguments(schema)), "mcplink call s t p:='{}' color=red");
    let merged = r##"{"allOf": [{"properties": {"a": {}}, "required": ["a"]}, {"$ref": "#/$defs/B"}],
        "$defs": {"B": {"properties": {"b": {"type": "integer"}}}}}"##;
    let names: Vec<String> = arguments(merged).iter().map(Argument::short).collect();
    assert_eq!(names, ["a", "[b]"]);
}

#[test]
fn a_tool_whose_schema_lists_no_name_is_not_said_to_take_none() {
    for open in [
        r#"{"type": "object", "oneOf": [{"properties": {"a": {}}}]}"#,
        r#"{"type": "object", "additionalProperties": true}"#,
        r#"{"type": "object", "patternProperties": {"^x-": {}}}"#,
    ] {
        let said = unnamed(open, &arguments(open)).unwrap();
        assert!(said.contains("does not list by name") && takes_others(open, &[]), "{said}");
    }
    for closed in [r#"{"type": "object"}"#, r#"{"type": "object", "additionalProperties": false}"#, ""] {
        assert_eq!(unnamed(closed, &arguments(closed)).unwrap(), "  takes no arguments\n", "{closed}");
    }
    assert_eq!(unnamed(SCHEMA, &arguments(SCHEMA)), None);
}

#[test]
fn a_schema_that_is_none_has_no_arguments() {
    for schema in
        ["", "true", "[]", r#"{"properties": 3}"#, r#"{"properties": {"x": null}, "required": "x"}"#]
    {
        assert!(arguments(schema).iter().all(|one| one.kind == "any"), "{schema}");
    }
}
