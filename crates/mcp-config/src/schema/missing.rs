//! An entry without the way to its server: what it has in the place of that, in another word, or against its `type`.

use crate::display::display_key;
use crate::json::{Node, Object};

/// What to do about an entry that has no `wanted` (`url` or `command`), where it has something else; else `usual`.
pub(super) fn instead(entry: &Object, wanted: &str, usual: &str) -> String {
    if let Some(found) = in_another_word(entry, wanted) {
        return found;
    }
    let has = |key: &str| entry.get(key).is_some_and(|node| !node.is_null());
    match wanted {
        "url" if has("command") => {
            "its `type` is that of a remote server, and it has a `command`: write \"type\": \"stdio\""
                .to_owned()
        }
        "command" if has("url") => {
            "its `type` is that of a local server, and it has a `url`: write \"type\": \"http\"".to_owned()
        }
        _ => usual.to_owned(),
    }
}

/// The field that holds it, with what to write in its place.
pub(super) fn in_another_word(entry: &Object, wanted: &str) -> Option<String> {
    if let Some((word, instead)) = crate::foreign::url(entry).filter(|_| wanted != "command") {
        let instead = instead.strip_prefix("it ").unwrap_or(instead);
        return Some(format!("`{}` {instead}", display_key(word)));
    }
    let (word, meant) = misspelt(entry, wanted)?;
    Some(format!("`{}` is written `{meant}`", display_key(word)))
}

/// The first field that is near to one which says the way to a server, and that one.
fn misspelt<'e>(entry: &'e Object, wanted: &str) -> Option<(&'e str, &'static str)> {
    // In small letters, without what stands between the words of a name.
    const OTHER: [(&[&str], &str); 2] = [
        (&["cmd", "executable", "program", "binary", "exec"], "command"),
        (&["serverurl", "endpoint", "uri", "address", "baseurl"], "url"),
    ];
    let other = |key: &str| {
        let letters = key.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
        let plain: String = letters.collect();
        OTHER.iter().find(|(words, _)| words.contains(&&*plain)).map(|(_, meant)| *meant)
    };
    let meant = |key: &str| other(key).or_else(|| crate::suggest::nearest(key, ["url", "command"]));
    entry
        .iter()
        .filter(|member| !matches!(&*member.key, "url" | "command") && !Node::is_null(&member.node))
        .find_map(|member| Some((&*member.key, meant(&member.key)?)))
        .filter(|(_, meant)| wanted.is_empty() || *meant == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a36_what_an_entry_has_in_the_place_of_its_address_or_its_command_is_named() {
        for (entry, wanted, expected) in [
            (
                r#"{"type": "http", "serverUrl": "https://h.example"}"#,
                "url",
                "`serverUrl` is Windsurf's word",
            ),
            (r#"{"type": "http", "httpUrl": "https://h.example"}"#, "url", "`httpUrl` is"),
            (r#"{"type": "http", "uri": "https://h.example"}"#, "url", "`uri` "),
            (r#"{"type": "http", "URL": "https://h.example"}"#, "url", "`URL` is written `url`"),
            (r#"{"type": "http", "endpoint": "x"}"#, "url", "`endpoint` is written `url`"),
            (r#"{"type": "stdio", "url": "https://h.example"}"#, "command", "write \"type\": \"http\""),
            (r#"{"type": "http", "command": "x"}"#, "url", "write \"type\": \"stdio\""),
            (r#"{"type": "stdio", "cmd": "x"}"#, "command", "`cmd` is written `command`"),
            (r#"{"type": "stdio", "CMD": "x"}"#, "command", "`CMD` is written `command`"),
            (r#"{"Executable": "x"}"#, "", "`Executable` is written `command`"),
            (r#"{"URL": "https://h.example"}"#, "", "`URL` is written `url`"),
            (r#"{"COMMAND": "x"}"#, "", "`COMMAND` is written `command`"),
            (r#"{"base-url": "x"}"#, "", "`base-url` is written `url`"),
            (r#"{"type": "stdio", "comand": "x"}"#, "command", "`comand` is written `command`"),
            (r#"{"type": "http"}"#, "url", "as usual"),
            (r#"{"type": "stdio", "args": ["x"]}"#, "command", "as usual"),
            (r#"{"type": "http", "url": null, "command": null}"#, "url", "as usual"),
        ] {
            let root = crate::json::parse(entry).unwrap();
            let found = instead(root.as_object().unwrap(), wanted, "as usual");
            assert!(found.contains(expected), "{entry}: {found}");
        }
    }
}
