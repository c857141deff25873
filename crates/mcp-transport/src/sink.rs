//! Functions of a caller that hear of something.

use std::fmt;
use std::sync::Arc;

/// Hears of each `T` when it is there. Must not block. Cheap to clone.
pub struct Sink<T>(Arc<dyn Fn(&T) + Send + Sync>);

impl<T> Sink<T> {
    /// Calls `hear`.
    pub fn new(hear: impl Fn(&T) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }

    pub(crate) fn tell(&self, news: &T) {
        (self.0)(news);
    }
}

impl<T> Clone for Sink<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Sink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
