//! Helpers, headers and sign-ins.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mcp_status::ReasonCode::{
    Blocked, Config, CredentialsFailed, CredentialsRejected, Forbidden, HelperFailed, InsufficientScope,
    LoginRedirect, SignInExpired, Unauthorized, WrongAccount,
};
use mcp_testkit::{
    Accept, FakeAuthServer, FakeBrowser, FakeHelper, FakeMcpServer, HttpAnswer, Refusal, ScriptedAnswer,
};
use serde_json::json;

use super::mend::Field;
use super::{Broken, Expected, hold};
use crate::setting::{Setting, http, with_headers, with_helper};

const AGAIN: &str = "mcplink reconnect s";
const RUN: &str = "mcplink headers s --run";
const CORP: &str = "corp login && mcplink reconnect s";
const NONE: &str = "add `headers` or a `headersHelper` to s in *";
const HEADERS: &str = "correct `headers` of s in *";
const HELPER: &str = "correct `headersHelper` of s in *";
const AUTH: &str = "correct `auth` of s in *";
const OAUTH: &str = "set `oauth` of s in *";
const CLIENT_ID: &str = "set `oauth.clientId` of s in *";
const LOGIN: &str = "mcplink login s";
/// What an answer of a sign-in page is.
const SIGN_IN: &str =
    "<!doctype html><html><head><title>Sign in</title></head><body><form></form></body></html>";

pub(super) const EXPECTED: &[Expected] = &[
    ("helper-fails", Some(HelperFailed), "helper-run", "exited with code 7", "mcplink headers s --run"),
    ("helper-gone", Some(HelperFailed), "helper-run", "no-such-sso: not found", HELPER),
    ("helper-bare-token", Some(HelperFailed), "helper-run", "a bare token is not a header", RUN),
    ("helper-error", Some(HelperFailed), "helper-run", "no session, run corp login", CORP),
    ("helper-cure", Some(HelperFailed), "helper-run", "code 9 (stderr: corp: please run `corp login`)", CORP),
    ("helper-cure-on-top", Some(HelperFailed), "helper-run", "the session of yesterday has ended", CORP),
    ("helper-null", Some(HelperFailed), "helper-run", "`Authorization` is null", RUN),
    ("helper-slow", Some(HelperFailed), "helper-run", "did not finish within 500 ms", HELPER),
    ("helper-empty", Some(HelperFailed), "helper-run", "has a scheme and no token behind it", RUN),
    ("helper-refused", Some(CredentialsRejected), "answer", "headers that headersHelper returned", AGAIN),
    ("clock", Some(CredentialsRejected), "clock", "set it, tokens are judged by it", AGAIN),
    (
        "variable-unset",
        Some(CredentialsRejected),
        "answer",
        "GALLERY_TOKEN has no value here",
        "set GALLERY_TOKEN",
    ),
    ("foreign-variable", Some(CredentialsRejected), "answer", "the variable T in a spelling", HEADERS),
    ("placeholder", Some(CredentialsRejected), "answer", "a placeholder", HEADERS),
    ("scheme-twice", Some(CredentialsRejected), "answer", "its scheme twice", HEADERS),
    ("scheme-missing", Some(CredentialsRejected), "answer", "`Authorization` has no scheme", HEADERS),
    (
        "grant-secret-unset",
        Some(CredentialsFailed),
        "grant-run",
        "GRANT_SECRET is not set",
        "set GRANT_SECRET",
    ),
    ("grant-refused", Some(Config), "grant-run", "401 invalid_client", AUTH),
    ("grant-file-gone", Some(CredentialsFailed), "grant-run", "read the token: ", "put the token into *"),
    ("no-credentials", Some(Unauthorized), "answer", "asks for credentials, and none were sent (401)", NONE),
    ("forbidden", Some(Forbidden), "answer", "refused a request without credentials (403)", NONE),
    (
        "firewall",
        Some(Blocked),
        "answer",
        "something in front of the server",
        "ask the operator of the server",
    ),
    ("sso-page", Some(LoginRedirect), "answer", "a sign-in page answered", NONE),
    ("not-signed-in", Some(Unauthorized), "answer", "wants a sign-in at http", LOGIN),
    ("no-pkce", Some(Unauthorized), "authorization-server", "that it knows PKCE with S256", OAUTH),
    ("sign-in-ended", Some(SignInExpired), "refresh", "refresh", LOGIN),
    ("wrong-account", Some(WrongAccount), "token", "it is of bob of corp", LOGIN),
    ("store-broken", Some(CredentialsFailed), "store", "not a JSON object", LOGIN),
    (
        "scope-missing",
        Some(InsufficientScope),
        "answer",
        "lacks the scope files:write",
        "mcplink login s --oauth-scope files:write",
    ),
    ("no-sign-in-server", Some(Unauthorized), "registration", "registered by hand at", CLIENT_ID),
];

fn signs_in(change: impl FnOnce(&FakeAuthServer)) -> (Broken, Arc<FakeMcpServer>, Arc<FakeAuthServer>) {
    let (server, auth) =
        (Arc::new(FakeMcpServer::start().unwrap()), Arc::new(FakeAuthServer::start().unwrap()));
    auth.protect(&server);
    change(&auth);
    let browser = FakeBrowser::new().unwrap();
    let broken = Broken::of(http(&server)).with("BROWSER", browser.command()).holding(browser);
    (broken.holding(server.clone()).holding(auth.clone()), server, auth)
}

fn bring_about(name: &str) -> Broken {
    let server = FakeMcpServer::builder().accept(Accept::bearer("right")).start().unwrap();
    let authorization =
        || Field::set("headers", json!({ "Authorization": "Bearer right" })).named("`headers`");
    // A program of the person's own, which `headers --run` shows by its path, and in whose place a right one is written.
    let program = |code: &str| {
        let mut broken = Broken::new(Setting::new());
        let file = broken.setting.home.write("sso.sh", format!("{code}\n")).unwrap();
        let helper = format!("sh {}", file.display());
        broken.setting.write("s", json!({ "type": "http", "url": server.url(), "headersHelper": helper }));
        broken.file(file, "echo '{\"Authorization\": \"Bearer right\"}'\n")
    };
    let headers = |value: &str| Broken::of(with_headers(&server, json!({ "Authorization": value })));
    let granted = |secret: &str| {
        let (mut broken, server, auth) = signs_in(|auth| {
            auth.add_secret_client("robot", "client-s3cret", "client_secret_basic");
        });
        let mut entry = http(&server);
        entry["auth"] = json!({
            "grant": "client_credentials", "clientId": "robot", "issuer": auth.issuer(), "clientSecret": secret,
        });
        broken.setting.write("s", entry);
        broken
    };
    let refusing = |refusal: Refusal| {
        let refused =
            FakeMcpServer::builder().accept(Accept::bearer("right")).refuse_with(refusal).start().unwrap();
        Broken::of(http(&refused)).holding(refused)
    };
    // A program that gives a token once a person has signed in to it, and before that does this.
    let corp = |before: &str| {
        let entry = json!({ "type": "http", "url": server.url(), "headersHelper": "corp token" });
        let broken = Broken::of(entry);
        let script = format!(
            "#!/bin/sh\n[ \"$1\" = login ] && exec touch \"$HOME/signed-in\"\n[ -e \"$HOME/signed-in\" ] && \
             exec echo '{{\"Authorization\": \"Bearer right\"}}'\n{before}\n"
        );
        let file = broken.setting.home.write("bin/corp", script).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        let programs = Path::new(env!("CARGO_BIN_EXE_mcplink")).parent().unwrap().display();
        let path = format!("{}:{programs}:/usr/bin:/bin", file.parent().unwrap().display());
        broken.with("PATH", path)
    };
    let broken = match name {
        "helper-fails" => program("echo 'session expired' >&2; exit 7"),
        "helper-gone" => {
            let entry = json!({ "type": "http", "url": server.url(), "headersHelper": "no-such-sso token" });
            let right = "echo '{\"Authorization\": \"Bearer right\"}'";
            Broken::of(entry).fields([Field::set("headersHelper", right)])
        }
        "helper-bare-token" => program("echo some-token-1"),
        "helper-error" => corp("echo '{\"error\": \"no session, run corp login\"}'"),
        "helper-cure" => corp("echo 'corp: please run `corp login`' >&2; exit 9"),
        "helper-cure-on-top" => corp(
            "echo 'corp: error: the session of yesterday has ended' >&2; printf 'Please run:\n\n  $ corp login\n\n' >&2; exit 1",
        ),
        "helper-null" => program("echo '{\"Authorization\": null}'"),
        "helper-slow" => {
            let slow = "sleep 1; echo '{\"Authorization\": \"Bearer right\"}'";
            let entry = json!({ "type": "http", "url": server.url(), "headersHelper": slow, "headersHelperTimeoutMs": 500 });
            Broken::of(entry).fields([Field::set("headersHelperTimeoutMs", 30_000)])
        }
        "helper-empty" => program("echo '{\"Authorization\": \"Bearer \"}'"),
        // What it prints is another one each time, and none is taken: what issues them has to give better ones.
        "helper-refused" => {
            let helper = Arc::new(FakeHelper::new().unwrap());
            helper.prints_bearers_in_turn(&["a", "b", "c", "d"]);
            Broken::of(with_helper(&server, &helper))
                .holding(helper.clone())
                .elsewhere("401", move |_| helper.prints_bearer("right"))
        }
        "clock" => {
            let server = Arc::new(FakeMcpServer::start().unwrap());
            server.always(HttpAnswer::new(401).header("Date", "Mon, 01 Jan 2120 00:00:00 GMT").into());
            let helper = FakeHelper::new().unwrap();
            helper.prints_bearer("right");
            let broken = Broken::of(with_helper(&server, &helper)).holding(helper).holding(server.clone());
            broken.elsewhere("behind the server's", move |_| server.always(ScriptedAnswer::Honest))
        }
        "variable-unset" => headers("Bearer ${GALLERY_TOKEN}").variable("GALLERY_TOKEN", "right"),
        "foreign-variable" => headers("Bearer $T").with("T", "right").fields([Field::set(
            "headers.Authorization",
            "Bearer ${T}",
        )
        .named("`headers`")]),
        "placeholder" => headers("Bearer <YOUR_TOKEN>").fields([authorization()]),
        "scheme-twice" => headers("Bearer Bearer right").fields([authorization()]),
        "scheme-missing" => headers("right").fields([authorization()]),
        "grant-secret-unset" => granted("${env:GRANT_SECRET}").variable("GRANT_SECRET", "client-s3cret"),
        "grant-refused" => granted("${cmd:echo another-s3cret}").fields([Field::set(
            "auth.clientSecret",
            "${cmd:echo client-s3cret}",
        )
        .named("`auth`: its `clientId`, and its secret")]),
        "grant-file-gone" => {
            let broken = Broken::new(Setting::new());
            let path = broken.setting.home.home().join("token");
            let mut broken = broken;
            let entry = json!({ "type": "http", "url": server.url(), "auth": { "file": path } });
            broken.setting.write("s", entry);
            broken.file(path, "right\n")
        }
        "no-credentials" => Broken::of(http(&server)).fields([authorization()]),
        "forbidden" => refusing(Refusal::forbidden()).fields([authorization()]),
        "firewall" => {
            let page = "<html><title>Access denied</title>Cloudflare Ray ID: 1</html>";
            let blocked = Arc::new(FakeMcpServer::start().unwrap());
            blocked.always(HttpAnswer::new(403).body("text/html", page).into());
            Broken::of(http(&blocked)).holding(blocked.clone()).elsewhere("Access denied", move |_| {
                blocked.always(ScriptedAnswer::Honest);
            })
        }
        "sso-page" => refusing(Refusal::status(200).body("text/html", SIGN_IN)).fields([authorization()]),
        "not-signed-in" => signs_in(|_| {}).0,
        // What is possible then is what `status` names then.
        "no-pkce" => {
            let (broken, ..) = signs_in(|auth| auth.set(|settings| settings.advertise_pkce = false));
            broken.fields([Field::told("oauth.pkce", "assumed")])
        }
        "sign-in-ended" => {
            let (broken, _, auth) = signs_in(|auth| {
                auth.set(|settings| settings.token_lifetime = Duration::from_millis(900));
            });
            broken.run(&["login", "s"]).expect_code(0);
            auth.set(|settings| {
                settings.refresh_error = Some("invalid_grant".to_owned());
                settings.token_lifetime = Duration::from_secs(3600);
            });
            std::thread::sleep(Duration::from_secs(1));
            broken
        }
        "wrong-account" => {
            let claims = |name: &str| Some(format!(r#"{{"sub":"{name}","org_name":"corp"}}"#));
            let (mut broken, server, auth) =
                signs_in(|auth| auth.set(|settings| settings.id_claims = claims("bob")));
            broken.run(&["login", "s"]).expect_code(0);
            auth.set(|settings| settings.id_claims = claims("ann"));
            let mut entry = http(&server);
            entry["oauth"] = json!({ "expectSubject": "ann" });
            broken.setting.write("s", entry);
            broken
        }
        "store-broken" => {
            let broken = signs_in(|_| {}).0;
            broken.run(&["login", "s"]).expect_code(0);
            let folder = broken.setting.home.state_dir().join("tokens").join("tokens");
            for file in std::fs::read_dir(folder).unwrap() {
                std::fs::write(file.unwrap().path(), "{\"access_tok").unwrap();
            }
            broken
        }
        "scope-missing" => {
            let (broken, server, _) = signs_in(|auth| {
                auth.set(|settings| {
                    settings.scopes = ["files:read", "files:write"].map(str::to_owned).into();
                });
            });
            broken.run(&["login", "s", "--oauth-scope", "files:read"]).expect_code(0);
            server.require_scope("tools/list", "files:write");
            broken
        }
        "no-sign-in-server" => {
            let (broken, _, auth) = signs_in(|_| {});
            auth.set(|settings| settings.registration = false);
            auth.add_public_client("by-hand", &[]);
            broken.fields([Field::set("oauth.clientId", "by-hand")])
        }
        other => panic!("{other}"),
    };
    broken.holding(server)
}

#[test]
fn fa_a63_a64_a66_a79_fh_h2_gallery_of_credentials() {
    hold(EXPECTED, bring_about);
}
