//! What a person typed of a server that was given by its URL: options, where an entry has fields.

use crate::hosts::AddressOption;

/// What was typed of a server that was given by its URL, by the pointer to it in the entry that the URL was made into: there is
/// no file with such a field, and no line of it.
pub(crate) fn option(pointer: &str) -> String {
    // `/mcpServers/NAME/FIELD`
    let steps: Vec<String> =
        pointer.split('/').skip(3).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    if let [block, name, ..] = steps.as_slice()
        && block == "headers"
    {
        return format!("-H {name}");
    }
    let option = (1..=steps.len()).rev().map(|length| steps[..length].join(".")).find_map(|path| {
        AddressOption::all().iter().find(|option| option.is_of(&path)).map(|option| option.name)
    });
    match (option, steps.first().map(String::as_str)) {
        (Some(option), _) => option.to_owned(),
        (None, Some("type")) => "--transport".to_owned(),
        (None, _) => "the URL".to_owned(),
    }
}

/// What is said of the fields of an entry, by the options that were typed in their place.
pub(crate) fn in_options(text: &str) -> String {
    AddressOption::all().iter().fold(text.to_owned(), |text, option| match option.field() {
        Some(field) => text.replace(&format!("`{field}`"), &format!("`{}`", option.name)),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h14_what_was_typed_is_named_by_its_option_and_never_as_a_field_of_a_file() {
        for (field, said) in [
            ("", "the URL"),
            ("/url", "the URL"),
            ("/type", "--transport"),
            ("/headers/Authorization", "-H Authorization"),
            ("/headers/X-a~1b", "-H X-a/b"),
            ("/proxy", "--proxy"),
            ("/tls/ca", "--ca"),
            ("/oauth/clientMetadata/client_name", "--client-metadata"),
        ] {
            let said_of = option(&format!("/mcpServers/https:~1~1x.example~1mcp{field}"));
            assert_eq!(said_of, said, "{field}");
            let word = said.split(' ').next().unwrap();
            let is_option = AddressOption::all().iter().any(|option| {
                option.name == word || option.short.is_some_and(|letter| word == format!("-{letter}"))
            });
            assert!(is_option || word == "the", "{said} can be typed");
        }
        let said = in_options("make it readable, or leave `headersFile` and `tls.ca` out");
        assert_eq!(said, "make it readable, or leave `--header-file` and `--ca` out");
    }
}
