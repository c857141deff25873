//! The words of hosts: what each means here, as one table.
//!
//! What is the same in every host that has the word stands here; what one host alone has, or means otherwise, stands with
//! that host. A word that is in no table is left as it is, so that the reader of our own files says what it thinks of it.

use crate::json::Node;

/// The unit of a number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unit {
    Milliseconds,
    Seconds,
}

/// What a field of another host says, in ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FieldMeaning {
    /// Our field of this name, with the same value.
    Is(&'static str),
    /// The address of a remote server, spoken to in this way where nothing else says how.
    Address(Option<&'static str>),
    /// How the server is spoken to, in a word; or an object with fields of the entry in it.
    Transport,
    /// The program: a word, an array of words, or an object with fields of the entry in it.
    Command,
    /// Headers by name.
    Headers,
    /// Variables by name of the header whose value they hold.
    HeaderVariables,
    /// The variable that holds a bearer token.
    Bearer,
    /// A bearer token itself.
    BearerToken,
    /// The program, or a whole command line where no arguments stand beside it.
    CommandLine,
    /// The names of variables that the command gets.
    Variables,
    /// A time, as our field of this name, which has milliseconds.
    Time(&'static str, Unit),
    /// A block about OAuth, or whether there is any.
    OAuth,
    /// A field that is in our `oauth` block.
    OAuthField(&'static str),
    /// The secret of a registered client.
    ClientSecret,
    /// The variable that holds it.
    ClientSecretVariable,
    /// Which tools may be used, or may not.
    Tools,
    /// One of these words changes nothing; any other one is lost, because of this.
    OneOf(&'static [&'static str], &'static str),
    /// Nothing that decides how the server is reached.
    Nothing,
    /// It cannot be taken over, because of this.
    Lost(&'static str),
    /// The word of no host: people write it where they mean something else.
    Mistaken,
}

/// A word, what it means, and what to write instead of it in a file of ours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word {
    pub(crate) word: &'static str,
    pub(crate) means: FieldMeaning,
    /// `None` for a word that is ours as well.
    pub(crate) instead: Option<&'static str>,
}

const fn word(word: &'static str, means: FieldMeaning, instead: &'static str) -> Word {
    Word { word, means, instead: Some(instead) }
}

const fn ours(word: &'static str, means: FieldMeaning) -> Word {
    Word { word, means, instead: None }
}

const APPROVAL: &str = "what is called without a question is for each host to say; it hides no tool";
pub(crate) const BEARER: &str = "use `headers`: {\"Authorization\": \"Bearer ${NAME}\"}";
const SCOPES: &str = "scopes belong in `oauth`, as one string `scopes`";
const NAMES: &str = "use `env`: {\"NAME\": \"${NAME}\"}";
pub(crate) const SECRET: &str = "a client secret does not belong in a file: set MCP_CLIENT_SECRET";
/// The entry says which authorization server gets the secret; the words of hosts do not.
pub(crate) const ALONE: &str =
    "write a grant without a person as `auth`: {\"grant\": .., \"tokenEndpoint\": ..}";
pub(crate) const MANAGED: &str =
    "write a sign-in that an organisation manages as `auth`: {\"grant\": \"enterprise_managed\", ..}";
const ENDPOINTS: &str = "the endpoints are found out by asking the server";

use FieldMeaning::{
    Address, Bearer, ClientSecret, ClientSecretVariable, Command, HeaderVariables, Headers, Is, Lost,
    Mistaken, Nothing, OAuth, OAuthField, OneOf, Time, Tools, Transport, Variables,
};
use Unit::{Milliseconds, Seconds};

/// Every field of an entry that some host has.
pub(crate) static FIELDS: &[Word] = &[
    ours("type", Transport),
    ours("url", Address(None)),
    ours("headers", Headers),
    ours("headersHelper", Is("headersHelper")),
    ours("headersHelperTimeoutMs", Is("headersHelperTimeoutMs")),
    ours("headersHelperTtlMs", Is("headersHelperTtlMs")),
    ours("oauth", OAuth),
    ours("timeout", Time("timeout", Milliseconds)),
    ours("command", Command),
    ours("args", Is("args")),
    ours("env", Is("env")),
    ours("envFile", Is("envFile")),
    ours("cwd", Is("cwd")),
    ours("startupTimeoutMs", Time("startupTimeoutMs", Milliseconds)),
    ours("disabled", Is("disabled")),
    ours("enabled", Is("enabled")),
    ours("isActive", Is("isActive")),
    ours("alwaysLoad", Is("alwaysLoad")),
    ours("limits", Is("limits")),
    ours("tls", Is("tls")),
    ours("proxy", Is("proxy")),
    ours("cookies", Is("cookies")),
    ours("ipv4", Is("ipv4")),
    // The address.
    word(
        "serverUrl",
        Address(None),
        "it is Windsurf's word: write \"type\": \"http\" and the address as `url`",
    ),
    word(
        "httpUrl",
        Address(Some("http")),
        "it is Gemini CLI's word: write \"type\": \"http\" and the address as `url`",
    ),
    word(
        "baseUrl",
        Address(None),
        "it is mcporter's and Cherry Studio's word: write \"type\": \"http\" and the address as `url`",
    ),
    word("uri", Address(None), "it is Goose's word: write \"type\": \"http\" and the address as `url`"),
    word(
        "sseUrl",
        Address(Some("sse")),
        "it is another host's word: write \"type\": \"http\" and the address as `url`",
    ),
    word(
        "link",
        Address(None),
        "it is another host's word: write \"type\": \"http\" and the address as `url`",
    ),
    word(
        "endpoint",
        Address(None),
        "it is another host's word: write \"type\": \"http\" and the address as `url`",
    ),
    word(
        "address",
        Address(None),
        "it is another host's word: write \"type\": \"http\" and the address as `url`",
    ),
    word("transport", Transport, "use `type`"),
    word("transportType", Transport, "use `type`"),
    // The command.
    word("cmd", Command, "use `command`"),
    word("arguments", Is("args"), "use `args`"),
    word("environment", Is("env"), "use `env`"),
    word("envs", Is("env"), "use `env`"),
    word("env_vars", Variables, NAMES),
    word("env_keys", Variables, NAMES),
    word("env_file", Is("envFile"), "use `envFile`"),
    word("dotenv", Is("envFile"), "use `envFile`"),
    word("envHelper", Lost("no command supplies variables here"), "let the command set its variables itself"),
    word("workingDirectory", Is("cwd"), "use `cwd`"),
    word("working_directory", Is("cwd"), "use `cwd`"),
    word("workdir", Is("cwd"), "use `cwd`"),
    // Credentials.
    word("http_headers", Headers, "use `headers`"),
    word("httpHeaders", Headers, "use `headers`"),
    word("env_http_headers", HeaderVariables, "use `headers`: {\"X-Name\": \"${NAME}\"}"),
    word("header_env", HeaderVariables, "use `headers`: {\"X-Name\": \"${NAME}\"}"),
    word("http_headers_helper", Is("headersHelper"), "use `headersHelper`"),
    word(
        "headersHelperTtlSec",
        Time("headersHelperTtlMs", Seconds),
        "use `headersHelperTtlMs`, in milliseconds",
    ),
    word(
        "headersHelperRefreshBufferSec",
        Lost("the command runs again before its headers expire, by a margin of our own"),
        "use `headersHelperTtlMs`, in milliseconds",
    ),
    word("headersRefreshTtlMs", Time("headersHelperTtlMs", Milliseconds), "use `headersHelperTtlMs`"),
    word("bearerTokenEnv", Bearer, BEARER),
    word("bearer_token_env", Bearer, BEARER),
    word("bearer_token_env_var", Bearer, BEARER),
    word("oauthClientId", OAuthField("clientId"), "use `oauth`: {\"clientId\": ..}"),
    word("clientId", OAuthField("clientId"), "use `oauth`: {\"clientId\": ..}"),
    word("oauthClientSecret", ClientSecret, "use `oauth`: {\"clientSecret\": \"${env:NAME}\"}"),
    word("oauthClientSecretEnv", ClientSecretVariable, "use `oauth`: {\"clientSecret\": \"${env:NAME}\"}"),
    word("scope", OAuthField("scopes"), SCOPES),
    word("scopes", OAuthField("scopes"), SCOPES),
    word("oauthScopes", OAuthField("scopes"), SCOPES),
    word("oauthScope", OAuthField("scopes"), SCOPES),
    word("oauth_resource", OAuthField("resource"), "use `oauth`: {\"resource\": ..}"),
    word("oauthRedirectUrl", OAuthField("redirectUri"), "use `oauth`: {\"callbackPort\": ..}"),
    word("oauthPublicClient", Nothing, "whether a client has a secret is found out by asking the server"),
    word(
        "oauthGrantType",
        OneOf(&["authorization_code"], ALONE),
        "the grant is chosen by what the server offers",
    ),
    word("oidc", OAuth, "use `oauth`: {\"callbackPort\": ..}"),
    word("auth", OAuth, "use `headers`, `headersHelper` or `oauth`"),
    word(
        "authProviderType",
        OneOf(
            &["dynamic_discovery"],
            "tokens of a cloud provider are not supplied here: use `headersHelper`",
        ),
        "use `oauth`, which is found out by asking the server",
    ),
    // Limits.
    ours("request_timeout_ms", Time("timeout", Milliseconds)),
    word("requestTimeoutMs", Time("timeout", Milliseconds), "use `timeout`"),
    word("toolTimeoutMs", Time("timeout", Milliseconds), "use `timeout`"),
    word("timeoutMs", Time("timeout", Milliseconds), "use `timeout`"),
    word("tool_timeout_sec", Time("timeout", Seconds), "use `timeout`, in milliseconds"),
    word("startup_timeout_ms", Time("startupTimeoutMs", Milliseconds), "use `startupTimeoutMs`"),
    word("startup_timeout_sec", Time("startupTimeoutMs", Seconds), "use `startupTimeoutMs`, in milliseconds"),
    word("startupTimeoutSec", Time("startupTimeoutMs", Seconds), "use `startupTimeoutMs`, in milliseconds"),
    word("startupTimeout", Time("startupTimeoutMs", Milliseconds), "use `startupTimeoutMs`, in milliseconds"),
    // Switches and tools.
    word("active", Is("enabled"), "use `enabled`"),
    word("enable", Is("enabled"), "use `enabled`"),
    word("isEnabled", Is("enabled"), "use `enabled`"),
    word("off", Is("disabled"), "use `disabled`"),
    ours("tools", Tools),
    ours("includeTools", Tools),
    ours("excludeTools", Tools),
    ours("enabled_tools", Tools),
    ours("disabled_tools", Tools),
    ours("disabledTools", Tools),
    ours("enabledTools", Tools),
    ours("allowedTools", Tools),
    ours("blockedTools", Tools),
    word("available_tools", Tools, "use `allowedTools`"),
    ours("toolPermissions", Tools),
    ours("orgMaxPermission", Is("orgMaxPermission")),
    word("autoApprove", Nothing, APPROVAL),
    word("alwaysAllow", Nothing, APPROVAL),
    word("auto_approve", Nothing, APPROVAL),
    word("default_tools_approval_mode", Nothing, APPROVAL),
    // What people write who mean something else.
    word("requestInit", Mistaken, "use `headers`"),
    word("header", Headers, "use `headers`"),
    word("authorization", Mistaken, "use `headers`: {\"Authorization\": ..}"),
    word("bearerToken", Mistaken, BEARER),
    word("bearer_token", Mistaken, BEARER),
    word("apiKey", Mistaken, "use `headers`: {\"X-API-Key\": \"${NAME}\"}, or what the server wants"),
    word("token", Mistaken, BEARER),
];

/// The fields of a block about OAuth, with what each is in ours.
pub(crate) static OAUTH: &[(&str, FieldMeaning)] = &[
    ("clientId", Is("clientId")),
    ("client_id", Is("clientId")),
    ("CLIENT_ID", Is("clientId")),
    ("issuer", Is("issuer")),
    ("authorization_server_issuer", Is("issuer")),
    ("scopes", Is("scopes")),
    ("scope", Is("scopes")),
    ("callbackPort", Is("callbackPort")),
    ("callback_port", Is("callbackPort")),
    ("redirectPort", Is("callbackPort")),
    ("redirectUri", Is("redirectUri")),
    ("redirect_uri", Is("redirectUri")),
    ("callback_url", Is("redirectUri")),
    ("authServerMetadataUrl", Is("authServerMetadataUrl")),
    ("resource", Is("resource")),
    ("clientMetadataUrl", Is("clientMetadataUrl")),
    ("pkce", Is("pkce")),
    ("metadataIssuer", Is("metadataIssuer")),
    ("authorizeParams", Is("authorizeParams")),
    ("useIdToken", Is("useIdToken")),
    ("clientMetadata", Is("clientMetadata")),
    ("clientSecret", ClientSecret),
    ("client_secret", ClientSecret),
    ("CLIENT_SECRET", ClientSecret),
    ("clientSecretHelper", Lost(SECRET)),
    ("authorizationUrl", Lost(ENDPOINTS)),
    ("tokenUrl", Lost(ENDPOINTS)),
    ("registrationUrl", Lost(ENDPOINTS)),
    ("audiences", Lost("the audience is the server's own address, or `oauth.resource`")),
    ("token_endpoint_auth_method", Nothing),
    ("tokenParamName", Lost("tokens are sent in the header Authorization")),
    ("redirectHost", Lost("a browser comes back to 127.0.0.1, or to `oauth.redirectUri`")),
    ("enterpriseManaged", Lost(MANAGED)),
    ("xaa", Lost(MANAGED)),
];

/// The row of a field, whatever its case.
pub(crate) fn field(word: &str) -> Option<&'static Word> {
    FIELDS
        .iter()
        .find(|row| row.word == word)
        .or_else(|| FIELDS.iter().find(|row| row.word.eq_ignore_ascii_case(word)))
}

/// The value of `type` of hosts, and the one that is meant.
const TYPES: [(&str, &str); 14] = [
    ("remote", "http"),
    ("local", "stdio"),
    ("command", "stdio"),
    ("process", "stdio"),
    ("streamable", "http"),
    ("streamablehttp", "http"),
    ("httpstream", "http"),
    ("httpstreamable", "http"),
    ("https", "http"),
    ("url", "http"),
    ("http+sse", "sse"),
    ("httpsse", "sse"),
    ("eventstream", "sse"),
    ("websocket", "ws"),
];

/// The `type` that is meant by a host's, however it is written.
pub(crate) fn kind(word: &str) -> Option<&'static str> {
    let word: String =
        word.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect();
    TYPES.iter().find(|(theirs, _)| *theirs == word).map(|(_, ours)| *ours)
}

/// Whether a value is what hosts keep servers in: entries by name, or a list of them.
pub(crate) fn holds_servers(node: &Node) -> bool {
    let is_server = |node: &Node| {
        let has = |key: &str| node.as_object().is_some_and(|entry| entry.get(key).is_some());
        ["command", "url", "cmd", "uri", "type", "serverUrl", "httpUrl", "baseUrl", "transport"]
            .iter()
            .any(|key| has(key))
    };
    match (node.as_object(), node.as_array()) {
        (Some(object), _) => object.iter().any(|member| is_server(&member.node)),
        (_, Some(items)) => items.iter().any(is_server),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_word_stands_in_the_table_once() {
        let mut seen = HashSet::new();
        for row in FIELDS {
            assert!(seen.insert(row.word), "{} stands there twice", row.word);
        }
        let mut seen = HashSet::new();
        for (word, _) in OAUTH {
            assert!(seen.insert(word), "{word} stands there twice");
        }
    }
}
