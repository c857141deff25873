//! Words of other hosts, and what to write instead.
//!
//! People copy entries and files from one host to another. What the hosts have is known in [`hosts`](crate::hosts); nothing
//! of it is honoured in a file of ours, and here is what to say about it.

use crate::hosts::{FieldMeaning, words};
use crate::json::Object;

/// The `type` that is meant by another host's.
pub(crate) fn kind(word: &str) -> Option<&'static str> {
    words::kind(word)
}

/// The first field of an entry that holds the address of its server in another host's word, with what to do about it.
pub(crate) fn url(entry: &Object) -> Option<(&str, &'static str)> {
    entry.iter().find_map(|member| {
        let address = member.node.as_str()?;
        let row = words::field(&member.key).filter(|row| matches!(row.means, FieldMeaning::Address(_)))?;
        let instead = row.instead?;
        (address.contains("://") || address.contains('.')).then_some((&*member.key, instead))
    })
}

/// What to do instead of using `field`.
pub(crate) fn field(field: &str) -> Option<String> {
    words::field(field)?.instead.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a36_types_of_other_hosts_are_known_however_they_are_written() {
        for (theirs, ours) in [
            ("remote", Some("http")),
            ("local", Some("stdio")),
            ("http-stream", Some("http")),
            ("streamableHttp", Some("http")),
            ("STREAMABLE_HTTP", Some("http")),
            ("websocket", Some("ws")),
            ("HTTP+SSE", Some("sse")),
            ("smoke", None),
        ] {
            assert_eq!(kind(theirs), ours, "{theirs}");
        }
    }
}
