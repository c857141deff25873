//! `mcplink wait NAME --until STATUS`: asks the server again and again until it is what was hoped for.

use std::time::{Duration, SystemTime};

use mcp_status::{MachinePolicy, ServerStatus};
use mcp_transport::ConnectPolicy;
use tokio::time::Instant;

use crate::app::App;
use crate::args::{StatusArg, WaitArgs};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::probe::probe;
use crate::view::row::{Row, Servers};
use crate::view::text;

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));

pub(super) async fn run(app: &App, args: &WaitArgs) -> Result<ExitStatus, CliError> {
    let deadline = args.timeout.map(|limit| Instant::now() + limit);
    let wanted = ServerStatus::from(args.until);
    let mut pause = PAUSES.0;
    let mut told = None;
    loop {
        let row = look(app, &args.name, deadline).await?;
        if row.status == Some(wanted) {
            show(app, row);
            return Ok(ExitStatus::Success);
        }
        let seen = row.reason().map(|reason| reason.message.clone());
        if told != Some((row.status, seen.clone())) {
            let width = text::name_width(std::iter::once(row.name.as_str()));
            let plain = text::Style { terminal: false, color: false, columns: 80 };
            app.output.note(&text::status_lines(&row, width, plain));
            told = Some((row.status, seen));
        }
        let over = deadline.is_some_and(|deadline| Instant::now() + pause >= deadline);
        if over {
            if let Some(deadline) = deadline {
                tokio::time::sleep_until(deadline).await;
            }
            let message = format!("{} is not {wanted} yet", args.name);
            let error = CliError::new(ExitStatus::Pending, "still-waiting", message);
            let error = match row.reason() {
                Some(reason) => error.why(&reason.message),
                None => error,
            };
            return Err(error.next(format!("mcplink status {}", mcp_text::shell_word(&args.name))));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// One look: configuration and credentials as they are now, one attempt.
async fn look(app: &App, name: &str, deadline: Option<Instant>) -> Result<Row, CliError> {
    let wired = app.load()?.wired(app, name).await?;
    let mut once = ConnectPolicy::one_shot();
    once.machine = MachinePolicy::one_shot().with_connect_retries(0);
    let looked = probe(&app.connector, &wired, &once, deadline, |_| {}).await;
    if let Some(connection) = looked.connection {
        connection.close().await;
    }
    Ok(looked.row)
}

fn show(app: &App, row: Row) {
    if app.json {
        app.print_json(&Servers::new(Some(SystemTime::now()), &[row], &[]));
    } else {
        app.output.out(&text::status_lines(
            &row,
            text::name_width(std::iter::once(row.name.as_str())),
            app.style(),
        ));
    }
}

impl From<StatusArg> for ServerStatus {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Connected => Self::Connected,
            StatusArg::Failed => Self::Failed,
            StatusArg::NeedsAuth => Self::NeedsAuth,
            StatusArg::Pending => Self::Pending,
            StatusArg::Disabled => Self::Disabled,
        }
    }
}
