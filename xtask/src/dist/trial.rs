//! Each package installed into an empty prefix, as its users would, and run from there. No registry is asked.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use super::{Release, binary, debian, files, npm};
use crate::Problems;
use crate::shell::{command, is_installed, output};

/// A way to install, and what it needs.
type Way = fn(&Release, &Path) -> Result<(), Problems>;

pub(super) fn run(release: &Release) -> Result<(), Problems> {
    let mut ways: Vec<(&str, Way)> =
        vec![("archive", from_archive), ("npm", from_npm), ("wheel", from_wheel)];
    if is_installed("dpkg") {
        ways.push(("deb", from_debian_package));
    }
    // All at once: what takes time is the demonstration, which mostly waits.
    let problems: Problems = thread::scope(|scope| {
        let trials: Vec<_> = ways
            .into_iter()
            .map(|(name, way)| {
                let prefix = release.stage.join("prefixes").join(name);
                scope.spawn(move || files::empty(&prefix).and_then(|()| way(release, &prefix)))
            })
            .collect();
        let ended = trials
            .into_iter()
            .map(|trial| trial.join().unwrap_or_else(|_| Err(vec!["it panicked".to_owned()])));
        ended.filter_map(Result::err).flatten().collect()
    });
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn from_archive(release: &Release, prefix: &Path) -> Result<(), Problems> {
    let name = format!("mcplink-{}-{}", release.version, release.target);
    run_in(prefix, command("tar", &["-xzf"]).arg(release.out.join(format!("{name}.tar.gz"))))?;
    works(release, prefix, || Command::new(prefix.join(&name).join(binary::FILE)))
}

fn from_npm(release: &Release, prefix: &Path) -> Result<(), Problems> {
    let (os, cpu) = npm::platform(&release.target)?;
    let mut install =
        command("npm", &["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund"]);
    // As if the registry had both: the launcher finds the version that it asks for installed.
    install.arg(release.out.join(format!("mcplink-{os}-{cpu}-{}.tgz", release.version)));
    install.arg(release.out.join(format!("mcplink-{}.tgz", release.version)));
    run_in(prefix, &mut install)?;
    works(release, prefix, || {
        let mut npx = Command::new("npx");
        npx.args(["--offline", "--no", "--", "mcplink"]);
        npx
    })?;
    passes_signals_on(&prefix.join("node_modules/.bin/mcplink"))
}

/// A host ends a server with a signal to the process that it started, which is the launcher.
fn passes_signals_on(launcher: &Path) -> Result<(), Problems> {
    let failed = |error: std::io::Error| files::failed(launcher, &error);
    let mut bridge = Command::new(launcher);
    bridge.args(["bridge", "http://127.0.0.1:9/mcp"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut bridge = bridge.spawn().map_err(failed)?;
    // It answers once it runs, whether or not the server does.
    let asked = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let mut host = bridge.stdin.take().ok_or_else(|| vec!["no input".to_owned()])?;
    writeln!(host, "{asked}").map_err(failed)?;
    let mut answer = String::new();
    let stdout = bridge.stdout.take().ok_or_else(|| vec!["no output".to_owned()])?;
    BufReader::new(stdout).read_line(&mut answer).map_err(failed)?;
    crate::shell::run(&mut command("kill", &["-TERM", &bridge.id().to_string()]))?;
    let code = bridge.wait().map_err(failed)?.code();
    drop(host);
    if answer.contains("result") && code == Some(143) {
        return Ok(());
    }
    Err(vec![format!("the launcher of npm ended a bridge with {code:?}, not with 143, after {answer}")])
}

fn from_wheel(release: &Release, prefix: &Path) -> Result<(), Problems> {
    let wheels = files::list(&release.out)?;
    let wheel = wheels.iter().find(|file| file.extension().is_some_and(|extension| extension == "whl"));
    let wheel = wheel.ok_or_else(|| vec![format!("{} has no wheel", release.out.display())])?;
    run_in(prefix, &mut command("python3", &["-m", "venv", "venv"]))?;
    let bin = prefix.join("venv/bin");
    let pip = bin.join("pip");
    let arguments = ["install", "--no-index", "--quiet", "--disable-pip-version-check"];
    run_in(prefix, command(&pip.to_string_lossy(), &arguments).arg(wheel))?;
    works(release, prefix, || Command::new(bin.join(binary::FILE)))
}

/// `dpkg` over a root of its own: nothing of this machine is changed, and what the package depends on is not looked for.
fn from_debian_package(release: &Release, prefix: &Path) -> Result<(), Problems> {
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates"] {
        files::empty(&prefix.join(folder))?;
    }
    files::write(&prefix.join("var/lib/dpkg/status"), "")?;
    let mut dpkg = command("dpkg", &["--force-not-root", "--force-depends", "--force-script-chrootless"]);
    let log = prefix.join("dpkg.log");
    dpkg.arg("--log").arg(log).arg("--root").arg(prefix).arg("--install");
    run_in(prefix, dpkg.arg(release.out.join(debian::file_name(release))))?;
    for file in ["usr/share/man/man1/mcplink.1.gz", "usr/share/bash-completion/completions/mcplink"] {
        if !prefix.join(file).is_file() {
            return Err(vec![format!("the Debian package installs no {file}")]);
        }
    }
    works(release, prefix, || Command::new(prefix.join("usr/bin").join(binary::FILE)))
}

/// Says its version, ends with the codes that are documented, and passes its own demonstration.
fn works(release: &Release, prefix: &Path, program: impl Fn() -> Command) -> Result<(), Problems> {
    let home: PathBuf = prefix.join("home");
    files::empty(&home)?;
    let with = |arguments: &[&str]| {
        let mut program = program();
        program.args(arguments).current_dir(prefix).env("HOME", &home);
        for variable in
            ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "CLAUDE_CONFIG_DIR", "MCPLINK_CONFIG"]
        {
            program.env_remove(variable);
        }
        program
    };
    let version = output(&mut with(&["--version"]))?;
    if !version.contains(&release.version) {
        return Err(vec![format!("{} says that it is {version}", prefix.display())]);
    }
    let unknown = with(&["get", "nothing-of-this-name"]).output();
    let code = unknown.map_err(|error| files::failed(prefix, &error))?.status.code();
    if code != Some(2) {
        return Err(vec![format!("{}: an unknown server ends with {code:?}, not with 2", prefix.display())]);
    }
    let shown = output(&mut with(&["demo"]))?;
    println!("{}: {}", prefix.display(), shown.lines().last().unwrap_or_default());
    Ok(())
}

fn run_in(folder: &Path, command: &mut Command) -> Result<(), Problems> {
    crate::shell::run(command.current_dir(folder))
}
