//! From an entry to what `mcp-auth` resolves (feature `auth`). No rule is decided here: the facts are on the
//! entry, the order of providers is in the plan.

use mcp_auth::{AuthSettings, EnvPolicy, HelperSpec, OAuthSpec, Secret, Target, Withheld};

use crate::Env;
use crate::entry::{Helper, OAuth, Remote, ServerEntry};

/// What stands in the helper's URL variable for a part that the helper may not see.
const HIDDEN: &str = "REDACTED";

impl ServerEntry {
    /// The server and its auth settings, with `env` as the environment that a helper inherits.
    ///
    /// `None` for an entry that is not reached by URL.
    pub fn lower(&self, env: &Env) -> Option<(Target, AuthSettings)> {
        let remote = self.remote()?;
        let target = Target { name: self.name.clone(), url: remote.url.expose().clone() };
        let mut settings = AuthSettings::default();
        settings.static_headers =
            remote.headers.iter().map(|(name, value)| (name.clone(), Secret::new(value.expose()))).collect();
        settings.helper = remote.helper.as_ref().map(|helper| helper_spec(helper, remote, env));
        settings.helper_withheld =
            remote.helper.as_ref().filter(|helper| !helper.may_run).map(|_| Withheld::UntrustedFolder);
        settings.oauth = remote.oauth.as_ref().map(|oauth| oauth_spec(oauth, env));
        Some((target, settings))
    }
}

fn helper_spec(helper: &Helper, remote: &Remote, env: &Env) -> HelperSpec {
    let policy = if helper.scrubbed { EnvPolicy::Scrubbed } else { EnvPolicy::Inherit };
    let mut spec = HelperSpec::new(helper.command.expose(), &helper.cwd);
    spec.env = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    spec.env_policy = policy;
    spec.timeout = helper.timeout;
    spec.ttl = helper.ttl;
    spec.url_variable = remote.url_text.expose_masked(|name| policy.removes(name), HIDDEN);
    spec
}

fn oauth_spec(oauth: &OAuth, env: &Env) -> OAuthSpec {
    let mut spec = OAuthSpec::default();
    spec.client_id.clone_from(&oauth.client_id);
    // A secret belongs to a client; without one it would be sent for a client that somebody else chose.
    let secret =
        env.var("MCP_CLIENT_SECRET").filter(|secret| !secret.is_empty() && oauth.client_id.is_some());
    spec.client_secret = secret.map(Secret::new);
    spec.callback_port = oauth.callback_port;
    spec.redirect_uri.clone_from(&oauth.redirect_uri);
    spec.scopes.clone_from(&oauth.scopes);
    spec.auth_server_metadata_url.clone_from(&oauth.auth_server_metadata_url);
    spec.resource.clone_from(&oauth.resource);
    spec.client_metadata_url.clone_from(&oauth.client_metadata_url);
    spec
}
