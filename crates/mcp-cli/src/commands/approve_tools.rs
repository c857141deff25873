//! `mcplink approve-tools NAME [TOOL..]`: what is new or different in the tools of a server that pins them, and a person's
//! decision about it.
//!
//! What is approved is the list that was shown, whatever the server says meanwhile: in one run because it is the same list,
//! and from one run to the next by a digest of it (`--yes=DIGEST`).

use serde::Serialize;

use crate::app::App;
use crate::args::ApproveToolsArgs;
use crate::confirmation::Answers;
use crate::consent::{self, ToolRow, ToolsOffer, counted};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::view::shown;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    name: &'a str,
    /// Whether this call has approved anything.
    approved: bool,
    /// What `--yes=` takes to approve what is open in `tools`, and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    tools: Vec<ToolRow>,
}

pub(super) async fn run(app: &App, args: &ApproveToolsArgs) -> Result<ExitStatus, CliError> {
    let loaded = app.load()?;
    if args.forget {
        return forget(app, args, &loaded);
    }
    let offer = ToolsOffer::listed(app, &loaded, &args.name, &args.tools).await?;
    if let Some(trouble) = offer.trouble() {
        app.output.note(&format!("warning: {trouble}\n"));
    }
    if !app.json {
        app.output.out(&offer.lines(app.style().room()));
    }
    let digest = offer.digest();
    let approved = match &digest {
        Some(digest) => agreed(app, args, &offer, digest).await?,
        None => false,
    };
    if approved {
        offer.approve()?;
    }
    let left = offer.unusable() > 0 || digest.is_some() && !approved;
    if app.json {
        app.print_json(&Document {
            schema_version: 1,
            name: &args.name,
            approved,
            digest: digest.as_deref(),
            tools: offer.into_rows(),
        });
    } else if approved {
        app.output.out(&format!("{}\n", offer.outcome()));
    }
    Ok(if left { ExitStatus::NeedsAuth } else { ExitStatus::Success })
}

fn forget(app: &App, args: &ApproveToolsArgs, loaded: &LoadedConfig) -> Result<ExitStatus, CliError> {
    let had = consent::forget(loaded, &args.name)?;
    let name = shown::name(&args.name);
    if app.json {
        let tools = Vec::new();
        app.print_json(&Document {
            schema_version: 1,
            name: &args.name,
            approved: false,
            digest: None,
            tools,
        });
    } else {
        let as_before = if had { "" } else { ", as before" };
        app.output.out(&format!("no tool of {name} is approved{as_before}\n"));
    }
    Ok(ExitStatus::Success)
}

/// At a terminal, what was shown is decided about by a typed yes. Elsewhere only `--yes` is one: a program that lists tools
/// must not approve them by the way. With a digest it is about what was shown then, and no question replaces that.
async fn agreed(
    app: &App,
    args: &ApproveToolsArgs,
    offer: &ToolsOffer<'_>,
    digest: &str,
) -> Result<bool, CliError> {
    let count = counted(offer.open());
    let moved = match &args.yes {
        Some(None) => return Ok(true),
        Some(Some(agreed)) if agreed == digest => return Ok(true),
        Some(Some(_)) => true,
        None => false,
    };
    if moved || !app.asks() {
        if app.json {
            return Ok(false);
        }
        let name = shown::name(&args.name);
        let (message, why) = match moved {
            true => (
                format!("nothing of {name} was approved"),
                "what is shown here is not what --yes=DIGEST is about",
            ),
            false => (format!("{} of {name} not approved yet", count), "nothing can be asked here"),
        };
        return Err(CliError::unagreed("tools-unapproved", message).why(why).next(offer.agreement(digest)));
    }
    let mut answers = Answers::of_terminal();
    answers.forget_typed();
    app.output.error(&format!("Approve {} of {}? [y/N] ", count, shown::name(&args.name)));
    let answer = answers.line().await.unwrap_or_default();
    if ["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()) {
        return Ok(true);
    }
    Err(CliError::unagreed("not-confirmed", "nothing was approved")
        .next("answer y, or name the tools to approve"))
}
