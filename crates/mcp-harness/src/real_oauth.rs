//! Real MCP servers that people sign in to, each with the authorization server, or the provider, of its own package.
//!
//! The scripts beside those of [`RealServer`] say what their modes are; what is not named there is at its default.

use url::Url;

use crate::real::{Missing, RealServer, RunningServer, Words, check, fixtures, interpreter, source, text};

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

    /// The same script with several providers in one process, each at [`RunningServer::url_of`]
    /// its name: those of `services`, an object of issuers by the names of services, and what needs none.
    ///
    /// # Errors
    ///
    /// When it or `pip` is missing.
    pub fn fastmcp_services(services: &serde_json::Value) -> Result<Self, Missing> {
        Self::fastmcp_oauth("services", Some(&services.to_string()))
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

impl RunningServer {
    /// The URL of one of its endpoints, if it has several, each with a name.
    ///
    /// # Panics
    ///
    /// When it has none of that name.
    #[must_use]
    pub fn url_of(&self, name: &str) -> Url {
        let text = self.stdout.text();
        let url = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" is at "));
        url.and_then(|url| Url::parse(url).ok()).unwrap_or_else(|| panic!("{name} is nowhere: {text}"))
    }
}
