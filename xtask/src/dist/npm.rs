//! What `npx mcplink` takes: a launcher, and for each platform a package that holds its binary.
//!
//! The launcher names the platform packages as optional dependencies, so that npm installs the one whose `os` and `cpu`
//! fit. No install script runs: many people switch those off.

use std::path::{Path, PathBuf};

use super::{Release, binary, files, legal, packaging, readme, template};
use crate::Problems;
use crate::shell::{command, run};

pub(super) fn packages(release: &Release) -> Result<Vec<PathBuf>, Problems> {
    let (os, cpu) = platform(&release.target)?;
    let name = format!("@mcplink/{os}-{cpu}");
    let own = release.stage.join("npm").join(format!("{os}-{cpu}"));
    let manifest =
        template::fill(release, "npm/platform.json", &[("NAME", &name), ("OS", os), ("CPU", cpu)])?;
    files::write(&own.join("package.json"), &manifest)?;
    files::copy(&release.binary, &own.join("bin").join(binary::FILE), true)?;

    let launcher = release.stage.join("npm/mcplink");
    let platforms = format!("{{ \"{name}\": \"{}\" }}", release.version);
    let manifest = template::fill(release, "npm/package.json", &[("PLATFORMS", &platforms)])?;
    files::write(&launcher.join("package.json"), &manifest)?;
    files::copy(&packaging("npm/mcplink.js"), &launcher.join("bin/mcplink.js"), true)?;
    files::copy(&readme(), &launcher.join("README.md"), false)?;
    for (name, file) in legal() {
        files::copy(&file, &launcher.join(name), false)?;
        files::copy(&file, &own.join(name), false)?;
    }
    pack(release, &own)?;
    pack(release, &launcher)?;
    Ok(vec![
        release.out.join(format!("mcplink-{os}-{cpu}-{}.tgz", release.version)),
        release.out.join(format!("mcplink-{}.tgz", release.version)),
    ])
}

fn pack(release: &Release, folder: &Path) -> Result<(), Problems> {
    run(command("npm", &["pack", "--silent", "--pack-destination"]).arg(&release.out).arg(folder))
}

/// `process.platform` and `process.arch` of Node.js.
pub(super) fn platform(target: &str) -> Result<(&'static str, &'static str), Problems> {
    let os = match target {
        _ if target.contains("linux") => "linux",
        _ if target.contains("darwin") => "darwin",
        _ if target.contains("windows") => "win32",
        _ => return Err(vec![format!("npm has no name for {target}")]),
    };
    match target.split('-').next() {
        Some("x86_64") => Ok((os, "x64")),
        Some("aarch64") => Ok((os, "arm64")),
        _ => Err(vec![format!("npm has no name for {target}")]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_called_what_node_calls_it() {
        for (target, expected) in [
            ("x86_64-unknown-linux-gnu", ("linux", "x64")),
            ("aarch64-apple-darwin", ("darwin", "arm64")),
            ("x86_64-pc-windows-msvc", ("win32", "x64")),
        ] {
            assert_eq!(platform(target), Ok(expected));
        }
        assert!(platform("riscv64gc-unknown-linux-gnu").is_err());
        assert!(platform("x86_64-unknown-freebsd").is_err());
    }
}
