//! Redis 5 or later, and what speaks its protocol.

use std::fmt;
use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use mcp_auth::oauth::store::shared::{RecordKind, SharedRecords};
use mcp_auth::{AuthFuture, Secret};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo as _, RedisError, cmd};

use crate::UnusableStore;
use crate::link::{Database, Link};

/// What every key begins with. In braces, so that a cluster keeps them in one slot, as scripts over several keys need.
const PREFIX: &str = "{mcp-sign-ins}";

/// `KEYS`: record, index. `ARGV`: record, name.
const PUT: &str = "redis.call('SET', KEYS[1], ARGV[1]) redis.call('ZADD', KEYS[2], 0, ARGV[2]) return 1";
/// `KEYS`: record, index. `ARGV`: name.
const DELETE: &str = "redis.call('ZREM', KEYS[2], ARGV[1]) return redis.call('DEL', KEYS[1])";
/// `KEYS`: lease. `ARGV`: holder, milliseconds.
const LEASE: &str = "local holder = redis.call('GET', KEYS[1]) \
     if holder == false or holder == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end \
     return 0";
/// `KEYS`: lease. `ARGV`: holder.
const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Records and leases as keys of a Redis database, over one connection.
#[derive(Debug)]
pub struct RedisRecords {
    link: Link<Redis>,
    url: Secret,
}

impl RedisRecords {
    /// The database at `url`: `redis://user:password@host:6379/0`, or `rediss://` over TLS. Nothing is contacted yet.
    ///
    /// # Errors
    ///
    /// The URL cannot be read.
    pub fn new(url: &str) -> Result<Self, UnusableStore> {
        let unusable = |error: RedisError| UnusableStore::Url(error.to_string());
        let info = url.into_connection_info().map_err(unusable)?;
        let database = info.redis_settings().db();
        let shown = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                format!("Redis at {host}:{port}/{database}")
            }
            ConnectionAddr::Unix(path) => format!("Redis at {}", path.display()),
            _ => "Redis".to_owned(),
        };
        let client = Client::open(info).map_err(unusable)?;
        Ok(Self { link: Link::new(Redis { client, shown }), url: Secret::new(url) })
    }
}

struct Redis {
    client: Client,
    shown: String,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Database for Redis {
    type Connection = MultiplexedConnection;
    type Failure = RedisError;

    fn shown(&self) -> &str {
        &self.shown
    }

    async fn connect(&self) -> Result<Self::Connection, RedisError> {
        // `rediss:` needs a provider of cryptography for the whole process; one that is there already stays.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // How long anything may take is decided in one place, for both databases.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        self.client.get_multiplexed_async_connection_with_config(&config).await
    }

    fn is_lost(_: &Self::Connection, failure: &RedisError) -> bool {
        failure.is_unrecoverable_error() || failure.is_io_error()
    }

    fn is_refusal(failure: &RedisError) -> bool {
        // Not one that loads its data still, or follows another one.
        let is_passing = matches!(failure.code(), Some("LOADING" | "MASTERDOWN" | "READONLY" | "TRYAGAIN"));
        !(failure.is_io_error() || failure.is_connection_dropped() || failure.is_timeout() || is_passing)
    }
}

fn record_key(kind: RecordKind, name: &str) -> String {
    format!("{PREFIX}:{}:{name}", kind.as_str())
}

fn index_key(kind: RecordKind) -> String {
    format!("{PREFIX}:index:{}", kind.as_str())
}

fn lease_key(name: &str) -> String {
    format!("{PREFIX}:lease:{name}")
}

impl SharedRecords for RedisRecords {
    fn get<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, Option<Vec<u8>>> {
        Box::pin(self.link.run("read a record", move |mut connection| {
            Box::pin(async move { cmd("GET").arg(record_key(kind, name)).query_async(&mut connection).await })
        }))
    }

    fn put<'a>(&'a self, kind: RecordKind, name: &'a str, record: Vec<u8>) -> AuthFuture<'a, ()> {
        Box::pin(self.link.run("write a record", move |mut connection| {
            let mut put = cmd("EVAL");
            put.arg(PUT).arg(2).arg(record_key(kind, name)).arg(index_key(kind)).arg(&*record).arg(name);
            Box::pin(async move { put.query_async(&mut connection).await })
        }))
    }

    fn delete<'a>(&'a self, kind: RecordKind, name: &'a str) -> AuthFuture<'a, bool> {
        Box::pin(self.link.run("remove a record", move |mut connection| {
            let mut delete = cmd("EVAL");
            delete.arg(DELETE).arg(2).arg(record_key(kind, name)).arg(index_key(kind)).arg(name);
            Box::pin(async move { delete.query_async(&mut connection).await })
        }))
    }

    fn scan<'a>(&'a self, kind: RecordKind, prefix: &'a str) -> AuthFuture<'a, Vec<(String, Vec<u8>)>> {
        Box::pin(self.link.run("list records", move |mut connection| {
            Box::pin(async move {
                // Names are ASCII, and nothing in them comes after `~`.
                let mut find = cmd("ZRANGEBYLEX");
                find.arg(index_key(kind)).arg(format!("[{prefix}")).arg(format!("({prefix}~"));
                let names: Vec<String> = find.query_async(&mut connection).await?;
                if names.is_empty() {
                    return Ok(Vec::new());
                }
                let mut read = cmd("MGET");
                for name in &names {
                    read.arg(record_key(kind, name));
                }
                let records: Vec<Option<Vec<u8>>> = read.query_async(&mut connection).await?;
                // One that was removed in between is not there.
                Ok(names
                    .into_iter()
                    .zip(records)
                    .filter_map(|(name, record)| Some((name, record?)))
                    .collect())
            })
        }))
    }

    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, length: Duration) -> AuthFuture<'a, bool> {
        let milliseconds = u64::try_from(length.as_millis()).unwrap_or(u64::MAX).max(1);
        Box::pin(self.link.run("take a lease", move |mut connection| {
            let mut take = cmd("EVAL");
            take.arg(LEASE).arg(1).arg(lease_key(name)).arg(holder).arg(milliseconds);
            Box::pin(async move { take.query_async(&mut connection).await })
        }))
    }

    fn identify(&self, mut state: &mut dyn Hasher) {
        // The whole address: where it is, the account, its options and TLS.
        self.url.hash(&mut state);
    }

    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> AuthFuture<'a, ()> {
        Box::pin(self.link.run("give back a lease", move |mut connection| {
            let mut release = cmd("EVAL");
            release.arg(RELEASE).arg(1).arg(lease_key(name)).arg(holder);
            Box::pin(async move { release.query_async::<i64>(&mut connection).await.map(drop) })
        }))
    }
}
