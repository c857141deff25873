//! `mcplink ps` and `mcplink stop`: the live sessions of this account, of every folder and host.

use serde_json::{Value, json};

use crate::app::App;
use crate::args::StopArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::live::{self, EndedSession, LingeringSession, SeenSessions, SessionSelector};
use crate::view::row::{Session, SilentSession};
use crate::view::text::Style;
use crate::view::wrap::wrap;
use crate::view::{shown, text};

/// Lists them.
pub(super) async fn list(app: &App) -> Result<ExitStatus, CliError> {
    let sessions = live::all(&app.environment).await;
    if app.json {
        let SeenSessions { live, silent } = sessions;
        app.print_json(&json!({ "schemaVersion": 1, "sessions": live, "silent": silent }));
    } else if sessions.live.is_empty() && sessions.silent.is_empty() {
        app.output.note("no session is live; a host starts one with `mcplink bridge NAME`\n");
    } else {
        let style = app.style();
        app.output.out(&table(&sessions, style));
        if style.terminal {
            app.output.out(&format!("\n{}", foot(&sessions, style)));
        }
    }
    Ok(ExitStatus::Success)
}

/// Ends those that are meant.
pub(super) async fn stop(app: &App, args: &StopArgs) -> Result<ExitStatus, CliError> {
    let meant: Vec<(String, SessionSelector)> = match args.all {
        true => vec![("--all".to_owned(), SessionSelector::All)],
        false => args.sessions.iter().map(|word| (word.clone(), which(word))).collect(),
    };
    let (asked, mut stopped, mut failed) = (meant.len(), Vec::new(), Vec::new());
    for (word, which) in meant {
        let outcome = live::stop(&app.environment, &which).await;
        if outcome.each.is_empty() && !args.all {
            failed.push((shown::line(&word), none_is(&word, &outcome.unknown)));
        }
        for answer in outcome.each {
            match answer {
                Ok(session) => stopped.push(session),
                Err(LingeringSession::Ending(pid)) => {
                    let message = format!("session {pid} was told to end and has not ended yet");
                    let error = CliError::new(ExitStatus::Failed, "session-ending", message);
                    failed.push((pid.to_string(), error.next(format!("kill {pid}"))));
                }
                Err(LingeringSession::Silent(session)) => {
                    let message = session.statement();
                    let error = CliError::new(ExitStatus::Failed, "session-silent", message);
                    // What ends it as a rule was just tried.
                    let next = format!("let process {} go on, or end it", session.pid);
                    failed.push((session.pid.to_string(), error.next(next)));
                }
            }
        }
    }
    if app.json {
        let stopped: Vec<Value> = stopped.iter().map(stopped_row).collect();
        app.print_json(&json!({ "schemaVersion": 1, "stopped": stopped }));
    } else {
        stopped.iter().for_each(|session| app.output.out(&stopped_line(session)));
        if stopped.is_empty() && failed.is_empty() {
            app.output.note("no session is live\n");
        }
    }
    CliError::of_names(asked, failed, "not stopped").map_or(Ok(ExitStatus::Success), Err)
}

/// No session is called `word`, as far as they say what they are.
fn none_is(word: &str, silent: &[SilentSession]) -> CliError {
    let error = CliError::usage("no-session", format!("no live session is {word:?}"));
    match silent {
        [] => error.next("mcplink ps"),
        [one] => error.why(format!("{}, and may be it", one.statement())).next(one.next()),
        several => {
            let count = several.len();
            error.why(format!("{count} sessions do not answer, and may be it")).next("mcplink ps")
        }
    }
}

fn stopped_row(session: &EndedSession) -> Value {
    match session {
        EndedSession::Itself(session) => json!(session),
        EndedSession::Process(pid) => json!({ "session": pid, "answered": false }),
    }
}

fn stopped_line(session: &EndedSession) -> String {
    let session = match session {
        EndedSession::Itself(session) => session,
        EndedSession::Process(pid) => return format!("ended process {pid}, a session that did not answer\n"),
    };
    let host = session.host.as_ref().map(|host| format!(", {}", shown::cell(host))).unwrap_or_default();
    let (name, kind) = (shown::line(&session.name), shown::line(&session.kind));
    format!("stopped session {} of {name} ({kind}{host})\n", session.session)
}

/// A number is a process, unless it is not: a server may be called by a number.
fn which(word: &str) -> SessionSelector {
    word.parse().map_or_else(|_| SessionSelector::Name(word.to_owned()), SessionSelector::Process)
}

/// How many there are and how they are, and what can be done with one; side by side where there is room.
fn foot(sessions: &SeenSessions<Vec<Session>>, style: Style) -> String {
    let SeenSessions { live, silent } = sessions;
    let count = |is: fn(&str) -> bool| {
        live.iter().filter(|session| is(session.status.as_str().unwrap_or_default())).count()
    };
    let groups = [
        (count(|status| status == "connected"), "connected"),
        (count(|status| status == "needs-auth"), "waiting for a person"),
        (count(|status| status == "failed"), "failed"),
        (count(|status| status == "pending"), "pending"),
        (silent.len(), "not answering"),
    ];
    let counts = groups.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let all = live.len() + silent.len();
    let noun = if all == 1 { "session" } else { "sessions" };
    let first = live.first().map(|session| session.session);
    let pid = first.or(silent.first().map(|session| session.pid)).unwrap_or_default();
    let parts = [
        format!("{all} {noun}: {}", counts.join(", ")),
        format!("mcplink logs {pid}"),
        format!("mcplink stop {pid}"),
    ];
    let beside = parts.join("     ");
    if mcp_text::width(&beside) <= style.columns {
        return format!("{}\n", style.dim(&beside));
    }
    let lines = parts.iter().flat_map(|part| wrap(part, style.columns));
    lines.map(|line| format!("{}\n", style.dim(&line))).collect()
}

/// A line for each; on a terminal that is too narrow for that, a few lines, the state first.
fn table(sessions: &SeenSessions<Vec<Session>>, style: Style) -> String {
    let own = env!("CARGO_PKG_VERSION");
    let unknown = || "-".to_owned();
    let mut rows: Vec<[String; 7]> =
        vec![["PID", "SERVER", "HOST", "SINCE (UTC)", "CALLS", "FOLDER", "STATE"].map(ToOwned::to_owned)];
    for session in &sessions.live {
        let state = text::said(&session.status, &session.reason) + &text::shared(session);
        let version = session.version.as_ref().filter(|version| *version != own);
        let version =
            version.map(|version| format!(" (version {})", shown::cell(version))).unwrap_or_default();
        rows.push([
            session.session.to_string(),
            shown::cell(&session.name),
            session.host.as_deref().map_or_else(unknown, shown::cell),
            session
                .since
                .as_deref()
                .map_or_else(unknown, |since| since.chars().take(16).collect::<String>().replace('T', " ")),
            session.calls.map_or_else(unknown, |calls| calls.to_string()),
            session.folder.as_deref().map_or_else(unknown, shown::cell),
            format!("{state}{version}"),
        ]);
    }
    for session in &sessions.silent {
        let [host, since, calls, folder] = [(); 4].map(|()| unknown());
        let server = session.server.as_deref().map_or_else(unknown, shown::cell);
        rows.push([session.pid.to_string(), server, host, since, calls, folder, session.state().to_owned()]);
    }
    let widths: Vec<usize> =
        (0..6).map(|column| shown::widest(rows.iter().map(|row| row[column].as_str()))).collect();
    let used = widths.iter().map(|width| width + 2).sum();
    let is_narrow = rows.iter().any(|row| mcp_text::width(&row[6]) + used > style.columns);
    if style.terminal && is_narrow && !style.has_room(used) {
        let stacked = |[pid, name, host, since, calls, folder, state]: &[String; 7]| {
            let head = style.cut(&format!("{pid}  {name}  {host}"), 0);
            let state: String = wrap(state, style.columns.saturating_sub(4))
                .iter()
                .map(|line| format!("    {line}\n"))
                .collect();
            format!("{head}\n{state}    {}\n", style.cut(&format!("{since}  calls {calls}  {folder}"), 4))
        };
        return rows.iter().skip(1).map(stacked).collect();
    }
    let line = |row: &[String; 7]| {
        let cells = widths.iter().zip(row).map(|(width, cell)| shown::pad(cell, *width) + "  ");
        // What a session waits for stands at the end of its reason, so a long one goes on below.
        let state = match style.terminal {
            true => {
                wrap(&row[6], style.columns.saturating_sub(used)).join(&format!("\n{}", " ".repeat(used)))
            }
            false => row[6].clone(),
        };
        format!("{}{state}\n", cells.collect::<String>())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use mcp_bridge::SharingRole;

    use super::*;

    fn session(pid: u32, name: &str, host: &str, status: &str, reason: Option<&str>) -> Session {
        Session {
            name: name.to_owned(),
            host: Some(host.to_owned()),
            folder: Some("/home/me/shop-api".to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            since: Some("2026-11-29T01:58:00.000Z".to_owned()),
            calls: Some(212),
            ..Session::example(pid, status, reason)
        }
    }

    fn sessions() -> SeenSessions<Vec<Session>> {
        let refused =
            "failed to run the headers helper: it exited with code 7 (stderr: my-sso: session expired)";
        let mut sessions = vec![
            session(27_396, "tickets", "Cursor 1.7", "needs-auth", Some(refused)),
            session(27_401, "日本語サーバー", "Codex 0.171", "connected", None),
        ];
        sessions[1].shared = Some(SharingRole::Owner { guests: 2 });
        sessions[1].version = Some("0.0.9".to_owned());
        SeenSessions { live: sessions, silent: Vec::new() }
    }

    #[test]
    fn a_session_that_does_not_answer_is_listed_with_what_ends_it() {
        let silent = |pid, can_be_stopped| SilentSession { pid, server: None, can_be_stopped };
        let named = SilentSession { server: Some("tickets".to_owned()), ..silent(27_410, true) };
        let sessions = SeenSessions { silent: vec![named, silent(27_409, true)], ..sessions() };
        let style = Style { terminal: false, color: false, columns: 80 };
        let line = table(&sessions, style).lines().last().unwrap().to_owned();
        assert!(
            line.starts_with("27409  -")
                && line.ends_with("does not answer: its process is stopped, or hangs")
        );
        assert!(
            table(&sessions, style).contains("\n27410  tickets"),
            "one that is named is listed by its name"
        );
        let foot = foot(&sessions, Style { columns: 200, ..style });
        assert!(
            foot.starts_with("4 sessions: 1 connected, 1 waiting for a person, 2 not answering"),
            "{foot}"
        );
        let error = |silent: &[SilentSession]| none_is("web", silent).to_text();
        assert_eq!(error(&[]), "error: no live session is \"web\"\n  next: mcplink ps\n");
        assert!(error(&[silent(7, true)]).ends_with("hangs, and may be it\n  next: mcplink stop 7\n"));
        assert!(error(&[silent(7, false)]).ends_with("\n  next: let process 7 go on, or end it\n"));
        assert!(error(&[silent(7, true), silent(8, true)]).ends_with("may be it\n  next: mcplink ps\n"));
    }

    #[test]
    fn fh_h11_no_line_of_the_sessions_is_wider_than_the_terminal_and_all_of_it_is_there() {
        for columns in [40, 80, 120] {
            let style = Style { terminal: true, color: false, columns };
            let text = table(&sessions(), style) + &foot(&sessions(), style);
            let file = format!("src/commands/looks/ps-{columns}.txt");
            mcp_harness::is_kept(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file), &text);
            let longest = text.lines().map(mcp_text::width).max();
            assert!(longest <= Some(columns), "{columns}:\n{text}");
            for word in
                ["212", "27396", "27401", "tickets", "needs-auth: failed to run", "mcplink stop 27396"]
            {
                assert!(text.contains(word), "{columns}: {word}:\n{text}");
            }
            let words: Vec<&str> = text.split_whitespace().collect();
            assert!(words.join(" ").contains("session expired)"), "{columns}:\n{text}");
            assert!(
                words.join(" ").contains("2 sessions: 1 connected, 1 waiting for a person"),
                "{columns}:\n{text}"
            );
        }
        let piped = Style { terminal: false, color: false, columns: 40 };
        let text = table(&sessions(), piped);
        assert!(
            text.contains("session expired)")
                && text.contains("connected, shared with 2 more (version 0.0.9)"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3, "{text}");
    }
}
