//! `add --search WORD`: which servers of a registry have a word in their names.

use mcp_config::registry::{Offer, RegistryName, RegistryServer, RegistryStatus};
use mcp_connect::RegistrySearch;
use serde::Serialize;

use super::again::again;
use super::entry::usage;
use super::registry::{failed, registry};
use crate::app::App;
use crate::args::AddArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;
use crate::view::wrap::behind;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    registry: &'a str,
    servers: Vec<ServerRow<'a>>,
    /// There are more.
    more: bool,
    /// How many of what was found cannot be read.
    unreadable: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerRow<'a> {
    name: &'a str,
    version: &'a str,
    title: Option<&'a str>,
    description: &'a str,
    status: &'a str,
    /// The ways to reach it that can be taken: `http`, `sse`, `npm`, `pypi`, `oci`.
    ways: Vec<&'static str>,
}

pub(super) async fn run(app: &App, args: &AddArgs) -> Result<ExitStatus, CliError> {
    let [word] = args.words.as_slice() else {
        return Err(usage("--search takes one word"));
    };
    let registry = registry(app, args)?;
    let base = registry.base().as_str();
    let found = registry.search(word).await.map_err(|error| {
        let message = format!("{} could not be searched", shown::line(base));
        failed(message, &error)
    })?;
    if app.json {
        app.print_json(&Document {
            schema_version: 1,
            registry: base,
            servers: found.servers.iter().map(ServerRow::of).collect(),
            more: found.more,
            unreadable: found.unreadable,
        });
    } else {
        show(app, args, &found, word, base);
    }
    Ok(ExitStatus::Success)
}

impl<'a> ServerRow<'a> {
    fn of(server: &'a RegistryServer) -> Self {
        Self {
            name: &server.name,
            version: &server.version,
            title: server.title.as_deref(),
            description: &server.description,
            status: status(server),
            ways: ways(server),
        }
    }
}

fn status(server: &RegistryServer) -> &str {
    match &server.status {
        RegistryStatus::Active => "active",
        RegistryStatus::Deprecated => "deprecated",
        RegistryStatus::Deleted => "deleted",
        RegistryStatus::Other(word) => word,
        _ => "unknown",
    }
}

fn ways(server: &RegistryServer) -> Vec<&'static str> {
    let mut ways: Vec<&'static str> = Vec::new();
    for way in
        server.offers.iter().map(|offer: &Offer| offer.package_kind().unwrap_or(offer.transport().as_str()))
    {
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    ways
}

fn show(app: &App, args: &AddArgs, found: &RegistrySearch, word: &str, base: &str) {
    let room = app.style().room();
    let mut text = String::new();
    for server in &found.servers {
        let ways = ways(server);
        let ways = if ways.is_empty() { "nothing that can be added".to_owned() } else { ways.join(", ") };
        let status = match &server.status {
            RegistryStatus::Active => String::new(),
            _ => format!(", {}", shown::cell(status(server))),
        };
        text.push_str(&behind(
            "",
            &format!("{} {}  ({ways}{status})", shown::line(&server.name), shown::cell(&server.version)),
            room,
        ));
        if !server.description.is_empty() {
            text.push_str(&behind("  ", &shown::line(&server.description), room));
        }
    }
    app.output.out(&text);
    let (word, base) = (shown::line(word), shown::line(base));
    match found.servers.first().and_then(|server| RegistryName::parse(&server.name)) {
        None => app.output.note(&format!("no server of {base} has {word:?} in its name\n")),
        Some(first) => {
            if found.more {
                app.output.note("there are more: search for a longer word\n");
            }
            let next = app.steps.line(&again(args, [&*first.to_string()]));
            app.output.note(&format!("  next: {next}\n"));
        }
    }
    if found.unreadable > 0 {
        app.output.note(&format!("note: {} of what was found cannot be read\n", found.unreadable));
    }
}
