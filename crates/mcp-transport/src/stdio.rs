//! Owned by T2.
