//! Device codes (RFC 8628).

use super::*;

fn device_world(pending: u32) -> World {
    let world = World::new();
    let mut listed = metadata(ISSUER);
    listed["device_authorization_endpoint"] = json!("https://as.example/device");
    world.publish(ISSUER, listed);
    world.net.json(
        "POST https://as.example/device",
        200,
        json!({ "device_code": "device-canary", "user_code": "ABCD-EFGH", "verification_uri": "https://as.example/activate",
                "expires_in": 900, "interval": 1 }),
    );
    let polls = std::sync::atomic::AtomicU32::new(0);
    world.net.on(TOKEN, move |seen| {
        assert_eq!(seen.form("device_code").as_deref(), Some("device-canary"));
        assert_eq!(seen.form("resource").as_deref(), Some(SERVER));
        match polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
            n if n < pending => answer(400, &json!({ "error": "authorization_pending" })),
            _ => answer(200, &json!({ "access_token": "at-device" })),
        }
    });
    world
}

#[tokio::test(start_paused = true)]
async fn a_device_code_is_shown_and_polled_for() {
    let world = device_world(3);
    let prompt = FakePrompt::default();
    let pending = login(&world).begin(&[]).await.unwrap();
    assert!(pending.offers_device_code());
    pending.complete_with_device(&prompt, &FakeProbe::default()).await.unwrap();
    let shown = prompt.device.lock().unwrap().clone();
    assert_eq!(shown, Some(("https://as.example/activate".into(), "ABCD-EFGH".into())));
    assert_eq!(world.net.sent_to(TOKEN).len(), 4);
    assert_eq!(world.kept().await.unwrap().access_token, Secret::new("at-device"));
}

#[tokio::test(start_paused = true)]
async fn a_device_code_that_is_denied_ends_the_sign_in_at_once() {
    let world = device_world(0);
    world.net.json(TOKEN, 400, json!({ "error": "access_denied" }));
    let pending = login(&world).begin(&[]).await.unwrap();
    let error =
        pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Cancelled);
    assert!(error.to_string().contains("400 access_denied"), "{error}");
    assert_eq!(world.net.sent_to(TOKEN).len(), 1);

    let world = World::new();
    let pending = login(&world).begin(&[]).await.unwrap();
    let error =
        pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Misconfigured);
}

/// A world whose authorization server dictates these numbers, and answers every poll with `error`.
fn dictating(interval: Value, expires_in: Value, error: &'static str) -> World {
    let world = device_world(0);
    world.net.json(
        "POST https://as.example/device",
        200,
        json!({ "device_code": "d", "user_code": "U", "verification_uri": "https://as.example/activate",
                "expires_in": expires_in, "interval": interval }),
    );
    world.net.json(TOKEN, 400, json!({ "error": error }));
    world
}

async fn polls(world: &World) -> (usize, AuthError) {
    let pending = login(world).begin(&[]).await.unwrap();
    let ended = pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await;
    (world.net.sent_to(TOKEN).len(), ended.unwrap_err())
}

#[tokio::test(start_paused = true)]
async fn s_n06_no_interval_makes_it_hammer_or_panic() {
    for (interval, expected) in [
        (json!(0), 12..=13),
        (json!(1), 12..=13),
        (json!(-5), 12..=13),
        (json!(null), 12..=13),
        (json!("20"), 3..=4),
        (json!(u64::MAX), 1..=2),
        (json!(1e308), 1..=2),
    ] {
        let world = dictating(interval.clone(), json!(60), "authorization_pending");
        let (polls, error) = polls(&world).await;
        assert!(expected.contains(&polls), "{interval}: {polls}");
        assert_eq!(error.kind(), AuthErrorKind::Cancelled, "{error}");
        assert!(error.to_string().contains("it was not entered within 60 s"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn s_n06_slowing_down_ends_at_a_minute_and_at_the_end_of_the_code() {
    for interval in [json!(5), json!(u64::MAX)] {
        let began = tokio::time::Instant::now();
        let world = dictating(interval, json!(u64::MAX), "slow_down");
        let (polls, error) = polls(&world).await;
        assert_eq!(error.kind(), AuthErrorKind::Cancelled, "{error}");
        // An hour of polls that are at most a minute apart.
        assert!((60..75).contains(&polls), "{polls}");
        assert!(began.elapsed() <= Duration::from_secs(3601), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn s_k11_a_code_for_ten_million_million_seconds_is_good_for_an_hour() {
    for lifetime in [json!(10_000_000_000_000_u64), json!(i64::MAX), json!("9".repeat(40))] {
        let world = dictating(json!(60), lifetime, "authorization_pending");
        world.net.json(TOKEN, 200, json!({ "access_token": "at", "expires_in": u64::MAX }));
        let pending = login(&world).begin(&[]).await.unwrap();
        let done = pending.complete_with_device(&FakePrompt::default(), &FakeProbe::default()).await.unwrap();
        assert!(done.expires_at.is_some());
    }
}
