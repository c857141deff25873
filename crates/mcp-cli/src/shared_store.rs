//! The token store that many machines share, where the environment names one (feature `stores`).

use mcp_auth::oauth::store::shared::SharedTokenStore;
use mcp_config::Problem;
use mcp_text::shell_word;

use crate::environment::Environment;
use crate::error::CliError;
use crate::view::shown::line;

pub(crate) use mcp_auth::children::{TOKEN_STORE as URL, TOKEN_STORE_KEY_FILE as KEY_FILE};

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

/// What is wrong with the file of the keys, though it can be used.
pub(crate) fn problem(environment: &Environment) -> Option<Problem> {
    let named = environment.text(KEY_FILE)?;
    let directory = environment.directory().ok()?;
    mcp_files::is_readable_by_all(&directory.join(named)).then(|| {
        let message = format!("names {}, which every account of this machine may read", line(named));
        let hint = format!("chmod 600 {}, and change the key: docs/shared-sign-ins.md", shell_word(named));
        Problem::of_variable(KEY_FILE, message, hint)
    })
}

#[cfg(feature = "stores")]
fn open(url: &str, environment: &Environment) -> Result<SharedTokenStore, CliError> {
    use mcp_auth::oauth::store::shared::SealingKeys;
    use mcp_files::FileErrorKind;

    let unusable =
        |variable: &str, why: String| CliError::usage("store", format!("{variable} cannot be used")).why(why);
    let Some(file) = environment.text(KEY_FILE) else {
        let why = format!("{URL} is set, and there is no key to encrypt what is kept there");
        return Err(unusable(KEY_FILE, why).next("openssl rand -base64 32 > token-store.key"));
    };
    let directory = environment.directory().cloned().unwrap_or_default();
    let file = directory.join(file);
    // A secret that an orchestrator mounts is a link of the superuser, and often readable by the whole container.
    let policy = mcp_files::Policy::decision(16 * 1024).with_links(mcp_files::Links::Follow);
    let text = mcp_files::read(&file, &policy).map_err(|error| {
        let next = match error.kind() {
            FileErrorKind::Owner => "name a file that belongs to you or to root",
            _ => "name a file that holds the key: openssl rand -base64 32 makes one",
        };
        unusable(KEY_FILE, format!("{}: {error}", file.display())).next(next)
    })?;
    let keys = SealingKeys::parse(&String::from_utf8_lossy(&text))
        .map_err(|error| unusable(KEY_FILE, format!("{}: {error}", file.display())))?
        .at(format!("{} ({KEY_FILE})", file.display()));
    mcp_stores::open(url, keys)
        .map_err(|error| unusable(URL, error.to_string()).next("see docs/shared-sign-ins.md"))
}

#[cfg(not(feature = "stores"))]
fn open(_: &str, _: &Environment) -> Result<SharedTokenStore, CliError> {
    Err(CliError::usage("store", format!("{URL} is set, and this build keeps sign-ins in files alone"))
        .why("it was built without the feature `stores`")
        .next("cargo install mcplink --features stores"))
}
