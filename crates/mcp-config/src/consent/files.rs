//! Files of the project that a command line names: an approval is of the line, not of what is in them.

use std::path::{Path, PathBuf};

use crate::Project;
use crate::entry::{EntryServer, ServerEntry};
use crate::expand::Text;
use crate::project::canonical;

/// The longest command line whose words are looked up, and how many of them.
const WORDS: usize = 200;

impl ServerEntry {
    /// The files of `project` that the command of the entry, its helper or its `tls` names. What is in them can change without
    /// a change of the entry, so the person who agrees to it is told.
    pub fn files_of(&self, project: &Project) -> Vec<PathBuf> {
        let mut lines: Vec<&str> = Vec::new();
        match &self.server {
            EntryServer::Stdio(stdio) => {
                lines.extend(std::iter::once(&stdio.command).chain(&stdio.args).map(Text::expose));
            }
            EntryServer::Remote(remote) => {
                lines.extend(remote.helper.iter().map(|helper| helper.command.expose().as_str()));
                lines.extend(remote.unattended.iter().flat_map(|auth| auth.commands()));
            }
            _ => {}
        }
        let tls = self.remote().and_then(|remote| remote.network.tls.as_ref());
        let trusted = tls.into_iter().flat_map(|tls| [&tls.ca, &tls.cert, &tls.key]).flatten();
        let trusted: Vec<PathBuf> = trusted.map(|file| canonical(file.path.expose())).collect();
        let folder = self.stdio().map_or(&*project.cwd, |stdio| stdio.working_directory(&project.cwd));
        let separator = |c: char| c.is_whitespace() || "\"';|&()<>=".contains(c);
        let root = project.root.to_string_lossy();
        let words = lines.iter().flat_map(|line| line.split(separator)).filter(|word| !word.is_empty());
        let mut files: Vec<PathBuf> = words
            .take(WORDS)
            .map(|word| {
                let word = word.replace("${CLAUDE_PROJECT_DIR}", &root).replace("$CLAUDE_PROJECT_DIR", &root);
                canonical(&folder.join(word))
            })
            .chain(trusted)
            .filter(|path| path.starts_with(&project.root) && Path::is_file(path))
            .collect();
        files.sort();
        files.dedup();
        files
    }
}
