//! What people install without a Rust toolchain: an archive, npm packages, a wheel, a Debian package, and what goes with them.
//!
//! `packaging/README.md` says what is made and what is proven.

mod archive;
mod binary;
mod debian;
mod files;
mod npm;
mod sbom;
mod template;
mod trial;
mod wheel;

use std::path::{Path, PathBuf};

use serde_json::Value;

use self::binary::Glibc;
use crate::setup::target_directory;
use crate::shell::{command, metadata, output, root};
use crate::{Problems, programs};

/// What is packaged, and for which machine.
struct Release {
    version: String,
    description: String,
    license: String,
    repository: String,
    authors: String,
    /// The target triple of the binary.
    target: String,
    binary: PathBuf,
    /// The oldest glibc that the binary runs on.
    glibc: Glibc,
    /// Seconds since 1970 that every file in a package carries, so that the same commit gives the same bytes.
    epoch: u64,
    /// Where finished packages go.
    out: PathBuf,
    /// What goes into several packages: `man/`, `completions/`.
    stage: PathBuf,
}

/// `cargo xtask dist [--with BINARY] [--try]`.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Problems> {
    let (mut with, mut trial) = (None, false);
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match *argument {
            "--with" => {
                let binary = arguments.next().ok_or_else(|| vec!["--with names a binary".to_owned()])?;
                with = Some(root().join(binary));
            }
            "--try" => trial = true,
            unknown => return Err(vec![format!("dist knows --with BINARY and --try, not {unknown}")]),
        }
    }
    let release = Release::build(with)?;
    let made = release.package()?;
    for package in &made {
        println!("{}", package.display());
    }
    if trial { trial::run(&release) } else { Ok(()) }
}

/// Packages the binary that the tests have built, and tries each package: what CI does.
pub(crate) fn check() -> Result<(), Problems> {
    let built = programs::build()?.mcplink;
    // What only a debugger reads is most of it, and would be compressed four times.
    let stripped = target_directory()?.join("dist/tested").join(binary::FILE);
    files::copy(&built, &stripped, true)?;
    crate::shell::run(command("strip", &[]).arg(&stripped))?;
    run(&["--with", &stripped.to_string_lossy(), "--try"])
}

impl Release {
    fn build(with: Option<PathBuf>) -> Result<Self, Problems> {
        let package = package()?;
        let text = |name: &str| {
            let value = package[name].as_str();
            value.map(str::to_owned).ok_or_else(|| vec![format!("the package of mcplink has no {name}")])
        };
        let version = text("version")?;
        let dist = target_directory()?.join("dist");
        let target = binary::host_triple()?;
        let (binary, wanted) = match with {
            Some(binary) => (binary, None),
            None => (binary::build(&dist.join("tools"), &target)?, Some(binary::OLDEST_GLIBC)),
        };
        let glibc = binary::glibc_of(&binary)?;
        if let Some(wanted) = wanted.filter(|wanted| glibc > *wanted) {
            return Err(vec![format!("{} needs glibc {glibc}, newer than {wanted}", binary.display())]);
        }
        let out = dist.join(&version);
        let stage = dist.join("stage");
        files::empty(&out)?;
        files::empty(&stage)?;
        Ok(Self {
            description: text("description")?,
            license: text("license")?,
            repository: text("repository")?,
            authors: package["authors"][0].as_str().unwrap_or("the authors").to_owned(),
            glibc: glibc.max(binary::OLDEST_GLIBC),
            epoch: epoch(),
            version,
            target,
            binary,
            out,
            stage,
        })
    }

    /// Makes every package, and returns them.
    fn package(&self) -> Result<Vec<PathBuf>, Problems> {
        self.stage_documents()?;
        let mut made = vec![archive::binary(self)?, archive::source(self)?];
        made.extend(npm::packages(self)?);
        made.push(wheel::package(self)?);
        made.push(debian::package(self)?);
        made.push(sbom::write(self)?);
        let source = files::sha256(&made[1])?;
        let formula = template::fill(self, "homebrew/mcplink.rb", &[("SOURCE_SHA256", &source)])?;
        made.push(files::write(&self.out.join("mcplink.rb"), &formula)?);
        let deb = debian::file_name(self);
        let dockerfile = template::fill(self, "docker/Dockerfile", &[("DEB", &deb)])?;
        made.push(files::write(&self.out.join("Dockerfile"), &dockerfile)?);
        made.push(files::sums(&self.out)?);
        Ok(made)
    }

    /// What the binary says of itself: man pages and completions.
    fn stage_documents(&self) -> Result<(), Problems> {
        let binary = self.binary.to_string_lossy();
        let man = self.stage.join("man");
        output(command(&binary, &["man", "--out"]).arg(&man))?;
        for shell in SHELLS {
            let script = output(&mut command(&binary, &["completions", shell]))?;
            files::write(&self.stage.join("completions").join(completion_name(shell)), &script)?;
        }
        Ok(())
    }

    /// `x86_64` of `x86_64-unknown-linux-gnu`.
    fn architecture(&self) -> &str {
        self.target.split('-').next().unwrap_or(&self.target)
    }
}

const SHELLS: [&str; 3] = ["bash", "zsh", "fish"];

/// What the shell calls a file of completions in its own folder.
fn completion_name(shell: &str) -> &'static str {
    match shell {
        "zsh" => "_mcplink",
        "fish" => "mcplink.fish",
        _ => "mcplink",
    }
}

/// The manifest of the package that holds the program.
fn package() -> Result<Value, Problems> {
    let metadata = metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let holds_program = |package: &&Value| {
        let targets = package["targets"].as_array().into_iter().flatten();
        targets.into_iter().any(|target| target["name"] == "mcplink" && target["kind"][0] == "bin")
    };
    let found = packages.into_iter().find(holds_program).cloned();
    found.ok_or_else(|| vec!["no package of the workspace has a binary mcplink".to_owned()])
}

/// The date of the commit; none where there is no git.
fn epoch() -> u64 {
    let commit = output(&mut command("git", &["log", "-1", "--format=%ct"])).ok();
    commit.and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0)
}

/// A file of `packaging/`.
fn packaging(name: &str) -> PathBuf {
    root().join("packaging").join(name)
}

/// The licences and the README that go into every package.
fn legal() -> [(&'static str, PathBuf); 2] {
    ["LICENSE-APACHE", "LICENSE-MIT"].map(|name| (name, root().join(name)))
}

fn readme() -> PathBuf {
    root().join(Path::new("README.md"))
}
