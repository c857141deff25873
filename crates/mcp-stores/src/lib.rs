//! MCP sign-ins in a database that many machines share.
//!
//! Both databases are a [`SharedRecords`](mcp_auth::oauth::store::shared::SharedRecords): records of bytes by name, and
//! leases by the clock of the database. Encryption, what a record holds and who may refresh is decided once, by the
//! [`SharedTokenStore`] over it.
//!
//! # Examples
//!
//! ```
//! use mcp_auth::oauth::store::shared::SealingKeys;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let keys = SealingKeys::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?;
//! let store = mcp_stores::open("redis://127.0.0.1:6379/0", keys)?;
//! let error = mcp_stores::open("mysql://127.0.0.1/db", SealingKeys::parse("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")?);
//! assert!(error.is_err());
//! # drop(store);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::fmt;

use mcp_auth::oauth::store::shared::{SealingKeys, SharedTokenStore};
use url::Url;

#[cfg(any(feature = "postgres", feature = "redis"))]
mod link;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "postgres")]
mod tls;

/// Why a URL is not a store. Never shows the URL: it may hold a password.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UnusableStore {
    /// Not a URL, or one that its database cannot read: what is wrong with it.
    Url(String),
    /// No database that is known by this scheme.
    Scheme(String),
    /// This build has no support for this database.
    NotBuilt(&'static str),
}

impl fmt::Display for UnusableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(why) => write!(f, "its URL cannot be used: {why}"),
            Self::Scheme(scheme) => {
                write!(f, "`{scheme}:` is not a store; there are postgres:, redis: and rediss: (over TLS)")
            }
            Self::NotBuilt(name) => write!(f, "this program was built without {name}"),
        }
    }
}

impl std::error::Error for UnusableStore {}

/// The store at `url`: `postgres://user:password@host:5432/database?sslmode=require`,
/// `redis://:password@host:6379/0`, or `rediss://` over TLS. Nothing is contacted yet.
///
/// # Errors
///
/// The URL is none, or is that of something else.
pub fn open(url: &str, keys: SealingKeys) -> Result<SharedTokenStore, UnusableStore> {
    let scheme = match Url::parse(url) {
        Ok(parsed) => parsed.scheme().to_owned(),
        Err(error) => return Err(UnusableStore::Url(error.to_string())),
    };
    match &*scheme {
        "postgres" | "postgresql" => of_postgres(url, keys),
        "redis" | "rediss" | "redis+unix" => of_redis(url, keys),
        _ => Err(UnusableStore::Scheme(scheme)),
    }
}

#[cfg(feature = "postgres")]
fn of_postgres(url: &str, keys: SealingKeys) -> Result<SharedTokenStore, UnusableStore> {
    Ok(SharedTokenStore::new(postgres::PostgresRecords::new(url)?, keys))
}

#[cfg(not(feature = "postgres"))]
fn of_postgres(_: &str, _: SealingKeys) -> Result<SharedTokenStore, UnusableStore> {
    Err(UnusableStore::NotBuilt("PostgreSQL"))
}

#[cfg(feature = "redis")]
fn of_redis(url: &str, keys: SealingKeys) -> Result<SharedTokenStore, UnusableStore> {
    Ok(SharedTokenStore::new(redis::RedisRecords::new(url)?, keys))
}

#[cfg(not(feature = "redis"))]
fn of_redis(_: &str, _: SealingKeys) -> Result<SharedTokenStore, UnusableStore> {
    Err(UnusableStore::NotBuilt("Redis"))
}

#[cfg(all(test, feature = "postgres", feature = "redis"))]
mod tests {
    use std::hash::{DefaultHasher, Hasher as _};

    use super::*;

    const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    fn identity(url: &str) -> u64 {
        let keys = SealingKeys::parse(KEY).expect("a key");
        let store = open(url, keys).expect("no connection is made yet");
        assert!(!format!("{store:?}").contains("canary"), "{store:?}");
        let mut hasher = DefaultHasher::new();
        store.identify(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn a_store_is_another_one_where_anything_in_its_address_is() {
        for (url, others) in [
            (
                "postgres://ann:canary@db/mcp?options=-csearch_path%3Dteam",
                [
                    "postgres://bob:canary@db/mcp?options=-csearch_path%3Dteam",
                    "postgres://ann:canary2@db/mcp?options=-csearch_path%3Dteam",
                    "postgres://ann:canary@db/mcp?options=-csearch_path%3Dother",
                    "postgres://ann:canary@db/mcp?options=-csearch_path%3Dteam&sslmode=require",
                ]
                .as_slice(),
            ),
            (
                "redis://ann:canary@db/0",
                &["redis://bob:canary@db/0", "redis://ann:canary2@db/0", "rediss://ann:canary@db/0"],
            ),
        ] {
            assert_eq!(identity(url), identity(url));
            for other in others {
                assert_ne!(identity(other), identity(url), "{other}");
            }
        }
    }
}

/// The example of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
