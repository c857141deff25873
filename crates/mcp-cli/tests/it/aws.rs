//! Requests that are signed for AWS: keys from where AWS's programs have them, and a server that computes each signature again.

use std::os::unix::fs::PermissionsExt as _;

use mcp_testkit::{Accept, AwsVerifier, FakeMcpServer, Refusal};
use serde_json::{Value, json};

use crate::setting::{Setting, http};

const REGION: &str = "eu-central-1";

fn entry(server: &FakeMcpServer, more: Value) -> Value {
    let mut entry = http(server);
    entry["auth"] = json!({ "sign": "aws-sigv4", "service": "bedrock-agentcore" });
    entry["auth"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    entry
}

/// Files of AWS with a profile `work` that has keys, and a profile `corp` that has a program for temporary ones.
fn files(setting: &Setting, secret: &str, token: &str) {
    let printed = json!({ "Version": 1, "AccessKeyId": "AKTEMPORARY", "SecretAccessKey": secret, "SessionToken": token,
        "Expiration": "2100-01-01T00:00:00Z" });
    let program = setting.home.write("keys", format!("#!/bin/sh\necho '{printed}'\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::create_dir_all(setting.home.home().join(".aws")).unwrap();
    let keys = format!("[work]\naws_access_key_id = AKWORK\naws_secret_access_key = {secret}\n");
    setting.home.write(".aws/credentials", keys).unwrap();
    let config = format!(
        "[profile work]\nregion = {REGION}\n[profile corp]\nregion = {REGION}\ncredential_process = {}\n",
        program.display()
    );
    setting.home.write(".aws/config", config).unwrap();
}

#[test]
fn each_request_is_signed_with_the_keys_that_are_meant_and_no_key_is_shown() {
    let mut setting = Setting::new();
    let (secret, token) = (setting.home.secret("aws-secret"), setting.home.secret("aws-token"));
    files(&setting, &secret, &token);
    let verifier = |key: &str| AwsVerifier::new(key, &secret, REGION, "bedrock-agentcore");
    let in_environment: [(&str, &str); 4] = [
        ("AWS_ACCESS_KEY_ID", "AKENV"),
        ("AWS_SECRET_ACCESS_KEY", &secret),
        ("AWS_SESSION_TOKEN", &token),
        ("AWS_REGION", REGION),
    ];
    for (more, variables, verifier) in [
        (json!({}), &in_environment[..], verifier("AKENV").with_session_token(&token)),
        (json!({ "profile": "work" }), &in_environment[..], verifier("AKWORK")),
        (json!({}), &[("AWS_PROFILE", "work")][..], verifier("AKWORK")),
        (
            json!({ "profile": "corp", "region": REGION }),
            &[][..],
            verifier("AKTEMPORARY").with_session_token(&token),
        ),
    ] {
        let server = FakeMcpServer::builder().accept(Accept::AwsSigned(verifier)).start().unwrap();
        setting.write("web", entry(&server, more.clone()));
        let run = |args: &[&str]| {
            let command = variables
                .iter()
                .fold(setting.mcplink(args), |command, (name, value)| command.env(*name, *value));
            command.run()
        };
        let status = crate::setting::row(&run(&["status", "web", "--json"]).json(), "web");
        assert_eq!(status["status"], "connected", "{more}: {status:#}");
        assert_eq!(status["auth"]["chain"], json!(["aws-sigv4"]), "{status:#}");
        run(&["call", "web", "echo", "text=a b/ä"]).expect_code(0);
        assert!(run(&["get", "web"]).expect_code(0).stdout.contains("aws-sigv4"));
        let headers = run(&["headers", "web"]).expect_code(0).stdout;
        assert!(headers.contains("a signature of AWS over each request"), "{headers}");
        assert!(run(&["doctor", "web"]).expect_code(0).stdout.contains("bedrock-agentcore"));
        run(&["validate"]).expect_code(0);
    }
}

#[test]
fn keys_that_are_wrong_or_nowhere_are_told_apart() {
    let mut setting = Setting::new();
    let (secret, token) = (setting.home.secret("aws-secret"), setting.home.secret("aws-token"));
    files(&setting, &secret, &token);
    let server = FakeMcpServer::builder()
        .accept(Accept::AwsSigned(AwsVerifier::new("AKWORK", &secret, REGION, "lambda")))
        .start()
        .unwrap();
    // AWS's answer to a signature that is another one.
    server.refuse_with(Refusal::forbidden());
    for (more, code, said, asked) in [
        (json!({ "profile": "work" }), "credentials-rejected", "", true),
        (json!({ "profile": "none" }), "credentials-failed", "there is no profile none", false),
        (json!({ "profile": "work", "service": "" }), "config", "is not a service of AWS", false),
    ] {
        setting.write("web", entry(&server, more.clone()));
        let before = server.requests().len();
        let status = setting.status("web");
        let message = status["reason"]["message"].as_str().unwrap();
        assert_eq!(status["reason"]["code"], code, "{more}: {status:#}");
        assert!(message.contains(said), "{message}");
        assert_eq!(server.requests().len() > before, asked, "{more}");
    }
    // A repository does not say whose keys sign.
    let project = Setting::new().project_file(json!({ "web": entry(&server, json!({})) }));
    assert_eq!(project.status("web")["reason"]["code"], "config");
}
