//! Commands that are a bridge from a host to a remote server: what they lead to, read from their arguments.
//!
//! People have them because their host speaks to local servers only. Here the server is reached directly, so such a line
//! is read as the remote entry that it stands for. A line with anything in it that is not understood is left a command.
//! This program's own options for a URL are read by the same table.

mod around;
mod robot;
mod shell;
mod table;

pub use table::AddressOption;
pub(crate) use table::OptionMeaning;

use robot::ServiceAccount;
pub(super) use table::SetVariable;

use crate::launchers::{self, InnerCommandLine, StartedCommand, base_name};
pub(super) use shell::unfolded;
use table::{BRIDGES, Bridge, OWN_PACKAGE};

/// What such a line says.
#[derive(Debug, Default)]
pub(crate) struct CommandLine {
    /// The program; none for a line of our own.
    bridge: Option<&'static Bridge>,
    /// Which word is the address.
    pub(super) address: usize,
    pub(crate) kind: Option<&'static str>,
    /// Name and value, and which word says so.
    pub(crate) headers: Vec<(String, String, usize)>,
    /// Our fields.
    pub(super) said: Vec<LineField>,
    /// What cannot be taken over, which word it is, and why not.
    pub(crate) lost: Vec<(usize, &'static str)>,
    callback: Callback,
    robot: ServiceAccount,
    /// It is told to go by the proxy that its environment names.
    by_proxy: bool,
    /// Variables that the line itself sets: name, value, and which word.
    pub(super) assigned: Vec<(String, String, usize)>,
}

/// One field, and which word says so.
#[derive(Debug)]
pub(super) struct LineField {
    /// Its name, or block and name: `oauth.resource`.
    field: &'static str,
    value: Setting,
    word: usize,
}

/// A value of a field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Setting {
    Text(String),
    Number(u64),
    Flag(bool),
    /// One more item of a list.
    Item(String),
    /// One more member of an object.
    Member(String, serde_json::Value),
}

impl Setting {
    /// Whether an entry says this.
    pub(crate) fn is(&self, value: &crate::edit::Value) -> bool {
        use crate::edit::Value;

        match (self, value) {
            (Self::Text(text), Value::String(value)) => text == value,
            (Self::Number(number), Value::Number(value)) => *value == number.to_string(),
            (Self::Flag(flag), Value::Bool(value)) => flag == value,
            _ => false,
        }
    }
}

/// Where a browser comes back to from a sign-in of `mcp-remote` that does not say otherwise.
const CALLBACK_HOST: &str = "localhost";
const CALLBACK_PATH: &str = "/oauth/callback";

/// Reads the command line `words`; `variable` is what the entry itself sets.
pub(super) fn read(words: &[&str], variable: &dyn Fn(&str) -> Option<String>) -> Option<CommandLine> {
    let (at, bridge) = bridge(words)?;
    let mut rest = at + 1;
    if bridge.package == OWN_PACKAGE {
        // Without a verb it is not a bridge, and to a name it is a pointer, which others know.
        if !matches!(*words.get(rest)?, "bridge" | "serve") {
            return None;
        }
        rest += 1;
    }
    let assigned = words[..at].iter().enumerate().filter_map(|(word, text)| {
        let (name, value) = launchers::assignment(text)?;
        Some((name.to_owned(), value.to_owned(), word))
    });
    let assigned: Vec<_> = assigned.collect();
    let mut line = CommandLine { bridge: Some(bridge), assigned, ..CommandLine::default() };
    let assigned = line.assigned.clone();
    let variable = &|wanted: &str| {
        let own = assigned.iter().find(|(name, ..)| name == wanted).map(|(_, value, _)| value.clone());
        own.or_else(|| variable(wanted))
    };
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
        let Some(takes) = bridge.takes(option) else {
            if word.starts_with('-') {
                return None;
            }
            if address.is_none() && bridge.addresses.is_empty() {
                address = Some(rest);
            } else if let Ok(port) = word.parse::<u16>() {
                line.callback.port = Some((port, rest));
            } else {
                return None;
            }
            rest += 1;
            continue;
        };
        match takes.values() {
            0 => {
                takes.note("", rest, &mut line)?;
                rest += 1;
            }
            2 => {
                let (name, text) = (words.get(rest + 1)?, words.get(rest + 2)?);
                line.headers.push(((*name).to_owned(), filled(text, variable), rest + 2));
                rest += 3;
            }
            _ => {
                let text = value(1)?;
                let at = rest + width - 1;
                let text = match takes {
                    OptionMeaning::Header => {
                        let (name, text) = text.split_once(':')?;
                        format!("{name}:{}", filled(text.trim(), variable))
                    }
                    OptionMeaning::Token | OptionMeaning::Client | OptionMeaning::ClientSecret => {
                        filled(text, variable)
                    }
                    _ => text.to_owned(),
                };
                takes.note(&text, at, &mut line)?;
                rest += width;
            }
        }
    }
    line.address = address?;
    if !words[line.address].contains("://") && !words[line.address].contains("${") {
        return None;
    }
    line.goes_by_proxy(bridge);
    line.finish();
    if let Some(token) = bridge.token.and_then(variable) {
        line.headers.push(("Authorization".to_owned(), format!("Bearer {token}"), line.address));
    }
    Some(line)
}

/// The bridge that a command line starts, and which word names it. What gives it more than the line says is not taken away.
fn bridge(words: &[&str]) -> Option<(usize, &'static Bridge)> {
    let owned: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut at = 0;
    loop {
        if let Some(bridge) = BRIDGES.iter().find(|bridge| is_package(words[at], bridge.package)) {
            return Some((at, bridge));
        }
        match launchers::started(&owned[at..])? {
            InnerCommandLine { command: StartedCommand::At(inner), adds: false }
                if at + inner < words.len() =>
            {
                at += inner;
            }
            _ => return None,
        }
    }
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

/// Where a browser comes back to.
#[derive(Debug, Default)]
struct Callback {
    port: Option<(u16, usize)>,
    host: Option<String>,
    path: Option<String>,
}

impl CommandLine {
    /// The program, as people call it.
    pub(super) fn program(&self) -> &'static str {
        self.bridge.map_or(OWN_PACKAGE, |bridge| bridge.package)
    }

    /// Whether it starts this program.
    pub(super) fn is_own(&self) -> bool {
        self.program() == OWN_PACKAGE
    }

    /// What several words say together.
    pub(crate) fn finish(&mut self) {
        self.come_back();
        self.sign_in_alone();
    }

    /// A client that is registered beforehand has a whole address registered; others need a port at most.
    fn come_back(&mut self) {
        let Some((port, at)) = self.callback.port else { return };
        let registered = self.said.iter().any(|said| said.field == "oauth.clientId");
        let Callback { host, path, .. } = &self.callback;
        let said = if registered || host.is_some() || path.is_some() {
            let host = host.as_deref().unwrap_or(CALLBACK_HOST);
            let path = path.as_deref().unwrap_or(CALLBACK_PATH);
            let uri = format!("http://{host}:{port}/{}", path.trim_start_matches('/'));
            LineField { field: "oauth.redirectUri", value: Setting::Text(uri), word: at }
        } else {
            LineField { field: "oauth.callbackPort", value: Setting::Number(port.into()), word: at }
        };
        self.said.push(said);
    }

    /// The fields that are said, by name: what an entry has beside its address, its headers and its type.
    pub(crate) fn fields(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut fields = serde_json::Map::new();
        for said in &self.said {
            let (block, field) = said.field.split_once('.').unwrap_or(("", said.field));
            let place = match block {
                "" => &mut fields,
                block => {
                    let block = fields.entry(block).or_insert_with(|| serde_json::json!({}));
                    let Some(block) = block.as_object_mut() else { continue };
                    block
                }
            };
            let value = match &said.value {
                Setting::Text(text) => text.as_str().into(),
                Setting::Number(number) => (*number).into(),
                Setting::Flag(flag) => (*flag).into(),
                Setting::Item(item) => {
                    let list = place.entry(field).or_insert_with(|| serde_json::json!([]));
                    list.as_array_mut().into_iter().for_each(|list| list.push(item.as_str().into()));
                    continue;
                }
                Setting::Member(name, text) => {
                    let object = place.entry(field).or_insert_with(|| serde_json::json!({}));
                    object[name] = text.clone();
                    continue;
                }
            };
            place.insert(field.to_owned(), value);
        }
        fields
    }

    /// Which word says this field last.
    pub(super) fn word_of(&self, field: &str) -> usize {
        self.said.iter().rev().find(|said| said.field == field).map_or(self.address, |said| said.word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<CommandLine> {
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
            "npx -p mcp-remote@latest -y -- mcp-remote https://h/mcp",
            "npx --package=mcp-remote mcp-remote https://h/mcp",
            "wsl npx -y mcp-remote https://h/mcp",
            "wsl.exe -- npx mcp-remote https://h/mcp",
            "env A=b C=d npx mcp-remote https://h/mcp",
            "node /x/node_modules/mcp-remote/dist/proxy.js https://h/mcp",
            "mcp-remote https://h/mcp",
            "nice -n 5 npx -y mcp-remote https://h/mcp",
            "python3 -m pipx run mcp-proxy https://h/mcp",
            "uvx --from mcp-proxy mcp-proxy https://h/mcp",
            "corepack pnpm dlx mcp-remote https://h/mcp",
            "powershell -NoProfile -Command npx -y mcp-remote https://h/mcp",
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
            "npx -p mcp-remote other https://h/mcp",
            "npx -p mcp-remote mcp-remote-client https://h/mcp",
            // What starts it gives it more than the line says, which would be lost.
            "op run -- npx -y mcp-remote https://h/mcp",
            "doppler run -p a -- npx -y mcp-remote https://h/mcp",
            "dotenvx run -f .env -- npx -y mcp-remote https://h/mcp",
            "sudo -u me npx -y mcp-remote https://h/mcp",
            "env A=b sudo npx -y mcp-remote https://h/mcp",
            "uv run --env-file .env mcp-proxy https://h/mcp",
            "timeout 60 npx -y mcp-remote https://h/mcp",
            "xargs npx -y mcp-remote https://h/mcp",
        ] {
            assert!(line(text).is_none(), "{text}");
        }
    }

    #[test]
    fn flags_become_fields_and_what_has_none_is_told() {
        let text = "npx mcp-remote https://h/sse 3334 --header Authorization:${AUTH} --header=X-A:${OTHER} \
                    --transport sse-only --resource https://h/ --static-oauth-client-info \
                    {\"client_id\":\"c\",\"client_secret\":\"s\"} --callback-path cb --ipv4 --auth-timeout 60 --device-code --auth-success-url u";
        let found = line(text).unwrap();
        assert_eq!(found.kind, Some("sse"));
        let headers: Vec<_> = found.headers.iter().map(|(name, value, _)| (&**name, &**value)).collect();
        assert_eq!(headers, [("Authorization", "Bearer set"), ("X-A", "${OTHER}")]);
        let fields = serde_json::Value::from(found.fields());
        let redirect = "http://localhost:3334/cb";
        let oauth = serde_json::json!({ "resource": "https://h/", "clientId": "c", "redirectUri": redirect });
        assert_eq!(fields, serde_json::json!({ "fallback": false, "oauth": oauth, "ipv4": true }));
        let lost: Vec<&str> = found.lost.iter().map(|(_, why)| *why).collect();
        assert!(lost[0].ends_with("(--timeout)") && lost[1].ends_with("(--device)"), "{lost:?}");
        assert_eq!(lost[2..], ["the page that a sign-in ends on is our own", super::super::words::SECRET]);
        for flag in ["--connect-timeout", "--headers-timeout", "--body-timeout"] {
            assert_eq!(
                line(&format!("npx mcp-remote https://h/mcp {flag} 5")).unwrap().lost.len(),
                1,
                "{flag}"
            );
        }
        let text = "npx mcp-remote https://h/mcp --ignore-tool a* --authorize-param=prompt=consent --ping-interval 60 \
                    --keep-alive --ignore-tool b --authorize-param audience=x --protocol legacy --header-file /h.txt";
        let said = serde_json::Value::from(line(text).unwrap().fields());
        let params = serde_json::json!({ "prompt": "consent", "audience": "x" });
        let expected = serde_json::json!({ "blockedTools": ["a*", "b"], "oauth": { "authorizeParams": params },
            "keepAliveMs": 60_000, "protocol": "legacy", "headersFile": "/h.txt" });
        assert_eq!(said, expected);
        let ours = "mcplink bridge https://h/mcp --block-tool a* --block-tool b --authorize-param prompt=consent \
                    --authorize-param audience=x --keep-alive 1m --protocol legacy --header-file /h.txt -t http";
        assert_eq!(serde_json::Value::from(line(ours).unwrap().fields()), expected);
        for wrong in
            ["--authorize-param x", "--keep-alive 0", "--keep-alive 5h", "--protocol old", "-t ws-only"]
        {
            assert!(line(&format!("mcplink bridge https://h/mcp {wrong}")).is_none(), "{wrong}");
        }
        let port = line("npx mcp-remote https://h/mcp 3334").unwrap();
        assert_eq!(
            serde_json::Value::from(port.fields()),
            serde_json::json!({ "oauth": { "callbackPort": 3334 } })
        );
        assert_eq!(port.word_of("oauth.callbackPort"), 3);
        let proxy = line("mcp-proxy https://h/mcp -H X-Key k -H Authorization t").unwrap();
        assert_eq!(proxy.headers.len(), 2);
        let gateway = line("npx supergateway --sse https://h/sse --oauth2Bearer t").unwrap();
        assert_eq!(gateway.headers[0].1, "Bearer t");
        assert_eq!(gateway.kind, Some("sse"));
    }

    /// What a line of another program comes to, and what ours does: both are read by the tables.
    #[test]
    fn fa_a76_each_flag_of_mcp_remote_is_in_the_documentation_and_its_line_says_the_same() {
        let text = include_str!("../../../../docs/from-mcp-remote.md");
        let remote = BRIDGES.iter().find(|bridge| bridge.package == "mcp-remote").unwrap();
        for (flag, _) in remote.options {
            assert!(text.contains(&format!("`{flag}`")) || text.contains(&format!("`{flag} ")), "{flag}");
        }
        let words = |line: &str| -> Vec<String> {
            let (mut words, mut quote) = (vec![String::new()], None);
            for c in line.chars() {
                match (quote, c) {
                    (None, '\'' | '"') => quote = Some(c),
                    (Some(open), c) if c == open => quote = None,
                    (None, ' ') => words.push(String::new()),
                    _ => words.last_mut().unwrap().push(c),
                }
            }
            words.into_iter().map(|word| word.replace("URL", "https://h.example/mcp")).collect()
        };
        let mut compared = 0;
        for row in text.lines().filter(|row| row.contains("| `mcplink bridge URL")) {
            let [before, after] = [1, 2].map(|column| {
                let cell = row.split(" | ").nth(column).unwrap();
                let words = words(cell.trim_end_matches(" |").trim_matches('`'));
                // Options that every command has.
                let words: Vec<&str> =
                    words.iter().map(String::as_str).filter(|word| !matches!(*word, "-vv" | "-q")).collect();
                read(&words, &|_| None).unwrap_or_else(|| panic!("{row}"))
            });
            let headers =
                |line: &CommandLine| line.headers.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
            assert_eq!(before.fields(), after.fields(), "{row}");
            assert_eq!(headers(&before), headers(&after), "{row}");
            assert_eq!(before.kind.unwrap_or("http"), after.kind.unwrap_or("http"), "{row}");
            assert!(before.lost.is_empty() && after.lost.is_empty(), "{row}");
            compared += 1;
        }
        assert!(compared > 12, "{compared}");
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
