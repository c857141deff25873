//! What changes in a fleet, one thing after the other.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};

use tokio::sync::watch;

use super::{Fleet, Inner, State};
use crate::supervisor::StatusSnapshot;

/// One change of a [`Fleet`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FleetChange {
    /// A server has this status now, or is new and has it.
    Status(Box<StatusSnapshot>),
    /// The server of this name is no longer there.
    Removed(Arc<str>),
}

/// The changes of a [`Fleet`] from [`Fleet::changes`] on. Does not keep the fleet alive.
///
/// A caller that takes long between two calls of [`next`](Self::next) hears the latest status of each server, and not those in
/// between: nothing is queued, and nothing that stands is missed.
pub struct FleetChanges {
    fleet: Weak<Inner>,
    moved: watch::Receiver<u64>,
    /// What was reported last of each server.
    reported: BTreeMap<Arc<str>, watch::Receiver<StatusSnapshot>>,
}

impl FleetChanges {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let moved = fleet.0.moved.subscribe();
        Self { fleet: Arc::downgrade(&fleet.0), moved, reported: BTreeMap::new() }
    }

    /// The next change; first the status of each server as it is. `None` when the fleet is closed, or gone.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<FleetChange> {
        loop {
            self.moved.mark_unchanged();
            // Not kept while it is waited for.
            let fleet = Fleet(self.fleet.upgrade()?);
            let (change, closed) = {
                let state = fleet.state();
                (self.news(&state), state.closed)
            };
            drop(fleet);
            if change.is_some() || closed {
                return change;
            }
            self.moved.changed().await.ok()?;
        }
    }

    fn news(&mut self, state: &State) -> Option<FleetChange> {
        let gone = self.reported.keys().find(|name| !state.members.contains_key(*name)).cloned();
        if let Some(name) = gone {
            self.reported.remove(&name);
            return Some(FleetChange::Removed(name));
        }
        for (name, member) in &state.members {
            let status = member.handle.status();
            // One that came in place of another one of its name is told like any other.
            let known = self.reported.get_mut(name).filter(|known| known.same_channel(&status));
            let seen = match known {
                Some(known) => {
                    known.has_changed().unwrap_or_default().then(|| known.borrow_and_update().clone())
                }
                None => {
                    let mut status = status;
                    let seen = status.borrow_and_update().clone();
                    self.reported.insert(name.clone(), status);
                    Some(seen)
                }
            };
            if let Some(seen) = seen {
                return Some(FleetChange::Status(Box::new(seen)));
            }
        }
        None
    }
}

impl fmt::Debug for FleetChanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetChanges").finish_non_exhaustive()
    }
}
