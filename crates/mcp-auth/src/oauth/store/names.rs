//! Names of records, as files and in databases: a part for people, and a hash that makes them unique.

use std::fmt::Write as _;

use ring::digest::{Context, SHA256};

use super::records::{ClientKey, TokenKey};

/// The name of a sign-in's files, without extension. Begins with [`server_prefix`].
pub(super) fn token_name(key: &TokenKey) -> String {
    // Without an account the name is that of a version that knew none.
    let mut parts = vec![key.server_name(), key.resource(), key.issuer()];
    parts.extend(key.account());
    let kind = if key.route().is_some() { "tokens by" } else { "tokens" };
    parts.extend(key.route());
    server_prefix(key.server_name()) + &hash(kind, &parts, 16)
}

/// What the names of all sign-ins of a server entry begin with.
pub(super) fn server_prefix(server_name: &str) -> String {
    format!("{}-{}-", slug(server_name), hash("server", &[server_name], 6))
}

/// The name of a client's files, without extension.
pub(super) fn client_name(key: &ClientKey) -> String {
    let (kind, of) = match key {
        ClientKey::Registered { issuer } => ("registered", &**issuer),
        ClientKey::Configured { server_name } => ("configured", &**server_name),
    };
    let readable = of.split_once("://").map_or(of, |(_, rest)| rest);
    format!("{kind}-{}-{}", slug(readable), hash(kind, &[of], 16))
}

/// Letters and digits that are safe on every file system, in one case because some do not tell cases apart.
fn slug(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    text.chars().take(24).map(safe).collect()
}

/// The first `bytes` bytes of a SHA-256, in hex. Lengths go in as well, so that parts cannot run into each other.
fn hash(kind: &str, parts: &[&str], bytes: usize) -> String {
    let mut context = Context::new(&SHA256);
    for part in [kind].iter().chain(parts) {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    digest.as_ref().iter().take(bytes).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    fn key(server: &str, resource: &str, issuer: &str) -> TokenKey {
        TokenKey::new(server, &Url::parse(resource).unwrap(), issuer)
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let a = token_name(&key("a", "https://h/mcp", "https://i"));
        assert_eq!(a, token_name(&key("a", "https://h/mcp#fragment", "https://i")));
        for other in [
            key("b", "https://h/mcp", "https://i"),
            key("A", "https://h/mcp", "https://i"),
            key("a", "https://h/mcp/", "https://i"),
            key("a", "https://h/mcp?tenant=1", "https://i"),
            key("a", "https://h/mcp", "https://i/"),
            key("a", "https://h/mcp", "https://i").with_account(Some("second".to_owned())),
            key("a", "https://h/mcp", "https://i").with_route(Some("second".to_owned())),
        ] {
            assert_ne!(a, token_name(&other), "{other:?}");
        }
        let second = key("a", "https://h/mcp", "https://i").with_account(Some("second".to_owned()));
        let by = key("a", "https://h/mcp", "https://i").with_route(Some("second".to_owned()));
        assert_ne!(token_name(&second), token_name(&by), "an account is no way");
    }

    #[test]
    fn names_are_safe_whatever_the_entry_is_called() {
        let long = "x".repeat(4000);
        for server in ["../../etc/passwd", "", "nul\0", "a/b\\c:d", "crème 🍮", &long] {
            let name = token_name(&key(server, "https://h/", "i"));
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{name}");
            assert!(name.len() < 100 && name.starts_with(&server_prefix(server)), "{name}");
        }
        let client = client_name(&ClientKey::registered("https://as.example/tenant"));
        assert!(client.starts_with("registered-as_example_tenant-"), "{client}");
    }
}
