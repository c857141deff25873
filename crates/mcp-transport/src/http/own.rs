//! What an endpoint has for itself of the settings of all.

use std::sync::Arc;

use crate::endpoint::HttpEndpoint;
use crate::options::{ClientOptions, EndpointProxy, ProxySettings, TlsOptions};

/// What an endpoint has for itself.
#[derive(Eq, PartialEq)]
pub(super) struct EndpointSettings {
    tls: Option<Arc<TlsOptions>>,
    proxy: Option<Arc<EndpointProxy>>,
    ipv4_only: bool,
}

impl EndpointSettings {
    /// `None` where that is nothing.
    pub(super) fn of(endpoint: &HttpEndpoint) -> Option<Self> {
        let HttpEndpoint {
            url: _,
            flavor: _,
            tls,
            proxy,
            keeps_cookies: _,
            ipv4_only,
            falls_back: _,
            era: _,
            keep_alive: _,
            shown: _,
        } = endpoint;
        let own = Self { tls: tls.clone(), proxy: proxy.clone(), ipv4_only: *ipv4_only };
        (own != Self { tls: None, proxy: None, ipv4_only: false }).then_some(own)
    }

    /// The options of all, with these in their place.
    pub(super) fn over(&self, all: &ClientOptions) -> ClientOptions {
        let mut options = all.clone();
        if let Some(tls) = &self.tls {
            options.tls = tls.over(&all.tls);
        }
        match self.proxy.as_deref() {
            None => {}
            Some(EndpointProxy::Direct) => options.proxy = ProxySettings::default(),
            Some(EndpointProxy::Url(url)) => {
                options.proxy = ProxySettings { always: Some(url.clone()), ..ProxySettings::default() };
            }
        }
        options.ipv4_only |= self.ipv4_only;
        options
    }
}
