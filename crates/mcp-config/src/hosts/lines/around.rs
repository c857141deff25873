//! What the environment of such a program says of the way to its server, and what of it has no place where the server is
//! reached directly: a person had reasons to set it.

use super::table::{BY_PROXY, Bridge, ProxyCondition, SetVariable};
use super::{CommandLine, LineField, Setting};

const PROXIES: [(&str, &str); 3] =
    [("https_proxy", "https://"), ("http_proxy", "http://"), ("all_proxy", "")];

impl CommandLine {
    /// Takes the sign for proxies out of the fields, and notes whether the line goes by one.
    pub(super) fn goes_by_proxy(&mut self, bridge: &'static Bridge) {
        self.by_proxy = match bridge.by_proxy {
            ProxyCondition::Always => true,
            ProxyCondition::Told => self.said.iter().any(|said| said.field == BY_PROXY),
            ProxyCondition::Never => false,
        };
        self.said.retain(|said| said.field != BY_PROXY);
    }

    /// What the variable `name` with this value is, in a line of these words.
    pub(in crate::hosts) fn variable(&self, name: &str, value: &str, words: &[&str]) -> SetVariable {
        let [braced, plain] = [format!("${{{name}}}"), format!("${name}")];
        if words.iter().any(|word| word.contains(&braced) || word.contains(&plain)) {
            return SetVariable::Used;
        }
        if let Some(known) = self.bridge.and_then(|bridge| bridge.variable(name, value)) {
            return known;
        }
        let address = words.get(self.address).copied().unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        match PROXIES.iter().find(|(known, _)| *known == lower) {
            Some((_, scheme)) if !address.starts_with(scheme) => {
                SetVariable::Lost("its server is not reached by it")
            }
            Some(_) if self.by_proxy => SetVariable::Field("proxy"),
            Some(_) => SetVariable::Lost("this line does not go by a proxy: use `proxy`"),
            None if lower == "no_proxy" => {
                SetVariable::Lost("what goes past the proxy is one server here: leave `proxy` out")
            }
            None => SetVariable::Lost("it was for the program that is not started any more"),
        }
    }

    /// Says a field that a variable says, unless the line does.
    pub(in crate::hosts) fn say_of_variable(&mut self, field: &'static str, value: &str, word: usize) {
        if !self.said.iter().any(|said| said.field == field) {
            self.said.push(LineField { field, value: Setting::Text(value.to_owned()), word });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SetVariable::{Field, Used};
    use super::*;

    #[test]
    fn fa_a76_a_variable_of_a_bridge_is_a_field_a_part_of_a_header_or_told() {
        let of = |line: &str, name: &str, value: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            super::super::read(&words, &|_| None).unwrap().variable(name, value, &words)
        };
        let remote = "npx mcp-remote https://h/mcp --header X:${KEY}";
        let by_proxy = "npx mcp-remote https://h/mcp --enable-proxy";
        for (line, name, value, expected) in [
            (remote, "KEY", "k", Used),
            (remote, "NODE_EXTRA_CA_CERTS", "/ca.pem", Field("tls.ca")),
            (by_proxy, "HTTPS_PROXY", "http://p:1", Field("proxy")),
            (by_proxy, "https_proxy", "http://p:1", Field("proxy")),
            (by_proxy, "ALL_PROXY", "socks5://p:1", Field("proxy")),
            ("mcp-proxy https://h/mcp", "HTTPS_PROXY", "http://p:1", Field("proxy")),
            ("mcp-proxy https://h/mcp", "API_ACCESS_TOKEN", "t", Used),
            ("mcplink bridge https://h/mcp", "MCPLINK_CONFIG", "/x", Used),
        ] {
            assert_eq!(of(line, name, value), expected, "{line}: {name}");
        }
        for (line, name, value) in [
            (remote, "HTTPS_PROXY", "http://p:1"),
            (by_proxy, "HTTP_PROXY", "http://p:1"),
            (by_proxy, "NO_PROXY", "*"),
            ("npx supergateway --sse https://h/sse", "HTTPS_PROXY", "http://p:1"),
            (remote, "NODE_TLS_REJECT_UNAUTHORIZED", "0"),
            (remote, "MCP_REMOTE_CONFIG_DIR", "/x"),
            (remote, "ANYTHING", "x"),
        ] {
            assert!(matches!(of(line, name, value), SetVariable::Lost(_)), "{line}: {name}");
        }
    }
}
