//! Signing in at a certified provider, through the pages of that provider, in a real browser.
//!
//! `oidc-provider` with its own login and consent pages, dynamic registration, PKCE and rotating refresh tokens; a server
//! of the official SDK behind it, which asks the provider about every token; headless Chromium. Nothing here was written
//! with our client in mind, which is the point. The harness fails a test for a token in the output or in any file outside
//! the store, and for a process left behind.
//!
//! | module | tells |
//! |---|---|
//! | `life` | a sign-in from its beginning to its end, and once more; tokens that are renewed meanwhile |
//! | `attempts` | sign-ins that do not succeed, and leave what was there alone; pasting, and device codes |
//! | `accounts` | who is signed in, and to what |
//! | `machine` | grants without a person, of the binary and a file |

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod accounts;
mod attempts;
mod desk;
mod life;
mod machine;
