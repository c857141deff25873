//! Admission: a process that comes is let onto the shared connection, or told why there is none.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_bridge::parts::{HostChannel, attempt_failed};
use mcp_status::{Evidence, FailureRun, Outcome, Phase, ReasonCode, ServerStatus};
use mcp_transport::SupervisorHandle;
use mcp_transport::supervisor::{Lease, RequestErrorKind, StatusSnapshot};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::hub::{Hub, HubCore};
use crate::opening::{self, Reply, Request};
use crate::peer::{self, Peer};
use crate::socket::{Listener, ReadHalf, Socket, WriteHalf, check_peer};

/// How long a process may take to say what it comes for.
const REQUEST_LIMIT: Duration = Duration::from_secs(5);

/// How many are let in by the socket at a time. More wait in front of it, and one that waits for long makes a connection of its
/// own. The process has few descriptors (256 on macOS), and its server and the network need some.
const MAX_VISITORS: usize = 128;

/// Lets every process in that comes, until the hub is gone: to the socket, if there is one, and from this process.
pub(crate) async fn accept(
    listener: Option<Listener>,
    mut visitors: mpsc::UnboundedReceiver<Socket>,
    hub: Weak<Hub>,
) {
    let mut serving = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            Some(stream) = visitors.recv() => match hub.upgrade() {
                None => return,
                Some(hub) => drop(serving.spawn(receive(hub, stream))),
            },
            accepted = next(listener.as_ref()), if serving.len() < MAX_VISITORS => match (accepted, hub.upgrade()) {
                (_, None) => return,
                (Ok(stream), Some(hub)) => match check_peer(&stream) {
                    Ok(()) => drop(serving.spawn(receive(hub, stream))),
                    Err(error) => tracing::warn!(%error, "a process that came was not let in"),
                },
                // Out of file descriptors, most likely: it may pass.
                (Err(_), Some(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = serving.join_next() => {}
        }
    }
}

async fn next(listener: Option<&Listener>) -> std::io::Result<Socket> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// Serves a process that came.
async fn receive(hub: Arc<Hub>, stream: Socket) {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let request = tokio::time::timeout(REQUEST_LIMIT, opening::read(&mut input)).await;
    // One that says nothing sensible, or goes, is not waited for.
    let outcome = match request {
        Ok(Ok(request)) => match opening::write(&mut output, &Reply::Here { pid: hub.core.pid }).await {
            Ok(()) => grant(&hub, request, input, output).await,
            Err(error) => Err(error),
        },
        Ok(Err(error)) => Err(error),
        Err(late) => Err(late.into()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "a process that came to share the connection went");
    }
}

async fn grant(
    hub: &Hub,
    request: Request,
    input: BufReader<ReadHalf>,
    mut output: WriteHalf,
) -> std::io::Result<()> {
    match request {
        Request::Attach { pid, wanted } => attach(&hub.core, (input, output), pid, wanted).await,
        Request::Reconnect => {
            hub.reconnect().await;
            opening::write(&mut output, &Reply::Reconnected).await
        }
    }
}

/// Lets a bridge onto the connection, or says why there is none.
async fn attach(
    core: &Arc<HubCore>,
    (input, mut output): (BufReader<ReadHalf>, WriteHalf),
    pid: u32,
    wanted: bool,
) -> std::io::Result<()> {
    let is_ours = pid == core.pid;
    if core.dissolved.is_cancelled() || (core.releasing.load(Ordering::Acquire) && !is_ours) {
        // It comes again, and finds the process that keeps the connection then.
        return Ok(());
    }
    let server = core.upstream();
    match connection(server, wanted).await {
        Ok(lease) => {
            let (connection, description) = (lease.id(), lease.server());
            drop(lease);
            opening::write(&mut output, &Reply::Connected).await?;
            let (host, writer) = HostChannel::new();
            let id = core.next.fetch_add(1, Ordering::Relaxed);
            let peer = Arc::new(Peer::new(id, pid, connection, &description, host));
            let mut writing = AbortOnDropHandle::new(tokio::spawn(writer.run(output)));
            core.peers.send_modify(|peers| drop(peers.insert(id, peer.clone())));
            let is_late = server.snapshot().connection != Some(connection)
                || (core.releasing.load(Ordering::Acquire) && !is_ours);
            if is_late {
                peer.go_away();
            }
            tokio::select! {
                () = peer::serve(core, &peer, input) => {}
                _ = &mut writing => {}
            }
            core.peers.send_modify(|peers| drop(peers.remove(&id)));
            peer.end();
            core.collect_resources();
            core.roots_may_have_changed(&peer);
            Ok(())
        }
        Err(snapshot) => {
            if core.dissolved.is_cancelled() {
                return Ok(());
            }
            opening::write(&mut output, &Reply::Failed(Box::new(failure_run(&snapshot).into()))).await?;
            wait_for_change(server, &snapshot, input).await;
            Ok(())
        }
    }
}

/// The connection, or how things are without one.
async fn connection(server: &SupervisorHandle, wanted: bool) -> Result<Lease, StatusSnapshot> {
    if !wanted {
        // It comes because something has changed, and so is no reason to try: an attempt that failed must not cause
        // the next one.
        let mut status = server.status();
        let is_known = |now: &StatusSnapshot| {
            let is_trying = now.status == ServerStatus::Pending && now.code != Some(ReasonCode::Retrying);
            now.closed || now.connection.is_some() || !is_trying
        };
        let known = status.wait_for(is_known).await.map(|now| now.clone());
        match known {
            Ok(now) if now.connection.is_some() => {}
            Ok(now) => return Err(now),
            Err(_) => return Err(server.snapshot()),
        }
    }
    // What the attempt that it causes shows is told at once, as a bridge of its own would know it.
    let failed = async {
        server.verify().await;
        attempt_failed(server).await
    };
    tokio::select! {
        biased;
        lease = server.lease() => lease.map_err(|error| match error.kind() {
            RequestErrorKind::NotConnected(snapshot) => (**snapshot).clone(),
            _ => server.snapshot(),
        }),
        Some(failed) = failed => Err(failed),
    }
}

/// How far a server without a connection has come.
fn failure_run(snapshot: &StatusSnapshot) -> FailureRun {
    let nothing_yet = || FailureRun::of_one(Evidence::new(Phase::Connect, Outcome::Timeout));
    snapshot.failure_run().unwrap_or_else(nothing_yet)
}

/// Returns when a process that was told of `told` would be told something else, or has gone.
async fn wait_for_change(server: &SupervisorHandle, before: &StatusSnapshot, mut input: BufReader<ReadHalf>) {
    let mut status = server.status();
    let said = |snapshot: &StatusSnapshot| (snapshot.status, snapshot.code, snapshot.failure_run());
    let before = said(before);
    let is_change = |now: &StatusSnapshot| now.closed || now.connection.is_some() || said(now) != before;
    tokio::select! {
        _ = status.wait_for(is_change) => {}
        _ = input.read_u8() => {}
    }
}
