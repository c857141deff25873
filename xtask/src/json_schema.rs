//! `docs/mcp.schema.json`: the JSON Schema that `mcp-config` makes from the tables of its reader.

use std::fs;

use crate::Problems;
use crate::shell::{command, output, root};

const FILE: &str = "docs/mcp.schema.json";

fn made() -> Result<String, Problems> {
    output(&mut command("cargo", &["run", "--quiet", "--package", "mcp-config", "--example", "schema"]))
}

/// Fails if the file is not what [`update`] would write.
pub(crate) fn check() -> Result<(), Problems> {
    let kept = fs::read_to_string(root().join(FILE)).unwrap_or_default();
    if kept == made()? { Ok(()) } else { Err(vec![format!("{FILE} is stale; run `cargo xtask docs`")]) }
}

/// Brings the file up to date.
pub(crate) fn update() -> Result<(), Problems> {
    let (path, made) = (root().join(FILE), made()?);
    if fs::read_to_string(&path).is_ok_and(|kept| kept == made) {
        return Ok(());
    }
    fs::write(path, made).map_err(|error| vec![format!("{FILE} cannot be written: {error}")])?;
    println!("{FILE} brought up to date");
    Ok(())
}
