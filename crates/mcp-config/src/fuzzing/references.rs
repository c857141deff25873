//! A text with variables and secrets by reference in it.

use std::path::Path;

use super::{CANARY, hidden};
use crate::Env;
use crate::expand::Text;
use crate::reference::{LITERAL, reference};

/// Whatever is in a value: what is written out and the secrets in it stand there in this order, each secret is a whole
/// reference and stays as it is written, and the value of a variable is in nothing that hides it.
pub fn references(bytes: &[u8]) {
    let Ok(written) = std::str::from_utf8(bytes) else { return };
    if written.contains(CANARY) {
        return;
    }
    let env = ["TOKEN", "HOST", "A"].into_iter().map(|name| (name, CANARY)).collect::<Env>();
    let text = Text::expand_in(written, &env, Path::new("/project"));
    hidden(&format!("{text:?}"));
    hidden(&text.expose_masked(|_| true, "…"));
    let mut rest = written;
    for piece in text.pieces() {
        let part = piece.written();
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not in {rest:?}"));
        rest = &rest[at + part.len()..];
    }
    for secret in text.secrets() {
        hidden(&format!("{secret:?}"));
        let whole = reference(&secret.written).expect("a secret is a whole reference");
        assert_eq!(whole.resolved(Path::new("/project")), secret.reference);
        assert!(text.expose().contains(&secret.written));
    }
    // Without an environment nothing but a default takes the place of anything.
    let bare = Text::expand(written, &Env::default());
    if !written.contains("${env:")
        && !written.contains(LITERAL)
        && bare.missing().count() == bare.variables().count()
    {
        assert_eq!(bare.expose(), written);
    }
}
