//! References to variables as other hosts write them, and the same in ours.

use std::path::{Path, PathBuf};

/// Ways to write a reference that mean nothing in a host that does not have them.
///
/// `${NAME}`, `${NAME:-default}`, `${env:NAME}` and the words of editors (`${workspaceFolder}`) need no entry: no one
/// writes them and means something else.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
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
}

impl Input {
    /// Whether it is something without being typed.
    pub fn has_default(&self) -> bool {
        self.default.is_some()
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
            let input = Input { id: id.to_owned(), variable, description: None, secret: true, default: None };
            self.0.push(input);
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

/// A text in our spelling.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct TranslatedText {
    pub(crate) text: String,
    /// References that nothing here stands for; they are left as they are.
    pub(crate) lost: Vec<String>,
    /// The inputs that it refers to.
    pub(crate) inputs: Vec<String>,
    /// It names the folder of the project.
    pub(crate) folder: bool,
}

/// Writes the references of `text` as we do.
pub(crate) fn translate(
    text: &str,
    forms: &[Form],
    around: &EditorVariables,
    inputs: &mut Inputs,
) -> TranslatedText {
    let mut out = TranslatedText::default();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        out.text.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = out.reference(rest, forms, around, inputs);
        if length == 0 {
            let width = rest.chars().next().map_or(1, char::len_utf8);
            out.text.push_str(&rest[..width]);
            rest = &rest[width..];
        } else {
            rest = &rest[length..];
        }
    }
    out.text.push_str(rest);
    out
}

impl TranslatedText {
    /// Writes the reference that `rest` begins with; returns its length, 0 where there is none.
    fn reference(
        &mut self,
        rest: &str,
        forms: &[Form],
        around: &EditorVariables,
        inputs: &mut Inputs,
    ) -> usize {
        if let Some(inner) = rest.strip_prefix("${") {
            let Some(end) = inner.find('}') else { return 0 };
            let whole = "${}".len() + end;
            match &inner[..end] {
                word if self.braced(word, around, inputs) => whole,
                _ => 0,
            }
        } else if let Some(inner) = rest.strip_prefix('{') {
            if !forms.contains(&Form::Braces) {
                return 0;
            }
            let Some(end) = inner.find('}') else { return 0 };
            if let Some(name) = inner[..end].strip_prefix("env:").filter(|name| is_name(name)) {
                self.text.push_str(&format!("${{{name}}}"));
            } else if let Some(path) = inner[..end].strip_prefix("file:") {
                match whole(path, around) {
                    Some(path) => self.text.push_str(&format!("${{file:{path}}}")),
                    None => {
                        self.lost.push(format!("{{{}}}", &inner[..end]));
                        self.text.push_str(&rest[..end + 2]);
                    }
                }
            } else {
                return 0;
            }
            end + 2
        } else {
            let (prefix, form) =
                if rest.starts_with("$env:") { ("$env:", Form::DollarEnv) } else { ("$", Form::Dollar) };
            let inner = &rest[prefix.len()..];
            let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
            if !forms.contains(&form) || !is_name(&inner[..end]) {
                return 0;
            }
            self.text.push_str(&format!("${{{}}}", &inner[..end]));
            prefix.len() + end
        }
    }

    /// Writes `${word}`; `false` where it is nothing that another host means something by.
    fn braced(&mut self, word: &str, around: &EditorVariables, inputs: &mut Inputs) -> bool {
        let folder = || around.folder.display().to_string();
        let (kind, value) = word.split_once(':').unwrap_or((word, ""));
        match (kind, value) {
            ("env", value) if is_name(value.split(":-").next().unwrap_or(value)) => {
                self.text.push_str(&format!("${{{value}}}"));
            }
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
            ("input", id) if !id.is_empty() => {
                let input = inputs.named(id);
                self.text.push_str(
                    &match input.default.as_deref().filter(|default| !default.contains('}')) {
                        Some(default) if !input.secret => format!("${{{}:-{default}}}", input.variable),
                        _ => format!("${{{}}}", input.variable),
                    },
                );
                self.inputs.push(id.to_owned());
            }
            _ => return false,
        }
        true
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

    fn translated(text: &str, forms: &[Form]) -> (String, Vec<String>) {
        let around =
            EditorVariables { folder: "/work/app".into(), home: Some("/home/me".into()), changes: false };
        let mut inputs = Inputs::default();
        inputs.named("key");
        let input = inputs.named("region");
        (input.secret, input.default) = (false, Some("eu".to_owned()));
        let found = translate(text, forms, &around, &mut inputs);
        (found.text, found.lost)
    }

    #[test]
    fn references_of_editors_are_written_as_ours() {
        for (theirs, ours) in [
            ("Bearer ${env:TOKEN}", "Bearer ${TOKEN}"),
            ("${env:A}${env:B:-c}", "${A}${B:-c}"),
            ("${A} ${A:-b} $A {env:A}", "${A} ${A:-b} $A {env:A}"),
            ("${workspaceFolder}/x", "/work/app/x"),
            ("${workspaceFolder:app}/x", "/work/app/x"),
            ("${workspaceFolderBasename}", "app"),
            ("${userHome}/.x", "/home/me/.x"),
            ("Bearer ${input:key}", "Bearer ${KEY}"),
            ("${input:region}", "${REGION:-eu}"),
            ("${input:other-one}", "${OTHER_ONE}"),
            ("${", "${"),
            ("a${b%.*}c$", "a${b%.*}c$"),
            ("{ä}${ä}", "{ä}${ä}"),
        ] {
            assert_eq!(translated(theirs, &[]).0, ours, "{theirs}");
        }
        let theirs = "${command:x}-${config:a.b}";
        // The reader of entries tells of what it does not know.
        assert_eq!(translated(theirs, &[]), (theirs.to_owned(), Vec::new()));
    }

    #[test]
    fn forms_count_in_the_hosts_that_have_them() {
        let all = [Form::Dollar, Form::Braces, Form::DollarEnv];
        for (theirs, ours) in [
            ("$A/$B_1-", "${A}/${B_1}-"),
            ("$1 $$ $(x) pa$", "$1 $$ $(x) pa$"),
            ("{env:A}{x}", "${A}{x}"),
            ("$env:A", "${A}"),
        ] {
            assert_eq!(translated(theirs, &all).0, ours, "{theirs}");
            assert_eq!(translated(theirs, &[]).0, theirs, "{theirs}");
        }
        for (theirs, ours) in
            [("a{file:~/k}", "a${file:/home/me/k}"), ("{file:/run/k}{env:A}", "${file:/run/k}${A}")]
        {
            assert_eq!(translated(theirs, &all), (ours.to_owned(), Vec::new()));
        }
        assert_eq!(translated("{file:./k}", &all), ("{file:./k}".to_owned(), vec!["{file:./k}".to_owned()]));
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
