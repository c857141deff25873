//! Requests to AWS: signed by Signature Version 4, with keys from where AWS's own programs have them.
//!
//! | module | does |
//! |---|---|
//! | `sign` | a request and keys → its headers |
//! | `profile` | the text of AWS's files → what a profile says |
//! | `source` | where keys are: variables, profile, the command that a profile names |
//!
//! Keys of a machine or a container (IMDS, ECS), of SSO and of roles are AWS's own programs' to get: a `credential_process` asks one.

mod profile;
mod sign;
mod source;

pub use self::sign::AwsKeys;
pub use self::source::AwsSource;
