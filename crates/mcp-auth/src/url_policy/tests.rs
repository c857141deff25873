//! The table of which party may name what, and the spellings of every place.

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Hosts as they stand in a URL, by where they are.
const PLACES: [(Zone, &[&str]); 4] = [
    (
        Zone::ThisMachine,
        &[
            "localhost",
            "LocalHost",
            "localhost.",
            "app.localhost",
            "a.b.localhost.",
            "localhost.localdomain",
            "ip6-localhost",
            "127.0.0.1",
            "127.1",
            "127.255.255.254",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0x7f.1",
            "0",
            "0.0.0.0",
            "0.1.2.3",
            "127.0.0.1.",
            "１２７.0.0.1",
            "ⓛocalhost",
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::]",
        ],
    ),
    (
        Zone::Private,
        &[
            "10.0.0.1",
            "10.255.255.255",
            "172.16.0.1",
            "172.31.255.1",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.254",
            "198.18.0.1",
            "0xa000001",
            "printer",
            "printer.local",
            "printer.local.",
            "vault.service.internal",
            "nas.home.arpa",
            "wiki.corp",
            "router.lan",
            "[fc00::1]",
            "[fdff::1]",
            "[fec0::1]",
            "[::ffff:10.0.0.1]",
            "[64:ff9b::c0a8:101]",
            "[64:ff9b:1::1]",
        ],
    ),
    (
        Zone::LinkLocal,
        &[
            "169.254.169.254",
            "169.254.1.1",
            "2852039166",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "metadata.google.internal",
            "metadata.google.internal.",
            "224.0.0.1",
            "255.255.255.255",
            "[fe80::1]",
            "[febf::1]",
            "[fd00:ec2::254]",
            "[ff02::1]",
            "[::ffff:169.254.169.254]",
        ],
    ),
    (
        Zone::Internet,
        &[
            "as.example",
            "as.example.com.",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost.example",
            "mylocal.example",
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "192.167.1.1",
            "11.0.0.1",
            "128.0.0.1",
            "[2606:4700::1111]",
            "[::ffff:8.8.8.8]",
        ],
    ),
];

#[test]
fn s_m14_a_place_is_known_in_every_spelling() {
    for (zone, hosts) in PLACES {
        for host in hosts {
            assert_eq!(Zone::of(&url(&format!("https://{host}:8443/x"))), zone, "{host}");
        }
    }
    assert_eq!(Zone::of_address("::ffff:127.0.0.1".parse().unwrap()), Zone::ThisMachine);
    assert_eq!(Zone::of_address("10.1.2.3".parse().unwrap()), Zone::Private);
}

#[test]
fn s_m14_who_may_name_what_is_the_table_of_the_documentation() {
    use Zone::{Internet, LinkLocal, Private, ThisMachine};
    let parties = [
        (None, vec![ThisMachine, Private, LinkLocal, Internet]),
        (Some("https://mcp.example/mcp"), vec![Internet]),
        (Some("https://10.9.9.9/mcp"), vec![Private, Internet]),
        (Some("http://wiki.corp/mcp"), vec![Private, Internet]),
        (Some("http://127.0.0.1:3000/mcp"), vec![ThisMachine, Private, Internet]),
        (Some("http://localhost:3000/mcp"), vec![ThisMachine, Private, Internet]),
        (Some("http://169.254.7.7/mcp"), vec![Private, LinkLocal, Internet]),
    ];
    for (at, allowed) in parties {
        let party = at.map_or_else(UrlSource::person, |at| UrlSource::server(&url(at)));
        for (zone, hosts) in PLACES {
            for host in hosts {
                let named = format!("https://{host}:8443/x");
                let answer = (party.may_request(&named).is_ok(), party.may_open(&named).is_ok());
                // A browser gets ASCII only, and so does what a server names.
                let expected = allowed.contains(&zone);
                let requested = expected && (at.is_none() || host.is_ascii());
                assert_eq!(answer, (requested, expected && host.is_ascii()), "{at:?} {host}");
            }
        }
    }
}

#[test]
fn s_m14_its_own_origin_a_server_may_always_name() {
    for own in ["https://169.254.7.7/mcp", "https://[fe80::1]:9/mcp", "https://10.0.0.1/mcp"] {
        assert!(UrlSource::server(&url(own)).may_request(own).is_ok(), "{own}");
    }
    let other_port = UrlSource::server(&url("https://169.254.7.7/mcp")).may_request("https://169.254.7.7:8/");
    assert!(other_port.is_ok(), "the same zone");
}

#[test]
fn s_k6_a_url_that_two_parsers_could_read_differently_is_not_requested() {
    for text in [
        "https://as.example\\@evil.example/",
        "https://as.example/\\..\\x",
        "https://as.exa\tmple/",
        " https://as.example/",
        "https://as.example/\nX: y",
        "https://\u{430}pple.example/",
        "https://as\u{200b}.example/",
        "https://as\u{ff0e}example/",
        "https://as.example/`id`",
        "https://as.example/\"x",
        "https://as.example/<x>",
        "https://as.example/{x}",
    ] {
        let refused = UrlSource::server(&url("https://mcp.example/")).may_request(text).unwrap_err();
        assert!(refused.to_string().contains("characters that no URL has"), "{text}: {refused}");
        assert!(UrlSource::this_machine().may_request(text).is_err(), "{text}");
    }
    let plain = "https://as.example/a-b_c.d~e/%7Bx%7D?y=(1)*2&z='3'#!$,;:@[]+";
    assert!(UrlSource::server(&url("https://mcp.example/")).may_request(plain).is_ok());
    assert!(UrlSource::person().may_request("https://b\u{fc}cher.example/").is_ok());
}

#[test]
fn only_https_and_this_machine_are_secure() {
    let person = UrlSource::person();
    for good in ["https://as.example/x", "http://localhost:1/x", "http://127.0.0.1:9", "http://[::1]:9/"] {
        assert!(person.may_request(good).is_ok(), "{good}");
    }
    for bad in [
        "http://as.example/x",
        "http://10.0.0.1/x",
        "http://app.localhost/x",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "https://user@as.example/",
        "https://:pw@as.example/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "ftp://localhost/",
        "as.example",
        "",
    ] {
        assert!(person.may_request(bad).is_err(), "{bad}");
    }
}

#[test]
fn s_n14_what_a_shell_or_a_terminal_could_read_is_never_opened() {
    let server = UrlSource::server(&url("https://mcp.example/mcp"));
    for bad in [
        "https://a@b@evil.example/$(id)",
        "https://evil.example/`id`",
        "https://evil.example/a b",
        "https://evil.example/\u{202e}gpj",
        "https://evil.example/\u{1b}[2J",
        "https://evil.example/a\nb",
        "https://evil.example/a;b",
        "https://еvil.example/",
        "data:text/html,x",
        "vscode://x/y",
        "http://mcp.example/",
    ] {
        assert!(server.may_open(bad).is_err(), "{bad:?}");
    }
    assert!(server.may_open("https://pay.example/checkout?id=1%24&x=~a#top").is_ok());
    assert!(server.may_open("https://xn--vil-qxa.example/").is_ok(), "shown as punycode");
}

#[test]
fn a_refusal_names_both_places_and_not_the_url() {
    let server = UrlSource::server(&url("https://evil.example/mcp?key=canary"));
    let refusal = server.may_request("http://127.0.0.1:8500/v1/kv?canary").unwrap_err();
    assert_eq!(refusal.to_string(), "is on this machine, where https://evil.example may not send anyone");
    assert!(refusal.is_about_place());
    assert!(!server.may_request("http://as.example/").unwrap_err().is_about_place());
}
