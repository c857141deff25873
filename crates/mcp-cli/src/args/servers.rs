//! Which words of a command line name servers.

use mcp_config::address::Address;

use super::{Cli, Command, CompleteArgs, PromptArgs, ReadArgs, UrlArgs};
use crate::error::CliError;

impl Command {
    /// The words that name servers, with what is said of those that are URLs.
    fn servers(&mut self) -> (Vec<&mut String>, UrlArgs) {
        let one = |name, url: &UrlArgs| (vec![name], url.clone());
        match self {
            Self::Status(args) => (args.names.iter_mut().collect(), args.url.clone()),
            Self::Wait(args) => (args.names.iter_mut().collect(), args.url.clone()),
            Self::Reconnect(args) => (args.names.iter_mut().collect(), args.url.clone()),
            Self::Reset(args) => (args.names.iter_mut().collect(), args.url.clone()),
            Self::Stop(args) => (args.sessions.iter_mut().collect(), UrlArgs::default()),
            Self::Logs(args) => (args.name.iter_mut().collect(), UrlArgs::default()),
            Self::Accounts(args) => (args.name.iter_mut().collect(), UrlArgs::default()),
            Self::Doctor(args) => (args.name.iter_mut().collect(), args.url.clone()),
            Self::Headers(args) => one(&mut args.name, &args.url),
            Self::Get(args) => one(&mut args.name, &args.url),
            Self::Login(args) => (args.names.iter_mut().collect(), args.url.clone()),
            Self::Logout(args) => one(&mut args.name, &args.url),
            Self::Tools(args) => one(&mut args.name, &args.url),
            Self::Call(args) => one(&mut args.name, &args.url),
            Self::Resources(args) | Self::Prompts(args) | Self::Ping(args) => one(&mut args.name, &args.url),
            Self::Read(ReadArgs { server, .. })
            | Self::Prompt(PromptArgs { server, .. })
            | Self::Complete(CompleteArgs { server, .. }) => one(&mut server.name, &server.url),
            Self::Bridge(args) => one(&mut args.server, &args.url),
            _ => (Vec::new(), UrlArgs::default()),
        }
    }
}

impl Cli {
    /// The servers that are given by their URLs. From here on each is called by its name.
    ///
    /// # Errors
    ///
    /// One is not a URL of a server, or an option says something of a URL where there is none.
    pub(crate) fn take_addresses(&mut self) -> Result<Vec<Address>, CliError> {
        let usage = |message: String| CliError::usage("usage", message).next("mcplink help url");
        let (words, options) = self.command.servers();
        let mut addresses: Vec<Address> = Vec::new();
        for word in words.into_iter().filter(|word| Address::is_one(word)) {
            let address = Address::new(word, options.iter()).map_err(|error| usage(error.to_string()))?;
            address.name().clone_into(word);
            match addresses.iter().find(|known| known.name() == address.name()) {
                None => addresses.push(address),
                Some(known) if known.is_same(&address) => {}
                // Which is which could not be told.
                Some(_) => {
                    let why = "two URLs differ in nothing that is shown, such as their query";
                    return Err(usage("give one of these URLs at a time".to_owned()).why(why));
                }
            }
        }
        match options.first() {
            Some(option) if addresses.is_empty() => {
                let message = format!("{} says something of a URL, and none is given", option.name);
                Err(usage(message).why("what is sent to a server of the configuration is in its entry"))
            }
            _ => Ok(addresses),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn taken(line: &[&str]) -> Result<Vec<Address>, CliError> {
        Cli::try_parse_from(["mcplink"].iter().chain(line)).unwrap().take_addresses()
    }

    #[test]
    fn fh_h5_each_command_that_takes_a_name_takes_a_url() {
        const URL: &str = "https://h.example/mcp";
        for line in [
            &["status", URL][..],
            &["wait", URL],
            &["get", URL],
            &["doctor", URL],
            &["tools", URL],
            &["call", URL, "t"],
            &["resources", URL],
            &["read", URL, "u"],
            &["prompts", URL],
            &["prompt", URL, "p"],
            &["complete", URL, "a", "--prompt", "p"],
            &["ping", URL],
            &["login", URL],
            &["logout", URL],
            &["reset", URL],
            &["reconnect", URL],
            &["bridge", URL],
            &["logs", URL],
            &["accounts", URL],
            &["headers", URL],
            &["stop", URL],
        ] {
            let addresses = taken(line).unwrap();
            assert_eq!(addresses.iter().map(Address::name).collect::<Vec<_>>(), [URL], "{line:?}");
        }
    }

    #[test]
    fn what_is_said_of_no_url_and_what_cannot_be_told_apart_is_refused() {
        for (line, said) in [
            (&["status", "web", "-H", "A: canary"][..], "--header says something of a URL"),
            (&["status", "https://h/?k=canary", "https://h/?k=canary2"], "one of these URLs at a time"),
            (&["status", "ftp://canary/"], "begins with http:// or https://"),
            (&["status", "wss://canary/"], "WebSocket"),
            (&["status", "https://h/", "-H", "canary"], "written as 'Name: value'"),
            (&["status", "https://h/", "-t", "canary"], "http, sse,"),
        ] {
            let said_of_it = taken(line).unwrap_err().to_text();
            assert!(said_of_it.contains(said) && !said_of_it.contains("canary"), "{line:?}: {said_of_it}");
            assert!(said_of_it.ends_with("next: mcplink help url\n"), "{line:?}: {said_of_it}");
        }
        assert_eq!(taken(&["status", "https://h/?k=1", "https://h/?k=1", "web"]).unwrap().len(), 1);
        assert_eq!(taken(&["status", "https://h:1/", "https://h:2/"]).unwrap().len(), 2);
    }
}
