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
    pub(crate) fn of(app: &App, wired: &ConfiguredServer) -> Self {
        let Some(file) = DescriptionFile::of_names(app, wired) else { return Self::default() };
        file.make_folder();
        Self::kept(&file)
    }

    fn kept(file: &DescriptionFile) -> Self {
        file.recall().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps its tools. What it was given it may repeat in them, and that is not kept.
    pub(crate) fn keep_tools(app: &App, wired: &ConfiguredServer, tools: &ToolList, secrets: &Secrets) {
        let redacted = |text: &str| plain(text, secrets);
        let of = |tool: &mcp_transport::tools::Tool| {
            let view = tool.view();
            let about = view.description.as_deref().or(view.title.as_deref()).unwrap_or_default();
            let arguments = signature::arguments(view.input_schema.map_or("", |schema| schema.get()));
            let arguments = arguments.iter().map(|argument| ListedArgument {
                name: redacted(&argument.name),
                about: redacted(&argument.wanted()),
                choices: argument.choices().map(|choice| redacted(&choice)).collect(),
            });
            ListedName { name: redacted(&tool.name), about: redacted(about), arguments: arguments.collect() }
        };
        let tools = tools.tools.iter().take(MOST).map(of).collect();
        Self::change(app, wired, |names| names.tools = tools);
    }

    /// Keeps its prompts.
    pub(crate) fn keep_prompts(
        app: &App,
        wired: &ConfiguredServer,
        prompts: Vec<ListedName>,
        secrets: &Secrets,
    ) {
        let redacted = |text: &str| plain(text, secrets);
        let of = |prompt: ListedName| ListedName {
            name: redacted(&prompt.name),
            about: redacted(&prompt.about),
            arguments: prompt
                .arguments
                .iter()
                .map(|argument| ListedArgument {
                    name: redacted(&argument.name),
                    ..ListedArgument::default()
                })
                .collect(),
        };
        let prompts = prompts.into_iter().take(MOST).map(of).collect();
        Self::change(app, wired, |names| names.prompts = prompts);
    }

    fn change(app: &App, wired: &ConfiguredServer, change: impl FnOnce(&mut Self)) {
        let Some(file) = DescriptionFile::of_names(app, wired).filter(DescriptionFile::has_folder) else {
            return;
        };
        let before = Self::kept(&file);
        let mut names = before.clone();
        change(&mut names);
        if names != before {
            file.keep(&serde_json::to_string(&names).unwrap_or_default());
        }
    }
}

/// One line, as short as a shell shows it.
fn plain(text: &str, secrets: &Secrets) -> String {
    let first = text.trim().lines().next().unwrap_or_default();
    shown::key(&shown::without(secrets, first))
}
