//! Commands that are a bridge from a host to a remote server: what they lead to, read from their arguments.
//!
//! People have them because their host speaks to local servers only. Here the server is reached directly, so such a line
//! is read as the remote entry that it stands for. A line with anything in it that is not understood is left a command.

/// What such a line says.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// The program, as people call it.
    pub(super) program: &'static str,
    /// Which word is the address.
    pub(super) address: usize,
    pub(super) kind: Option<&'static str>,
    /// Name and value, and which word says so.
    pub(super) headers: Vec<(String, String, usize)>,
    /// Our fields of `oauth`, and which word says so.
    pub(super) oauth: Vec<(&'static str, Setting, usize)>,
    /// What cannot be taken over, which word it is, and why not.
    pub(super) lost: Vec<(usize, &'static str)>,
}

/// A value of the `oauth` block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Setting {
    Text(String),
    Port(u64),
}

/// A program that is a bridge.
struct Bridge {
    /// Its package, without scope and version.
    package: &'static str,
    /// The option that the address follows; none where it is the first argument.
    addresses: &'static [(&'static str, Option<&'static str>)],
    options: &'static [(&'static str, Takes)],
    /// The variable of the entry that holds a bearer token.
    token: Option<&'static str>,
}

/// What an option says. All but the last four are followed by a value.
#[derive(Clone, Copy)]
enum Takes {
    /// `Name: value`.
    Header,
    /// A bearer token.
    Token,
    Kind,
    OAuth(&'static str),
    /// A client as JSON, with `client_id` and perhaps `client_secret`.
    Client,
    CallbackHost,
    CallbackPath,
    /// A value that changes nothing.
    Value,
    /// A value that is lost, because of this.
    LostValue(&'static str),
    /// A name and a value, as two words.
    HeaderWords,
    /// Something that changes nothing.
    Flag,
    /// Something that is lost, because of this.
    LostFlag(&'static str),
    /// `resource` is left out.
    NoResource,
}

const GRANT: &str = "only sign-ins by a person can be written in a file";
const NO_FIELD: &str = "there is no such setting here";

static BRIDGES: [Bridge; 4] = [
    Bridge {
        package: "mcp-remote",
        addresses: &[],
        options: &[
            ("--header", Takes::Header),
            ("--header-file", Takes::LostValue("headers of a file: use `headersHelper`")),
            ("--host", Takes::CallbackHost),
            ("--callback-path", Takes::CallbackPath),
            ("--auth-success-url", Takes::Value),
            ("--allow-http", Takes::Flag),
            ("--debug", Takes::Flag),
            ("--silent", Takes::Flag),
            ("--enable-proxy", Takes::Flag),
            ("--ignore-tool", Takes::LostValue("which tools may be used is not kept here yet")),
            ("--auth-timeout", Takes::Value),
            ("--connect-timeout", Takes::Value),
            ("--headers-timeout", Takes::Value),
            ("--body-timeout", Takes::Value),
            ("--keep-alive", Takes::LostFlag("no pings are sent; a connection that is lost is made again")),
            (
                "--ping-interval",
                Takes::LostValue("no pings are sent; a connection that is lost is made again"),
            ),
            ("--ipv4", Takes::LostFlag(NO_FIELD)),
            ("--transport", Takes::Kind),
            ("--protocol", Takes::Value),
            ("--static-oauth-client-info", Takes::Client),
            ("--static-oauth-client-metadata", Takes::LostValue(NO_FIELD)),
            ("--client-metadata-url", Takes::OAuth("clientMetadataUrl")),
            ("--client-credentials", Takes::LostFlag(GRANT)),
            ("--token-endpoint", Takes::LostValue(GRANT)),
            ("--device-code", Takes::Flag),
            ("--disable-cookies", Takes::Flag),
            ("--use-id-token", Takes::LostFlag(NO_FIELD)),
            ("--resource", Takes::OAuth("resource")),
            ("--disable-resource-parameter", Takes::NoResource),
            ("--authorize-param", Takes::LostValue(NO_FIELD)),
        ],
        token: None,
    },
    Bridge {
        package: "mcp-proxy",
        addresses: &[],
        options: &[
            ("-H", Takes::HeaderWords),
            ("--headers", Takes::HeaderWords),
            ("--transport", Takes::Kind),
            ("--client-id", Takes::LostValue(GRANT)),
            ("--client-secret", Takes::LostValue(GRANT)),
            ("--token-url", Takes::LostValue(GRANT)),
            ("--verify-ssl", Takes::Value),
            ("--no-verify-ssl", Takes::LostFlag("certificates are always checked here")),
            ("--debug", Takes::Flag),
            ("--log-level", Takes::Value),
        ],
        token: Some("API_ACCESS_TOKEN"),
    },
    Bridge {
        package: "supergateway",
        addresses: &[("--sse", Some("sse")), ("--streamableHttp", Some("http"))],
        options: &[
            ("--header", Takes::Header),
            ("--oauth2Bearer", Takes::Token),
            ("--logLevel", Takes::Value),
            ("--outputTransport", Takes::Value),
        ],
        token: None,
    },
    Bridge {
        package: "mcplink",
        addresses: &[],
        options: &[
            ("-H", Takes::Header),
            ("--header", Takes::Header),
            ("--shared", Takes::Flag),
            ("--project", Takes::Value),
        ],
        token: None,
    },
];

/// Commands that start a package by its name, or another command.
const LAUNCHERS: [&str; 15] = [
    "npx", "npm", "pnpm", "pnpx", "yarn", "bun", "bunx", "deno", "uvx", "uv", "pipx", "node", "cmd", "env",
    "volta",
];

/// What may stand between such a command and the package.
const VERBS: [&str; 9] = ["/c", "/C", "/d", "/s", "exec", "x", "dlx", "run", "tool"];

/// Where a browser comes back to from a sign-in of `mcp-remote` that does not say otherwise.
const CALLBACK_HOST: &str = "localhost";
const CALLBACK_PATH: &str = "/oauth/callback";

/// Reads the command line `words`; `variable` is what the entry itself sets.
pub(super) fn read(words: &[&str], variable: &dyn Fn(&str) -> Option<String>) -> Option<Line> {
    let (at, bridge) = bridge(words)?;
    let mut rest = at + 1;
    if bridge.package == "mcplink" {
        // Without a verb it is no bridge, and to a name it is a pointer, which others know.
        if !matches!(*words.get(rest)?, "bridge" | "serve") {
            return None;
        }
        rest += 1;
    }
    let mut line = Line { program: bridge.package, ..Line::default() };
    let mut callback = Callback::default();
    let mut address = None;
    while let Some(word) = words.get(rest) {
        let (option, joined) = match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (option, Some(value)),
            _ => (*word, None),
        };
        let value = |offset: usize| joined.or_else(|| words.get(rest + offset).copied());
        let width = if joined.is_some() { 1 } else { 2 };
        if let Some((_, kind)) = bridge.addresses.iter().find(|(name, _)| *name == option) {
            value(1)?;
            address = Some(if joined.is_some() { rest } else { rest + 1 });
            line.kind = *kind;
            rest += width;
            continue;
        }
        let known = bridge.options.iter().find(|(name, _)| *name == option);
        let Some((_, takes)) = known else {
            if word.starts_with('-') {
                return None;
            }
            if address.is_none() && bridge.addresses.is_empty() {
                address = Some(rest);
            } else if let Ok(port) = word.parse::<u16>() {
                callback.port = Some((port, rest));
            } else {
                return None;
            }
            rest += 1;
            continue;
        };
        match takes {
            Takes::Header => {
                let (name, text) = value(1)?.split_once(':')?;
                line.headers.push((name.trim().to_owned(), filled(text.trim(), variable), rest + width - 1));
            }
            Takes::HeaderWords => {
                let (name, text) = (words.get(rest + 1)?, words.get(rest + 2)?);
                line.headers.push(((*name).to_owned(), filled(text, variable), rest + 2));
                rest += 1;
            }
            Takes::Token => {
                let text = format!("Bearer {}", filled(value(1)?, variable));
                line.headers.push(("Authorization".to_owned(), text, rest + width - 1));
            }
            Takes::Kind => line.kind = kind(value(1)?),
            Takes::OAuth(field) => {
                line.oauth.push((field, Setting::Text(value(1)?.to_owned()), rest + width - 1));
            }
            Takes::Client => client(value(1)?, rest + width - 1, &mut line),
            Takes::CallbackHost => callback.host = Some(value(1)?.to_owned()),
            Takes::CallbackPath => callback.path = Some(value(1)?.to_owned()),
            Takes::LostValue(why) => {
                value(1)?;
                line.lost.push((rest, why));
            }
            Takes::Value => {
                value(1)?;
            }
            Takes::LostFlag(why) => line.lost.push((rest, why)),
            Takes::NoResource => line.oauth.push(("resource", Setting::Text(String::new()), rest)),
            Takes::Flag => {}
        }
        rest += match takes {
            Takes::Flag | Takes::LostFlag(_) | Takes::NoResource => 1,
            _ => width,
        };
    }
    line.address = address?;
    if !words[line.address].contains("://") && !words[line.address].contains("${") {
        return None;
    }
    callback.apply(&mut line);
    if let Some(token) = bridge.token.and_then(variable) {
        line.headers.push(("Authorization".to_owned(), format!("Bearer {token}"), line.address));
    }
    Some(line)
}

/// The bridge that a command line starts, and which word names it.
fn bridge(words: &[&str]) -> Option<(usize, &'static Bridge)> {
    let (command, _) = words.split_first()?;
    let known = |word: &str| BRIDGES.iter().find(|bridge| is_package(word, bridge.package));
    if let Some(bridge) = known(command) {
        return Some((0, bridge));
    }
    let launcher = base_name(command);
    if !LAUNCHERS.contains(&&*launcher) {
        return None;
    }
    let is_step =
        |word: &str| word.starts_with('-') || VERBS.contains(&word) || LAUNCHERS.contains(&&*base_name(word));
    let at = 1 + words[1..].iter().position(|word| known(word).is_some() || !is_step(word))?;
    let bridge = known(words[at])?;
    // `npx -p mcp-remote mcp-remote URL`.
    let again = words.get(at + 1).filter(|word| known(word).is_some());
    Some((at + usize::from(again.is_some()), bridge))
}

fn base_name(command: &str) -> String {
    let name = command.rsplit(['/', '\\']).next().unwrap_or(command).to_ascii_lowercase();
    let plain = [".exe", ".cmd", ".bat", ".ps1"].iter().find_map(|end| name.strip_suffix(end));
    plain.map(str::to_owned).unwrap_or(name)
}

/// `mcp-remote`, `mcp-remote@0.1.2`, `npm:mcp-remote`, `/x/node_modules/mcp-remote/dist/proxy.js`.
fn is_package(word: &str, package: &str) -> bool {
    let word = word.strip_prefix("npm:").unwrap_or(word);
    if word.split(['/', '\\']).any(|part| part == "node_modules") {
        let mut parts = word.split(['/', '\\']).skip_while(|part| *part != "node_modules");
        return parts.nth(1) == Some(package);
    }
    let name = base_name(word);
    // `@scope/mcp-remote` is the package of another author.
    !word.starts_with('@') && name.split(['@', '=', '[', '~', '>', '<']).next() == Some(package)
}

/// A text with what the entry itself sets in the place of references to it.
fn filled(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else { break };
        out.push_str(&rest[..at]);
        match variable(&inner[..end]) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[at..at + end + 3]),
        }
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    out
}

/// `http-first`, `sse-only`, `streamablehttp` and their like. What is tried first is found out by asking the server.
fn kind(word: &str) -> Option<&'static str> {
    match &*word.to_ascii_lowercase() {
        "sse" | "sse-only" | "sse-first" => Some("sse"),
        _ => Some("http"),
    }
}

fn client(text: &str, at: usize, line: &mut Line) {
    let Ok(serde_json::Value::Object(client)) = serde_json::from_str(text) else {
        line.lost.push((at, "a client in a file: use `oauth`: {\"clientId\": ..}"));
        return;
    };
    if let Some(id) = client.get("client_id").and_then(serde_json::Value::as_str) {
        line.oauth.push(("clientId", Setting::Text(id.to_owned()), at));
    }
    if client.contains_key("client_secret") {
        line.lost.push((at, super::words::SECRET));
    }
}

/// Where a browser comes back to.
#[derive(Default)]
struct Callback {
    port: Option<(u16, usize)>,
    host: Option<String>,
    path: Option<String>,
}

impl Callback {
    /// A client that is registered beforehand has a whole address registered; others need a port at most.
    fn apply(self, line: &mut Line) {
        let Some((port, at)) = self.port else { return };
        let registered = line.oauth.iter().any(|(field, ..)| *field == "clientId");
        if registered || self.host.is_some() || self.path.is_some() {
            let host = self.host.as_deref().unwrap_or(CALLBACK_HOST);
            let path = self.path.as_deref().unwrap_or(CALLBACK_PATH);
            let uri = format!("http://{host}:{port}/{}", path.trim_start_matches('/'));
            line.oauth.push(("redirectUri", Setting::Text(uri), at));
        } else {
            line.oauth.push(("callbackPort", Setting::Port(port.into()), at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<Line> {
        let words: Vec<&str> = text.split(' ').collect();
        read(&words, &|name| (name == "AUTH").then(|| "Bearer set".to_owned()))
    }

    #[test]
    fn launchers_and_spellings_lead_to_the_address() {
        for text in [
            "npx mcp-remote https://h/mcp",
            "npx -y mcp-remote@latest https://h/mcp",
            "npx.cmd -y mcp-remote@0.1.29 https://h/mcp",
            r"C:\nodejs\npx.cmd -y mcp-remote https://h/mcp",
            "cmd /c npx -y mcp-remote https://h/mcp",
            "bunx mcp-remote https://h/mcp --allow-http --debug",
            "pnpm dlx mcp-remote https://h/mcp",
            "npx -p mcp-remote mcp-remote https://h/mcp",
            "node /x/node_modules/mcp-remote/dist/proxy.js https://h/mcp",
            "mcp-remote https://h/mcp",
            "uvx mcp-proxy https://h/mcp",
            "/home/me/.local/bin/mcp-proxy --transport=streamablehttp https://h/mcp",
            "npx -y supergateway --streamableHttp https://h/mcp",
            "mcplink bridge https://h/mcp --shared",
        ] {
            let found = line(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(text.split(' ').nth(found.address), Some("https://h/mcp"), "{text}");
            assert!(found.lost.is_empty(), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_line_stays_a_command() {
        for text in [
            "npx -y @me/mcp-remote https://h/mcp",
            "npx -y mcp-remote-control https://h/mcp",
            "npx -y mcp-remote",
            "npx -y mcp-remote https://h/mcp --new-option x",
            "npx -y mcp-remote https://h/mcp extra",
            "mcp-proxy --port 8080 python server.py",
            "mcp-proxy python",
            "mcplink bridge tickets",
            "mcplink status",
            "python -m mcp_proxy",
            "npx -y other-tool mcp-remote https://h/mcp",
            "npx -y supergateway --stdio x",
            "npx -y mcp-remote https://h/mcp --header",
        ] {
            assert!(line(text).is_none(), "{text}");
        }
    }

    #[test]
    fn flags_become_fields_and_what_has_none_is_told() {
        let text = "npx mcp-remote https://h/sse 3334 --header Authorization:${AUTH} --header=X-A:${OTHER} \
                    --transport sse-only --resource https://h/ --static-oauth-client-info \
                    {\"client_id\":\"c\",\"client_secret\":\"s\"} --callback-path cb --ipv4 --auth-timeout 60";
        let found = line(text).unwrap();
        assert_eq!(found.kind, Some("sse"));
        let headers: Vec<_> = found.headers.iter().map(|(name, value, _)| (&**name, &**value)).collect();
        assert_eq!(headers, [("Authorization", "Bearer set"), ("X-A", "${OTHER}")]);
        let oauth: Vec<_> = found.oauth.iter().map(|(field, setting, _)| (*field, setting.clone())).collect();
        let text = |text: &str| Setting::Text(text.to_owned());
        assert_eq!(
            oauth,
            [
                ("resource", text("https://h/")),
                ("clientId", text("c")),
                ("redirectUri", text("http://localhost:3334/cb")),
            ]
        );
        let lost: Vec<&str> = found.lost.iter().map(|(_, why)| *why).collect();
        assert_eq!(lost, [super::super::words::SECRET, NO_FIELD]);
        let port = line("npx mcp-remote https://h/mcp 3334").unwrap();
        assert_eq!(port.oauth, [("callbackPort", Setting::Port(3334), 3)]);
        let proxy = line("mcp-proxy https://h/mcp -H X-Key k -H Authorization t").unwrap();
        assert_eq!(proxy.headers.len(), 2);
        let gateway = line("npx supergateway --sse https://h/sse --oauth2Bearer t").unwrap();
        assert_eq!(gateway.headers[0].1, "Bearer t");
        assert_eq!(gateway.kind, Some("sse"));
    }

    #[test]
    fn every_option_of_a_bridge_stands_in_its_table_once() {
        for bridge in &BRIDGES {
            let mut names: Vec<_> = bridge.options.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count, "{}", bridge.package);
        }
    }
}
