//! What a person agreed to, so that an agreement is about content and not about a name.
//!
//! - [`Terms`] is everything in an entry that decides what runs and where data goes, as written, before expansion.
//! - `Record` is what is kept of it: a digest, and for each field a mark and what may be shown. No value is kept.
//! - [`Change`] is the difference between the two, for people.
//!
//! Which fields count is decided the safe way round: every field does, also one that this version does not know,
//! but for those that are listed as without effect. So a field that is added later cannot be forgotten here.

mod files;
mod line;
mod record;
mod terms;

pub(crate) use line::variables_of;
pub use record::Change;
pub(crate) use record::{Record, Slot};
pub use terms::{Term, Terms};
