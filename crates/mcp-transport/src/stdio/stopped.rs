//! Whether a command is stopped (SIGSTOP; SIGTTIN, where it wants to read from a terminal): it lives, and answers nothing until
//! another process lets it go on. It is no busy one, which answers when it is done.
//!
//! Linux tells it of each process. Elsewhere none is known to be stopped, and a request ends by its own limits.

use std::path::Path;

use mcp_files::Policy;

/// Processes that are looked at, at most.
const MAX_PROCESSES: usize = 64;
/// A file of `/proc` that is read here is one line.
const MAX_BYTES: u64 = 64 << 10;

/// A process that is stopped, and how much it had done by then: one that is slowed down by stops goes on in between.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct StoppedProcess {
    pub(super) pid: u32,
    /// Its time on a processor, in user and in system mode.
    ticks: (u64, u64),
}

/// The process `leader` or one that it started, whichever is stopped: a command is often a launcher whose child is the server.
pub(super) fn stopped_process(leader: u32) -> Option<StoppedProcess> {
    in_proc(Path::new("/proc"), leader)
}

fn in_proc(proc: &Path, leader: u32) -> Option<StoppedProcess> {
    let mut left = vec![leader];
    for _ in 0..MAX_PROCESSES {
        let pid = left.pop()?;
        let directory = proc.join(pid.to_string());
        // One that is over by now was not stopped.
        let Some((state, ticks)) = state(&directory) else { continue };
        // `t` is one that a debugger holds: its person knows.
        if state == "T" {
            return Some(StoppedProcess { pid, ticks });
        }
        left.extend(children(&directory));
    }
    None
}

fn line(path: &Path) -> Option<String> {
    let bytes = mcp_files::read(path, &Policy::surroundings(MAX_BYTES)).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The state of a process, and its time on a processor.
fn state(directory: &Path) -> Option<(String, (u64, u64))> {
    let stat = line(&directory.join("stat"))?;
    // The name of the command is in brackets and may hold anything: proc_pid_stat(5).
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?.to_owned();
    let mut ticks = fields.skip(10);
    Some((state, (ticks.next()?.parse().ok()?, ticks.next()?.parse().ok()?)))
}

/// What a process started, by each of its threads.
fn children(directory: &Path) -> Vec<u32> {
    let threads = std::fs::read_dir(directory.join("task")).into_iter().flatten().flatten();
    let of_thread = |thread: std::fs::DirEntry| line(&thread.path().join("children")).unwrap_or_default();
    let numbers =
        |line: String| line.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>();
    threads.take(MAX_PROCESSES).flat_map(|thread| numbers(of_thread(thread))).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_command_or_what_it_started_is_found_to_be_stopped() {
        let proc = tempfile::tempdir().unwrap();
        let process = |pid: u32, state: &str, children: &str| {
            let directory = proc.path().join(pid.to_string());
            fs::create_dir_all(directory.join(format!("task/{pid}"))).unwrap();
            let numbers = "1 1 1 0 -1 0 0 0 0 0 7 8 0 0";
            fs::write(directory.join("stat"), format!("{pid} (a) T (b) {state} {numbers}")).unwrap();
            fs::write(directory.join(format!("task/{pid}/children")), children).unwrap();
        };
        process(10, "S", "11 12 ");
        process(11, "R", "");
        process(12, "S", "13 ");
        process(13, "S", "");
        assert_eq!(in_proc(proc.path(), 10), None);
        process(13, "t", "");
        assert_eq!(in_proc(proc.path(), 10), None, "a debugger holds it");
        process(13, "T", "");
        assert_eq!(in_proc(proc.path(), 10), Some(StoppedProcess { pid: 13, ticks: (7, 8) }));
        process(10, "T", "");
        assert_eq!(in_proc(proc.path(), 10).map(|found| found.pid), Some(10));
        assert_eq!(in_proc(proc.path(), 99), None, "it is over");
    }
}
