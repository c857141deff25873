//! Processes of a test run: finding and ending them without `unsafe`.

use std::fs::File;
use std::io::{self, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// More than any environment of a test.
const MOST: usize = 1 << 20;

/// How long a process may take to replace its program on a loaded machine.
const SETTLE: Duration = Duration::from_millis(500);

/// Whether a process exists and is not a zombie: one that has ended and only waits to be collected is not alive.
#[must_use]
pub fn process_is_alive(pid: u32) -> bool {
    if cfg!(target_os = "linux") {
        return std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| is_running(&stat));
    }
    signal("0", &pid.to_string())
}

/// Sends a signal to a process, or with a minus sign to a process group; whether there was one.
pub fn signal(name: &str, target: &str) -> bool {
    let status = Command::new("kill")
        .args([&format!("-{name}"), "--", target])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// The live processes whose environment contains this entry (`NAME=value`), with their command lines: every descendant of a marked process, whatever process
/// group or session it has moved to, unless it was started with an environment of its own.
///
/// Elsewhere than on Linux there is no way to read another process's environment without further tools, and nothing
/// is found; the process group is checked there as well as here.
#[must_use]
pub fn marked_processes(marker: &str) -> Vec<(u32, String)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let mut found = Vec::new();
    // One for all of them: a new one for each was a seventh of what a test of the command line costs.
    let mut room = vec![0; MOST];
    for entry in entries.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Some(environment) = environment_of(pid, &mut room) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == marker.as_bytes())
            && process_is_alive(pid)
        {
            let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push((pid, String::from_utf8_lossy(&command).replace('\0', " ")));
        }
    }
    found
}

/// The environment block of a process that may be one of ours; `None` for what cannot be.
///
/// A process that is just replacing its program has no whole block for that moment, and a search that met it then would
/// miss it. So one that is younger than we are is looked at again until it has settled.
fn environment_of(pid: u32, room: &mut [u8]) -> Option<&[u8]> {
    let deadline = Instant::now() + SETTLE;
    loop {
        // In one read, as two could see two programs and splice their environments.
        let length = File::open(format!("/proc/{pid}/environ")).ok()?.read(room).ok()?;
        if length > 0 && room[length - 1] == 0 {
            return Some(&room[..length]);
        }
        let is_younger = started(pid)? >= started(std::process::id())?;
        if !is_younger || !process_is_alive(pid) || Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// When a process started, in clock ticks since boot: the twentieth field after its command name.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// Makes the child the leader of a process group of its own, so that it can be signalled with all that it started.
pub fn in_own_group(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// Kills a process group.
pub fn kill_group(leader: u32) {
    if cfg!(unix) {
        signal("KILL", &format!("-{leader}"));
    } else {
        let arguments = ["/T", "/F", "/PID", &leader.to_string()].map(str::to_owned);
        let _: io::Result<_> =
            Command::new("taskkill").args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// Reads the state out of `/proc/PID/stat`: the field after the command name, which may itself contain anything.
fn is_running(stat: &str) -> bool {
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zombies_are_not_alive() {
        assert!(is_running("12 (a) b) S 1 2 3"));
        assert!(!is_running("12 (sh) Z 1 2 3"));
        assert!(!is_running(""));
    }

    #[test]
    fn processes_are_found_by_their_mark_also_while_they_replace_their_program() {
        if !cfg!(target_os = "linux") {
            return;
        }
        let marker = format!("MCP_TESTKIT_UNIT={}", std::process::id());
        let (name, value) = marker.split_once('=').unwrap();
        for _ in 0..50 {
            // Each of these replaces its program several times while it is being looked for.
            let script = "exec sh -c 'exec sh -c \"exec sleep 60\"'";
            let mut child = Command::new("sh").args(["-c", script]).env(name, value).spawn().unwrap();
            let found = marked_processes(&marker);
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(found.iter().map(|(pid, _)| *pid).collect::<Vec<_>>(), [child.id()]);
        }
    }

    #[test]
    fn our_own_process_is_alive_and_a_collected_one_is_not() {
        assert!(process_is_alive(std::process::id()));
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(!process_is_alive(pid));
    }
}
