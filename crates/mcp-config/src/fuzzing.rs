//! What must hold for every text that is in a configuration file, ours or that of a host, as functions of bytes.
//!
//! The targets in `fuzz/` call them with what the fuzzer invents, the tests below with the committed corpus. They
//! panic where a property is broken.

mod edit;
mod hosts;
mod references;

use std::path::{Path, PathBuf};

use crate::env_file;
use crate::json::{self, LineIndex, Node, Value};
use crate::source::{Content, FilePurpose, Source};
use crate::validate::validate_text;
use crate::{Config, ConfigSource, Env, Locations, Platform, Problem, Project, Sources};

pub use edit::edit;
pub use hosts::hosts;
pub use references::references;

/// What the variables of the environment hold: it must be shown nowhere.
const CANARY: &str = "canary-4f1e9b";

/// A configuration file. The parser agrees with one that binds data where both read the text, spans lead to what
/// they name, loading never fails, and nothing that is shown has the value of a variable in it.
///
/// The input has up to four files, with a record separator (0x1e) between them: of the project, of the person, of
/// the administrator, and one of the command line.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if text.contains(CANARY) {
        return;
    }
    let texts: Vec<&str> = text.split('\u{1e}').collect();
    texts.iter().for_each(|text| parse(text));
    texts.iter().for_each(|text| variables(text));

    let env = ["TOKEN", "HOST", "A"].into_iter().map(|name| (name, CANARY)).collect::<Env>();
    let place = ConfigSource::File(PathBuf::from("/project/.mcp.json"));
    shown_safely(&validate_text(place, texts[0], &env));
    resolve(&texts, env);
}

fn parse(text: &str) {
    let theirs: Option<serde_json::Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).ok();
    match json::parse(text) {
        Ok(root) => {
            if let Some(theirs) = theirs {
                assert_eq!(plain(text, &root), Some(theirs));
            }
            spans(text, &root);
        }
        Err(error) => {
            // A second byte order mark is not white space.
            assert!(theirs.is_none() || text.starts_with("\u{feff}\u{feff}"), "{error}");
            let (line, column) = LineIndex::new(text).position(text, error.offset);
            assert!(line >= 1 && column >= 1);
        }
    }
}

/// A file of variables: each name once and one that a process can be given, and no value is longer than the text.
fn variables(text: &str) {
    let file = env_file::parse(text);
    for (at, (name, value)) in file.variables.iter().enumerate() {
        assert!(!name.is_empty() && !name.contains(['=', '\0', '\n', ' ']));
        assert!(value.expose().len() < text.len());
        assert!(file.variables[at + 1..].iter().all(|(other, _)| other != name));
    }
    let lines = text.matches('\n').count() + 1;
    assert!(file.odd_lines.iter().all(|line| (1..=lines).contains(line)));
}

/// The tree as another parser has it; `None` for a number that one refuses.
fn plain(text: &str, node: &Node) -> Option<serde_json::Value> {
    Some(match &node.value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(_) => serde_json::from_str(&text[node.span.start()..node.span.end()]).ok()?,
        Value::String(value) => (**value).into(),
        Value::Array(items) => items.iter().map(|item| plain(text, item)).collect::<Option<Vec<_>>>()?.into(),
        Value::Object(object) => {
            let member = |member: &json::Member| Some((member.key.to_string(), plain(text, &member.node)?));
            serde_json::Value::Object(object.iter().map(member).collect::<Option<_>>()?)
        }
    })
}

fn spans(text: &str, node: &Node) {
    let inside = &text[node.span.start()..node.span.end()];
    match &node.value {
        Value::Array(items) => {
            assert!(inside.starts_with('[') && inside.ends_with(']'));
            items.iter().for_each(|item| spans(text, item));
        }
        Value::Object(object) => {
            assert!(inside.starts_with('{') && inside.ends_with('}'));
            for member in object.iter().chain(object.overridden()) {
                let key = json::parse(&text[member.key_span.start()..member.key_span.end()]).ok();
                assert_eq!(key.as_ref().and_then(Node::as_str), Some(&*member.key));
                spans(text, &member.node);
            }
        }
        _ => assert_eq!(
            json::parse(inside).ok().map(|again| plain(inside, &again)),
            Some(plain(text, node)),
            "{inside}"
        ),
    }
}

/// These files in an environment of their own, with nothing of this machine.
fn sources(files: &[(FilePurpose, &str)], env: &Env) -> Sources {
    let home = Path::new("/project");
    let source = |(role, text): &(FilePurpose, &str)| {
        let place = ConfigSource::File(home.join(format!("{role:?}.json")));
        Source::of(*role, place, Content::Text((*text).to_owned()))
    };
    Sources {
        locations: Locations::new(env, home, Platform::Unix),
        env: env.clone(),
        strict: false,
        project: Project { cwd: home.into(), root: home.into(), main_root: home.into(), foreign: None },
        person_dir: home.to_owned(),
        files: files.iter().map(source).collect(),
        known_fields: Vec::new(),
        program: None,
        host: None,
        read: |_| Ok(format!("TOKEN={CANARY}\nNODE_OPTIONS='{CANARY}'\n").into_bytes()),
    }
}

fn resolve(texts: &[&str], env: Env) {
    const ROLES: [FilePurpose; 4] =
        [FilePurpose::Project, FilePurpose::User, FilePurpose::ManagedSettings, FilePurpose::Dynamic];
    let files: Vec<_> = ROLES.into_iter().zip(texts.iter().copied()).collect();
    let sources = sources(&files, &env);
    let config = Config::resolve(&sources);
    shown_safely(&config.problems);
    hidden(&format!("{config:?}"));
    for entry in config.entries.iter().chain(config.shadowed.iter().map(|shadowed| &shadowed.entry)) {
        hidden(&format!("{:?} {:?} {:?}", entry.gate(), entry.display_endpoint(), entry.fields()));
        #[cfg(feature = "auth")]
        // A target shows its origin, which may come from a variable: a host is not a credential.
        hidden(&format!("{:?}", entry.lower(&env).map(|(_, settings)| settings)));
        if let Some(stdio) = entry.stdio() {
            hidden(&format!("{} {:?}", stdio.display(), entry.launch(&env, &config.project)));
        }
        assert!(config.entry(&entry.name).is_some(), "a definition of a name, and none in force");
        let explanation = config.explain(&entry.name).expect("what is in force can be explained");
        hidden(&serde_json::to_string(&explanation).expect("an explanation has a JSON form"));
    }
    for pointer in &config.pointers {
        hidden(&format!("{pointer} {pointer:?}"));
        assert!(pointer.entry.stdio().is_some(), "a pointer that starts nothing");
    }
    assert!(config.nearest("docs").is_none_or(|name| config.entry(name).is_some()));
}

fn shown_safely(problems: &[Problem]) {
    for problem in problems {
        let shown = format!("{problem}");
        hidden(&shown);
        hidden(&format!("{problem:?}"));
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
    }
}

fn hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "{shown}");
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::corpus::replay;

    #[test]
    fn the_corpus_of_config() {
        replay("config", super::config);
    }

    #[test]
    fn the_corpus_of_hosts() {
        replay("hosts", super::hosts);
    }

    #[test]
    fn the_corpus_of_edit() {
        replay("edit", super::edit);
    }

    #[test]
    fn the_corpus_of_references() {
        replay("references", super::references);
    }
}
