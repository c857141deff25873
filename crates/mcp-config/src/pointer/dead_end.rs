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
        let pointer = self.pointers_of(name).next().filter(|_| self.entry(name).is_none())?;
        let origin = &pointer.entry.origin;
        let what = format!("{origin} ({}) is {pointer}", origin.field);
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
                    return Some(format!("{what}, and it leads back to itself: {}", trail.join(" → ")));
                }
                _ => {
                    return Some(format!(
                        "{what}; no entry named {:?} has a `url` or `command`",
                        last.target
                    ));
                }
            }
        }
        Some(what)
    }
}
