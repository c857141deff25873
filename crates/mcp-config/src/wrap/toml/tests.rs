use std::path::Path;

use super::*;

fn codex() -> &'static KnownHost {
    KnownHost::named("codex").unwrap()
}

/// What a file says once the entry `a` leads through this program, after it was tried that it comes back byte for byte.
fn there_and_back(text: &str, name: &str) -> Result<String, String> {
    let through = BridgeCommand::to(Path::new("/bin/mcplink"), name, None);
    let wrapped = wrapped(codex(), text, name, &through).map_err(|error| error.to_string())?;
    assert!(is_wrapped(&wrapped.text, name, &through), "{text}: {}", wrapped.text);
    assert_eq!(others(&wrapped.text, name), others(text, name), "{text}: {}", wrapped.text);
    let back = unwrapped(codex(), &wrapped.text, name, &through, wrapped.original.as_deref());
    assert_eq!(back.map_err(|error| error.to_string()).as_deref(), Ok(text), "{}", wrapped.text);
    assert!(has(codex(), text, name, wrapped.original.as_deref()), "{text}");
    Ok(wrapped.text)
}

#[test]
fn fh_h5_servers_on_one_line_are_wrapped_and_come_back_byte_for_byte() {
    let put = "command = \"/bin/mcplink\"";
    for (text, expected) in [
        (
            "mcp_servers = { a.url = \"https://a.example\" }\n",
            "mcp_servers = { a.command = \"/bin/mcplink\", a.args = [\"bridge\", \"a\"] }\n",
        ),
        (
            "x = 1 # a\r\nmcp_servers = {a.url=\"u\",a.enabled = false , b = { command = \"x\" }} # end\r\n[y]\r\n",
            "x = 1 # a\r\nmcp_servers = {a.command = \"/bin/mcplink\", a.args = [\"bridge\", \"a\"], a.enabled = false , b = { command = \"x\" }} # end\r\n[y]\r\n",
        ),
        (
            "mcp_servers = { b.url = \"u\", a.command = \"x\", a.env.K = \"v, {w\" }",
            "mcp_servers = { b.url = \"u\", a.command = \"/bin/mcplink\", a.args = [\"bridge\", \"a\"] }",
        ),
        (
            "mcp_servers = { \"a\".url = 'https://a.example' }\n",
            "mcp_servers = { a.command = \"/bin/mcplink\", a.args = [\"bridge\", \"a\"] }\n",
        ),
        // One that is not there.
        (
            "mcp_servers = { b.url = \"u\" }\n",
            "mcp_servers = { b.url = \"u\", a = { command = \"/bin/mcplink\", args = [\"bridge\", \"a\"] } }\n",
        ),
        (
            "mcp_servers = {}\n",
            "mcp_servers = {a = { command = \"/bin/mcplink\", args = [\"bridge\", \"a\"] }}\n",
        ),
    ] {
        assert_eq!(there_and_back(text, "a").as_deref(), Ok(expected), "{text}");
    }
    for text in [
        "mcp_servers.a.url = \"u\"\n",
        "[mcp_servers]\na = { url = \"u\" }\n",
        "[mcp_servers]\na.url = \"u\"\na.enabled = true\n",
        "[mcp_servers.a]\nurl = \"u\"\n",
    ] {
        assert!(there_and_back(text, "a").is_ok_and(|wrapped| wrapped.contains(put)), "{text}");
    }
    // Its members are not beside each other, so that no one place is its own.
    assert!(
        there_and_back("mcp_servers = { a.url = \"u\", b.url = \"v\", a.enabled = false }\n", "a").is_err()
    );
}

#[test]
fn fh_h5_what_is_said_meanwhile_of_a_server_on_one_line_stays() {
    let through = BridgeCommand::to(Path::new("/bin/mcplink"), "a", None);
    let text = "mcp_servers = { a.url = \"u\", a.enabled = true }\n";
    let wrapped = wrapped(codex(), text, "a", &through).unwrap();
    let edited = wrapped.text.replace("a.enabled = true", "a.enabled = false");
    assert_ne!(edited, wrapped.text);
    let back = unwrapped(codex(), &edited, "a", &through, wrapped.original.as_deref()).unwrap();
    assert_eq!(
        toml_value(&back),
        toml_value("mcp_servers = { a.url = \"u\", a.enabled = false }\n"),
        "{back}"
    );
}
