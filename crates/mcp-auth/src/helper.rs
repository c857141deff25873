//! The provider that runs a command and uses the headers it prints.
//!
//! The command runs through the platform's shell and must print one JSON object of strings, or
//! `{"headers": {..}, "expiresAt": ..}` with a time of RFC 3339 or since 1970. Whatever else
//! it does is *its own* failure ([`AuthErrorKind::SourceFailed`]), told with exit code and the telling line of stderr, and
//! never mistaken for an answer of the server: without its headers the server is not contacted.
//!
//! | module | does |
//! |---|---|
//! | `run` | spawn, drain, limit, kill |
//! | `env` | what the command finds in its environment |
//! | `parse` | its output → headers |
//! | `place` | why a shell did not find it, or may not run it |
//! | `said` | an error that it printed in place of them |
//! | `expiry` | when they stop working, as far as that can be known |
//! | `complaint` | what of its stderr may be shown |
//! | `sight` | one run, with all that may be told of it, for a person who looks at it |
//! | `sharing` | identical runs are one run; eight at a time |

mod complaint;
mod env;
mod expiry;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod parse;
mod place;
pub mod plugin;
mod run;
mod said;
mod sharing;
mod sight;

use std::fmt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{HeaderName, HeaderValue};
use tracing::field::Empty;
use tracing::{Instrument as _, debug_span};

use self::complaint::StderrExcerpt;
#[cfg(feature = "oauth")]
pub(crate) use self::expiry::stated;
use self::parse::{HelperOutput, OutputError};
use self::place::CommandFault;
use self::run::{Invocation, Output, RunEnd};
use self::said::ErrorObject;
pub use self::sight::HelperRun;
use crate::plan::HELPER_NAME;
use crate::settings::HelperSpec;
use crate::{AuthError, AuthErrorKind, AuthFuture, CredentialSource, Credentials, FetchReason, Target};
use crate::{doubts, spans};

/// Runs a command each time it is asked, and remembers nothing; wrap it in [`SingleFlight`](crate::SingleFlight).
///
/// Sources with the same command, working directory, environment, server name and URL share one run in flight,
/// anywhere in the process, and no more than eight commands run at a time. A tokio runtime with I/O and time
/// enabled must be entered.
pub struct HeadersHelper {
    spec: HelperSpec,
    invocation: Arc<Invocation>,
    clock: fn() -> SystemTime,
}

impl HeadersHelper {
    /// A source that runs `spec` for `target`.
    pub fn new(spec: HelperSpec, target: Target) -> Self {
        Self::with_clock(spec, target, SystemTime::now)
    }

    /// The same with another clock, from which a lifetime (`headersHelperTtlMs`) counts.
    pub fn with_clock(spec: HelperSpec, target: Target, clock: fn() -> SystemTime) -> Self {
        let env = env::environment(&spec, &target);
        let invocation = Invocation {
            command: spec.command.clone(),
            cwd: spec.cwd.clone(),
            withheld: env::withheld(&spec, &env),
            env,
            server: target.name,
            url: target.url,
        };
        Self { spec, invocation: Arc::new(invocation), clock }
    }

    async fn mint(&self) -> Result<Credentials, AuthError> {
        Ok(self.credentials(sharing::run(&self.invocation, self.spec.timeout).await?))
    }

    fn credentials(&self, run: RunOutput) -> Credentials {
        let RunOutput { headers, until, remark } = run;
        let now = (self.clock)();
        let expiry = expiry::of(&headers, self.spec.ttl, now);
        let ended = until.and_then(|until| now.duration_since(until).ok());
        let ended = ended.map(|ended| format!("its `expiresAt` was {} ago", mcp_text::elapsed(ended)));
        let remark = [ended, remark].into_iter().flatten().reduce(|first, next| format!("{first}; {next}"));
        let expiry = expiry.into_iter().chain(until).min();
        Credentials::new(HELPER_NAME, headers).with_remark(remark).with_expiry(expiry)
    }
}

impl CredentialSource for HeadersHelper {
    fn name(&self) -> &str {
        HELPER_NAME
    }

    fn fetch<'a>(&'a self, _: FetchReason<'a>) -> AuthFuture<'a, Credentials> {
        Box::pin(self.mint())
    }

    fn runs_command(&self) -> bool {
        true
    }
}

impl fmt::Debug for HeadersHelper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeadersHelper")
            .field("server", &self.invocation.server)
            .field("spec", &self.spec)
            .finish()
    }
}

/// What is done with a helper, in an error.
const TASK: &str = "run the headers helper";

pub(crate) type Headers = Vec<(HeaderName, HeaderValue)>;

/// What a run that succeeded supplied.
#[derive(Clone, Debug)]
struct RunOutput {
    headers: Headers,
    /// Until when it says that they are good.
    until: Option<SystemTime>,
    /// What it printed to stderr all the same.
    remark: Option<String>,
}

/// One run, from spawn to headers.
///
/// Its span holds no more than the session log does: whose it was, how it ended, how long it took.
async fn headers(invocation: &Invocation, limit: Duration) -> Result<RunOutput, AuthError> {
    let span = debug_span!(
        "mcp.auth.helper",
        "otel.name" = "headers helper",
        "otel.kind" = "internal",
        "otel.status_code" = Empty,
        "mcp.server.name" = invocation.server,
        "process.exit.code" = Empty,
        "error.type" = Empty,
    );
    let began = tokio::time::Instant::now();
    let headers = supplied(invocation, limit).instrument(span.clone()).await;
    spans::ended(&span, &headers);
    let exit_code = headers.as_ref().map_or_else(AuthError::exit_code, |_| Some(0));
    let names: Vec<&str> =
        headers.iter().flat_map(|m| m.headers.iter().map(|(name, _)| name.as_str())).collect();
    tracing::info!(
        server = %invocation.server,
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        exit_code,
        headers = names.join(" "),
        "the headers helper ran"
    );
    span.record("process.exit.code", exit_code.map(i64::from));
    headers
}

async fn supplied(invocation: &Invocation, limit: Duration) -> Result<RunOutput, AuthError> {
    outcome(&ran(invocation, limit, TASK).await?, invocation, limit)
}

async fn ran(invocation: &Invocation, limit: Duration, task: &str) -> Result<Output, AuthError> {
    run::run(invocation, limit).await.map_err(|error| {
        // The path is the person's own, and a folder that is gone is the usual cause.
        let cwd = invocation.cwd.display();
        failure(task, &format!("it could not be started in `{cwd}` ({})", error.kind()), &[], None, "")
            .with_source(error)
    })
}

/// What a run comes to.
fn outcome(output: &Output, invocation: &Invocation, limit: Duration) -> Result<RunOutput, AuthError> {
    match judge(output, limit) {
        Ok(HelperOutput { headers, until }) => {
            // It may have failed all the same, in a pipe or a substitution: the server will tell.
            // Most have nothing to say, and then no secret has to be looked for.
            let complaint = (!output.stderr.is_empty()).then(|| StderrExcerpt::new(output, invocation));
            let line = complaint.as_ref().and_then(StderrExcerpt::telling_line);
            Ok(RunOutput { headers, until, remark: line.map(|line| format!("stderr: {line}")) })
        }
        Err(flaw) => {
            let reason = complaint::reason_in_output(&output.stdout, invocation);
            let complaint = StderrExcerpt::new(output, invocation);
            Err(flawed(flaw, TASK, &complaint, reason.as_deref(), invocation))
        }
    }
}

/// What is wrong with a run, in words, with what it printed of that: to stderr, and as `reason` where its output belongs.
fn flawed(
    flaw: Flaw,
    task: &str,
    complaint: &StderrExcerpt,
    reason: Option<&str>,
    invocation: &Invocation,
) -> AuthError {
    let Flaw { mut what, exit_code, said } = flaw;
    let said = said.map(|said| complaint::shown(&said, invocation)).filter(|said| !said.is_empty());
    if let Some(said) = &said {
        what = format!("{what}: {said}");
    }
    let cure = said.as_deref().and_then(mcp_text::cure);
    let printed = [("stderr", complaint.telling_line()), ("stdout", reason)];
    let printed: Vec<String> =
        printed.iter().filter_map(|(place, line)| Some(format!("{place}: {}", (*line)?))).collect();
    let said = [&invocation.command, complaint.telling_line().unwrap_or_default(), complaint.tail()];
    let kept = env::missed(&invocation.withheld, &said);
    let misplaced = place::misplaced(&invocation.command, &invocation.cwd, exit_code);
    // The path is the person's own, and which folder it was is what decides.
    let place = match &misplaced {
        Some(CommandFault::Missing { above }) => {
            let ran = format!("; it ran in {}", invocation.cwd.display());
            let there = above.as_ref().map(|path| format!(", and there is {}", path.display()));
            Some(ran + &there.unwrap_or_default())
        }
        _ => None,
    };
    let place = place.unwrap_or_default();
    let mut error = failure(task, &what, &printed, kept, &place).with_exit_code(exit_code);
    if let Some(CommandFault::NotExecutable(path)) = misplaced {
        error = error.with_unexecutable(path.to_string_lossy());
    }
    if let Some(command) = cure.or_else(|| complaint.cure()).or_else(|| reason.and_then(mcp_text::cure)) {
        error = error.with_hint(format!("run `{command}`"));
    }
    tracing::debug!(server = %invocation.server, %error, stderr = %complaint.tail(), "a command for credentials failed");
    error
}

/// What a command prints that stands for one secret: it is run as a helper is, with the same limits.
///
/// # Errors
///
/// It failed, in the words for a helper; `what` says what it was run for.
#[cfg(feature = "oauth")]
pub(crate) async fn printed(spec: &HelperSpec, target: &Target, what: &str) -> Result<String, AuthError> {
    let invocation = HeadersHelper::new(spec.clone(), target.clone()).invocation;
    let task = format!("run the command for {what}");
    let _turn = sharing::turn(&task).await?;
    let output = ran(&invocation, spec.timeout, &task).await?;
    let flaw = match ended(&output, spec.timeout, "") {
        Ok(_) => match String::from_utf8(output.stdout.clone()) {
            Ok(text) => return Ok(text),
            Err(_) => Flaw { what: OutputError::NotText.to_string(), exit_code: Some(0), said: None },
        },
        Err(flaw) => flaw,
    };
    Err(flawed(flaw, &task, &StderrExcerpt::of_secret(&output, &invocation), None, &invocation))
}

/// The headers in a text that has the form of a helper's output, and until when they are good.
///
/// # Errors
///
/// What it is instead, without any of it.
#[cfg(feature = "oauth")]
pub(crate) fn headers_in(text: &[u8]) -> Result<(Headers, Option<SystemTime>), String> {
    let printed = parse::printed(text).map_err(|error| error.to_string()).and_then(not_void)?;
    let own = expiry::of(&printed.headers, None, SystemTime::UNIX_EPOCH);
    let expiry = own.into_iter().chain(printed.until).min();
    Ok((printed.headers, expiry))
}

/// What is wrong with a run: a fragment that goes on after "run the headers helper:".
struct Flaw {
    what: String,
    exit_code: Option<i32>,
    /// What it printed of that, which may hold a secret.
    said: Option<ErrorObject>,
}

fn judge(output: &Output, limit: Duration) -> Result<HelperOutput, Flaw> {
    let printed = parse::printed(&output.stdout);
    let exit_code = match ended(output, limit, "; headersHelperTimeoutMs of its entry allows more") {
        Ok(exit_code) => exit_code,
        // One that fails may say why in the form that its headers have.
        Err(flaw) => return Err(Flaw { said: printed.err().and_then(OutputError::said), ..flaw }),
    };
    let flaw = |what, said| Flaw { what, exit_code, said };
    match printed {
        Ok(printed) => not_void(printed).map_err(|what| flaw(what, None)),
        Err(error) => Err(flaw(error.to_string(), error.said())),
    }
}

/// The exit code of a run that ended well. `more` is what allows a longer one.
fn ended(output: &Output, limit: Duration, more: &str) -> Result<Option<i32>, Flaw> {
    let stopped = |what| Err(Flaw { what, exit_code: None, said: None });
    match &output.ended {
        RunEnd::Exited(status) if status.success() => Ok(status.code()),
        RunEnd::Exited(status) => Err(Flaw { what: manner(*status), exit_code: status.code(), said: None }),
        RunEnd::TimedOut => Err(Flaw {
            what: format!("it did not finish within {} and was stopped{more}", mcp_text::time_limit(limit)),
            exit_code: None,
            said: None,
        }),
        RunEnd::TooMuchOutput => {
            stopped(format!("it printed more than {} KiB and was stopped", run::MAX_STDOUT / 1024))
        }
        RunEnd::Lost(error) => stopped(format!("how it ended is unknown ({})", error.kind())),
    }
}

/// Headers with nothing in the place of a credential are those of a failure that was not noticed.
fn not_void(printed: HelperOutput) -> Result<HelperOutput, String> {
    let void = printed.headers.iter().find_map(|(name, value)| Some((name, doubts::void(name, value)?)));
    match void {
        Some((name, what)) => Err(format!("the value of `{name}` {what}")),
        None => Ok(printed),
    }
}

/// `printed` is what it said of that, with the place; `kept` is a variable that it may have missed, because it is not for a helper that a repository brought along; `place` says where
/// it ran, if that is what was wrong.
fn failure(task: &str, what: &str, printed: &[String], kept: Option<&str>, place: &str) -> AuthError {
    let printed = if printed.is_empty() { String::new() } else { format!(" ({})", printed.join("; ")) };
    let kept = kept.map(|name| format!("; {name} is set and was kept from it")).unwrap_or_default();
    AuthError::new(AuthErrorKind::SourceFailed, format!("{task}: {what}{printed}{place}{kept}"))
}

fn manner(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("it was ended by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("it exited with code {code}"),
        None => "it ended without an exit code".to_owned(),
    }
}

#[cfg(test)]
mod tests;
