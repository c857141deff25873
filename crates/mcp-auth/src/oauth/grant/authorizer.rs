//! The seam between a login and what takes a person to the authorization server and back.

use std::fmt;
use std::time::Duration;

use url::Url;

use super::authorize::CallbackParams;
use crate::{AuthError, AuthFuture, Secret};

/// Takes a URL, gives back the parameters of the redirect: a browser and a loopback listener
/// ([`LoopbackAuthorizer`](crate::oauth::LoopbackAuthorizer)), a test that reads a `Location` header, an embedding
/// application with a scheme of its own.
pub trait Authorizer: fmt::Debug + Send + Sync {
    /// Gets ready to receive the redirect, before any URL is built: the redirect URI is part of it.
    fn prepare<'a>(
        &'a self,
        preference: &'a RedirectPreference,
    ) -> AuthFuture<'a, Box<dyn AuthorizerSession>>;
}

/// One sign-in of an [`Authorizer`]. Dropping it ends the sign-in and frees what was bound.
pub trait AuthorizerSession: fmt::Debug + Send {
    /// Where the redirect is received, exactly as it is registered and sent.
    fn redirect_uri(&self) -> &str;

    /// Takes the person to the URL and waits for the answer. Asked again where one round was not enough; an
    /// authorizer that still holds the page of the round before leads the person on from there.
    fn authorize<'a>(&'a mut self, request: AuthorizationPrompt<'a>) -> AuthFuture<'a, CallbackParams>;

    /// Tells how it ended, so that what the person still looks at can say so too.
    fn finish<'a>(
        &'a mut self,
        server_name: &'a str,
        outcome: Result<(), &'a AuthError>,
    ) -> AuthFuture<'a, ()> {
        let _ = (server_name, outcome);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What the redirect URI should be.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct RedirectPreference {
    /// Exactly this one, because it is the registered one.
    pub exact: Option<String>,
    /// On this port: busy is an error.
    pub port: Option<u16>,
    /// On this port if it is free, because it was registered before.
    pub preferred_port: Option<u16>,
}

/// What a person is taken to.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct AuthorizationPrompt<'a> {
    /// The name of the server entry.
    pub server_name: &'a str,
    /// The authorization URL: `https`, or `http` on this machine; safe to hand to a browser as *one argument*.
    pub url: &'a Url,
    /// The `state` that the answer will carry.
    pub state: &'a Secret,
}

/// What a person does on another device (RFC 8628 section 3.3).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct DevicePrompt<'a> {
    /// The name of the server entry.
    pub server_name: &'a str,
    /// The page to open.
    pub verification_uri: &'a Url,
    /// The code to enter there.
    pub user_code: &'a str,
    /// The same page with the code filled in, where the server offers it.
    pub verification_uri_complete: Option<&'a Url>,
    /// How long the code is good for.
    pub expires_in: Duration,
}

/// Shows things to the person who signs in. What a command line or an application implements.
pub trait SignInPrompt: fmt::Debug + Send + Sync + 'static {
    /// Opens or shows the authorization URL. It must not reach a shell.
    fn authorization<'a>(&'a self, prompt: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()>;

    /// What the person pastes: the redirect URL, or the code alone. Never ready where nothing can be pasted.
    fn pasted(&self) -> AuthFuture<'_, Secret> {
        Box::pin(std::future::pending())
    }

    /// What was pasted can be neither; [`pasted`](Self::pasted) is asked again.
    fn paste_refused(&self) -> AuthFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// An error came to the callback that does not say which sign-in it belongs to: any page can send one, so it ends nothing. But
    /// there are servers that forget to say so, and then nothing else will come. `said` is on one line and bounded.
    fn unproven<'a>(&'a self, said: &'a str) -> AuthFuture<'a, ()> {
        let _ = said;
        Box::pin(std::future::ready(Ok(())))
    }

    /// An answer came to the callback whose `state` is not the one of this sign-in, or is missing: it is not used, and the right one
    /// is still waited for. It is of an older tab, or of a page that has no business here, or of an authorization server that
    /// changes what it has to send back; then nothing else will come. Told once.
    fn foreign_answer(&self) -> AuthFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Shows a device code.
    fn device<'a>(&'a self, prompt: DevicePrompt<'a>) -> AuthFuture<'a, ()>;
}

pub(crate) fn authorization_prompt<'a>(
    server_name: &'a str,
    url: &'a Url,
    state: &'a Secret,
) -> AuthorizationPrompt<'a> {
    AuthorizationPrompt { server_name, url, state }
}

impl fmt::Display for RedirectPreference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.exact, self.port) {
            (Some(exact), _) => f.write_str(&super::super::urls::redacted(exact)),
            (None, Some(port)) => write!(f, "http://localhost:{port}/callback"),
            (None, None) => f.write_str("http://localhost/callback on a free port"),
        }
    }
}
