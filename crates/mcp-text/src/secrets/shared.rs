//! What one program knows to be secret, whichever server repeats it: the layer below the secrets of each.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::index::{Index, WINDOW};
use super::{Grade, Secrets};

/// How many bytes of values are kept. The older half is forgotten then: a program that runs for weeks is sent ever new tokens.
const MAX_BYTES: usize = 1 << 18;

/// Credentials of all servers that one program has to do with. Clones share them.
///
/// A credential of fewer than 8 bytes is hidden for its own server alone: among the words of another one it may be a word.
///
/// # Examples
///
/// ```
/// use mcp_text::{Secrets, SharedSecrets};
///
/// let shared = SharedSecrets::default();
/// let of_one_server = Secrets::default().with_shared(&shared);
/// shared.learn(&["hunter2-hunter2"].into_iter().collect());
/// assert_eq!(of_one_server.hide_known("another server printed hunter2-hunter2"), "another server printed [redacted]");
/// ```
#[derive(Clone, Default)]
pub struct SharedSecrets(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// In the order in which they came.
    values: VecDeque<Arc<str>>,
    all: HashSet<Arc<str>>,
    bytes: usize,
    /// Those of `values` that are in the index. Nothing is paid for the others until something is hidden.
    indexed: usize,
    index: Arc<Index>,
}

impl SharedSecrets {
    /// Adds those of `secrets` that are credentials.
    pub fn learn(&self, secrets: &Secrets) {
        let credentials = secrets.values.iter().filter(|(value, grade)| {
            *grade == Grade::Credential && (WINDOW..=MAX_BYTES).contains(&value.len())
        });
        let mut known = self.known();
        for (value, _) in credentials {
            if known.all.contains(value.as_str()) {
                continue;
            }
            let value: Arc<str> = value.as_str().into();
            known.bytes += value.len();
            known.values.push_back(value.clone());
            known.all.insert(value);
            if known.bytes > MAX_BYTES {
                known.forget();
            }
        }
    }

    pub(super) fn index(&self) -> Arc<Index> {
        let mut known = self.known();
        let Known { values, indexed, index, .. } = &mut *known;
        if *indexed < values.len() {
            let index = Arc::make_mut(index);
            values.iter().skip(*indexed).for_each(|value| index.add(value, Grade::Credential));
            *indexed = values.len();
        }
        index.clone()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget(&mut self) {
        while self.bytes > MAX_BYTES / 2
            && let Some(oldest) = self.values.pop_front()
        {
            self.bytes -= oldest.len();
            self.all.remove(&oldest);
        }
        (self.indexed, self.index) = (0, Arc::default());
    }
}

// Security: the values are what must not be shown.
impl fmt::Debug for SharedSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecrets({})", self.known().values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s_m11_a_credential_of_another_server_is_hidden_from_when_it_is_known() {
        let shared = SharedSecrets::default();
        let mut own = Secrets::default().with_shared(&shared);
        own.insert("mine-of-this-one");
        let text = "mine-of-this-one, their%2Dcanary-value, dGhlaXItY2FuYXJ5LXZhbHVl, their-can, plain-setting, tiny-7";
        assert!(own.hide_known(text).contains("their%2Dcanary"));
        let mut theirs: Secrets = ["their-canary-value", "tiny-7"].into_iter().collect();
        theirs.insert_named("MODE", "plain-setting");
        shared.learn(&theirs);
        let hidden = "[redacted], [redacted], [redacted], [redacted], plain-setting, tiny-7";
        assert_eq!(own.hide_known(text), hidden);
        assert_eq!(own.clone().credentials().hide_known(text), hidden, "a copy knows them as well");
        let mut later = Secrets::default();
        later.include(&own);
        assert_eq!(later.hide_known(text), hidden, "and what includes it");
        assert_eq!(format!("{shared:?} {own:?}"), "SharedSecrets(1) Secrets(1)");
        shared.learn(&["third-of-them-all"].into_iter().collect());
        assert_eq!(own.hide_known("third-of-them-all"), "[redacted]", "what comes later, too");
    }

    #[test]
    fn s_m11_the_oldest_are_forgotten_where_ever_new_ones_come() {
        let shared = SharedSecrets::default();
        let token = |number: usize| format!("{number:08}{}", "t".repeat(MAX_BYTES / 64 - 8));
        for number in 0..80 {
            shared.learn(&[&*token(number)].into_iter().collect());
        }
        let secrets = Secrets::default().with_shared(&shared);
        let hides = |number: usize| !secrets.hide_known(&token(number)[..9]).starts_with("0");
        assert_eq!([hides(0), hides(32), hides(33), hides(79)], [false, false, true, true]);
        assert!(shared.known().bytes <= MAX_BYTES && shared.known().all.len() == 47);
    }
}
