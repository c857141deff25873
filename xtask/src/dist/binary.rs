//! The binary that is published, and what it asks of the machine that it runs on.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::Problems;
use crate::setup::target_directory;
use crate::shell::{command, output, run};

#[cfg(windows)]
pub(super) const FILE: &str = "mcplink.exe";
#[cfg(not(windows))]
pub(super) const FILE: &str = "mcplink";

/// A version of the GNU C library.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Glibc(u32, u32);

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Glibc {
    /// As in the platform tag of a wheel (PEP 600).
    pub(super) fn manylinux(self, architecture: &str) -> String {
        format!("manylinux_{}_{}_{architecture}", self.0, self.1)
    }
}

/// Debian 10, RHEL 8, Ubuntu 18.10: what is still in use.
pub(super) const OLDEST_GLIBC: Glibc = Glibc(2, 28);

/// A linker that knows the symbols of every glibc, and what drives it, as PyPI has them.
const LINKER: [&str; 2] = ["ziglang==0.17.1", "cargo-zigbuild==0.24.1"];

/// The triple of the machine that this runs on.
pub(super) fn host_triple() -> Result<String, Problems> {
    let version = output(&mut command("rustc", &["-vV"]))?;
    let triple = version.lines().find_map(|line| line.strip_prefix("host: "));
    triple.map(str::to_owned).ok_or_else(|| vec!["rustc -vV names no host".to_owned()])
}

/// Builds the binary for release, on Linux against the oldest glibc.
pub(super) fn build(tools: &Path, target: &str) -> Result<PathBuf, Problems> {
    const WHAT: [&str; 6] = ["--release", "--locked", "--package", "mcplink", "--bin", "mcplink"];
    if target.ends_with("-linux-gnu") {
        let bin = install_linker(tools)?;
        const WHERE: &str =
            "import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), 'zig'))";
        let zig = output(&mut command(&bin.join("python3").to_string_lossy(), &["-c", WHERE]))?;
        let mut build = command(&bin.join("cargo-zigbuild").to_string_lossy(), &["zigbuild"]);
        build.args(WHAT).arg("--target").arg(format!("{target}.{OLDEST_GLIBC}"));
        run(build.env("CARGO_ZIGBUILD_ZIG_PATH", zig.trim()))?;
    } else {
        run(command("cargo", &["build"]).args(WHAT).args(["--target", target]))?;
    }
    Ok(target_directory()?.join(target).join("release").join(FILE))
}

fn install_linker(tools: &Path) -> Result<PathBuf, Problems> {
    let bin = tools.join("bin");
    let installed = output(&mut command(&bin.join("pip").to_string_lossy(), &["freeze"])).unwrap_or_default();
    if LINKER.iter().all(|wanted| installed.lines().any(|line| line == *wanted)) {
        return Ok(bin);
    }
    run(command("python3", &["-m", "venv", "--clear"]).arg(tools))?;
    let pip = bin.join("pip");
    run(command(&pip.to_string_lossy(), &["install", "--quiet", "--disable-pip-version-check"]).args(LINKER))?;
    Ok(bin)
}

/// The newest version of glibc that a binary names a symbol of; the oldest there is where it names none.
pub(super) fn glibc_of(binary: &Path) -> Result<Glibc, Problems> {
    if !cfg!(target_os = "linux") {
        return Ok(OLDEST_GLIBC);
    }
    let symbols = output(command("objdump", &["-T"]).arg(binary))?;
    Ok(newest(&symbols).unwrap_or(Glibc(2, 0)))
}

fn newest(symbols: &str) -> Option<Glibc> {
    let versions = symbols.split("GLIBC_").skip(1).filter_map(|rest| {
        let version = rest.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
        let mut numbers = version.split('.').map(str::parse);
        Some(Glibc(numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_symbol_decides_by_number_and_not_by_spelling() {
        let symbols = "0 DF *UND* 0 (GLIBC_2.9)   epoll_create1\n0 DF *UND* 0 (GLIBC_2.17) clock_gettime\n\
                       0 DF *UND* 0 (GLIBC_2.3.4) regexec\n0 w D *UND* 0 Base _ITM\n0 GLIBC_PRIVATE x\n";
        assert_eq!(newest(symbols), Some(Glibc(2, 17)));
        assert_eq!(newest("statically linked"), None);
        assert!(Glibc(2, 9) < OLDEST_GLIBC && Glibc(2, 34) > OLDEST_GLIBC);
        assert_eq!(OLDEST_GLIBC.manylinux("x86_64"), "manylinux_2_28_x86_64");
    }
}
