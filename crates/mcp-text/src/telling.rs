//! The line of what a command printed that most likely says what went wrong.
//!
//! Its place does not tell: npm says it first and ends with where its log is, Python says it last, a panic of Rust in the
//! second line. So each tool's way is a row of `FORMS`, the surest first, and what no row knows is found by position.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// Which of several lines of one form.
#[derive(Clone, Copy, Debug)]
enum LineChoice {
    First,
    Last,
}

/// What of a line is shown.
#[derive(Clone, Copy, Debug)]
enum ShownPart {
    /// It.
    Line,
    /// It, and the cause that stands below it.
    Cause,
    /// What is behind the end of this.
    Behind(&'static str),
    /// The next line that is not blank: this one is a heading.
    Next,
    /// It, as the question that it is.
    Question,
    /// It, as the beginning of a help text.
    Help,
}

/// How one kind of line is known.
#[derive(Clone, Copy, Debug)]
enum LinePattern {
    /// It holds all of these.
    Has(&'static [&'static str]),
    /// It begins like this, after what a tree is drawn with.
    Begins(&'static str),
    /// It ends with one of these.
    Ends(&'static [&'static str]),
    /// It passes.
    Is(fn(&str) -> bool),
    /// It passes, and a line above it holds this.
    Below(&'static str, fn(&str) -> bool),
}

/// One way in which a tool says what went wrong.
#[derive(Clone, Copy, Debug)]
struct Form {
    known: LinePattern,
    which: LineChoice,
    show: ShownPart,
}

const fn form(known: LinePattern, which: LineChoice, show: ShownPart) -> Form {
    Form { known, which, show }
}

use LineChoice::{First, Last};
use LinePattern::{Begins, Below, Ends, Has, Is};
use ShownPart::{Behind, Cause, Help, Line, Next, Question};

/// The surest first. A form that another line would satisfy by chance comes late.
const FORMS: &[Form] = &[
    // npm and npx: what the registry answered, or what they say in words of their own.
    form(Is(npm_says), First, Line),
    // pnpm, Yarn.
    form(Has(&["ERR_PNPM_"]), First, Line),
    form(Begins("➤ YN"), Last, Line),
    // uv and uvx: a tree whose last leaf is the conclusion.
    form(Begins("╰─▶ "), Last, Behind("╰─▶ ")),
    form(Begins("error: Failed to spawn"), First, Line),
    form(Has(&["does not provide any executables"]), First, Line),
    // pip, pipx.
    form(Begins("ERROR: No matching distribution found"), First, Line),
    form(Begins("ERROR: Could not find a version"), First, Line),
    // Docker.
    form(Has(&["Cannot connect to the Docker daemon"]), First, Line),
    form(Has(&["docker daemon", "permission denied"]), First, Line),
    form(Has(&["Error response from daemon"]), First, Line),
    // A loader of programs.
    form(Has(&["error while loading shared libraries"]), First, Line),
    form(Has(&["Library not loaded"]), First, Line),
    form(Has(&["GLIBC_", "not found"]), First, Line),
    // Rust and Go.
    form(Is(panicked_above), Last, Next),
    form(Has(&["panicked at"]), Last, Line),
    form(Begins("panic: "), First, Line),
    // The JVM and .NET: the innermost cause comes last.
    form(Begins("Unhandled exception. "), First, Behind("Unhandled exception. ")),
    form(Begins("You must install or update .NET"), First, Line),
    form(Begins("Error: Unable to access jarfile"), First, Line),
    form(Begins("Exception in thread"), First, Line),
    // PHP, Perl, Ruby.
    form(Has(&["Fatal error: "]), First, Line),
    form(Begins("Can't locate "), First, Line),
    form(Has(&[".rb:", ":in "]), First, Line),
    // Node and Deno: the first error is the one, what follows are its details.
    form(Has(&["Cannot find module"]), First, Line),
    form(Has(&["Cannot find package"]), First, Line),
    form(Has(&["Module not found"]), First, Line),
    // Python: the last exception is the one that ended it. `-m` and a missing script say it before Python begins.
    form(Has(&["can't open file"]), First, Line),
    form(Has(&["No module named"]), Last, Line),
    form(Is(python_exception), Last, Line),
    form(Below("Traceback", raised_warning), Last, Line),
    // A port that is taken, in the words of the system.
    form(Has(&["EADDRINUSE"]), First, Line),
    form(Is(address_in_use), First, Line),
    // Parsers of command lines say what is missing beside their usage.
    form(Is(go_flag), First, Line),
    form(Has(&["error: ", "required"]), First, Line),
    form(Has(&["error: ", "unrecognized"]), First, Line),
    form(Has(&["error: ", "unexpected argument"]), First, Line),
    form(Has(&["Error: Missing "]), First, Line),
    form(Has(&["Error: No such "]), First, Line),
    // Errors of Node, anyhow, this program and many others.
    form(Is(error_begins), First, Cause),
    // A shell.
    form(Ends(&["command not found", ": not found", ": No such file or directory"]), Last, Line),
    // A question, and no person to answer it.
    form(
        Ends(&[
            "(y)",
            "(y/n)",
            "[y/n]",
            "[y/n]:",
            "(y/n):",
            "(yes/no)?",
            "(yes/no/[fingerprint])?",
            "[n]",
            "ok to proceed?",
        ]),
        Last,
        Question,
    ),
    form(Is(asks_for_a_secret), Last, Question),
    // Whatever speaks of an error.
    form(Is(speaks_of_an_error), Last, Line),
    // A person has to sign in, said without a word for an error.
    form(Is(wants_a_sign_in), First, Line),
    // A help text: what is missing is not said.
    form(Is(usage), First, Help),
];

/// What is shown, and why it was chosen, where that is worth knowing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Excerpt {
    /// A line.
    Line(String),
    /// A question without an answer.
    Question(String),
    /// The beginning of a help text.
    Help(String),
}

/// The telling line of a text, where a form is known for it.
#[must_use]
pub fn by_form(text: &str) -> Option<Excerpt> {
    let text = crate::block(text);
    let lines = lines(&text);
    FORMS.iter().find_map(|form| form.find(&lines))
}

/// The telling line where no form is known: the last one that is not a frame of a stack, no version, no hint where to read
/// on.
#[must_use]
pub fn by_place(text: &str) -> Option<Excerpt> {
    let text = crate::block(text);
    let lines = lines(&text);
    let worth = || lines.iter().rev().filter(|line| !is_pointer(line));
    let flush = worth().find(|line| !line.starts_with([' ', '\t']));
    let line = flush.or_else(|| worth().next()).or_else(|| lines.last())?;
    Some(Excerpt::Line(line.trim().to_owned()))
}

/// The lines that say something, oldest first.
fn lines(text: &str) -> Vec<&str> {
    // A progress bar overwrites itself.
    text.lines().flat_map(|line| line.split('\r')).filter(|line| !line.trim().is_empty()).collect()
}

impl Form {
    fn find(&self, lines: &[&str]) -> Option<Excerpt> {
        let begin = match self.known {
            Below(heading, _) => lines.iter().position(|line| line.contains(heading))? + 1,
            _ => 0,
        };
        let mut found =
            lines.iter().enumerate().skip(begin).filter(|(_, line)| !is_pointer(line) && self.knows(line));
        let (at, line) = match self.which {
            First => found.next()?,
            Last => found.next_back()?,
        };
        let line = bare(line);
        Some(match self.show {
            // A heading alone says nothing.
            Line => match lines.get(at + 1).filter(|_| line.ends_with(':')) {
                Some(next) => Excerpt::Line(format!("{line} {}", next.trim())),
                None => Excerpt::Line(line.to_owned()),
            },
            Cause => match cause(&lines[at + 1..]) {
                Some(cause) => Excerpt::Line(format!("{line}: {cause}")),
                None => Excerpt::Line(line.to_owned()),
            },
            Behind(word) => Excerpt::Line(line.split_once(word).map_or(line, |(_, rest)| rest).to_owned()),
            Next => Excerpt::Line(lines.get(at + 1).map_or(line, |next| next.trim()).to_owned()),
            Question => Excerpt::Question(line.to_owned()),
            Help => Excerpt::Help(line.to_owned()),
        })
    }

    fn knows(&self, line: &str) -> bool {
        match self.known {
            Has(words) => words.iter().all(|word| line.contains(word)),
            Begins(word) => line.trim_start().starts_with(word) || bare(line).starts_with(word),
            Ends(words) => {
                let line = line.trim_end().to_lowercase();
                words.iter().any(|word| line.ends_with(&word.to_lowercase()))
            }
            Is(passes) | Below(_, passes) => passes(line),
        }
    }
}

/// What is told below an error as its cause: `why: …`, or the innermost of anyhow's `Caused by:`.
fn cause<'a>(below: &[&'a str]) -> Option<&'a str> {
    let (first, rest) = below.split_first()?;
    if let Some(why) = first.trim_start().strip_prefix("why: ") {
        return Some(why.trim());
    }
    let causes = rest.iter().take_while(|line| line.starts_with(' '));
    let innermost = causes.last().filter(|_| first.trim_end() == "Caused by:")?.trim();
    let numbered = innermost.split_once(": ").filter(|(number, _)| number.parse::<u32>().is_ok());
    Some(numbered.map_or(innermost, |(_, cause)| cause))
}

/// A line without what a tree of causes is drawn with.
fn bare(line: &str) -> &str {
    line.trim().trim_start_matches(['|', '+', '×', '│', '├', ' ']).trim_start_matches("-+- ")
}

/// A line that only says where to read on, or what said the others.
fn is_pointer(line: &str) -> bool {
    const BEGINS: [&str; 9] = [
        "Node.js v",
        "note: run with",
        "note: Some details",
        "hint: ",
        "For more information",
        "Run with ",
        "See 'docker",
        "See \"docker",
        "npm notice",
    ];
    let line = line.trim_start();
    BEGINS.iter().any(|begin| line.starts_with(begin)) || line.contains("complete log of this run")
}

/// npm's own words, but for the lines that name codes, calls and paths.
fn npm_says(line: &str) -> bool {
    const BESIDE: [&str; 10] =
        ["code ", "errno ", "syscall ", "path ", "dest ", "command ", "signal ", "at ", "error ", "verbose "];
    let words = line.strip_prefix("npm error ").or_else(|| line.strip_prefix("npm ERR! "));
    words.is_some_and(|words| {
        !words.trim().is_empty() && !BESIDE.iter().any(|beside| words.starts_with(beside))
    })
}

/// `thread 'main' panicked at src/main.rs:2:5:`, the message being the next line.
fn panicked_above(line: &str) -> bool {
    line.contains("panicked at") && line.trim_end().ends_with(':')
}

/// `KeyError: 'TOKEN'`, `httpx.ConnectError: refused`, flush or in the tree of a group, also without a message.
fn python_exception(line: &str) -> bool {
    // Those that end a program by themselves carry other endings.
    is_raised(line, &["Error", "Exception", "Interrupt", "SystemExit", "NotFound", "Timeout"])
}

/// A warning that was made an error (`-W error`). Most are not, and then nothing ended because of them.
fn raised_warning(line: &str) -> bool {
    is_raised(line, &["Warning"])
}

/// Whether a line is an exception of Python whose name ends like this.
fn is_raised(line: &str, ends: &[&str]) -> bool {
    let line = bare(line);
    let (name, rest) = line.split_once(':').unwrap_or((line, " "));
    let last = name.rsplit('.').next().unwrap_or_default();
    let named =
        last.starts_with(|c: char| c.is_ascii_uppercase()) && ends.iter().any(|end| last.ends_with(end));
    // `Error: …` alone is common to all, and Python's own is never called that.
    named
        && name.len() > "Exception".len() - 1
        && last != "Error"
        && last != "Warning"
        && (rest.starts_with(' ') || rest.is_empty())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_'))
}

/// What Go's package `flag` says above the usage, without the word error; of its relatives, what urfave's says.
fn go_flag(line: &str) -> bool {
    const BEGINS: [&str; 5] = [
        "flag provided but not defined: -",
        "flag needs an argument: -",
        "invalid boolean value ",
        "invalid value ",
        "bad flag syntax: ",
    ];
    let line = line.strip_prefix("Incorrect Usage: ").unwrap_or(line);
    let words = BEGINS.iter().find(|begin| line.starts_with(**begin));
    words.is_some_and(|begin| {
        !begin.ends_with("value ") || line.contains(" for flag -") || line.contains(" for -")
    })
}

fn address_in_use(line: &str) -> bool {
    line.to_ascii_lowercase().contains("address already in use")
}

/// `Error: no key`, `TypeError [ERR_X]: …`, `error: …`, `fatal: …`.
fn error_begins(line: &str) -> bool {
    if line.starts_with([' ', '\t']) {
        return false;
    }
    let begin = line.split_once(':').map_or("", |(begin, _)| begin);
    let begin = begin.split(" [").next().unwrap_or_default();
    let lower = begin.to_ascii_lowercase();
    lower == "fatal" || (lower.ends_with("error") && !lower.contains(char::is_whitespace))
}

/// A word of its own or at the end of one, so that `errors` of a file's name are none.
fn speaks_of_an_error(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    !line.starts_with([' ', '\t'])
        && ["error", "fatal", "exception", "failed"].iter().any(|word| lower.contains(word))
}

/// `You are not logged in.`, `Your session has expired`.
fn wants_a_sign_in(line: &str) -> bool {
    const SAYS: [&str; 16] = [
        "not logged in",
        "not signed in",
        "not authenticated",
        "logged out",
        "signed out",
        "login required",
        "sign-in required",
        "session expired",
        "session has expired",
        "session is expired",
        "token expired",
        "token has expired",
        "credentials have expired",
        "credentials expired",
        "please log in",
        "please sign in",
    ];
    let lower = line.to_ascii_lowercase();
    SAYS.iter().any(|words| lower.contains(words))
}

fn asks_for_a_secret(line: &str) -> bool {
    let line = line.trim_end().to_lowercase();
    let asks = ["password", "passphrase", "username", "token", "api key", "otp"];
    line.strip_suffix(':').is_some_and(|line| asks.iter().any(|word| line.ends_with(word)))
        || line.ends_with('?') && line.contains("continue")
}

/// `usage: srv DIR`, and `Usage of srv:`, as Go has it.
fn usage(line: &str) -> bool {
    let line = line.trim_start();
    let of_go = line.starts_with("Usage of ") && line.trim_end().ends_with(':');
    of_go || line.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("usage:"))
}

impl Excerpt {
    /// As it is told.
    #[must_use]
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Line(line) => Cow::Borrowed(line),
            Self::Question(question) => {
                Cow::Owned(format!("it asks {question:?}, which cannot be answered here"))
            }
            Self::Help(line) => {
                Cow::Owned(format!("it printed its help, so its arguments are not complete: {line}"))
            }
        }
    }
}
