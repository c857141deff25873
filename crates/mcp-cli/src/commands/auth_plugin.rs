//! `mcplink auth-plugin check PATH`: the rules of the protocol, tried on a plug-in. No server is contacted.

use mcp_auth::plugin::{PluginFinding, check_plugin};
use mcp_auth::settings::{HelperSpec, PluginSpec};
use mcp_auth::{Secret, Target};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::app::App;
use crate::args::{AuthPluginAction, AuthPluginArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::shown;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: u32,
    program: String,
    kept: bool,
    rules: Vec<RuleRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleRow {
    rule: &'static str,
    kept: bool,
    /// What was seen where it is not kept.
    seen: Option<String>,
}

pub(super) async fn run(app: &App, args: &AuthPluginArgs) -> Result<ExitStatus, CliError> {
    let AuthPluginAction::Check = args.action;
    let (spec, target) = (spec(app, args)?, target(args)?);
    let called = spec.called();
    if !is_there(&spec) {
        let error = CliError::usage("no-plugin", format!("there is no plug-in {}", shown::name(&called)));
        let program = shown::line(&spec.command.command);
        return Err(match args.program.contains(['/', '\\']) {
            true => error.why(format!("{program} is not a file")).next("give the path of the program"),
            false => error
                .why(format!("{program} is in no folder of PATH"))
                .next("put the plug-in there, or give its path"),
        });
    }
    let findings = check_plugin(&spec, &target).await;
    let kept = findings.iter().all(|finding| finding.broken.is_none());
    // It breaks a protocol.
    let status = if kept { ExitStatus::Success } else { ExitStatus::Protocol };
    let rules = findings.into_iter().map(row);
    if app.json {
        let document = Document { schema_version: 1, program: called, kept, rules: rules.collect() };
        app.print_json(&document);
        return Ok(status);
    }
    for RuleRow { rule, seen, .. } in rules {
        match seen {
            None => app.output.out(&format!("ok   {rule}\n")),
            Some(seen) => app.output.out(&format!("bad  {rule}\n     {seen}\n")),
        }
    }
    if !kept {
        app.output.note("the rules: https://github.com/mcplink/mcplink/blob/main/docs/auth-plugins.md\n");
    }
    Ok(status)
}

/// Whether there is a program that could keep or break a rule.
fn is_there(spec: &PluginSpec) -> bool {
    let command = &spec.command;
    match command.command.contains(['/', '\\']) {
        true => std::path::Path::new(&command.command).is_file(),
        false => command.program_file().is_some(),
    }
}

fn row(finding: PluginFinding) -> RuleRow {
    let seen = finding.broken.as_deref().map(shown::line);
    RuleRow { rule: finding.rule, kept: seen.is_none(), seen }
}

/// As an entry of a person's own would start it.
fn spec(app: &App, args: &AuthPluginArgs) -> Result<PluginSpec, CliError> {
    let options = app.host.options();
    let is_path = args.program.contains(['/', '\\']);
    let program = match is_path {
        true => options.directory.join(&args.program).display().to_string(),
        false => {
            format!("mcplink-auth-{}", args.program.strip_prefix("mcplink-auth-").unwrap_or(&args.program))
        }
    };
    let mut command = HelperSpec::new(program, &options.directory);
    command.env = options.env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let settings = match &args.settings {
        None => None,
        Some(text) => {
            let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| {
                CliError::usage("invalid-settings", "--settings is not an object of JSON")
                    .next("mcplink help auth-plugin")
            })?;
            Some(Secret::new(Value::Object(object).to_string()))
        }
    };
    Ok(PluginSpec::new(command).with_settings(settings))
}

fn target(args: &AuthPluginArgs) -> Result<Target, CliError> {
    let url = args.server.parse().map_err(|_| {
        CliError::usage("invalid-url", "--server is not a URL").next("mcplink help auth-plugin")
    })?;
    Ok(Target::new("checked", url))
}
