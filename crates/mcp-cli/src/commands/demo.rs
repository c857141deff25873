//! `mcplink demo`: nine servers on loopback, a configuration in a temporary directory, and a tour in which the
//! real commands meet expired tokens, refusals and outages. The tour checks what it claims.

mod cast;
mod tour;

use crate::app::App;
use crate::args::DemoArgs;
use crate::error::CliError;
use crate::exit::ExitStatus;

pub(super) async fn run(app: &App, args: &DemoArgs) -> Result<ExitStatus, CliError> {
    let program =
        app.environment.program().map_err(|error| broken("this program's own file is not known", error))?;
    let cast = cast::Cast::start().map_err(|error| broken("the servers could not be started", &error))?;
    let mut tour = tour::Tour::new(app, &cast, program);
    tour.run().await?;
    let verdict = tour.verdict();
    if args.keep {
        tour.keep().await;
    }
    Ok(verdict)
}

fn broken(what: &str, error: &std::io::Error) -> CliError {
    CliError::new(ExitStatus::Internal, "demo", format!("the demo cannot run: {what}")).why(error.to_string())
}
