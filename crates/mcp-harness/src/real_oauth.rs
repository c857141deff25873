//! Real MCP servers that people sign in to, each with the authorization server, or the provider, of its own package.
//!
//! The scripts beside those of [`RealServer`] say what their modes are; what is not named there is at its default.

use crate::real::{Missing, RealServer, Words, check, fixtures, interpreter, source, text};

impl RealServer {
    /// `fixtures/python/oauth.py`, with the Python SDK 1.x. `mode` is `plain`, `scopes`, `legacy` or `apart`.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn python_1_oauth(mode: &str) -> Result<Self, Missing> {
        Self::python_script("python-1", "python/oauth.py", &[mode])
    }

    /// `fixtures/python/oauth.py`, with the Python SDK 2.x, in the same modes.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn python_oauth(mode: &str) -> Result<Self, Missing> {
        Self::python_script("python", "python/oauth.py", &[mode])
    }

    /// `fixtures/fastmcp/oauth.py`, with `FastMCP`. `mode` is the name of a provider, and `argument` what it takes.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn fastmcp_oauth(mode: &str, argument: Option<&str>) -> Result<Self, Missing> {
        let arguments: Vec<&str> = [mode].into_iter().chain(argument).collect();
        Self::python_script("fastmcp", "fastmcp/oauth.py", &arguments)
    }

    /// `fixtures/npm/oauth.mjs`, with the TypeScript SDK 1.x and its demo provider. `mode` is `together` or `apart`.
    ///
    /// # Errors
    ///
    /// When it or `npm` is missing.
    pub fn typescript_1_oauth(mode: &str) -> Result<Self, Missing> {
        let modules = fixtures().join("npm");
        check(&["node", "npm"], &modules.join("node_modules/@modelcontextprotocol/sdk/package.json"))?;
        // An absolute path: packages are resolved as if from a file in this folder.
        let modules = modules.canonicalize().unwrap_or(modules);
        let script = vec![text(source().join("npm/oauth.mjs")), text(modules)];
        Ok(Self::new("node".into(), script, &[], &[mode], Words::default()))
    }

    fn python_script(environment: &str, script: &str, arguments: &[&str]) -> Result<Self, Missing> {
        let script = vec![text(source().join(script))];
        Ok(Self::new(interpreter(environment)?, script, &[], arguments, Words::default()))
    }
}
