//! The package for Debian and Ubuntu.

use std::path::PathBuf;

use super::{Release, completion_name, files, template};
use crate::Problems;
use crate::shell::{command, root, run};

/// Where Debian's shells look for completions of packages.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions"),
    ("zsh", "usr/share/zsh/vendor-completions"),
    ("fish", "usr/share/fish/vendor_completions.d"),
];

pub(super) fn package(release: &Release) -> Result<PathBuf, Problems> {
    let tree = release.stage.join("deb");
    files::copy(&release.binary, &tree.join("usr/bin/mcplink"), true)?;
    for (shell, folder) in COMPLETIONS {
        let name = completion_name(shell);
        files::copy(&release.stage.join("completions").join(name), &tree.join(folder).join(name), false)?;
    }
    let mut pages = command("gzip", &["-9n"]);
    for page in files::list(&release.stage.join("man"))? {
        let installed = tree.join("usr/share/man/man1").join(files::name(&page));
        files::copy(&page, &installed, false)?;
        pages.arg(installed);
    }
    run(&mut pages)?;
    let documents = tree.join("usr/share/doc/mcplink");
    let mit = indented(&files::read(&root().join("LICENSE-MIT"))?);
    files::write(
        &documents.join("copyright"),
        &template::fill(release, "debian/copyright", &[("MIT", &mit)])?,
    )?;
    files::copy(&root().join("CHANGELOG.md"), &documents.join("changelog"), false)?;
    run(command("gzip", &["-9n"]).arg(documents.join("changelog")))?;

    let bytes = release.binary.metadata().map_err(|error| files::failed(&release.binary, &error))?.len();
    let control = template::fill(
        release,
        "debian/control",
        &[
            ("ARCHITECTURE", architecture(release.architecture())?),
            ("SIZE", &bytes.div_ceil(1024).to_string()),
            ("GLIBC", &release.glibc.to_string()),
        ],
    )?;
    files::write(&tree.join("DEBIAN/control"), &control)?;
    let package = release.out.join(file_name(release));
    let mut build = command("dpkg-deb", &["--build", "--root-owner-group", "-Zxz"]);
    run(build.env("SOURCE_DATE_EPOCH", release.epoch.to_string()).arg(&tree).arg(&package))?;
    Ok(package)
}

pub(super) fn file_name(release: &Release) -> String {
    let architecture = architecture(release.architecture()).unwrap_or("unknown");
    format!("mcplink_{}_{architecture}.deb", release.version)
}

/// What Debian calls it.
fn architecture(of_triple: &str) -> Result<&'static str, Problems> {
    match of_triple {
        "x86_64" => Ok("amd64"),
        "aarch64" => Ok("arm64"),
        other => Err(vec![format!("Debian has no name for {other}")]),
    }
}

/// A text as a field of a control file continues it: indented, and a dot for an empty line (Debian Policy 5.6.13).
fn indented(text: &str) -> String {
    let lines = text
        .trim_end()
        .lines()
        .map(|line| if line.trim().is_empty() { " .".to_owned() } else { format!(" {line}") });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_goes_on_over_empty_lines() {
        assert_eq!(indented("a\n\nb\n"), " a\n .\n b");
    }
}
