//! What those hear who act on a supervisor, and those who watch it.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_a_supervisor_was_asked_to_do_can_be_awaited() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Late(3)]);
    let began = Instant::now();
    let snapshot = handle.login_done().await;
    assert_eq!((snapshot.status, snapshot.connection), (ServerStatus::Connected, Some(2)));
    assert_eq!(began.elapsed(), secs(3));
    script.then([Step::Fail(refused())]);
    assert_eq!(handle.config_changed().await.status, ServerStatus::NeedsAuth);
    let other = Script::new([Step::Connect]);
    script.then([Step::Connect]);
    assert_eq!(handle.replace_source(other.config().source).await.connection, Some(3));
    assert_eq!(other.reads(), 1);
    // One that may pass is tried again first.
    script.then([down()]);
    assert_eq!(handle.login_done().await.code, Some(ReasonCode::Unreachable));
    assert_eq!(handle.snapshot().attempt, 5);
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_for_has_begun_whether_or_not_it_is_awaited() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Late(3)]);
    drop(handle.reconnect());
    let late = handle.login_done();
    tokio::time::sleep(secs(4)).await;
    assert_eq!(handle.snapshot().connection, Some(2));
    // Decided long ago, and not missed; several hear of one decision.
    assert_eq!(late.await.connection, Some(2));
    let (one, other) = (handle.login_done(), handle.config_changed());
    assert_eq!((one.await.connection, other.await.connection), (Some(3), Some(3)));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_ends_answers_with_its_last_status() {
    let script = Script::new([Step::Hang]);
    let handle = script.start();
    settle().await;
    let asked = handle.reconnect();
    handle.close().await;
    assert!(asked.await.closed);
    assert!(handle.login_done().await.closed);
    // What was asked does not keep it going.
    let script = Script::new([Step::Hang]);
    let handle = script.start();
    let asked = handle.reconnect();
    drop(handle);
    assert!(asked.await.closed);
}

#[tokio::test(start_paused = true)]
async fn a_watch_is_woken_where_there_is_something_else_to_show() {
    let script = Script::new([down()]);
    let handle = script.start();
    handle.decided().await;
    let mut status = handle.status();
    let seen = tokio::spawn(async move {
        let mut seen = vec![status.borrow_and_update().clone()];
        while status.changed().await.is_ok() {
            seen.push(status.borrow_and_update().clone());
        }
        seen
    });
    // Callers cause attempts, which begin and end.
    for _ in 0..20 {
        not_connected(handle.lease().await);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    handle.close().await;
    drop(handle);
    let seen = seen.await.unwrap();
    assert!(seen.len() > 5, "{}", seen.len());
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_hears_nothing_while_nothing_changes() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    let mut status = handle.status();
    status.mark_unchanged();
    for _ in 0..10 {
        drop(handle.lease().await.unwrap());
        handle.look_again();
        tokio::time::sleep(secs(1)).await;
    }
    assert!(!status.has_changed().unwrap());
    // A status that is read while nothing happens is equal to the one before.
    assert_eq!(handle.snapshot(), handle.snapshot());
}
