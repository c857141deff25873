//! One way to reach a server: what it asks for, and the entry that comes of the answers.

use std::collections::BTreeSet;
use std::fmt;

use crate::EntryTransport;
use crate::edit::Value;
use crate::entry::RemoteKind;

use super::package::{self, Argument};
use super::reading::{Node, RegistryFault};
use super::template::{Answers, Inputs, RegistryInput, Template, TemplateText};

/// One way to reach a server. Every text is a stranger's.
#[derive(Clone, Debug)]
pub struct Offer {
    way: Way,
    inputs: Vec<RegistryInput>,
    notes: Vec<String>,
}

#[derive(Clone, Debug)]
enum Way {
    Remote {
        kind: RemoteKind,
        url: Template,
        headers: Vec<(String, Template)>,
    },
    Package {
        kind: &'static str,
        command: &'static str,
        arguments: Vec<Argument>,
        environment: Vec<(String, Template)>,
    },
}

/// An offer that is of no use here.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UnusableOffer {
    /// What it is: an address, or the kind and the name of a package.
    pub what: String,
    /// Why.
    pub why: String,
}

/// An entry as it would be written.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Draft {
    /// The entry. It holds what a person said, and may so hold a secret that was not declared as one.
    pub entry: Value,
    /// The address in it, of a remote server, with `${NAME}` where a person said so.
    pub url: Option<String>,
    /// A person said where that address leads, and not the registry alone.
    pub host_is_typed: bool,
}

/// Why there is no entry.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DraftError {
    /// These inputs have no answer, and are required.
    Missing(Vec<RegistryInput>),
    /// A text that the registry wrote refers to a variable of this machine: where.
    NamesVariable(String),
    /// An answer changes where the address leads, by its input.
    Elsewhere(String),
}

impl fmt::Display for DraftError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(inputs) => {
                let names: Vec<_> = inputs.iter().map(|input| mcp_text::line(&input.id, 60)).collect();
                write!(f, "it needs {}", names.join(", "))
            }
            Self::NamesVariable(place) => {
                write!(f, "its {place} refers to a variable of this machine, which no registry may")
            }
            Self::Elsewhere(place) => {
                write!(f, "an answer or a default in its {place} holds one of / ? # @ \\")
            }
        }
    }
}

impl std::error::Error for DraftError {}

impl Offer {
    pub(super) fn of_remote(node: &Node<'_>) -> Result<Self, UnusableOffer> {
        let mut what = "a remote server".to_owned();
        Self::read_remote(node, &mut what).map_err(|why| UnusableOffer { what, why })
    }

    fn read_remote(node: &Node<'_>, what: &mut String) -> Result<Self, String> {
        let said = |fault: RegistryFault| fault.to_string();
        let kind = node.required("type").and_then(|node| node.text()).map_err(said)?;
        let url = node.plain_of("url").map_err(said)?.ok_or("it has no url")?;
        what.clone_from(&url);
        let kind = match kind {
            "streamable-http" | "http" => RemoteKind::Http,
            "sse" => RemoteKind::Sse,
            other => return Err(format!("its type {:?} is not known", mcp_text::line(other, 40))),
        };
        let mut inputs = Inputs::default();
        let url = Template::with_variables(&url, node, true, &mut inputs).map_err(said)?;
        let headers = pairs(node, "headers", is_header_name, &mut inputs)?;
        Ok(Self { way: Way::Remote { kind, url, headers }, inputs: inputs.finished(), notes: Vec::new() })
    }

    pub(super) fn of_package(node: &Node<'_>) -> Result<Self, UnusableOffer> {
        let mut what = "a package".to_owned();
        Self::read_package(node, &mut what).map_err(|why| UnusableOffer { what, why })
    }

    fn read_package(node: &Node<'_>, what: &mut String) -> Result<Self, String> {
        let mut inputs = Inputs::default();
        let package = package::Package::read(node, what, &mut inputs)?;
        let environment = pairs(node, "environmentVariables", is_variable_name, &mut inputs)?;
        let names = environment.iter().map(|(name, _)| name.as_str());
        let way = Way::Package {
            kind: package.kind,
            command: package.command,
            arguments: package.arguments(names),
            environment,
        };
        Ok(Self { way, inputs: inputs.finished(), notes: package.notes })
    }

    /// What comes first is what is taken where a person says nothing.
    pub(super) fn rank(&self) -> u8 {
        match self.way {
            Way::Remote { kind: RemoteKind::Http, .. } => 0,
            Way::Remote { .. } => 1,
            Way::Package { .. } => 2,
        }
    }

    /// How its server is reached.
    pub fn transport(&self) -> EntryTransport {
        match &self.way {
            Way::Remote { kind, .. } => EntryTransport::Remote(*kind),
            Way::Package { .. } => EntryTransport::Stdio,
        }
    }

    /// Where a package comes from: `npm`, `pypi` or `oci`; `None` of a remote server.
    pub fn package_kind(&self) -> Option<&'static str> {
        match &self.way {
            Way::Remote { .. } => None,
            Way::Package { kind, .. } => Some(kind),
        }
    }

    /// What a person is asked for, in the order in which it is needed.
    pub fn inputs(&self) -> Vec<&RegistryInput> {
        let needed: BTreeSet<usize> = self.templates().flat_map(Template::inputs).collect();
        needed.into_iter().map(|at| &self.inputs[at]).collect()
    }

    fn templates(&self) -> impl Iterator<Item = &Template> {
        let (url, arguments, pairs) = match &self.way {
            Way::Remote { url, headers, .. } => (Some(url), &[][..], headers),
            Way::Package { arguments, environment, .. } => (None, &arguments[..], environment),
        };
        let arguments = arguments.iter().filter_map(|argument| argument.value.as_ref());
        url.into_iter().chain(arguments).chain(pairs.iter().map(|(_, value)| value))
    }

    /// Leaves the header, or the variable of the environment, of this name to a person, who says all of it: it is not asked
    /// for any more. Whether it is a secret; `None` where there is not one of this name.
    pub fn leave(&mut self, name: &str) -> Option<bool> {
        let is_remote = matches!(self.way, Way::Remote { .. });
        let (Way::Remote { headers: pairs, .. } | Way::Package { environment: pairs, .. }) = &mut self.way;
        let is_meant = |known: &str| known == name || is_remote && known.eq_ignore_ascii_case(name);
        let at = pairs.iter().position(|(known, _)| is_meant(known))?;
        let (_, value) = pairs.remove(at);
        Some(value.inputs().any(|at| self.inputs[at].secret))
    }

    /// The address, where the registry alone says where it leads, with nothing behind that.
    pub fn fixed_origin(&self) -> Option<&str> {
        let Way::Remote { url, .. } = &self.way else { return None };
        let (text, goes_on) = url.beginning();
        let begin = text.find("://").map_or(0, |at| at + 3);
        match text[begin..].find(['/', '?', '#', '\\']) {
            Some(end) => Some(&text[..begin + end]),
            None => (!goes_on).then_some(text),
        }
    }

    /// What a person has to know of it besides.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What it is, as the registry wrote it: an address, or a command line, with `{name}` for each input.
    pub fn shown(&self) -> String {
        match &self.way {
            Way::Remote { url, .. } => url.shown(&self.inputs),
            Way::Package { command, arguments, .. } => {
                let mut words = vec![(*command).to_owned()];
                for argument in arguments {
                    let value = argument.value.as_ref().map(|value| value.shown(&self.inputs));
                    words.extend(
                        argument
                            .name
                            .iter()
                            .chain(&value)
                            .filter(|word| !word.is_empty())
                            .map(|word| shell_word(word)),
                    );
                }
                words.join(" ")
            }
        }
    }

    /// The entry that these answers make.
    ///
    /// # Errors
    ///
    /// An answer is missing, or what comes of them may not be written.
    pub fn draft(&self, answers: &Answers) -> Result<Draft, DraftError> {
        let is_missing =
            |input: &&RegistryInput| input.required && input.default.is_none() && !answers.has(input);
        let missing: Vec<RegistryInput> = self.inputs().into_iter().filter(is_missing).cloned().collect();
        if !missing.is_empty() {
            return Err(DraftError::Missing(missing));
        }
        match &self.way {
            Way::Remote { kind, url, headers } => self.remote(*kind, url, headers, answers),
            Way::Package { command, arguments, environment, .. } => {
                self.local(command, arguments, environment, answers)
            }
        }
    }

    fn remote(
        &self,
        kind: RemoteKind,
        url: &Template,
        headers: &[(String, Template)],
        answers: &Answers,
    ) -> Result<Draft, DraftError> {
        let url = url.filled(&self.inputs, answers, 0).ok_or_else(|| DraftError::Missing(Vec::new()))?;
        guarded(&url, "url")?;
        let begin = url.text.find("://").map_or(0, |at| at + 3);
        let end = url.text[begin..].find(['/', '?', '#', '\\']).map_or(url.text.len(), |at| begin + at);
        // What stands behind the scheme that the registry wrote is a part of a name, and no more than that.
        let ends_a_name = |word: &str| word.contains(['/', '?', '#', '@', '\\']);
        if begin > 0
            && !url.is_typed_before(begin)
            && (url.typed_in(begin, end).any(ends_a_name) || url.defaults_within(begin, end).any(ends_a_name))
        {
            return Err(DraftError::Elsewhere("url".to_owned()));
        }
        let mut entry = vec![
            ("type".to_owned(), Value::from(kind.as_str())),
            ("url".to_owned(), Value::from(&*url.text)),
        ];
        self.put(&mut entry, "headers", headers, answers)?;
        let host_is_typed = url.is_typed_before(end);
        Ok(Draft { entry: Value::Object(entry), url: Some(url.text), host_is_typed })
    }

    fn local(
        &self,
        command: &str,
        arguments: &[Argument],
        environment: &[(String, Template)],
        answers: &Answers,
    ) -> Result<Draft, DraftError> {
        let mut words = Vec::new();
        for argument in arguments {
            let Some(value) = &argument.value else {
                words.extend(argument.name.as_deref().map(Value::from));
                continue;
            };
            for number in 0..value.count(&self.inputs, answers) {
                // One that nothing was said about is left out.
                let Some(filled) = value.filled(&self.inputs, answers, number) else { continue };
                guarded(&filled, "arguments")?;
                words.extend(argument.name.as_deref().map(Value::from));
                if !(filled.text.is_empty() && argument.name.is_some()) {
                    words.push(Value::from(&*filled.text));
                }
            }
        }
        let mut entry = vec![
            ("type".to_owned(), Value::from("stdio")),
            ("command".to_owned(), Value::from(command)),
            ("args".to_owned(), Value::Array(words)),
        ];
        self.put(&mut entry, "env", environment, answers)?;
        Ok(Draft { entry: Value::Object(entry), url: None, host_is_typed: false })
    }

    /// Gives an entry the pairs that have a value.
    fn put(
        &self,
        entry: &mut Vec<(String, Value)>,
        key: &str,
        pairs: &[(String, Template)],
        answers: &Answers,
    ) -> Result<(), DraftError> {
        let mut members: Vec<(String, Value)> = Vec::new();
        for (name, value) in pairs {
            let Some(filled) = value.filled(&self.inputs, answers, 0) else { continue };
            guarded(&filled, key)?;
            members.retain(|(known, _)| known != name);
            members.push((name.clone(), Value::from(&*filled.text)));
        }
        if !members.is_empty() {
            entry.push((key.to_owned(), Value::Object(members)));
        }
        Ok(())
    }
}

fn guarded(filled: &TemplateText, place: &str) -> Result<(), DraftError> {
    if filled.names_no_variable() { Ok(()) } else { Err(DraftError::NamesVariable(place.to_owned())) }
}

/// The headers or the variables that `key` declares.
fn pairs(
    node: &Node<'_>,
    key: &str,
    is_name: impl Fn(&str) -> bool,
    inputs: &mut Inputs,
) -> Result<Vec<(String, Template)>, String> {
    let said = |fault: RegistryFault| fault.to_string();
    let mut pairs = Vec::new();
    for node in node.list_of(key).map_err(said)? {
        let name = node.required("name").and_then(|node| node.text()).map_err(said)?;
        if !is_name(name) {
            return Err(format!("{key}: {:?} is not a name for one", mcp_text::line(name, 40)));
        }
        pairs.push((name.to_owned(), Template::of_input(name, &node, inputs).map_err(said)?));
    }
    Ok(pairs)
}

/// A word of a command line as a person would type it: options, and inputs in braces, without quotation marks.
fn shell_word(word: &str) -> String {
    let bare: String = word.trim_start_matches('-').chars().filter(|c| !matches!(c, '{' | '}')).collect();
    if !bare.is_empty() && mcp_text::shell_word(&bare) == bare {
        return word.to_owned();
    }
    mcp_text::shell_word(word)
}

/// Whether this can be the name of a header (RFC 9110 section 5.1).
fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether this can be the name of a variable of the environment (POSIX.1-2017, chapter 8.1).
fn is_variable_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
