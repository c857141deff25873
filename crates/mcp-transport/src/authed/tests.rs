//! What is recognised on the wire, and where credentials go.

use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
        .collect()
}

#[tokio::test]
async fn s_k6_fb_r52_credentials_and_cookies_stay_in_their_origin_whatever_the_url() {
    let elsewhere = mcp_testkit::FakeMcpServer::start().unwrap();
    let secret = (header::AUTHORIZATION, HeaderValue::from_static("Bearer canary"));
    let provider = Arc::new(mcp_auth::StaticHeaders::new([secret]));
    let options = crate::options::ClientOptions::new(crate::options::ClientInfo::new("t", "1"));
    let endpoint = "http://mcp.example/mcp".parse().unwrap();
    let client = AuthedClient::new(HttpClient::new(options), endpoint, Some(provider));
    client.cookies.take(&client.endpoint, &headers(&[("set-cookie", "node=1; path=/")]));
    let (url, mut other) = (elsewhere.url(), elsewhere.url());
    other.set_path("/other");
    let mut out = Outbound {
        method: Method::POST,
        url: &url,
        headers: Cow::Owned(HeaderMap::new()),
        more: Vec::new(),
        body: Bytes::from_static(b"{}"),
        phase: Phase::Session,
        expects_message: false,
        recover: false,
        first_byte: None,
        activity: None,
        waiting: None,
    };
    client.send(&out).await.unwrap();
    let client = AuthedClient { endpoint: elsewhere.url(), ..client };
    out.url = &other;
    client.send(&out).await.unwrap();
    let sent = elsewhere.requests();
    assert_eq!(sent[0].header("authorization"), None);
    assert_eq!(sent[0].header("cookie"), None);
    assert_eq!(sent[1].header("authorization"), Some("Bearer canary"));
    assert_eq!(sent[1].header("cookie"), Some("node=1"));
}
