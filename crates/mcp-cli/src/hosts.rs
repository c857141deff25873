//! What is told of other hosts: their names, and the files that are found.

use std::path::Path;

use mcp_config::hosts::{HostListing, KnownHost};
use mcp_config::{Config, Request};

use crate::app::App;
use crate::error::CliError;
use crate::view::shown;
use crate::view::text::columns;

impl App {
    /// What is read of our own files, whatever `--from` says.
    ///
    /// # Errors
    ///
    /// There is no current directory.
    pub(crate) fn own_request(&self) -> Result<Request, CliError> {
        let mut request = self.request(&self.folder()?, &[]);
        request.host = None;
        Ok(request)
    }

    /// Our own files.
    ///
    /// # Errors
    ///
    /// As of [`own_request`](Self::own_request).
    pub(crate) fn own_config(&self) -> Result<Config, CliError> {
        Ok(Config::load(&self.own_request()?))
    }

    /// The files of this host, in the place of all others.
    ///
    /// # Errors
    ///
    /// As of [`own_request`](Self::own_request).
    pub(crate) fn config_of(&self, host: &'static KnownHost) -> Result<Config, CliError> {
        let mut request = self.own_request()?;
        request.host = Some(host);
        Ok(Config::load(&request))
    }

    /// The files of other hosts that a person of this folder has.
    ///
    /// # Errors
    ///
    /// As of [`own_request`](Self::own_request).
    pub(crate) fn found_in_hosts(
        &self,
        only: Option<&'static KnownHost>,
    ) -> Result<Vec<HostListing>, CliError> {
        Ok(HostListing::all(&self.own_request()?, only))
    }
}

/// The host of this name.
///
/// # Errors
///
/// A usage error with the nearest name, where there is no such host.
pub(crate) fn named(name: &str) -> Result<&'static KnownHost, CliError> {
    KnownHost::named(name).ok_or_else(|| {
        let error = CliError::usage("unknown-host", format!("no host is named {name:?}"));
        let known = || KnownHost::all().map(|host| host.name).collect::<Vec<_>>().join(", ");
        let why = match KnownHost::nearest(name) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("the hosts are {}", known()),
        };
        error.why(why).next("mcplink hosts")
    })
}

/// A file as a person of this home and folder would write it.
pub(crate) fn short(app: &App, path: &str) -> String {
    let path = Path::new(path);
    let below = |folder: Option<&Path>| Some(path.strip_prefix(folder?).ok()?.display().to_string());
    let folder = app.directory().ok();
    let home = app.environment.text("HOME").map(Path::new);
    let text = below(folder.as_deref().filter(|folder| Some(*folder) != home))
        .or_else(|| below(home).map(|rest| format!("~/{rest}")));
    shown::line(&text.unwrap_or_else(|| path.display().to_string()))
}

/// Whether every command reads this file of a host anyway, as it does the `.mcp.json` that several hosts share.
pub(crate) fn is_ours(config: &Config, file: &HostListing) -> bool {
    config.paths().iter().any(|path| path.used && path.place == file.place)
}

/// One line of a file: host, how many servers it has and reaches through this program, where it is.
pub(crate) fn lines(app: &App, first: Option<[String; 3]>, found: &[HostListing]) -> String {
    let rows = found.iter().map(|file| {
        let count = match &file.unreadable {
            Some(_) => "cannot be read".to_owned(),
            None => count(file.servers.len(), file.pointers),
        };
        [file.host.name.to_owned(), count, short(app, &file.place.to_string())]
    });
    columns(first.into_iter().chain(rows), app.style())
}

/// `2 servers, 1 through mcplink`.
pub(crate) fn count(servers: usize, wrapped: usize) -> String {
    let count = if servers == 1 { "1 server".to_owned() } else { format!("{servers} servers") };
    match (servers, wrapped) {
        (_, 0) => count,
        (0, wrapped) => format!("{wrapped} through mcplink"),
        (_, wrapped) => format!("{count}, {wrapped} through mcplink"),
    }
}

/// How a person comes to a first server, each on a line of its own.
pub(crate) fn first_steps() -> String {
    let demo = if cfg!(feature = "demo") { "to see it work first: mcplink demo\n" } else { "" };
    format!("to add a server: mcplink add URL\nto take over those of another program: mcplink import\n{demo}")
}

/// What is odd about the home of this person, in which there is nothing.
fn odd_home(app: &App) -> Option<String> {
    let home = app.environment.text("HOME").filter(|home| !home.is_empty())?;
    let path = app.directory().ok()?.join(home);
    let odd = match () {
        () if !path.exists() => "which is not there",
        () if !path.is_dir() => "which is not a folder",
        () if Path::new(home).is_relative() => "which is looked for in this folder",
        () => return None,
    };
    Some(format!("HOME is {}, {odd}", shown::line(home)))
}

/// What to say of a host without a file that has servers in it, as where it was taken away.
pub(crate) fn without_servers(host: &KnownHost) -> String {
    let (title, name) = (host.title, host.name);
    format!(
        "{title} has no servers in its files; `mcplink paths --from {name}` shows where they are looked for"
    )
}

/// What to say where nothing is configured: what other hosts have, and how it is used.
pub(crate) fn instead_of_nothing(app: &App) -> String {
    if let Some(host) = app.from() {
        return format!("{}\n", without_servers(host));
    }
    let named = app.environment.text("MCPLINK_CONFIG").filter(|file| !file.is_empty());
    if let Some(file) = named.filter(|file| app.directory().is_ok_and(|folder| !folder.join(file).exists())) {
        return format!(
            "no servers are configured: MCPLINK_CONFIG names {}, which is not there\n{}where they are looked for: mcplink paths\n",
            crate::view::shown::line(file),
            first_steps()
        );
    }
    let mut found = app.found_in_hosts(None).unwrap_or_default();
    found.retain(|file| !file.servers.is_empty() || file.unreadable.is_some());
    let Some(first) = found.iter().find(|file| !file.servers.is_empty()) else {
        if let Some(broken) = found.first() {
            return format!(
                "no servers are configured, and a file of {} cannot be read: mcplink hosts\n",
                broken.host.title
            );
        }
        let odd = odd_home(app).map(|odd| format!(": {odd}")).unwrap_or_default();
        return format!(
            "no servers are configured{odd}\n{}where they are looked for: mcplink paths\n",
            first_steps()
        );
    };
    let name = first.host.name;
    format!(
        "no servers are configured for mcplink; other hosts have some:\n{}to take them over: mcplink import\n\
         to use them in place: mcplink --from {name} status\nwhere ours are looked for: mcplink paths\n",
        lines(app, None, &found)
    )
}
