//! What is said of a server that is given by its URL: the options of one table, `mcp_config::hosts::AddressOption`.

use std::fmt;

use clap::{Arg, ArgAction, ArgMatches, Args, Command as Clap, FromArgMatches};
use mcp_config::hosts::AddressOption;

/// Apart from those of the command.
pub(super) const HEADING: &str = "Options of a URL";

/// The options that were given, in the order of the table.
#[derive(Clone, Default)]
pub(crate) struct UrlArgs(Vec<(&'static AddressOption, String)>);

impl UrlArgs {
    /// Each option, with its value; empty where it takes none.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static AddressOption, &str)> {
        self.0.iter().map(|(option, value)| (*option, value.as_str()))
    }

    /// The first one.
    pub(crate) fn first(&self) -> Option<&'static AddressOption> {
        self.0.first().map(|(option, _)| *option)
    }
}

impl fmt::Debug for UrlArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: values may be secrets.
        f.debug_list().entries(self.0.iter().map(|(option, _)| option.name)).finish()
    }
}

impl FromArgMatches for UrlArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut given = Vec::new();
        for option in AddressOption::all() {
            if option.value.is_none() {
                if matches.get_flag(option.name) {
                    given.push((option, String::new()));
                }
                continue;
            }
            let values = matches.get_many::<String>(option.name).into_iter().flatten();
            given.extend(values.map(|value| (option, value.clone())));
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for UrlArgs {
    fn augment_args(command: Clap) -> Clap {
        // A bridge is made of them; elsewhere the short help is about the command.
        let is_bridge = command.get_name() == "bridge";
        AddressOption::all().iter().fold(command, |command, option| {
            // With its dashes: a command may have an option of the same name for itself.
            let mut argument = Arg::new(option.name)
                .long(option.name.trim_start_matches('-'))
                .help(option.about)
                .help_heading(HEADING)
                .hide_short_help(!is_bridge);
            if let Some(letter) = option.short {
                argument = argument.short(letter);
            }
            command.arg(match option.value {
                // Not parsed here: an error of the parser repeats what it is about, which may be a secret.
                Some(value) => argument.value_name(value).action(ArgAction::Append),
                None => argument.action(ArgAction::SetTrue),
            })
        })
    }

    fn augment_args_for_update(command: Clap) -> Clap {
        Self::augment_args(command)
    }
}
