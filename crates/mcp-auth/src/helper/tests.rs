//! Real commands in a temporary directory. Limits are generous where a command must finish and time is never
//! asserted from below, so a loaded machine only makes these slower. Every loop ends by itself within a minute or so,
//! so that not even a test that fails leaves a process behind for long.

#![cfg(unix)]

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use url::Url;

use super::*;
use crate::settings::EnvPolicy;
use crate::{AuthPlan, AuthProvider, AuthSettings, Parts, Recovery, Rejection, SingleFlight};

const LONG: Duration = Duration::from_secs(60);

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn spec(&self, command: &str) -> HelperSpec {
        HelperSpec {
            env: [("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into())].into(),
            timeout: LONG,
            ..HelperSpec::new(command, self.0.path())
        }
    }

    fn helper(&self, command: &str) -> HeadersHelper {
        HeadersHelper::new(self.spec(command), target("internal"))
    }
}

fn target(name: &str) -> Target {
    Target::new(name, Url::parse("https://h.example/mcp").unwrap())
}

async fn fetch(helper: &HeadersHelper) -> Result<Credentials, AuthError> {
    helper.fetch(FetchReason::First).await
}

async fn failure_of(command: &str) -> AuthError {
    fetch(&Folder::new().helper(command)).await.unwrap_err()
}

fn value(credentials: &Credentials, name: &'static str) -> String {
    credentials.header(&HeaderName::from_static(name)).unwrap().to_str().unwrap().to_owned()
}

/// Waits until the file does not grow for half a second: its writer is gone. Fails after ten.
async fn stops_growing(file: &Path) {
    let size = || fs::metadata(file).map_or(0, |metadata| metadata.len());
    for _ in 0..20 {
        let before = size();
        tokio::time::sleep(Duration::from_millis(500)).await;
        if size() == before {
            return;
        }
    }
    panic!("{} still grows: a process was left behind", file.display());
}

async fn appears(file: &Path) {
    tokio::time::timeout(LONG, async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn the_command_runs_in_a_shell_in_its_folder_with_its_variables() {
    let folder = Folder::new();
    fs::write(folder.path("token.txt"), "abc").unwrap();
    let command = r#"printf '{"X-Server":"%s","X-Url":"%s","Authorization":"Bearer %s"}' \
        "$MCP_SERVER_NAME" "$CLAUDE_CODE_MCP_SERVER_URL" "$(cat ./token.txt)""#;
    let credentials = fetch(&folder.helper(command)).await.unwrap();
    assert_eq!(value(&credentials, "x-server"), "internal");
    assert_eq!(value(&credentials, "x-url"), "https://h.example/mcp");
    assert_eq!(value(&credentials, "authorization"), "Bearer abc");
    assert!(credentials.names().all(|(_, provider)| provider == "headers-helper"));
}

#[tokio::test]
async fn a_scrubbed_environment_reaches_the_command_scrubbed() {
    let folder = Folder::new();
    let command = r#"printf '{"X-Seen":"%s","X-Plain":"%s"}' "$MY_TOKEN" "$PLAIN""#;
    for (policy, expected) in [(EnvPolicy::Inherit, "secret"), (EnvPolicy::Scrubbed, "")] {
        let mut spec = folder.spec(command);
        spec.env.extend([("MY_TOKEN".into(), "secret".into()), ("PLAIN".into(), "plain".into())]);
        spec.env_policy = policy;
        let credentials = fetch(&HeadersHelper::new(spec, target("s"))).await.unwrap();
        assert_eq!(value(&credentials, "x-seen"), expected);
        assert_eq!(value(&credentials, "x-plain"), "plain");
    }
}

#[tokio::test]
async fn f004_a_failing_command_is_named_with_its_exit_code_and_first_stderr_line() {
    let error = failure_of("echo >&2; echo 'vault: sealed' >&2; echo 'more' >&2; exit 3").await;
    assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
    assert_eq!(error.exit_code(), Some(3));
    assert_eq!(error.to_string(), "run the headers helper: it exited with code 3 (stderr: vault: sealed)");
    let error = failure_of("no-such-command").await;
    assert_eq!(error.exit_code(), Some(127));
    assert!(error.to_string().contains("not found"), "{error}");
}

#[tokio::test]
async fn fa_a80_why_a_command_failed_is_told_wherever_it_says_so() {
    for (command, expected) in [
        (
            "echo 'You are not logged in. Run my-sso login'; exit 3",
            "it exited with code 3 (stdout: You are not logged in. Run my-sso login)",
        ),
        (
            "echo 'You are not logged in. Run my-sso login'",
            "its output is not JSON (line 1, column 1) (stdout: You are not logged in. Run my-sso login)",
        ),
        (
            "echo 'using the cache' >&2; echo 'Please run: my-sso login'; exit 1",
            "it exited with code 1 (stderr: using the cache; stdout: Please run: my-sso login)",
        ),
        (
            "echo '{\"error\": \"not logged in, run: my-sso login\"}'; exit 3",
            "it exited with code 3: not logged in, run: my-sso login",
        ),
    ] {
        let error = failure_of(command).await;
        assert_eq!(error.to_string(), format!("run the headers helper: {expected}"), "{command}");
        assert_eq!(error.hint(), Some("run `my-sso login`"), "{command}");
    }
    // What is not a words of a failure may be anything.
    for command in [
        "echo canary of mine; exit 3",
        "echo Bearer canary; exit 3",
        "printf 'canary\\ncanary\\ncanary'; exit 3",
    ] {
        let error = failure_of(command).await.to_string();
        assert_eq!(error, "run the headers helper: it exited with code 3", "{command}");
    }
}

#[tokio::test]
async fn a_command_that_a_signal_ends_is_named_with_it() {
    let error = failure_of("kill -9 $$").await;
    assert_eq!(error.exit_code(), None);
    assert_eq!(error.to_string(), "run the headers helper: it was ended by signal 9");
}

#[tokio::test]
async fn f005_output_that_is_no_object_of_strings_is_the_commands_failure() {
    let error = failure_of("echo 'using the cache' >&2; echo '{\"X-Count\": 1}'").await;
    assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
    let expected =
        "run the headers helper: the value of `X-Count` is a number, not a string (stderr: using the cache)";
    assert_eq!((error.to_string().as_str(), error.exit_code()), (expected, Some(0)));
}

#[tokio::test]
async fn a_folder_that_is_gone_is_named() {
    let spec = HelperSpec::new("true", "/nowhere/at/all");
    let error = fetch(&HeadersHelper::new(spec, target("s"))).await.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
    assert!(error.to_string().contains("could not be started in `/nowhere/at/all`"), "{error}");
}

#[tokio::test]
async fn f006_at_the_limit_the_command_dies_with_its_children_and_others_are_unaffected() {
    let folder = Folder::new();
    let mut spec =
        folder.spec("(for i in $(seq 3000); do echo x >> beat; sleep 0.02; done) & echo hung >&2; wait");
    spec.timeout = Duration::from_secs(2);
    let (hung, quick) = (HeadersHelper::new(spec, target("hung")), folder.helper("echo '{}'"));
    let (error, other) = tokio::join!(fetch(&hung), fetch(&quick));
    assert!(other.is_ok());
    let error = error.unwrap_err();
    assert_eq!(error.kind(), AuthErrorKind::SourceFailed);
    assert_eq!(
        error.to_string(),
        "run the headers helper: it did not finish within 2 s and was stopped; headersHelperTimeoutMs of its entry allows more (stderr: hung)"
    );
    assert!(folder.path("beat").exists(), "the child ran at all");
    stops_growing(&folder.path("beat")).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_takes_the_whole_group_with_it() {
    let folder = Folder::new();
    let helper = folder.helper("(for i in $(seq 3000); do echo x >> beat; sleep 0.02; done) & wait");
    let task = tokio::spawn(async move { fetch(&helper).await });
    appears(&folder.path("beat")).await;
    task.abort();
    stops_growing(&folder.path("beat")).await;
}

#[tokio::test]
async fn output_without_end_is_stopped() {
    let error = failure_of("yes").await;
    assert_eq!(error.to_string(), "run the headers helper: it printed more than 1024 KiB and was stopped");
    let error = failure_of("head -c 1100000 /dev/zero").await;
    assert!(error.to_string().contains("more than 1024 KiB"), "also when it ends by itself: {error}");
}

/// A variable that is set in the shell of the person who reads this, and was not for the command of a repository, is told where the
/// command or its complaint names it; no other one is, and no value.
#[tokio::test]
async fn fa_a81_a_variable_that_was_kept_from_a_failing_command_is_told() {
    let folder = Folder::new();
    let variables = [("API_TOKEN", "canary-1"), ("OTHER_SECRET", "canary-2"), ("PLAIN", "plain")];
    for (command, kept) in [
        ("echo 'API_TOKEN is not set' >&2; exit 1", "; API_TOKEN is set and was kept from it"),
        ("test -n \"$API_TOKEN\"", "; API_TOKEN is set and was kept from it"),
        ("echo '{\"Authorization\": \"Bearer '$API_TOKEN'\"}'", "; API_TOKEN is set and was kept from it"),
        ("echo \"MY_API_TOKEN $PLAIN\" >&2; exit 1", ""),
        ("exit 1", ""),
    ] {
        let mut spec = folder.spec(command);
        spec.env.extend(variables.map(|(name, value)| (name.into(), value.into())));
        let scrubbed = HelperSpec { env_policy: EnvPolicy::Scrubbed, ..spec.clone() };
        let error = fetch(&HeadersHelper::new(scrubbed, target("s"))).await.unwrap_err().to_string();
        assert!(
            error.ends_with(kept) && error.contains("kept from it") != kept.is_empty(),
            "{command}: {error}"
        );
        assert!(!error.contains("canary") && !error.contains("OTHER_SECRET"), "{error}");
        // Nothing is kept from a command of one's own.
        if let Err(error) = fetch(&HeadersHelper::new(spec, target("s"))).await {
            assert!(!error.to_string().contains("kept from it"), "{error}");
        }
    }
}

/// A process that stays behind and holds the streams of the command open, as agents of credential stores do, is not waited for.
#[tokio::test]
async fn fa_a78_a_process_that_is_left_behind_is_not_waited_for() {
    let began = tokio::time::Instant::now();
    for agent in ["sleep 20 &", "nohup sleep 20 >/dev/null &", "nohup sleep 20 &", "setsid sleep 20 &"] {
        let folder = Folder::new();
        let credentials = fetch(&folder.helper(&format!("{agent} echo '{{\"X-A\":\"b\"}}'"))).await.unwrap();
        assert_eq!(value(&credentials, "x-a"), "b", "{agent}");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

/// How commands are written, and what they print, on one system or another.
#[tokio::test]
async fn fa_a82_odd_commands_work_or_are_named_for_what_they_print() {
    let folder = Folder::new();
    std::fs::write(folder.path("my helper.sh"), "printf '{\"X-A\": \"b\"}'").unwrap();
    for command in [
        "sh './my helper.sh'",
        "sh ./my\\ helper.sh",
        "printf '{\"X-A\": \"b\"}\\r\\n'",
        "printf '\\357\\273\\277{\"X-A\": \"b\"}'",
        "HOME=.; sh ~/my\\ helper.sh",
        "# a remark\nprintf '{\"X-A\": \"b\"}'",
    ] {
        let credentials = fetch(&folder.helper(command)).await.unwrap_or_else(|e| panic!("{command}: {e}"));
        assert_eq!(value(&credentials, "x-a"), "b", "{command}");
    }
    for (command, said) in [
        ("read -p 'Password: ' x", ""),
        ("[[ -n x ]] && printf '{}' | grep nothing", ""),
        ("echo '{\"X-A\": null}'", "the value of `X-A` is null, not a string"),
        ("echo '{\"X-A\": {\"b\": \"c\"}}'", "the value of `X-A` is an object, not a string"),
        ("echo '{\"X-A\": [\"b\"]}'", "the value of `X-A` is an array, not a string"),
        ("echo '{\"X-A\": \"b\"}{\"X-C\": \"d\"}'", ""),
        ("head -c 3000000 /dev/zero | tr '\\0' x", "it printed more than 1024 KiB and was stopped"),
        ("echo 'password=hunter2hunter2' >&2; exit 4", "it exited with code 4"),
    ] {
        let error = failure_of(command).await.to_string();
        assert!(error.starts_with("run the headers helper: ") && error.contains(said), "{command}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn fa_a80_a_warning_is_not_why_a_command_failed() {
    for warning in [
        "Warning: old",
        "(node:7) [DEP0040] DeprecationWarning: punycode",
        "+ curl -s x",
        "NOTICE: new version",
    ] {
        let error = failure_of(&format!("echo '{warning}' >&2; echo 'session expired' >&2; exit 5")).await;
        assert!(error.to_string().ends_with("code 5 (stderr: session expired)"), "{error}");
    }
    let error = failure_of("echo 'Warning: all there is' >&2; exit 5").await;
    assert!(error.to_string().ends_with("(stderr: Warning: all there is)"), "{error}");
}

#[tokio::test]
async fn headers_that_had_ended_when_they_were_printed_are_told_with_that() {
    let remark = async |at: &str, then: &str| {
        let folder = Folder::new();
        let command = format!("echo '{{\"headers\": {{\"X-A\": \"b\"}}, \"expiresAt\": {at}}}'{then}");
        let clock = || SystemTime::UNIX_EPOCH + Duration::from_secs(10_000);
        let helper = HeadersHelper::with_clock(folder.spec(&command), target("s"), clock);
        fetch(&helper).await.unwrap().remark().map(str::to_owned)
    };
    assert_eq!(remark("2000", "").await.as_deref(), Some("its `expiresAt` was 2 h ago"));
    assert_eq!(
        remark("2000", "; echo hm >&2").await.as_deref(),
        Some("its `expiresAt` was 2 h ago; stderr: hm")
    );
    assert_eq!(remark("20000", "").await, None);
}

#[tokio::test]
async fn fh_h2_a_credential_without_a_token_is_a_failure_of_the_command() {
    for (printed, expected) in [
        (r#"{"Authorization": "Bearer "}"#, "`authorization` has a scheme and no token behind it"),
        (r#"{"Authorization": "Bearer"}"#, "`authorization` has a scheme and no token behind it"),
        (r#"{"Authorization": " "}"#, "`authorization` is empty"),
        (r#"{"X-Api-Key": ""}"#, "`x-api-key` is empty"),
    ] {
        let error = failure_of(&format!("echo 'my-sso: session expired' >&2; echo '{printed}'")).await;
        let text = error.to_string();
        assert!(text.contains(expected) && text.ends_with("(stderr: my-sso: session expired)"), "{text}");
    }
    let folder = Folder::new();
    let credentials =
        fetch(&folder.helper(r#"echo hm >&2; echo '{"X-Tenant": "", "Authorization": "Bearer x"}'"#))
            .await
            .unwrap();
    assert_eq!(credentials.remark(), Some("stderr: hm"));
}

#[tokio::test]
async fn a_talkative_stderr_blocks_nothing_and_its_first_line_is_known() {
    let noise =
        "i=0; while [ $i -lt 6000 ]; do echo 'noise noise noise noise noise noise noise'; i=$((i+1)); done";
    let folder = Folder::new();
    let command = format!("(echo first; {noise}) >&2; echo '{{\"X-A\":\"b\"}}'");
    assert_eq!(value(&fetch(&folder.helper(&command)).await.unwrap(), "x-a"), "b");
    let error = failure_of(&format!("(echo first; {noise}) >&2; exit 1")).await;
    assert!(error.to_string().ends_with("(stderr: first)"), "{error}");
}

#[tokio::test]
async fn a_process_left_in_the_background_delays_nothing_and_is_left_alone() {
    let folder = Folder::new();
    // It holds both pipes open until the test lets it go.
    let command = "(for i in $(seq 3000); do [ -e stop ] && break; sleep 0.02; done; touch stopped) & echo '{\"X-A\":\"b\"}'";
    let credentials = tokio::time::timeout(LONG / 2, async { fetch(&folder.helper(command)).await });
    assert_eq!(value(&credentials.await.unwrap().unwrap(), "x-a"), "b");
    fs::write(folder.path("stop"), "").unwrap();
    appears(&folder.path("stopped")).await;
}

#[tokio::test]
async fn the_command_cannot_read_from_the_terminal() {
    let folder = Folder::new();
    fetch(&folder.helper("[ /dev/fd/0 -ef /dev/null ] && cat && echo '{}'")).await.unwrap();
}

#[tokio::test]
async fn identical_entries_share_a_run_in_flight_and_others_do_not() {
    let folder = Folder::new();
    let command =
        "echo run >> runs; for i in $(seq 3000); do [ -e go ] && break; sleep 0.02; done; echo '{}'";
    let of = |name: &str| HeadersHelper::new(folder.spec(command), target(name));
    let (one, same, other) = (of("a"), of("a"), of("b"));
    let let_go = async {
        while folder.read("runs").lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        fs::write(folder.path("go"), "").unwrap();
    };
    let (first, second, third, ()) = tokio::join!(fetch(&one), fetch(&same), fetch(&other), let_go);
    assert!(first.is_ok() && second.is_ok() && third.is_ok());
    assert_eq!(folder.read("runs").lines().count(), 2);
    fetch(&one).await.unwrap();
    assert_eq!(folder.read("runs").lines().count(), 3, "a finished run is not remembered");
}

#[tokio::test]
async fn one_of_two_that_share_may_go_away() {
    let folder = Folder::new();
    let command =
        "echo run >> started; for i in $(seq 3000); do [ -e go ] && break; sleep 0.02; done; echo '{}'";
    let (one, same) = (folder.helper(command), folder.helper(command));
    let leader = tokio::spawn(async move { fetch(&one).await });
    appears(&folder.path("started")).await;
    let follower = tokio::spawn(async move { fetch(&same).await });
    tokio::task::yield_now().await;
    leader.abort();
    fs::write(folder.path("go"), "").unwrap();
    assert!(follower.await.unwrap().is_ok());
    assert_eq!(folder.read("started"), "run\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn f008_twenty_servers_each_wait_for_their_own_helper_and_eight_run_at_a_time() {
    let folder = Folder::new();
    let command = r#"touch "run.$$"; ls | grep -c '^run' >> seen; sleep 0.1; rm "run.$$"
        printf '{"X-Server":"%s"}' "$MCP_SERVER_NAME""#;
    let servers: Vec<_> = (0..20)
        .map(|number| {
            let name = format!("s{number}");
            let provider = SingleFlight::new(HeadersHelper::new(folder.spec(command), target(&name)));
            tokio::spawn(async move { (name, value(&provider.credentials().await.unwrap(), "x-server")) })
        })
        .collect();
    for server in servers {
        let (name, minted_for) = server.await.unwrap();
        assert_eq!(name, minted_for);
    }
    let seen: Vec<u32> = folder.read("seen").lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(seen.len(), 20);
    assert!(seen.iter().all(|running| *running <= 8), "{seen:?}");
}

#[tokio::test]
async fn f007_a_hiccup_leaves_nothing_behind_and_the_next_attempt_runs_the_helper_again() {
    let folder = Folder::new();
    let command = "echo run >> runs; [ -e healthy ] && echo '{\"X-A\":\"b\"}'";
    let provider = SingleFlight::new(folder.helper(command));
    assert!(provider.credentials().await.is_err());
    let files: Vec<_> =
        fs::read_dir(folder.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["runs"], "nothing is stored");
    fs::write(folder.path("healthy"), "").unwrap();
    assert_eq!(value(&provider.credentials().await.unwrap(), "x-a"), "b");
    assert_eq!(folder.read("runs").lines().count(), 2);
}

#[tokio::test]
async fn f011_each_provider_built_from_a_plan_runs_the_helper_again() {
    let folder = Folder::new();
    let spec = folder.spec("echo run >> runs; echo '{}'");
    let plan = AuthPlan::resolve(&AuthSettings { helper: Some(spec), ..AuthSettings::default() });
    for connection in 1..=3 {
        let provider = plan.build(&target("s"), Parts::new()).unwrap();
        provider.credentials().await.unwrap();
        provider.credentials().await.unwrap();
        assert_eq!(folder.read("runs").lines().count(), connection);
    }
}

#[tokio::test]
async fn a_refusal_runs_the_command_again_and_its_run_is_told() {
    let folder = Folder::new();
    fs::write(folder.path("token"), "A").unwrap();
    let provider =
        SingleFlight::new(folder.helper(r#"printf '{"Authorization":"Bearer %s"}' "$(cat token)""#));
    let used = provider.credentials().await.unwrap();
    fs::write(folder.path("token"), "B").unwrap();
    let headers = http::HeaderMap::new();
    let rejection = Rejection::new(http::StatusCode::UNAUTHORIZED, &[], &headers, &used);
    let Ok(Recovery::Retry(fresh)) = provider.on_rejected(rejection).await else {
        panic!("other credentials")
    };
    assert_eq!(value(&fresh, "authorization"), "Bearer B");
    let snapshot = provider.snapshot();
    assert_eq!(snapshot.fetches, 2);
    assert_eq!(snapshot.last_fetch.map(|run| (run.exit_code, run.succeeded)), Some((Some(0), true)));
}

#[tokio::test]
async fn no_secret_shows_in_an_error_or_in_debug() {
    let folder = Folder::new();
    let mut spec = folder.spec(
        "echo \"+ curl -H Authorization: Bearer canary-1 $MY_TOKEN\" >&2; echo '{\"A\":\"canary-3\"'; exit 1 # canary-4",
    );
    spec.env.insert("MY_TOKEN".into(), "canary-2".into());
    let helper = HeadersHelper::new(spec, target("s"));
    let error = fetch(&helper).await.unwrap_err();
    let shown = format!("{error} {error:?} {helper:?}");
    assert!(shown.contains("curl") && !shown.contains("canary"), "{shown}");
}
