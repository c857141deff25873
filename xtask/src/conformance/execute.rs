//! One run: a process of the suite, the client that it starts, and the end of both.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::judge::RunObservation;
use super::plan::Run;
use super::ways::Programs;
use crate::shell::root;

/// How long a client may take. It takes one or two seconds; a loaded machine must not fail it.
const CLIENT_LIMIT: Duration = Duration::from_secs(30);
/// When the client's processes are ended. The suite has given up by then, but it signals only the shell that it
/// started, and then waits for everything that holds the client's output.
const CLIENT_END: Duration = Duration::from_secs(33);
/// When the suite itself is ended.
const SUITE_END: Duration = Duration::from_secs(50);
const POLL: Duration = Duration::from_millis(20);

/// The variable by which the processes of one run are known, whatever they start and wherever they move.
const MARK: &str = "MCPLINK_CONFORMANCE_RUN";

/// The suite, installed, and the client to drive.
#[derive(Clone, Debug)]
pub(super) struct Suite {
    /// The folder with `node_modules`.
    pub(super) folder: PathBuf,
    /// What the clients are made of.
    pub(super) programs: Programs,
    /// Where each run leaves what it printed and found.
    pub(super) results: PathBuf,
}

impl Suite {
    /// The package itself.
    pub(super) fn package(&self) -> PathBuf {
        self.folder.join("node_modules/@modelcontextprotocol/conformance")
    }

    /// `node` with the suite's program.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("node");
        command
            .arg("--import")
            .arg(root().join("conformance/preload.mjs"))
            .arg(self.package().join("dist/index.js"))
            .args(arguments)
            .current_dir(root());
        command
    }

    /// Where a run leaves its results.
    pub(super) fn results_of(&self, run: &Run) -> PathBuf {
        self.results.join(run.way.name()).join(run.id.replace('/', "_"))
    }

    /// Runs one scenario to its end, or to ours.
    ///
    /// # Errors
    ///
    /// When the suite cannot be started or its results cannot be written.
    pub(super) fn execute(&self, run: &Run) -> io::Result<RunObservation> {
        let folder = self.results_of(run);
        fs::create_dir_all(&folder)?;
        let log = folder.join("suite.log");
        let output = File::create(&log)?;
        // Unique among all that run at a time on this machine.
        let mark = format!("{}-{}-{}", std::process::id(), run.way.name(), run.id);
        let limit = CLIENT_LIMIT.as_millis().to_string();
        let mut command = self.command(&["client", "--scenario", &run.scenario, "--timeout", &limit]);
        command.arg("--command").arg(self.programs.command(run.way)).arg("--output-dir").arg(&folder);
        if let Some(revision) = &run.revision {
            command.args(["--spec-version", revision, "--force"]);
        }
        let mut suite = command
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let began = Instant::now();
        let mut left_behind = 0;
        let ended = loop {
            if let Some(status) = suite.try_wait()? {
                break Some(status);
            }
            if began.elapsed() > SUITE_END {
                end(&mut suite)?;
                break None;
            }
            if began.elapsed() > CLIENT_END {
                left_behind += end_marked(&mark, suite.id());
            }
            sleep(POLL);
        };
        left_behind += end_marked(&mark, suite.id());
        let log = String::from_utf8_lossy(&fs::read(log)?).into_owned();
        Ok(RunObservation {
            approved: ended.is_some_and(|status: ExitStatus| status.success()),
            killed: ended.is_none(),
            left_behind,
            log,
            checks: checks(&folder),
        })
    }
}

fn end(child: &mut Child) -> io::Result<()> {
    child.kill()?;
    child.wait().map(drop)
}

/// Ends every process that carries this mark, but for the suite, and says how many there were. On other systems than
/// Linux the environment of a process cannot be read, and none is found.
fn end_marked(mark: &str, suite: u32) -> usize {
    let marker = format!("{MARK}={mark}");
    let marked: Vec<u32> =
        processes().filter(|process| *process != suite && carries(*process, &marker)).collect();
    for process in &marked {
        // Fails only where it has just ended by itself.
        let _ = Command::new("kill").args(["-KILL", &process.to_string()]).stderr(Stdio::null()).status();
    }
    marked.len()
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn carries(process: u32, marker: &str) -> bool {
    // A zombie has no environment any more.
    let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
}

/// The findings, in a folder that the suite names after scenario and time.
fn checks(folder: &Path) -> Option<Vec<serde_json::Value>> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return checks(&path);
        }
        (path.file_name()? == "checks.json").then(|| serde_json::from_slice(&fs::read(path).ok()?).ok())?
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn processes_that_a_client_leaves_behind_are_found_and_ended() {
        let mark = format!("test-{}", std::process::id());
        let start = |mark: &str| {
            let mut command = Command::new("sleep");
            command.arg("600").env(MARK, mark).spawn().unwrap()
        };
        let (mut suite, mut left, mut other) = (start(&mark), start(&mark), start("another"));
        // A process that has just been started may not have its environment yet.
        let mut ended = 0;
        while ended == 0 {
            ended = end_marked(&mark, suite.id());
        }
        assert!(!left.wait().unwrap().success());
        assert!(suite.try_wait().unwrap().is_none());
        assert!(other.try_wait().unwrap().is_none());
        end(&mut suite).unwrap();
        end(&mut other).unwrap();
        assert_eq!(end_marked(&mark, 0), 0);
    }
}
