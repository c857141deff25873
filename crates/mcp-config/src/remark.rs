//! Keys of remarks.

/// How keys begin, and what they are, that people use for remarks.
pub(crate) const REMARK_STARTS: [&str; 4] = ["_", "$", "#", "//"];
pub(crate) const REMARKS: [&str; 2] = ["description", "comment"];

/// Keys that people use for remarks, because plain JSON has no comments.
pub(crate) fn is_remark(key: &str) -> bool {
    REMARK_STARTS.iter().any(|start| key.starts_with(start)) || REMARKS.contains(&key)
}
