//! Signing out, and forgetting everything about a server.

use super::super::super::store::{ClientKey, StoredTokens, TokenKey};
use super::super::super::urls::same_issuer;
use super::super::revoke::revoke;
use super::OAuthLogin;
use crate::AuthError;

/// Which sign-ins of a server end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum SignOutScope {
    /// That of the account.
    Account,
    /// Those of all accounts.
    Server,
}

/// What a sign-out did.
#[derive(Debug)]
#[non_exhaustive]
pub struct CompletedSignOut {
    /// How many sign-ins were forgotten: 0 if there was none.
    pub forgotten: usize,
    /// How many records of these could not be read, and so could not be revoked.
    pub unreadable: usize,
    /// Whether a client secret was kept, and is not any more.
    pub secret_forgotten: bool,
    /// For each issuer, whether it has revoked the tokens.
    pub revocations: Vec<(String, Revocation)>,
    /// The other servers with a sign-in of this account at one of these issuers, sorted: with `share: "issuer"`, a sign-in of one
    /// serves another, so that a person has to hear of them.
    pub others: Vec<String>,
}

/// Whether tokens were revoked at their authorization server (RFC 7009).
#[derive(Debug)]
#[non_exhaustive]
pub enum Revocation {
    /// They were.
    Revoked,
    /// The server offers no revocation: the access token works until it expires.
    NotOffered,
    /// The access token is one of another server's sign-in (`share: "issuer"`), which a revocation would end as well (RFC 7009
    /// section 2.1): it works until it expires.
    OfAnother,
    /// The server did not do it.
    Failed(AuthError),
}

impl OAuthLogin {
    /// Revokes the tokens of this server's account where its authorization server offers that, and forgets them in any case.
    ///
    /// # Errors
    ///
    /// Only when the store cannot forget them; a failed revocation is part of the result.
    pub async fn logout(&self) -> Result<CompletedSignOut, AuthError> {
        self.sign_out(true, SignOutScope::Account).await
    }

    /// The same for all accounts of this server.
    ///
    /// # Errors
    ///
    /// Only when the store cannot forget them; a failed revocation is part of the result.
    pub async fn logout_all(&self) -> Result<CompletedSignOut, AuthError> {
        self.sign_out(true, SignOutScope::Server).await
    }

    /// Forgets the tokens of this server's account without telling its authorization server: they work until they expire.
    ///
    /// # Errors
    ///
    /// When the store cannot forget them.
    pub async fn forget(&self) -> Result<CompletedSignOut, AuthError> {
        self.sign_out(false, SignOutScope::Account).await
    }

    /// The same for all accounts of this server.
    ///
    /// # Errors
    ///
    /// When the store cannot forget them.
    pub async fn forget_all(&self) -> Result<CompletedSignOut, AuthError> {
        self.sign_out(false, SignOutScope::Server).await
    }

    async fn sign_out(&self, revoke: bool, extent: SignOutScope) -> Result<CompletedSignOut, AuthError> {
        let ctx = &self.ctx;
        let (revocations, others) = (Vec::new(), Vec::new());
        let broken = ctx.store.remove_broken(&ctx.target.name).await?;
        let mut done = CompletedSignOut {
            forgotten: broken,
            unreadable: broken,
            secret_forgotten: false,
            revocations,
            others,
        };
        let mut issuers = Vec::new();
        let all = ctx.store.list(Some(&ctx.target.name)).await?;
        let account = ctx.target.account.as_deref();
        // Those for an earlier URL of the entry as well.
        for key in all.into_iter().filter(|key| extent == SignOutScope::Server || key.account() == account) {
            // A refresh that is under way would bring the sign-in back. A holder that keeps the lock for too long does not
            // keep a person from signing out.
            let _guard = ctx.store.lock(&key).await;
            if let Some(tokens) = ctx.store.load(&key).await?.filter(|_| revoke) {
                done.revocations.push((key.issuer().to_owned(), self.revoke(&key, &tokens).await));
            }
            done.forgotten += usize::from(ctx.store.remove(&key).await?);
            issuers.push(key.issuer().to_owned());
        }
        done.secret_forgotten = ctx.forget_secrets(&issuers).await?;
        done.others = self.others(&issuers).await;
        Ok(done)
    }

    /// None, where the store cannot tell: what was asked for is done.
    async fn others(&self, issuers: &[String]) -> Vec<String> {
        let (target, store) = (&self.ctx.target, &self.ctx.store);
        let kept = if issuers.is_empty() { Vec::new() } else { store.list(None).await.unwrap_or_default() };
        let mut others: Vec<_> = kept
            .iter()
            .filter(|key| key.server_name() != target.name && key.account() == target.account.as_deref())
            .filter(|key| issuers.iter().any(|issuer| same_issuer(issuer, key.issuer())))
            .map(|key| key.server_name().to_owned())
            .collect();
        others.sort();
        others.dedup();
        others
    }

    async fn revoke(&self, key: &TokenKey, tokens: &StoredTokens) -> Revocation {
        let ctx = &self.ctx;
        let Some(url) = &tokens.revocation_endpoint else {
            let is_of_another = ctx.settings.spec.shares_issuer && tokens.refresh_token.is_none();
            return if is_of_another { Revocation::OfAnother } else { Revocation::NotOffered };
        };
        let client = match ctx.identity_of(key, tokens).await {
            Ok(client) => client,
            Err(error) => return Revocation::Failed(error),
        };
        let named_by = match ctx.endpoints_named_by(key.issuer()) {
            Ok(named_by) => named_by,
            Err(failure) => return Revocation::Failed(failure.into()),
        };
        match revoke(&*ctx.http, (url, &named_by), key.issuer(), &client, tokens, &ctx.clock).await {
            Ok(()) => Revocation::Revoked,
            Err(failure) => Revocation::Failed(failure.into()),
        }
    }

    /// Forgets everything about this server without asking anyone: tokens and client registrations. What was discovered
    /// is kept nowhere else. The next sign-in starts from nothing.
    ///
    /// Returns how many records were forgotten.
    ///
    /// # Errors
    ///
    /// When the store cannot forget.
    pub async fn reset(&self) -> Result<usize, AuthError> {
        self.forget_records(true).await
    }

    /// The same for client registrations alone; the tokens stay, and the next sign-in registers again.
    ///
    /// # Errors
    ///
    /// When the store cannot forget.
    pub async fn reset_registrations(&self) -> Result<usize, AuthError> {
        self.forget_records(false).await
    }

    async fn forget_records(&self, tokens: bool) -> Result<usize, AuthError> {
        let ctx = &self.ctx;
        let mut forgotten = if tokens { ctx.store.remove_broken(&ctx.target.name).await? } else { 0 };
        let mut clients = ctx.store.list_clients(Some(&ctx.target.name)).await?;
        for key in ctx.store.list(Some(&ctx.target.name)).await? {
            let _guard = ctx.store.lock(&key).await;
            // The registration may have been brought along by another entry with the same authorization server; a dead
            // one is dead for both.
            clients.push(ClientKey::registered(key.issuer()));
            if tokens {
                forgotten += usize::from(ctx.store.remove(&key).await?);
            }
        }
        clients.push(ClientKey::configured_for(&ctx.target));
        clients.sort();
        clients.dedup();
        for key in clients {
            forgotten += usize::from(ctx.store.remove_client(&key).await?);
        }
        Ok(forgotten)
    }
}
