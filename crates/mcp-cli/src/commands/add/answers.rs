//! What a server of a registry asks for: by options, or by a person at the terminal.
//!
//! A secret is never taken in itself, only the variable that holds it: what is typed here is in a file afterwards, and what
//! is typed as an option in the list of processes before.

use std::collections::HashSet;

use mcp_config::registry::{Answers, DraftError, Offer, RegistryInput};

use super::again::again;
use super::entry::usage;
use crate::app::App;
use crate::args::AddArgs;
use crate::confirmation::Answers as Typed;
use crate::error::CliError;
use crate::view::shown;
use crate::view::wrap::paragraph;

/// What the options answer: the number of the input and the answer.
#[derive(Debug)]
pub(super) struct InputAnswers(Vec<(String, String)>);

impl InputAnswers {
    /// Reads `--input`, held to what the offer declares. No error repeats a value.
    pub(super) fn read(args: &AddArgs, offer: &Offer) -> Result<Self, CliError> {
        let inputs = offer.inputs();
        let mut given: Vec<(String, String)> = Vec::new();
        for text in &args.registry.inputs {
            let (id, value) =
                text.split_once('=').ok_or_else(|| usage("an input is written as NAME=VALUE"))?;
            let exact = inputs.iter().find(|input| input.id == id);
            let Some(input) = exact.or_else(|| inputs.iter().find(|input| input.id.eq_ignore_ascii_case(id)))
            else {
                return Err(unknown(id, &inputs));
            };
            check(input, value)?;
            if !input.repeated && given.iter().any(|(known, _)| *known == input.id) {
                return Err(usage(format!("--input {} is given more than once", shown::key(&input.id))));
            }
            given.push((input.id.clone(), value.to_owned()));
        }
        Ok(Self(given))
    }
}

fn check(input: &RegistryInput, value: &str) -> Result<(), CliError> {
    if input.secret && input.check(value).is_err() {
        return Err(literal_secret(&input.id));
    }
    input.check(value).map_err(|why| {
        // A choice is not a secret.
        let value = input.choices.first().map_or("VALUE", String::as_str);
        let given = mcp_text::shell_word(&format!("{}={value}", input.id));
        CliError::usage("invalid-input", format!("{} {why}", shown::key(&input.id)))
            .next(format!("give --input {given}"))
    })
}

fn unknown(id: &str, inputs: &[&RegistryInput]) -> CliError {
    let error = usage(match mcp_text::is_variable_name(id) {
        true => format!("nothing that it asks for is called {}", shown::key(id)),
        false => "nothing that it asks for has that name".to_owned(),
    });
    let names: Vec<String> = inputs.iter().map(|input| shown::key(&input.id)).collect();
    error.why(if names.is_empty() {
        "it asks for nothing".to_owned()
    } else {
        format!("it asks for {}", names.join(", "))
    })
}

/// A secret that stands in the place of its variable.
pub(super) fn literal_secret(id: &str) -> CliError {
    let message = format!("{} is a secret, and would stand in a file", shown::key(id));
    CliError::usage("literal-secret", message)
        .why("what is written is where it is: '${VARIABLE}', or '${keyring:SERVICE/NAME}'")
        .next(format!("give --input {}='${{VARIABLE}}'", mcp_text::shell_word(id)))
}

/// Every answer: given, typed, or left to its default.
pub(super) async fn collect(
    app: &App,
    offer: &Offer,
    given: InputAnswers,
    server: &str,
    mut typed: Option<&mut Typed>,
    args: &AddArgs,
) -> Result<Answers, CliError> {
    let mut answers = Answers::default();
    let answered: HashSet<&str> = given.0.iter().map(|(id, _)| id.as_str()).collect();
    for input in offer.inputs() {
        if answered.contains(input.id.as_str()) {
            for (_, value) in given.0.iter().filter(|(id, _)| *id == input.id) {
                answers.add(input, value);
            }
        } else if let Some(typed) = typed.as_deref_mut() {
            for value in ask(app, input, server, typed).await? {
                answers.add(input, &value);
            }
        }
    }
    match offer.draft(&answers) {
        Err(DraftError::Missing(inputs)) => Err(missing(&inputs, server, args)),
        _ => Ok(answers),
    }
}

/// Which inputs have to be given, and how.
fn missing(inputs: &[RegistryInput], server: &str, args: &AddArgs) -> CliError {
    let names: Vec<String> = inputs.iter().map(|input| shown::key(&input.id)).collect();
    let said = inputs.iter().filter_map(|input| {
        let text = input.description.as_deref()?;
        Some(format!("{}: {}", shown::key(&input.id), shown::cell(text)))
    });
    let said: Vec<String> = said.collect();
    let options: String = inputs
        .iter()
        .map(|input| {
            let value =
                if input.secret { format!("${{{}}}", input.variable(server)) } else { "VALUE".to_owned() };
            format!(" --input {}", mcp_text::shell_word(&format!("{}={value}", input.id)))
        })
        .collect();
    let error =
        CliError::usage("missing-input", format!("{} needs {}", shown::name(server), names.join(", ")));
    let error = if said.is_empty() { error } else { error.why(said.join("; ")) };
    error.next(format!("{}{options}", again(args, args.words.iter().map(String::as_str))))
}

/// Asks for one input until there is an answer that holds; nothing where it is left out.
async fn ask(
    app: &App,
    input: &RegistryInput,
    server: &str,
    typed: &mut Typed,
) -> Result<Vec<String>, CliError> {
    let mut answers = Vec::new();
    loop {
        typed.forget_typed();
        app.output.error(&question(app, input, server, answers.len()));
        let Some(line) = typed.line().await else { return Err(given_up()) };
        let line = line.trim();
        let answer = match (line, input.secret) {
            ("", _) if !answers.is_empty() => return Ok(answers),
            ("", true) if input.required => format!("${{{}}}", input.variable(server)),
            ("", _) if input.default.is_some() || !input.required => return Ok(answers),
            // A name alone is that of the variable, where it can be nothing else.
            (name, true) if is_name_of_variable(app, name) => format!("${{{name}}}"),
            (text, _) => text.to_owned(),
        };
        match input.check(&answer) {
            Ok(()) if answer.is_empty() => {}
            Ok(()) => answers.push(answer),
            Err(why) => {
                let text = format!("  {} {why}.", shown::key(&input.id));
                app.output.error(&paragraph(&text, app.stderr_room()));
                continue;
            }
        }
        if !answers.is_empty() && !input.repeated {
            return Ok(answers);
        }
    }
}

/// Whether this is the name of a variable, and no password that looks like one.
fn is_name_of_variable(app: &App, word: &str) -> bool {
    let is_loud = !word.contains(|c: char| c.is_ascii_lowercase()) && word.contains('_');
    mcp_text::is_variable_name(word) && (is_loud || app.environment.text(word).is_some())
}

/// What is asked, with what the registry says of it, and what an empty answer is.
fn question(app: &App, input: &RegistryInput, server: &str, number: usize) -> String {
    let mut text = shown::key(&input.id);
    if number > 0 {
        return format!("{text}, another one (empty: no more): ");
    }
    if let Some(description) = input.description.as_deref().filter(|text| !text.is_empty()) {
        text.push_str(&format!(": {}", shown::line(description)));
    }
    if let Some(example) = input.placeholder.as_deref().filter(|text| !text.is_empty()) {
        text.push_str(&format!(", such as {}", shown::cell(example)));
    }
    if !input.choices.is_empty() {
        let choices: Vec<String> = input.choices.iter().take(12).map(|choice| shown::cell(choice)).collect();
        text.push_str(&format!("; one of {}", choices.join(", ")));
    }
    if input.secret {
        text.push_str("; a secret: name the variable that holds it");
    }
    let empty = match (&input.default, input.secret) {
        (Some(default), _) => format!(" [{}]", shown::cell(default)),
        (None, true) if input.required => format!(" [{}]", input.variable(server)),
        (None, _) if !input.required => " (empty: leave it out)".to_owned(),
        (None, _) => String::new(),
    };
    // Wrapped as what is read, and asked on its last line.
    let text = paragraph(&format!("{text}{empty}:"), app.stderr_room());
    format!("{} ", text.trim_end_matches('\n'))
}

/// A person who ends the input wants no more of it.
pub(super) fn given_up() -> CliError {
    CliError::usage("not-confirmed", "nothing was added").next("answer the questions, or use --input")
}
