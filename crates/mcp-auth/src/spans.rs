//! How the spans of providers tell their end. They hold names, numbers and kinds, and never a value.

use tracing::Span;

use crate::{AuthError, AuthErrorKind};

/// Notes how the work of `span` ended. A span that declares none of these fields is left as it is.
pub(crate) fn ended<T>(span: &Span, outcome: &Result<T, AuthError>) {
    if let Err(error) = outcome {
        span.record("otel.status_code", "error");
        span.record("error.type", error_type(error.kind()));
    }
}

fn error_type(kind: AuthErrorKind) -> &'static str {
    match kind {
        AuthErrorKind::SourceFailed => "source_failed",
        AuthErrorKind::TimedOut => "timed_out",
        AuthErrorKind::SignInExpired => "sign_in_expired",
        AuthErrorKind::WrongAccount => "wrong_account",
        AuthErrorKind::Unavailable => "unavailable",
        AuthErrorKind::Tls => "tls",
        AuthErrorKind::Protocol => "protocol",
        AuthErrorKind::Refused => "refused",
        AuthErrorKind::Misconfigured => "misconfigured",
        AuthErrorKind::Store => "store",
        AuthErrorKind::StoreUnavailable => "store_unavailable",
        AuthErrorKind::Cancelled => "cancelled",
    }
}
