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
