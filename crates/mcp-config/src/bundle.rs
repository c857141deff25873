//! A remote server as an MCPB bundle (manifest 0.4): what Claude Desktop installs by a double click, and what can be
//! given to others.
//!
//! The bundle carries this program and starts `mcplink bridge URL` with what the entry says. Not the path of a program that is
//! installed here: on another machine that leads nowhere, or to what another person has put there. No value of a header is in
//! it: each that is not a reference to a variable is asked for when the bundle is installed, and kept by the host.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value as Json, json};

use crate::display::{REDACTED, display_secret_text, display_url_text};
use crate::edit::Value;
use crate::expand::{Piece, Text};
use crate::hosts::{AddressOption, OptionMeaning};
use crate::{Env, Platform};

/// The version of the manifest: <https://github.com/anthropics/mcpb/blob/main/MANIFEST.md>, whose schema of this version is in
/// `@anthropic-ai/mcpb` 2.1.
const MANIFEST_VERSION: &str = "0.4";

/// The folder of the program in the bundle.
const FOLDER: &str = "server";

/// Fields that name a file of this machine.
const FILES: [&str; 4] = ["tls.ca", "tls.cert", "tls.key", "headersFile"];

/// Fields that make credentials where they are.
const MINTS: [&str; 2] = ["headersHelper", "auth"];

/// What a bundle says, without the program in it.
///
/// # Examples
///
/// ```
/// use mcp_config::bundle::Bundle;
/// use mcp_config::edit::Value;
///
/// let entry = Value::parse(r#"{"type": "http", "url": "https://mcp.example/mcp"}"#).expect("it is JSON");
/// let bundle = Bundle::of("docs", &entry).expect("it has a URL");
/// assert_eq!(bundle.words, ["bridge", "https://mcp.example/mcp"]);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Bundle {
    /// The name of the server.
    pub name: String,
    /// The words behind the program: `bridge`, the URL and its options. No secret is in them.
    pub words: Vec<String>,
    /// What is asked for when it is installed, by variable.
    pub inputs: BTreeMap<String, BundleInput>,
    /// The fields of the entry that no option of a URL says.
    pub lost: Vec<String>,
    /// What those should know who install it, each a sentence.
    pub notes: Vec<String>,
}

/// A value that is asked for when a bundle is installed.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BundleInput {
    /// What it is for.
    pub about: String,
    /// Whether it is hidden as it is typed, and kept where the host keeps secrets.
    pub sensitive: bool,
    /// What it is where a person says nothing; without it, it is required.
    pub default: Option<String>,
    /// It is a file of the machine that it is installed on.
    pub is_file: bool,
}

/// Why there is no bundle of an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BundleError {
    /// It is of a server that runs here, or lives in its host.
    NotRemote,
    /// Its credentials are made on this machine, by this field of the entry, and it has no others.
    MadeHere(&'static str),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRemote => f.write_str("a bundle leads to a remote server, and this is not one"),
            Self::MadeHere(field) => {
                write!(f, "its credentials are made on this machine, by `{field}`, which no bundle can hold")
            }
        }
    }
}

impl std::error::Error for BundleError {}

impl Bundle {
    /// The bundle of the entry `name`, as it is in a file of ours.
    ///
    /// # Errors
    ///
    /// See [`BundleError`].
    pub fn of(name: &str, entry: &Value) -> Result<Self, BundleError> {
        let url = entry.get("url").and_then(Value::as_str).filter(|url| !url.is_empty());
        let is_sse = match entry.get("type").and_then(Value::as_str) {
            None | Some("http" | "streamable-http") => false,
            Some("sse") => true,
            Some(_) => return Err(BundleError::NotRemote),
        };
        let url = url.ok_or(BundleError::NotRemote)?;
        let mut bundle = Self {
            name: name.to_owned(),
            words: Vec::new(),
            inputs: BTreeMap::new(),
            lost: Vec::new(),
            notes: Vec::new(),
        };
        let url = bundle.url(url);
        bundle.words.extend(["bridge".to_owned(), url]);
        let only = matches!(entry.get("fallback"), Some(Value::Bool(false)));
        if let Some(kind) = match (is_sse, only) {
            (true, true) => Some("sse-only"),
            (true, false) => Some("sse"),
            (false, true) => Some("http-only"),
            (false, false) => None,
        } {
            bundle.words.extend(["-t".to_owned(), kind.to_owned()]);
        }
        for (key, value) in entry.members() {
            match (key, value) {
                ("type" | "url" | "disabled" | "enabled" | "isActive" | "fallback", _) => {}
                (list, Value::Array(tools)) if is_ban(list) => {
                    tools.iter().for_each(|tool| bundle.tool(list, tool));
                }
                ("headers", Value::Object(headers)) => {
                    headers.iter().for_each(|(header, value)| bundle.header(header, value));
                }
                ("oauth" | "tls", Value::Object(members)) => {
                    members
                        .iter()
                        .for_each(|(member, value)| bundle.field(&format!("{key}.{member}"), value));
                }
                _ if crate::remark::is_remark(key) => {}
                (_, value) => bundle.field(key, value),
            }
        }
        match bundle.made_here() {
            Some(field) => Err(BundleError::MadeHere(field)),
            None => Ok(bundle),
        }
    }

    /// The field that stays here, where nothing in the bundle could stand for it.
    fn made_here(&self) -> Option<&'static str> {
        let is_credential = |word: &String| {
            word.split_once(": ")
                .is_some_and(|(name, _)| mcp_text::is_credential_name(&name.to_ascii_lowercase()))
        };
        if self.words.iter().any(is_credential) {
            return None;
        }
        MINTS.into_iter().find(|field| self.lost.iter().any(|lost| lost == field))
    }

    /// A URL whose shown form hides something is asked for as a whole.
    fn url(&mut self, url: &str) -> String {
        let text = Text::expand(url, &Env::new());
        if display_url_text(&text).contains(REDACTED) {
            return self.asked("URL", "the URL of the server, with its secret", None);
        }
        self.references(&text, "URL", "the URL of the server", false)
    }

    fn header(&mut self, header: &str, value: &Value) {
        let Some(written) = value.as_str() else { return self.lost.push(format!("headers.{header}")) };
        let text = Text::expand(written, &Env::new());
        let about = format!("the header {header} for {}", self.name);
        let value = match display_secret_text(&text) {
            shown if !shown.contains(REDACTED) => self.references(&text, header, &about, true),
            shown => self.asked(header, &about, mcp_text::scheme_of(&shown).map(|(scheme, _)| scheme)),
        };
        self.words.extend(["-H".to_owned(), format!("{header}: {value}")]);
    }

    /// A tool that is not to be used.
    fn tool(&mut self, list: &str, tool: &Value) {
        match tool.as_str() {
            Some(tool) => self.words.extend(["--block-tool".to_owned(), tool.to_owned()]),
            None => self.lost.push(list.to_owned()),
        }
    }

    /// What an option of a URL says in the place of the field at `path`.
    fn field(&mut self, path: &str, value: &Value) {
        let is = |option: &&AddressOption| match option.takes {
            OptionMeaning::Text(field) | OptionMeaning::Port(field) => field == path,
            OptionMeaning::Is(field, setting) => field == path && setting.is(value),
            OptionMeaning::Member(field) | OptionMeaning::Seconds(field) => field == path,
            OptionMeaning::Protocol => path == "protocol",
            OptionMeaning::Metadata => path == "oauth.clientMetadata",
            _ => false,
        };
        let option = AddressOption::all().iter().find(is);
        match (option.map(|option| (option.name, option.takes)), value) {
            (Some((name, OptionMeaning::Is(..))), _) => {
                self.words.push(name.to_owned());
                if path == "tls.insecureSkipVerify" {
                    self.notes.push("it takes every certificate, wherever it is installed".to_owned());
                }
            }
            (Some((name, OptionMeaning::Seconds(_))), Value::Number(ms)) => {
                self.words.extend([name.to_owned(), format!("{ms}ms")]);
            }
            (Some((name, OptionMeaning::Metadata)), Value::Object(_)) => {
                self.words.extend([name.to_owned(), value.to_json()]);
            }
            (Some((name, OptionMeaning::Protocol)), Value::String(word)) => {
                self.words.extend([name.to_owned(), word.clone()]);
            }
            (Some((name, OptionMeaning::Member(_))), Value::Object(members)) => {
                for (member, value) in members {
                    match value.as_str() {
                        Some(text) => self.words.extend([name.to_owned(), format!("{member}={text}")]),
                        None => self.lost.push(format!("{path}.{member}")),
                    }
                }
            }
            (Some((name, OptionMeaning::Port(_))), Value::Number(port)) => {
                self.words.extend([name.to_owned(), port.clone()]);
            }
            (Some((name, OptionMeaning::Text(_))), Value::String(written))
                if FILES.contains(&path) && !written.starts_with("${") =>
            {
                let variable = format!("{}_{}", variable(&self.name), variable(path));
                let about = format!("the file for {path} of {}", self.name);
                let input = BundleInput { about, sensitive: false, default: None, is_file: true };
                self.inputs.insert(variable.clone(), input);
                self.words.extend([name.to_owned(), format!("${{env:{variable}}}")]);
            }
            (Some((name, OptionMeaning::Text(_))), Value::String(written))
                if !display_url_text(&Text::expand(written, &Env::new())).contains(REDACTED) =>
            {
                let text = Text::expand(written, &Env::new());
                let value = self.references(&text, path, &format!("{path} of {}", self.name), false);
                self.words.extend([name.to_owned(), value]);
            }
            // What an option would set where nothing is said, said.
            (None, Value::Bool(_)) if AddressOption::all().iter().any(|option| option.is_of(path)) => {}
            _ => self.lost.push(path.to_owned()),
        }
    }

    /// A value that is asked for, behind its scheme.
    fn asked(&mut self, what: &str, about: &str, scheme: Option<&str>) -> String {
        let variable = format!("{}_{}", variable(&self.name), variable(what));
        let input = BundleInput { about: about.to_owned(), sensitive: true, default: None, is_file: false };
        self.inputs.insert(variable.clone(), input);
        let reference = format!("${{env:{variable}}}");
        scheme.map_or_else(|| reference.clone(), |scheme| format!("{scheme} {reference}"))
    }

    /// `text`, of the field `what`, with its references, each of which is asked for: a secret of this machine is on no other one. A
    /// default of what is sensitive may be a secret, and stays here.
    fn references(&mut self, text: &Text, what: &str, about: &str, sensitive: bool) -> String {
        let mut out = String::new();
        for piece in text.pieces() {
            match piece.as_variable() {
                None if matches!(piece, Piece::Secret(_)) => out.push_str(&self.asked(what, about, None)),
                None => out.push_str(piece.written()),
                Some((name, default)) => {
                    out.push_str(&format!("${{env:{name}}}"));
                    let default = default.filter(|_| !sensitive).map(str::to_owned);
                    let input = BundleInput { about: about.to_owned(), sensitive, default, is_file: false };
                    let known = self.inputs.entry(name.to_owned()).or_insert(input);
                    known.sensitive |= sensitive;
                    if known.sensitive {
                        known.default = None;
                    }
                }
            }
        }
        out
    }

    /// Where the program is in the bundle.
    pub fn program(platform: Platform) -> String {
        let ending = if platform == Platform::Windows { ".exe" } else { "" };
        format!("{FOLDER}/mcplink{ending}")
    }

    /// The manifest, for this program of `platform` and `version`.
    pub fn manifest(&self, platform: Platform, version: &str) -> String {
        let program = Self::program(platform);
        let variables = self.inputs.keys();
        let env: Map<String, Json> =
            variables.map(|name| (name.clone(), json!(format!("${{user_config.{name}}}")))).collect();
        let mut manifest = json!({
            "manifest_version": MANIFEST_VERSION,
            "name": format!("mcplink-{}", word(&self.name)),
            "display_name": self.name,
            "version": version,
            "description": format!("{}, a remote MCP server, through mcplink", self.name),
            "author": { "name": "mcplink" },
            "server": {
                "type": "binary",
                "entry_point": program,
                "mcp_config": {
                    "command": format!("${{__dirname}}/{program}"),
                    "args": self.words,
                    "env": env,
                },
            },
            "tools_generated": true,
            "prompts_generated": true,
            "compatibility": { "platforms": [match platform {
                Platform::Windows => "win32",
                Platform::MacOs => "darwin",
                Platform::Unix => "linux",
            }] },
        });
        if !self.inputs.is_empty() {
            let inputs: Map<String, Json> =
                self.inputs.iter().map(|(name, input)| (name.clone(), input.option(name))).collect();
            manifest["user_config"] = Json::Object(inputs);
        }
        format!("{manifest:#}\n")
    }
}

impl BundleInput {
    fn option(&self, variable: &str) -> Json {
        let mut option = json!({
            "type": if self.is_file { "file" } else { "string" },
            "title": variable,
            "description": self.about,
            "sensitive": self.sensitive,
            "required": self.default.is_none(),
        });
        if let Some(default) = &self.default {
            option["default"] = json!(default);
        }
        option
    }
}

/// Whether a list names tools that are not to be used.
fn is_ban(list: &str) -> bool {
    crate::schema::TOOL_LISTS.iter().any(|(name, only)| *name == list && !only)
}

/// `text` as the name of a variable.
fn variable(text: &str) -> String {
    let word: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) { format!("_{word}") } else { word }
}

/// `text` as a name for machines, and a part of the name of a file. What is written in other letters has a name of its own.
fn word(text: &str) -> String {
    let mut word: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    if !text.is_ascii() {
        let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let digits: String = digest.as_ref()[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        word = format!("{}-{digits}", word.trim_matches('-')).trim_start_matches('-').to_owned();
    }
    word
}

#[cfg(test)]
mod tests;
