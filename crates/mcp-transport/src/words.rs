//! What the causes of a failure say to a person. Errors of libraries and of the operating system become words here, and those
//! of TLS and HTTP in `http::trouble`: their own are made for programmers, change with versions, and name what is not installed.

use std::error::Error;
use std::io;

use crate::error::causes;

/// Parts of texts that say that they come from a library.
const FOREIGN: [&str; 16] = [
    "hyper",
    "reqwest",
    "rustls",
    "h2::",
    "os error",
    "error sending request",
    "tunnel error",
    "SOCKS error",
    "socks proxy",
    "socks connect",
    "tokio",
    "invalid type:",
    "client error",
    "webpki",
    "Err(",
    "Error(",
];

/// What the C libraries and systems say of a name that no one has.
const UNKNOWN_HOST: [&str; 6] = [
    "Name or service not known",
    "Name does not resolve",
    "nodename nor servname provided",
    "No address associated with",
    "No such host is known",
    "no such host",
];

/// Whether the name of a host was looked up, and no one has it. That has no kind, only a text.
pub(crate) fn is_unknown_host(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let text = cause.downcast_ref::<io::Error>().map(ToString::to_string).unwrap_or_default();
        UNKNOWN_HOST.iter().any(|known| text.contains(known))
    })
}

/// What is told where a URL has the wrong one of two schemes: this one.
pub(crate) fn other_scheme(scheme: &str) -> &'static str {
    match scheme {
        "https" => {
            "what answers does not speak TLS; a server that is reached without it has a URL with http://"
        }
        _ => "what answers speaks TLS: its URL begins with https://",
    }
}

/// What `error` and its causes say: the innermost of those whose type is known, else the innermost that is a sentence of
/// ours. `None` where there is neither.
pub(crate) fn plain(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).filter_map(of_type).last().or_else(|| causes(error).filter_map(of_ours).last())
}

/// The words of an error whose type is known.
fn of_type(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // What it wraps speaks for itself, and comes next.
        return error.get_ref().is_none_or(is_text).then(|| io_words(error));
    }
    if let Some(error) = error.downcast_ref::<serde_json::Error>() {
        return Some(json_words(error));
    }
    if error.is::<url::ParseError>() {
        return Some("not a URL".to_owned());
    }
    #[cfg(feature = "http")]
    if let Some(words) = crate::http::trouble::words(error) {
        return Some(words);
    }
    None
}

fn of_ours(error: &(dyn Error + 'static)) -> Option<String> {
    let text = error.to_string();
    (!text.is_empty() && !FOREIGN.iter().any(|word| text.contains(word))).then(|| name_words(&text))
}

/// Whether an I/O error wraps nothing but a text: then its own words are all there are.
fn is_text(wrapped: &(dyn Error + Send + Sync + 'static)) -> bool {
    wrapped.source().is_none()
        && !wrapped.is::<io::Error>()
        && !FOREIGN.iter().any(|word| format!("{wrapped:?}").contains(word))
        && format!("{wrapped:?}").starts_with('"')
}

fn io_words(error: &io::Error) -> String {
    use io::ErrorKind as Kind;
    let words = match error.kind() {
        Kind::ConnectionRefused => "connection refused",
        Kind::ConnectionReset => "connection reset",
        Kind::ConnectionAborted | Kind::BrokenPipe => "the other side closed the connection",
        Kind::NotConnected => "not connected",
        Kind::TimedOut => "timed out",
        Kind::HostUnreachable => "there is no way to that host from here",
        Kind::NetworkUnreachable => "there is no way to that network from here",
        Kind::NetworkDown => "the network is down",
        Kind::AddrNotAvailable => "that address cannot be used from here",
        Kind::PermissionDenied => "permission denied",
        Kind::NotFound => "no such file or directory",
        Kind::UnexpectedEof => "it ended early",
        _ => return name_words(&error.to_string()),
    };
    words.to_owned()
}

/// What a resolver says has no kind, only a text, which is that of the C library or of the system. The rest keeps its words,
/// without the number.
fn name_words(text: &str) -> String {
    const UNREACHABLE: [&str; 4] = [
        "Temporary failure in name resolution",
        "Try again",
        "Non-recoverable failure in name",
        "nonauthoritative",
    ];
    let says = |texts: &[&str]| texts.iter().any(|known| text.contains(known));
    if says(&UNKNOWN_HOST) {
        return "there is no host of that name".to_owned();
    }
    if says(&UNREACHABLE) {
        return "the name cannot be looked up now: the name server does not answer".to_owned();
    }
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut chars = text.chars();
    match chars.next() {
        // Not an abbreviation.
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

fn json_words(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    let at = format!("(line {}, column {})", error.line(), error.column());
    match error.classify() {
        Category::Eof => format!("JSON that breaks off {at}"),
        Category::Syntax => format!("not JSON {at}"),
        Category::Data => format!("JSON of another form than was due {at}"),
        Category::Io => "it could not be read".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fa_a89_fh_h14_errors_of_the_system_and_of_parsers_are_told_in_plain_words() {
        let json = |text: &str| serde_json::from_str::<Vec<u8>>(text).unwrap_err();
        let lookup = |text: &str| io::Error::other(format!("failed to lookup address information: {text}"));
        let unknown = "there is no host of that name";
        let unreachable = "the name cannot be looked up now: the name server does not answer";
        let table: [(Box<dyn Error>, &str); 16] = [
            (
                Box::new(io::Error::from_raw_os_error(if cfg!(target_os = "linux") { 111 } else { 61 })),
                "connection refused",
            ),
            (Box::new(io::Error::from(io::ErrorKind::ConnectionReset)), "connection reset"),
            (Box::new(io::Error::from(io::ErrorKind::TimedOut)), "timed out"),
            (Box::new(io::Error::from_raw_os_error(2)), "no such file or directory"),
            (Box::new(io::Error::from_raw_os_error(24)), "too many open files"),
            (
                Box::new(io::Error::other(io::Error::from(io::ErrorKind::BrokenPipe))),
                "the other side closed the connection",
            ),
            (Box::new(lookup("Name or service not known")), unknown),
            (Box::new(lookup("nodename nor servname provided, or not known")), unknown),
            (Box::new(lookup("No address associated with hostname")), unknown),
            (Box::new(lookup("Temporary failure in name resolution")), unreachable),
            (Box::new(lookup("Try again")), unreachable),
            (Box::new(json("[1, 2")), "JSON that breaks off (line 1, column 5)"),
            (Box::new(json("oops")), "not JSON (line 1, column 1)"),
            (Box::new(json("{}")), "JSON of another form than was due (line 1, column 0)"),
            (Box::new(url::Url::parse("x").unwrap_err()), "not a URL"),
            ("a fragment of ours".into(), "a fragment of ours"),
        ];
        for (error, expected) in table {
            assert_eq!(plain(&*error).as_deref(), Some(expected), "{error:?}");
        }
        let foreign: Box<dyn Error> = "hyper_util::client::legacy::Error(Connect, Os { code: 1 })".into();
        assert_eq!(plain(&*foreign), None);
    }

    /// Whatever kind of I/O error there is, its words name no number and no library.
    #[test]
    fn fa_a89_no_number_of_the_system_is_told() {
        for number in 1..140 {
            let words = plain(&io::Error::from_raw_os_error(number)).unwrap();
            assert!(
                !FOREIGN.iter().any(|word| words.contains(word)) && !words.is_empty(),
                "{number}: {words}"
            );
        }
    }
}
