//! What must be equal for two bridges to share a connection: everything that decides where an entry leads, whom it acts
//! as there, and by what that is found out.
//!
//! Too much in it costs a connection, too little gives one person's credentials to another one's host. So what a command
//! could read counts as a whole: its environment, but for what differs between any two terminals.

use std::ffi::OsStr;

use mcp_auth::AuthSettings;
use mcp_bridge::sharing::Fingerprint;
use mcp_transport::{ClientOptions, Endpoint, Server};

use crate::app::App;
use crate::wire::Wired;

/// Variables that every shell and terminal sets for itself. No credential is found by them.
const OF_THE_TERMINAL: [&str; 6] = ["_", "SHLVL", "OLDPWD", "PWD", "COLUMNS", "LINES"];

/// The fingerprint of an entry as it is now.
pub(crate) fn fingerprint(app: &App, wired: &Wired, server: &Server) -> Fingerprint {
    let described = &wired.described;
    let mut print = Fingerprint::new()
        .with("name", &described.name)
        .with("scope", &described.scope)
        .with("source", &described.source)
        // A helper and a child process run there, and a relative path in an entry begins there.
        .with("directory", path(app.directory().ok().as_deref()))
        // Whose sign-ins are used.
        .with("state", path(app.state_dir().as_deref()))
        .with("timeout", format!("{:?}", server.timeout));
    print = with_options(print, app.connector.options());
    print = with_endpoint(print, &server.endpoint);
    match &wired.auth {
        Some(auth) => with_settings(print, auth.plan.settings()),
        None => print,
    }
}

fn path(path: Option<&std::path::Path>) -> Vec<u8> {
    path.map(|path| path.as_os_str().as_encoded_bytes().to_vec()).unwrap_or_default()
}

/// How the network is reached, and for how long it is waited.
fn with_options(print: Fingerprint, options: &ClientOptions) -> Fingerprint {
    let proxies = [&options.proxy.http, &options.proxy.https, &options.proxy.no_proxy];
    // `Debug` names every setting, later ones too, and hides what may be a secret, which therefore follows.
    proxies.into_iter().fold(print.with("options", format!("{options:?}")), |print, proxy| {
        print.with("proxy", proxy.as_deref().unwrap_or_default())
    })
}

fn with_endpoint(print: Fingerprint, endpoint: &Endpoint) -> Fingerprint {
    let print = print.with("endpoint", format!("{endpoint:?}"));
    match endpoint {
        Endpoint::Http(http) => print.with("url", http.url.as_str()),
        Endpoint::Stdio(stdio) => {
            let print = print.with("command", stdio.command.as_encoded_bytes());
            let print = stdio.args.iter().fold(print, |print, arg| print.with("arg", arg.as_encoded_bytes()));
            with_environment(
                print,
                stdio.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())),
            )
        }
        _ => print,
    }
}

fn with_settings(print: Fingerprint, settings: &AuthSettings) -> Fingerprint {
    let mut print = print.with("auth", format!("{settings:?}"));
    for (name, value) in &settings.static_headers {
        print = print.with("header", name).with("value", value.expose());
    }
    if let Some(secret) = settings.oauth.as_ref().and_then(|oauth| oauth.client_secret.as_ref()) {
        print = print.with("client-secret", secret.expose());
    }
    if let Some(helper) = &settings.helper {
        print = print
            .with("helper", &helper.command)
            .with("helper-directory", path(Some(&helper.cwd)))
            .with("helper-url", &helper.url_variable);
        let environment = helper.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        print = with_environment(print, environment);
    }
    print
}

fn with_environment<'a>(
    print: Fingerprint,
    environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
) -> Fingerprint {
    environment.filter(|(name, _)| !OF_THE_TERMINAL.iter().any(|own| name == own)).fold(
        print,
        |print, (name, value)| {
            print.with("variable", name.as_encoded_bytes()).with("value", value.as_encoded_bytes())
        },
    )
}
