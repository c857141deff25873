//! What decides about a connection, for code that has to tell two of them apart. Each type is taken apart field by field, so that
//! a new field does not compile before it is decided whether it counts.

use std::hash::{Hash, Hasher};

use crate::endpoint::StreamEndpoint;
use crate::options::ClientOptions;
use crate::{Server, StdioEndpoint};

impl Server {
    /// Feeds `state` with where a connection leads and what it may cost, secrets included. Who supplies credentials and who
    /// answers the server are objects of the program and not among it.
    pub fn identify(&self, state: &mut impl Hasher) {
        let Self {
            endpoint,
            late,
            timeout,
            limits,
            auth: _,
            handler: _,
            // What is left out of what it says, not what it is told.
            tools: _,
            #[cfg(feature = "stdio")]
                starting: _,
            greeted: _,
        } = self;
        (endpoint, timeout, limits).hash(state);
        if let Some(late) = late {
            late.identify(state);
        }
    }
}

impl ClientOptions {
    /// Feeds `state` with how the network is reached, for how long it is waited, and who this client says it is; passwords of
    /// proxies included.
    pub fn identify(&self, state: &mut impl Hasher) {
        let Self {
            client_info,
            user_agent,
            connect_timeout,
            startup_timeout,
            first_byte_timeout,
            idle_timeout,
            stdio_idle_timeout,
            request_timeout,
            // Words for people.
            limit_names: _,
            limits,
            proxy,
            extra_ca_files,
            tls,
            ipv4_only,
            resolver,
            // It says what a request is a part of, not where that goes.
            propagator: _,
            exchange_sink: _,
            shared_secrets: _,
        } = self;
        (client_info, user_agent, connect_timeout, startup_timeout, first_byte_timeout).hash(state);
        (idle_timeout, stdio_idle_timeout, request_timeout, limits, proxy, extra_ca_files, tls, ipv4_only)
            .hash(state);
        resolver.is_some().hash(state);
        if let Some(resolver) = resolver {
            resolver.identify(state);
        }
    }
}

/// As their equality: what may not be repeated follows from the rest.
impl Hash for StdioEndpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { command, args, env, cwd, opening, startup_timeout, chain, secrets: _ } = self;
        (command, args, env, cwd, opening, startup_timeout, chain).hash(state);
    }
}

/// As their equality: by the server behind.
impl Hash for StreamEndpoint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { opener: _, server } = self;
        server.hash(state);
    }
}
