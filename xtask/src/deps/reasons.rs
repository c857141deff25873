//! Whether each dependency says in the root `Cargo.toml` what it is for.

use std::fs;

use crate::Problems;
use crate::shell::root;

/// Checks the dependencies of the workspace.
pub(super) fn check() -> Result<Problems, Problems> {
    let manifest = fs::read_to_string(root().join("Cargo.toml"))
        .map_err(|error| vec![format!("Cargo.toml cannot be read: {error}")])?;
    let unexplained = unexplained(&manifest);
    Ok(unexplained
        .iter()
        .map(|name| format!("Cargo.toml: no comment above `{name}` says what it is for"))
        .collect())
}

/// The packages without a comment above them. One may stand below another of its family (`clap`, `clap_complete`).
fn unexplained(manifest: &str) -> Vec<String> {
    let family = |name: &str| name.split(['-', '_']).next().unwrap_or_default().to_owned();
    let table = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let (mut found, mut explained) = (Vec::new(), None);
    for line in table.take_while(|line| !line.starts_with('[')) {
        if line.starts_with('#') {
            explained = Some(None);
            continue;
        }
        let Some((name, value)) = line.split_once(" = ") else {
            explained = None;
            continue;
        };
        // Ours need no reason.
        if value.contains("path = ") {
            continue;
        }
        let is_explained = match &explained {
            None => false,
            Some(None) => true,
            Some(Some(before)) => *before == family(name),
        };
        if !is_explained {
            found.push(name.to_owned());
        }
        explained = is_explained.then(|| Some(family(name)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_stands_below_its_reason_or_its_family() {
        let manifest = "[workspace.dependencies]\nmcp-a = { path = \"a\" }\n# Why.\none = \"1\"\none-more = \"1\"\ntwo = \"2\"\n\
                        # Why.\nthree = \"3\"\n\nfour = \"4\"\n# Why,\n# at length.\nfive = \"5\"\n[workspace.lints]\nsix = \"6\"\n";
        assert_eq!(unexplained(manifest), ["two", "four"]);
    }
}
