//! What must be equal for two bridges to share a connection, and for a bridge to keep the one that it has: everything that decides where an entry leads, whom it acts
//! as there, and by what that is found out.
//!
//! Too much in it costs a connection, too little gives one person's credentials to another one's host. So what a command
//! could read counts as a whole: its environment, but for what differs between any two terminals.

use std::ffi::OsStr;
use std::path::Path;

use mcp_auth::AuthSettings;
use mcp_bridge::Fingerprint;
use mcp_transport::{ClientOptions, Endpoint, Server};

use crate::app::App;
use crate::view::row::Described;
use crate::wire::Wired;

/// Variables that every shell and terminal sets for itself. No credential is found by them.
const OF_THE_TERMINAL: [&str; 6] = ["_", "SHLVL", "OLDPWD", "PWD", "COLUMNS", "LINES"];

/// The fingerprint of an entry as it is now.
pub(super) fn fingerprint(app: &App, wired: &Wired, server: &Server) -> Fingerprint {
    let (directory, state) = (app.directory().ok(), app.state_dir());
    let parts = Parts {
        described: &wired.described,
        directory: directory.as_deref(),
        state: state.as_deref(),
        options: app.connector.options(),
        server,
        settings: wired.auth.as_ref().map(|auth| auth.plan.settings()),
    };
    parts.fingerprint()
}

/// What an entry comes to.
#[derive(Clone)]
struct Parts<'a> {
    described: &'a Described,
    /// A helper and a child process run there, and a relative path in an entry begins there.
    directory: Option<&'a Path>,
    /// Whose sign-ins are used.
    state: Option<&'a Path>,
    options: &'a ClientOptions,
    server: &'a Server,
    settings: Option<&'a AuthSettings>,
}

impl Parts<'_> {
    fn fingerprint(&self) -> Fingerprint {
        let mut print = Fingerprint::new()
            .with("name", &self.described.name)
            .with("scope", &self.described.scope)
            .with("source", &self.described.source)
            .with("directory", path(self.directory))
            .with("state", path(self.state))
            .with("timeout", format!("{:?}", self.server.timeout))
            .with("limits-of-entry", format!("{:?}", self.server.limits));
        print = with_options(print, self.options);
        print = with_endpoint(print, &self.server.endpoint);
        match self.settings {
            Some(settings) => with_settings(print, settings),
            None => print,
        }
    }
}

fn path(path: Option<&Path>) -> Vec<u8> {
    path.map(|path| path.as_os_str().as_encoded_bytes().to_vec()).unwrap_or_default()
}

/// How the network is reached, and for how long it is waited.
fn with_options(print: Fingerprint, options: &ClientOptions) -> Fingerprint {
    let url =
        |proxy: &Option<mcp_transport::options::ProxyUrl>| proxy.as_ref().map(|proxy| proxy.url.clone());
    let proxies = [
        url(&options.proxy.http),
        url(&options.proxy.https),
        url(&options.proxy.all),
        options.proxy.no_proxy.clone(),
    ];
    // `Debug` names every setting, later ones too, and hides what may be a secret, which therefore follows.
    proxies.into_iter().fold(print.with("options", format!("{options:?}")), |print, proxy| {
        print.with("proxy", proxy.as_deref().unwrap_or_default())
    })
}

fn with_endpoint(print: Fingerprint, endpoint: &Endpoint) -> Fingerprint {
    match endpoint {
        Endpoint::Http(http) => {
            print.with("endpoint", format!("{endpoint:?}")).with("url", http.url.as_str())
        }
        Endpoint::Stdio(stdio) => {
            // The names of its variables count below, but for those of the terminal.
            let mut shown = stdio.clone();
            shown.env.clear();
            let print = print.with("endpoint", format!("{shown:?}"));
            let print = print.with("command", stdio.command.as_encoded_bytes());
            let print = stdio.args.iter().fold(print, |print, arg| print.with("arg", arg.as_encoded_bytes()));
            with_environment(
                print,
                stdio.env.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())),
            )
        }
        _ => print.with("endpoint", format!("{endpoint:?}")),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mcp_auth::{EnvPolicy, HelperSpec, OAuthSpec, Secret};
    use mcp_transport::{ClientInfo, HttpEndpoint, StdioEndpoint};

    use super::*;

    /// The parts, owned, so that each can be changed.
    #[derive(Clone)]
    struct Owned {
        described: Described,
        directory: &'static str,
        state: &'static str,
        options: ClientOptions,
        server: Server,
        settings: AuthSettings,
    }

    impl Owned {
        fn fingerprint(&self) -> Fingerprint {
            let parts = Parts {
                described: &self.described,
                directory: Some(Path::new(self.directory)),
                state: Some(Path::new(self.state)),
                options: &self.options,
                server: &self.server,
                settings: Some(&self.settings),
            };
            parts.fingerprint()
        }

        fn stdio(&mut self) -> &mut StdioEndpoint {
            match &mut self.server.endpoint {
                Endpoint::Stdio(stdio) => stdio,
                other => panic!("{other:?}"),
            }
        }

        fn helper(&mut self) -> &mut HelperSpec {
            self.settings.helper.as_mut().unwrap()
        }

        fn oauth(&mut self) -> &mut OAuthSpec {
            self.settings.oauth.as_mut().unwrap()
        }
    }

    fn entry(endpoint: Endpoint) -> Owned {
        let described = Described {
            name: "remote".to_owned(),
            scope: "user".to_owned(),
            source: "/home/ann/.claude.json".to_owned(),
            transport: "http",
            url: None,
            command: None,
            chain: Vec::new(),
        };
        let mut helper = HelperSpec::new("mint --for ann", "/project");
        helper.env =
            [("PATH", "/bin"), ("SHLVL", "1")].map(|(name, value)| (name.into(), value.into())).into();
        let mut settings = AuthSettings::default();
        settings.static_headers = vec![("X-Key".to_owned(), Secret::new("one"))];
        settings.helper = Some(helper);
        let mut oauth = OAuthSpec::default();
        oauth.client_secret = Some(Secret::new("one"));
        settings.oauth = Some(oauth);
        let options = ClientOptions::new(ClientInfo::new("mcplink", "1"));
        let server = Server::new(endpoint);
        Owned { described, directory: "/project", state: "/state", options, server, settings }
    }

    fn remote() -> Owned {
        entry(Endpoint::Http(HttpEndpoint::new("https://example.com/mcp?team=a".parse().unwrap())))
    }

    fn local() -> Owned {
        let mut stdio = StdioEndpoint::new("serve");
        stdio.args = vec!["--as".into(), "ann".into()];
        stdio.env = [("TOKEN", "one"), ("PWD", "/a")].map(|(name, value)| (name.into(), value.into())).into();
        entry(Endpoint::Stdio(stdio))
    }

    type Change = (&'static str, fn(&mut Owned));

    #[test]
    fn whatever_a_server_could_be_told_otherwise_leads_elsewhere() {
        let at = |url: &str| Endpoint::Http(HttpEndpoint::new(url.parse().unwrap()));
        assert_eq!(remote().fingerprint(), remote().fingerprint());
        for url in [
            "https://example.com/mcp?team=b",
            "https://example.com/other",
            "https://ann@example.com/mcp?team=a",
        ] {
            assert_ne!(entry(at(url)).fingerprint(), remote().fingerprint(), "{url}");
        }
        let changes: &[Change] = &[
            ("name", |entry| entry.described.name = "other".to_owned()),
            ("scope", |entry| entry.described.scope = "project".to_owned()),
            ("source", |entry| entry.described.source = "/home/bob/.claude.json".to_owned()),
            ("directory", |entry| entry.directory = "/elsewhere"),
            ("store of sign-ins", |entry| entry.state = "/state-of-bob"),
            ("limit", |entry| entry.server.timeout = Some(Duration::from_secs(9))),
            ("limits of all", |entry| entry.options.connect_timeout = Duration::from_secs(9)),
            ("version", |entry| entry.options.user_agent = "mcplink/2".to_owned()),
            ("authority", |entry| {
                entry.options.extra_ca_files = vec![mcp_transport::options::TrustFile::new("/ca.pem", "X")]
            }),
            ("proxy", |entry| {
                entry.options.proxy.https =
                    Some(mcp_transport::options::ProxyUrl::new("http://ann:one@proxy", "X"))
            }),
            ("no proxy", |entry| entry.options.proxy.no_proxy = Some("example.com".to_owned())),
            ("flavor", |entry| {
                let url = "https://example.com/mcp?team=a".parse().unwrap();
                entry.server.endpoint = Endpoint::Http(HttpEndpoint::legacy_sse(url));
            }),
            ("header", |entry| entry.settings.static_headers[0].1 = Secret::new("two")),
            ("header name", |entry| entry.settings.static_headers[0].0 = "X-Other".to_owned()),
            ("no header", |entry| entry.settings.static_headers.clear()),
            ("helper", |entry| entry.helper().command = "mint --for bob".to_owned()),
            ("helper directory", |entry| entry.helper().cwd = "/elsewhere".into()),
            ("helper environment", |entry| drop(entry.helper().env.insert("PATH".into(), "/other".into()))),
            ("helper url", |entry| entry.helper().url_variable = "https://other.example".to_owned()),
            ("helper scrub", |entry| entry.helper().env_policy = EnvPolicy::Scrubbed),
            ("helper trust", |entry| {
                entry.settings.helper = None;
                entry.settings.helper_withheld = Some(mcp_auth::Withheld::UntrustedFolder);
            }),
            ("client", |entry| entry.oauth().client_id = Some("app".to_owned())),
            ("client secret", |entry| entry.oauth().client_secret = Some(Secret::new("two"))),
            ("scopes", |entry| entry.oauth().scopes = Some(vec!["write".to_owned()])),
            ("resource", |entry| entry.oauth().resource = Some("https://example.com".to_owned())),
            ("no oauth", |entry| entry.settings.oauth = None),
        ];
        differ(&remote(), changes);
        differ(
            &local(),
            &[
                ("command", |entry| entry.stdio().command = "other".into()),
                ("argument", |entry| entry.stdio().args[1] = "bob".into()),
                ("one argument for two", |entry| entry.stdio().args = vec!["--as ann".into()]),
                ("variable", |entry| drop(entry.stdio().env.insert("TOKEN".into(), "two".into()))),
                ("directory", |entry| entry.stdio().cwd = Some("/elsewhere".into())),
            ],
        );
    }

    #[track_caller]
    fn differ(entry: &Owned, changes: &[Change]) {
        for (what, change) in changes {
            let mut changed = entry.clone();
            change(&mut changed);
            assert_ne!(changed.fingerprint(), entry.fingerprint(), "{what}");
        }
    }

    #[test]
    fn what_every_terminal_sets_for_itself_and_what_is_only_shown_make_no_difference() {
        let mut other = local();
        for name in OF_THE_TERMINAL {
            other.stdio().env.insert(name.into(), "another terminal".into());
            other.helper().env.insert(name.into(), "another terminal".into());
        }
        other.described.command = Some("serve".to_owned());
        other.described.chain = vec!["static-headers".to_owned()];
        assert_eq!(other.fingerprint(), local().fingerprint());
    }
}
