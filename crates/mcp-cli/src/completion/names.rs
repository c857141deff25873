//! The names that a server listed last, kept for completion: nothing is contacted when a key is pressed.

use mcp_bridge::Memory as _;
use mcp_connect::ConfiguredServer;
use mcp_text::Secrets;
use mcp_transport::tools::ToolList;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::live::description::DescriptionFile;
use crate::view::{shown, signature};

/// How many names of one kind are kept.
const MOST: usize = 1_000;

/// What one server listed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct ListedNames {
    pub(crate) tools: Vec<ListedName>,
    pub(crate) prompts: Vec<ListedName>,
}

/// A tool or a prompt.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct ListedName {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) arguments: Vec<ListedArgument>,
}

/// An argument of one.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct ListedArgument {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) choices: Vec<String>,
}

impl ListedNames {
    /// What this server listed last; nothing where it has not, or may not be contacted any more. From now on, names are kept:
    /// who never completes one has no file of them, because looking at a server changes nothing on disk.
    pub(crate) fn of(app: &App, configured: &ConfiguredServer) -> Self {
        let Some(file) = DescriptionFile::of_names(app, configured) else { return Self::default() };
        file.make_folder();
        Self::kept(&file)
    }

    /// Has names be kept from now on, where that can be done.
    pub(crate) fn make_folder(app: &App) {
        if let Some(cache) = app.cache_dir() {
            DescriptionFile::make_folder_of_names(&cache);
        }
    }

    fn kept(file: &DescriptionFile) -> Self {
        file.recall().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps its tools. What it was given it may repeat in them, and that is not kept.
    pub(crate) fn keep_tools(app: &App, configured: &ConfiguredServer, tools: &ToolList, secrets: &Secrets) {
        // Nothing is made of a list for which there is no place.
        let Some(file) = Self::place(app, configured) else { return };
        let redacted = |text: &str| plain(text, secrets);
        let of = |tool: &mcp_transport::tools::Tool| {
            let name = whole(&tool.name, secrets)?;
            let view = tool.view();
            let about = view.description.as_deref().or(view.title.as_deref()).unwrap_or_default();
            let arguments = signature::arguments(view.input_schema.map_or("", |schema| schema.get()));
            let arguments = arguments.iter().filter_map(|argument| {
                Some(ListedArgument {
                    name: whole(&argument.name, secrets)?,
                    about: redacted(&argument.wanted()),
                    choices: argument.choices().filter_map(|choice| whole(&choice, secrets)).collect(),
                })
            });
            Some(ListedName { name, about: redacted(about), arguments: arguments.collect() })
        };
        let tools = tools.tools.iter().take(MOST).filter_map(of).collect();
        Self::change(&file, |names| names.tools = tools);
    }

    /// Keeps its prompts.
    pub(crate) fn keep_prompts(
        app: &App,
        configured: &ConfiguredServer,
        prompts: Vec<ListedName>,
        secrets: &Secrets,
    ) {
        let Some(file) = Self::place(app, configured) else { return };
        let redacted = |text: &str| plain(text, secrets);
        let argument = |argument: ListedArgument| {
            Some(ListedArgument { name: whole(&argument.name, secrets)?, ..ListedArgument::default() })
        };
        let of = |prompt: ListedName| {
            Some(ListedName {
                name: whole(&prompt.name, secrets)?,
                about: redacted(&prompt.about),
                arguments: prompt.arguments.into_iter().filter_map(argument).collect(),
            })
        };
        let prompts = prompts.into_iter().take(MOST).filter_map(of).collect();
        Self::change(&file, |names| names.prompts = prompts);
    }

    fn place(app: &App, configured: &ConfiguredServer) -> Option<DescriptionFile> {
        DescriptionFile::of_names(app, configured).filter(DescriptionFile::has_folder)
    }

    fn change(file: &DescriptionFile, change: impl FnOnce(&mut Self)) {
        let before = Self::kept(file);
        let mut names = before.clone();
        change(&mut names);
        if names != before {
            file.keep(&serde_json::to_string(&names).unwrap_or_default());
        }
    }
}

/// What would be put into a line; nothing where only a piece of it could be shown, which is the name of something else.
fn whole(name: &str, secrets: &Secrets) -> Option<String> {
    (plain(name, secrets) == name).then(|| name.to_owned())
}

/// One line, as short as a shell shows it.
fn plain(text: &str, secrets: &Secrets) -> String {
    let first = text.trim().lines().next().unwrap_or_default();
    shown::key(&shown::without(secrets, first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_k4_a_piece_of_a_name_is_not_offered_as_the_name_of_something_else() {
        let secrets: Secrets = ["canary-value"].into_iter().collect();
        for (name, offered) in [
            ("echo", true),
            ("日本語", true),
            ("a\nb", false),
            ("a ", false),
            ("a\u{1b}[2Jb", false),
            ("a\u{202e}b", false),
            ("say canary-value", false),
            (&"x".repeat(100_000), false),
        ] {
            assert_eq!(whole(name, &secrets).is_some(), offered, "{name:?}");
        }
    }
}
