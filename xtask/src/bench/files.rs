//! The files of a person with many servers, for the works that read them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Servers in the file of `list`.
const ENTRIES: usize = 500;
/// Servers of each host of `import`.
const SERVERS: usize = 10;

/// Hosts whose files are JSON: name, file, and the member that holds the servers.
const JSON: [(&str, &str, &str); 8] = [
    ("cursor", ".cursor/mcp.json", "mcpServers"),
    ("copilot", ".copilot/mcp-config.json", "mcpServers"),
    ("qwen", ".qwen/settings.json", "mcpServers"),
    ("gemini", ".gemini/settings.json", "mcpServers"),
    ("kiro", ".kiro/settings/mcp.json", "mcpServers"),
    ("zed", ".config/zed/settings.json", "context_servers"),
    ("amp", ".config/amp/settings.json", "amp.mcpServers"),
    ("desktop", ".config/Claude/claude_desktop_config.json", "mcpServers"),
];

/// Makes `home` that of a person with 500 servers in our own file; returns the file.
pub(super) fn for_list(home: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(vec![write(home, ".config/mcplink/mcp.json", &servers("own", "mcpServers", ENTRIES))?])
}

/// Makes `home` that of a person with the files of ten hosts, and none of ours; returns the files.
pub(super) fn for_import(home: &Path) -> io::Result<Vec<PathBuf>> {
    for ours in [".config/mcplink", ".local/state/mcplink"] {
        match fs::remove_dir_all(home.join(ours)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    let mut files = JSON
        .iter()
        .map(|(host, path, key)| write(home, path, &servers(host, key, SERVERS)))
        .collect::<io::Result<Vec<_>>>()?;
    let each = |entry: fn(usize) -> String| (0..SERVERS).map(entry).collect::<String>();
    let toml = each(|at| {
        format!(
            "[mcp_servers.codex-{at}]\nurl = \"https://c{at}.example/mcp\"\nbearer_token_env_var = \"T\"\n"
        )
    });
    files.push(write(home, ".codex/config.toml", &toml)?);
    let yaml = each(|at| {
        format!(
            "  goose-{at}:\n    type: streamable_http\n    uri: https://g{at}.example/mcp\n    enabled: true\n"
        )
    });
    files.push(write(home, ".config/goose/config.yaml", &format!("extensions:\n{yaml}"))?);
    Ok(files)
}

/// So many servers of a host under `key`, every other one local.
fn servers(host: &str, key: &str, count: usize) -> String {
    let entry = |at: usize| match at % 2 {
        0 => format!(
            r#""{host}-{at}": {{"type": "http", "url": "https://{host}{at}.example/mcp", "headers": {{"X-Team": "blue"}}}}"#
        ),
        _ => format!(
            r#""{host}-{at}": {{"command": "npx", "args": ["-y", "@{host}/server-{at}"], "env": {{"LEVEL": "info"}}}}"#
        ),
    };
    let entries: Vec<String> = (0..count).map(entry).collect();
    format!("{{\"{key}\": {{\n  {}\n}}}}\n", entries.join(",\n  "))
}

fn write(home: &Path, path: &str, text: &str) -> io::Result<PathBuf> {
    let path = home.join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, text)?;
    Ok(path)
}
