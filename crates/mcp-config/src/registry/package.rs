//! Packages, as the commands that run them: `npx`, `uvx` and `docker`, each with a name and a version of its own index.
//!
//! The words of a package come in three groups, and only the last may be anything: the runner and its own options, the name
//! of the package, and what its program gets. A name is one of its kind of package, never an address, a path or an option.

use super::reading::{Node, RegistryFault};
use super::template::{Inputs, Template};

/// How packages of one kind are run.
struct Runner {
    /// The word of the schema.
    kind: &'static str,
    /// The programs that run it, the usual one first; `runtimeHint` chooses.
    programs: &'static [&'static str],
    /// What comes before everything else.
    before: &'static [&'static str],
    /// Other spellings of that, which are not said again.
    same: &'static [&'static str],
    /// Where packages come from, unless another index is named, and the option that names it.
    index: Option<(&'static str, &'static str)>,
    /// What stands between the name and the version.
    at: char,
    is_name: fn(&str) -> bool,
}

const RUNNERS: [Runner; 3] = [
    Runner {
        kind: "npm",
        programs: &["npx"],
        before: &["-y"],
        same: &["-y", "--yes"],
        index: Some(("https://registry.npmjs.org", "--registry")),
        at: '@',
        is_name: is_npm_name,
    },
    Runner {
        kind: "pypi",
        programs: &["uvx"],
        before: &[],
        same: &[],
        index: Some(("https://pypi.org", "--default-index")),
        at: '@',
        is_name: is_pypi_name,
    },
    Runner {
        kind: "oci",
        programs: &["docker", "podman"],
        before: &["run", "-i", "--rm"],
        same: &["run", "-i", "--interactive", "--rm"],
        index: None,
        at: ':',
        is_name: is_image,
    },
];

/// An argument of a command: a name, a value, or both as two words.
#[derive(Clone, Debug)]
pub(super) struct Argument {
    pub(super) name: Option<String>,
    pub(super) value: Option<Template>,
}

impl Argument {
    fn word(word: &str) -> Self {
        Self { name: None, value: Some(Template::plain(word)) }
    }
}

/// A package, read.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) kind: &'static str,
    pub(super) command: &'static str,
    /// Of the runner.
    before: Vec<Argument>,
    /// With its version.
    name: String,
    /// Of the program in it.
    behind: Vec<Argument>,
    pub(super) notes: Vec<String>,
}

impl Package {
    /// Reads a package; `what` becomes what it is called.
    pub(super) fn read(node: &Node<'_>, what: &mut String, inputs: &mut Inputs) -> Result<Self, String> {
        let said = |fault: RegistryFault| fault.to_string();
        let kind = node.required("registryType").and_then(|node| node.text()).map_err(said)?;
        let identifier = node.plain_of("identifier").map_err(said)?.ok_or("it has no identifier")?;
        *what = format!("{kind} package {identifier}");
        let Some(runner) = RUNNERS.iter().find(|runner| runner.kind == kind) else {
            return Err("packages of this kind are not started from an entry".to_owned());
        };
        if let Some(transport) = node.member("transport").map_err(said)? {
            match transport.required("type").and_then(|node| node.text()).map_err(said)? {
                "stdio" => {}
                _ => {
                    return Err("it speaks over an address of its own once it is started, and not on stdin"
                        .to_owned());
                }
            }
        }
        let name = runner.named(node, identifier)?;
        let hint = node.text_of("runtimeHint").map_err(said)?;
        let before = arguments(node, "runtimeArguments", inputs)?;
        let command = runner.program(hint.as_deref(), before.is_empty())?;
        let mut notes = Vec::new();
        if node.member("fileSha256").map_err(said)?.is_some() {
            notes.push(format!("the checksum of the package is not checked: {command} fetches it"));
        }
        let mut all: Vec<Argument> = runner.before.iter().map(|word| Argument::word(word)).collect();
        all.extend(before.into_iter().filter(|argument| !runner.repeats(argument)));
        all.extend(runner.other_index(node)?);
        let behind = arguments(node, "packageArguments", inputs)?;
        Ok(Self { kind: runner.kind, command, before: all, name, behind, notes })
    }

    /// The words behind the command. A container gets the variables of these names.
    pub(super) fn arguments<'a>(&self, variables: impl Iterator<Item = &'a str>) -> Vec<Argument> {
        let mut arguments = self.before.clone();
        if self.kind == "oci" {
            for name in variables {
                arguments.extend([Argument::word("-e"), Argument::word(name)]);
            }
        }
        arguments.push(Argument::word(&self.name));
        arguments.extend(self.behind.iter().cloned());
        arguments
    }
}

impl Runner {
    fn named(&self, node: &Node<'_>, identifier: String) -> Result<String, String> {
        let said = |fault: RegistryFault| fault.to_string();
        if !(self.is_name)(&identifier) {
            return Err(format!("that is not a name of a package of {}", self.kind));
        }
        let version = node.plain_of("version").map_err(said)?;
        let Some(version) = version else { return Ok(identifier) };
        let is_version = !version.is_empty()
            && version.len() <= 128
            && version.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c));
        if !is_version {
            return Err("its version is none".to_owned());
        }
        // An image may have its version in its name already.
        let last = identifier.rsplit('/').next().unwrap_or_default();
        if self.at == ':' && last.contains([':', '@']) {
            return Ok(identifier);
        }
        Ok(format!("{identifier}{}{version}", self.at))
    }

    /// The program that is named, where it runs these packages.
    fn program(&self, hint: Option<&str>, has_no_options: bool) -> Result<&'static str, String> {
        let known = self.programs.iter().copied().find(|program| hint == Some(program));
        match (known, hint, self.programs.first()) {
            (Some(program), ..) => Ok(program),
            // Its options would mean something else to another program.
            (None, Some(hint), _) if !has_no_options => {
                Err(format!("it is run by {:?}, which is not known here", mcp_text::line(hint, 40)))
            }
            (None, _, Some(usual)) => Ok(usual),
            (None, _, None) => Err("nothing runs it".to_owned()),
        }
    }

    /// Whether an option says what is said anyway.
    fn repeats(&self, argument: &Argument) -> bool {
        // An option with an empty value is one without.
        let value = argument.value.as_ref().map(Template::literal).filter(|value| *value != Some(""));
        match (&argument.name, value) {
            (Some(name), None) => self.same.contains(&name.as_str()),
            (None, Some(Some(word))) => self.same.contains(&word),
            _ => false,
        }
    }

    /// The option for an index that is not the usual one.
    fn other_index(&self, node: &Node<'_>) -> Result<Vec<Argument>, String> {
        let url = node.plain_of("registryBaseUrl").map_err(|fault| fault.to_string())?;
        let url = url.as_deref().map(|url| url.trim_end_matches('/'));
        match (url, self.index) {
            (None, _) => Ok(Vec::new()),
            (Some(url), Some((usual, _))) if url == usual => Ok(Vec::new()),
            (Some("https://docker.io" | "docker.io"), None) => Ok(Vec::new()),
            (Some(url), Some((_, option))) if is_index(url) => {
                Ok(vec![Argument { name: Some(option.to_owned()), value: Some(Template::plain(url)) }])
            }
            (Some(_), _) => Err("it comes from another index, which is not named as one can be".to_owned()),
        }
    }
}

/// The arguments that `key` declares.
fn arguments(node: &Node<'_>, key: &str, inputs: &mut Inputs) -> Result<Vec<Argument>, String> {
    let said = |fault: RegistryFault| fault.to_string();
    let mut arguments = Vec::new();
    for (number, node) in node.list_of(key).map_err(said)?.into_iter().enumerate() {
        let name = match node.required("type").and_then(|node| node.text()).map_err(said)? {
            "named" => Some(node.plain_of("name").map_err(said)?.ok_or("an argument has no name")?),
            "positional" => None,
            other => return Err(format!("an argument of the type {:?}", mcp_text::line(other, 40))),
        };
        let hint = node.plain_of("valueHint").map_err(said)?;
        let id = match (&name, hint) {
            (Some(name), _) => name.trim_start_matches('-').to_owned(),
            (None, Some(hint)) => hint,
            (None, None) => format!("argument{}", number + 1),
        };
        // An option of which nothing more is said takes no value.
        let mut is_option = name.is_some();
        for key in
            ["value", "default", "choices", "description", "placeholder", "isRequired", "isSecret", "format"]
        {
            is_option &= node.member(key).map_err(said)?.is_none();
        }
        let value = match is_option {
            true => None,
            false => Some(Template::of_input(&id, &node, inputs).map_err(said)?),
        };
        arguments.push(Argument { name, value });
    }
    Ok(arguments)
}

/// Whether this is an address of an index: over https, and plain.
fn is_index(url: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
    url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && rest.chars().all(plain))
}

/// `name` or `@scope/name`.
fn is_npm_name(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-~".contains(c))
    };
    match name.strip_prefix('@') {
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, name)| is_part(scope) && is_part(name)),
        None => is_part(name),
    }
}

/// A name as PEP 508 has it.
fn is_pypi_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A reference to an image, with or without its index, tag and digest.
fn is_image(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("//")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-:/@".contains(c))
}
