//! The token store that many machines share, where the environment names one (feature `stores`).

use mcp_auth::oauth::store::shared::SharedTokenStore;

use crate::environment::Environment;
use crate::error::CliError;

/// Names the database.
pub(crate) const URL: &str = "MCPLINK_TOKEN_STORE";
/// Names the file of the keys that its records are sealed with.
pub(crate) const KEY_FILE: &str = "MCPLINK_TOKEN_STORE_KEY_FILE";
/// Security: what this program starts does not get them.
pub(crate) const VARIABLES: [&str; 2] = [URL, KEY_FILE];

/// The store that `environment` names.
///
/// # Errors
///
/// It cannot be used as it is named: a person who shares sign-ins does not want others kept in files instead.
pub(crate) fn named_in(environment: &Environment) -> Result<Option<SharedTokenStore>, CliError> {
    match environment.text(URL) {
        Some(url) => open(url, environment).map(Some),
        None => Ok(None),
    }
}

#[cfg(feature = "stores")]
fn open(url: &str, environment: &Environment) -> Result<SharedTokenStore, CliError> {
    use mcp_auth::oauth::store::shared::SealingKeys;

    let unusable =
        |variable: &str, why: String| CliError::usage("store", format!("{variable} cannot be used")).why(why);
    let Some(file) = environment.text(KEY_FILE) else {
        let why = format!("{URL} is set, and there is no key to encrypt what is kept there");
        return Err(unusable(KEY_FILE, why).next("openssl rand -base64 32 > token-store.key"));
    };
    let directory = environment.directory().cloned().unwrap_or_default();
    let file = directory.join(file);
    let text = mcp_files::read_private(&file, 16 * 1024).map_err(|error| {
        unusable(KEY_FILE, format!("{}: {error}", file.display()))
            .next("give a file of your own with mode 600")
    })?;
    let keys = SealingKeys::parse(&String::from_utf8_lossy(&text))
        .map_err(|error| unusable(KEY_FILE, format!("{}: {error}", file.display())))?;
    mcp_stores::open(url, keys)
        .map_err(|error| unusable(URL, error.to_string()).next("see docs/shared-sign-ins.md"))
}

#[cfg(not(feature = "stores"))]
fn open(_: &str, _: &Environment) -> Result<SharedTokenStore, CliError> {
    Err(CliError::usage("store", format!("{URL} is set, and this build keeps sign-ins in files alone"))
        .why("it was built without the feature `stores`")
        .next("cargo install mcplink --features stores"))
}
