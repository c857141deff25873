//! The parts that `mcp-share` serves bridges with, as this crate serves hosts. They follow the needs of these two crates, which
//! are released together: no other program can rely on them, so they are not in the documentation.

pub use crate::describe::as_is;
pub use crate::era::{RequestMeta, severity};
pub use crate::failure::{explain, not_taken};
pub use crate::forward::attempt_failed;
pub use crate::host::{HostAnswer, HostChannel, Writer};
pub use crate::host_request::{HostRequest, open_stream};
pub use crate::lines::{Line, LineReader};
#[cfg(unix)]
pub use crate::peer_account::check_peer;
pub use crate::splice::{raw, string, text, with_members, with_meta};
pub use crate::state::{Log, LogRequest};
pub use crate::subscriptions::Subscriptions;
pub use crate::upstream::{subscribe_one_by_one, subscribe_together};
