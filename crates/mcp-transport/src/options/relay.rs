//! What is left to the program that wrote a request, where another one makes it.

use std::sync::Arc;

use super::RequestOptions;
use crate::handler::ServerRequestHandler;

/// How a request is made that another program wrote: [`RequestOptions`], and what is left to that program.
///
/// # Examples
///
/// ```no_run
/// use mcp_transport::relay::RelayOptions;
/// use mcp_transport::{Connection, Payload, RequestOptions, TransportError};
///
/// # async fn pass_on(connection: Connection, method: &str) -> Result<Payload, TransportError> {
/// let options = RelayOptions::new(RequestOptions::new()).with_own_metadata().with_raw_result();
/// connection.request(method, None, options).await
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct RelayOptions(RequestOptions);

/// What a relay sets, as a part of the options of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct RelaySettings {
    pub(crate) own_metadata: bool,
    pub(crate) raw_result: bool,
    pub(crate) handler: Option<Arc<dyn ServerRequestHandler>>,
}

impl RelayOptions {
    /// These options, with nothing left to the other program.
    pub fn new(options: RequestOptions) -> Self {
        Self(options)
    }

    /// The parameters carry the metadata of a modern request (version, identity, capabilities) already, so none is added.
    #[must_use]
    pub fn with_own_metadata(mut self) -> Self {
        self.0.relay.own_metadata = true;
        self
    }

    /// The result of a modern server is handed over as it is, also where it asks for input (`input_required`) or is of a type that
    /// this crate does not know.
    #[must_use]
    pub fn with_raw_result(mut self) -> Self {
        self.0.relay.raw_result = true;
        self
    }

    /// `handler` takes what the server starts on the stream of this request's answer, in place of the connection's own: for a
    /// program that speaks on behalf of several. Means nothing on a wire whose requests share one stream.
    #[must_use]
    pub fn with_handler(mut self, handler: Arc<dyn ServerRequestHandler>) -> Self {
        self.0.relay.handler = Some(handler);
        self
    }
}

impl From<RelayOptions> for RequestOptions {
    fn from(options: RelayOptions) -> Self {
        options.0
    }
}

impl From<&RelayOptions> for RequestOptions {
    fn from(options: &RelayOptions) -> Self {
        options.0.clone()
    }
}
