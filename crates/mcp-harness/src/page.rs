//! A real browser that is led through a page of ours, by the keyboard or by what stands on it.

use std::io;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::oidc::{browser_program, modules};
use crate::real::{Missing, source};

/// What a browser saw.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PageView {
    /// What each step `value` came to.
    pub values: Vec<Value>,
    /// What the console said: errors, and what the policy of the page forbids.
    pub console: Vec<String>,
    /// Requests to anywhere but the page's own origin.
    pub elsewhere: Vec<String>,
}

/// Opens `url` in headless Chromium, takes these steps (`fixtures/oidc/page.mjs` has them), and closes it.
///
/// # Errors
///
/// When the browser, its driver or `npm` is missing.
///
/// # Panics
///
/// When a step does not succeed within 30 s.
pub fn lead_through(url: &str, steps: &[Value]) -> Result<PageView, Missing> {
    let modules = modules()?;
    let program = browser_program()?;
    let run = || -> io::Result<String> {
        let directory = tempfile::Builder::new().prefix("page-").tempdir()?;
        let plan = json!({ "browser": program, "url": url, "directory": directory.path(), "steps": steps });
        let file = directory.path().join("plan.json");
        std::fs::write(&file, plan.to_string())?;
        // As a desktop starts one: it is no part of the program under test.
        let output = Command::new("node")
            .arg(source().join("oidc/page.mjs"))
            .arg(modules)
            .arg(&file)
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let text = run().unwrap_or_else(|error| panic!("the browser cannot be used: {error}"));
    let seen: Value = serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(seen["problem"].is_null(), "{}", seen["problem"].as_str().unwrap_or_default());
    let texts = |name: &str| -> Vec<String> {
        let texts = seen[name].as_array().into_iter().flatten();
        texts.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    Ok(PageView {
        values: seen["values"].as_array().cloned().unwrap_or_default(),
        console: texts("console"),
        elsewhere: texts("elsewhere"),
    })
}
