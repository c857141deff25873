//! From an entry to what `mcp-auth` resolves (feature `auth`). No rule is decided here: the facts are on the
//! entry, the order of providers is in the plan.
//!
//! Longer than 500 lines because each field is lowered beside the tables that it is tried on.

use std::path::Path;
use std::time::Duration;

use mcp_auth::settings::{
    AwsSpec, EnvPolicy, GrantKind, GrantSpec, HelperSpec, IdentityProviderSpec, KeyringItem,
    MachineSignInSource, MachineSignInSpec, OAuthSpec, PluginSpec, SecretSource, SourcedText, TextPart,
    TokenSpec, WithholdReason,
};
use mcp_auth::userinfo::take_userinfo;
use mcp_auth::{AuthSettings, Secret, Target};

use crate::entry::{Helper, Lookups, OAuth, Remote, ServerEntry};
use crate::env::CLIENT_SECRET;
use crate::expand::{Piece, Text, Variable};
use crate::reference::SecretReference;
use crate::unattended::{COMMAND_TIMEOUT, GrantEntry, GrantWord, MachineSignIn, MachineSignInMethod};
use crate::{Env, Locations, Platform, Scope, chain, plugin};

/// What is in the helper's URL variable for a part that the helper may not see.
const HIDDEN: &str = "REDACTED";

impl ServerEntry {
    /// The server and its auth settings, with `env` as the environment that a helper inherits.
    ///
    /// `None` for an entry that is not reached by URL.
    pub fn lower(&self, env: &Env) -> Option<(Target, AuthSettings)> {
        let remote = self.remote()?;
        let mut target =
            Target::new(&*self.name, remote.url.expose().clone()).with_account(self.account.clone());
        // Security: a repository may name a proxy, and an authority that vouches for it, and so read all that goes there. A sign-in
        // that was made without them is not for it.
        if self.scope == Scope::Project {
            target.route = remote.network.route();
        }
        let userinfo = take_userinfo(&mut target.url).and_then(Result::ok);
        let mut settings = AuthSettings::default();
        for (name, value) in &remote.headers {
            match self.sourced(&format!("headers.{name}"), value, env) {
                Some(value) => settings.sourced_headers.push((name.clone(), value)),
                None => settings.static_headers.push((name.clone(), Secret::new(value.expose()))),
            }
        }
        settings.header_variables = remote
            .headers
            .iter()
            .map(|(name, value)| {
                (name.clone(), value.from_environment().map(str::to_owned).collect::<Vec<_>>())
            })
            .filter(|(_, variables)| !variables.is_empty())
            .collect();
        settings.empty_variables = remote
            .headers
            .iter()
            .flat_map(|(name, value)| value.empty().map(|variable| (name.clone(), variable.to_owned())))
            .collect();
        // User and password of the URL are a static `Authorization` like any other; one that is written out wins, and a
        // problem of the entry says so.
        if let Some(basic) = userinfo.filter(|_| !remote.has_authorization()) {
            settings.static_headers.push(("Authorization".to_owned(), basic));
            settings.authorization_of_url = true;
        }
        settings.helper = remote.helper.as_ref().map(|helper| {
            let mut spec = helper_spec(helper, remote, env);
            for_children(&mut spec, self);
            spec
        });
        settings.helper_withheld =
            remote.helper.as_ref().filter(|helper| !helper.may_run).map(|_| WithholdReason::UntrustedFolder);
        settings.unattended = remote.unattended.as_ref().map(|auth| {
            let mut spec = unattended_spec(auth, remote, env);
            spec.commands_mut().for_each(|command| for_children(command, self));
            spec
        });
        settings.oauth = remote.oauth.as_ref().map(|oauth| {
            let mut spec = oauth_spec(oauth, env, self.scope);
            // As for the variable: a secret belongs to a client.
            let own = oauth.client_secret.as_ref().filter(|_| oauth.client_id.is_some());
            spec.client_secret_source =
                own.map(|own| SourcedText::new(vec![self.part("oauth.clientSecret", own, None, env)]));
            spec
        });
        settings.oauth_off = remote.oauth_off;
        Some((target, settings))
    }
}

/// A part of what a local server is started with, or of an address, that has secrets by reference in it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SecretField {
    /// The address of a remote server: what is read is a part of its path or query.
    Address,
    /// The argument of this number.
    Argument(usize),
    /// The variable of this name.
    Variable(String),
}

impl ServerEntry {
    /// The parts of its address, or of what it is started with, that have secrets by reference in them.
    pub fn secret_places(&self, env: &Env) -> Vec<(SecretField, SourcedText)> {
        let mut places = Vec::new();
        if let Some(remote) = self.remote() {
            places
                .extend(self.sourced("url", &remote.url_text, env).map(|text| (SecretField::Address, text)));
        }
        if let Some(stdio) = self.stdio() {
            for (index, argument) in stdio.args.iter().enumerate() {
                let text = self.sourced(&format!("args[{index}]"), argument, env);
                places.extend(text.map(|text| (SecretField::Argument(index), text)));
            }
            for (name, value) in &stdio.env {
                let text = self.sourced(&format!("env.{name}"), value, env);
                places.extend(text.map(|text| (SecretField::Variable(name.clone()), text)));
            }
        }
        places
    }

    /// A value with its secrets to be read, where it has any, or lacks one. A program may well be given nothing; no server is.
    fn sourced(&self, field: &str, text: &Text, env: &Env) -> Option<SourcedText> {
        let is_given = field.starts_with("args[") || field.starts_with("env.");
        // What the program itself is given by that name, it can replace: a line of ours in the file of a host that replaces nothing.
        let gives_itself = |variable: &Variable| {
            let given = self.stdio().into_iter().flat_map(|stdio| &stdio.env);
            field.starts_with("args[") && given.into_iter().any(|(name, _)| *name == variable.name)
        };
        let is_lacking = |variable: &Variable| {
            variable.is_lacking() && !gives_itself(variable)
                || variable.is_required && !is_given && variable.is_empty()
        };
        if text.secrets().next().is_none() && !text.variables().any(is_lacking) {
            return None;
        }
        Some(SourcedText::new(
            text.pieces()
                .iter()
                .map(|piece| match piece {
                    Piece::Variable(variable) if is_lacking(variable) => {
                        let reference = SecretReference::Variable(variable.name.clone());
                        self.part(field, &reference, Some(&format!("${{env:{}}}", variable.name)), env)
                    }
                    Piece::Secret(secret) => self.part(
                        field,
                        &secret.reference,
                        Some(&crate::display::display_referred(secret)),
                        env,
                    ),
                    piece => TextPart::Fixed(Secret::new(piece.value())),
                })
                .collect(),
        ))
    }

    fn part(&self, field: &str, reference: &SecretReference, shown: Option<&str>, env: &Env) -> TextPart {
        let at = self.fields.iter().find(|known| known.name == field);
        let shown = shown.or_else(|| at.map(|at| &*at.value)).unwrap_or("the secret");
        let place = at.map_or(&self.origin, |at| &at.origin);
        // What was typed, or put together by a command such as `add-json`, has no line that a person could go to. In a file of
        // another host the field has another name.
        let at = place.place.path().map(|_| match place.field.ends_with(&format!(".{field}")) {
            true => format!(" ({place})"),
            false => format!(" ({})", place.with_field()),
        });
        let at = at.unwrap_or_default();
        let called = format!("{shown} of {field}{at}");
        TextPart::Read { source: self.secret_source(reference, env), called }
    }

    fn secret_source(&self, reference: &SecretReference, env: &Env) -> SecretSource {
        let Lookups { cwd, scrubbed, .. } = &self.lookups;
        let lookup =
            Lookup { cwd, scrubbed: *scrubbed, timeout: COMMAND_TIMEOUT, remote: self.remote(), env };
        let mut source = lookup.source(reference);
        if let SecretSource::Command(command) = &mut source {
            for_children(command, self);
        }
        source
    }
}

/// What a command of `entry` is told of where it runs.
fn for_children(spec: &mut HelperSpec, entry: &ServerEntry) {
    // A helper that asks this program for the server it mints for would wait for itself.
    spec.env.insert(chain::VARIABLE.into(), entry.chain_below().into());
    if let Some(root) = &entry.plugin {
        spec.env.insert(plugin::VARIABLE.into(), root.into());
    }
}

fn unattended_spec(auth: &MachineSignIn, remote: &Remote, env: &Env) -> MachineSignInSpec {
    let supply = match &auth.supply {
        MachineSignInMethod::File(path) => MachineSignInSource::File(path.expose().clone()),
        MachineSignInMethod::Plugin { program, settings } => {
            let mut command = command_spec(program.expose(), &auth.cwd, false, Some(remote), env);
            command.timeout = auth.timeout;
            let settings = settings.as_ref().map(|settings| Secret::new(settings.expose()));
            MachineSignInSource::Plugin(PluginSpec::new(command).with_settings(settings))
        }
        MachineSignInMethod::Aws(aws) => {
            let mut process = command_spec("", &auth.cwd, false, Some(remote), env);
            process.timeout = auth.timeout;
            let mut spec = AwsSpec::new(&*aws.service, process);
            spec.region.clone_from(&aws.region);
            spec.profile.clone_from(&aws.profile);
            MachineSignInSource::Aws(spec)
        }
        MachineSignInMethod::Grant(grant) => {
            MachineSignInSource::Grant(Box::new(grant_spec(grant, auth, remote, env)))
        }
    };
    let mut spec = MachineSignInSpec::new(supply);
    spec.withheld = (!auth.may_run).then_some(WithholdReason::UntrustedFolder);
    spec
}

fn grant_spec(grant: &GrantEntry, auth: &MachineSignIn, remote: &Remote, env: &Env) -> GrantSpec {
    let source = |reference: &Option<SecretReference>| {
        let lookup =
            Lookup { cwd: &auth.cwd, scrubbed: false, timeout: auth.timeout, remote: Some(remote), env };
        reference.as_ref().map(|reference| lookup.source(reference))
    };
    let mut oauth = OAuthSpec::default();
    oauth.client_id = Some(grant.client_id.clone());
    oauth.issuer.clone_from(&grant.issuer);
    // A block is of a person's own file: a project cannot have one.
    oauth.issuer_is_confirmed = true;
    oauth.scopes.clone_from(&grant.scopes);
    oauth.resource.clone_from(&grant.resource);
    let mut spec = GrantSpec::new(
        match grant.word {
            GrantWord::ClientCredentials => GrantKind::ClientCredentials,
            GrantWord::PrivateKeyJwt => GrantKind::PrivateKeyJwt,
            GrantWord::JwtBearer => GrantKind::JwtBearer,
            GrantWord::TokenExchange => GrantKind::TokenExchange,
            GrantWord::EnterpriseManaged => GrantKind::EnterpriseManaged,
            GrantWord::WorkloadIdentity => GrantKind::WorkloadIdentity,
        },
        oauth,
    );
    spec.token_endpoint.clone_from(&grant.token_endpoint);
    spec.audience.clone_from(&grant.audience);
    spec.client_secret = source(&grant.client_secret);
    spec.key = source(&grant.key);
    spec.key_id.clone_from(&grant.key_id);
    spec.algorithm.clone_from(&grant.algorithm);
    spec.token = source(&grant.token).map(|token| TokenSpec::new(token).of_type(grant.token_type.clone()));
    spec.actor = source(&grant.actor).map(|actor| TokenSpec::new(actor).of_type(grant.actor_type.clone()));
    spec.requested_token_type.clone_from(&grant.requested_token_type);
    spec.identity_provider =
        grant.idp_token_endpoint.clone().zip(grant.idp_client_id.clone()).map(|(at, id)| {
            let mut provider = IdentityProviderSpec::new(at, id);
            provider.client_secret = source(&grant.idp_client_secret);
            provider
        });
    spec
}

/// How one secret is looked up.
struct Lookup<'a> {
    cwd: &'a Path,
    scrubbed: bool,
    timeout: Duration,
    remote: Option<&'a Remote>,
    env: &'a Env,
}

impl Lookup<'_> {
    fn source(&self, reference: &SecretReference) -> SecretSource {
        let env = self.env;
        match reference {
            SecretReference::Variable(name) => {
                SecretSource::Variable { name: name.clone(), value: env.var(name).map(Secret::new) }
            }
            SecretReference::File(path) => SecretSource::File(path.expose().clone()),
            SecretReference::Keyring { service, name } => {
                let state = Locations::new(env, self.cwd, Platform::CURRENT).state_dir;
                SecretSource::Keyring(KeyringItem::new(service, name).with_state_dir(state))
            }
            SecretReference::Command(command) => {
                let mut spec = command_spec(command.expose(), self.cwd, self.scrubbed, self.remote, env);
                spec.timeout = self.timeout;
                SecretSource::Command(spec)
            }
        }
    }
}

fn helper_spec(helper: &Helper, remote: &Remote, env: &Env) -> HelperSpec {
    let mut spec = command_spec(helper.command.expose(), &helper.cwd, helper.scrubbed, Some(remote), env);
    spec.timeout = helper.timeout;
    spec.ttl = helper.ttl;
    spec
}

fn command_spec(command: &str, cwd: &Path, scrubbed: bool, remote: Option<&Remote>, env: &Env) -> HelperSpec {
    let policy = if scrubbed { EnvPolicy::Scrubbed } else { EnvPolicy::Inherit };
    let mut spec = HelperSpec::new(command, cwd);
    spec.env = env.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    spec.env_policy = policy;
    let hides = |name: &str| policy.hides(name, env.var(name).unwrap_or_default());
    spec.url_variable =
        remote.map_or_else(String::new, |remote| remote.url_text.expose_masked(hides, HIDDEN));
    spec
}

fn oauth_spec(oauth: &OAuth, env: &Env, scope: Scope) -> OAuthSpec {
    let mut spec = OAuthSpec::default();
    spec.client_id.clone_from(&oauth.client_id);
    // A secret belongs to a client; without one it would be sent for a client that another party chose.
    let secret = env.var(CLIENT_SECRET).filter(|secret| !secret.is_empty() && oauth.client_id.is_some());
    spec.client_secret = secret.map(Secret::new);
    spec.issuer.clone_from(&oauth.issuer);
    // The secret is the person's, so a repository does not say where it belongs.
    spec.issuer_is_confirmed = scope != Scope::Project;
    spec.callback_port = oauth.callback_port;
    spec.redirect_uri.clone_from(&oauth.redirect_uri);
    spec.scopes.clone_from(&oauth.scopes);
    spec.auth_server_metadata_url.clone_from(&oauth.auth_server_metadata_url);
    spec.resource.clone_from(&oauth.resource);
    spec.client_metadata_url.clone_from(&oauth.client_metadata_url);
    spec.assume_pkce = oauth.assume_pkce;
    spec.metadata_issuer.clone_from(&oauth.metadata_issuer);
    spec.authorize_params.clone_from(&oauth.authorize_params);
    spec.client_metadata.clone_from(&oauth.client_metadata);
    spec.use_id_token = oauth.use_id_token;
    spec.shares_issuer = oauth.shares_issuer;
    spec.expect_subject.clone_from(&oauth.expect_subject);
    spec.expect_organization.clone_from(&oauth.expect_organization);
    spec
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;
    use crate::{Config, Request};

    /// The entry `x` of `scope`, in a home where everything is approved and trusted.
    fn lowered(scope: Scope, entry: &str, env: Env, trusted: bool) -> (Target, AuthSettings) {
        let home = tempfile::tempdir().unwrap();
        let project = home.path().join("project");
        std::fs::create_dir_all(home.path().join(".claude")).unwrap();
        std::fs::create_dir_all(&project).unwrap();
        let project = std::fs::canonicalize(project).unwrap();
        let write = |path: &Path, text: String| std::fs::write(path, text).unwrap();
        let servers = format!(r#"{{"mcpServers": {{"x": {entry}}}}}"#);
        let folder = serde_json::to_string(&project).unwrap();
        let trust = format!(r#""hasTrustDialogAccepted": {trusted}"#);
        let (user, local) = match scope {
            Scope::User => (entry, "null"),
            Scope::Local => ("null", entry),
            _ => ("null", "null"),
        };
        let in_scope =
            |entry: &str| if entry == "null" { "{}".to_owned() } else { format!(r#"{{"x": {entry}}}"#) };
        let (user, local) = (in_scope(user), in_scope(local));
        let text = format!(
            r#"{{"mcpServers": {user}, "projects": {{{folder}: {{"mcpServers": {local}, {trust}}}}}}}"#
        );
        write(&home.path().join(".claude.json"), text);
        write(
            &home.path().join(".claude/settings.json"),
            r#"{"enableAllProjectMcpServers": true}"#.to_owned(),
        );
        if scope == Scope::Project {
            write(&project.join(".mcp.json"), servers.clone());
        }
        if scope == Scope::Mcplink {
            write(&home.path().join("own.json"), servers.clone());
        }
        let env = env.with("HOME", home.path()).with("MCPLINK_CONFIG", home.path().join("own.json"));
        let mut request = Request::new(project, env.clone());
        request.managed_dir = Some(home.path().join("managed"));
        if scope == Scope::Dynamic {
            request.mcp_config.push(servers);
        }
        let config = Config::load(&request);
        let entry = config.entry("x").unwrap();
        assert_eq!(entry.scope, scope);
        entry.lower(&env).unwrap()
    }

    const SCOPES: [Scope; 5] = [Scope::Dynamic, Scope::Local, Scope::Project, Scope::Mcplink, Scope::User];

    fn env() -> Env {
        Env::from([("MY_TOKEN", "canary"), ("HOST", "h.example"), ("MCP_CLIENT_SECRET", "canary")])
    }

    const HELPED: &str = r#"{"type": "http", "url": "https://${HOST}/mcp?t=${MY_TOKEN}", "headersHelper": "./mint",
        "headers": {"Authorization": "Bearer ${MY_TOKEN}", "X-Team": "a"}}"#;

    #[test]
    fn a_variable_that_a_program_is_given_by_its_entry_is_left_to_it_in_its_arguments() {
        let home = tempfile::tempdir().unwrap();
        let env = Env::new().with("HOME", home.path());
        let mut request = Request::new(home.path(), env.clone());
        let entry = r#"{"command": "srv", "args": ["${env:GIVEN}", "${env:NOT_GIVEN}"], "env": {"GIVEN": "1", "OTHER": "${env:GIVEN}"}}"#;
        request.mcp_config.push(format!(r#"{{"mcpServers": {{"x": {entry}}}}}"#));
        let config = Config::load(&request);
        let places = config.entry("x").unwrap().secret_places(&env);
        let lacking: Vec<_> = places.into_iter().map(|(place, _)| place).collect();
        assert_eq!(lacking, [SecretField::Argument(1), SecretField::Variable("OTHER".to_owned())]);
    }

    #[test]
    fn f034_equal_entries_send_equal_headers_in_every_scope() {
        for scope in SCOPES {
            let (target, settings) = lowered(scope, HELPED, env(), true);
            assert_eq!(target.url.as_str(), "https://h.example/mcp?t=canary", "{scope}");
            let headers: Vec<_> =
                settings.static_headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
            assert_eq!(headers, [("Authorization", "Bearer canary"), ("X-Team", "a")], "{scope}");
        }
    }

    #[test]
    fn s_m10_userinfo_of_the_url_is_a_static_authorization_header() {
        for scope in SCOPES {
            let entry = r#"{"type": "http", "url": "https://ann:${MY_TOKEN}@h.example/mcp", "headers": {"X-Team": "a"}}"#;
            let (target, settings) = lowered(scope, entry, env(), true);
            assert_eq!(target.url.as_str(), "https://h.example/mcp", "{scope}");
            let headers: Vec<_> =
                settings.static_headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
            // "ann:canary"
            assert_eq!(headers, [("X-Team", "a"), ("Authorization", "Basic YW5uOmNhbmFyeQ==")], "{scope}");
        }
    }

    #[test]
    fn s_p8_a_configured_authorization_header_wins_over_the_url() {
        for name in ["Authorization", "authorization"] {
            let entry = format!(
                r#"{{"type": "http", "url": "https://ann:pw@h.example/mcp", "headers": {{"{name}": "Bearer x"}}}}"#
            );
            let (target, settings) = lowered(Scope::User, &entry, env(), true);
            assert_eq!(target.url.as_str(), "https://h.example/mcp");
            let headers: Vec<_> = settings.static_headers.iter().map(|(_, value)| value.expose()).collect();
            assert_eq!(headers, ["Bearer x"]);
        }
    }

    #[test]
    fn s_m18_a_way_that_a_repository_names_is_a_part_of_whose_sign_in_it_is() {
        for (fields, route) in [
            ("", None),
            (r#", "proxy": "none""#, None),
            (r#", "tls": {"cert": "c.pem"}"#, None),
            (r#", "proxy": "http://ann:canary@Proxy.example:3128""#, Some("proxy http://proxy.example:3128")),
            (r#", "proxy": "ann:canary@proxy.example:3128""#, Some("proxy http://proxy.example:3128")),
            (r#", "proxy": "socks5h://proxy.example""#, Some("proxy socks5h://proxy.example")),
            (r#", "tls": {"ca": "/x/ca.pem"}"#, Some("ca /x/ca.pem")),
            (
                r#", "proxy": "http://p:1", "tls": {"ca": "/x/ca.pem", "serverName": "s.example"}"#,
                Some("proxy http://p:1, ca /x/ca.pem, server name s.example"),
            ),
        ] {
            let entry = format!(r#"{{"type": "http", "url": "https://h.example/mcp"{fields}}}"#);
            for scope in SCOPES {
                let of_repository = (scope == Scope::Project).then_some(route).flatten();
                let (target, _) = lowered(scope, &entry, env(), true);
                assert_eq!(target.route.as_deref(), of_repository, "{scope}: {fields}");
            }
        }
    }

    #[test]
    fn f016_only_helpers_that_a_repository_brought_along_are_scrubbed() {
        for scope in SCOPES {
            let helper = lowered(scope, HELPED, env(), true).1.helper.unwrap();
            let scrubbed = helper.env_policy == EnvPolicy::Scrubbed;
            assert_eq!(scrubbed, scope == Scope::Project, "{scope}");
            // The environment goes along whole; the helper's runner applies the policy to it.
            assert!(helper.env.contains_key(std::ffi::OsStr::new("MY_TOKEN")), "{scope}");
        }
    }

    #[test]
    fn f017_a_scrubbed_helper_does_not_see_the_variable_in_the_url_either() {
        for scope in SCOPES {
            let helper = lowered(scope, HELPED, env(), true).1.helper.unwrap();
            let shown = if scope == Scope::Project { "REDACTED" } else { "canary" };
            assert_eq!(helper.url_variable, format!("https://h.example/mcp?t={shown}"), "{scope}");
        }
    }

    #[test]
    fn f014_helpers_of_an_untrusted_folder_are_withheld() {
        for scope in SCOPES {
            let settings = lowered(scope, HELPED, env(), false).1;
            let withheld = matches!(scope, Scope::Project | Scope::Local);
            assert_eq!(settings.helper_withheld.is_some(), withheld, "{scope}");
            assert!(settings.helper.is_some(), "a withheld helper stays part of the plan");
        }
    }

    #[test]
    fn s_n21_auth_is_a_persons_own_and_its_commands_wait_for_trust_as_helpers_do() {
        let file = r#"{"type": "http", "url": "https://h.example", "auth": {"file": "/run/token"}}"#;
        let command = r#"{"type": "http", "url": "https://h.example", "auth": {"grant": "client_credentials",
            "clientId": "robot", "clientSecret": "${cmd:print-it}", "issuer": "https://as.example"}}"#;
        for scope in SCOPES.into_iter().filter(|scope| *scope != Scope::Project) {
            for (entry, trusted) in [(file, false), (command, true), (command, false)] {
                let mut auth = lowered(scope, entry, env(), trusted).1.unattended.unwrap();
                let waits = scope == Scope::Local && entry == command && !trusted;
                assert_eq!(auth.withheld.is_some(), waits, "{scope} {trusted}");
                let runs: Vec<_> = auth.commands_mut().map(|spec| spec.command.clone()).collect();
                assert_eq!(runs, if entry == command { vec!["print-it"] } else { Vec::new() });
            }
        }
        let home = tempfile::tempdir().unwrap();
        for entry in [file, command] {
            let text = format!(r#"{{"mcpServers": {{"x": {entry}}}}}"#);
            std::fs::write(home.path().join(".mcp.json"), text).unwrap();
            let mut request = Request::new(home.path(), Env::new().with("HOME", home.path()));
            request.managed_dir = Some(home.path().join("managed"));
            let config = Config::load(&request);
            let mut problems = config.problems.iter();
            assert!(problems.any(|problem| problem.message.contains("not taken from the file of a project")));
        }
    }

    #[test]
    fn s_n21_a_pin_counts_for_the_secret_unless_a_repository_brought_it_along() {
        let entry = r#"{"type": "http", "url": "https://h.example",
            "oauth": {"clientId": "id", "issuer": "https://as.example/tenant/"}}"#;
        for scope in SCOPES {
            let oauth = lowered(scope, entry, env(), true).1.oauth.unwrap();
            assert_eq!(oauth.issuer.as_deref(), Some("https://as.example/tenant/"), "as it is written");
            assert_eq!(oauth.issuer_is_confirmed, scope != Scope::Project, "{scope}");
        }
        for bad in
            ["as.example", "http://as.example", "file:///x", "https://as.example?x=1", "https://as.example#x"]
        {
            let entry =
                format!(r#"{{"type": "http", "url": "https://h.example", "oauth": {{"issuer": "{bad}"}}}}"#);
            let home = tempfile::tempdir().unwrap();
            let mut request = Request::new(home.path(), Env::new().with("HOME", home.path()));
            request.mcp_config.push(format!(r#"{{"mcpServers": {{"x": {entry}}}}}"#));
            let config = Config::load(&request);
            let mut problems = config.problems.iter();
            assert!(
                problems.any(|problem| problem.field.as_deref().is_some_and(|at| at.ends_with("issuer"))),
                "{bad}"
            );
        }
    }

    #[test]
    fn fa_a40_oauth_false_is_no_block_and_no_sign_in() {
        for (value, off) in [("false", true), ("true", false), ("null", false), ("{}", false)] {
            let entry = format!(r#"{{"type": "http", "url": "https://h.example", "oauth": {value}}}"#);
            let settings = lowered(Scope::User, &entry, env(), true).1;
            assert_eq!(settings.oauth_off, off, "{value}");
            assert_eq!(settings.oauth.is_some(), value == "{}", "{value}");
        }
    }

    #[test]
    fn fb_o55_what_is_the_clients_to_set_is_left_out_of_an_entry() {
        let forged = mcp_text::OWN_AUTHORIZE_PARAMS.map(|name| format!(r#""{name}": "forged""#)).join(", ");
        let entry = format!(
            r#"{{"type": "http", "url": "https://h.example", "oauth": {{"authorizeParams": {{"audience": "a", {forged}}}}}}}"#
        );
        let oauth = lowered(Scope::User, &entry, env(), true).1.oauth.unwrap();
        assert_eq!(oauth.authorize_params, BTreeMap::from([("audience".to_owned(), "a".to_owned())]));
    }

    #[test]
    fn the_client_secret_belongs_to_a_configured_client_only() {
        let oauth = |block: &str| {
            let entry = format!(r#"{{"type": "http", "url": "https://h.example", "oauth": {block}}}"#);
            lowered(Scope::User, &entry, env(), true).1.oauth.unwrap()
        };
        let named = oauth(r#"{"clientId": "id", "scopes": "a b", "callbackPort": 8080, "resource": ""}"#);
        assert_eq!(named.client_secret.unwrap().expose(), "canary");
        assert_eq!(named.scopes.unwrap(), ["a", "b"]);
        assert_eq!((named.callback_port, named.resource.as_deref()), (Some(8080), Some("")));
        assert!(!named.assume_pkce && named.metadata_issuer.is_none());
        let opted = oauth(r#"{"pkce": "assumed", "metadataIssuer": "https://as.example/{tenantid}"}"#);
        assert!(opted.assume_pkce);
        assert_eq!(opted.metadata_issuer.as_deref(), Some("https://as.example/{tenantid}"));
        assert_eq!(named.authorize_params, Default::default());
        let extra = oauth(r#"{"authorizeParams": {"audience": "x", "state": "theirs"}}"#);
        assert_eq!(extra.authorize_params, [("audience".to_owned(), "x".to_owned())].into());
        let anonymous = oauth("{}");
        assert!(anonymous.client_secret.is_none() && anonymous.scopes.is_none());
    }
}
