//! The binary as a script uses it: one command after another, and after a refusal the step that it names.

use std::path::Path;

use mcp_harness::{Mcplink, Output};
use mcp_testkit::{FakeBrowser, TempHome};
use serde_json::Value;

use crate::entry::{self, NAME};
use crate::flow::calls;
use crate::sign_in::MAX_SIGN_INS;
use crate::{Outcome, Run};

/// The exit codes that decide how a script goes on; docs/statuses.md has all of them.
const DONE: i32 = 0;
const NEEDS_A_PERSON: i32 = 3;
const TOOL_FAILED: i32 = 5;
/// What a server that answers a request with an error has as the code of it.
const ANSWERED_WITH_AN_ERROR: &str = "rpc-error";

pub(crate) async fn run(program: &Path, run: &Run) -> Outcome<()> {
    let home = entry::home(run).await?;
    let browser = FakeBrowser::new()?;
    let mut script = Script { program, run, home: &home, browser: &browser, sign_ins: 0 };
    script.run(&["status", NAME])?;
    let listed = script.json(&["tools", NAME])?;
    let tools: Vec<Value> = listed["tools"].as_array().cloned().unwrap_or_default();
    let tools = tools.iter().map(|tool| (tool["name"].as_str().unwrap_or_default(), &tool["inputSchema"]));
    for (tool, arguments) in calls(run, tools) {
        let arguments = spelled(&arguments);
        let words = ["call", NAME, &tool].into_iter().chain(arguments.iter().map(String::as_str));
        script.run(&words.collect::<Vec<_>>())?;
    }
    let resources = script.json(&["resources", NAME])?;
    if let Some(uri) = resources["resources"][0]["uri"].as_str() {
        script.run(&["read", NAME, uri])?;
    }
    let prompts = script.json(&["prompts", NAME])?;
    if let Some(prompt) = prompts["prompts"][0]["name"].as_str() {
        script.run(&["prompt", NAME, prompt])?;
    }
    Ok(())
}

/// Arguments as a person types them: `key=text`, and `key:=JSON` for anything else.
fn spelled(arguments: &Value) -> Vec<String> {
    let members = arguments.as_object().into_iter().flatten();
    let word = |(name, value): (&String, &Value)| match value.as_str() {
        Some(text) => format!("{name}={text}"),
        None => format!("{name}:={value}"),
    };
    members.map(word).collect()
}

struct Script<'a> {
    program: &'a Path,
    run: &'a Run,
    home: &'a TempHome,
    browser: &'a FakeBrowser,
    sign_ins: u32,
}

impl Script<'_> {
    /// Runs a command. Where it says that signing in is next, that is done as it says it, and the command run again.
    fn run(&mut self, arguments: &[&str]) -> Outcome<Output> {
        loop {
            let output = self.mcplink(arguments);
            match output.code {
                Some(DONE) => return Ok(output),
                // A tool that fails is the tool's own matter, and so is a server without resources.
                _ if is_refused_by_server(&output) => return Ok(output),
                Some(NEEDS_A_PERSON) if self.sign_ins < MAX_SIGN_INS => {
                    self.sign_ins += 1;
                    let next = next(&output).ok_or_else(|| format!("there is no next step\n{output}"))?;
                    let words: Vec<&str> = next.split(' ').collect();
                    let ["mcplink", "login", ..] = words[..] else {
                        return Err(format!("the next step is not a sign-in: {next}\n{output}").into());
                    };
                    let login = self.mcplink(&words[1..]);
                    if login.code != Some(DONE) {
                        return Err(login.to_string().into());
                    }
                }
                _ => return Err(output.to_string().into()),
            }
        }
    }

    fn json(&mut self, arguments: &[&str]) -> Outcome<Value> {
        Ok(serde_json::from_str(&self.run(arguments)?.stdout).unwrap_or_default())
    }

    fn mcplink(&self, arguments: &[&str]) -> Output {
        let program = Mcplink::new(self.program, self.home).args(["--json"]).args(arguments.iter().copied());
        let program = program.env("BROWSER", self.browser.command()).may_hold_secrets("state/tokens");
        entry::secrets(self.run)
            .into_iter()
            .fold(program, |program, (name, secret)| program.env(name, secret))
            .run()
    }
}

fn is_refused_by_server(output: &Output) -> bool {
    output.code == Some(TOOL_FAILED) || error(output)["code"] == ANSWERED_WITH_AN_ERROR
}

/// What a command says with `--json` where it fails.
fn error(output: &Output) -> Value {
    let line: Value =
        serde_json::from_str(output.stderr.lines().last().unwrap_or_default()).unwrap_or_default();
    line["error"].clone()
}

/// The next step, from the error on stderr or the reason of the one server of a status.
fn next(output: &Output) -> Option<String> {
    let error = error(output);
    let status: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
    let steps = [&error["next"], &status["servers"][0]["reason"]["next"]];
    steps.iter().find_map(|step| step.as_str().map(str::to_owned))
}
