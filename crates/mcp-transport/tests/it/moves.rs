//! Servers that move: another address behind the name, another family of addresses.

use std::hash::{Hash as _, Hasher};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_status::ServerStatus;
use mcp_testkit::{FakeEra, FakeMcpServer};
use mcp_transport::options::{ResolveRequest, Resolver, ResolverFuture};
use mcp_transport::supervisor::SupervisorConfig;
use mcp_transport::{
    Connector, Endpoint, HttpEndpoint, RequestOptions, Server, Supervisor, SupervisorHandle,
};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::{options, raw, text_of};

/// An address at which a server is reached until this is dropped.
#[derive(Debug)]
struct Place(#[expect(dead_code, reason = "its end is what counts")] JoinSet<()>);

impl Place {
    async fn open(at: SocketAddr, server: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                passing.spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok((Self(accepting), address))
    }
}

/// A name server with one entry.
#[derive(Debug)]
struct Names(Mutex<Vec<IpAddr>>);

impl Resolver for Names {
    fn resolve(&self, request: ResolveRequest<'_>) -> ResolverFuture {
        assert_eq!(request.host, "mcp.test");
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    }

    fn identify(&self, mut state: &mut dyn Hasher) {
        self.0.lock().unwrap().hash(&mut state);
    }
}

fn supervise(names: &Arc<Names>, port: u16) -> SupervisorHandle {
    let mut options = options();
    options.resolver = Some(names.clone());
    let url = format!("http://mcp.test:{port}/mcp").parse().unwrap();
    let server = Server::new(Endpoint::Http(HttpEndpoint::new(url)));
    let source = move || std::future::ready(Ok(server.clone()));
    Supervisor::start(Connector::new(options), SupervisorConfig::new("web", source))
}

async fn echo(handle: &SupervisorHandle, text: &str) {
    let arguments = raw(&json!({ "text": text }));
    let result = handle.call_tool("echo", Some(&arguments), &RequestOptions::new()).await.unwrap();
    assert_eq!(text_of(&result), text);
}

/// Moves a server that goes by one name from one address to the other.
async fn moves(before: IpAddr, after: IpAddr, resolved: impl Fn(IpAddr) -> Vec<IpAddr>) {
    for era in [FakeEra::Legacy, FakeEra::Modern] {
        let start = || FakeMcpServer::builder().era(era).start().unwrap();
        let (old, new) = (start(), start());
        // Not every machine has every address.
        let Ok((place, address)) = Place::open((before, 0).into(), old.address()).await else { return };
        let names = Arc::new(Names(Mutex::new(resolved(before))));
        let handle = supervise(&names, address.port());
        assert_eq!(handle.decided().await.status, ServerStatus::Connected, "{:?}", handle.snapshot());
        echo(&handle, "before").await;

        drop(place);
        *names.0.lock().unwrap() = resolved(after);
        // The task that held the old place has to end.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let Ok(_place) = Place::open((after, address.port()).into(), new.address()).await else { return };
        echo(&handle, "after").await;
        // The new one may have refused it once, because it does not know the session.
        assert!(old.count("tools/call") == 1 && new.count("tools/call") > 0, "{era:?}");
        assert_eq!(handle.verify().await.status, ServerStatus::Connected);
        handle.close().await;
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_followed_when_the_old_place_is_gone() {
    let (before, after) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
    moves(before.into(), after.into(), |place| vec![place]).await;
}

#[tokio::test]
async fn a_server_that_comes_back_under_the_other_family_of_addresses_is_found() {
    let both = |_| vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()];
    moves(Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into(), both).await;
    moves(Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), both).await;
}

#[tokio::test]
async fn an_unknown_name_is_tried_again() {
    let server = FakeMcpServer::start().unwrap();
    let names = Arc::new(Names(Mutex::new(Vec::new())));
    let handle = supervise(&names, server.address().port());
    let mut status = handle.status();
    status.wait_for(|snapshot| snapshot.delay.is_some()).await.unwrap();
    *names.0.lock().unwrap() = vec![server.address().ip()];
    echo(&handle, "found").await;
    handle.close().await;
}
