//! Names that have a pointer and no server.

use super::Pointer;
use crate::config::Config;

/// Names of a way that are followed and told.
const MAX_TRAIL: usize = 16;

impl Config {
    /// The pointers of this name.
    pub fn pointers_of(&self, name: &str) -> impl Iterator<Item = &Pointer> {
        self.pointers.iter().filter(move |pointer| pointer.entry.name == name)
    }

    /// Why a name that has a pointer and no server cannot be used, as a fragment that names the place.
    pub fn dead_end(&self, name: &str) -> Option<String> {
        let (pointer, end) = self.way_of(name)?;
        let origin = &pointer.entry.origin;
        Some(format!("{origin} ({}) is {pointer}{}", origin.field, end.unwrap_or_default()))
    }

    /// The same, where not even another name behind it has a server.
    pub fn leads_nowhere(&self, name: &str) -> Option<String> {
        self.way_of(name).filter(|(_, end)| end.is_some()).and_then(|_| self.dead_end(name))
    }

    /// The pointer of a name that has no server, and how its way ends where that is not a server.
    fn way_of(&self, name: &str) -> Option<(&Pointer, Option<String>)> {
        let pointer = self.pointers_of(name).next().filter(|_| self.entry(name).is_none())?;
        let mut trail = vec![name];
        let mut last = pointer;
        while self.entry(last.name.expose()).is_none() {
            // A stranger's file may hold a way of any length.
            let seen = trail.len() > MAX_TRAIL || trail.contains(&last.name.expose().as_str());
            trail.push(last.name.expose());
            match self.pointers_of(last.name.expose()).next() {
                Some(pointer) if !seen => last = pointer,
                // Each name but the first is that of an entry as well, and those are shown.
                Some(_) if trail.len() > 2 => {
                    return Some((
                        pointer,
                        Some(format!(", and it leads back to itself: {}", trail.join(" → "))),
                    ));
                }
                _ => {
                    let end = format!("; no entry named {:?} has a `url` or `command`", last.target);
                    return Some((pointer, Some(end)));
                }
            }
        }
        Some((pointer, None))
    }
}
