//! One connection to a database: made when it is needed, made again when it was lost, and never waited for without end.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use mcp_auth::{AuthError, AuthErrorKind};
use tokio::sync::Mutex;

/// What a person can do where the database says no.
const CURE: &str = "correct the address of the shared token store, its account, or what that may do";

/// How long a connection may take to make, and a statement to be answered: far longer than a database that is well needs.
const LIMIT: Duration = Duration::from_secs(5);

/// A database as this module sees it.
pub(crate) trait Database: fmt::Debug + Send + Sync + 'static {
    /// A connection; clones are the same connection, and many may use it at once.
    type Connection: Clone + Send + Sync + 'static;
    /// Why something failed. Its text holds no password.
    type Failure: Error + Send + Sync + 'static;

    /// What the database is called in errors, without a password.
    fn shown(&self) -> &str;

    /// A new connection.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, Self::Failure>> + Send;

    /// Whether the connection is of no use any more.
    fn is_lost(connection: &Self::Connection, failure: &Self::Failure) -> bool;

    /// Whether the database said no, and will again, rather than nothing.
    fn is_refusal(failure: &Self::Failure) -> bool;
}

/// What one statement does with a connection.
pub(crate) type Work<'a, T, F> = Pin<Box<dyn Future<Output = Result<T, F>> + Send + 'a>>;

/// The connection to a database.
pub(crate) struct Link<D: Database> {
    database: D,
    connection: Mutex<Option<D::Connection>>,
}

impl<D: Database> Link<D> {
    pub(crate) fn new(database: D) -> Self {
        Self { database, connection: Mutex::new(None) }
    }

    /// Does `work`, and once more on a new connection where the old one turns out to be lost: everything that is asked of a
    /// store may be asked twice.
    pub(crate) async fn run<'a, T, W>(&self, verb: &str, work: W) -> Result<T, AuthError>
    where
        W: Fn(D::Connection) -> Work<'a, T, D::Failure>,
    {
        let (connection, is_new) = self.connection(verb).await?;
        let failure = match self.attempt(verb, &connection, &work).await? {
            Ok(done) => return Ok(done),
            Err(failure) => failure,
        };
        if is_new || !D::is_lost(&connection, &failure) {
            return Err(self.failed(verb, &failure));
        }
        self.forget().await;
        let (connection, _) = self.connection(verb).await?;
        self.attempt(verb, &connection, &work).await?.map_err(|failure| self.failed(verb, &failure))
    }

    async fn attempt<'a, T, W>(
        &self,
        verb: &str,
        connection: &D::Connection,
        work: &W,
    ) -> Result<Result<T, D::Failure>, AuthError>
    where
        W: Fn(D::Connection) -> Work<'a, T, D::Failure>,
    {
        match tokio::time::timeout(LIMIT, work(connection.clone())).await {
            Ok(Ok(done)) => Ok(Ok(done)),
            Ok(Err(failure)) => {
                if D::is_lost(connection, &failure) {
                    self.forget().await;
                }
                Ok(Err(failure))
            }
            // What does not answer is not asked again on the same connection.
            Err(_) => {
                self.forget().await;
                Err(self.silent(verb))
            }
        }
    }

    /// The connection in use, or a new one and `true`. Those who come while it is made wait for it.
    async fn connection(&self, verb: &str) -> Result<(D::Connection, bool), AuthError> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok((connection.clone(), false));
        }
        let made = tokio::time::timeout(LIMIT, self.database.connect()).await;
        let made = made.map_err(|_| self.silent(verb))?.map_err(|failure| self.failed(verb, &failure))?;
        *kept = Some(made.clone());
        Ok((made, true))
    }

    async fn forget(&self) {
        *self.connection.lock().await = None;
    }

    fn failed(&self, verb: &str, failure: &D::Failure) -> AuthError {
        // The reason is part of the text: many places print only the outermost error.
        let mut why = failure.to_string();
        if let Some(source) = failure.source().map(ToString::to_string)
            && !why.contains(&source)
        {
            why = format!("{why}: {source}");
        }
        let why = without_number(&why);
        let message = format!("{verb} in the shared token store, {}: {why}", self.database.shown());
        let kind = match D::is_refusal(failure) {
            true => AuthErrorKind::Store,
            false => AuthErrorKind::StoreUnavailable,
        };
        // Not kept as the source as well: what prints causes would say the same twice, with the numbers of the system.
        let error = AuthError::new(kind, message);
        // No sign-in helps against that.
        match kind {
            AuthErrorKind::Store => error.with_hint(CURE),
            _ => error,
        }
    }

    fn silent(&self, verb: &str) -> AuthError {
        let message = format!(
            "{verb} in the shared token store, {}: no answer within {LIMIT:?}",
            self.database.shown()
        );
        AuthError::new(AuthErrorKind::StoreUnavailable, message)
    }
}

/// The text of an error of the system without its number, which says nothing to a person.
fn without_number(text: &str) -> String {
    match text.split_once(" (os error ").and_then(|(before, rest)| Some((before, rest.split_once(')')?.1))) {
        Some((before, after)) => format!("{before}{after}"),
        None => text.to_owned(),
    }
}

impl<D: Database> fmt::Debug for Link<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.database.shown())
    }
}
