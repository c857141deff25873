//! What a developer asks of a test.

/// The number in a variable of the environment, such as a seed that is to be played again; `None` where there is none.
#[expect(clippy::disallowed_methods, reason = "a switch for the developer, not for the code under test")]
pub fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
