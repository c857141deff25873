//! References to variables as other hosts write them, and the same in ours.
//!
//! What a host does not replace is a text of the entry: a shell may replace it. Where our own files would, it is written so
//! that they do not (`${literal:..}`). What a host has without a default is written as `${env:NAME}`: the server is not
//! sent a text that only looks like a value.

use std::path::{Path, PathBuf};

use crate::expand;

/// A way to write a reference, which means nothing in a host that does not have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    /// `${NAME}`.
    Plain,
    /// The same, in headers alone.
    PlainInHeaders,
    /// `${NAME:-default}`.
    Default,
    /// `${env:NAME}`.
    Env,
    /// `${file:PATH}`.
    File,
    /// `${workspaceFolder}`, `${userHome}` and the other words of editors.
    Editor,
    /// `${input:ID}`.
    Input,
    /// Every reference of our own files.
    Ours,
    /// `$NAME`.
    Dollar,
    /// `{env:NAME}`, `{file:PATH}`.
    Braces,
    /// `$env:NAME`.
    DollarEnv,
}

/// What the words of editors stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct EditorVariables {
    /// The folder of the project.
    pub(crate) folder: PathBuf,
    pub(crate) home: Option<PathBuf>,
    /// The file is this person's own, so that the folder is another one with each project.
    pub(crate) changes: bool,
}

/// Something that a host asks a person for.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Input {
    /// What the host calls it.
    pub id: String,
    /// The variable that stands for it here.
    pub variable: String,
    /// What the host says when it asks.
    pub description: Option<String>,
    /// What is typed is not shown.
    pub secret: bool,
    /// What it is where nothing is typed. Never of a secret.
    pub(crate) default: Option<String>,
    /// What it may be, where that is chosen from a list.
    pub choices: Vec<String>,
    /// The command that the host runs for it, which is its own.
    pub(crate) command: Option<String>,
}

impl Input {
    /// Whether it is something without being typed.
    pub fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// What of its choices is meant by what was typed: its number, from 1, or itself; anything where there are none.
    pub fn chosen<'t>(&'t self, typed: &'t str) -> Option<&'t str> {
        if self.choices.is_empty() {
            return Some(typed);
        }
        let itself = self.choices.iter().find(|choice| *choice == typed);
        let number =
            || typed.parse::<usize>().ok()?.checked_sub(1).and_then(|number| self.choices.get(number));
        itself.or_else(number).map(String::as_str)
    }
}

/// The inputs that a file declares or refers to, each with a variable of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inputs(pub(crate) Vec<Input>);

impl Inputs {
    /// The input of this name; one that is not declared is taken for a secret.
    pub(crate) fn named(&mut self, id: &str) -> &mut Input {
        let at = self.0.iter().position(|input| input.id == id).unwrap_or_else(|| {
            let variable = self.free(id);
            let (id, choices) = (id.to_owned(), Vec::new());
            let (description, default, command) = (None, None, None);
            self.0.push(Input { id, variable, description, secret: true, default, choices, command });
            self.0.len() - 1
        });
        &mut self.0[at]
    }

    /// A name for the variable that no other input has.
    fn free(&self, id: &str) -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let mut name: String = id.chars().map(plain).collect();
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            name.insert_str(0, "INPUT_");
        }
        let taken = |name: &str| self.0.iter().any(|input| input.variable == name);
        let mut number = 2;
        let base = name.clone();
        while taken(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        name
    }
}

/// How a text is read by its host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syntax<'f> {
    pub(crate) forms: &'f [Form],
    /// It is the value of a header.
    pub(crate) of_header: bool,
    /// A command reads it, and perhaps a shell that replaces what its host has left.
    pub(crate) of_command: bool,
}

impl Syntax<'_> {
    fn has(self, form: Form) -> bool {
        self.forms.contains(&form)
    }

    fn has_plain(self) -> bool {
        self.has(Form::Plain) || self.of_header && self.has(Form::PlainInHeaders)
    }
}

/// A reference to the variable `name` in our spelling, without which nothing is sent.
pub(crate) fn required(name: &str) -> String {
    format!("${{env:{name}}}")
}

/// A text in our spelling.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct TranslatedText {
    pub(crate) text: String,
    /// References that nothing here stands for; they are left as they are.
    pub(crate) lost: Vec<String>,
    /// Something in it is a reference here and a text in its host; it is kept from being replaced.
    pub(crate) escaped: bool,
    /// The inputs that it refers to.
    pub(crate) inputs: Vec<String>,
    /// It names the folder of the project.
    pub(crate) folder: bool,
}

/// Writes the references of `text` as we do.
pub(crate) fn translate(
    text: &str,
    syntax: Syntax<'_>,
    around: &EditorVariables,
    inputs: &mut Inputs,
) -> TranslatedText {
    let mut out = TranslatedText::default();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        out.text.push_str(&rest[..at]);
        rest = &rest[at..];
        let mut length = out.reference(rest, syntax, around, inputs);
        if length == 0 {
            length = out.literal(rest, syntax);
        }
        rest = &rest[length..];
    }
    out.text.push_str(rest);
    out
}

impl TranslatedText {
    /// Writes the reference that `rest` begins with; returns its length, 0 where there is none.
    fn reference(
        &mut self,
        rest: &str,
        syntax: Syntax<'_>,
        around: &EditorVariables,
        inputs: &mut Inputs,
    ) -> usize {
        if rest.starts_with("${") {
            self.braced(rest, syntax, around, inputs)
        } else if let Some(inner) = rest.strip_prefix('{') {
            if !syntax.has(Form::Braces) {
                return 0;
            }
            let Some(end) = inner.find('}') else { return 0 };
            if let Some(name) = inner[..end].strip_prefix("env:").filter(|name| is_name(name)) {
                self.text.push_str(&required(name));
            } else if let Some(path) = inner[..end].strip_prefix("file:") {
                self.file(path, &rest[..end + 2], around);
            } else {
                return 0;
            }
            end + 2
        } else {
            let (prefix, form) =
                if rest.starts_with("$env:") { ("$env:", Form::DollarEnv) } else { ("$", Form::Dollar) };
            let inner = &rest[prefix.len()..];
            let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
            if !syntax.has(form) || !is_name(&inner[..end]) {
                return 0;
            }
            let name = &inner[..end];
            // The host leaves one that is not set to the shell, as it may be the shell's own.
            let is_left = form == Form::Dollar && syntax.of_command;
            self.text.push_str(&if is_left { format!("${{{name}}}") } else { required(name) });
            prefix.len() + end
        }
    }

    /// Writes what `rest`, which begins with a bracket or a dollar, has as a text; returns its length.
    fn literal(&mut self, rest: &str, syntax: Syntax<'_>) -> usize {
        // What is written in braces behind a dollar is a reference in a host that has those.
        let braces = ["{env:", "{file:"];
        let is_read_apart =
            syntax.has(Form::Braces) && braces.iter().any(|start| rest[1..].starts_with(start));
        let length = expand::replaced_length(rest).filter(|_| !syntax.has(Form::Ours) && !is_read_apart);
        match length {
            Some(length) => {
                self.text.push_str(&expand::escaped(&rest[..length]));
                self.escaped = true;
                length
            }
            None => {
                let width = rest.chars().next().map_or(1, char::len_utf8);
                self.text.push_str(&rest[..width]);
                width
            }
        }
    }

    /// Writes where a file is whose content stands in the place of `written`.
    fn file(&mut self, path: &str, written: &str, around: &EditorVariables) {
        match whole(path, around) {
            Some(path) => self.text.push_str(&format!("${{file:{path}}}")),
            None => {
                self.lost.push(written.to_owned());
                self.text.push_str(written);
            }
        }
    }

    /// Writes the `${word}` that `rest` begins with; returns its length, 0 where it is nothing that the host replaces.
    fn braced(
        &mut self,
        rest: &str,
        syntax: Syntax<'_>,
        around: &EditorVariables,
        inputs: &mut Inputs,
    ) -> usize {
        let inner = &rest["${".len()..];
        let Some(end) = inner.find('}') else { return 0 };
        let (word, length) = (&inner[..end], "${}".len() + end);
        // A default may have braces in it, and ends where our own would.
        if word.split_once(":-").is_some_and(|(name, _)| is_name(name)) {
            let whole =
                expand::replaced_length(rest).filter(|_| syntax.has_plain() && syntax.has(Form::Default));
            self.text.push_str(whole.map_or("", |length| &rest[..length]));
            return whole.unwrap_or(0);
        }
        if is_name(word) && syntax.has_plain() {
            self.text.push_str(&rest[..length]);
            return length;
        }
        let folder = || around.folder.display().to_string();
        let (kind, value) = word.split_once(':').unwrap_or((word, ""));
        match (kind, value) {
            ("env", value) if syntax.has(Form::Env) && is_name(value) => self.text.push_str(&required(value)),
            ("env", value)
                if syntax.has(Form::Env) && value.split_once(":-").is_some_and(|(name, _)| is_name(name)) =>
            {
                self.text.push_str(&format!("${{{value}}}"));
            }
            ("file", path) if syntax.has(Form::File) => self.file(path, &rest[..length], around),
            ("input", id) if syntax.has(Form::Input) && !id.is_empty() => {
                let input = inputs.named(id);
                self.text.push_str(
                    &match input.default.as_deref().filter(|default| !default.contains('}')) {
                        Some(default) if !input.secret => format!("${{{}:-{default}}}", input.variable),
                        _ => required(&input.variable),
                    },
                );
                self.inputs.push(id.to_owned());
            }
            _ if !syntax.has(Form::Editor) => return 0,
            ("workspaceFolder" | "workspaceRoot" | "fileWorkspaceFolder", _) | ("cwd", "") => {
                self.text.push_str(&folder());
                self.folder = true;
            }
            ("workspaceFolderBasename" | "workspaceRootFolderName", "") => {
                let name = around.folder.file_name().map(|name| name.to_string_lossy().into_owned());
                self.text.push_str(&name.unwrap_or_default());
                self.folder = true;
            }
            ("userHome", "") if around.home.is_some() => {
                let home = around.home.as_ref().map(|home| home.display().to_string());
                self.text.push_str(&home.unwrap_or_default());
            }
            ("pathSeparator" | "/", "") => self.text.push(std::path::MAIN_SEPARATOR),
            _ => return 0,
        }
        length
    }
}

/// The path of a file that a host reads; one that is relative is so to a folder which the entry will not be in.
fn whole(path: &str, around: &EditorVariables) -> Option<String> {
    match path.strip_prefix("~/") {
        Some(below) => around.home.as_ref().map(|home| home.join(below).display().to_string()),
        None => Path::new(path).is_absolute().then(|| path.to_owned()),
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDITOR: &[Form] = &[Form::Env, Form::Editor, Form::Input];

    fn read(text: &str, forms: &[Form], of_header: bool) -> TranslatedText {
        let around =
            EditorVariables { folder: "/work/app".into(), home: Some("/home/me".into()), changes: false };
        let mut inputs = Inputs::default();
        inputs.named("key");
        let input = inputs.named("region");
        (input.secret, input.default) = (false, Some("eu".to_owned()));
        translate(text, Syntax { forms, of_header, of_command: !of_header }, &around, &mut inputs)
    }

    fn translated(text: &str, forms: &[Form]) -> (String, Vec<String>) {
        let found = read(text, forms, false);
        (found.text, found.lost)
    }

    #[test]
    fn references_of_editors_are_written_as_ours() {
        for (theirs, ours) in [
            ("Bearer ${env:TOKEN}", "Bearer ${env:TOKEN}"),
            ("${env:A}${env:B:-c}", "${env:A}${B:-c}"),
            ("$A {env:A} {file:/k}", "$A {env:A} {file:/k}"),
            ("${workspaceFolder}/x", "/work/app/x"),
            ("${workspaceFolder:app}/x", "/work/app/x"),
            ("${workspaceFolderBasename}", "app"),
            ("${userHome}/.x", "/home/me/.x"),
            ("Bearer ${input:key}", "Bearer ${env:KEY}"),
            ("${input:region}", "${REGION:-eu}"),
            ("${input:other-one}", "${env:OTHER_ONE}"),
            ("${", "${"),
            ("a${b%.*}c$", "a${b%.*}c$"),
            ("{ä}${ä}", "{ä}${ä}"),
        ] {
            assert_eq!(translated(theirs, EDITOR).0, ours, "{theirs}");
        }
        let theirs = "${command:x}-${config:a.b}";
        // The reader of entries tells of what it does not know.
        assert_eq!(translated(theirs, EDITOR), (theirs.to_owned(), Vec::new()));
    }

    #[test]
    fn forms_count_in_the_hosts_that_have_them() {
        let all = [Form::Dollar, Form::Braces, Form::DollarEnv];
        for (theirs, ours) in [
            ("for f in $A/$B_1-", "for f in ${A}/${B_1}-"),
            ("$1 $$ $(x) pa$", "$1 $$ $(x) pa$"),
            ("{env:A}{x}", "${env:A}{x}"),
            ("$env:A", "${env:A}"),
        ] {
            assert_eq!(translated(theirs, &all).0, ours, "{theirs}");
            assert_eq!(translated(theirs, &[]).0, theirs, "{theirs}");
        }
        for (theirs, ours) in
            [("a{file:~/k}", "a${file:/home/me/k}"), ("{file:/run/k}{env:A}", "${file:/run/k}${env:A}")]
        {
            assert_eq!(translated(theirs, &all), (ours.to_owned(), Vec::new()));
        }
        assert_eq!(translated("{file:./k}", &all), ("{file:./k}".to_owned(), vec!["{file:./k}".to_owned()]));
        assert_eq!(translated("${file:/run/k}", &[Form::File]).0, "${file:/run/k}");
        // What a server is sent is not left to a shell.
        assert_eq!(read("Bearer $A", &all, true).text, "Bearer ${env:A}");
    }

    /// What comes of it in a file of ours is the text that the host has.
    #[test]
    fn fh_h5_what_a_host_does_not_replace_is_a_text_in_our_files_too() {
        let env = crate::Env::from([("MODE", "set"), ("A", "1")]);
        for (forms, theirs, value) in [
            (&[][..], "echo ${MODE:-dev}", "echo ${MODE:-dev}"),
            (EDITOR, "echo ${MODE:-dev} ${MODE} ${env:A}", "echo ${MODE:-dev} ${MODE} 1"),
            (&[Form::Env, Form::File], "${MODE} ${workspaceFolder}", "${MODE} ${workspaceFolder}"),
            (&[Form::Braces], "${MODE} ${env:A} {env:A}", "${MODE} $1 1"),
            (&[Form::Plain], "${MODE:-dev} ${MODE} ${env:A}", "${MODE:-dev} set ${env:A}"),
            (&[Form::Plain, Form::Default], "${MODE:-${A}}${NO:-{d}}", "set{d}"),
            (&[Form::PlainInHeaders], "${MODE}", "${MODE}"),
            (&[Form::Dollar], "$MODE ${MODE}", "set ${MODE}"),
            (&[], "${cmd:touch /x} ${keyring:a/b} ${file:/k}", "${cmd:touch /x} ${keyring:a/b} ${file:/k}"),
            (&[], "${literal:${A}}", "${literal:${A}}"),
            (&[], "${A:-${B:-{c}}} $A ${A%.*}", "${A:-${B:-{c}}} $A ${A%.*}"),
            // Its own words are ours.
            (&[Form::Ours], "${MODE:-dev} ${literal:${A}}", "set ${A}"),
        ] {
            let text = expand::Text::expand(&translated(theirs, forms).0, &env);
            assert_eq!(text.expose(), value, "{theirs} of {forms:?}");
            assert_eq!(text.references().count(), 0, "{theirs} of {forms:?}");
        }
        assert_eq!(read("${MODE}", &[Form::PlainInHeaders], true).text, "${MODE}");
        assert!(read("${MODE}", &[Form::PlainInHeaders], false).escaped);
        assert!(!read("$MODE ${x%.*} {MODE}", &[], false).escaped);
    }

    #[test]
    fn a_choice_is_itself_or_its_number() {
        let mut inputs = Inputs::default();
        let input = inputs.named("region");
        assert_eq!(input.chosen("anything"), Some("anything"));
        input.choices = ["eu", "1", "us"].map(str::to_owned).into();
        let chosen = ["eu", "3", "1", "0", "4", "asia", ""].map(|typed| input.chosen(typed));
        assert_eq!(chosen, [Some("eu"), Some("us"), Some("1"), None, None, None, None]);
    }

    #[test]
    fn inputs_have_a_variable_each() {
        let mut inputs = Inputs::default();
        assert_eq!(inputs.named("a-b").variable, "A_B");
        assert_eq!(inputs.named("a_b").variable, "A_B_2");
        assert_eq!(inputs.named("a-b").variable, "A_B");
        assert_eq!(inputs.named("1x").variable, "INPUT_1X");
    }
}
