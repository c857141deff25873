//! What must be equal for two connections to be the same: everything that decides where an entry leads, whom it acts as there,
//! and by what that is found out.
//!
//! Too much in it costs a connection, too little gives one person's credentials to another one's host. So what a command
//! could read counts as a whole: its environment, but for what differs between any two terminals. Each type is taken apart
//! where it is defined, without `..`: a new field does not compile before it is decided whether it counts.

use std::fmt;
use std::hash::{Hash, Hasher};

use mcp_auth::AuthSettings;
use mcp_transport::supervisor::NoContact;
use mcp_transport::{Endpoint, Server};
use ring::digest::{Context, SHA256};

use crate::late::forget_terminal;
use crate::{Description, HostOptions};

/// What an entry comes to, as a one-way digest: equal where a connection would be the same one. Made of secrets, so it is
/// compared, and neither shown nor kept.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of something else that decides about a connection, such as a server that is in no file.
    pub fn of(value: &impl Hash) -> Self {
        let mut digest = Sha256(Context::new(&SHA256));
        value.hash(&mut digest);
        digest.fingerprint()
    }

    /// Its bytes, to derive another digest from.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its bytes as text, to compare.
    pub(crate) fn to_text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Security: a digest of a short secret gives it away to anyone who tries them all.
        f.write_str("Fingerprint(..)")
    }
}

/// What an entry comes to.
#[derive(Clone)]
pub(crate) struct Parts<'a> {
    pub(crate) description: &'a Description,
    pub(crate) options: &'a HostOptions,
    pub(crate) state: &'a Result<Server, NoContact>,
    pub(crate) settings: Option<&'a AuthSettings>,
}

impl Parts<'_> {
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut digest = Sha256(Context::new(&SHA256));
        let Self { description, options, state, settings } = self;
        // What is shown of an address or a command follows from them, and the chain from the settings.
        // The line is no part of it: an entry that moves within its file is the same one.
        let Description {
            name,
            scope,
            source,
            line: _,
            transport,
            url: _,
            command: _,
            account,
            chain: _,
            by_url: _,
            in_place: _,
        } = description;
        (name, scope, source, transport, account).hash(&mut digest);
        // The environment counts as far as an entry passes it on, and that a process lives on with its settings.
        // A provider of the program's own counts by its name and what the entry says to it, which is in the settings.
        // The account is that of the description.
        let HostOptions {
            client,
            env: _,
            directory,
            state_dir,
            shared_store,
            account: _,
            client_metadata_url,
            lives_on: _,
            providers: _,
            // What is announced to a server that several share is what all of their hosts can do.
            handler: _,
        } = options;
        client.identify(&mut digest);
        // A helper and a child process run there, and a relative path in an entry begins there; and whose sign-ins are used.
        (directory, state_dir, client_metadata_url, shared_store.is_some(), state.is_ok()).hash(&mut digest);
        if let Some(shared) = shared_store {
            shared.identify(&mut digest);
        }
        match state {
            Ok(server) => without_terminal(server).identify(&mut digest),
            Err(withheld) => withheld.hash(&mut digest),
        }
        let settings = settings.cloned().map(|mut settings| {
            if let Some(helper) = &mut settings.helper {
                forget_terminal(&mut helper.env);
            }
            settings.commands_mut().for_each(|command| forget_terminal(&mut command.env));
            settings
        });
        settings.hash(&mut digest);
        digest.fingerprint()
    }
}

fn without_terminal(server: &Server) -> Server {
    let mut server = server.clone();
    if let Endpoint::Stdio(stdio) = &mut server.endpoint {
        forget_terminal(&mut stdio.env);
    }
    server
}

/// A digest that is fed by [`Hash`]. What that writes is the same in two processes of one build, and no more is asked of it.
struct Sha256(Context);

impl Sha256 {
    fn fingerprint(self) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.finish().as_ref());
        Fingerprint(bytes)
    }
}

impl Hasher for Sha256 {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finish();
        let first = digest.as_ref().iter().take(8);
        first.fold(0, |number, byte| (number << 8) | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use crate::late::OF_THE_TERMINAL;
    use std::path::Path;
    use std::sync::Arc;
    use std::time::Duration;

    use mcp_auth::oauth::store::shared::{RecordKind, SealingKeys, SharedRecords, SharedTokenStore};
    use mcp_auth::settings::{CustomSpec, EnvPolicy, HelperSpec, OAuthSpec};
    use mcp_auth::{AuthFuture, Secret};
    use mcp_config::entry::RemoteKind;
    use mcp_config::{EntryTransport, Env};
    use mcp_status::Reason;
    use mcp_transport::options::{ResolveRequest, Resolver, ResolverFuture};
    use mcp_transport::{ClientInfo, HttpEndpoint, StdioEndpoint};

    use super::*;

    /// The parts, owned, so that each can be changed.
    #[derive(Clone)]
    struct OwnedParts {
        description: Description,
        options: HostOptions,
        state: Result<Server, NoContact>,
        settings: AuthSettings,
    }

    impl OwnedParts {
        fn fingerprint(&self) -> Fingerprint {
            let Self { description, options, state, settings } = self;
            Parts { description, options, state, settings: Some(settings) }.fingerprint()
        }

        fn server(&mut self) -> &mut Server {
            self.state.as_mut().unwrap()
        }

        fn stdio(&mut self) -> &mut StdioEndpoint {
            match &mut self.server().endpoint {
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

    fn entry(endpoint: Endpoint) -> OwnedParts {
        let description = Description::new(
            "remote",
            "user",
            "/home/ann/.claude.json",
            EntryTransport::Remote(RemoteKind::Http),
        );
        let mut helper = HelperSpec::new("mint --for ann", "/project");
        helper.env =
            [("PATH", "/bin"), ("SHLVL", "1")].map(|(name, value)| (name.into(), value.into())).into();
        let mut settings = AuthSettings::default();
        settings.static_headers = vec![("X-Key".to_owned(), Secret::new("one"))];
        settings.helper = Some(helper);
        settings.custom = Some(CustomSpec::new("acme").with_settings(Secret::new("one")));
        let mut oauth = OAuthSpec::default();
        oauth.client_secret = Some(Secret::new("one"));
        settings.oauth = Some(oauth);
        let env = Env::from([("MCPLINK_STATE_DIR", "/state")]);
        let options = HostOptions::from_env(&env, Path::new("/project"), ClientInfo::new("agent", "1"));
        OwnedParts { description, options, state: Ok(Server::new(endpoint)), settings }
    }

    fn remote() -> OwnedParts {
        entry(Endpoint::Http(HttpEndpoint::new("https://example.com/mcp?team=a".parse().unwrap())))
    }

    fn local() -> OwnedParts {
        let mut stdio = StdioEndpoint::new("serve");
        stdio.args = vec!["--as".into(), "ann".into()];
        stdio.env = [("TOKEN", "one"), ("PWD", "/a")].map(|(name, value)| (name.into(), value.into())).into();
        entry(Endpoint::Stdio(stdio))
    }

    const OLD_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    /// A database that says the same of itself wherever it is, as a person should see it, and is never asked.
    struct NamedDatabase(&'static str);

    impl fmt::Debug for NamedDatabase {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a database")
        }
    }

    impl SharedRecords for NamedDatabase {
        fn get<'a>(&'a self, _: RecordKind, _: &'a str) -> AuthFuture<'a, Option<Vec<u8>>> {
            Box::pin(async { Ok(None) })
        }

        fn put<'a>(&'a self, _: RecordKind, _: &'a str, _: Vec<u8>) -> AuthFuture<'a, ()> {
            Box::pin(async { Ok(()) })
        }

        fn delete<'a>(&'a self, _: RecordKind, _: &'a str) -> AuthFuture<'a, bool> {
            Box::pin(async { Ok(false) })
        }

        fn scan<'a>(&'a self, _: RecordKind, _: &'a str) -> AuthFuture<'a, Vec<(String, Vec<u8>)>> {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn lease<'a>(&'a self, _: &'a str, _: &'a str, _: Duration) -> AuthFuture<'a, bool> {
            Box::pin(async { Ok(false) })
        }

        fn release<'a>(&'a self, _: &'a str, _: &'a str) -> AuthFuture<'a, ()> {
            Box::pin(async { Ok(()) })
        }

        fn identify(&self, mut state: &mut dyn Hasher) {
            self.0.hash(&mut state);
        }
    }

    fn shared_store(url: &'static str, keys: &str) -> Option<SharedTokenStore> {
        Some(SharedTokenStore::new(NamedDatabase(url), SealingKeys::parse(keys).unwrap()))
    }

    /// A name server that says the same of itself wherever it is.
    struct NamedResolver(&'static str);

    impl fmt::Debug for NamedResolver {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a resolver")
        }
    }

    impl Resolver for NamedResolver {
        fn resolve(&self, _: ResolveRequest<'_>) -> ResolverFuture {
            Box::pin(async { Ok(Vec::new()) })
        }

        fn identify(&self, mut state: &mut dyn Hasher) {
            self.0.hash(&mut state);
        }
    }

    type Change = (&'static str, fn(&mut OwnedParts));

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
            ("name", |entry| entry.description.name = "other".to_owned()),
            ("scope", |entry| entry.description.scope = "project".to_owned()),
            ("source", |entry| entry.description.source = "/home/bob/.claude.json".to_owned()),
            ("directory", |entry| entry.options.directory = "/elsewhere".into()),
            ("store of sign-ins", |entry| entry.options.state_dir = Some("/state-of-bob".into())),
            ("limit", |entry| entry.server().timeout = Some(Duration::from_secs(9))),
            ("what it may cost", |entry| {
                let mut limits = mcp_transport::limits::Limits::default();
                limits.pages = 1;
                entry.server().limits = Some(Arc::new(limits));
            }),
            ("switched off", |entry| entry.state = Err(NoContact::SwitchedOff)),
            ("not approved", |entry| entry.state = Err(NoContact::Because(Reason::awaiting_approval()))),
            ("another reason", |entry| entry.state = Err(NoContact::Because(Reason::config("one")))),
            ("shared store", |entry| entry.options.shared_store = shared_store("postgres://db", OLD_KEY)),
            ("resolver", |entry| entry.options.client.resolver = Some(Arc::new(NamedResolver("one")))),
            ("limits of all", |entry| entry.options.client.connect_timeout = Duration::from_secs(9)),
            ("version", |entry| entry.options.client.user_agent = "mcplink/2".to_owned()),
            ("authority", |entry| {
                entry.options.client.extra_ca_files =
                    vec![mcp_transport::options::TrustFile::new("/ca.pem", "X")]
            }),
            ("proxy", |entry| {
                entry.options.client.proxy.https =
                    Some(mcp_transport::options::ProxyUrl::new("http://ann:one@proxy", "X"))
            }),
            ("no proxy", |entry| entry.options.client.proxy.no_proxy = Some("example.com".to_owned())),
            ("flavor", |entry| {
                let url = "https://example.com/mcp?team=a".parse().unwrap();
                entry.server().endpoint = Endpoint::Http(HttpEndpoint::legacy_sse(url));
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
                entry.settings.helper_withheld = Some(mcp_auth::settings::WithholdReason::UntrustedFolder);
            }),
            ("provider", |entry| entry.settings.custom = Some(CustomSpec::new("other"))),
            ("no provider", |entry| entry.settings.custom = None),
            ("provider settings", |entry| {
                let spec = CustomSpec::new("acme").with_settings(Secret::new("two"));
                entry.settings.custom = Some(spec);
            }),
            ("auth", |entry| {
                let supply = mcp_auth::settings::MachineSignInSource::File("/run/token".into());
                entry.settings.unattended = Some(mcp_auth::settings::MachineSignInSpec::new(supply));
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

    #[test]
    fn what_debug_shows_of_a_part_is_not_what_it_is_compared_by() {
        let mut entry = remote();
        entry.options.shared_store =
            shared_store("postgres://ann:one@db/mcp?options=-csearch_path%3Da", OLD_KEY);
        entry.options.client.resolver = Some(Arc::new(NamedResolver("one")));
        differ(
            &entry,
            &[
                ("database user", |entry| {
                    let url = "postgres://bob:one@db/mcp?options=-csearch_path%3Da";
                    entry.options.shared_store = shared_store(url, OLD_KEY);
                }),
                ("sealing key", |entry| {
                    let url = "postgres://ann:one@db/mcp?options=-csearch_path%3Da";
                    entry.options.shared_store = shared_store(url, NEW_KEY);
                }),
                ("resolver", |entry| entry.options.client.resolver = Some(Arc::new(NamedResolver("two")))),
                ("no shared store", |entry| entry.options.shared_store = None),
            ],
        );
        let mut withheld = remote();
        withheld.state = Err(NoContact::Because(Reason::config("one")));
        differ(
            &withheld,
            &[
                ("message", |entry| entry.state = Err(NoContact::Because(Reason::config("two")))),
                ("code", |entry| entry.state = Err(NoContact::Because(Reason::awaiting_approval()))),
            ],
        );
        // Another process opens the same database with the same keys, by a holder of its own.
        let mut again = entry.clone();
        again.options.shared_store =
            shared_store("postgres://ann:one@db/mcp?options=-csearch_path%3Da", OLD_KEY);
        again.options.client.resolver = Some(Arc::new(NamedResolver("one")));
        assert_eq!(again.fingerprint(), entry.fingerprint());
    }

    #[track_caller]
    fn differ(entry: &OwnedParts, changes: &[Change]) {
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
        other.description.command = Some("serve".to_owned());
        other.description.chain = vec!["static-headers".to_owned()];
        assert_eq!(other.fingerprint(), local().fingerprint());
    }
}
