//! Names of servers in a registry.

use std::fmt;

use super::template::variable_part;

/// The longest name that the schema allows.
const MAX_NAME: usize = 200;
/// The longest version.
const MAX_VERSION: usize = 255;
/// Names of servers that name none: whose server it is does.
const PLAIN: [&str; 6] = ["mcp", "server", "mcp-server", "remote", "remote-mcp", "api"];

/// The name of a server in a registry, as in `io.github.acme/weather`, and the version that is wanted, as in
/// `io.github.acme/weather@1.2.0`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RegistryName {
    name: String,
    version: Option<String>,
}

impl RegistryName {
    /// Reads a name; `None` where the text is none: a URL, a path, a command, a word.
    ///
    /// # Examples
    ///
    /// ```
    /// use mcp_config::registry::RegistryName;
    ///
    /// let name = RegistryName::parse("io.github.acme/weather@1.2.0").unwrap();
    /// assert_eq!((name.as_str(), name.version()), ("io.github.acme/weather", Some("1.2.0")));
    /// assert_eq!(name.entry_name(), "weather");
    /// assert!(RegistryName::parse("https://weather.example/mcp").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (name, version) = match text.split_once('@') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let (space, server) = name.split_once('/')?;
        let is_part = |part: &str, also: &[char]| {
            part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-' || also.contains(&c))
        };
        let is_version = |version: &str| {
            (1..=MAX_VERSION).contains(&version.len()) && version.chars().all(|c| c.is_ascii_graphic())
        };
        let holds = name.len() <= MAX_NAME
            && is_part(space, &[])
            && is_part(server, &['_'])
            && version.is_none_or(is_version);
        holds.then(|| Self { name: name.to_owned(), version: version.map(str::to_owned) })
    }

    /// The name alone.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The version that is wanted; `None` for the latest one.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// What an entry of it is called, where a person says nothing else: the name behind the slash, or where that names
    /// nothing, the last part of whose server it is.
    pub fn entry_name(&self) -> &str {
        let (space, server) = self.name.split_once('/').unwrap_or((&self.name, ""));
        if PLAIN.contains(&&*server.to_ascii_lowercase()) {
            return space.rsplit('.').find(|label| !label.is_empty()).unwrap_or(server);
        }
        server
    }
}

/// Whether two names of entries differ in letters' case and in signs alone, so that a person may take one for the other, and a
/// variable for the other's.
pub fn look_alike(one: &str, other: &str) -> bool {
    one != other && variable_part(one) == variable_part(other)
}

impl fmt::Display for RegistryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|version| write!(f, "@{version}"))
    }
}
