//! The listener and its page, over real sockets.

use std::io;
use std::net::Ipv4Addr;

use super::super::authorizer::{DevicePrompt, authorization_prompt};
use super::*;

#[derive(Debug, Default)]
struct SilentListener {
    pastes: std::sync::Mutex<Vec<&'static str>>,
    refused: std::sync::atomic::AtomicU32,
    unproven: std::sync::Mutex<Vec<String>>,
    foreign: std::sync::atomic::AtomicU32,
}

impl SignInPrompt for SilentListener {
    fn authorization<'a>(&'a self, _: AuthorizationPrompt<'a>) -> AuthFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn pasted(&self) -> AuthFuture<'_, Secret> {
        match self.pastes.lock().unwrap().pop() {
            Some(text) => Box::pin(std::future::ready(Ok(Secret::new(text)))),
            None => Box::pin(std::future::pending()),
        }
    }

    fn paste_refused(&self) -> AuthFuture<'_, ()> {
        self.refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unproven<'a>(&'a self, said: &'a str) -> AuthFuture<'a, ()> {
        self.unproven.lock().unwrap().push(said.to_owned());
        Box::pin(std::future::ready(Ok(())))
    }

    fn foreign_answer(&self) -> AuthFuture<'_, ()> {
        self.foreign.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(())))
    }

    fn device<'a>(&'a self, _: DevicePrompt<'a>) -> AuthFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

async fn get(port: u16, target: &str) -> String {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn session(preference: RedirectPreference) -> Session {
    LoopbackAuthorizer::new(Arc::new(SilentListener::default())).prepare(&preference).await.unwrap()
}

fn port_of(session: &Session) -> u16 {
    Url::parse(session.redirect_uri()).unwrap().port().unwrap()
}

#[tokio::test]
async fn f077_the_page_waits_for_the_outcome_and_tells_it() {
    for failed in [false, true] {
        let mut session = session(RedirectPreference::default()).await;
        let port = port_of(&session);
        let url = Url::parse("https://as.example/").unwrap();
        let state = Secret::new("s1");
        // Neither a connection that says nothing, nor an icon, nor a foreign answer ends the sign-in.
        let _idle = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let browser = tokio::spawn(async move {
            assert!(get(port, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
            assert!(get(port, "/callback?code=evil&state=other").await.contains("Not expected"));
            get(port, "/callback?code=c1&state=s1").await
        });
        let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
        assert_eq!(params.code.unwrap().expose(), "c1");
        assert!(!browser.is_finished(), "the request is held open until the exchange is done");
        let error = AuthError::new(AuthErrorKind::Protocol, "exchange the authorization code: <refused>");
        session.finish("srv", if failed { Err(&error) } else { Ok(()) }).await.unwrap();
        let page = browser.await.unwrap();
        if failed {
            assert!(page.starts_with("HTTP/1.1 400") && page.contains("&lt;refused&gt;"), "{page}");
        } else {
            assert!(page.starts_with("HTTP/1.1 200") && page.contains("Signed in"), "{page}");
        }
    }
}

#[tokio::test]
async fn a_second_round_goes_on_in_the_tab_of_the_first() {
    let mut session = session(RedirectPreference::default()).await;
    let port = port_of(&session);
    let (first, second) = (Secret::new("s1"), Secret::new("s2"));
    let url = Url::parse("https://as.example/first").unwrap();
    let browser = tokio::spawn(async move { get(port, "/callback?code=c1&state=s1").await });
    session.authorize(authorization_prompt("srv", &url, &first)).await.unwrap();

    let url = Url::parse("https://as.example/second?x=1").unwrap();
    let came_back = tokio::spawn(async move {
        let led_on = browser.await.unwrap();
        assert!(led_on.starts_with("HTTP/1.1 303"), "{led_on}");
        assert!(led_on.contains("\r\nLocation: https://as.example/second?x=1\r\n"), "{led_on}");
        get(port, "/callback?code=c2&state=s2").await
    });
    let params = session.authorize(authorization_prompt("srv", &url, &second)).await.unwrap();
    assert_eq!(params.code.unwrap().expose(), "c2");
    session.finish("srv", Ok(())).await.unwrap();
    assert!(came_back.await.unwrap().contains("Signed in"));
}

#[tokio::test]
async fn f071_fb_a15_a_busy_port_is_an_error_that_names_it_at_once() {
    let taken = Loopback::localhost(0).await.unwrap();
    let port = taken.port().unwrap();
    let authorizer = LoopbackAuthorizer::new(Arc::new(SilentListener::default()));
    let preference = RedirectPreference { port: Some(port), ..RedirectPreference::default() };
    let error = authorizer.prepare(&preference).await.unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    let preference = RedirectPreference { preferred_port: Some(port), ..RedirectPreference::default() };
    assert_ne!(port_of(&session(preference).await), port, "a preferred port is only preferred");
}

#[tokio::test]
async fn f070_fb_a23_the_redirect_uri_is_exactly_the_configured_one_and_its_port_is_listened_on() {
    let free = Loopback::localhost(0).await.unwrap().port().unwrap();
    let exact = format!("http://127.0.0.1:{free}/oauth/cb");
    let session =
        session(RedirectPreference { exact: Some(exact.clone()), ..RedirectPreference::default() }).await;
    assert_eq!(session.redirect_uri(), exact);
    assert_eq!(session.listener.as_ref().unwrap().port(), Some(free));
    assert_eq!(session.path, "/oauth/cb");

    let authorizer = LoopbackAuthorizer::new(Arc::new(SilentListener::default()));
    for bad in ["nonsense", "http://example.com/cb", "custom://x"] {
        let preference = RedirectPreference { exact: Some(bad.into()), ..RedirectPreference::default() };
        assert_eq!(
            authorizer.prepare(&preference).await.unwrap_err().kind(),
            AuthErrorKind::Misconfigured,
            "{bad}"
        );
    }
    let preference = RedirectPreference {
        exact: Some(exact),
        port: Some(free.wrapping_add(1)),
        ..RedirectPreference::default()
    };
    assert!(authorizer.prepare(&preference).await.unwrap_err().to_string().contains("port"));
}

#[tokio::test]
async fn fb_a22_a_redirect_uri_with_port_0_gets_a_free_one_on_exactly_that_host() {
    for (configured, before) in [
        ("http://127.0.0.1:0/oauth/cb", "http://127.0.0.1:"),
        ("http://localhost:0/oauth/cb", "http://localhost:"),
    ] {
        let exact = Some(configured.to_owned());
        let session =
            session(RedirectPreference { exact: exact.clone(), ..RedirectPreference::default() }).await;
        let port = session.listener.as_ref().unwrap().port().unwrap();
        assert_eq!(session.redirect_uri(), format!("{before}{port}/oauth/cb"));
        assert_ne!(port, 0);
        drop(session);
        // The port of the registration before, or the one of the entry.
        for preference in [
            RedirectPreference {
                preferred_port: Some(port),
                exact: exact.clone(),
                ..RedirectPreference::default()
            },
            RedirectPreference { port: Some(port), exact: exact.clone(), ..RedirectPreference::default() },
        ] {
            assert_eq!(self::session(preference).await.listener.as_ref().unwrap().port(), Some(port));
        }
    }
    // Of another machine there is nothing to listen on.
    let preference = RedirectPreference {
        exact: Some("https://example.com:0/cb".into()),
        ..RedirectPreference::default()
    };
    assert!(session(preference).await.listener.is_none());
}

#[tokio::test]
async fn f073_fb_o50_a_pasted_redirect_ends_the_wait_and_nonsense_does_not() {
    let prompt = Arc::new(SilentListener::default());
    *prompt.pastes.lock().unwrap() = vec!["http://localhost/callback?code=c&state=s", "not it"];
    let mut session =
        LoopbackAuthorizer::new(prompt.clone()).prepare(&RedirectPreference::default()).await.unwrap();
    let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
    let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
    assert_eq!(params.code.unwrap().expose(), "c");
    assert_eq!(prompt.refused.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn fh_15_a_paste_of_another_sign_in_ends_nothing_and_an_address_in_two_lines_is_one() {
    // What is pasted last comes first.
    for (pastes, code, refused) in [
        (
            vec![
                "http://localhost/callback?code=new&state=s",
                "http://localhost/callback?code=old&state=before",
            ],
            "new",
            1,
        ),
        (vec!["http://localhost/callback?code=new&state=s", "http://localhost/callback?code=old"], "new", 1),
        (vec!["c&state=s", "http://localhost/callback?code=ab"], "abc", 1),
        (
            vec!["te=s&iss=https://as.example", "http://localhost/callback?code=4%2FAbcdef123&sta"],
            "4/Abcdef123",
            1,
        ),
        (vec!["http://localhost/callback?code=new&state=s", "yes", "code=x", "abc"], "new", 3),
        (vec!["4/Abcdef123", "no"], "4/Abcdef123", 1),
    ] {
        let prompt = Arc::new(SilentListener::default());
        prompt.pastes.lock().unwrap().clone_from(&pastes);
        let mut session =
            LoopbackAuthorizer::new(prompt.clone()).prepare(&RedirectPreference::default()).await.unwrap();
        let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
        let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
        assert_eq!(params.code.unwrap().expose(), code, "{pastes:?}");
        assert_eq!(prompt.refused.load(std::sync::atomic::Ordering::Relaxed), refused, "{pastes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn f081_a_person_who_does_not_come_back_is_a_clean_end() {
    let mut session = session(RedirectPreference::default()).await;
    let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
    let error = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::Cancelled);
}

#[tokio::test]
async fn s_n16_connections_that_say_nothing_end_neither_the_sign_in_nor_the_descriptors() {
    let mut session = session(RedirectPreference::default()).await;
    let port = port_of(&session);
    let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
    let browser = tokio::spawn(async move {
        let mut idle = Vec::new();
        for _ in 0..300 {
            idle.push(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap());
        }
        let mut first = idle.swap_remove(0);
        let closed = timeout(Duration::from_secs(20), first.read(&mut [0; 1])).await;
        assert!(matches!(closed, Ok(Ok(0) | Err(_))), "the oldest was not let go: {closed:?}");
        let page = get(port, "/callback?code=c&state=s").await;
        (idle, page)
    });
    let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
    assert_eq!(params.code.unwrap().expose(), "c");
    session.finish("srv", Ok(())).await.unwrap();
    assert!(browser.await.unwrap().1.contains("Signed in"));
}

/// A listener whose first connections fail.
struct FailingListener {
    listener: Loopback,
    errors: std::sync::Mutex<Vec<io::Error>>,
}

impl ConnectionSource for FailingListener {
    async fn accept(&self) -> io::Result<TcpStream> {
        let error = self.errors.lock().unwrap().pop();
        match error {
            Some(error) => Err(error),
            None => self.listener.accept().await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn s_k9_no_error_of_accepting_ends_the_sign_in() {
    // EMFILE, ENFILE, ECONNABORTED, ENOMEM, EPERM of a firewall, and what has no number.
    let codes = [24, 23, 103, 12, 1];
    let mut errors: Vec<io::Error> = codes.map(io::Error::from_raw_os_error).into();
    errors.extend((0..50).map(|_| io::ErrorKind::ConnectionAborted.into()));
    let listener = Loopback::localhost(0).await.unwrap();
    let port = listener.port().unwrap();
    let browser = tokio::spawn(async move { get(port, "/callback?code=c&state=s").await });
    let failing = FailingListener { listener, errors: errors.into() };
    let (params, stream) =
        receive(&failing, "/callback", &Secret::new("s"), &SilentListener::default()).await.unwrap();
    assert_eq!(params.code.unwrap().expose(), "c");
    drop(stream);
    drop(browser.await.unwrap());
}

#[tokio::test]
async fn s_n16a_fb_o48_the_browser_may_come_to_either_address_of_localhost() {
    for address in ["127.0.0.1", "[::1]"] {
        let mut session = session(RedirectPreference::default()).await;
        let (port, uri) = (port_of(&session), session.redirect_uri().to_owned());
        assert_eq!(uri, format!("http://localhost:{port}/callback"), "as it was always registered");
        let Ok(mut stream) = TcpStream::connect(format!("{address}:{port}")).await else {
            assert_eq!(address, "[::1]", "a machine without IPv6");
            continue;
        };
        stream.write_all(b"GET /callback?code=c&state=s HTTP/1.1\r\n\r\n").await.unwrap();
        let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
        let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
        assert_eq!(params.code.unwrap().expose(), "c");
    }
}

#[tokio::test]
async fn fb_o42_an_error_without_a_state_is_told_at_once_and_ends_no_sign_in() {
    let prompt = Arc::new(SilentListener::default());
    let mut session =
        LoopbackAuthorizer::new(prompt.clone()).prepare(&RedirectPreference::default()).await.unwrap();
    let port = port_of(&session);
    let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
    let browser = tokio::spawn(async move {
        for forged in ["code=c", "code=c&error=e", "error=e&state=other", "error=e&error=e"] {
            let page = get(port, &format!("/callback?{forged}")).await;
            assert!(page.contains("Not expected"), "{forged}: {page}");
        }
        for _ in 0..5 {
            let page = get(port, "/callback?error=invalid_scope&error_description=%3Cb%3Eno").await;
            assert!(page.contains("invalid_scope (&lt;b&gt;no)"), "{page}");
        }
        get(port, "/callback?error=access_denied&state=s").await
    });
    let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
    // The one that is proven to be of this sign-in.
    assert_eq!(params.error.as_deref(), Some("access_denied"));
    let told = prompt.unproven.lock().unwrap().clone();
    // A flood is not repeated at the terminal.
    assert!((1..=3).contains(&told.len()) && told[0] == "invalid_scope (<b>no)", "{told:?}");
    drop(session);
    browser.await.unwrap();
}

#[tokio::test]
async fn fb_o49_an_answer_with_a_foreign_state_is_told_once_and_nothing_of_it() {
    for strays in [
        &["code=c&state=other", "code=c&state=other", "code=c"][..],
        &["error=e&state=other"],
        // No answer to any sign-in.
        &["", "state=other", "utm_source=x"],
    ] {
        let prompt = Arc::new(SilentListener::default());
        let mut session =
            LoopbackAuthorizer::new(prompt.clone()).prepare(&RedirectPreference::default()).await.unwrap();
        let port = port_of(&session);
        let (url, state) = (Url::parse("https://as.example/").unwrap(), Secret::new("s"));
        let told = prompt.clone();
        let is_answer = strays.iter().any(|stray| stray.contains("code") || stray.contains("error"));
        let browser = tokio::spawn(async move {
            for stray in strays {
                let page = get(port, &format!("/callback?{stray}")).await;
                assert!(page.contains("Not expected"), "{stray}: {page}");
            }
            while is_answer && told.foreign.load(std::sync::atomic::Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            get(port, "/callback?code=right&state=s").await
        });
        let params = session.authorize(authorization_prompt("srv", &url, &state)).await.unwrap();
        assert_eq!(params.code.unwrap().expose(), "right");
        let told = prompt.foreign.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(told, u32::from(is_answer), "{strays:?}");
        assert!(prompt.unproven.lock().unwrap().is_empty());
        drop(session);
        browser.await.unwrap();
    }
}
