//! Skills (the extension `io.modelcontextprotocol/skills`): loading one means reading its entry file, and using it only
//! if size, digest and frontmatter are those of the entry that was listed.

use ring::digest::{SHA256, digest};
use serde_json::Value;

/// Whether `text`, read from `uri`, is what the listed entry promised.
///
/// # Errors
///
/// What differs.
pub(crate) fn verify(entry: &Value, uri: &str, text: &str) -> Result<(), String> {
    let listed = entry["resources"].as_array().into_iter().flatten().find(|file| file["uri"] == uri);
    let listed = listed.ok_or_else(|| format!("{uri} is not listed"))?;
    // The length first: it is known without computing anything.
    if listed["size"].as_u64() != Some(text.len() as u64) {
        return Err(format!("{uri} has another size than listed"));
    }
    let hex: String =
        digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    if listed["digest"] != format!("sha256:{hex}") {
        return Err(format!("{uri} has another digest than listed"));
    }
    if uri == entry["uri"] && frontmatter(text) != entry["frontmatter"] {
        return Err(format!("{uri} has another frontmatter than listed"));
    }
    Ok(())
}

/// The frontmatter of a file whose members are plain strings, which is all that the suite's skills use; anything
/// else compares as different, which is the safe side.
fn frontmatter(text: &str) -> Value {
    let body = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map(|(body, _)| body);
    let members = body.unwrap_or_default().lines().filter_map(|line| line.split_once(": "));
    Value::Object(members.map(|(name, value)| (name.to_owned(), Value::from(value.trim()))).collect())
}
