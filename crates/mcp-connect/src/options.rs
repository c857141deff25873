//! What a program sets once for all its servers, and what its environment says of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_auth::oauth::store::shared::SharedTokenStore;
use mcp_config::{Env, Locations, Platform};
use mcp_transport::handler::ServerRequestHandler;
use mcp_transport::{ClientInfo, ClientOptions};
use url::Url;

use crate::Providers;

/// What a program sets once for all its servers.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostOptions {
    /// Identity, limits and network settings of every connection. The name in it is what a person reads on the page that
    /// asks for consent, and what authorization servers register.
    pub client: ClientOptions,
    /// The environment: what entries name, and what helpers and local servers inherit.
    pub env: Env,
    /// The current directory. A relative path in the environment begins there.
    pub directory: PathBuf,
    /// Where sign-ins are kept, in `tokens` below it; in memory alone where `None`.
    pub state_dir: Option<PathBuf>,
    /// A store that many machines share, in the place of the files of `state_dir`.
    pub shared_store: Option<SharedTokenStore>,
    /// The account of every server, whatever its entry says: which of several sign-ins is used.
    pub account: Option<String>,
    /// Where the client metadata document of the program is hosted, which is presented to authorization servers that take
    /// one, unless an entry names another; over https.
    pub client_metadata_url: Option<Url>,
    /// Answers what servers ask while nothing else does: a server may list other tools to a client that can be asked. A
    /// [`Server`](mcp_transport::Server) may get another one.
    pub handler: Option<Arc<dyn ServerRequestHandler>>,
    /// The program runs for as long as its servers do, so that its environment may be older than what a person has set since.
    pub lives_on: bool,
    /// Providers of credentials of the program's own. Entries name them in [`AUTH_FIELD`](crate::AUTH_FIELD), where the
    /// [request](mcp_config::Request::with_known_fields) knows that field.
    pub providers: Providers,
}

impl HostOptions {
    /// Names the metadata document of this client, for all entries that name none.
    pub const CLIENT_METADATA_URL: &str = "MCPLINK_CLIENT_METADATA_URL";

    /// What `env` asks for ([`ClientOptions::from_env`]), for a program of this name and version in `directory`.
    ///
    /// Sign-ins are kept where [`Locations::state_dir`] says, which all programs on this crate have in common: a person who
    /// signed in with one of them has signed in for all.
    pub fn from_env(env: &Env, directory: &Path, program: ClientInfo) -> Self {
        let mut client = ClientOptions::from_env(program, |name| env.var(name));
        // As an entry spells them.
        client.limit_names.start = Some("startupTimeoutMs of its entry or MCP_TIMEOUT".into());
        client.limit_names.silence = Some("a longer timeout of its entry".into());
        client.limit_names.entry = Some("timeout of its entry".into());
        Self {
            client,
            state_dir: Locations::new(env, directory, Platform::CURRENT).state_dir,
            shared_store: None,
            env: env.clone(),
            directory: directory.to_owned(),
            account: None,
            client_metadata_url: env
                .var(Self::CLIENT_METADATA_URL)
                .and_then(|text| mcp_config::client_metadata::url(text).ok()),
            handler: None,
            lives_on: false,
            providers: Providers::default(),
        }
    }
}
