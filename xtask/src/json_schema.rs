//! `docs/mcp.schema.json`: the JSON Schema that `mcp-config` makes from the tables of its reader.
//!
//! That it is up to date is a test of `mcplink schema`, which has built the reader already.

use std::fs;

use crate::Problems;
use crate::shell::{command, output, root};

const FILE: &str = "docs/mcp.schema.json";

fn made() -> Result<String, Problems> {
    output(&mut command("cargo", &["run", "--quiet", "--package", "mcp-config", "--example", "schema"]))
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
