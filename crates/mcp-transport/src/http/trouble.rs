//! What went wrong on the way, as types tell it and in plain words: TLS, HTTP, HTTP/2, and what lies between.
//!
//! Longer than 500 lines because each cause stands with its words, and the table of them with the tests.

use std::error::Error;
use std::fmt;

use http::{HeaderMap, StatusCode, header};
use mcp_status::TlsFault;
use rustls::{AlertDescription, CertificateError, Error as TlsError, OtherError, PeerIncompatible};

use super::dial::{LocalDnsError, ProxyTlsError};
use crate::error::{TimeoutStage, TransportError, TransportErrorKind, causes};
use crate::words;

/// Where a request failed, as far as the HTTP client says so.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stage {
    /// It could not be made.
    pub(super) builder: bool,
    /// No connection was made.
    pub(super) connect: bool,
    pub(super) timeout: bool,
    /// It was to go by a proxy of this kind.
    pub(super) proxy: Option<Kind>,
}

/// The kind of a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Http,
    Socks,
}

const NO_TUNNEL: &str = "tunnel error";

/// What a SOCKS proxy answers that is well, of a server that is not (RFC 1928 section 6).
const OF_THE_SERVER: [&str; 3] =
    ["SOCKS error: network unreachable", "SOCKS error: host unreachable", "SOCKS error: connection refused"];

/// What a failed exchange was, from the types in its chain of causes.
pub(super) fn explain(error: Box<dyn Error + Send + Sync>, stage: Stage) -> TransportError {
    use TransportErrorKind as Is;
    let has = |is: fn(&(dyn Error + 'static)) -> bool| causes(&*error).any(is);
    let text = |part: &str| causes(&*error).any(|cause| cause.to_string().contains(part));
    let (kind, message) = if stage.builder {
        (Is::Misconfigured, "the request cannot be sent as it is")
    } else if has(|cause| cause.is::<ProxyTlsError>()) {
        (Is::Proxy { status: None }, "the TLS connection to the proxy failed")
    } else if has(|cause| cause.is::<TlsError>()) {
        (Is::Tls, "the TLS handshake failed")
    } else if stage.connect {
        // The library keeps the types of its proxies private, so their texts are all there is; tests against proxies that
        // fail in each way notice when they change.
        if text("proxy authorization required")
            || text("credentials not accepted")
            || text("user/pass authentication")
        {
            (Is::Proxy { status: Some(407) }, "the proxy wants credentials")
        } else if has(|cause| cause.is::<LocalDnsError>()) {
            // The proxy was not asked for anything.
            (Is::Unreachable, "the name of the server is not known")
        } else if OF_THE_SERVER.iter().any(|reply| text(reply)) {
            (Is::Unreachable, "the proxy does not reach the server")
        } else if stage.proxy.is_some() && !stage.timeout {
            (Is::Proxy { status: None }, "the proxy cannot be reached, or does not let the request through")
        } else if stage.timeout {
            (Is::Timeout { stage: TimeoutStage::Connect }, "the connection timed out")
        } else {
            (Is::Unreachable, "the connection failed")
        }
    } else if has(is_breach) {
        (Is::Protocol, "what came back is not HTTP")
    } else if stage.timeout {
        (Is::Timeout { stage: TimeoutStage::FirstByte }, "the connection timed out")
    } else {
        (Is::Dropped, "the connection ended before the answer did")
    };
    let said = match kind {
        // That says all there is to say.
        Is::Proxy { status: Some(_) } => None,
        // Only of its URL can the library say that, and it says so in its own terms.
        Is::Misconfigured => Some("its `url` has characters that no request can carry (RFC 3986)".to_owned()),
        Is::Unreachable if has(|cause| cause.is::<LocalDnsError>()) => {
            let why =
                words::plain(&*error).unwrap_or_else(|| "the name of the server is not known".to_owned());
            Some(format!("{why}, looked up here; a proxy of `socks5h://` looks names up itself"))
        }
        Is::Proxy { .. } if has(|cause| cause.is::<ProxyTlsError>()) => Some(words_at_proxy(&*error)),
        _ => words::plain(&*error).or_else(|| proxy_words(&*error)).or_else(|| Some(message.to_owned())),
    };
    TransportError::new(kind, message).with_said(said).with_source(error)
}

/// Whether the name of the server was looked up here, though there is a proxy.
pub(crate) fn was_looked_up_here(error: &TransportError) -> bool {
    causes(error).any(|cause| cause.is::<LocalDnsError>())
}

/// Whether a limit of time was over, of the system or of the library.
pub(super) fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
            || cause
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
    })
}

/// Whether a server of HTTP/2 has not acted on a request and says so: it goes away in peace, or takes no more at a time.
pub(super) fn is_turned_away(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref::<h2::Error>()).any(|error| {
        let is = |reason| error.is_remote() && error.reason() == Some(reason);
        (error.is_go_away() && is(h2::Reason::NO_ERROR))
            || (error.is_reset() && is(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether a tunnel was refused for a reason that the library does not tell.
pub(super) fn refused_a_tunnel(error: &TransportError) -> bool {
    let unsuccessful = |cause: &(dyn Error + 'static)| {
        let text = cause.to_string();
        text.contains(NO_TUNNEL) && !text.contains("underlying connection")
    };
    matches!(error.kind(), TransportErrorKind::Proxy { status: None }) && causes(error).any(unsuccessful)
}

/// Whether the other side ended the connection and said nothing.
pub(super) fn ended_without_a_word(error: &TransportError) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    causes(error).any(|cause| {
        cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_incomplete_message)
            || cause.downcast_ref::<std::io::Error>().is_some_and(|io| {
                matches!(io.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
            })
    })
}

/// Whether no way leads to the address of the server.
pub(super) fn has_no_way(error: &TransportError) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, HostUnreachable, NetworkUnreachable};
    let kinds = [AddrNotAvailable, HostUnreachable, NetworkUnreachable];
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|io| kinds.contains(&io.kind()))
}

/// What is wrong with the TLS of a proxy itself: the words for a server, about the proxy.
fn words_at_proxy(error: &(dyn Error + 'static)) -> String {
    match causes(error).find_map(|cause| cause.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidMessage(_)) => "it does not speak TLS: its URL begins with http://".to_owned(),
        Some(error) => tls(error).replace("the server", "the proxy"),
        None => words::plain(error).unwrap_or_else(|| "it broke the TLS handshake off".to_owned()),
    }
}

/// What a proxy that is not an HTTP server said, and what one did that is.
fn proxy_words(error: &(dyn Error + 'static)) -> Option<String> {
    causes(error).find_map(|cause| {
        let text = cause.to_string();
        let socks = text.split_once("SOCKS error: ").map(|(_, said)| match said {
            "failed to create underlying connection" => "it does not answer".to_owned(),
            "io error during SOCKS handshake" | "failed parsing server response" => {
                "it does not speak SOCKS".to_owned()
            }
            "could not resolve to acceptable address type" => {
                "there is no host of that name here; a proxy of `socks5h://` looks names up itself".to_owned()
            }
            // RFC 1928 section 6.
            "general server failure" => "it failed, and does not say at what".to_owned(),
            "connection not allowed" => "its rules do not allow this connection".to_owned(),
            "network unreachable" => "the proxy has no way to the network of the server".to_owned(),
            "host unreachable" => "the proxy has no way to the host of the server".to_owned(),
            "connection refused" => "the server refused the connection of the proxy".to_owned(),
            "server failed to execute command" => "it refused, or does not reach the server".to_owned(),
            said => format!("it says: {said}"),
        });
        socks.or_else(|| text.contains(NO_TUNNEL).then(|| "it did not open the way to the server".to_owned()))
    })
}

/// Whether the peer broke the rules of HTTP: a head that cannot be read, or a body whose framing cannot.
fn is_breach(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind;
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
        || error.downcast_ref::<h2::Error>().is_some_and(breaks_http_2)
        || error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData))
}

/// Whether it is a breach of HTTP/2 that was noticed here, or a demand that cannot be met.
fn breaks_http_2(error: &h2::Error) -> bool {
    let demands = [h2::Reason::HTTP_1_1_REQUIRED, h2::Reason::INADEQUATE_SECURITY];
    error.is_library() || error.reason().is_some_and(|reason| demands.contains(&reason))
}

/// The words of an error of TLS or HTTP; `None` where it is not one of these.
pub(crate) fn words(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<TlsError>() {
        return Some(tls(error));
    }
    if let Some(error) = error.downcast_ref::<h2::Error>() {
        // What it wraps comes next.
        return (!error.is_io()).then(|| http_2(error));
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    Some(
        match error {
            // Only where it is built as a server does the library have a method for it.
            error if error.is_parse() && error.to_string().contains("too large") => {
                "the head of the answer is too long"
            }
            error if error.is_parse() => "what came back is not HTTP",
            error if error.is_timeout() => "it took too long",
            _ => "the connection ended before the answer did",
        }
        .to_owned(),
    )
}

fn http_2(error: &h2::Error) -> String {
    use h2::Reason;
    let Some(reason) = error.reason() else { return "the rules of HTTP/2 were broken".to_owned() };
    const NAMES: [(Reason, &str); 14] = [
        (Reason::NO_ERROR, "NO_ERROR"),
        (Reason::PROTOCOL_ERROR, "PROTOCOL_ERROR"),
        (Reason::INTERNAL_ERROR, "INTERNAL_ERROR"),
        (Reason::FLOW_CONTROL_ERROR, "FLOW_CONTROL_ERROR"),
        (Reason::SETTINGS_TIMEOUT, "SETTINGS_TIMEOUT"),
        (Reason::STREAM_CLOSED, "STREAM_CLOSED"),
        (Reason::FRAME_SIZE_ERROR, "FRAME_SIZE_ERROR"),
        (Reason::REFUSED_STREAM, "REFUSED_STREAM"),
        (Reason::CANCEL, "CANCEL"),
        (Reason::COMPRESSION_ERROR, "COMPRESSION_ERROR"),
        (Reason::CONNECT_ERROR, "CONNECT_ERROR"),
        (Reason::ENHANCE_YOUR_CALM, "ENHANCE_YOUR_CALM"),
        (Reason::INADEQUATE_SECURITY, "INADEQUATE_SECURITY"),
        (Reason::HTTP_1_1_REQUIRED, "HTTP_1_1_REQUIRED"),
    ];
    let name = NAMES.iter().find(|(known, _)| *known == reason).map(|(_, name)| *name);
    // RFC 9113 section 7 has the names.
    let name = name.map_or_else(|| format!("code {}", u32::from(reason)), str::to_owned);
    match reason {
        _ if error.is_library() => format!("the server broke the rules of HTTP/2 ({name})"),
        Reason::HTTP_1_1_REQUIRED => format!("the server wants HTTP/1.1 for this ({name})"),
        Reason::INADEQUATE_SECURITY => {
            format!("the server does not find the TLS connection safe enough ({name})")
        }
        Reason::ENHANCE_YOUR_CALM => format!("the server finds that it is asked too much ({name})"),
        _ if error.is_go_away() => format!("the server ended the HTTP/2 connection ({name})"),
        _ => format!("the server broke the request off (HTTP/2: {name})"),
    }
}

fn tls(error: &TlsError) -> String {
    use AlertDescription as Alert;
    match error {
        TlsError::InvalidCertificate(error) => certificate(error),
        TlsError::InvalidMessage(_) => {
            words::other_scheme("https").to_owned()
        }
        TlsError::AlertReceived(Alert::ProtocolVersion)
        | TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => "no version of TLS in common: 1.2 and 1.3 are spoken here, and the server is older".to_owned(),
        TlsError::AlertReceived(Alert::CertificateRequired) => {
            "the server wants a certificate of the client".to_owned()
        }
        TlsError::AlertReceived(
            Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate,
        ) => "the server does not take the certificate of the client".to_owned(),
        TlsError::AlertReceived(Alert::CertificateExpired) => {
            "the certificate of the client has expired, says the server".to_owned()
        }
        TlsError::AlertReceived(Alert::CertificateRevoked) => {
            "the certificate of the client is revoked, says the server".to_owned()
        }
        TlsError::AlertReceived(Alert::UnrecognisedName) => {
            "the server has no certificate for that name".to_owned()
        }
        TlsError::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)
        | TlsError::PeerIncompatible(_) => {
            "no way to encrypt in common; its certificate may have a key of a kind that is not taken here, such as P-521 or Ed448, or it wants one of the client".to_owned()
        }
        TlsError::AlertReceived(_) => "the server broke the handshake off".to_owned(),
        TlsError::General(_) => {
            "no certificate authority could be loaded: see SSL_CERT_FILE and SSL_CERT_DIR, or install those of the system"
                .to_owned()
        }
        _ => "the server broke the rules of TLS".to_owned(),
    }
}

/// Who can mend it, where what made `error` was TLS.
pub(crate) fn tls_fault(error: &(dyn Error + 'static)) -> Option<TlsFault> {
    use AlertDescription as Alert;
    Some(match causes(error).find_map(|cause| cause.downcast_ref::<TlsError>())? {
        TlsError::InvalidMessage(_) => TlsFault::NotSpoken,
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )
        | TlsError::AlertReceived(Alert::UnrecognisedName) => TlsFault::OtherName,
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer) | TlsError::General(_) => {
            TlsFault::UnknownAuthority
        }
        TlsError::InvalidCertificate(CertificateError::Other(other))
            if other.0.is::<UntrustedCertificate>() =>
        {
            TlsFault::UnknownAuthority
        }
        TlsError::AlertReceived(
            Alert::CertificateRequired
            | Alert::AccessDenied
            | Alert::BadCertificate
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::UnsupportedCertificate
            | Alert::CertificateExpired
            | Alert::CertificateRevoked,
        ) => TlsFault::ClientCertificate,
        _ => TlsFault::OfServer,
    })
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the certificate of the server has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate of the server is not valid yet; is the clock of this machine right?".to_owned()
        }
        CertificateError::NotValidForName => "the certificate of the server is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let (expected, names) = (expected.to_str(), presented_names(presented));
            match names.is_empty() {
                true => format!(
                    "the certificate of the server names no host (no subjectAltName), so not {expected}"
                ),
                false => format!("the certificate of the server is for {names}, not for {expected}"),
            }
        }
        CertificateError::UnknownIssuer => UntrustedCertificate::default().to_string(),
        CertificateError::Revoked => "the certificate of the server has been revoked".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not made for a server".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: signature, ..
        } => signed_otherwise(signature, &[]),
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id,
            public_key_algorithm_id,
        } => signed_otherwise(signature_algorithm_id, public_key_algorithm_id),
        CertificateError::BadSignature => {
            format!(
                "the signature of the certificate of the server does not match, or its key is too short: {TAKEN}"
            )
        }
        CertificateError::UnhandledCriticalExtension => {
            "the certificate of the server demands something that is not known here (a critical extension)"
                .to_owned()
        }
        CertificateError::Other(other) => match other.0.downcast_ref::<UntrustedCertificate>() {
            Some(untrusted) => untrusted.to_string(),
            None => format!("the certificate of the server {}", of_its_form(other)),
        },
        _ => "the certificate of the server is damaged, or of a kind that is not supported".to_owned(),
    }
}

/// What keys of certificates can be.
pub(super) const TAKEN: &str = "RSA of 2048 bits and more, P-256, P-384 and Ed25519 are taken";

/// What is wrong with the form of a certificate: the library wraps another one's error, whose only text is its name.
pub(super) fn of_its_form(error: &OtherError) -> &'static str {
    match &*error.0.to_string() {
        "UnsupportedCertVersion" => {
            "is of version 1 of X.509, and only version 3 is read, which tools make where an extension is added (`-addext`, `-extfile`)"
        }
        "CaUsedAsEndEntity" => "is that of an authority (CA:TRUE), and no server's own",
        "UnsupportedCriticalExtension" => "demands something that is not known here (a critical extension)",
        "NameConstraintViolation" => "has a name that its authority may not vouch for (name constraints)",
        "PathLenConstraintViolated" => {
            "stands behind more authorities than the first of them allows (pathlen)"
        }
        _ => "cannot be used",
    }
}

/// A signature in a certificate that cannot be checked here; what kind it is, as far as it has a name that people use.
fn signed_otherwise(signature: &[u8], key: &[u8]) -> String {
    // Object identifiers (RFC 3279, RFC 5480, RFC 5758, RFC 8410), as they stand in DER.
    const KINDS: [(&[u8], &str); 9] = [
        (&[0x2b, 0x81, 4, 0, 0x23], "a key on P-521"),
        (&[0x2b, 0x81, 4, 0, 0x0a], "a key on secp256k1"),
        (&[0x2b, 0x65, 0x71], "Ed448"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4], "DSA"),
        (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3], "DSA"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4], "ECDSA with SHA-512, as by a key on P-521"),
        (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], "SHA-1"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5], "SHA-1"),
        (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4], "MD5"),
    ];
    let is_in = |kind: &[u8], der: &[u8]| der.windows(kind.len()).any(|window| window == kind);
    let named = KINDS.iter().find(|(kind, _)| is_in(kind, key) || is_in(kind, signature));
    let named = named.map(|(_, name)| format!(" ({name})")).unwrap_or_default();
    format!(
        "the certificate of the server, or one that vouches for it, is signed in a way that is not taken here{named}: {TAKEN}, with SHA-256 or SHA-384"
    )
}

/// At most three names, as they stand in the certificate.
fn presented_names(presented: &[String]) -> String {
    // The library writes `DnsName("a.example")`.
    let inner = |name: &String| {
        let name = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest.trim_end_matches(')'));
        mcp_text::line(name.trim_matches('"'), 80)
    };
    let mut names: Vec<String> =
        presented.iter().take(3).map(inner).filter(|name| !name.is_empty()).collect();
    if presented.len() > 3 {
        names.push(format!("{} more", presented.len() - 3));
    }
    names.join(", ")
}

/// A certificate that nothing here vouches for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct UntrustedCertificate {
    /// Nothing but itself.
    pub(super) self_signed: bool,
    /// The server sent no other certificate, which could vouch for it.
    pub(super) is_alone: bool,
    /// What was to be trusted in addition, and could not be read.
    pub(super) unusable: Vec<String>,
}

impl fmt::Display for UntrustedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.self_signed {
            true => "the certificate of the server is self-signed",
            false => "the certificate of the server is signed by an authority that is not trusted here",
        })?;
        // A file that was named and cannot be read is the likelier cause.
        if self.is_alone && !self.self_signed && self.unusable.is_empty() {
            f.write_str("; it sends its own certificate alone, without its chain")?;
        }
        self.unusable.iter().try_for_each(|unusable| write!(f, "; {unusable}"))
    }
}

impl Error for UntrustedCertificate {}

/// Whether the body of a refusal says that the port wants TLS: what Apache, nginx, Go and Node answer to HTTP without it.
pub(super) fn wants_tls(body: &[u8]) -> bool {
    const WORDS: [&str; 4] = [
        "plain http request was sent to https port",
        "sent an http request to an https server",
        "speaking plain http to an ssl-enabled server port",
        "this combination of host and port requires tls",
    ];
    let body = String::from_utf8_lossy(&body[..body.len().min(4096)]).to_ascii_lowercase();
    WORDS.iter().any(|words| body.contains(words))
}

/// What the head of an answer asks for that a message cannot do: to be read somewhere else, or to become another protocol.
pub(super) fn asks_for_something_else(status: StatusCode, headers: &HeaderMap) -> Option<String> {
    // RFC 9110 sections 15.5.22 and 7.8.
    if status == StatusCode::UPGRADE_REQUIRED {
        let protocol = headers.get(header::UPGRADE)?.to_str().ok()?;
        return Some(format!("it asks to upgrade to {protocol}"));
    }
    match (status.is_redirection(), headers.contains_key(header::LOCATION)) {
        (true, true) => {
            Some("it says that the answer is on another page, which MCP does not know".to_owned())
        }
        (true, false) => Some("it redirects without saying where to".to_owned()),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use rustls::PeerMisbehaved;

    use super::*;

    const FOREIGN: [&str; 9] = [
        "hyper",
        "reqwest",
        "rustls",
        "os error",
        "error sending",
        "Other(",
        "Context",
        "InvalidContentType",
        "tunnel error",
    ];

    fn explained(error: impl Error + Send + Sync + 'static, stage: Stage) -> (TransportErrorKind, String) {
        let error = explain(Box::new(error), stage);
        (error.kind().clone(), error.said().unwrap_or_default().to_owned())
    }

    #[test]
    fn who_can_mend_a_failure_of_tls_is_read_from_its_type() {
        use AlertDescription as Alert;
        let bad = TlsError::InvalidCertificate;
        let untrusted = CertificateError::Other(OtherError(Arc::new(UntrustedCertificate::default())));
        let another = CertificateError::Other(OtherError(Arc::new(io::Error::other("CaUsedAsEndEntity"))));
        for (error, fault) in [
            (TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType), TlsFault::NotSpoken),
            (bad(CertificateError::NotValidForName), TlsFault::OtherName),
            (TlsError::AlertReceived(Alert::UnrecognisedName), TlsFault::OtherName),
            (bad(CertificateError::UnknownIssuer), TlsFault::UnknownAuthority),
            (bad(untrusted), TlsFault::UnknownAuthority),
            (bad(another), TlsFault::OfServer),
            (TlsError::AlertReceived(Alert::CertificateRequired), TlsFault::ClientCertificate),
            (TlsError::AlertReceived(Alert::UnknownCA), TlsFault::ClientCertificate),
            (bad(CertificateError::Expired), TlsFault::OfServer),
            (TlsError::AlertReceived(Alert::ProtocolVersion), TlsFault::OfServer),
        ] {
            let shown = error.to_string();
            let wrapped =
                explain(Box::new(io::Error::other(error)), Stage { connect: true, ..Stage::default() });
            assert_eq!(wrapped.evidence().tls, Some(fault), "{shown}");
        }
        let other = explain(Box::new(io::Error::other("x")), Stage { connect: true, ..Stage::default() });
        assert_eq!(other.evidence().tls, None);
    }

    /// Every kind of TLS error, wrapped as the connection wraps it.
    #[test]
    fn fa_a89_fh_h14_every_kind_of_tls_failure_has_plain_words() {
        use CertificateError as Bad;
        let name = || rustls::pki_types::ServerName::try_from("b.example").unwrap();
        let bad = TlsError::InvalidCertificate;
        let wrong_name = |presented: &[&str]| Bad::NotValidForNameContext {
            expected: name(),
            presented: presented.iter().map(|name| format!("DnsName(\"{name}\")")).collect(),
        };
        let untrusted = |self_signed| {
            let unusable = vec!["NODE_EXTRA_CA_CERTS names /x, which is not there".to_owned()];
            Bad::Other(OtherError(Arc::new(UntrustedCertificate {
                self_signed,
                is_alone: self_signed,
                unusable,
            })))
        };
        let other = |name: &'static str| Bad::Other(OtherError(Arc::new(io::Error::other(name))));
        for (error, words) in [
            (bad(Bad::Expired), "has expired"),
            (bad(Bad::NotValidYet), "clock"),
            (bad(Bad::NotValidForName), "another name"),
            (bad(wrong_name(&["a.example"])), "is for a.example, not for b.example"),
            (bad(wrong_name(&["a", "b", "c", "d", "e"])), "a, b, c, 2 more"),
            (bad(wrong_name(&[])), "names no host"),
            (bad(Bad::UnknownIssuer), "not trusted here"),
            (bad(untrusted(true)), "self-signed; NODE_EXTRA_CA_CERTS names /x"),
            (bad(untrusted(false)), "authority that is not trusted"),
            (bad(Bad::Revoked), "revoked"),
            (bad(Bad::InvalidPurpose), "not made for a server"),
            (bad(Bad::BadEncoding), "damaged"),
            (bad(other("CaUsedAsEndEntity")), "is that of an authority (CA:TRUE)"),
            (bad(other("UnsupportedCertVersion")), "version 1 of X.509, and only version 3 is read"),
            (bad(other("MalformedExtensions")), "cannot be used"),
            (bad(Bad::BadSignature), "key is too short: RSA of 2048 bits"),
            (bad(Bad::UnhandledCriticalExtension), "not known here"),
            (
                bad(Bad::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: vec![0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
                    supported_algorithms: Vec::new(),
                }),
                "not taken here (ECDSA with SHA-512, as by a key on P-521): RSA of 2048 bits and more",
            ),
            (
                bad(Bad::UnsupportedSignatureAlgorithmForPublicKeyContext {
                    signature_algorithm_id: vec![0x06, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
                    public_key_algorithm_id: vec![0x06, 1, 0x2a, 0x06, 5, 0x2b, 0x81, 4, 0, 0x23],
                }),
                "not taken here (a key on P-521)",
            ),
            (
                bad(Bad::UnsupportedSignatureAlgorithmContext {
                    signature_algorithm_id: vec![0x06, 2, 0x55, 4],
                    supported_algorithms: Vec::new(),
                }),
                "not taken here: RSA",
            ),
            (TlsError::InvalidMessage(rustls::InvalidMessage::InvalidContentType), "does not speak TLS"),
            (TlsError::AlertReceived(AlertDescription::ProtocolVersion), "no version of TLS in common"),
            (
                TlsError::AlertReceived(AlertDescription::CertificateExpired),
                "the certificate of the client has expired",
            ),
            (
                TlsError::AlertReceived(AlertDescription::CertificateRevoked),
                "the certificate of the client is revoked",
            ),
            (
                TlsError::AlertReceived(AlertDescription::UnknownCA),
                "does not take the certificate of the client",
            ),
            (
                TlsError::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13),
                "no version of TLS in common",
            ),
            (
                TlsError::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
                "no way to encrypt in common",
            ),
            (TlsError::AlertReceived(AlertDescription::HandshakeFailure), "no way to encrypt in common"),
            (
                TlsError::AlertReceived(AlertDescription::CertificateRequired),
                "wants a certificate of the client",
            ),
            (TlsError::AlertReceived(AlertDescription::UnrecognisedName), "no certificate for that name"),
            (TlsError::AlertReceived(AlertDescription::InternalError), "broke the handshake off"),
            (TlsError::PeerMisbehaved(PeerMisbehaved::TooMuchEarlyDataReceived), "rules of TLS"),
            (TlsError::DecryptError, "rules of TLS"),
            (TlsError::General("No CA certificates were loaded from the system".into()), "SSL_CERT_FILE"),
        ] {
            let wrapped = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, error));
            let (kind, said) = explained(wrapped, Stage { connect: true, ..Stage::default() });
            assert_eq!(kind, TransportErrorKind::Tls);
            assert!(said.contains(words), "{said}");
            assert!(!FOREIGN.iter().any(|foreign| said.contains(foreign)), "{said}");
        }
    }

    #[test]
    fn fa_a89_every_reason_of_http_2_has_its_name_and_its_kind() {
        use h2::Reason;
        for (reason, words) in [
            (Reason::PROTOCOL_ERROR, "the server broke the request off (HTTP/2: PROTOCOL_ERROR)"),
            (Reason::INTERNAL_ERROR, "the server broke the request off (HTTP/2: INTERNAL_ERROR)"),
            (Reason::REFUSED_STREAM, "the server broke the request off (HTTP/2: REFUSED_STREAM)"),
            (Reason::ENHANCE_YOUR_CALM, "the server finds that it is asked too much (ENHANCE_YOUR_CALM)"),
            (Reason::HTTP_1_1_REQUIRED, "the server wants HTTP/1.1 for this (HTTP_1_1_REQUIRED)"),
            (
                Reason::INADEQUATE_SECURITY,
                "the server does not find the TLS connection safe enough (INADEQUATE_SECURITY)",
            ),
            (Reason::from(99), "the server broke the request off (HTTP/2: code 99)"),
        ] {
            let (kind, said) = explained(h2::Error::from(reason), Stage::default());
            assert_eq!(said, words);
            let demand = matches!(reason, Reason::HTTP_1_1_REQUIRED | Reason::INADEQUATE_SECURITY);
            let expected = if demand { TransportErrorKind::Protocol } else { TransportErrorKind::Dropped };
            assert_eq!(kind, expected, "{said}");
        }
    }

    #[test]
    fn fa_a86_a88_what_a_proxy_does_is_told_from_what_the_server_does() {
        let by = |proxy| Stage { connect: true, proxy: Some(proxy), ..Stage::default() };
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let no_proxy = TransportErrorKind::Proxy { status: None };
        let credentials = TransportErrorKind::Proxy { status: Some(407) };
        let no_server = TransportErrorKind::Unreachable;
        assert_eq!(explained(refused(), by(Kind::Http)), (no_proxy.clone(), "connection refused".to_owned()));
        for (text, kind, said) in [
            ("tunnel error: proxy authorization required", &credentials, ""),
            ("tunnel error: unsuccessful", &no_proxy, "it did not open the way to the server"),
            ("tunnel error: unexpected end of file", &no_proxy, "it did not open the way to the server"),
            ("SOCKS error: credentials not accepted", &credentials, ""),
            ("SOCKS error: failed to create underlying connection", &no_proxy, "it does not answer"),
            ("SOCKS error: io error during SOCKS handshake", &no_proxy, "it does not speak SOCKS"),
            ("SOCKS error: connection not allowed", &no_proxy, "its rules do not allow this connection"),
            ("SOCKS error: ttl expired", &no_proxy, "it says: ttl expired"),
            ("SOCKS error: connection refused", &no_server, "the server refused the connection of the proxy"),
            ("SOCKS error: host unreachable", &no_server, "the proxy has no way to the host of the server"),
            (
                "SOCKS error: network unreachable",
                &no_server,
                "the proxy has no way to the network of the server",
            ),
        ] {
            assert_eq!(
                explained(io::Error::other(text), by(Kind::Socks)),
                (kind.clone(), said.to_owned()),
                "{text}"
            );
        }
        assert_eq!(
            explained(refused(), Stage { connect: true, ..Stage::default() }).0,
            TransportErrorKind::Unreachable
        );
    }

    #[test]
    fn fa_a88_a_name_that_was_looked_up_before_a_socks_proxy_was_asked_is_told_as_that() {
        let by_socks = Stage { connect: true, proxy: Some(Kind::Socks), ..Stage::default() };
        let unknown = || io::Error::other("failed to lookup address information: Name or service not known");
        let (kind, said) = explained(LocalDnsError(unknown()), by_socks);
        assert_eq!(kind, TransportErrorKind::Unreachable);
        let hint = "looked up here; a proxy of `socks5h://` looks names up itself";
        assert_eq!(said, format!("there is no host of that name, {hint}"));
        // The name of the proxy itself, which no other scheme finds either.
        let (_, said) = explained(unknown(), by_socks);
        assert_eq!(said, "there is no host of that name");
    }

    #[test]
    fn fa_a89_a_port_that_wants_tls_says_so_in_many_ways() {
        assert!(wants_tls(b"<html><head><title>400 The plain HTTP request was sent to HTTPS port</title>"));
        assert!(wants_tls(b"Client sent an HTTP request to an HTTPS server.\n"));
        assert!(!wants_tls(b"Bad Request: use https"));
    }
}
