//! The way onto the shared connection: who comes is let in, or told why there is none.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use mcp_status::{Evidence, Outcome, Phase, ServerStatus, classify};
use mcp_transport::{RequestErrorKind, StatusSnapshot, SupervisorHandle};
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use super::hub::{Core, Hub};
use super::opening::{self, Reply, Wish};
use super::peer::{self, Peer};
use crate::forward::attempt_failed;
use crate::host::Host;

/// How long somebody may take to say what it comes for.
const WISH_LIMIT: Duration = Duration::from_secs(5);

/// Lets everybody in who comes, until the hub is gone.
pub(super) async fn accept(listener: UnixListener, hub: Weak<Hub>) {
    let mut serving = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match (accepted, hub.upgrade()) {
                (_, None) => return,
                (Ok((stream, _)), Some(hub)) => drop(serving.spawn(receive(hub, stream))),
                // Out of file descriptors, most likely: it may pass.
                (Err(_), Some(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(_) = serving.join_next() => {}
        }
    }
}

/// Serves somebody who came.
async fn receive(hub: Arc<Hub>, stream: UnixStream) {
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    let wish = tokio::time::timeout(WISH_LIMIT, opening::read(&mut input)).await;
    // Whoever says nothing sensible, or goes, is not waited for.
    let outcome = match wish {
        Ok(Ok(Wish::Attach { pid })) => attach(&hub.core, input, output, pid).await,
        Ok(Ok(Wish::Reconnect)) => {
            hub.reconnect().await;
            opening::write(&mut output, &Reply::Reconnected).await
        }
        Ok(Err(error)) => Err(error),
        Err(late) => Err(late.into()),
    };
    if let Err(error) = outcome {
        tracing::debug!(%error, "somebody who came to share the connection went");
    }
}

/// Lets somebody onto the connection, or says why there is none.
async fn attach(
    core: &Arc<Core>,
    input: BufReader<OwnedReadHalf>,
    mut output: OwnedWriteHalf,
    pid: u32,
) -> std::io::Result<()> {
    let is_ours = pid == std::process::id();
    if core.dissolved.is_cancelled() || (core.parting.load(Ordering::Acquire) && !is_ours) {
        // It comes again, and finds whoever keeps the connection then.
        return Ok(());
    }
    let server = core.upstream();
    let outcome = tokio::select! {
        biased;
        lease = server.lease() => lease.map_err(|error| match error.kind() {
            RequestErrorKind::NotConnected(snapshot) => (**snapshot).clone(),
            _ => server.snapshot(),
        }),
        // What an attempt has shown is told at once, as a bridge of its own would know it.
        Some(failed) = attempt_failed(server) => Err(failed),
    };
    let here = std::process::id();
    match outcome {
        Ok(lease) => {
            let (connection, description) = (lease.id(), lease.server());
            drop(lease);
            opening::write(&mut output, &Reply::Connected { pid: here }).await?;
            let (host, writer) = Host::new();
            let id = core.next.fetch_add(1, Ordering::Relaxed);
            let peer = Arc::new(Peer::new(id, pid, connection, &description, host));
            let mut writing = AbortOnDropHandle::new(tokio::spawn(writer.run(output)));
            core.peers.send_modify(|peers| drop(peers.insert(id, peer.clone())));
            let is_late = server.snapshot().connection != Some(connection)
                || (core.parting.load(Ordering::Acquire) && !is_ours);
            if is_late {
                peer.go_away();
            }
            tokio::select! {
                () = peer::serve(core, &peer, input) => {}
                _ = &mut writing => {}
            }
            core.peers.send_modify(|peers| drop(peers.remove(&id)));
            peer.end();
            core.collect_wishes();
            core.roots_may_have_changed(&peer);
            Ok(())
        }
        Err(snapshot) => {
            let evidence = seen(&snapshot);
            opening::write(&mut output, &Reply::Failed { pid: here, evidence }).await?;
            wait_for_news(server, &snapshot, input).await;
            Ok(())
        }
    }
}

/// What a server without a connection has shown.
fn seen(snapshot: &StatusSnapshot) -> Evidence {
    let nothing_yet = || Evidence::new(Phase::Connect, Outcome::Timeout);
    let mut evidence = snapshot.evidence().cloned().unwrap_or_else(nothing_yet);
    if classify(&evidence).is_retryable() {
        // Whoever hears it counts its own streak of failures.
        evidence.attempts = 1;
    }
    evidence
}

/// Returns when somebody who was told of `told` would be told something else: the server is connected, or what is
/// wrong with it is another thing that no retry changes. Or when it has gone.
async fn wait_for_news(
    server: &SupervisorHandle,
    told: &StatusSnapshot,
    mut input: BufReader<OwnedReadHalf>,
) {
    let mut status = server.status();
    let may_pass = |snapshot: &StatusSnapshot| {
        snapshot.evidence().is_some_and(|evidence| classify(evidence).is_retryable())
    };
    let is_news = |now: &StatusSnapshot| {
        let is_decided = now.status != ServerStatus::Pending && now.code != told.code;
        now.closed || now.connection.is_some() || (is_decided && !(may_pass(now) && may_pass(told)))
    };
    tokio::select! {
        _ = status.wait_for(is_news) => {}
        _ = input.read_u8() => {}
    }
}
