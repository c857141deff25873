//! Writing files and naming the one that could not be written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Problems;
use crate::shell::{command, output, run};

/// A folder that holds nothing.
pub(super) fn empty(folder: &Path) -> Result<(), Problems> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed(folder, &error)),
        _ => fs::create_dir_all(folder).map_err(|error| failed(folder, &error)),
    }
}

pub(super) fn write(file: &Path, text: &str) -> Result<PathBuf, Problems> {
    make_room(file)?;
    fs::write(file, text).map_err(|error| failed(file, &error))?;
    Ok(file.to_owned())
}

/// Copies a file; a program can be run, everything else only be read.
pub(super) fn copy(from: &Path, to: &Path, is_program: bool) -> Result<(), Problems> {
    make_room(to)?;
    fs::copy(from, to).map_err(|error| failed(from, &error))?;
    set_mode(to, if is_program { 0o755 } else { 0o644 })
}

pub(super) fn read(file: &Path) -> Result<String, Problems> {
    fs::read_to_string(file).map_err(|error| failed(file, &error))
}

/// The files of a folder, sorted by name.
pub(super) fn list(folder: &Path) -> Result<Vec<PathBuf>, Problems> {
    let entries = fs::read_dir(folder).map_err(|error| failed(folder, &error))?;
    let mut files: Vec<_> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|file| file.is_file()).collect();
    files.sort();
    Ok(files)
}

/// `SHA256SUMS` of everything in a folder, as `sha256sum --check` reads it.
pub(super) fn sums(folder: &Path) -> Result<PathBuf, Problems> {
    let mut text = String::new();
    for file in list(folder)? {
        text += &format!("{}  {}\n", sha256(&file)?, name(&file));
    }
    write(&folder.join("SHA256SUMS"), &text)
}

pub(super) fn sha256(file: &Path) -> Result<String, Problems> {
    let sum = output(command("sha256sum", &[]).arg(file))?;
    Ok(sum.split_whitespace().next().unwrap_or_default().trim_start_matches('\\').to_owned())
}

/// A `.tar.gz` of a folder that depends on nothing but what is in it. GNU tar is what can do that.
pub(super) fn tar(folder: &Path, archive: &Path, epoch: u64) -> Result<(), Problems> {
    let (parent, inside) = (folder.parent().unwrap_or(folder), name(folder));
    let mut tar =
        command("tar", &["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mode=u+rw,go+r-w"]);
    tar.arg(format!("--mtime=@{epoch}")).arg("--use-compress-program=gzip -9n");
    run(tar.arg("-cf").arg(archive).arg("-C").arg(parent).arg(inside))
}

pub(super) fn name(file: &Path) -> String {
    file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

pub(super) fn failed(file: &Path, error: &std::io::Error) -> Problems {
    vec![format!("{}: {error}", file.display())]
}

fn make_room(file: &Path) -> Result<(), Problems> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).map_err(|error| failed(folder, &error))
}

#[cfg(unix)]
fn set_mode(file: &Path, mode: u32) -> Result<(), Problems> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).map_err(|error| failed(file, &error))
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<(), Problems> {
    Ok(())
}
