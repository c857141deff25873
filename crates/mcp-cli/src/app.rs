//! What every command shares: the output, the global options lowered once, the connector, the configuration.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use mcp_config::address::Address;
use mcp_config::hosts::KnownHost;
use mcp_config::sources::Pipes;
use mcp_config::{
    Config, ConfigSource, Locations, Platform, Problem, ProblemCode, Request, Scope, Severity, Sources,
};
use mcp_connect::{Host, HostOptions};
use mcp_transport::options::TrustFile;
use serde::Serialize;

use crate::args::{Cli, ColorArg};
use crate::broken::BrokenFiles;
use crate::deadline::{CommandProgress, Deadline};
use crate::elicitation::NoQuestions;
use crate::environment::{self, Environment};
use crate::error::CliError;
use crate::exit::ExitStatus;
use crate::loaded::LoadedConfig;
use crate::open_connections::OpenConnections;
use crate::output::Output;
use crate::printed_step::PrintedStep;
use crate::problems::{correct, problem_text};
use crate::runner::Runner;
use crate::steps::Steps;
use crate::telemetry::Telemetry;
use crate::view::text::Style;

/// The program, ready to run a command.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) output: Arc<Output>,
    pub(crate) json: bool,
    /// Whether a person asked for neither progress nor warnings.
    pub(crate) quiet: bool,
    /// The person asked to see what decides (`-v`).
    pub(crate) verbose: bool,
    /// A person sits at the terminal and may be asked.
    pub(crate) interactive: bool,
    /// On request: no prompt and no browser, wherever this runs.
    pub(crate) non_interactive: bool,
    pub(crate) environment: Environment,
    /// What all servers share.
    pub(crate) host: Host,
    /// When the command has to be over.
    pub(crate) deadline: Option<Deadline>,
    /// How far it has come.
    pub(crate) reached: Arc<CommandProgress>,
    /// What it has open.
    pub(crate) open: OpenConnections,
    pub(crate) telemetry: Telemetry,
    /// How a next step is printed.
    pub(crate) steps: Arc<Steps>,
    /// The files that cannot be understood, and what was said of them.
    pub(crate) broken: BrokenFiles,
    /// The entries above this process as its host told them, where it did.
    above: OnceLock<String>,
    environment_problems: OnceLock<Vec<Problem>>,
    /// What is wrong with the file of the keys of the shared token store; its variables are not kept.
    key_problem: Option<Problem>,
    /// Where that store is, as it may be shown.
    pub(crate) store_url: Option<String>,
    /// Whether the command may make the file of our own servers.
    writes_servers: bool,
    /// The folder whose configuration counts, where that is another one than this process is in.
    folder: OnceLock<PathBuf>,
    mcp_config: Vec<String>,
    /// The servers that are given by their URLs.
    addresses: Arc<[Address]>,
    pipes: Pipes,
    strict: bool,
    /// `--from`: the host whose files are read.
    from: Option<&'static KnownHost>,
    scope: Option<Scope>,
    /// `login --oauth-scope`.
    pub(crate) oauth_scopes: Vec<String>,
    /// `--account`.
    pub(crate) account: Option<String>,
}

impl App {
    /// Lowers the global options; does nothing yet.
    ///
    /// # Errors
    ///
    /// A usage error where an option has an impossible value.
    pub(crate) fn new(
        cli: &mut Cli,
        environment: Environment,
        telemetry: Telemetry,
    ) -> Result<Self, CliError> {
        let addresses: Arc<[Address]> = cli.take_addresses()?.into();
        let global = &cli.global;
        let (scope, oauth_scopes) =
            cli.scopes().map_err(|why| CliError::usage("usage", why).next("mcplink --help"))?;
        let from = global.from.as_deref().map(crate::hosts::named).transpose()?;
        let no_color = environment.text("NO_COLOR").is_some();
        let dumb = environment.text("TERM") == Some("dumb");
        let is_plain = match global.color {
            ColorArg::Always => false,
            ColorArg::Never => true,
            ColorArg::Auto => no_color || dumb,
        };
        let links = !is_plain && crate::view::link::is_known(|name| environment.text(name));
        let environment = match cli.command.in_place_of() {
            Some(host) => environment.of_host(crate::hosts::named(host)?),
            None => environment,
        };
        let shared_store = crate::shared_store::named_in(&environment)?;
        let key_problem = shared_store.as_ref().and_then(|_| crate::shared_store::problem(&environment));
        let store_url = environment.text(crate::shared_store::URL).map(mcp_config::display_url);
        let environment = environment.without(&crate::shared_store::VARIABLES);
        let directory = environment.directory().map_or_else(|_| PathBuf::from("."), Clone::clone);
        let project = global.project.as_ref().map(|folder| directory.join(folder));
        if let Some(folder) = project.as_ref().filter(|folder| !folder.is_dir()) {
            let message = format!("--project: {} is not a folder", folder.display());
            return Err(CliError::usage("usage", message).next("give a folder that is there"));
        }
        // Files that were named from here are not looked for there.
        let named = |value: &String| match project {
            Some(_) if !value.trim_start().starts_with('{') => directory.join(value).display().to_string(),
            _ => value.clone(),
        };
        let mcp_config: Vec<String> = global.mcp_config.iter().map(named).collect();
        let mut options = HostOptions::from_env(environment.variables(), &directory, environment::program());
        options.account.clone_from(&global.account);
        options.shared_store = shared_store;
        options.client.propagator = telemetry.propagator();
        options.lives_on = matches!(cli.command, crate::args::Command::Bridge(_));
        let interactive = !global.non_interactive && std::io::stdin().is_terminal();
        // A bridge has another one for its server: what can be asked there is its host's to say.
        options.handler = Some(Arc::new(NoQuestions { interactive }));
        let output = Output::of_process(global.color, no_color, dumb, global.quiet || global.json)
            .with_links(links)
            .with_logs(global.verbose > 0 || environment.text("RUST_LOG").is_some());
        Ok(Self {
            output: Arc::new(output),
            json: global.json,
            quiet: global.quiet,
            verbose: global.verbose > 0,
            non_interactive: global.non_interactive,
            interactive,
            telemetry,
            steps: Arc::new(
                Steps::of(cli).with_addresses(addresses.clone()).run_by(Runner::of_this(&environment)),
            ),
            broken: BrokenFiles::default(),
            above: OnceLock::new(),
            environment_problems: OnceLock::new(),
            key_problem,
            store_url,
            folder: project.map(OnceLock::from).unwrap_or_default(),
            // Before signals are handled: a pipe may keep this waiting, and Ctrl-C ends it.
            pipes: environment.directory().map(|cwd| Pipes::read(&mcp_config, cwd)).unwrap_or_default(),
            mcp_config,
            addresses,
            strict: global.strict_mcp_config,
            from,
            scope,
            oauth_scopes,
            account: global.account.clone(),
            environment,
            host: Host::new(options),
            deadline: cli.command.timeout().map(Deadline::after),
            writes_servers: cli.command.writes_servers(),
            reached: Arc::default(),
            open: OpenConnections::default(),
        })
    }

    /// Reads the configuration, now: every command sees the files as they are.
    ///
    /// # Errors
    ///
    /// A usage error where `--mcp-config` cannot be used at all, or an administrator does not allow what was asked for: it was
    /// asked for by name.
    pub(crate) fn load(&self) -> Result<LoadedConfig, CliError> {
        let loaded = self.load_as_is()?;
        if let Some(problem) = loaded.config.refused_by_administrator() {
            let next = match self.from {
                Some(host) => format!("leave out --from {}", host.name),
                None => "leave it out, or ask your administrator for it".to_owned(),
            };
            return Err(CliError::usage("policy", problem_text(problem)).next(PrintedStep::Sentence(next)));
        }
        match unusable_argument(&loaded.config) {
            Some(problem) => {
                // To check it says the same once more: it is written otherwise, or what is named is another file.
                let next = match (problem.code, problem.file.as_ref().and_then(ConfigSource::path)) {
                    (ProblemCode::Unreadable, Some(path)) if !path.exists() => {
                        "name a file that is there with --mcp-config".to_owned()
                    }
                    _ => correct(problem),
                };
                Err(CliError::usage("invalid-config", problem_text(problem))
                    .next(PrintedStep::Sentence(next)))
            }
            None => Ok(loaded),
        }
    }

    /// The same, whatever is wrong with it: for commands that tell what is.
    pub(crate) fn load_as_is(&self) -> Result<LoadedConfig, CliError> {
        let addresses = self.addresses.clone();
        let mut config = self.read(&self.mcp_config)?;
        config.problems.extend_from_slice(self.environment_problems());
        // Where there is no server at all, the sentence about that says it.
        if !config.entries.is_empty() {
            config.problems.extend(self.own_file_is_missing());
        }
        self.broken.see(&config);
        self.steps.see(&config);
        Ok(LoadedConfig { config, scope: self.scope, addresses })
    }

    /// `MCPLINK_CONFIG` names a file that is not there. A command that writes servers makes it.
    fn own_file_is_missing(&self) -> Option<Problem> {
        let named = self
            .environment
            .text("MCPLINK_CONFIG")
            .filter(|file| !file.is_empty() && !self.writes_servers)?;
        let is_missing = self.directory().is_ok_and(|folder| !folder.join(named).exists());
        let message = format!("names {}, which is not there", crate::view::shown::line(named));
        let hint = "name the file of your own servers, or unset MCPLINK_CONFIG";
        is_missing.then(|| Problem::of_variable("MCPLINK_CONFIG", message, hint))
    }

    /// What is wrong with the environment for all servers: found once, as it does not change.
    fn environment_problems(&self) -> &[Problem] {
        self.environment_problems.get_or_init(|| {
            // Each file is looked at once, however many name it: one of a system has hundreds of certificates.
            let mut looked_at: Vec<(&TrustFile, Option<String>)> = Vec::new();
            let files = &self.host.options().client.extra_ca_files;
            for file in files.iter().filter(|file| file.is_for_us) {
                let same = looked_at.iter().find(|(known, _)| known.path == file.path);
                let wrong = match same {
                    Some((known, wrong)) => {
                        wrong.as_ref().map(|wrong| wrong.replacen(&*known.from, &file.from, 1))
                    }
                    None => file.check().err().map(|error| error.to_string()),
                };
                looked_at.push((file, wrong));
            }
            let unusable = |(file, wrong): (&TrustFile, Option<String>)| {
                let wrong = wrong?;
                let message = wrong.strip_prefix(&*file.from).unwrap_or(&wrong).trim_start();
                let hint = format!(
                    "name the file of the certificates that are to be trusted, or unset {}",
                    file.from
                );
                Some(Problem::of_variable(&file.from, message, hint))
            };
            let mut problems: Vec<Problem> = looked_at.into_iter().filter_map(unusable).collect();
            problems.extend(self.key_problem.clone());
            let document = self.environment.text(HostOptions::CLIENT_METADATA_URL);
            if let Some(Err(why)) = document.map(mcp_config::client_metadata::url) {
                problems.push(Problem::of_variable(
                    HostOptions::CLIENT_METADATA_URL,
                    format!("{why}, and is not used"),
                    "name the https URL of a document, or unset it",
                ));
            }
            let places = Locations::new(self.environment.variables(), Path::new("."), Platform::CURRENT);
            // Else it looks as if there were none.
            if places.user_file.is_none() || places.own_file.is_none() {
                let name = if places.platform == Platform::Windows { "USERPROFILE" } else { "HOME" };
                let message = "is not set, so your own files of servers are not looked for";
                problems.push(Problem::of_variable(
                    name,
                    message,
                    format!("set {name} to your home directory"),
                ));
            }
            problems
        })
    }

    /// The same with more entries, as `--mcp-config` would bring them along.
    pub(crate) fn load_with(&self, servers: &str) -> Result<LoadedConfig, CliError> {
        let mut mcp_config = self.mcp_config.clone();
        mcp_config.push(servers.to_owned());
        Ok(LoadedConfig { config: self.read(&mcp_config)?, scope: None, addresses: self.addresses.clone() })
    }

    /// The configuration for a command that ends what is kept of `names`, and those of them that have no entry any more: an entry
    /// that was renamed or taken out in its file leaves its sign-in behind, and stands in for itself here.
    pub(crate) async fn load_with_kept(
        &self,
        names: &[String],
    ) -> Result<(LoadedConfig, Vec<String>), CliError> {
        let loaded = self.load()?;
        let is_known = |name: &str| loaded.config.entry(name).is_some() || loaded.is_address(name);
        let unknown: Vec<&String> = names.iter().filter(|name| !is_known(name)).collect();
        if unknown.is_empty() {
            return Ok((loaded, Vec::new()));
        }
        // Where they cannot be listed, the name is what is told.
        let kept = self.host.sign_ins().await.unwrap_or_default();
        let of_unknown = kept
            .iter()
            .flatten()
            .filter(|record| unknown.iter().any(|name| name.as_str() == record.key.server_name()));
        let entry = |url: &str| serde_json::json!({ "type": "http", "url": url });
        let servers: serde_json::Map<String, serde_json::Value> = of_unknown
            .map(|record| (record.key.server_name().to_owned(), entry(record.key.resource())))
            .collect();
        if servers.is_empty() {
            return Ok((loaded, Vec::new()));
        }
        let names = servers.keys().cloned().collect();
        let servers = serde_json::json!({ "mcpServers": servers });
        Ok((self.load_with(&servers.to_string())?, names))
    }

    /// The `--mcp-config`s that are texts, which no command that is shown carries: one may hold a secret.
    #[cfg_attr(
        not(feature = "menu"),
        expect(dead_code, reason = "the menu alone runs commands for a person")
    )]
    pub(crate) fn config_texts(&self) -> impl Iterator<Item = &str> {
        self.mcp_config.iter().map(String::as_str).filter(|config| config.trim_start().starts_with('{'))
    }

    /// The scope that was asked for.
    pub(crate) fn scope(&self) -> Option<Scope> {
        self.scope
    }

    fn read(&self, mcp_config: &[String]) -> Result<Config, CliError> {
        Ok(self.read_in(&self.folder()?, mcp_config))
    }

    /// The configuration as it is in another folder.
    pub(crate) fn config_in(&self, directory: &Path) -> Config {
        self.read_in(directory, &self.mcp_config)
    }

    /// The configuration files of another folder, as they are now.
    pub(crate) fn sources_in(&self, directory: &Path) -> Sources {
        Sources::read(&self.request(directory, &self.mcp_config))
    }

    fn read_in(&self, directory: &Path, mcp_config: &[String]) -> Config {
        Config::load(&self.request(directory, mcp_config))
    }

    /// What is read in `directory`, with these `--mcp-config` besides.
    pub(crate) fn request(&self, directory: &Path, mcp_config: &[String]) -> Request {
        let mut request = Request::new(directory, self.variables());
        request.mcp_config = mcp_config.to_vec();
        request.addresses = self.addresses.to_vec();
        request.pipes = self.pipes.clone();
        request.strict = self.strict;
        request.host = self.from;
        request.program = self.environment.program().ok().cloned();
        request
    }

    /// The environment, below what the host told of the entries above this process.
    pub(crate) fn variables(&self) -> mcp_config::Env {
        let env = self.environment.variables().clone();
        match self.above.get() {
            Some(report) => env.below(report),
            None => env,
        }
    }

    /// Notes what the host told of the entries above this process: whatever is read from now on is read below them.
    pub(crate) fn set_above(&self, report: String) {
        // A host opens one conversation.
        drop(self.above.set(report));
    }

    /// The folder whose configuration counts: `--project`, the one that was found for a name, or the current directory.
    pub(crate) fn folder(&self) -> Result<PathBuf, CliError> {
        self.folder.get().map_or_else(|| self.directory(), |folder| Ok(folder.clone()))
    }

    /// The configuration of another folder counts from now on. Does nothing where one was asked for.
    pub(crate) fn set_folder(&self, folder: PathBuf) {
        self.steps.found_in(&folder);
        drop(self.folder.set(folder));
    }

    /// Whether the folder is one that was asked for or found, and not where the process happens to be.
    pub(crate) fn has_folder(&self) -> bool {
        self.folder.get().is_some()
    }

    /// Whether an option says which files count, and no others.
    pub(crate) fn reads_named_files_alone(&self) -> bool {
        self.strict || self.from.is_some()
    }

    /// The host whose files are read in the place of all others.
    pub(crate) fn from(&self) -> Option<&'static KnownHost> {
        self.from
    }

    /// Whether a person can be asked something: both sides are a terminal, and no program reads the answer.
    pub(crate) fn asks(&self) -> bool {
        !self.json && self.interactive && self.output.asks
    }

    /// The current directory.
    pub(crate) fn directory(&self) -> Result<PathBuf, CliError> {
        self.environment.directory().cloned().map_err(|error| {
            let message = match error.kind() {
                std::io::ErrorKind::NotFound => "the current directory was deleted or moved away",
                std::io::ErrorKind::PermissionDenied => "this account may not read the current directory",
                _ => "the current directory cannot be read",
            };
            CliError::new(ExitStatus::Usage, "no-directory", message).next("cd to an existing directory")
        })
    }

    /// How text on stdout is drawn.
    pub(crate) fn style(&self) -> Style {
        let columns = self.terminal_size().0;
        Style { terminal: self.output.stdout_is_terminal, color: self.output.color, columns }
    }

    /// The width within which text on stderr is wrapped; none where it is not a terminal.
    pub(crate) fn stderr_room(&self) -> Option<usize> {
        self.output.stderr_is_terminal.then(|| self.terminal_size().0)
    }

    /// Columns and rows of the terminal.
    pub(crate) fn terminal_size(&self) -> (usize, usize) {
        crate::terminal::terminal_size()
    }

    /// How many remote servers connect at once.
    pub(crate) fn remote_batch(&self) -> usize {
        self.environment.count("MCP_REMOTE_SERVER_CONNECTION_BATCH_SIZE").unwrap_or(20)
    }

    /// How many stdio servers start at once.
    pub(crate) fn stdio_batch(&self) -> usize {
        self.environment.count("MCP_SERVER_CONNECTION_BATCH_SIZE").unwrap_or(3)
    }

    /// Where this program keeps what may be lost, such as logs: `$XDG_CACHE_HOME/mcplink`, or the platform's equivalent.
    pub(crate) fn cache_dir(&self) -> Option<PathBuf> {
        let path = |name: &str| self.environment.text(name).map(PathBuf::from);
        let cache = match Platform::CURRENT {
            Platform::Windows => path("LOCALAPPDATA"),
            Platform::MacOs => path("HOME").map(|home| home.join("Library/Caches")),
            _ => path("XDG_CACHE_HOME").or_else(|| path("HOME").map(|home| home.join(".cache"))),
        };
        cache.map(|cache| cache.join("mcplink"))
    }

    /// Prints one line of NDJSON.
    pub(crate) fn print_json_line(&self, document: &impl Serialize) {
        let text = serde_json::to_string(document).unwrap_or_default();
        self.output.out_line(&mcp_text::json(&text));
    }

    /// Prints one JSON document.
    pub(crate) fn print_json(&self, document: &impl Serialize) {
        // Our documents have string keys and finite numbers, so serialising them cannot fail.
        let text = serde_json::to_string_pretty(document).unwrap_or_default();
        self.output.out_line(&mcp_text::json(&text));
    }
}

/// `--mcp-config` was asked for by name, so a file or text that cannot be used at all ends the command.
fn unusable_argument(config: &Config) -> Option<&Problem> {
    config.problems.iter().find(|problem| {
        let requested =
            config.paths().iter().any(|path| path.requested && Some(&path.place) == problem.file.as_ref());
        problem.severity == Severity::Error && problem.is_of_whole_file() && requested
    })
}
