//! Words of other hosts, and what to write instead.
//!
//! People copy entries and files from one host to another. What the hosts have is known in [`hosts`](crate::hosts); nothing
//! of it is honoured in a file of ours, and here is what to say about it.

use crate::hosts::{FieldMeaning, KnownHost, words};
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
    match words::field(field) {
        Some(row) => row.instead.map(str::to_owned),
        None => of_one_host(field),
    }
}

/// The same of a word that one host alone has, or few.
fn of_one_host(field: &str) -> Option<String> {
    let (host, means) = KnownHost::all().find_map(|host| {
        let (_, means) = host.fields.iter().find(|(word, _)| *word == field)?;
        Some((host, *means))
    })?;
    let whose = format!("it is {}'s word", host.title);
    Some(match means {
        FieldMeaning::Is(ours) | FieldMeaning::Time(ours, _) => format!("{whose}: use `{ours}`"),
        FieldMeaning::Address(_) => format!("{whose}: write \"type\": \"http\" and the address as `url`"),
        FieldMeaning::Command | FieldMeaning::CommandLine => format!("{whose}: use `command` and `args`"),
        FieldMeaning::Headers | FieldMeaning::HeaderVariables => format!("{whose}: use `headers`"),
        FieldMeaning::Bearer | FieldMeaning::BearerToken => format!("{whose}: {}", words::BEARER),
        FieldMeaning::OAuthField(ours) => format!("{whose}: use `oauth`: {{\"{ours}\": ..}}"),
        FieldMeaning::Lost(why) | FieldMeaning::OneOf(_, why) => format!("{whose}: {why}"),
        _ => format!("{whose}, and says nothing of how a server is reached"),
    })
}

/// What to do instead of using `field` in an `oauth` block.
pub(crate) fn oauth_field(field: &str) -> Option<String> {
    let (_, means) = words::OAUTH.iter().find(|(word, _)| *word == field)?;
    Some(match means {
        FieldMeaning::Is(ours) => format!("use `{ours}`"),
        FieldMeaning::ClientSecret => "write `clientSecret`, with a reference to it".to_owned(),
        FieldMeaning::Lost(why) => (*why).to_owned(),
        _ => "leave it out: it is found out by asking the server".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whichever host's word it is, what to write is known, or that it decides nothing.
    #[test]
    fn fh_h5_every_word_of_every_host_has_an_answer() {
        for (word, said) in [
            ("serverUrl", "the address as `url`"),
            ("bearer_token_env_var", "Bearer ${NAME}"),
            ("base_url", "it is mcporter's word: write \"type\""),
            ("executable", "use `command` and `args`"),
            ("tcp", "it is Gemini CLI's word: this transport is not spoken here"),
            ("trust", "it is Gemini CLI's word, and says nothing of how a server is reached"),
            ("lifecycle", "it is mcporter's word, and says nothing"),
            ("oauth_redirect_url", "use `oauth`: {\"redirectUri\": ..}"),
        ] {
            let found = field(word).unwrap_or_default();
            assert!(found.contains(said), "{word}: {found}");
        }
        for (word, _) in KnownHost::all().flat_map(|host| host.fields) {
            assert!(field(word).is_some() || words::field(word).is_some(), "{word}");
        }
        for (word, said) in [
            ("client_id", "use `clientId`"),
            ("redirectPort", "use `callbackPort`"),
            ("callback_url", "use `redirectUri`"),
            ("CLIENT_SECRET", "with a reference to it"),
            ("tokenUrl", "found out by asking the server"),
            ("token_endpoint_auth_method", "leave it out"),
        ] {
            let found = oauth_field(word).unwrap_or_default();
            assert!(found.contains(said), "{word}: {found}");
        }
        assert_eq!((field("colour"), oauth_field("colour")), (None, None));
    }

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
