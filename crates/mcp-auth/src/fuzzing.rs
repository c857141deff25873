//! What must hold for every input that a stranger can send, as functions of bytes.
//!
//! The targets in `fuzz/` call them with what the fuzzer invents, the tests below with the committed corpus.
//! Each panics where a property is broken. Inputs of several parts have a record separator (0x1e) between them.

#[cfg(feature = "helper")]
pub use crate::helper::fuzzing::helper_output;
#[cfg(feature = "oauth")]
pub use crate::oauth::fuzzing::{oauth_answers, oauth_callback};

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use crate::Challenge;

/// Longer inputs test nothing new, and written with every quote escaped they would pass what is read of a field.
const MAX_INPUT: usize = 8 * 1024;

/// `WWW-Authenticate`: what was read, written as RFC 9110 has it, is read the same again, whether in one field or
/// in one per challenge.
pub fn www_authenticate(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(MAX_INPUT)];
    let mut headers = HeaderMap::new();
    for field in bytes.split(|byte| *byte == 0x1e) {
        if let Ok(value) = HeaderValue::from_bytes(field) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    let mut readings = vec![Challenge::parse_all(&headers)];
    readings.extend(std::str::from_utf8(bytes).map(Challenge::parse));
    for challenges in readings {
        assert!(challenges.len() <= 32, "{}", challenges.len());
        for challenge in &challenges {
            assert!(challenge.params().count() <= 32);
            assert!(challenge.scope().iter().all(|scope| !scope.is_empty()));
            for (name, _) in challenge.params() {
                assert!(challenge.param(&name.to_ascii_uppercase()).is_some(), "{name}");
            }
        }
        let written: Vec<String> = challenges.iter().map(written).collect();
        assert_eq!(Challenge::parse(&written.join(", ")), challenges);
        let mut headers = HeaderMap::new();
        let kept = written.iter().filter_map(|field| HeaderValue::from_str(field).ok());
        let kept = kept.map(|field| headers.append(WWW_AUTHENTICATE, field)).count();
        assert!(kept < written.len() || Challenge::parse_all(&headers) == challenges, "{written:?}");
    }
}

fn written(challenge: &Challenge) -> String {
    let token = challenge.token68().map(ToOwned::to_owned);
    let params = challenge
        .params()
        .map(|(name, value)| format!("{name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")));
    let rest: Vec<String> = token.into_iter().chain(params).collect();
    format!("{} {}", challenge.scheme(), rest.join(", ")).trim_end().to_owned()
}

#[cfg(test)]
#[path = "../../../fuzz/corpus.rs"]
mod corpus;

#[cfg(test)]
mod tests {
    use super::corpus::replay;

    #[test]
    fn the_corpus_of_www_authenticate() {
        replay("www_authenticate", super::www_authenticate);
    }

    #[cfg(feature = "helper")]
    #[test]
    fn the_corpus_of_helper_output() {
        replay("helper_output", super::helper_output);
    }

    #[cfg(feature = "oauth")]
    #[test]
    fn the_corpus_of_oauth_answers() {
        replay("oauth_answers", super::oauth_answers);
    }

    #[cfg(feature = "oauth")]
    #[test]
    fn the_corpus_of_oauth_callback() {
        replay("oauth_callback", super::oauth_callback);
    }
}
