//! Texts with `{name}` in them, what a person is asked for, and the texts that come of the answers.

use std::collections::BTreeMap;
use std::ops::Range;

use super::reading::{Node, RegistryFault};
use crate::reference;

/// What an answer has to be.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum InputFormat {
    /// Any text.
    #[default]
    Text,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// The path of a file of this machine.
    FilePath,
}

/// Something that a person says before there is an entry. The texts are a stranger's.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RegistryInput {
    /// What it is called: the name of a variable, a header or an argument.
    pub id: String,
    /// What to tell the person.
    pub description: Option<String>,
    /// What an answer may look like.
    pub placeholder: Option<String>,
    /// There is no entry without it.
    pub required: bool,
    /// It is a secret, and is answered with a reference: it never is in a file.
    pub secret: bool,
    /// What an answer has to be.
    pub format: InputFormat,
    /// What it is where nothing is said. Never of a secret.
    pub default: Option<String>,
    /// What can be said, where not everything can.
    pub choices: Vec<String>,
    /// It may be said more than once.
    pub repeated: bool,
}

impl RegistryInput {
    /// Reads what is said of an input.
    fn read(id: &str, node: &Node<'_>) -> Result<Self, RegistryFault> {
        let secret = node.flag_of("isSecret")?.unwrap_or_default();
        let choices = node.list_of("choices")?;
        let choices: Result<Vec<_>, _> = choices.iter().map(|node| node.text().map(str::to_owned)).collect();
        Ok(Self {
            id: id.to_owned(),
            description: node.text_of("description")?,
            placeholder: node.text_of("placeholder")?,
            required: node.flag_of("isRequired")?.unwrap_or_default(),
            secret,
            format: match node.text_of("format")?.as_deref() {
                Some("number") => InputFormat::Number,
                Some("boolean") => InputFormat::Boolean,
                Some("filepath") => InputFormat::FilePath,
                _ => InputFormat::Text,
            },
            default: node.plain_of("default")?,
            choices: choices?,
            repeated: node.flag_of("isRepeated")?.unwrap_or_default(),
        })
    }

    /// One of which only the name is known.
    fn undeclared(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            description: None,
            placeholder: None,
            required: true,
            secret: false,
            format: InputFormat::Text,
            default: None,
            choices: Vec::new(),
            repeated: false,
        }
    }

    /// Whether `answer` is one.
    ///
    /// # Errors
    ///
    /// What it has to be: a fragment that does not repeat it, for it may be a secret.
    pub fn check(&self, answer: &str) -> Result<(), String> {
        if self.secret {
            return match is_whole_reference(answer) {
                true => Ok(()),
                false => Err(
                    "is a secret, which is never written into a file: ${NAME} stands for what a variable \
                         holds, and ${keyring:SERVICE/NAME} for what the keyring does"
                        .to_owned(),
                ),
            };
        }
        // What a variable holds is known later.
        if answer.contains("${") {
            return Ok(());
        }
        if !self.choices.is_empty() && !self.choices.iter().any(|choice| choice == answer) {
            let choices: Vec<_> =
                self.choices.iter().take(12).map(|choice| mcp_text::line(choice, 40)).collect();
            return Err(format!("is one of {}", choices.join(", ")));
        }
        match self.format {
            InputFormat::Number if answer.parse::<f64>().is_err() => Err("is a number".to_owned()),
            InputFormat::Boolean if !matches!(answer, "true" | "false") => Err("is true or false".to_owned()),
            _ if answer.contains(['\n', '\r', '\0']) => Err("is one line".to_owned()),
            _ => Ok(()),
        }
    }

    /// The variable that holds this secret for the entry `server`, where a person names no other one.
    ///
    /// Both names may be a stranger's, so neither makes up a variable that means something else: it begins with
    /// `MCPLINK_`, and two underscores part the names, which have none in themselves.
    pub fn variable(&self, server: &str) -> String {
        format!("MCPLINK_{}__{}", variable_part(server), variable_part(&self.id))
    }
}

/// Whether an answer is where a secret is, and nothing else: `${NAME}`, `${keyring:SERVICE/NAME}` and their like.
fn is_whole_reference(answer: &str) -> bool {
    let is_elsewhere = || {
        let (length, written) = reference::leading(answer)?;
        Some(length == answer.len() && written.fault().is_none())
    };
    whole_reference(answer).is_some() || is_elsewhere() == Some(true)
}

/// The variable that an answer consists of, and nothing else: `${NAME}`, `${env:NAME}`.
fn whole_reference(answer: &str) -> Option<&str> {
    answer.strip_prefix("${")?;
    // As the reader of entries has them.
    mcp_text::variable(answer).filter(|name| !name.contains('-'))
}

/// What a name is in the name of a variable: capitals, digits, and one underscore for whatever is between them.
pub(crate) fn variable_part(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_uppercase).collect::<Vec<_>>().join("_")
}

/// The inputs of an offer, each once.
#[derive(Debug, Default)]
pub(super) struct Inputs(Vec<RegistryInput>);

impl Inputs {
    /// The number of an input; what is said of it in several places holds together.
    fn add(&mut self, input: RegistryInput) -> usize {
        let Some(at) = self.0.iter().position(|known| known.id == input.id) else {
            self.0.push(input);
            return self.0.len() - 1;
        };
        let known = &mut self.0[at];
        known.required |= input.required;
        known.secret |= input.secret;
        known.repeated &= input.repeated;
        known.description = known.description.take().or(input.description);
        known.default = known.default.take().or(input.default);
        at
    }

    /// All of them, once nothing more is said of any.
    pub(super) fn finished(mut self) -> Vec<RegistryInput> {
        // What everybody can read in a registry is not a secret; whatever part of a description calls it one, it is not written.
        for input in self.0.iter_mut().filter(|input| input.secret) {
            input.default = None;
        }
        self.0
    }
}

/// A text with inputs in it.
#[derive(Clone, Debug)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Input(usize),
}

impl Template {
    /// A text without inputs.
    pub(super) fn plain(text: &str) -> Self {
        Self(vec![Piece::Text(text.to_owned())])
    }

    /// A text whose `{name}` are the inputs that `node` declares in `variables`. Others stay as they are, unless
    /// `takes_all`: then each is an input that must be answered.
    pub(super) fn with_variables(
        text: &str,
        node: &Node<'_>,
        takes_all: bool,
        inputs: &mut Inputs,
    ) -> Result<Self, RegistryFault> {
        let mut declared = BTreeMap::new();
        for (name, spec) in node.members_of("variables")? {
            declared.insert(name.to_owned(), RegistryInput::read(name, &spec)?);
        }
        let mut pieces = Vec::new();
        let (mut literal, mut rest) = (String::new(), text);
        while let Some(open) = rest.find('{') {
            let end = rest[open..].find('}').map(|end| open + end);
            let name = end.map(|end| &rest[open + 1..end]);
            let input = name.and_then(|name| match declared.get(name) {
                Some(input) => Some(input.clone()),
                None => (takes_all && is_identifier(name)).then(|| RegistryInput::undeclared(name)),
            });
            let (Some(mut input), Some(end)) = (input, end) else {
                literal.push_str(&rest[..=open]);
                rest = &rest[open + 1..];
                continue;
            };
            // Where the text cannot do without it.
            input.required |= takes_all;
            // `${name}` is `{name}` in the spelling of shells.
            literal.push_str(rest[..open].strip_suffix('$').unwrap_or(&rest[..open]));
            if !literal.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut literal)));
            }
            pieces.push(Piece::Input(inputs.add(input)));
            rest = &rest[end + 1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            pieces.push(Piece::Text(literal));
        }
        Ok(Self(pieces))
    }

    /// The value of a header, a variable or an argument: its `value` with the variables in it, or else what is answered to
    /// the input `id`, which it is itself.
    pub(super) fn of_input(id: &str, node: &Node<'_>, inputs: &mut Inputs) -> Result<Self, RegistryFault> {
        let own = RegistryInput::read(id, node)?;
        let Some(value) = node.plain_of("value")? else {
            return Ok(Self(vec![Piece::Input(inputs.add(own))]));
        };
        let template = Self::with_variables(&value, node, false, inputs)?;
        // What is said of the whole holds for what it is made of.
        for piece in &template.0 {
            if let Piece::Input(at) = piece {
                let input = &mut inputs.0[*at];
                input.required |= own.required;
                input.secret |= own.secret;
            }
        }
        Ok(template)
    }

    /// Its text with the inputs as they are declared.
    pub(super) fn shown(&self, inputs: &[RegistryInput]) -> String {
        let shown = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Input(at) => format!("{{{}}}", inputs[*at].id),
        };
        self.0.iter().map(shown).collect()
    }

    /// The numbers of the inputs in it.
    pub(super) fn inputs(&self) -> impl Iterator<Item = usize> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Input(at) => Some(*at),
            Piece::Text(_) => None,
        })
    }

    /// Its text up to the first input, and whether there is one.
    pub(super) fn beginning(&self) -> (&str, bool) {
        match self.0.as_slice() {
            [Piece::Text(text)] => (text, false),
            [Piece::Text(text), ..] => (text, true),
            other => ("", !other.is_empty()),
        }
    }

    /// Its text, where there are no inputs in it.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// How often it is said: once, or as often as the one input is answered that it consists of.
    pub(super) fn count(&self, inputs: &[RegistryInput], answers: &Answers) -> usize {
        match self.0[..] {
            [Piece::Input(at)] if inputs[at].repeated => answers.of(&inputs[at].id).len().max(1),
            _ => 1,
        }
    }

    /// The text that comes of the answers; `None` where one is missing. `number` chooses among repeated answers.
    pub(super) fn filled(
        &self,
        inputs: &[RegistryInput],
        answers: &Answers,
        number: usize,
    ) -> Option<TemplateText> {
        let mut filled = TemplateText::default();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => filled.text.push_str(text),
                Piece::Input(at) => {
                    let input = &inputs[*at];
                    let answered = answers.of(&input.id);
                    match (answered.get(number).or(answered.first()), &input.default) {
                        (Some(answer), _) => {
                            let start = filled.text.len();
                            filled.text.push_str(answer);
                            filled.typed.push(start..filled.text.len());
                        }
                        (None, Some(default)) => {
                            let start = filled.text.len();
                            filled.text.push_str(default);
                            filled.defaults.push(start..filled.text.len());
                        }
                        (None, None) => return None,
                    }
                }
            }
        }
        Some(filled)
    }
}

/// A text that is made of a registry's words and a person's.
#[derive(Debug, Default)]
pub(super) struct TemplateText {
    pub(super) text: String,
    /// Where a person's words stand in it.
    typed: Vec<Range<usize>>,
    /// Where a registry's words stand in it in the place of an answer.
    defaults: Vec<Range<usize>>,
}

impl TemplateText {
    /// Whether every `${` in it is a person's: none of the registry's words names a variable of this machine.
    pub(super) fn names_no_variable(&self) -> bool {
        self.text
            .match_indices("${")
            .all(|(at, _)| self.typed.iter().any(|typed| typed.start <= at && at + 2 <= typed.end))
    }

    /// Whether any of the first `end` bytes is a person's.
    pub(super) fn is_typed_before(&self, end: usize) -> bool {
        self.typed.iter().any(|typed| typed.start < end)
    }

    /// The defaults that begin at `from` or behind it and before `to`, in front of more of the same word: what ends in one of
    /// them was shown as a part of something else.
    pub(super) fn defaults_within(&self, from: usize, to: usize) -> impl Iterator<Item = &str> {
        let within = move |default: &&Range<usize>| {
            let behind = self.text[default.end..].chars().next();
            default.start >= from && default.start < to && !matches!(behind, None | Some('/' | '?' | '#'))
        };
        self.defaults.iter().filter(within).map(|default| &self.text[default.clone()])
    }

    /// The words of a person that begin at `from` or behind it, and before `to`.
    pub(super) fn typed_in(&self, from: usize, to: usize) -> impl Iterator<Item = &str> {
        let within = move |typed: &&Range<usize>| typed.start >= from && typed.start < to;
        self.typed.iter().filter(within).map(|typed| &self.text[typed.clone()])
    }
}

/// What a person said, by the names of inputs.
#[derive(Clone, Default)]
pub struct Answers(BTreeMap<String, Vec<String>>);

impl Answers {
    /// Adds an answer. `${env:NAME}` is written as `${NAME}`.
    pub fn add(&mut self, input: &RegistryInput, answer: &str) {
        let answer = match whole_reference(answer) {
            Some(name) => format!("${{{name}}}"),
            None => answer.to_owned(),
        };
        self.0.entry(input.id.clone()).or_default().push(answer);
    }

    /// Whether there is one to this input.
    pub fn has(&self, input: &RegistryInput) -> bool {
        self.0.contains_key(&input.id)
    }

    fn of(&self, id: &str) -> &[String] {
        self.0.get(id).map(Vec::as_slice).unwrap_or_default()
    }
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether this may be the name of a variable of a template.
fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}
