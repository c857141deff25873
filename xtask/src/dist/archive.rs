//! Archives: the binary with all that belongs to it, and the source that the Homebrew formula builds.

use std::path::PathBuf;

use super::{Release, binary, files, legal, readme};
use crate::Problems;
use crate::shell::{command, run};

pub(super) fn binary(release: &Release) -> Result<PathBuf, Problems> {
    let name = format!("mcplink-{}-{}", release.version, release.target);
    let folder = release.stage.join(&name);
    files::copy(&release.binary, &folder.join(binary::FILE), true)?;
    files::copy(&readme(), &folder.join("README.md"), false)?;
    for (name, file) in legal() {
        files::copy(&file, &folder.join(name), false)?;
    }
    for kind in ["man", "completions"] {
        for file in files::list(&release.stage.join(kind))? {
            files::copy(&file, &folder.join(kind).join(files::name(&file)), false)?;
        }
    }
    let archive = release.out.join(format!("{name}.tar.gz"));
    files::tar(&folder, &archive, release.epoch)?;
    Ok(archive)
}

/// What is committed, as git keeps it; where git has nothing, as in an unpacked archive, what is there.
pub(super) fn source(release: &Release) -> Result<PathBuf, Problems> {
    let name = format!("mcplink-{}", release.version);
    let archive = release.out.join(format!("{name}-source.tar.gz"));
    let mut git = command("git", &["archive", "--format=tar.gz"]);
    if run(git.arg(format!("--prefix={name}/")).arg("--output").arg(&archive).arg("HEAD")).is_err() {
        let mut tar = command("tar", &["--exclude=./target", "--exclude=./.git", "-czf"]);
        run(tar.arg(&archive).arg(format!("--transform=s,^\\.,{name},")).arg("."))?;
    }
    Ok(archive)
}
