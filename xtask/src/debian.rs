//! What some tests need of Debian: shells in which they press the key of completion, a terminal in which they use the menu,
//! a SOCKS proxy that servers are reached by, what makes certificates, databases that machines share sign-ins in, what counts
//! instructions. Installed where this is a machine on which we may; without one of them, its test says that it was skipped, and
//! fails in CI.

use std::path::Path;

use crate::shell::{command, is_installed, output, run};

/// The names of the packages, and what each brings: a program on the path, or a folder.
const PACKAGES: [(&str, InstallMark); 8] = [
    ("zsh", InstallMark::Program("zsh")),
    ("fish", InstallMark::Program("fish")),
    ("tmux", InstallMark::Program("tmux")),
    ("microsocks", InstallMark::Program("microsocks")),
    ("openssl", InstallMark::Program("openssl")),
    ("valgrind", InstallMark::Program("valgrind")),
    ("redis-server", InstallMark::Program("redis-server")),
    // Several versions may lie beside each other, and none of them on the path.
    ("postgresql", InstallMark::Folder("/usr/lib/postgresql")),
];

enum InstallMark {
    Program(&'static str),
    Folder(&'static str),
}

impl InstallMark {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => is_installed(name),
            Self::Folder(path) => Path::new(path).is_dir(),
        }
    }
}

/// Installs those that are missing, or says which tests are skipped.
pub(crate) fn provide() {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(_, brought)| !brought.is_there()).map(|(package, _)| *package).collect();
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
