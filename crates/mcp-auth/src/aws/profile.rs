//! What AWS's files say of a profile ("Configuration and credential file settings" of its command line): sections and settings.

use std::collections::BTreeMap;

/// The settings of one profile.
pub(super) type Profile = BTreeMap<String, String>;

/// Which of the two files it is: a section of `config` says that it is a profile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Config,
    Credentials,
}

/// What `text` says of the profile `name`; `None` where it has no such section.
pub(super) fn profile(text: &str, kind: Kind, name: &str) -> Option<Profile> {
    let mut found: Option<Profile> = None;
    let mut is_its = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        // What is further in belongs to the setting above it.
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) || is_nested {
            continue;
        }
        if let Some(section) = line.strip_prefix('[') {
            is_its = section.split_once(']').is_some_and(|(section, _)| is_of(section.trim(), kind, name));
            if is_its {
                found.get_or_insert_default();
            }
        } else if let Some(settings) = found.as_mut().filter(|_| is_its)
            && let Some((key, value)) = line.split_once('=')
        {
            let value = [" #", " ;", "\t#", "\t;"].iter().fold(value, |value, mark| match value.find(mark) {
                Some(at) => &value[..at],
                None => value,
            });
            settings.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    found
}

fn is_of(section: &str, kind: Kind, name: &str) -> bool {
    let named = |text: &str| text.trim().trim_matches(['"', '\'']) == name;
    match (kind, section.split_once(char::is_whitespace)) {
        (Kind::Config, Some(("profile", rest))) => named(rest),
        (Kind::Config, _) => name == "default" && section == name,
        (Kind::Credentials, _) => named(section),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "# ours\n[default]\nregion = eu-west-1 ; near\ns3 =\n  max_queue_size = 9\n  region = none\n\
        [profile work team]\nregion=us-east-1\n[profile \"b c\"]\ncredential_process = /opt/x --a=b\n[sso-session work]\nregion = x\n\
        [other]\nregion = never\n";

    #[test]
    fn a_profile_is_the_settings_of_its_section() {
        let of =
            |kind, name: &str, key: &str| profile(CONFIG, kind, name).map(|found| found.get(key).cloned());
        for (kind, name, key, expected) in [
            (Kind::Config, "default", "region", Some(Some("eu-west-1"))),
            (Kind::Config, "default", "max_queue_size", Some(None)),
            (Kind::Config, "work team", "region", Some(Some("us-east-1"))),
            (Kind::Config, "b c", "credential_process", Some(Some("/opt/x --a=b"))),
            (Kind::Config, "other", "region", None),
            (Kind::Config, "work", "region", None),
            (Kind::Credentials, "other", "region", Some(Some("never"))),
            (Kind::Credentials, "work", "region", None),
        ] {
            let expected = expected.map(|value| value.map(str::to_owned));
            assert_eq!(of(kind, name, key), expected, "{kind:?} {name} {key}");
        }
        for broken in ["", "[", "[]", "[default", "=x", "a=b", "[default]\n=\n=x\nregion"] {
            let found = profile(broken, Kind::Config, "default").unwrap_or_default();
            assert!(!found.contains_key("region"), "{broken:?}");
        }
    }
}
