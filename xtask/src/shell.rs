//! Running other programs.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Problems;

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

/// `program` in the root of the workspace.
pub(crate) fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command with its output passed through.
pub(crate) fn run(command: &mut Command) -> Result<(), Problems> {
    let shown = show(command);
    println!("$ {shown}");
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(vec![format!("`{shown}` ended with {status}")]),
        Err(error) => Err(vec![format!("`{shown}` did not start: {error}")]),
    }
}

/// Runs a command and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String, Problems> {
    let shown = show(command);
    let output = command.output().map_err(|error| vec![format!("`{shown}` did not start: {error}")])?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(vec![format!("`{shown}` ended with {}: {}", output.status, stderr.trim())]);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `cargo metadata` says about the packages of the workspace.
pub(crate) fn metadata() -> Result<Value, Problems> {
    let arguments = ["metadata", "--locked", "--no-deps", "--format-version", "1"];
    let text = output(&mut command("cargo", &arguments))?;
    serde_json::from_str(&text).map_err(|error| vec![format!("cargo metadata: {error}")])
}

/// Whether a program of this name is on the search path.
pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    !matches!(found, Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Whether this subcommand of cargo is installed.
pub(crate) fn has_cargo_subcommand(name: &str) -> bool {
    command("cargo", &[name, "--version"]).output().is_ok_and(|output| output.status.success())
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
