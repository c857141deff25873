//! What this process runs under, where whatever started it left `MCPLINK_CHAIN` out.
//!
//! Many programs hand a few variables on and no more: the clients of the official SDKs six of them. What such a program was
//! itself started with still tells which entries are above, and on Linux the processes above this one can be asked.
//! Where one of them is this program and nothing says for which entry, it counts as an entry of which nothing is known,
//! so that a loop through `env -i` ends at a depth. Other systems do not tell a process about those above it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use mcp_files::Policy;

/// Processes that are asked, at most.
const MAX_PROCESSES: usize = 64;
/// A larger environment is not searched.
const MAX_ENVIRONMENT_BYTES: u64 = 4 * 1024 * 1024;
/// `/proc/PID/stat` is one line of numbers.
const MAX_STAT_BYTES: u64 = 64 * 1024;
/// As an entry of which nothing is known is in the chain.
const UNKNOWN: &[u8] = b"~";

/// The chain, told from the processes above this one; `program` is the file that this process runs.
pub(crate) fn chain(program: Option<&Path>) -> Option<OsString> {
    chain_in(Path::new("/proc"), std::process::id(), program)
}

fn chain_in(proc: &Path, own: u32, program: Option<&Path>) -> Option<OsString> {
    let mut directory = proc.join(own.to_string());
    let mut links = Vec::new();
    for _ in 0..MAX_PROCESSES {
        let Some(parent) = parent(&directory) else { break };
        directory = proc.join(parent.to_string());
        if let Some(chain) = variable(&directory) {
            links.push(chain);
            break;
        }
        if program
            .is_some_and(|program| std::fs::read_link(directory.join("exe")).is_ok_and(|exe| exe == program))
        {
            links.push(UNKNOWN.to_vec());
        }
    }
    // Outermost first.
    links.reverse();
    (!links.is_empty()).then(|| OsStr::from_bytes(&links.join(&b',')).to_owned())
}

/// The process above that of this directory; none above the first.
fn parent(directory: &Path) -> Option<u32> {
    let stat = mcp_files::read(&directory.join("stat"), &Policy::surroundings(MAX_STAT_BYTES)).ok()?;
    // The name of the command is in brackets and may hold anything: proc_pid_stat(5).
    let behind = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(stat.get(behind + 1..)?).ok()?.split_whitespace();
    fields.nth(1)?.parse().ok().filter(|parent| *parent != 0)
}

/// The chain that a process was started with.
fn variable(directory: &Path) -> Option<Vec<u8>> {
    let policy = Policy::surroundings(MAX_ENVIRONMENT_BYTES).owned();
    let environment = mcp_files::read(&PathBuf::from(directory).join("environ"), &policy).ok()?;
    let prefix = [mcp_config::CHAIN_VARIABLE.as_bytes(), b"="].concat();
    let mut values =
        environment.split(|byte| *byte == 0).filter_map(|variable| variable.strip_prefix(&*prefix));
    values.next().filter(|value| !value.is_empty()).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Processes, each the parent of the next: name, environment, program.
    fn chain_below(processes: &[(&str, &str, &str)]) -> Option<String> {
        let proc = tempfile::tempdir().unwrap();
        for (number, (name, environment, program)) in processes.iter().enumerate() {
            let directory = proc.path().join((number + 1).to_string());
            fs::create_dir(&directory).unwrap();
            fs::write(directory.join("stat"), format!("{} ({name}) S {number} 1 1", number + 1)).unwrap();
            fs::write(directory.join("environ"), environment).unwrap();
            std::os::unix::fs::symlink(program, directory.join("exe")).unwrap();
        }
        let own = u32::try_from(processes.len()).unwrap();
        chain_in(proc.path(), own, Some(Path::new("/bin/mcplink"))).map(|chain| chain.into_string().unwrap())
    }

    #[test]
    fn s_b2_the_processes_above_tell_what_a_stripped_environment_does_not() {
        let (ours, other) = ("/bin/mcplink", "/bin/sh");
        let chain = "A=1\0MCPLINK_CHAIN=a~0000000000000001\0B=2\0";
        for (processes, expected) in [
            (&[("init", "", other), ("mcplink", "", ours)][..], None),
            (
                &[("mcplink", "", ours), ("a) S 7 (b", chain, other), ("mcplink", "", ours)],
                Some("a~0000000000000001"),
            ),
            // The nearest one counts, and what stands between is counted.
            (
                &[("x", "MCPLINK_CHAIN=old", other), ("a", chain, other), ("m", "", ours), ("m", "", ours)],
                Some("a~0000000000000001,~"),
            ),
            (&[("m", "", ours), ("m", "X_MCPLINK_CHAIN=a\0", ours), ("m", "", ours)], Some("~,~")),
            // Its own environment is not asked: that was empty.
            (&[("x", "", other), ("mcplink", chain, ours)], None),
        ] {
            assert_eq!(chain_below(processes).as_deref(), expected, "{processes:?}");
        }
    }

    #[test]
    fn s_b2_processes_that_cannot_be_asked_end_the_search_and_nothing_else() {
        let proc = tempfile::tempdir().unwrap();
        assert_eq!(chain_in(proc.path(), 7, None), None);
        for stat in ["", "7 (x", "7 (x) S", "7 (x) S y", "7 (x) S 7 1"] {
            fs::create_dir_all(proc.path().join("7")).unwrap();
            fs::write(proc.path().join("7/stat"), stat).unwrap();
            assert_eq!(chain_in(proc.path(), 7, None), None, "{stat}");
        }
    }
}
