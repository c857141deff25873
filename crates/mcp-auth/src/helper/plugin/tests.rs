use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, StatusCode};
use mcp_harness::{Missing, real_or_skip};

use super::*;
use crate::Secret;
use crate::contract::{self, Subject};
use crate::settings::HelperSpec;

/// A plug-in in the shell; `answers` are the branches of what it does with a line, `$id` being that of the question.
fn plugin(dir: &Path, answers: &str) -> PluginSpec {
    let script = format!(
        r#"#!/bin/sh
cd "$(dirname "$0")"
echo started >>started
say() {{ printf '{{"id":%s,"result":%s}}\n' "$id" "$1"; }}
fail() {{ printf '{{"id":%s,"error":{{"message":"%s"}}}}\n' "$id" "$1"; }}
while read -r line; do
  printf '%s\n' "$line" >>asked
  id=${{line#*\"id\":}}; id=${{id%%[,\}}]*}}
  case "$line" in
{answers}
    *'"method":"hello"'*) say '{{"protocol":1}}' ;;
    *'"method":"get"'*) say '{{"headers":{{"Authorization":"Bearer canary-1"}}}}' ;;
    *'"method":"rejected"'*) n=$((${{n:-1}} + 1)); say "{{\"headers\":{{\"Authorization\":\"Bearer canary-$n\"}}}}" ;;
    *) fail 'no such method' ;;
  esac
done
"#
    );
    let path = dir.join("auth-acme");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = HelperSpec::new(path.to_str().unwrap(), dir);
    command.env.insert("PATH".into(), "/usr/bin:/bin".into());
    PluginSpec::new(command)
}

fn target() -> Target {
    Target::new("web", "https://h.example/mcp".parse().unwrap())
}

fn lines(dir: &Path, name: &str) -> usize {
    std::fs::read_to_string(dir.join(name)).unwrap_or_default().lines().count()
}

#[tokio::test]
async fn the_contract_of_providers_holds_for_a_plugin() {
    contract::check(|| {
        let dir = tempfile::tempdir().unwrap();
        let spec = plugin(dir.path(), "");
        let path = dir.keep();
        let counted = path.clone();
        let fetches = move || {
            let asked = std::fs::read_to_string(counted.join("asked")).unwrap_or_default();
            asked.matches("\"get\"").count() as u64 + asked.matches("\"rejected\"").count() as u64
        };
        Subject::new(provider(&spec, &target())).counting(fetches).with_secret("canary-1")
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn it_is_started_once_told_what_the_entry_says_and_ends_with_its_connection() {
    let dir = tempfile::tempdir().unwrap();
    let spec =
        plugin(dir.path(), "    *'\"hello\"'*) echo $$ >pid; env >environment; say '{\"protocol\":1}' ;;");
    let spec = spec.with_settings(Some(Secret::new(r#"{"realm":"A"}"#)));
    let provider = provider(&spec, &target());
    assert_eq!(lines(dir.path(), "started"), 0, "nothing runs before it is asked");
    let used = provider.credentials().await.unwrap();
    assert_eq!(used.header(&AUTHORIZATION).unwrap(), "Bearer canary-1");
    let mut headers = HeaderMap::new();
    headers.insert("www-authenticate", HeaderValue::from_static("Negotiate"));
    let refused = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, &used);
    assert!(matches!(provider.on_rejected(refused).await.unwrap(), Recovery::Retry(_)));
    assert_eq!((lines(dir.path(), "started"), lines(dir.path(), "asked")), (1, 3));
    let asked = std::fs::read_to_string(dir.path().join("asked")).unwrap();
    assert!(
        asked.contains(r#""settings":{"realm":"A"}"#) && asked.contains(r#""challenges":["Negotiate"]"#),
        "{asked}"
    );
    // The test runner has variables of Cargo; a plug-in has those of its settings, and none of the process that starts it.
    let environment = std::fs::read_to_string(dir.path().join("environment")).unwrap();
    assert!(environment.contains("PATH=/usr/bin:/bin\n") && !environment.contains("CARGO"), "{environment}");
    let pid = std::fs::read_to_string(dir.path().join("pid")).unwrap();
    assert!(Path::new("/proc").join(pid.trim()).exists());
    drop(provider);
    for _ in 0..200 {
        if !is_alive(pid.trim()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{pid} outlived its connection");
}

/// A process that has ended and is not reaped yet has no command line.
fn is_alive(pid: &str) -> bool {
    std::fs::read(Path::new("/proc").join(pid).join("cmdline")).is_ok_and(|line| !line.is_empty())
}

#[tokio::test]
async fn what_a_plugin_does_wrong_is_its_own_failure_and_shows_no_secret() {
    for (answers, said) in [
        ("    *'\"get\"'*) sleep 60 ;;", "did not answer within"),
        ("    *'\"get\"'*) echo 'canary: no ticket' >&2; exit 3 ;;", "it ended (exit code 3)"),
        ("    *'\"get\"'*) echo canary ;;", "not one line of JSON"),
        // What it printed may be a secret, and is not told where it says the same on stderr.
        (
            "    *'\"get\"'*) echo 'no: canary-tok3n' >&2; echo canary-tok3n; sleep 60 ;;",
            "not one line of JSON (stderr: no: [redacted])",
        ),
        ("    *'\"get\"'*) echo '{\"id\":99,\"result\":{}}' ;;", "has not the `id`"),
        ("    *'\"get\"'*) head -c 2000000 /dev/zero | tr '\\0' x; sleep 60 ;;", "longer than 1024 KiB"),
        ("    *'\"get\"'*) say '{}' ;;", "it gave no header"),
        ("    *'\"get\"'*) say '{\"headers\":{\"A\":1}}' ;;", "the value of `A` is not a string"),
        (
            "    *'\"get\"'*) echo 'corp-token: not found' >&2; say '{\"headers\":{\"Authorization\":\"Bearer \"}}' ;;",
            "the value of `Authorization` has a scheme and no token behind it (stderr: corp-token: not found)",
        ),
        ("    *'\"get\"'*) say '{\"headers\":{\"X-Api-Key\":\"\"}}' ;;", "the value of `X-Api-Key` is empty"),
        (
            "    *'\"get\"'*) say '{\"headers\":{\"Content-Length\":\"1\"}}' ;;",
            "it may not set `Content-Length`",
        ),
        ("    *'\"hello\"'*) say '{\"protocol\":2}' ;;", "another protocol than 1"),
        ("    *'\"get\"'*) fail 'the ticket has run out' ;;", "the ticket has run out"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut spec = plugin(dir.path(), answers);
        let is_silent = said.contains("did not answer");
        spec.command.timeout = Duration::from_secs(if is_silent { 1 } else { 20 });
        let error = provider(&spec, &target()).credentials().await.unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("auth-acme"), "{answers}: {error}");
        assert!(!error.contains("canary:") || answers.contains("exit 3"), "{error}");
        assert!(!error.contains("canary-"), "{error}");
    }
    let mut spec = PluginSpec::new(HelperSpec::new("/nowhere/auth-acme", "/"));
    spec.command.env.insert("PATH".into(), "/bin".into());
    let error = provider(&spec, &target()).credentials().await.unwrap_err();
    assert!(error.to_string().contains("there is no such program"), "{error}");
    // To connect again brings the same.
    assert_eq!(error.hint(), Some("put the program at /nowhere/auth-acme, or change `provider` of `auth`"));
    spec.command.command = "auth-acme".to_owned();
    let error = provider(&spec, &target()).credentials().await.unwrap_err();
    assert_eq!(error.hint(), Some("put auth-acme on PATH, or change `provider` of `auth`"), "{error:?}");
    // What is there, and does not start.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("auth-acme");
    spec.command.command = path.to_str().unwrap().to_owned();
    for (mode, hint) in [(0o600, "executable (chmod +x)"), (0o700, "correct the first line of")] {
        std::fs::write(&path, "#!/nowhere/python\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let error = provider(&spec, &target()).credentials().await.unwrap_err();
        assert!(error.hint().is_some_and(|said| said.contains(hint)), "{error:?}");
    }
}

#[tokio::test]
async fn it_signs_each_request_and_answers_as_many_legs_as_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let answers = r#"    *'"hello"'*) say '{"protocol":1,"legs":3}' ;;
    *'"get"'*) say '{"signs":true}' ;;
    *'"sign"'*) sum=${line#*\"sha256\":\"}; say "{\"headers\":{\"X-Signature\":\"${sum%%\"*}\"}}" ;;
    *'"rejected"'*) leg=${line#*\"challenges\":[\"}; say "{\"headers\":{\"Authorization\":\"Answer ${leg%%\"*}\"}}" ;;"#;
    let provider = provider(&plugin(dir.path(), answers), &target());
    let used = provider.credentials().await.unwrap();
    let mut signatures = Vec::new();
    for body in ["a", "b"] {
        let mut headers = HeaderMap::new();
        used.sign(&Method::POST, &target().url, &mut headers, &Bytes::from(body)).await.unwrap();
        signatures.push(headers["x-signature"].to_str().unwrap().to_owned());
    }
    // The digests of the bodies (FIPS 180-4), and not the bodies, went to the plug-in.
    assert!(signatures[0].starts_with("ca978112ca1bbdca") && signatures[1].starts_with("3e23e8160039594a"));
    assert!(provider.capabilities().bound() >= 3);
    let mut used = used;
    for leg in 0..4 {
        let mut headers = HeaderMap::new();
        let challenge = format!("Negotiate-{leg}");
        headers.insert("www-authenticate", HeaderValue::try_from(&challenge).unwrap());
        let refused = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, &used).after(leg);
        match (leg, provider.on_rejected(refused).await.unwrap()) {
            (0..3, Recovery::Retry(next)) => {
                assert_eq!(next.header(&AUTHORIZATION).unwrap(), format!("Answer {challenge}").as_str());
                used = next;
            }
            (3, Recovery::Exhausted) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(lines(dir.path(), "started"), 1);
}

/// It is built with the other examples of this crate, and so wherever all its targets are.
#[tokio::test]
async fn the_example_in_rust_negotiates_in_three_legs() {
    let tests = std::env::current_exe().unwrap();
    let example = tests.parent().and_then(Path::parent).unwrap().join("examples/plugin_legs");
    let built = example.exists().then_some(example).ok_or(Missing::Tool("plugin_legs"));
    let Some(example) = real_or_skip(built) else { return };
    let spec = PluginSpec::new(HelperSpec::new(example.to_str().unwrap(), "/"));
    let findings = check_plugin(&spec, &target()).await;
    assert!(findings.iter().all(|finding| finding.broken.is_none()), "{findings:?}");
    let provider = provider(&spec, &target());
    let mut used = provider.credentials().await.unwrap();
    for leg in 0..4 {
        let mut headers = HeaderMap::new();
        headers.insert("www-authenticate", HeaderValue::try_from(format!("Negotiate {leg}")).unwrap());
        let refused = Rejection::new(StatusCode::UNAUTHORIZED, &[], &headers, &used).after(leg);
        match (leg, provider.on_rejected(refused).await.unwrap()) {
            (0..3, Recovery::Retry(next)) => {
                assert_eq!(next.header(&AUTHORIZATION).unwrap(), format!("Negotiate {}", leg + 1).as_str());
                used = next;
            }
            (3, Recovery::Exhausted) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What a person is shown is on one line, of `https`, and not without an end.
#[tokio::test]
async fn a_person_is_shown_what_there_is_to_do_and_no_more_than_that() {
    use std::sync::Mutex;
    let hello = "    *'\"hello\"'*) say '{\"protocol\":1,\"login\":true}' ;;\n";
    let asked = |answers: String| async move {
        let (dir, shown) = (tempfile::tempdir().unwrap(), Mutex::new(Vec::new()));
        let show = |prompt: PluginPrompt| shown.lock().unwrap().push(prompt);
        let signed_in = sign_in(&plugin(dir.path(), &answers), &target(), &show).await;
        (signed_in.map_err(|error| error.to_string()), shown.into_inner().unwrap())
    };
    let prompt = |prompt: &str| format!("printf '{{\"id\":%s,\"prompt\":%s}}\\n' \"$id\" '{prompt}'");
    let (signed_in, shown) = asked(format!(
        "{hello}    *'\"login\"'*) {}; {}; say '{{}}' ;;",
        prompt(r#"{"message":"touch\nit","url":"https://sso.example/"}"#),
        prompt(r#"{"url":"file:///etc/passwd","code":"A-1"}"#)
    ))
    .await;
    assert_eq!(signed_in, Ok(()));
    let urls: Vec<_> = shown.iter().map(|prompt| prompt.url.as_deref()).collect();
    assert_eq!((urls, shown[1].code.as_deref()), (vec![Some("https://sso.example/"), None], Some("A-1")));
    assert!(!shown[0].message.contains('\n'), "{shown:?}");
    let forever =
        format!("{hello}    *'\"login\"'*) while {}; do :; done ;;", prompt(r#"{"message":"again"}"#));
    let (signed_in, shown) = asked(forever).await;
    assert!(signed_in.unwrap_err().contains("more than 32 things") && shown.len() == 33);
    let (signed_in, _) = asked(format!("{hello}    *'\"login\"'*) fail 'no key' ;;")).await;
    assert!(signed_in.unwrap_err().contains("no key"));
    let (signed_in, _) = asked(String::new()).await;
    assert!(signed_in.unwrap_err().contains("for a login: it has none"));
}

#[tokio::test]
async fn the_check_of_a_plugin_names_the_rules_that_it_breaks() {
    for (answers, broken) in [
        ("", 0),
        ("    *'\"get\"'*) fail 'no ticket' ;;", 0),
        ("    *'\"rejected\"'*) exit 1 ;;", 1),
        ("    *no-such*) exit 1 ;;", 1),
        ("    *'\"hello\"'*) echo hi ;;", 1),
        ("    *'\"hello\"'*) say '{\"protocol\":1,\"legs\":3,\"login\":true}' ;;", 0),
        ("    *'\"hello\"'*) say '{\"protocol\":2}' ;;", 1),
        ("    *'\"hello\"'*) say '{\"protocol\":1,\"legs\":99}' ;;", 1),
        ("    *'\"hello\"'*) say '{\"protocol\":1,\"login\":\"yes\"}' ;;", 1),
        ("    *'\"get\"'*) say '{\"headers\":{\"Authorization\":\"Bearer \"}}' ;;", 1),
        ("    *'\"get\"'*) say '{\"headers\":{\"X-A\":\"1\"},\"expiresAt\":100}' ;;", 1),
        ("    *'\"get\"'*) printf '{\"id\":%s,\"error\":{}}\\n' \"$id\" ;;", 1),
        (
            "    *'\"get\"'*) printf '{\"id\":%s,\"result\":{},\"error\":{\"message\":\"x\"}}\\n' \"$id\" ;;",
            1,
        ),
        (
            "    *'\"get\"'*) say '{\"signs\":true}' ;;\n    *'\"sign\"'*) say '{\"headers\":{\"X-S\":\"1\"}}' ;;",
            0,
        ),
        ("    *'\"get\"'*) say '{\"signs\":true}' ;;\n    *'\"sign\"'*) say '{\"headers\":{}}' ;;", 1),
        ("    *'\"get\"'*) say '{\"signs\":true}' ;;", 1),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let findings = check_plugin(&plugin(dir.path(), answers), &target()).await;
        let found = findings.iter().filter(|finding| finding.broken.is_some()).count();
        assert_eq!(found, broken, "{answers}: {findings:?}");
    }
}
