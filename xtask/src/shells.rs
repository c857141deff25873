//! The shells in which the tests press the key of completion, the terminal in which they use the menu, and a SOCKS proxy: Debian packages, where
//! this is a machine on which we may install.
//! Without one of them, its test says that it was skipped.

use crate::shell::{command, is_installed, output, run};

/// Each is a package and a program of the same name.
const SHELLS: [&str; 4] = ["zsh", "fish", "tmux", "microsocks"];

/// Installs those that are missing, or says which tests are skipped.
pub(crate) fn provide() {
    let missing: Vec<&str> = SHELLS.into_iter().filter(|shell| !is_installed(shell)).collect();
    if missing.is_empty() {
        return;
    }
    let is_root = output(&mut command("id", &["-u"])).is_ok_and(|id| id.trim() == "0");
    let mut problem = "install them, or run this as root on Debian".to_owned();
    if is_root && is_installed("apt-get") {
        let install = [&["install", "--quiet", "--yes", "--no-install-recommends"], &missing[..]].concat();
        // The lists of a fresh machine or container are empty or old.
        let installed = run(&mut command("apt-get", &["update", "--quiet"]))
            .and_then(|()| run(command("apt-get", &install).env("DEBIAN_FRONTEND", "noninteractive")));
        match installed {
            Ok(()) => return,
            Err(problems) => problem = problems.join("; "),
        }
    }
    println!("!!! no {}: {problem}; the tests in them WILL BE SKIPPED !!!", missing.join(", "));
}
