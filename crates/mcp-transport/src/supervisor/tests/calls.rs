//! The time of a call, whatever it is spent on.

use std::borrow::Cow;

use super::*;
use crate::error::TimeoutStage;
use crate::supervisor::Patience;

/// What became of a call that was not sent: how long a connection was waited for, and how long it took to say so.
async fn unsent(handle: &SupervisorHandle, options: &RequestOptions) -> (Option<Duration>, Duration) {
    let began = Instant::now();
    let error = handle.call_tool("x", None, options).await.unwrap_err();
    assert!(matches!(error.kind(), RequestErrorKind::NotConnected(_)), "{error:?}");
    assert!(!error.may_have_been_sent(), "{error:?}");
    (error.waited(), began.elapsed())
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_begins_with_the_call() {
    let script = Script::new([Step::Late(5)]);
    let handle = script.start();
    let within = |seconds| RequestOptions::new().with_timeout(secs(seconds));
    assert_eq!(unsent(&handle, &within(1)).await, (Some(secs(1)), secs(1)));
    // A wait of its own, which its time bounds.
    let patient = RequestOptions::new().with_patience(secs(1));
    assert_eq!(unsent(&handle, &patient).await, (Some(secs(1)), secs(1)));
    assert_eq!(unsent(&handle, &within(1).with_patience(secs(40))).await, (Some(secs(1)), secs(1)));
    // Without any: the status as it is, at once.
    let at_once = RequestOptions::new().with_patience(Duration::ZERO);
    assert_eq!(unsent(&handle, &at_once).await, (None, Duration::ZERO));
    // Two seconds on, it is connected. What the wait took is missing at the server.
    let options = within(9);
    let tries = AttemptCount::new(&handle, &options, false);
    let (lease, left) = tries.lease().await.unwrap();
    assert_eq!((left.spent, left.timeout), (secs(2), Some(secs(9))));
    // A connection that stands costs nothing, and no copy of the options.
    let (_, whole) = AttemptCount::new(&handle, &options, false).lease().await.unwrap();
    assert!(matches!(whole, Cow::Borrowed(_)));
    // A call whose time is over is not sent.
    let spent = RequestOptions { spent: secs(9), ..options };
    let error = lease.call_tool("x", None, &spent).await.unwrap_err();
    assert_eq!(*error.kind(), TransportErrorKind::Timeout { stage: TimeoutStage::Unsent });
    assert!(!error.may_have_been_sent());
}

#[tokio::test(start_paused = true)]
async fn a_second_try_has_what_the_first_one_left() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Late(4)]);
    let options = RequestOptions::new().with_timeout(secs(10));
    let mut tries = AttemptCount::new(&handle, &options, true);
    let (lease, _) = tries.lease().await.unwrap();
    tokio::time::sleep(secs(3)).await;
    tries.failed(lease, error(TransportErrorKind::Unreachable)).await.unwrap();
    let (_, left) = tries.lease().await.unwrap();
    assert_eq!(left.spent, secs(7), "three at the server, four until it was there again");
    // Where nothing is left, what the first try failed with is told.
    let mut tries = AttemptCount::new(&handle, &options, true);
    let (lease, _) = tries.lease().await.unwrap();
    tokio::time::sleep(secs(10)).await;
    let ended = tries.failed(lease, error(TransportErrorKind::Unreachable)).await.unwrap_err();
    let RequestErrorKind::Transport(ended) = ended.kind() else { panic!("{ended:?}") };
    assert_eq!(*ended.kind(), TransportErrorKind::Unreachable);
}

#[tokio::test(start_paused = true)]
async fn the_question_whether_a_server_is_there_costs_a_call_no_more_than_its_time() {
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Hang]);
    let options = RequestOptions::new().with_timeout(secs(2));
    let mut tries = AttemptCount::new(&handle, &options, true);
    let (lease, _) = tries.lease().await.unwrap();
    let began = Instant::now();
    tries.failed(lease, error(TransportErrorKind::Dropped)).await.unwrap();
    let waited = tries.lease().await.unwrap_err();
    assert_eq!(began.elapsed(), secs(2));
    assert_eq!(waited.waited(), Some(secs(2)), "{waited}");
}

#[tokio::test(start_paused = true)]
async fn the_one_that_was_waited_for_is_named() {
    let script = Script::new([Step::Hang]);
    let handle = script.start();
    let options = RequestOptions::new().with_timeout(secs(1));
    let silent = handle.call_tool("x", None, &options).await.unwrap_err();
    assert_eq!(silent.to_string(), "no connection within 1 s: connecting");
    assert_eq!(silent.awaited_provider(), None);
    script.then([Step::HangAtCredentials]);
    handle.config_changed();
    settle().await;
    let hanging = handle.call_tool("x", None, &options).await.unwrap_err();
    assert_eq!(hanging.to_string(), "no connection within 1 s: anonymous did not supply credentials");
    assert_eq!(hanging.awaited_provider(), Some("anonymous"));
    // One that is not waited for is not to blame.
    let at_once = RequestOptions::new().with_patience(Duration::ZERO);
    let report = handle.call_tool("x", None, &at_once).await.unwrap_err().to_string();
    assert_eq!(report, "the server is not connected (pending): connecting");
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_a_few_seconds_where_nothing_listens() {
    let options = RequestOptions::new();
    for (after_loss, waited, tries) in [
        (vec![Step::Closed], 5, 5..=6),
        (vec![Step::Told], 5, 1..=6),
        // No answer at all, or none from who knows the way, may be a network that is just coming up.
        (vec![down()], 30, 20..=40),
        (vec![busy(20)], 30, 1..=3),
        (vec![Step::Hang], 30, 1..=40),
        // Who takes its time in the end is waited for.
        (vec![Step::Closed, Step::Closed, Step::Hang], 30, 3..=40),
    ] {
        let script = Script::new([Step::Connect]);
        let handle = script.connected().await;
        script.then(after_loss.clone());
        fail(&handle, TransportErrorKind::Unreachable).await;
        let (told, took) = unsent(&handle, &options).await;
        assert_eq!((told, took.as_secs()), (Some(secs(waited)), waited), "{after_loss:?}");
        assert!(tries.contains(&script.dials()), "{after_loss:?}: {} times", script.dials());
        // Another call tries again, and is told as soon.
        if after_loss == [Step::Closed] {
            assert_eq!(unsent(&handle, &options).await.1.as_secs(), 5);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_started_again_within_the_patience_costs_a_call_no_error() {
    for closed in 1..=4 {
        let script = Script::new([Step::Connect]);
        let handle = script.connected().await;
        script.then(vec![Step::Closed; closed].into_iter().chain([Step::Connect]));
        fail(&handle, TransportErrorKind::Unreachable).await;
        let began = Instant::now();
        assert_eq!(handle.lease().await.unwrap().id(), 2, "{closed}");
        assert!(began.elapsed() <= secs(5), "{closed}");
    }
    // Who says how long he waits, waits as long.
    let script = Script::new([Step::Connect]);
    let handle = script.connected().await;
    script.then([Step::Closed]);
    fail(&handle, TransportErrorKind::Unreachable).await;
    let began = Instant::now();
    handle.lease_for(Patience::given(secs(20))).await.unwrap_err();
    assert_eq!(began.elapsed().as_secs(), 20);
    let patient = RequestOptions::new().with_patience(secs(8));
    assert_eq!(unsent(&handle, &patient).await.0, Some(secs(8)));
}

/// A server that answers in another session is not busy with what it was asked in the silent one; one that answers nothing may be.
#[tokio::test(start_paused = true)]
async fn the_calls_of_a_silent_session_end_soon_where_the_server_answers_in_another() {
    for (is_replaced, patience) in [(false, secs(240)), (true, secs(60))] {
        let handle = Script::new([Step::Connect]).connected().await;
        // A call under way.
        let lease = handle.lease().await.unwrap();
        let (live, leaving) = (lease.live.clone(), lease.live.clone());
        live.fell_silent();
        if is_replaced {
            live.was_replaced();
        }
        let began = Instant::now();
        let hurry = tokio_util::sync::CancellationToken::new();
        tokio::spawn(async move { leaving.leave(super::super::live::CloseMode::WhenIdle, hurry).await });
        live.connection.activity().written_off().await;
        assert_eq!(began.elapsed(), patience, "{is_replaced}");
    }
}
