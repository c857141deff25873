//! Proxies and certificates that the environment names, by the words of the program.

use mcp_harness::{Mcplink, Output};
use mcp_testkit::{FakeMcpServer, TempHome};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mcplink");

/// A port of this machine at which nothing listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn status(url: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Output {
    let home = TempHome::new().unwrap();
    let servers = serde_json::json!({ "mcpServers": { "web": { "type": "http", "url": url } } });
    home.write(".claude.json", servers.to_string()).unwrap();
    let program = Mcplink::new(PROGRAM, &home).args(["status", "web"]).args(arguments.iter().copied());
    variables.iter().fold(program, |program, (name, value)| program.env(*name, *value)).run()
}

/// Which variable counts, in which spelling, is what a person reads in the reason.
#[test]
fn fa_a85_a86_a88_the_variable_that_names_the_proxy_is_named() {
    let dead = format!("127.0.0.1:{}", closed_port());
    let (with_password, all) =
        (format!("http://ann:canary-1@{dead}"), format!("socks5h://ann:canary-2@{dead}"));
    for (url, variables, shown) in [
        ("http://mcp.test/mcp", vec![("HTTP_PROXY", &with_password)], format!("http://{dead} (HTTP_PROXY)")),
        ("http://mcp.test/mcp", vec![("http_proxy", &with_password)], format!("http://{dead} (http_proxy)")),
        (
            "https://mcp.test/mcp",
            vec![("HTTPS_PROXY", &with_password), ("ALL_PROXY", &all)],
            format!("http://{dead} (HTTPS_PROXY)"),
        ),
        (
            "https://mcp.test/mcp",
            vec![("HTTP_PROXY", &with_password), ("all_proxy", &all)],
            format!("socks5h://{dead} (all_proxy)"),
        ),
    ] {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let output = status(url, &variables, &["--json"]).expect_code(4);
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let reason = &document["servers"][0]["reason"];
        let message = reason["message"].as_str().unwrap();
        assert!(message.starts_with("no way through the proxy") && message.contains(&shown), "{message}");
        assert_eq!(reason["code"], "unreachable", "{output}");
        assert!(!output.to_string().contains("canary"), "{output}");
    }
}

#[test]
fn fa_a83_a84_loopback_and_what_no_proxy_names_go_past_a_dead_proxy() {
    let server = FakeMcpServer::start().unwrap();
    let dead = format!("http://127.0.0.1:{}", closed_port());
    status(server.url().as_str(), &[("HTTP_PROXY", &dead), ("ALL_PROXY", &dead)], &[]).expect_code(0);
    let output =
        status("http://mcp.test.invalid/mcp", &[("HTTP_PROXY", &dead), ("NO_PROXY", "*.invalid")], &[]);
    assert!(!output.to_string().contains("proxy"), "{output}");
}

#[test]
fn fa_a91_a_file_of_authorities_that_is_gone_is_a_warning_with_its_variable() {
    let server = FakeMcpServer::start().unwrap();
    for variable in ["NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE"] {
        let output = status(server.url().as_str(), &[(variable, "/nope/ca.pem")], &[]).expect_code(0);
        let warning = format!("warning: {variable}: names /nope/ca.pem, which cannot be read: ");
        assert_eq!(output.stderr.matches(variable).count(), 2, "once, with what to do: {output}");
        assert!(output.stderr.contains(&warning), "{output}");
        assert!(!output.stderr.contains("os error"), "{output}");
    }
}

/// One that takes connections and says nothing looks like a server that does, so it is named.
#[test]
fn a_proxy_that_says_nothing_is_named() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let at = silent.local_addr().unwrap();
    for (url, variable, proxy) in [
        ("http://mcp.test/mcp", "HTTP_PROXY", format!("http://{at}")),
        ("https://mcp.test/mcp", "HTTPS_PROXY", format!("http://{at}")),
        ("http://mcp.test/mcp", "ALL_PROXY", format!("socks5h://{at}")),
    ] {
        let output = status(url, &[(variable, &proxy), ("MCP_TIMEOUT", "1000")], &[]).expect_code(4);
        let named = format!("by way of the proxy {proxy} ({variable})");
        assert!(output.stdout.contains(&named), "{output}");
    }
}
