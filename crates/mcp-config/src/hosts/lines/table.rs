//! Which options and variables such programs have, and which field of an entry each of them is: the one table that lines of other hosts, and
//! this program's own command line, are read by. Longer than 500 lines because it is one table.

use super::{CommandLine, LineField, Setting};

/// What says that the environment names the proxy.
pub(super) const BY_PROXY: &str = "by proxy";

/// A program that is a bridge.
#[derive(Debug)]
pub(super) struct Bridge {
    /// Its package, without scope and version.
    pub(super) package: &'static str,
    /// The option that the address follows; none where it is the first argument.
    pub(super) addresses: &'static [(&'static str, Option<&'static str>)],
    pub(super) options: &'static [(&'static str, OptionMeaning)],
    /// The variable of the entry that holds a bearer token.
    pub(super) token: Option<&'static str>,
    /// What its own variables are: by name, with `*` for the end of one, or by name and value.
    pub(super) variables: &'static [(&'static str, SetVariable)],
    pub(super) by_proxy: ProxyCondition,
}

/// What a variable of the program is here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::hosts) enum SetVariable {
    /// This field.
    Field(&'static str),
    /// A part of a header, or of nothing that is told.
    Used,
    /// None, and why.
    Lost(&'static str),
}

/// Whether the program goes by the proxy that its environment names.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum ProxyCondition {
    Always,
    /// Where an option says so.
    Told,
    #[default]
    Never,
}

/// Variables that the languages read in which such programs are written.
const OF_LANGUAGES: [(&str, SetVariable); 3] = [
    ("NODE_EXTRA_CA_CERTS", SetVariable::Field("tls.ca")),
    ("SSL_CERT_FILE", SetVariable::Field("tls.ca")),
    (
        "NODE_TLS_REJECT_UNAUTHORIZED=0",
        SetVariable::Lost(
            "taking every certificate is for a person to say: use `tls`: {\"insecureSkipVerify\": true}",
        ),
    ),
];

/// What an option says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OptionMeaning {
    /// `Name: value`.
    Header,
    /// A name and a value, as two words.
    HeaderWords,
    /// A bearer token.
    Token,
    /// How the server speaks, in another program's words.
    Kind,
    /// The same in ours.
    Type,
    /// A field of the entry, or of a block of it (`oauth.resource`), that is a text.
    Text(&'static str),
    /// One that is a number from 1 to 65535.
    Port(&'static str),
    /// One more text of a list.
    Item(&'static str),
    /// One more `name=text` of an object.
    Member(&'static str),
    /// `legacy` or `auto`; ours has `modern` as well.
    Protocol,
    /// How often a ping is sent: seconds, or a time with its unit.
    Seconds(&'static str),
    /// A client as JSON, with `client_id` and perhaps `client_secret`.
    Client,
    /// The secret of a client.
    ClientSecret,
    /// That the client signs in on its own, without a person.
    Grant,
    /// Where it does.
    TokenEndpoint,
    /// The same, in programs where only the client signs in that way.
    GrantEndpoint,
    /// What a registration says of the client, as JSON.
    Metadata,
    CallbackHost,
    CallbackPath,
    /// A value that changes nothing.
    Value,
    /// Something that changes nothing.
    Flag,
    /// A value, or nothing more than the word, that is said elsewhere here: where.
    Elsewhere(usize, &'static str),
    /// A field that has this value.
    Is(&'static str, &'static Setting),
    /// The same where nothing else is said of it.
    Usual(&'static str, &'static Setting),
}

impl OptionMeaning {
    /// How many words follow.
    pub(crate) fn values(self) -> usize {
        match self {
            Self::Flag | Self::Is(..) | Self::Usual(..) | Self::Grant => 0,
            Self::HeaderWords => 2,
            Self::Elsewhere(values, _) => values,
            _ => 1,
        }
    }

    /// Notes what `value` says; `at` is its word. `None` where it cannot be read.
    pub(crate) fn note(self, value: &str, at: usize, line: &mut CommandLine) -> Option<()> {
        match self {
            Self::Header => {
                let (name, text) = value.split_once(':')?;
                line.headers.push((name.trim().to_owned(), text.trim().to_owned(), at));
            }
            Self::Token => line.headers.push(("Authorization".to_owned(), format!("Bearer {value}"), at)),
            Self::Kind => {
                line.kind = kind(value);
                if value.ends_with("-only") {
                    line.say("fallback", Setting::Flag(false), at);
                }
            }
            Self::Type => {
                let plain = value.strip_suffix("-only");
                line.kind = Some(kind_of(plain.unwrap_or(value))?);
                if plain.is_some() {
                    line.say("fallback", Setting::Flag(false), at);
                }
            }
            Self::Text(field) => line.say(field, Setting::Text(value.to_owned()), at),
            Self::Port(field) => {
                let port = value.parse::<u16>().ok().filter(|port| *port > 0)?;
                line.say(field, Setting::Number(port.into()), at);
            }
            Self::Is(field, setting) => line.say(field, setting.clone(), at),
            Self::Usual(field, setting) => {
                if !line.said.iter().any(|said| said.field == field) {
                    line.say(field, setting.clone(), at);
                }
            }
            Self::Item(field) => line.say(field, Setting::Item(value.to_owned()), at),
            Self::Member(field) => {
                let (name, text) = value.split_once('=').filter(|(name, _)| !name.is_empty())?;
                line.say(field, Setting::Member(name.to_owned(), text.into()), at);
            }
            Self::Protocol => match value {
                "legacy" | "modern" => line.say("protocol", Setting::Text(value.to_owned()), at),
                "auto" => {}
                _ => return None,
            },
            Self::Seconds(field) => line.say(field, Setting::Number(milliseconds(value)?), at),
            Self::Client => client(value, at, line),
            Self::Metadata => metadata(value, at, line)?,
            Self::CallbackHost => line.callback.host = Some(value.to_owned()),
            Self::CallbackPath => line.callback.path = Some(value.to_owned()),
            Self::ClientSecret => line.robot.secret = Some((value.to_owned(), at)),
            Self::Grant => line.robot.grant = Some(at),
            Self::TokenEndpoint => line.robot.endpoint = Some((value.to_owned(), at)),
            Self::GrantEndpoint => {
                line.robot.grant = Some(at);
                line.robot.endpoint = Some((value.to_owned(), at));
            }
            Self::Elsewhere(_, why) => line.lost.push((at, why)),
            Self::HeaderWords | Self::Value | Self::Flag => {}
        }
        Some(())
    }
}

impl CommandLine {
    pub(super) fn say(&mut self, field: &'static str, value: Setting, at: usize) {
        self.said.push(LineField { field, value, word: at });
    }
}

/// `http-first`, `sse-only`, `streamablehttp` and their like. What is tried first is found out by asking the server.
fn kind(word: &str) -> Option<&'static str> {
    match &*word.to_ascii_lowercase() {
        "sse" | "sse-only" | "sse-first" => Some("sse"),
        _ => Some("http"),
    }
}

/// `30`, `30s`, `2m` or `1500ms`.
fn milliseconds(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let each = match &text[end..] {
        "" | "s" => 1_000,
        "m" => 60_000,
        "ms" => 1,
        _ => return None,
    };
    text[..end].parse::<u64>().ok()?.checked_mul(each).filter(|ms| *ms > 0)
}

fn kind_of(word: &str) -> Option<&'static str> {
    match word {
        "http" | "streamable-http" => Some("http"),
        "sse" => Some("sse"),
        _ => None,
    }
}

fn client(text: &str, at: usize, line: &mut CommandLine) {
    let Ok(serde_json::Value::Object(client)) = serde_json::from_str(text) else {
        line.lost.push((at, "a client in a file: use `oauth`: {\"clientId\": ..}"));
        return;
    };
    if let Some(id) = client.get("client_id").and_then(serde_json::Value::as_str) {
        line.say("oauth.clientId", Setting::Text(id.to_owned()), at);
    }
    if let Some(secret) = client.get("client_secret") {
        line.robot.secret = Some((secret.as_str().unwrap_or_default().to_owned(), at));
    }
}

fn metadata(text: &str, at: usize, line: &mut CommandLine) -> Option<()> {
    if text.starts_with('@') {
        line.lost.push((at, "metadata in a file: use `oauth`: {\"clientMetadata\": ..}"));
        return Some(());
    }
    let Ok(serde_json::Value::Object(said)) = serde_json::from_str(text) else { return None };
    for (name, value) in said {
        match (&*name, value) {
            // What is registered is what is asked for.
            ("scope", serde_json::Value::String(scopes)) => {
                line.say("oauth.scopes", Setting::Text(scopes), at)
            }
            (_, value) => line.say("oauth.clientMetadata", Setting::Member(name, value), at),
        }
    }
    Some(())
}

const ANSWER: &str = "how long an answer may take: use `timeout`, in milliseconds";

static NOTHING: Setting = Setting::Text(String::new());
/// How often `mcp-remote` sends a ping where it is not told.
static KEEP_ALIVE: Setting = Setting::Number(30_000);
static TRUE: Setting = Setting::Flag(true);
static FALSE: Setting = Setting::Flag(false);

/// An option of ours that says something of a server which is given by its URL.
#[derive(Debug)]
#[non_exhaustive]
pub struct AddressOption {
    /// Its name, with the two dashes.
    pub name: &'static str,
    /// The letter that is short for it.
    pub short: Option<char>,
    /// What its value is called in a help; none where it takes none.
    pub value: Option<&'static str>,
    /// What it does, for a help.
    pub about: &'static str,
    pub(crate) takes: OptionMeaning,
}

impl AddressOption {
    const fn new(
        name: &'static str,
        value: Option<&'static str>,
        takes: OptionMeaning,
        about: &'static str,
    ) -> Self {
        Self { name, short: None, value, about, takes }
    }

    const fn short(self, letter: char) -> Self {
        Self { short: Some(letter), ..self }
    }

    /// Whether it sets the field at `path` of an entry.
    pub(crate) fn is_of(&self, path: &str) -> bool {
        self.field() == Some(path)
    }

    /// The field of an entry that it sets; none where it sets several.
    pub(crate) fn field(&self) -> Option<&'static str> {
        match self.takes {
            OptionMeaning::Text(field)
            | OptionMeaning::Port(field)
            | OptionMeaning::Is(field, _)
            | OptionMeaning::Item(field)
            | OptionMeaning::Member(field)
            | OptionMeaning::Seconds(field) => Some(field),
            OptionMeaning::Metadata => Some("oauth.clientMetadata"),
            OptionMeaning::Protocol => Some("protocol"),
            OptionMeaning::Type => Some("fallback"),
            _ => None,
        }
    }

    /// Each of them.
    pub fn all() -> &'static [Self] {
        &OWN
    }
}

/// Our own.
static OWN: [AddressOption; 25] = [
    AddressOption::new(
        "--header",
        Some("NAME: VALUE"),
        OptionMeaning::Header,
        "Send this header to the URL; '${env:V}' in it is the variable V (repeatable)",
    )
    .short('H'),
    AddressOption::new(
        "--header-file",
        Some("FILE"),
        OptionMeaning::Text("headersFile"),
        "A file of more headers for the URL, 'Name: value' on each line",
    ),
    AddressOption::new(
        "--transport",
        Some("TYPE"),
        OptionMeaning::Type,
        "How the URL speaks: http or sse; http-only and sse-only try nothing else",
    )
    .short('t'),
    AddressOption::new(
        "--protocol",
        Some("ERA"),
        OptionMeaning::Protocol,
        "Which era the URL is spoken to in: legacy, modern, or auto, which asks",
    ),
    AddressOption::new(
        "--block-tool",
        Some("TOOL"),
        OptionMeaning::Item("blockedTools"),
        "A tool of the URL that is neither listed nor called; * stands for any characters (repeatable)",
    ),
    AddressOption::new(
        "--keep-alive",
        Some("TIME"),
        OptionMeaning::Seconds("keepAliveMs"),
        "Ping the URL when it has said nothing for so long, such as 30s",
    ),
    AddressOption::new(
        "--client-id",
        Some("ID"),
        OptionMeaning::Text("oauth.clientId"),
        "The client that is registered with the authorization server of the URL",
    ),
    AddressOption::new(
        "--client-credentials",
        None,
        OptionMeaning::Grant,
        "That client signs in on its own, without a person, with the secret in MCP_CLIENT_SECRET",
    ),
    AddressOption::new(
        "--token-endpoint",
        Some("URL"),
        OptionMeaning::TokenEndpoint,
        "Where it does, so that its secret goes nowhere else",
    ),
    AddressOption::new(
        "--callback-port",
        Some("PORT"),
        OptionMeaning::Port("oauth.callbackPort"),
        "The port that a sign-in comes back to",
    ),
    AddressOption::new(
        "--redirect-uri",
        Some("URI"),
        OptionMeaning::Text("oauth.redirectUri"),
        "The whole address that a sign-in comes back to",
    ),
    AddressOption::new(
        "--client-metadata-url",
        Some("URL"),
        OptionMeaning::Text("oauth.clientMetadataUrl"),
        "Where the metadata of this client is",
    ),
    AddressOption::new(
        "--oauth-resource",
        Some("URI"),
        OptionMeaning::Text("oauth.resource"),
        "The resource that tokens are asked for; '' for none",
    ),
    AddressOption::new(
        "--client-metadata",
        Some("JSON"),
        OptionMeaning::Metadata,
        "What a registration at the authorization server says of this client (RFC 7591)",
    ),
    AddressOption::new(
        "--oauth-scopes",
        Some("SCOPES"),
        OptionMeaning::Text("oauth.scopes"),
        "The scopes that are asked for, with blanks between them",
    ),
    AddressOption::new(
        "--use-id-token",
        None,
        OptionMeaning::Is("oauth.useIdToken", &TRUE),
        "Send the ID token in the place of the access token",
    ),
    AddressOption::new(
        "--authorize-param",
        Some("NAME=VALUE"),
        OptionMeaning::Member("oauth.authorizeParams"),
        "One more parameter of the authorization request (repeatable)",
    ),
    AddressOption::new(
        "--ca",
        Some("FILE"),
        OptionMeaning::Text("tls.ca"),
        "A PEM file of certificates that are trusted for the URL, beside those of the platform",
    ),
    AddressOption::new(
        "--cert",
        Some("FILE"),
        OptionMeaning::Text("tls.cert"),
        "A PEM file with the certificate that is shown to the URL, for a server that asks for one",
    ),
    AddressOption::new(
        "--key",
        Some("FILE"),
        OptionMeaning::Text("tls.key"),
        "A PEM file with its key, where that is not in the same file",
    ),
    AddressOption::new(
        "--server-name",
        Some("NAME"),
        OptionMeaning::Text("tls.serverName"),
        "The name that the certificate of the URL has to have, in place of its host",
    ),
    AddressOption::new(
        "--insecure-skip-verify",
        None,
        OptionMeaning::Is("tls.insecureSkipVerify", &TRUE),
        "Take every certificate of the URL: anyone on the way can read and change everything",
    ),
    AddressOption::new(
        "--proxy",
        Some("PROXY"),
        OptionMeaning::Text("proxy"),
        "The proxy of the URL, also on this machine: http://.., socks5h://.., or none",
    ),
    AddressOption::new(
        "--no-cookies",
        None,
        OptionMeaning::Is("cookies", &FALSE),
        "Send no cookie back that the URL sets",
    ),
    AddressOption::new(
        "--ipv4",
        None,
        OptionMeaning::Is("ipv4", &TRUE),
        "Use addresses of IPv4 alone for the URL",
    ),
];

/// Options of our `bridge` that are no part of an entry.
const OF_BRIDGE: [(&str, OptionMeaning); 3] = [
    ("--shared", OptionMeaning::Flag),
    ("--interactive-login", OptionMeaning::Flag),
    ("--project", OptionMeaning::Value),
];

impl Bridge {
    /// What an option of it says.
    pub(super) fn takes(&self, option: &str) -> Option<OptionMeaning> {
        let named = |options: &[(&str, OptionMeaning)]| {
            options.iter().find(|(name, _)| *name == option).map(|(_, takes)| *takes)
        };
        if self.package != OWN_PACKAGE {
            return named(self.options);
        }
        let is_short = |own: &AddressOption| own.short.is_some_and(|letter| *option == format!("-{letter}"));
        let own = OWN.iter().find(|own| own.name == option || is_short(own));
        own.map(|own| own.takes).or_else(|| named(&OF_BRIDGE))
    }

    /// What a variable of it is, where the table says.
    pub(super) fn variable(&self, name: &str, value: &str) -> Option<SetVariable> {
        let is_it = |row: &str| match (row.strip_suffix('*'), row.split_once('=')) {
            (Some(begin), _) => name.starts_with(begin),
            (None, Some(both)) => both == (name, value),
            (None, None) => row == name,
        };
        let all = self.variables.iter().chain(&OF_LANGUAGES);
        all.into_iter().find(|(row, _)| is_it(row)).map(|(_, meaning)| *meaning)
    }
}

/// The package of this program.
pub(super) const OWN_PACKAGE: &str = "mcplink";

pub(super) static BRIDGES: [Bridge; 4] = [
    Bridge {
        package: "mcp-remote",
        addresses: &[],
        options: &[
            ("--header", OptionMeaning::Header),
            ("--header-file", OptionMeaning::Text("headersFile")),
            ("--host", OptionMeaning::CallbackHost),
            ("--callback-path", OptionMeaning::CallbackPath),
            ("--auth-success-url", OptionMeaning::Elsewhere(1, "the page that a sign-in ends on is our own")),
            ("--allow-http", OptionMeaning::Flag),
            ("--debug", OptionMeaning::Flag),
            ("--silent", OptionMeaning::Flag),
            ("--enable-proxy", OptionMeaning::Is(BY_PROXY, &TRUE)),
            ("--ignore-tool", OptionMeaning::Item("blockedTools")),
            (
                "--auth-timeout",
                OptionMeaning::Elsewhere(1, "how long a person may take: say it at the sign-in (--timeout)"),
            ),
            (
                "--connect-timeout",
                OptionMeaning::Elsewhere(1, "how long a connection may take: set MCP_TIMEOUT"),
            ),
            ("--headers-timeout", OptionMeaning::Elsewhere(1, ANSWER)),
            ("--body-timeout", OptionMeaning::Elsewhere(1, ANSWER)),
            ("--keep-alive", OptionMeaning::Usual("keepAliveMs", &KEEP_ALIVE)),
            ("--ping-interval", OptionMeaning::Seconds("keepAliveMs")),
            ("--ipv4", OptionMeaning::Is("ipv4", &TRUE)),
            ("--transport", OptionMeaning::Kind),
            ("--protocol", OptionMeaning::Protocol),
            ("--static-oauth-client-info", OptionMeaning::Client),
            ("--static-oauth-client-metadata", OptionMeaning::Metadata),
            ("--client-metadata-url", OptionMeaning::Text("oauth.clientMetadataUrl")),
            ("--client-credentials", OptionMeaning::Grant),
            ("--token-endpoint", OptionMeaning::TokenEndpoint),
            (
                "--device-code",
                OptionMeaning::Elsewhere(
                    0,
                    "a code for another device: ask for one at the sign-in (--device)",
                ),
            ),
            ("--disable-cookies", OptionMeaning::Is("cookies", &FALSE)),
            ("--use-id-token", OptionMeaning::Is("oauth.useIdToken", &TRUE)),
            ("--resource", OptionMeaning::Text("oauth.resource")),
            ("--disable-resource-parameter", OptionMeaning::Is("oauth.resource", &NOTHING)),
            ("--authorize-param", OptionMeaning::Member("oauth.authorizeParams")),
        ],
        token: None,
        variables: &[(
            "MCP_REMOTE_CONFIG_DIR",
            SetVariable::Lost("sign-ins are kept by this program itself, which asks for them again"),
        )],
        by_proxy: ProxyCondition::Told,
    },
    Bridge {
        package: "mcp-proxy",
        addresses: &[],
        options: &[
            ("-H", OptionMeaning::HeaderWords),
            ("--headers", OptionMeaning::HeaderWords),
            ("--transport", OptionMeaning::Kind),
            ("--client-id", OptionMeaning::Text("oauth.clientId")),
            ("--client-secret", OptionMeaning::ClientSecret),
            ("--token-url", OptionMeaning::GrantEndpoint),
            ("--verify-ssl", OptionMeaning::Value),
            ("--no-verify-ssl", OptionMeaning::Is("tls.insecureSkipVerify", &TRUE)),
            ("--debug", OptionMeaning::Flag),
            ("--log-level", OptionMeaning::Value),
        ],
        token: Some("API_ACCESS_TOKEN"),
        variables: &[("API_ACCESS_TOKEN", SetVariable::Used)],
        by_proxy: ProxyCondition::Always,
    },
    Bridge {
        package: "supergateway",
        addresses: &[("--sse", Some("sse")), ("--streamableHttp", Some("http"))],
        options: &[
            ("--header", OptionMeaning::Header),
            ("--oauth2Bearer", OptionMeaning::Token),
            ("--logLevel", OptionMeaning::Value),
            ("--outputTransport", OptionMeaning::Value),
        ],
        token: None,
        variables: &[],
        by_proxy: ProxyCondition::Never,
    },
    Bridge {
        package: OWN_PACKAGE,
        addresses: &[],
        options: &OF_BRIDGE,
        token: None,
        variables: &[("MCPLINK_*", SetVariable::Used)],
        by_proxy: ProxyCondition::Always,
    },
];
