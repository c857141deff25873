//! What the menu has another program do on the usual screen: a command of this program, or the editor of the person.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::app::App;
use crate::written::words;

/// What a program may take to end.
#[cfg(unix)]
const END_LIMIT: std::time::Duration = std::time::Duration::from_millis(800);

/// Editors that take the line as `+5`.
const TAKE_A_LINE: [&str; 9] = ["vi", "vim", "nvim", "nano", "emacs", "ed", "micro", "kak", "joe"];

/// A program with its arguments, and how it is told.
#[derive(Debug)]
pub(super) struct ChildCommand {
    program: String,
    arguments: Vec<String>,
    /// As a person would type it.
    pub(super) command_line: String,
}

impl ChildCommand {
    /// This command of this program, with what its text could not carry.
    pub(super) fn of_command(app: &App, command: &str) -> Result<Self, String> {
        let program = app.environment.program().map_err(mcp_files::reason)?;
        let mut arguments: Vec<String> = words(command).into_iter().skip(1).collect();
        for text in app.config_texts() {
            arguments.extend(["--mcp-config".to_owned(), text.to_owned()]);
        }
        Ok(Self { program: program.display().to_string(), arguments, command_line: command.to_owned() })
    }

    /// The editor of the person at this place.
    pub(super) fn of_editor(app: &App, file: &str, line: Option<usize>) -> Result<Self, String> {
        is_there(file)?;
        let place = line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}"));
        let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| app.environment.text(name));
        let Some(editor) = editor.filter(|editor| !editor.trim().is_empty()) else {
            return Err(format!("EDITOR is not set; the entry is at {place}"));
        };
        Ok(Self::of_editor_at(editor, file, line))
    }

    fn of_editor_at(editor: &str, file: &str, line: Option<usize>) -> Self {
        let mut words = editor.split_whitespace().map(str::to_owned);
        let program = words.next().unwrap_or_default();
        let name = Path::new(&program).file_name().map(|name| name.to_string_lossy().into_owned());
        let takes_a_line = name.is_some_and(|name| TAKE_A_LINE.contains(&&*name));
        let mut arguments: Vec<String> = words.collect();
        arguments.extend(line.filter(|_| takes_a_line).map(|line| format!("+{line}")));
        arguments.push(file.to_owned());
        let command_line = format!("{editor} {}", mcp_text::shell_word(file));
        Self { program, arguments, command_line }
    }

    /// Runs it without a terminal: what it printed, up to this many bytes of each stream, and whether it succeeded.
    pub(super) async fn ran(&self, most: usize) -> Result<(String, bool), String> {
        let failed = |error: std::io::Error| format!("{}: {}", self.program, mcp_files::reason(&error));
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let ((out, err), status) =
            tokio::join!(async { tokio::join!(first(out, most), first(err, most)) }, child.wait());
        let text = [out, err].concat();
        Ok((String::from_utf8_lossy(&text).into_owned(), status.map_err(failed)?.success()))
    }

    /// Starts it on the terminal. Where the child is dropped, it is ended.
    pub(super) fn start(&self) -> Result<Child, String> {
        let started = Command::new(&self.program).args(&self.arguments).kill_on_drop(true).spawn();
        started.map_err(|error| format!("{}: {}", self.program, mcp_files::reason(&error)))
    }
}

/// An editor would begin a new file, which says something else than what was there.
fn is_there(file: &str) -> Result<(), String> {
    if Path::new(file).exists() { Ok(()) } else { Err(format!("{file} is not there any more")) }
}

/// The first bytes of a stream; the rest is read and dropped, so that the writer does not wait.
async fn first(stream: Option<impl AsyncRead + Unpin>, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(stream) = stream else { return bytes };
    let mut stream = stream.take(most as u64);
    // What was read until it broke is what there is.
    drop(stream.read_to_end(&mut bytes).await);
    drop(tokio::io::copy(&mut stream.into_inner(), &mut tokio::io::sink()).await);
    bytes
}

/// Asks `child` to end, so that it ends what it started, and waits for that as long as a person would.
pub(super) async fn end(mut child: Child) {
    #[cfg(unix)]
    {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended meanwhile.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            drop(tokio::time::timeout(END_LIMIT, child.wait()).await);
        }
    }
    drop(child.start_kill());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_gone_is_not_begun_again() {
        assert_eq!(is_there("/"), Ok(()));
        assert_eq!(is_there("/nowhere/mcp.json").unwrap_err(), "/nowhere/mcp.json is not there any more");
    }

    #[test]
    fn an_editor_gets_the_line_where_it_knows_one() {
        for (editor, arguments) in [
            ("vim", &["+5", "/a b"][..]),
            ("/usr/bin/nano -w", &["-w", "+5", "/a b"]),
            ("code --wait", &["--wait", "/a b"]),
        ] {
            assert_eq!(ChildCommand::of_editor_at(editor, "/a b", Some(5)).arguments, arguments, "{editor}");
        }
        assert_eq!(ChildCommand::of_editor_at("vim", "/a", None).arguments, ["/a"]);
    }
}
