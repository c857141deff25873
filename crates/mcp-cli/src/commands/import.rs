//! `mcplink import [HOST]`: takes the servers of other hosts over into a file of ours.

use std::collections::HashSet;

use mcp_config::edit::EditError;
use mcp_config::editor::EntryPlace;
use mcp_config::hosts::{HostListing, Input, KnownHost};
use mcp_config::import::{Candidate, CandidateState, FoundPlace, ImportPlan};
use mcp_config::{Config, ConfigSource, Problem, ProblemCode, Scope, Severity};
use serde::Serialize;

use super::change::{self, ChangeFailure};
use super::conclusion::broken_file;
use super::secrets;
use crate::app::App;
use crate::args::ImportArgs;
use crate::confirmation::Answers;
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::view::row::ProblemRow;
use crate::view::shown;

mod screen;

pub(super) use screen::{is_to_set, left_out};

/// The words for taking nothing over.
const NOTHING: [&str; 5] = ["n", "no", "none", "q", "quit"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    /// The file that is written.
    file: String,
    scope: Scope,
    /// Nothing was written.
    dry_run: bool,
    found: Vec<FileRow>,
    servers: Vec<ServerRow<'a>>,
    /// What has no equal here, place by place.
    not_taken_over: Vec<LostRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FileRow {
    host: &'static str,
    title: &'static str,
    scope: &'static str,
    file: String,
    servers: usize,
    new: usize,
    same: usize,
    differs: usize,
    /// How many entries are how the host reaches a server through this program.
    pointers: usize,
    problem: Option<ProblemRow>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerRow<'a> {
    name: &'a str,
    state: &'static str,
    /// Whether it is in the file now, or would be.
    taken: bool,
    from: Vec<SourceRow>,
    /// Where the entry stands that has its name already.
    here: Option<String>,
    /// Why it cannot be used.
    unusable: Option<&'a str>,
    /// Without its secrets.
    entry: serde_json::Value,
    /// The entry that it takes the place of, without its secrets.
    replaces: Option<serde_json::Value>,
    inputs: Vec<InputRow<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SourceRow {
    host: &'static str,
    file: String,
    line: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InputRow<'a> {
    id: &'a str,
    /// The variable to set.
    variable: &'a str,
    secret: bool,
    description: Option<&'a str>,
    /// What it may be, where that is chosen from a list.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    choices: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LostRow {
    host: &'static str,
    server: String,
    #[serde(flatten)]
    problem: ProblemRow,
}

/// A plan, and what was chosen of it.
struct Import {
    /// The one host that is meant, where one is.
    host: Option<&'static KnownHost>,
    found: Vec<HostListing>,
    plan: ImportPlan,
    place: EntryPlace,
    /// The numbers of the candidates that are taken over.
    chosen: Vec<usize>,
}

pub(super) async fn run(app: &App, args: &ImportArgs) -> Result<ExitStatus, CliError> {
    let host = args.host.as_deref().map(crate::hosts::named).transpose()?.or(app.from());
    if let Some(host) = host.filter(|host| host.is_read_anyway()) {
        return Err(used_anyway(host));
    }
    let config = app.own_config()?;
    refuse_barred(&config, "is taken over")?;
    let place = change::place(&config, app.scope().unwrap_or(Scope::Mcplink))?;
    let editor = change::editor(&config)?;
    let now = editor.dry_run::<ChangeFailure>(&place, |text| Ok(text.to_owned()))?;
    let mut found = match host {
        Some(host) => HostListing::read_by(host, &app.own_request()?),
        None => app.found_in_hosts(None)?,
    };
    // A file would be compared with itself.
    let had_servers = found.iter().any(screen::says_something);
    found.retain(|file| !crate::hosts::is_ours(&config, file));
    if let Some(host) = host.filter(|_| had_servers && !found.iter().any(screen::says_something)) {
        return Err(used_anyway(host));
    }
    let plan =
        ImportPlan::new(&found, &config, &place, now.before()).map_err(|error| broken(&place, error))?;
    let mut import = Import { host, found, plan, place, chosen: Vec::new() };
    import.chosen = import.unasked(&args.names)?;

    // Where all is here already there is nothing to answer.
    let can_choose = import.plan.candidates.iter().any(Candidate::can_be_taken);
    let asks = !args.yes && !args.dry_run && app.asks() && can_choose;
    if !app.json {
        app.output.out(&screen::found(app, &import));
        app.output.out(&screen::candidates(app, &import));
        app.output.note(&screen::lost(app, &import));
    }
    if asks {
        import.ask(app).await?;
    }
    let writes = !args.dry_run && (args.yes || asks) && !import.chosen.is_empty();
    if writes {
        editor.edit::<ChangeFailure>(&import.place, |text| import.written(text))?;
    }
    if app.json {
        app.print_json(&import.document(!writes));
    } else {
        app.output.out(&screen::done(app, &import, writes, asks, args));
        app.output.note(&screen::to_set(app, &import));
    }
    let has_servers = |file: &HostListing| file.unreadable.is_none() && screen::says_something(file);
    // The first stands for all: each has been told.
    match import.found.iter().find_map(|file| file.unreadable.as_deref()) {
        Some(problem) if !import.found.iter().any(has_servers) => Err(none_readable(problem)),
        _ => Ok(ExitStatus::Success),
    }
}

/// Where the administrator allows no server of a person's own, none is put into a file, nor led through this program.
pub(super) fn refuse_barred(config: &Config, done: &str) -> Result<(), CliError> {
    match config.barred_by_administrator() {
        None => Ok(()),
        Some(problem) => Err(CliError::usage("policy", format!("nothing {done}: it could not be used here"))
            .why(shown::line(&problem.to_line()))
            .next("ask your administrator for it")),
    }
}

fn none_readable(problem: &Problem) -> CliError {
    CliError { message: "nothing is taken over: no file could be read".to_owned(), ..broken_file(problem) }
}

fn used_anyway(host: &KnownHost) -> CliError {
    CliError::usage("nothing-to-import", format!("the servers of {} are used as they are", host.title))
        .why("its files are read by every command, so there is nothing to take over")
        .next("mcplink list")
}

fn cannot_be_used(one: &Candidate) -> CliError {
    let why = match &one.standing {
        CandidateState::Unusable(why) => why.as_str(),
        _ => "",
    };
    let at = one.sources.first().map(|source| source.origin.to_string()).unwrap_or_default();
    CliError::usage("invalid-entry", format!("{} cannot be used", shown::name(&one.name)))
        .why(shown::line(why))
        .next(format!("correct {}", shown::line(&at)))
}

fn broken(place: &EntryPlace, error: EditError) -> ChangeFailure {
    ChangeFailure::File(place.refused(error))
}

/// What a person types for an input, with what it may be; `None` where that is left empty.
async fn asked_for(app: &App, answers: &mut Answers, input: &Input) -> Option<String> {
    let choices: Vec<String> = input
        .choices
        .iter()
        .enumerate()
        .map(|(number, choice)| format!("  {} {}\n", number + 1, shown::line(choice)))
        .collect();
    let what = shown::line(input.description.as_deref().unwrap_or(&input.id));
    app.output.error(&format!("{}{what} (leave it empty to set {}): ", choices.concat(), input.variable));
    let answer = answers.line().await.unwrap_or_default();
    let answer = answer.trim();
    (!answer.is_empty()).then(|| answer.to_owned())
}

impl Import {
    fn candidates(&self) -> impl Iterator<Item = (usize, &Candidate)> {
        self.plan.candidates.iter().enumerate()
    }

    fn is_chosen(&self, number: usize) -> bool {
        self.chosen.contains(&number)
    }

    /// What is taken over without a question: what was named, or else what is offered.
    fn unasked(&self, names: &[String]) -> Result<Vec<usize>, CliError> {
        if names.is_empty() {
            return Ok(self
                .candidates()
                .filter(|(_, one)| one.is_offered())
                .map(|(number, _)| number)
                .collect());
        }
        let mut chosen = Vec::new();
        for name in names {
            let of_name = || self.candidates().filter(|(_, one)| one.name == *name);
            let usable = of_name().find(|(_, one)| !matches!(one.standing, CandidateState::Unusable(_)));
            match (usable, of_name().next()) {
                // The first one that is usable is meant, and is not written where it is there already.
                (Some((number, one)), _) => chosen.extend(one.can_be_taken().then_some(number)),
                (None, Some((_, one))) => return Err(cannot_be_used(one)),
                (None, None) => return Err(self.unknown(name)),
            }
        }
        Ok(chosen)
    }

    fn unknown(&self, name: &str) -> CliError {
        let none = match self.host {
            Some(host) => format!("{} has no server named {name:?}", host.title),
            None => format!("no host has a server named {name:?}"),
        };
        let error = CliError::usage("unknown-server", none);
        let names = self.plan.candidates.iter().map(|one| one.name.as_str());
        let error = match mcp_config::nearest(name, names) {
            Some(near) => error.why(format!("did you mean {near:?}?")),
            None => error,
        };
        error.next("mcplink hosts")
    }

    /// Has a person choose, and say what hosts ask for.
    async fn ask(&mut self, app: &App) -> Result<(), CliError> {
        let mut answers = Answers::of_terminal();
        loop {
            answers.forget_typed();
            app.output.error(&screen::question(app, self));
            let Some(line) = answers.line().await else {
                self.chosen.clear();
                return Ok(());
            };
            match self.picked(&line) {
                Ok(chosen) => {
                    self.chosen = chosen;
                    break;
                }
                Err(word) => app.output.error(&format!("there is no {} to take over\n", shown::name(&word))),
            }
        }
        let mut asked = HashSet::new();
        for number in self.chosen.clone() {
            for input in self.plan.candidates[number].inputs.clone() {
                let is_here = app.environment.text(&input.variable).is_some();
                if is_here || input.has_default() || !asked.insert(input.id.clone()) {
                    continue;
                }
                if input.secret {
                    if let Some(reference) = secrets::ask_for_input(app, &input).await? {
                        for candidate in &mut self.plan.candidates {
                            candidate.answer_kept(&input, &reference);
                        }
                    }
                    continue;
                }
                while let Some(answer) = asked_for(app, &mut answers, &input).await {
                    match input.chosen(&answer) {
                        Some(chosen) => {
                            self.answer(&input, chosen);
                            break;
                        }
                        None => {
                            app.output.error(&format!("{} is not one of them\n", shown::name(&answer)));
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&mut self, input: &Input, value: &str) {
        for candidate in &mut self.plan.candidates {
            candidate.answer(input, value);
        }
    }

    /// What a line chooses: all that is marked, nothing, or these numbers and names.
    fn picked(&self, line: &str) -> Result<Vec<usize>, String> {
        let words: Vec<&str> = line.split([' ', '\t', ',']).filter(|word| !word.is_empty()).collect();
        match words[..] {
            [] => return Ok(self.chosen.clone()),
            [word] if matches!(&*word.to_ascii_lowercase(), "y" | "yes") => return Ok(self.chosen.clone()),
            [word] if NOTHING.contains(&&*word.to_ascii_lowercase()) => return Ok(Vec::new()),
            _ => {}
        }
        let mut chosen: Vec<usize> = Vec::new();
        for word in words {
            let by_number = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let found = self
                .candidates()
                .find(|(number, one)| one.can_be_taken() && (Some(*number) == by_number || one.name == word));
            let (number, one) = found.ok_or_else(|| word.to_owned())?;
            // Of two servers of a name, the last one that was chosen counts.
            chosen.retain(|known| self.plan.candidates[*known].name != one.name);
            chosen.push(number);
        }
        Ok(chosen)
    }

    /// `text` with what was chosen in it.
    fn written(&self, text: &str) -> Result<String, ChangeFailure> {
        let mut text = text.to_owned();
        for number in &self.chosen {
            let one = &self.plan.candidates[*number];
            let new = one.apply(&self.place, &text).map_err(|error| broken(&self.place, error))?;
            text = new.ok_or_else(|| {
                let message =
                    format!("{} was changed meanwhile, so nothing is taken over", shown::name(&one.name));
                ChangeFailure::Refused(CliError::unwritten("file-busy", message).next("mcplink import"))
            })?;
        }
        Ok(text)
    }

    /// What of `file` has this standing.
    fn count(&self, file: &HostListing, is: impl Fn(&CandidateState) -> bool) -> usize {
        let in_file = |source: &FoundPlace| source.host == file.host && source.origin.place == file.place;
        let counts = |one: &&Candidate| is(&one.standing) && one.sources.iter().any(in_file);
        self.plan.candidates.iter().filter(counts).count()
    }

    /// What cannot be taken over, with its host and server.
    fn lost(&self) -> impl Iterator<Item = (&'static KnownHost, &Candidate, &Problem)> {
        self.plan.candidates.iter().flat_map(|one| {
            let lost = one.problems.iter().filter(|problem| is_left_out(problem));
            lost.filter_map(move |problem| {
                let of_file = |found: &&FoundPlace| Some(&found.origin.place) == problem.file.as_ref();
                let host = one.sources.iter().find(of_file).or(one.sources.first())?.host;
                Some((host, one, problem))
            })
        })
    }

    fn document(&self, dry_run: bool) -> Document<'_> {
        let found = self.found.iter().filter(|file| screen::says_something(file)).map(|file| self.row(file));
        let servers = self.candidates().map(|(number, one)| server_row(one, self.is_chosen(number)));
        let lost = self.lost().map(|(host, one, problem)| LostRow {
            host: host.name,
            server: one.name.clone(),
            problem: ProblemRow::from(problem),
        });
        Document {
            schema_version: 1,
            file: self.place.file.display().to_string(),
            scope: self.place.scope,
            dry_run,
            found: found.collect(),
            servers: servers.collect(),
            not_taken_over: lost.collect(),
        }
    }

    fn row(&self, file: &HostListing) -> FileRow {
        FileRow {
            host: file.host.name,
            title: file.host.title,
            scope: if file.of_project { "project" } else { "user" },
            file: file.place.to_string(),
            servers: file.servers.len(),
            new: self.count(file, is_new),
            same: self.count(file, is_same),
            differs: self.count(file, differs),
            pointers: file.pointers,
            problem: file.unreadable.as_deref().map(ProblemRow::from),
        }
    }
}

/// Whether it is about something that is not taken over.
pub(super) fn is_left_out(problem: &Problem) -> bool {
    let is_field = matches!(
        problem.code,
        ProblemCode::NotTakenOver
            | ProblemCode::UnknownField
            | ProblemCode::IgnoredValue
            | ProblemCode::UnsupportedVariable
    );
    is_field && problem.severity > Severity::Note
}

fn is_new(standing: &CandidateState) -> bool {
    *standing == CandidateState::New
}

fn is_same(standing: &CandidateState) -> bool {
    matches!(standing, CandidateState::Same(_))
}

fn differs(standing: &CandidateState) -> bool {
    matches!(standing, CandidateState::Differs(_) | CandidateState::DiffersFrom(_))
}

fn server_row(one: &Candidate, taken: bool) -> ServerRow<'_> {
    let json = |value: &mcp_config::edit::Value| {
        serde_json::from_str(&value.shown().to_json()).unwrap_or(serde_json::Value::Null)
    };
    let source = |source: &FoundPlace| SourceRow {
        host: source.host.name,
        file: source.origin.place.to_string(),
        line: source.origin.line,
    };
    let input = |input: &'_ Input| (input.id.clone(), input.secret);
    let mut seen = HashSet::new();
    let inputs = one.inputs.iter().filter(|one| seen.insert(input(one))).map(|input| InputRow {
        id: &input.id,
        variable: &input.variable,
        secret: input.secret,
        description: input.description.as_deref(),
        choices: &input.choices,
    });
    let (state, here, unusable) = match &one.standing {
        CandidateState::New => ("new", None, None),
        CandidateState::Same(origin) => ("same", Some(origin.to_string()), None),
        CandidateState::Differs(origin) => ("differs", Some(origin.to_string()), None),
        CandidateState::DiffersFrom(_) => ("differs", None, None),
        CandidateState::Unusable(why) => ("unusable", None, Some(why.as_str())),
        _ => ("unknown", None, None),
    };
    ServerRow {
        name: &one.name,
        state,
        taken,
        from: one.sources.iter().map(source).collect(),
        here,
        unusable,
        entry: json(&one.value),
        replaces: one.before.as_ref().filter(|_| differs(&one.standing)).map(json),
        inputs: inputs.collect(),
    }
}

/// The file of a place, as a path.
fn file_of(place: &ConfigSource) -> String {
    place.to_string()
}
