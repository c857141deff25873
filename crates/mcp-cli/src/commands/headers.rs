//! `mcplink headers NAME [--run]`: which headers a server would get, and from where. Without `--run` nothing is started.

use std::time::SystemTime;

use mcp_auth::plan::{ProviderKind, ProviderRole};
use mcp_auth::settings::HelperSpec;
use mcp_auth::{AuthError, Credentials};
use mcp_connect::{ConfiguredServer, HeaderReport, ServerAuth};
use mcp_status::{EntryPart, NextStep};
use mcp_text::shell_word;
use mcp_transport::supervisor::NoContact;
use serde::Serialize;

use super::get::plan_lines;
use crate::app::App;
use crate::args::HeadersArgs;
use crate::connected::stands;
use crate::error::CliError;
use crate::exit::{self, ExitStatus};
use crate::loaded::LoadedConfig;
use crate::view::shown;
use crate::view::text::{Style, columns};
use crate::view::time::rfc3339;
use crate::view::wrap::behind;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    server: &'a str,
    /// Each provider in order of precedence, and why it has its place.
    auth_plan: Vec<String>,
    headers: Vec<HeaderRow<'a>>,
    /// What is odd about the values.
    doubts: &'a [String],
    helper: Option<HelperRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HeaderRow<'a> {
    name: &'a str,
    supplier: &'a str,
    /// The form of the value; no part of what it says.
    outline: &'a str,
    credential: bool,
    replaces: Option<&'a str>,
}

/// The command that supplies headers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HelperRow {
    command: String,
    folder: String,
    timeout_ms: u64,
    /// Its first word, and the file that this leads to.
    program: Option<String>,
    file: Option<String>,
    /// What came of its run; `null` where it did not run.
    run: Option<RunRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RunRow {
    duration_ms: u64,
    exit_code: Option<i32>,
    printed_bytes: usize,
    stderr: Vec<String>,
    /// Until when its headers are good, where that is known.
    expires_at: Option<String>,
    /// Why it supplied nothing.
    error: Option<String>,
}

pub(super) async fn run(app: &App, args: &HeadersArgs) -> Result<ExitStatus, CliError> {
    let name = &args.name;
    let loaded = app.load()?;
    let server = loaded.configured(app, name).await?;
    let Some(auth) = &server.auth else {
        if let Some(reason) = server.offline_report().reason.filter(|_| !server.is_stdio()) {
            let next = reason.next.map(|step| app.steps.words(&step, name));
            let message = format!("{} cannot be used", shown::name(name));
            let error = CliError::usage(reason.code.as_str(), message).why(reason.message);
            return Err(CliError { next, ..error });
        }
        let message = format!("{} is a command, and gets no headers", shown::name(name));
        let next = format!("mcplink get {}", shell_word(name));
        return Err(CliError::usage("no-headers", message).why("it has its variables in env").next(next));
    };
    if args.run {
        may_run(app, &loaded, &server, auth)?;
    }
    let report = app.host.headers(auth, args.run, SystemTime::now()).await.map_err(|error| {
        CliError::usage("invalid-config", format!("the headers of {} cannot be made", shown::name(name)))
            .why(server.secrets.hide(&error.to_string()))
            .next(format!("mcplink doctor {}", shell_word(name)))
    })?;
    let helper = auth.plan.settings().helper.as_ref().map(|spec| helper_row(spec, &server, &report));
    let plan = plan_lines(&server);
    let failed = report.run.as_ref().is_some_and(|run| run.supplied.is_err());
    if app.json {
        app.print_json(&Document {
            schema_version: 1,
            server: name,
            auth_plan: plan,
            headers: report.headers.iter().map(header_row).collect(),
            doubts: &report.doubts,
            helper,
        });
    } else {
        app.output.out(&text(name, &plan, &report, helper.as_ref(), app.style()));
        if failed {
            // What ended and gave no headers is mended where the entry names it; the way to the server has no part in it.
            let has_ended = report.run.as_ref().is_some_and(|run| run.exit_code.is_some());
            let error = report.run.as_ref().and_then(|run| run.supplied.as_ref().err());
            let next = match error.and_then(AuthError::hint) {
                // What it says itself comes before what can be said of any.
                Some(hint) => app
                    .steps
                    .words(&NextStep::Provider { hint: server.secrets.hide(hint).into_owned() }, name),
                None if has_ended => {
                    app.steps.words(&NextStep::ChangeEntry { part: EntryPart::Helper }, name)
                }
                None => app.steps.step(format!("mcplink doctor {}", shell_word(name))),
            };
            app.output.out(&format!("next  {}\n", next.shown()));
        }
    }
    Ok(if failed { ExitStatus::NeedsAuth } else { ExitStatus::Success })
}

/// Whether the helper may be started: as for any other run of it, someone has to have agreed.
fn may_run(
    app: &App,
    loaded: &LoadedConfig,
    server: &ConfiguredServer,
    auth: &ServerAuth,
) -> Result<(), CliError> {
    let name = &server.description.name;
    let shown_name = shown::name(name);
    match &server.state {
        Err(NoContact::SwitchedOff) => {
            let message = format!("{shown_name} is switched off, and its helper is not run");
            return Err(CliError::usage("disabled", message).next(loaded.switched_on_by(name)));
        }
        Err(_) => {
            let report = server.without_secrets(server.offline_report());
            let reason = report.reason.as_ref();
            let exit = exit::of_waiting_for_a_person(report.status, reason.map(|reason| reason.code));
            let message = format!("{shown_name} {}, and its helper is not run", stands(report.status));
            let code = reason.map_or("withheld", |reason| reason.code.as_str());
            let mut error = CliError::new(exit, code, message);
            error.why = reason.map(|reason| reason.message.clone());
            error.next =
                reason.and_then(|reason| reason.next.as_ref()).map(|step| app.steps.words(step, name));
            return Err(error);
        }
        Ok(_) => {}
    }
    match auth.plan.role(ProviderKind::HeadersHelper) {
        Some(ProviderRole::Authority) => Ok(()),
        Some(ProviderRole::Withheld) => {
            let message = format!("the helper of {shown_name} waits until this folder is trusted");
            Err(CliError::new(ExitStatus::NeedsAuth, "helper-untrusted", message).next("mcplink trust"))
        }
        _ => {
            let message = format!("{shown_name} has no headersHelper that could run");
            Err(CliError::usage("no-helper", message).next(format!("mcplink headers {}", shell_word(name))))
        }
    }
}

fn header_row(header: &mcp_connect::HeaderOutline) -> HeaderRow<'_> {
    HeaderRow {
        name: &header.name,
        supplier: &header.supplier,
        outline: &header.outline,
        credential: header.is_credential,
        replaces: header.replaces.as_deref(),
    }
}

fn helper_row(spec: &HelperSpec, server: &ConfiguredServer, report: &HeaderReport) -> HelperRow {
    let hidden = |text: &str| server.secrets.hide(text).into_owned();
    HelperRow {
        command: hidden(&spec.command),
        folder: spec.cwd.display().to_string(),
        timeout_ms: u64::try_from(spec.timeout.as_millis()).unwrap_or(u64::MAX),
        program: spec.program().map(hidden),
        file: spec.program_file().map(|file| file.display().to_string()),
        run: report.run.as_ref().map(|run| RunRow {
            duration_ms: u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
            exit_code: run.exit_code,
            printed_bytes: run.printed,
            stderr: run.stderr.iter().map(|line| hidden(line)).collect(),
            expires_at: run.supplied.as_ref().ok().and_then(Credentials::expires_at).map(rfc3339),
            // Its words are ours: what merely looks like a secret in them is an example.
            error: run
                .supplied
                .as_ref()
                .err()
                .map(|error| server.secrets.hide_known(&error.to_string()).into_owned()),
        }),
    }
}

/// The same for people.
fn text(
    name: &str,
    plan: &[String],
    report: &HeaderReport,
    helper: Option<&HelperRow>,
    style: Style,
) -> String {
    let mut out = format!("{}\n", style.bold(&shown::name(name)));
    let mut line = |label: &str, value: &str| {
        out.push_str(&behind(&format!("  {label:<8}  "), &shown::line(value), style.room()));
    };
    for (number, link) in plan.iter().enumerate() {
        line(if number == 0 { "chain" } else { "" }, link);
    }
    if let Some(helper) = helper {
        line("helper", &helper.command);
        line("", &format!("in {}, limit {} ms", helper.folder, helper.timeout_ms));
        match (&helper.program, &helper.file) {
            (Some(program), Some(file)) if program != file => line("", &format!("{program} is {file}")),
            (Some(program), None) => line("", &format!("{program} is not a file on its PATH")),
            _ => {}
        }
        match &helper.run {
            None => line("run", "not started; --run runs it in sight"),
            Some(run) => ran(run, &mut line),
        }
    }
    for doubt in &report.doubts {
        line("odd", doubt);
    }
    if report.headers.is_empty() {
        let unknown =
            if helper.is_some_and(|helper| helper.run.is_none()) { "none that is known yet" } else { "none" };
        line("headers", unknown);
        return out;
    }
    out.push('\n');
    let rows = report.headers.iter().map(|header| {
        let replaces = header
            .replaces
            .as_ref()
            .map(|other| format!(", in the place of that of {other}"))
            .unwrap_or_default();
        [
            format!("  {}", shown::cell(&header.name)),
            header.outline.clone(),
            format!("from {}{replaces}", shown::line(&header.supplier)),
        ]
    });
    out.push_str(&columns(rows, style.plain_labels()));
    out
}

fn ran(run: &RunRow, line: &mut impl FnMut(&str, &str)) {
    let ended = match run.exit_code {
        Some(code) => format!("exit {code} after {} ms", run.duration_ms),
        None => format!("no exit code after {} ms", run.duration_ms),
    };
    let printed = match run.printed_bytes {
        1 => "1 byte printed".to_owned(),
        bytes => format!("{bytes} bytes printed"),
    };
    line("run", &format!("{ended}, {printed}"));
    if let Some(until) = &run.expires_at {
        line("until", until);
    }
    if let Some(error) = &run.error {
        line("error", error);
    }
    for (number, said) in run.stderr.iter().enumerate() {
        line(if number == 0 { "stderr" } else { "" }, said);
    }
}
