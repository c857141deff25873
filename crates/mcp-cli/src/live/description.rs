//! What servers said of themselves, kept in the cache folder for the next start of a bridge: one file per entry and place that it
//! leads to. It is what the server tells every host, and nothing about whether the server is there.

use std::path::{Path, PathBuf};

use mcp_bridge::Memory;
use mcp_connect::{ConfiguredServer, Description};
use mcp_files::Links;
use ring::digest::{SHA256, digest};

use crate::app::App;

/// What is read of a file; a description that is kept is shorter.
const MAX_BYTES: u64 = 1 << 20;

/// The file of one entry.
#[derive(Debug)]
pub(crate) struct DescriptionFile {
    path: PathBuf,
}

impl DescriptionFile {
    /// The file of this entry, where there is a cache folder and the entry may be contacted: what is not approved, or switched
    /// off, says nothing to a host.
    pub(crate) fn of(app: &App, configured: &ConfiguredServer) -> Option<Self> {
        configured.state.as_ref().ok()?;
        Self::at(&app.cache_dir()?, "descriptions", &configured.description)
    }

    /// The file of the names that its server listed, for completion.
    pub(crate) fn of_names(app: &App, configured: &ConfiguredServer) -> Option<Self> {
        configured.state.as_ref().ok()?;
        Self::at(&app.cache_dir()?, "names", &configured.description)
    }

    fn at(cache: &Path, folder: &str, description: &Description) -> Option<Self> {
        // No part of it is a secret: addresses and commands are as they are shown.
        let leads_to = description.url.as_deref().or(description.command.as_deref())?;
        let parts = [&description.name, &description.scope, &description.source, leads_to];
        let parts: Vec<u8> = parts.iter().flat_map(|part| [part.as_bytes(), b"\0"].concat()).collect();
        let name: String =
            digest(&SHA256, &parts).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Some(Self { path: cache.join(folder).join(format!("{name}.json")) })
    }

    /// Whether its folder is there.
    pub(crate) fn has_folder(&self) -> bool {
        self.path.parent().is_some_and(Path::is_dir)
    }

    /// Makes the folder of the names, where that can be done.
    pub(crate) fn make_folder_of_names(cache: &Path) {
        drop(mcp_files::private_dir(&cache.join("names"), Links::Refuse));
    }

    /// Makes its folder, where that can be done.
    pub(crate) fn make_folder(&self) {
        if let Some(folder) = self.path.parent() {
            drop(mcp_files::private_dir(folder, Links::Refuse));
        }
    }

    /// Forgets it; whether there was one.
    pub(crate) fn forget(&self) -> bool {
        std::fs::remove_file(&self.path).is_ok()
    }
}

impl Memory for DescriptionFile {
    fn recall(&self) -> Option<String> {
        let text = mcp_files::read_private(&self.path, MAX_BYTES).ok()?;
        String::from_utf8(text).ok()
    }

    fn keep(&self, description: &str) {
        let Some(directory) = self.path.parent() else { return };
        let kept = mcp_files::private_dir(directory, Links::Refuse)
            .and_then(|()| mcp_files::replace(&self.path, description.as_bytes()));
        if let Err(error) = kept {
            tracing::debug!(%error, "what the server said of itself cannot be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mcp_config::EntryTransport;
    use mcp_config::entry::RemoteKind;

    fn described(name: &str, url: Option<&str>, command: Option<&str>) -> Description {
        let mut description = Description::new(name, "user", "/f", EntryTransport::Remote(RemoteKind::Http));
        description.url = url.map(str::to_owned);
        description.command = command.map(str::to_owned);
        description
    }

    #[test]
    fn each_entry_and_each_place_that_it_leads_to_has_a_file_of_its_own() {
        let cache = tempfile::tempdir().unwrap();
        let entries = [
            described("a", Some("https://x/"), None),
            described("a", Some("https://y/"), None),
            described("b", Some("https://x/"), None),
            described("a", None, Some("serve")),
            described("aserve", None, Some("")),
        ];
        let files: Vec<_> =
            entries.iter().map(|e| DescriptionFile::at(cache.path(), "descriptions", e).unwrap()).collect();
        for (number, file) in files.iter().enumerate() {
            assert_eq!(file.recall(), None, "{number}");
            file.keep(&number.to_string());
        }
        for (number, file) in files.iter().enumerate() {
            assert_eq!(file.recall(), Some(number.to_string()));
            assert!(file.forget() && !file.forget() && file.recall().is_none());
        }
        assert!(DescriptionFile::at(cache.path(), "descriptions", &described("a", None, None)).is_none());
    }

    #[cfg(unix)]
    #[test]
    fn s_n04_a_description_is_for_this_account_and_goes_through_no_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let cache = tempfile::tempdir().unwrap();
        let file =
            DescriptionFile::at(cache.path(), "descriptions", &described("a", None, Some("serve"))).unwrap();
        file.keep("one");
        let directory = file.path.parent().unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(directory), mode(&file.path)), (0o700, 0o600));
        let precious = cache.path().join("precious");
        std::fs::write(&precious, "precious").unwrap();
        std::fs::remove_file(&file.path).unwrap();
        std::os::unix::fs::symlink(&precious, &file.path).unwrap();
        assert_eq!(file.recall(), None);
        file.keep("two");
        assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    }
}
