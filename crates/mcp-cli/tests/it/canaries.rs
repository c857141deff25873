//! Every kind of secret that an entry or the environment can hold × every output: one table, filled by one test.
//!
//! A row is a kind, with a server that takes no request without its secret, so that it is known to have been in use. The harness
//! looks for each secret in what each run prints and in each file that it leaves; the environments of children are looked into here.

use std::os::unix::fs::PermissionsExt as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_harness::Output;
use mcp_testkit::{
    Accept, AwsVerifier, FakeAuthServer, FakeBrowser, FakeMcpServer, ProtectedResource, Refusal,
};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::local::SERVER;
use crate::setting::{Setting, http};
use crate::web::Served;

/// One entry for each kind of secret, and what stands behind them.
struct Table {
    setting: Setting,
    servers: Vec<(String, FakeMcpServer)>,
    issuer: FakeAuthServer,
    browser: FakeBrowser,
    /// The variables of each run: a person's own, which what the person starts has as well.
    variables: Vec<(&'static str, String)>,
}

impl Table {
    fn new() -> Self {
        let mut table = Self {
            setting: Setting::new(),
            servers: Vec::new(),
            issuer: FakeAuthServer::start().unwrap(),
            browser: FakeBrowser::new().unwrap(),
            variables: Vec::new(),
        };
        table.issuer.note_secrets_in(table.setting.home.canaries());
        std::fs::create_dir_all(table.setting.home.home().join("environ")).unwrap();
        table.add_headers();
        table.add_programs();
        table.add_addresses();
        table.add_sign_ins();
        table.add_environment();
        table
    }

    fn secret(&self, label: &str) -> String {
        self.setting.home.secret(label)
    }

    /// A row whose server takes this alone.
    fn row(&mut self, name: &str, accept: Accept, more: Value) {
        let server =
            FakeMcpServer::builder().accept(accept).refuse_with(Refusal::unauthorized()).start().unwrap();
        let mut entry = http(&server);
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.setting.write(name, entry);
        self.servers.push((name.to_owned(), server));
    }

    /// A file of this home that starts, and first keeps its environment as the system has it.
    fn program(&self, name: &str, then: &str) -> String {
        let seen = self.setting.home.home().join("environ").join(name);
        let text = format!("#!/bin/sh\ntr '\\0' '\\n' </proc/$$/environ >>'{}'\n{then}\n", seen.display());
        let path = self.setting.home.write(name, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path.display().to_string()
    }

    /// A file with a secret in it, and its path.
    fn file(&self, name: &str, content: &str) -> String {
        self.setting.home.write(name, content).unwrap().display().to_string()
    }

    fn add_headers(&mut self) {
        let literal = self.secret("header literal");
        self.row("literal", Accept::header("x-key", &literal), json!({ "headers": { "X-Key": literal } }));
        let of_variable = self.secret("${env}");
        self.variables.push(("OF_VARIABLE", of_variable.clone()));
        let of_file = self.secret("${file}");
        let file = self.file("of-file", &of_file);
        let of_command = self.secret("${cmd}");
        self.file("of-command", &of_command);
        let command = self.program("print-it", "cat \"${0%/*}/of-command\"");
        let of_keyring = self.secret("${keyring}");
        let set = self.setting.mcplink(&["secret", "set", "wiki"]).may_hold_secrets("state");
        set.stdin(format!("{of_keyring}\n")).run().expect_code(0);
        for (name, secret, reference) in [
            ("variable", of_variable, "${env:OF_VARIABLE}".to_owned()),
            ("file", of_file, format!("${{file:{file}}}")),
            ("command", of_command, format!("${{cmd:{command}}}")),
            ("keyring", of_keyring, "${keyring:mcp/wiki}".to_owned()),
        ] {
            self.row(name, Accept::header("x-key", secret), json!({ "headers": { "X-Key": reference } }));
        }
    }

    fn add_programs(&mut self) {
        let minted = self.secret("helper output");
        self.file("minted", &json!({ "Authorization": format!("Bearer {minted}") }).to_string());
        let helper = self.program("mint", "cat \"${0%/*}/minted\"");
        self.row("helper", Accept::bearer(minted), json!({ "headersHelper": helper }));

        let given = self.secret("plug-in output");
        self.file("given", &given);
        let plugin = self.program(
            "plugin",
            "given=$(cat \"${0%/*}/given\")\nwhile read -r line; do id=${line#*\\\"id\\\":}; id=${id%%,*}\n\
             case \"$line\" in *hello*) r='{\"protocol\":1}' ;;\n\
             *) r='{\"headers\":{\"Authorization\":\"Bearer '$given'\"}}' ;; esac\n\
             printf '{\"id\":%s,\"result\":%s}\\n' \"$id\" \"$r\"; done",
        );
        self.row("plugin", Accept::bearer(given), json!({ "auth": { "provider": plugin } }));

        let (key, session) = (self.secret("SigV4 key"), self.secret("SigV4 session token"));
        let printed = json!({ "Version": 1, "AccessKeyId": "AK", "SecretAccessKey": key, "SessionToken": session,
            "Expiration": "2100-01-01T00:00:00Z" });
        self.file("keys.json", &printed.to_string());
        let keys = self.program("keys", "cat \"${0%/*}/keys.json\"");
        std::fs::create_dir_all(self.setting.home.home().join(".aws")).unwrap();
        self.file(".aws/config", &format!("[profile p]\ncredential_process = {keys}\n"));
        let verifier = AwsVerifier::new("AK", &key, "r", "s").with_session_token(&session);
        let auth = json!({ "sign": "aws-sigv4", "service": "s", "region": "r", "profile": "p" });
        self.row("sigv4", Accept::AwsSigned(verifier), json!({ "auth": auth }));

        let (argument, variable) = (self.secret("argument"), self.secret("variable of a server"));
        let server = self.program("server", SERVER);
        let local = json!({ "command": server, "args": ["--token", argument], "env": { "KEY": variable } });
        self.setting.write("local", local);
    }

    fn add_addresses(&mut self) {
        let (user, query) = (self.secret("userinfo"), self.secret("URL query"));
        let server = FakeMcpServer::start().unwrap();
        let mut url = server.url();
        url.set_username("me").unwrap();
        url.set_password(Some(&user)).unwrap();
        url.query_pairs_mut().append_pair("api_key", &query);
        self.setting.write("address", json!({ "type": "http", "url": url.as_str() }));
        self.servers.push(("address".to_owned(), server));
        let password = self.secret("proxy password");
        let encoded: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
        let through = format!("http://me:{encoded}@127.0.0.1:1");
        let proxied = json!({ "type": "http", "url": "http://mcp.test/mcp", "proxy": through });
        self.setting.write("proxied", proxied);
    }

    fn add_sign_ins(&mut self) {
        let canaries = self.setting.home.canaries().clone();
        let client = "client-secret-canary-5f31";
        canaries.add("client secret", client);
        self.issuer.add_secret_client("robot", client, "client_secret_basic");
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random).unwrap();
        self.issuer.add_key_client("keyed", key.public_key().as_ref());
        let key = STANDARD.encode(der.as_ref());
        canaries.add("private key", &*key);
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{key}\n-----END PRIVATE KEY-----\n");
        let (secret_file, key_file) = (self.file("client-secret", client), self.file("key.pem", &pem));
        let issuer = json!(self.issuer.issuer());
        for (name, auth) in [
            (
                "grant",
                json!({ "grant": "client_credentials", "clientId": "robot", "issuer": issuer,
                "clientSecret": format!("${{file:{secret_file}}}") }),
            ),
            (
                "key",
                json!({ "grant": "private_key_jwt", "clientId": "keyed", "issuer": issuer, "keyFile": key_file }),
            ),
        ] {
            let server = FakeMcpServer::start().unwrap();
            self.issuer.protect_as(&server, ProtectedResource::new().any_audience());
            let mut entry = http(&server);
            entry["auth"] = auth;
            self.setting.write(name, entry);
            self.servers.push((name.to_owned(), server));
        }
        // Its access token and its refresh token.
        let server = FakeMcpServer::start().unwrap();
        self.issuer.protect_as(&server, ProtectedResource::new().any_audience());
        self.setting.write("signed-in", http(&server));
        self.servers.push(("signed-in".to_owned(), server));
        self.run(&["login", "signed-in"], 0);
    }

    fn add_environment(&mut self) {
        let password = self.secret("proxy password of the environment");
        let encoded: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
        // Loopback goes past it, and `proxied` has one of its own.
        self.variables.push(("HTTPS_PROXY", format!("http://me:{encoded}@127.0.0.1:1")));
    }

    /// Runs a command; the harness looks for each secret in all that comes of it but the sign-ins.
    #[track_caller]
    fn run(&self, args: &[&str], code: i32) -> Output {
        self.command(args).run().expect_code(code)
    }

    fn command(&self, args: &[&str]) -> mcp_harness::Mcplink<'_> {
        let command = self.setting.mcplink(args).env("BROWSER", self.browser.command());
        // What a child was given for itself is looked into below.
        let command = command.may_hold_secrets("state").may_hold_secrets("home/environ");
        let command = command.env("MCP_TIMEOUT", "20000");
        self.variables.iter().fold(command, |command, (name, value)| command.env(*name, value))
    }
}

/// What is shown of one server, and of all; the first few also where everything is refused.
const OF_ONE: [&[&str]; 4] = [
    &["call", "NAME", "echo", "text=x", "-vv"],
    &["doctor", "NAME", "--trace", "--mermaid"],
    &["get", "NAME", "--json", "-vv"],
    &["headers", "NAME", "--json"],
];
const OF_ALL: [&[&str]; 9] = [
    &["status", "-vv"],
    &["doctor", "--json", "-vv"],
    &["support-bundle", "-o", "-", "-vv"],
    &["list", "--json", "-vv"],
    &["status", "--offline", "--json"],
    &["validate"],
    &["ps", "--json"],
    &["accounts", "--json"],
    &["hosts", "--json"],
];

#[test]
fn no_secret_of_any_kind_is_in_any_output_or_in_the_environment_of_what_is_started() {
    let table = Table::new();
    let traced = |args: &[&str]| table.command(args).env("RUST_LOG", "trace").run();
    let states: Vec<_> = traced(&["status", "--json"]).json()["servers"].as_array().unwrap().clone();
    assert_eq!(states.len(), table.servers.len() + 2, "each kind has a row");
    for state in &states {
        let expected = if state["name"] == "proxied" { "failed" } else { "connected" };
        assert_eq!(state["status"], expected, "its secret was not in use: {state:#}");
    }
    for (of_one, of_all) in [(&OF_ONE[..], &OF_ALL[..]), (&OF_ONE[..1], &OF_ALL[..3])] {
        let is_refused = of_one.len() < OF_ONE.len();
        for (name, server) in &table.servers {
            assert!(!server.requests().is_empty(), "{name}");
            if is_refused {
                server.always(mcp_testkit::ScriptedAnswer::Refuse);
            }
        }
        for state in &states {
            let name = state["name"].as_str().unwrap();
            for line in of_one {
                let line: Vec<_> =
                    line.iter().map(|word| if *word == "NAME" { name } else { *word }).collect();
                let output = traced(&line);
                assert!(output.code.is_some_and(|code| code != 1), "{line:?}: {output}");
            }
        }
        for line in of_all {
            let output = traced(line);
            assert!(output.code.is_some_and(|code| code != 1), "{line:?}: {output}");
        }
    }
    // A store of sign-ins that cannot be reached, its password, and the key of its records.
    let (password, key) =
        (table.secret("store password"), STANDARD.encode("canary-key-canary-key-canary-key"));
    table.setting.home.canaries().add("encryption key", &*key);
    let file = table.file("store.key", &key);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let encoded: String = url::form_urlencoded::byte_serialize(password.as_bytes()).collect();
    let store = format!("redis://:{encoded}@127.0.0.1:1/0");
    for line in [
        &["status", "signed-in", "--json", "-vv"][..],
        &["doctor", "signed-in", "--trace"],
        &["accounts"],
        &["support-bundle", "--offline", "-o", "-"],
        &["status", "local", "helper", "plugin"],
    ] {
        let command = table.command(line).env("MCPLINK_TOKEN_STORE", &store).env("RUST_LOG", "trace");
        let output = command.env("MCPLINK_TOKEN_STORE_KEY_FILE", &file).run();
        assert!(output.code.is_some(), "{line:?}: {output}");
    }
    let served = Served::start(&table.setting);
    let token = served.token();
    let (_, told) = served.wait_for_document(&token, |document| {
        document["servers"].as_array().is_some_and(|all| !all.is_empty())
    });
    table.setting.home.canaries().assert_absent("the page", told.as_bytes());
    drop(served);

    // A person's own variables are no news to what the person starts.
    let own: Vec<_> = table
        .variables
        .iter()
        .map(|(_, value)| table.setting.home.canaries().found_in(value.as_bytes()))
        .collect();
    for program in ["print-it", "mint", "plugin", "keys", "server"] {
        let path = table.setting.home.home().join("environ").join(program);
        let environ = std::fs::read(path).unwrap_or_else(|error| panic!("{program} did not start: {error}"));
        let mut found = table.setting.home.canaries().found_in(&environ);
        found.retain(|label| !own.iter().flatten().any(|own| own == label));
        found.retain(|label| !(program == "server" && label == "variable of a server"));
        assert!(found.is_empty(), "{program} was told {found:?}");
    }
}
