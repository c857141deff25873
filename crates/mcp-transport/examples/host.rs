//! A host that keeps many servers connected for as long as it runs, and follows its configuration.
//!
//! ```text
//! $ printf 'demo http://127.0.0.1:3000/mcp\nhere stdio ./my-server\n' > servers
//! $ cargo run -p mcp-transport --example host -- servers
//! ```
//!
//! The file has one server per line: a name, then a URL, or `stdio` and a command. Then type `status`,
//! `reconnect NAME`, `reconnect all`, `reconnect failed`, `reload`, `call NAME TOOL {"its":"arguments"}` or `quit`.

#![expect(clippy::print_stdout, reason = "an example shows what happens")]

use std::error::Error;
use std::path::{Path, PathBuf};

use mcp_status::Reason;
use mcp_transport::fleet::{Fleet, FleetConfig, FleetEntry};
use mcp_transport::supervisor::{NoContact, ServerFuture, ServerSource, StatusSnapshot};
use mcp_transport::{
    ClientInfo, ClientOptions, Connector, Endpoint, HttpEndpoint, RequestOptions, Server, StdioEndpoint,
    SupervisorHandle,
};
use serde_json::value::RawValue;
use tokio::sync::mpsc;

/// One line of the file, found again whenever a connection is made.
struct ServerLine {
    file: PathBuf,
    name: String,
}

impl ServerSource for ServerLine {
    fn server(&self) -> ServerFuture<'_> {
        Box::pin(async {
            let file = std::fs::read_to_string(&self.file).unwrap_or_default();
            let definition = lines(&file).find(|(name, _)| *name == self.name).map(|(_, rest)| rest);
            let endpoint = definition.and_then(endpoint).ok_or_else(|| {
                // A host says what is wrong with an entry, and the status shows it.
                NoContact::Because(Reason::config(&format!("{}: no usable entry", self.file.display())))
            })?;
            // Here a host attaches a provider of credentials: `Server::with_auth`. A new one for each connection.
            Ok(Server::new(endpoint))
        })
    }
}

fn lines(file: &str) -> impl Iterator<Item = (&str, &str)> {
    file.lines().filter_map(|line| line.trim().split_once(' '))
}

fn endpoint(definition: &str) -> Option<Endpoint> {
    if let Some(command) = definition.strip_prefix("stdio ") {
        let mut words = command.split_whitespace();
        let mut endpoint = StdioEndpoint::new(words.next()?);
        endpoint.args = words.map(Into::into).collect();
        return Some(Endpoint::Stdio(endpoint));
    }
    Some(Endpoint::Http(HttpEndpoint::new(definition.parse().ok()?)))
}

/// Makes the fleet what the file says, and follows what is new.
async fn reload(fleet: &Fleet, path: &Path) -> std::io::Result<()> {
    let file = std::fs::read_to_string(path)?;
    let entries = lines(&file).map(|(name, definition)| {
        FleetEntry::new(name, definition, ServerLine { file: path.to_owned(), name: name.to_owned() })
    });
    let changes = fleet.apply(entries).await;
    println!("added {:?}, replaced {:?}, removed {:?}", changes.added, changes.replaced, changes.removed);
    for name in &changes.added {
        if let Some(handle) = fleet.handle(name) {
            tokio::spawn(follow(handle));
        }
    }
    Ok(())
}

/// Prints each change of the status and each notification, until the server is closed.
async fn follow(handle: SupervisorHandle) {
    let (mut status, mut notifications) = (handle.status(), handle.notifications());
    // Only the watch is kept: a handle that is held would keep the supervisor alive.
    drop(handle);
    loop {
        let snapshot = status.borrow_and_update().clone();
        show(&snapshot);
        if snapshot.closed {
            return;
        }
        tokio::select! {
            changed = status.changed() => if changed.is_err() { return },
            Some(notification) = notifications.next() => {
                println!("{}: {}", snapshot.name, notification.method);
            }
        }
    }
}

fn show(snapshot: &StatusSnapshot) {
    let tools = snapshot.tools.as_ref().map_or(0, |list| list.tools.len());
    match snapshot.reason() {
        Some(reason) => println!("{}: {}, {}", snapshot.name, snapshot.status, reason.message),
        None => println!("{}: {}, {tools} tools", snapshot.name, snapshot.status),
    }
}

async fn call(fleet: &Fleet, words: &str) -> Result<String, Box<dyn Error>> {
    let mut words = words.splitn(3, ' ');
    let (Some(name), Some(tool)) = (words.next(), words.next()) else { return Err("call NAME TOOL".into()) };
    let arguments = words.next().map(|json| RawValue::from_string(json.to_owned())).transpose()?;
    let handle = fleet.handle(name).ok_or("no such server")?;
    // Waits for a connection if there is hope for one, and says why not otherwise.
    let result = handle.call_tool(tool, arguments.as_deref(), &RequestOptions::new()).await?;
    Ok(result.get().to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = PathBuf::from(std::env::args_os().nth(1).ok_or("usage: host FILE")?);
    let (typed, commands) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if typed.send(line).is_err() {
                return;
            }
        }
    });
    run(&path, commands).await
}

/// Keeps the servers of the file at `path` connected, and does what is typed, until the end of it.
pub(crate) async fn run(
    path: &Path,
    mut commands: mpsc::UnboundedReceiver<String>,
) -> Result<(), Box<dyn Error>> {
    let connector = Connector::new(ClientOptions::new(ClientInfo::new("example-host", "1.0")));
    let fleet = Fleet::new(connector, FleetConfig::default());
    reload(&fleet, path).await?;
    while let Some(line) = commands.recv().await {
        match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
            ("status", _) => fleet.status().iter().for_each(show),
            ("reload", _) => reload(&fleet, path).await?,
            ("reconnect", "all") => drop(fleet.reconnect_all().await),
            ("reconnect", "failed") => drop(fleet.reconnect_failed().await),
            ("reconnect", name) => match fleet.handle(name) {
                Some(handle) => drop(handle.reconnect().await),
                None => println!("no such server"),
            },
            ("call", words) => match call(&fleet, words).await {
                Ok(result) => println!("{result}"),
                Err(error) => println!("{error}"),
            },
            ("quit", _) => break,
            _ => println!("status, reconnect, reload, call or quit"),
        }
    }
    fleet.close().await;
    Ok(())
}
