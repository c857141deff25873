//! The name of a secret, as `mcplink secret` takes it.

use mcp_auth::secret_store::SERVICE;

/// The longest name, in bytes.
pub(crate) const MAX: usize = 200;

/// Whether it is a service, or a name in one: a reference and a shell take it as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace() || "{}$".contains(c) || mcp_text::is_hidden(c);
    !text.is_empty() && text.len() <= MAX && !text.contains(odd)
}

/// What the command takes: the name alone where the service is ours, and the name would not be taken for one with a service.
pub(crate) fn argument(service: &str, name: &str) -> String {
    let text = match service == SERVICE && !name.contains('/') {
        true => name.to_owned(),
        false => format!("{service}/{name}"),
    };
    mcp_text::shell_word(&text)
}
