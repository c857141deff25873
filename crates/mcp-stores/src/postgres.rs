//! PostgreSQL 12 or later.

use std::fmt;
use std::hash::{Hash as _, Hasher};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use mcp_auth::oauth::store::shared::{RecordKind, SharedRecords};
use mcp_auth::{AuthFuture, Secret};
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, Error};

use crate::UnusableStore;
use crate::link::{Database, Link};
use crate::tls::Tls;

/// The tables, for an operator who makes them by hand: an account that may not make tables needs `SELECT`, `INSERT`,
/// `UPDATE` and `DELETE` on both.
pub const SCHEMA: &str = "\
CREATE TABLE IF NOT EXISTS mcp_sign_ins (
    kind text COLLATE \"C\" NOT NULL,
    name text COLLATE \"C\" NOT NULL,
    record bytea NOT NULL,
    PRIMARY KEY (kind, name)
);
CREATE TABLE IF NOT EXISTS mcp_sign_in_leases (
    name text COLLATE \"C\" PRIMARY KEY,
    holder text NOT NULL,
    until timestamptz NOT NULL
);
";

/// Of all who come first at once, one makes the tables: `IF NOT EXISTS` alone fails for those who are a moment late.
const MAKING_TABLES: i64 = 0x6d63_7020_7369_676e;

/// Records and leases in two tables of a PostgreSQL database, over one connection.
#[derive(Debug)]
pub struct PostgresRecords {
    link: Link<Postgres>,
    url: Secret,
}

impl PostgresRecords {
    /// The database at `url`, as libpq writes it: `postgres://user:password@host:5432/database?sslmode=require`. Nothing is
    /// contacted yet. Without `sslmode`, TLS is used where the server offers it; its certificate is verified in any case.
    ///
    /// # Errors
    ///
    /// The URL cannot be read, or asks for something that is not known.
    pub fn new(url: &str) -> Result<Self, UnusableStore> {
        let config = Config::from_str(url).map_err(|error| UnusableStore::Url(cause(&error)))?;
        let shown = shown(&config);
        Ok(Self { link: Link::new(Postgres { config, shown }), url: Secret::new(url) })
    }
}

/// The innermost reason: the outer ones say that a configuration string is invalid.
fn cause(error: &Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Security: nothing but where it is and what it is called.
fn shown(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("PostgreSQL at {host}:{port}/{database}")
}

struct Postgres {
    config: Config,
    shown: String,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Database for Postgres {
    type Connection = Arc<Client>;
    type Failure = Error;

    fn shown(&self) -> &str {
        &self.shown
    }

    async fn connect(&self) -> Result<Self::Connection, Error> {
        let (client, connection) = self.config.connect(Tls).await?;
        // Ends with the client, or with the connection: who uses the client is told then.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection of the shared token store ended");
            }
        });
        make_tables(&client).await?;
        Ok(Arc::new(client))
    }

    fn is_lost(connection: &Self::Connection, failure: &Error) -> bool {
        // Tables that were dropped are made by the next connection.
        connection.is_closed() || failure.is_closed() || failure.code() == Some(&SqlState::UNDEFINED_TABLE)
    }

    fn is_refusal(failure: &Error) -> bool {
        // It starts, ends, or has no room: classes 57 and 53 of its codes.
        failure.code().is_some_and(|code| !code.code().starts_with("57P") && !code.code().starts_with("53"))
    }
}

async fn make_tables(client: &Client) -> Result<(), Error> {
    let there =
        "SELECT to_regclass('mcp_sign_ins') IS NOT NULL AND to_regclass('mcp_sign_in_leases') IS NOT NULL";
    if client.query_one(there, &[]).await?.try_get(0)? {
        return Ok(());
    }
    client
        .batch_execute(&format!("BEGIN; SELECT pg_advisory_xact_lock({MAKING_TABLES}); {SCHEMA} COMMIT;"))
        .await
}

impl SharedRecords for PostgresRecords {
    fn get<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, Option<Vec<u8>>> {
        Box::pin(self.link.run("read a record", move |client| {
            Box::pin(async move {
                let query = "SELECT record FROM mcp_sign_ins WHERE kind = $1 AND name = $2";
                client.query_opt(query, &[&kind.as_str(), &name]).await?.map(|row| row.try_get(0)).transpose()
            })
        }))
    }

    fn put<'a>(&'a self, kind: RecordKind, name: &'a str, record: Vec<u8>) -> AuthFuture<'a, ()> {
        let record = Arc::new(record);
        Box::pin(self.link.run("write a record", move |client| {
            let record = Arc::clone(&record);
            Box::pin(async move {
                let insert = "INSERT INTO mcp_sign_ins (kind, name, record) VALUES ($1, $2, $3) \
                     ON CONFLICT (kind, name) DO UPDATE SET record = EXCLUDED.record";
                client.execute(insert, &[&kind.as_str(), &name, &*record]).await.map(drop)
            })
        }))
    }

    fn delete<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, bool> {
        Box::pin(self.link.run("remove a record", move |client| {
            Box::pin(async move {
                let delete = "DELETE FROM mcp_sign_ins WHERE kind = $1 AND name = $2";
                Ok(client.execute(delete, &[&kind.as_str(), &name]).await? > 0)
            })
        }))
    }

    fn scan<'a>(&'a self, kind: RecordKind, prefix: &'a str) -> AuthFuture<'a, Vec<(String, Vec<u8>)>> {
        // Names are ASCII, and nothing in them comes after `~`.
        let end = format!("{prefix}~");
        Box::pin(self.link.run("list records", move |client| {
            let end = end.clone();
            Box::pin(async move {
                let query = "SELECT name, record FROM mcp_sign_ins \
                     WHERE kind = $1 AND name >= $2 AND name < $3 ORDER BY name";
                let rows = client.query(query, &[&kind.as_str(), &prefix, &end]).await?;
                rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
            })
        }))
    }

    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, length: Duration) -> AuthFuture<'a, bool> {
        let milliseconds = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Box::pin(self.link.run("take a lease", move |client| {
            Box::pin(async move {
                let take = "INSERT INTO mcp_sign_in_leases AS lease (name, holder, until) \
                     VALUES ($1, $2, clock_timestamp() + $3::bigint * interval '1 millisecond') \
                     ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until \
                     WHERE lease.holder = EXCLUDED.holder OR lease.until <= clock_timestamp()";
                Ok(client.execute(take, &[&name, &holder, &milliseconds]).await? > 0)
            })
        }))
    }

    fn identify(&self, mut state: &mut dyn Hasher) {
        // The whole address: where it is, the account, its options and TLS.
        self.url.hash(&mut state);
    }

    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> AuthFuture<'a, ()> {
        Box::pin(self.link.run("give back a lease", move |client| {
            Box::pin(async move {
                let release = "DELETE FROM mcp_sign_in_leases WHERE name = $1 AND holder = $2";
                client.execute(release, &[&name, &holder]).await.map(drop)
            })
        }))
    }
}
