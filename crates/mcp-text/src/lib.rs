//! What of a stranger's text may be shown, and what in it is secret.
//!
//! Whatever a server, a command, an authorization server, a file or the environment
//! wrote goes through here before a person, a log, a host or an error sees it.
#![doc = "\n# Examples\n"]
#![doc = include_str!("../README.md")]

mod cure;
mod escaped;
mod json;
mod line;
mod names;
mod plain;
mod scheme;
mod secrets;
mod sequence;
mod shape;
mod shell;
mod short_options;
pub mod telling;
mod time_limit;
mod variables;
mod visible;

pub use cure::cure;
pub use escaped::escaped;
pub use json::json;
pub use line::{block, is_hidden, line, name, sentence, width};
pub use names::{
    OWN_AUTHORIZE_PARAMS, OWN_CLIENT_METADATA, is_credential_name, is_pair_flag, is_secret_segment,
    looks_like_token, member_name,
};
pub use plain::is_plain_setting;
pub use scheme::{SCHEMES, is_scheme, scheme_of};
pub use secrets::{REDACTED, Secrets, SharedSecrets};
pub use shell::shell_word;
pub use short_options::{is_behind_short_option, short_option_words, values_of_short_options};
pub use time_limit::{elapsed, time_limit};
pub use variables::{is_variable_name, nothing, unexpanded, variable};
