//! The sockets by which processes of this machine speak to each other. In simulations memory has their place.

#[cfg(not(test))]
pub(crate) use mcp_bridge::parts::check_peer;
#[cfg(not(test))]
pub(crate) use tokio::net::unix::{OwnedReadHalf as ReadHalf, OwnedWriteHalf as WriteHalf};
#[cfg(not(test))]
pub(crate) use tokio::net::{UnixListener as Listener, UnixStream as Socket};

#[cfg(test)]
pub(crate) use crate::simulation::network::{Listener, ReadHalf, Socket, WriteHalf, check_peer};
