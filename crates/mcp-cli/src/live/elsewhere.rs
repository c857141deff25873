//! A name that is not in the folder where a bridge was started: a host may start it anywhere, and say nothing of the project.

use std::path::{Path, PathBuf};

use mcp_config::Config;

use crate::app::App;

/// How many folders are looked into.
const MAX_FOLDERS: usize = 200;
/// How many are named.
const NAMED: usize = 3;

/// Where a name is that is not found here.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum OtherFolder {
    /// In the configuration of this folder and of no other one.
    In(PathBuf),
    /// In none or in several; what a person is told of that.
    Unclear(String),
}

/// RecheckRequests for `name` in the folders that the files of the person say something of.
pub(crate) fn find(app: &App, name: &str) -> OtherFolder {
    let Ok(here) = app.folder() else { return OtherFolder::Unclear(String::new()) };
    if app.has_folder() {
        return OtherFolder::Unclear(format!("in {}", here.display()));
    }
    // Nothing is remembered of a folder for having been looked into.
    let config = |folder: &Path| Config::resolve(&app.sources_in(folder));
    let folders = config(&here).folders().to_vec();
    let others = folders.into_iter().filter(|folder| folder.is_dir() && *folder != here);
    let looked_into = others.take(MAX_FOLDERS);
    let has_it = |folder: &PathBuf| config(folder).entry(name).is_some();
    among(looked_into.filter(has_it).collect(), &here)
}

fn among(mut found: Vec<PathBuf>, here: &Path) -> OtherFolder {
    match found.len() {
        0 => {
            let here = here.display();
            OtherFolder::Unclear(format!("in {here}; if it is one of a project, --project DIR says which"))
        }
        1 => OtherFolder::In(found.remove(0)),
        count => {
            let named: Vec<String> =
                found.iter().take(NAMED).map(|path| path.display().to_string()).collect();
            let more = if count > NAMED { format!(" and {} more", count - NAMED) } else { String::new() };
            let here = here.display();
            OtherFolder::Unclear(format!(
                "in {here}; --project DIR says which one is meant: {}{more}",
                named.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fh_h10_one_folder_is_taken_and_several_are_named() {
        let paths = |names: &[&str]| names.iter().map(PathBuf::from).collect::<Vec<_>>();
        let here = Path::new("/");
        assert_eq!(among(paths(&["/a"]), here), OtherFolder::In("/a".into()));
        for (found, said) in [
            (paths(&[]), "in /; if it is one of a project, --project DIR says which"),
            (paths(&["/a", "/b"]), "in /; --project DIR says which one is meant: /a, /b"),
            (
                paths(&["/a", "/b", "/c", "/d"]),
                "in /; --project DIR says which one is meant: /a, /b, /c and 1 more",
            ),
        ] {
            assert_eq!(among(found, here), OtherFolder::Unclear(said.to_owned()));
        }
    }
}
