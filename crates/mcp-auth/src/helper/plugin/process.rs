//! The process of a plug-in: its own process group, a limit for each question, and nothing left behind.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mcp_text::Secrets;
use process_wrap::tokio::CommandWrap;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::time::timeout;

use super::super::complaint::StderrExcerpt;
use super::super::env;
use super::super::run::{Group, Invocation, MAX_STDOUT, Output, RunEnd, Stderr, grouped};
use super::answer::{PluginFailure, PluginPrompt};
use crate::settings::PluginSpec;
use crate::{AuthError, Target};

/// How long it may take to end by itself once its input has ended, before it is killed for another reason: what it says on
/// stderr is worth that.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// No sign-in shows a person more than this.
const MAX_PROMPTS: usize = 32;

/// Who is shown what a plug-in wants a person to do.
pub(super) type PromptSink<'s> = &'s (dyn Fn(PluginPrompt) + Send + Sync);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// It answered an error.
    Reported(PluginFailure),
    /// It did not answer in time.
    Silent,
    /// It ended, or closed its output.
    Ended,
    /// What it wrote is not an answer; a fragment without any of it.
    Broken(String),
}

/// A plug-in that runs.
pub(super) struct Process {
    group: Group,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    stderr: Arc<Mutex<Stderr>>,
    invocation: Invocation,
    limit: Duration,
    number: u64,
    /// What it wrote last, which is not repeated where it fails.
    last: Vec<u8>,
}

impl Process {
    pub(super) fn start(spec: &PluginSpec, target: &Target) -> Result<Self, String> {
        let helper = &spec.command;
        let environment = env::environment(helper, target);
        let invocation = Invocation {
            command: helper.command.clone(),
            cwd: helper.cwd.clone(),
            withheld: env::withheld(helper, &environment),
            env: environment,
            server: target.name.clone(),
            url: target.url.clone(),
        };
        let mut command = grouped(CommandWrap::with_new(&invocation.command, |command| {
            command
                .env_clear()
                .envs(&invocation.env)
                .current_dir(&invocation.cwd)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
        }));
        let mut child = command.spawn().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such program".to_owned(),
            std::io::ErrorKind::PermissionDenied => "it may not be run".to_owned(),
            _ => format!("it could not be started ({})", error.kind()),
        })?;
        let pipes = (child.stdin().take(), child.stdout().take(), child.stderr().take());
        let group = Group::new(child);
        let (Some(input), Some(output), Some(mut complaints)) = pipes else {
            return Err("it could not be spoken to".to_owned());
        };
        let stderr: Arc<Mutex<Stderr>> = Arc::default();
        let kept = stderr.clone();
        // It ends with the pipe, and so with the group.
        tokio::spawn(async move {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = complaints.read(&mut chunk).await {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(&chunk[..read]);
            }
        });
        let (output, limit, last) = (BufReader::new(output), helper.timeout, Vec::new());
        Ok(Self { group, input, output, stderr, invocation, limit, number: 0, last })
    }

    /// Asks it, within its limit.
    pub(super) async fn ask(&mut self, method: &str, params: Value) -> Result<Map<String, Value>, Failure> {
        self.ask_person(method, params, None).await
    }

    /// The same where a person takes part, to whom `show` tells what it says before it answers. `limit` becomes that of each
    /// later question.
    pub(super) async fn ask_within(
        &mut self,
        limit: Duration,
        method: &str,
        params: Value,
        show: PromptSink<'_>,
    ) -> Result<Map<String, Value>, Failure> {
        self.limit = limit;
        self.ask_person(method, params, Some(show)).await
    }

    async fn ask_person(
        &mut self,
        method: &str,
        params: Value,
        show: Option<PromptSink<'_>>,
    ) -> Result<Map<String, Value>, Failure> {
        self.number += 1;
        let number = self.number;
        let question = format!("{}\n", json!({ "id": number, "method": method, "params": params }));
        let limit = self.limit;
        let exchange = async {
            let wrote = self.input.write_all(question.as_bytes()).await;
            wrote.map_err(|_| Failure::Ended)?;
            self.input.flush().await.map_err(|_| Failure::Ended)?;
            for _ in 0..=MAX_PROMPTS {
                let answer = self.answer(number).await?;
                match (answer.get("prompt"), show) {
                    (Some(prompt), Some(show)) => {
                        if let Some(prompt) = PluginPrompt::of(prompt) {
                            show(prompt);
                        }
                    }
                    _ => return result_of(&answer),
                }
            }
            Err(Failure::Broken(format!("it shows a person more than {MAX_PROMPTS} things")))
        };
        timeout(limit, exchange).await.unwrap_or(Err(Failure::Silent))
    }

    async fn answer(&mut self, number: u64) -> Result<Value, Failure> {
        self.last.clear();
        let mut line = (&mut self.output).take(MAX_STDOUT as u64 + 1);
        let read = line.read_until(b'\n', &mut self.last).await;
        if !matches!(read, Ok(1..)) {
            return Err(Failure::Ended);
        }
        if self.last.len() > MAX_STDOUT {
            return Err(Failure::Broken(format!("its answer is longer than {} KiB", MAX_STDOUT >> 10)));
        }
        let broken = |why: &str| Failure::Broken(why.to_owned());
        let text = std::str::from_utf8(&self.last).map_err(|_| broken("its answer is not UTF-8"))?;
        let answer: Value =
            serde_json::from_str(text).map_err(|_| broken("its answer is not one line of JSON"))?;
        if answer.get("id").and_then(Value::as_u64) != Some(number) {
            return Err(broken("its answer has not the `id` of the question"));
        }
        Ok(answer)
    }

    /// Ends it where there is nothing to tell.
    pub(super) async fn stop(mut self) {
        self.group.stop().await;
    }

    /// Ends it, and tells why: its own words as well, where it has any.
    pub(super) async fn end(mut self, spec: &PluginSpec, method: &str, failure: Failure) -> AuthError {
        let why = match failure {
            Failure::Reported(said) => {
                self.group.stop().await;
                return said.into_error(spec, method);
            }
            Failure::Silent => format!("it did not answer within {}", mcp_text::time_limit(self.limit)),
            Failure::Ended => match timeout(LAST_WORDS, self.group.wait()).await {
                Ok(Ok(status)) => format!("it ended ({})", ended(status)),
                _ => "it closed its output".to_owned(),
            },
            Failure::Broken(why) => why,
        };
        self.group.stop().await;
        // What it has said is read by a task of its own.
        tokio::task::yield_now().await;
        let stderr = std::mem::take(&mut *self.stderr.lock().unwrap_or_else(PoisonError::into_inner));
        let output = Output { ended: RunEnd::TimedOut, stdout: std::mem::take(&mut self.last), stderr };
        let complaint = StderrExcerpt::new(&output, &self.invocation);
        let why = match complaint.telling_line() {
            Some(line) => format!("{why} (stderr: {})", Secrets::default().line(line, 200)),
            None => why,
        };
        let error = super::this_failed(spec, method, &why);
        match complaint.cure() {
            Some(command) => error.with_hint(format!("run `{command}`")),
            None => error,
        }
    }
}

fn result_of(answer: &Value) -> Result<Map<String, Value>, Failure> {
    match (answer.get("result"), answer.get("error")) {
        (Some(Value::Object(result)), None | Some(Value::Null)) => Ok(result.clone()),
        (Some(Value::Object(_)), Some(_)) => {
            Err(Failure::Broken("its answer has both `result` and `error`".to_owned()))
        }
        (None, Some(error)) => Err(Failure::Reported(PluginFailure::of(error))),
        _ => Err(Failure::Broken("its answer has neither `result`, an object, nor `error`".to_owned())),
    }
}

fn ended(status: std::process::ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => "killed".to_owned(),
    }
}
