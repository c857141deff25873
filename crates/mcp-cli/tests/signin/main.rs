//! Signing in at the authorization servers that people have: those of the SDKs, and of the packages above them, at their
//! defaults, through their own pages. A person of the test kit follows the redirects and submits the forms.
//!
//! | module | tells |
//! |---|---|
//! | `field` | reports of the field, at servers that do exactly what was reported |
//! | `journey` | what every one of them must let us do, from the first look to signing out |
//! | `servers` | the servers, each a row |
//! | `services` | the providers that FastMCP has for services |

#![expect(
    clippy::unwrap_used,
    reason = "a failure here is a failed test; clippy only knows functions marked as such"
)]

mod field;
mod journey;
mod servers;
mod services;
