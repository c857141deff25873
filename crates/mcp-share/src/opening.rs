//! The first line in each direction on the socket of those who share a connection; MCP follows.

use std::io;
use std::time::Duration;

use mcp_status::{Evidence, FailureRun, Schedule};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use crate::socket::Socket;

/// The longest such line, in bytes: evidence with what a server said about itself is far shorter.
const MAX_LINE: u64 = 64 << 10;
/// How long the process that keeps the connection may take to say that it is there, before anything else. It says so at once;
/// one that was stopped, or hangs, never does.
const HERE_LIMIT: Duration = Duration::from_secs(5);

/// What a process comes for.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// To speak to the server over the connection.
    Attach {
        /// The process that asks.
        pid: u32,
        /// Whether a host waits for the server, which is reason enough to try.
        wanted: bool,
    },
    /// To have the connection made again, because a person or a program acted.
    Reconnect,
}

/// What it is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reply {
    /// Said at once and whatever follows: a process is there.
    Here {
        /// The process that keeps the connection, or tries to.
        pid: u32,
    },
    /// There is a connection; MCP follows.
    Connected,
    /// There is none, and this is how far it has come. The stream ends when asking again would bring another answer.
    Failed(Box<FailureReport>),
    /// It was made again, or could not be.
    Reconnected,
}

/// A [`FailureRun`] as it crosses the socket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct FailureReport {
    evidence: Evidence,
    delay: Option<Duration>,
    schedule: Schedule,
    failures: u32,
    probes: u32,
}

impl From<FailureRun> for FailureReport {
    fn from(run: FailureRun) -> Self {
        let FailureRun { evidence, delay, schedule, failures, probes } = run;
        Self { evidence, delay, schedule, failures, probes }
    }
}

impl FailureReport {
    pub(crate) fn into_run(self) -> FailureRun {
        let Self { evidence, delay, schedule, failures, probes } = self;
        FailureRun { evidence, delay, schedule, failures, probes }
    }
}

pub(crate) async fn write(stream: &mut (impl AsyncWrite + Unpin), line: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec(line)?;
    text.push(b'\n');
    stream.write_all(&text).await?;
    stream.flush().await
}

/// Reads one line and nothing of what follows it.
pub(crate) async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<T> {
    let mut line = String::new();
    stream.take(MAX_LINE).read_line(&mut line).await?;
    if line.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

/// Says what this process comes for, and returns the process that hears it.
///
/// # Errors
///
/// None does, or not within the limit ([`TimedOut`](io::ErrorKind::TimedOut)).
pub(crate) async fn ask(stream: &mut BufReader<Socket>, request: &Request) -> io::Result<u32> {
    let asked = async {
        write(stream, request).await?;
        read(stream).await
    };
    match timeout(HERE_LIMIT, asked).await?? {
        Reply::Here { pid } => Ok(pid),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use mcp_status::{AuthFacts, ChallengeKind, Outcome, Phase, classify};

    use super::*;

    #[tokio::test]
    async fn evidence_means_the_same_at_both_ends() {
        let facts = AuthFacts::new(true, Some("minter".to_owned())).with_exit_code(Some(3));
        let scope = ChallengeKind::InsufficientScope { scopes: vec!["a".to_owned()] };
        let outcomes = [
            Outcome::Challenged { kind: scope, http_status: 403 },
            Outcome::Http { status: 503, retry_after: Some(Duration::from_millis(1500)) },
            Outcome::Version { offered: vec!["1999-01-01".to_owned()] },
            Outcome::Exited { code: Some(1), signal: None },
            Outcome::CredentialSourceFailed,
            Outcome::Unreachable,
        ];
        for outcome in outcomes {
            let seen = Evidence::new(Phase::Connect, outcome).with_auth(facts.clone()).with_detail("said");
            let mut wire = Vec::new();
            write(&mut wire, &Reply::Failed(Box::new(FailureRun::of_one(seen.clone()).into())))
                .await
                .unwrap();
            let Reply::Failed(report) = read(&mut wire.as_slice()).await.unwrap() else { panic!() };
            let run = report.into_run();
            assert_eq!((classify(&run.evidence), &run), (classify(&seen), &FailureRun::of_one(seen.clone())));
        }
    }

    #[tokio::test]
    async fn what_follows_the_line_is_left_alone_and_nonsense_is_an_error() {
        let mut stream = &b"{\"op\":\"attach\",\"pid\":7,\"wanted\":true}\n{\"jsonrpc\""[..];
        assert_eq!(read::<Request>(&mut stream).await.unwrap(), Request::Attach { pid: 7, wanted: true });
        assert_eq!(stream, b"{\"jsonrpc\"");
        for nonsense in ["", "{}\n", "{\"op\":\"stop\"}\n"] {
            assert!(read::<Request>(&mut nonsense.as_bytes()).await.is_err(), "{nonsense:?}");
        }
    }
}
