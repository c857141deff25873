//! A server, with its authorization server, that repeats every secret of a sign-in as soon as it has one: what it was sent
//! and what it gave itself.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_testkit::Canaries;
use serde_json::{Value, json};

/// Parameters of its requests that are secrets (RFC 6749, RFC 7636, RFC 7009, RFC 8628).
const SECRET: [&str; 6] = ["code", "code_verifier", "refresh_token", "client_secret", "device_code", "token"];

/// How it answers, step by step; what is not named is granted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Refusals {
    pub(crate) registration: bool,
    pub(crate) device: bool,
    pub(crate) token: bool,
    pub(crate) refresh: bool,
    pub(crate) revocation: bool,
    /// Offers no page to sign in at, only device codes.
    pub(crate) devices_only: bool,
    /// Takes what it gave, as an MCP server without tools.
    pub(crate) served: bool,
}

/// Its threads end with the process of the tests.
#[derive(Clone, Debug)]
pub(crate) struct Repeating {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    refusals: Mutex<Refusals>,
    canaries: Canaries,
    /// Each secret that it knows, by its name.
    known: Mutex<BTreeMap<String, String>>,
    /// Those that no request brings back.
    issued: Mutex<BTreeMap<String, String>>,
}

impl Repeating {
    /// One whose secrets, given and taken, are canaries.
    pub(crate) fn start(canaries: &Canaries, refusals: Refusals) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            refusals: Mutex::new(refusals),
            canaries: canaries.clone(),
            known: Mutex::default(),
            issued: Mutex::default(),
        });
        let own = shared.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = own.clone();
                thread::spawn(move || shared.converse(client, address));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn refuses(&self, refusals: Refusals) {
        *self.shared.refusals.lock().unwrap() = refusals;
    }

    pub(crate) fn entry(&self) -> Value {
        json!({ "type": "http", "url": format!("http://{}/mcp", self.address) })
    }

    /// The names of the secrets that there were, such as `code_verifier`.
    pub(crate) fn known(&self) -> Vec<String> {
        let issued = self.shared.issued.lock().unwrap();
        self.shared.known.lock().unwrap().keys().chain(issued.keys()).cloned().collect()
    }

    /// A person's browser comes back from the page of this URL with a code.
    pub(crate) fn come_back(&self, page: &str) {
        let page = url::Url::parse(page).unwrap();
        let query: BTreeMap<_, _> = page.query_pairs().into_owned().collect();
        let mut back = url::Url::parse(&query["redirect_uri"]).unwrap();
        let code = self.shared.gives("code");
        back.query_pairs_mut().append_pair("code", &code).append_pair("state", &query["state"]);
        let mut stream = TcpStream::connect(("127.0.0.1", back.port().unwrap())).unwrap();
        let (path, query) = (back.path(), back.query().unwrap());
        write!(stream, "GET {path}?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut seen = String::new();
        let _ = stream.read_to_string(&mut seen);
        self.shared.canaries.assert_absent("the page that the browser ends at", seen.as_bytes());
    }
}

impl Shared {
    /// What comes back with a request does not look like a secret; what does not come back does.
    fn gives(&self, name: &str) -> String {
        let secret = match name {
            "code" => "amber-lantern-kites",
            "client_secret" => "copper-window-piano",
            "device_code" => "silent-harbor-lemon",
            "access_token" => "purple-engine-daisy",
            "refresh_token" => "golden-basket-otter",
            _ => {
                let secret = self.canaries.secret(name);
                self.issued.lock().unwrap().insert(name.to_owned(), secret.clone());
                return secret;
            }
        };
        self.takes(name, secret);
        secret.to_owned()
    }

    /// What a client sent is a secret as well.
    fn takes(&self, name: &str, value: &str) {
        if self.known.lock().unwrap().insert(name.to_owned(), value.to_owned()).as_deref() != Some(value) {
            self.canaries.add(name, value);
        }
    }

    /// Everything that came with the request, without the names that would tell what it is, and what was given before.
    fn words(&self, sent: &BTreeMap<String, String>) -> String {
        let issued = self.issued.lock().unwrap();
        let secret = sent.iter().filter(|(name, _)| SECRET.contains(&name.as_str()));
        let secrets: Vec<&str> = secret.chain(issued.iter()).map(|(_, secret)| secret.as_str()).collect();
        format!("no: {}", secrets.join(", "))
    }

    fn converse(&self, mut client: TcpStream, address: SocketAddr) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().ok()?);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let path = line.split(' ').nth(1)?.to_owned();
            let (mut length, mut authorization) = (0, String::new());
            while !line.trim().is_empty() {
                line.clear();
                reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
                let (name, value) = line.split_once(':').unwrap_or_default();
                match name.to_ascii_lowercase().as_str() {
                    "content-length" => length = value.trim().parse().ok()?,
                    "authorization" => value.trim().clone_into(&mut authorization),
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let (status, headers, body) = self.answer(address, &path, &authorization, &body);
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{headers}");
            write!(client, "{head}Content-Length: {length}\r\n\r\n{body}").ok()?;
        }
    }

    fn answer(
        &self,
        address: SocketAddr,
        path: &str,
        authorization: &str,
        body: &[u8],
    ) -> (&'static str, String, String) {
        let base = format!("http://{address}");
        let ok = |body: Value| ("200 OK", String::new(), body.to_string());
        let refusals = *self.refusals.lock().unwrap();
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
        for name in SECRET {
            if let Some(value) = form.get(name) {
                self.takes(name, value);
            }
        }
        if let Some(pair) = authorization.strip_prefix("Basic ").and_then(|pair| STANDARD.decode(pair).ok())
            && let Some((_, secret)) = String::from_utf8_lossy(&pair).split_once(':')
        {
            self.takes("client_secret, encoded", secret);
        }
        let refused = |code: &str| {
            let words = self.words(&form);
            let error = json!({ "error": code, "error_description": words, "error_uri": words });
            ("400 Bad Request", String::new(), error.to_string())
        };
        let path = path.split('?').next().unwrap_or_default();
        if path.starts_with("/.well-known/oauth-protected-resource") {
            return ok(json!({ "resource": format!("{base}/mcp"), "authorization_servers": [base] }));
        }
        if path.starts_with("/.well-known/") {
            let mut metadata = json!({
                "issuer": base, "token_endpoint": format!("{base}/token"),
                "registration_endpoint": format!("{base}/register"), "revocation_endpoint": format!("{base}/revoke"),
                "device_authorization_endpoint": format!("{base}/device"),
                "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
                "grant_types_supported":
                    ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            });
            if !refusals.devices_only {
                metadata["authorization_endpoint"] = json!(format!("{base}/authorize"));
            }
            return ok(metadata);
        }
        match path {
            "/register" if refusals.registration => {
                self.gives("registration_access_token");
                refused("invalid_client_metadata")
            }
            "/register" => {
                let mut registration: Value = serde_json::from_slice(body).unwrap_or_default();
                registration["client_id"] = json!("registered");
                registration["token_endpoint_auth_method"] = json!("client_secret_post");
                registration["client_secret"] = json!(self.gives("client_secret"));
                registration["registration_access_token"] = json!(self.gives("registration_access_token"));
                registration["registration_client_uri"] = json!(format!("{base}/register/registered"));
                ("201 Created", String::new(), registration.to_string())
            }
            "/device" if refusals.device => refused("invalid_scope"),
            "/device" => ok(json!({
                "device_code": self.gives("device_code"), "user_code": "WDJB-MJHT", "expires_in": 60, "interval": 5,
                "verification_uri": format!("{base}/enter"),
            })),
            "/token" if refusals.token || (refusals.refresh && form.contains_key("refresh_token")) => {
                refused("invalid_grant")
            }
            "/token" => ok(json!({
                "token_type": "Bearer", "expires_in": 1, "access_token": self.gives("access_token"),
                "refresh_token": self.gives("refresh_token"), "id_token": self.gives("id_token"),
            })),
            "/revoke" if refusals.revocation => refused("unsupported_token_type"),
            "/revoke" => ok(json!({})),
            _ if refusals.served => served(body),
            _ => {
                // This one was given no more than its own token.
                let token = authorization.strip_prefix("Bearer ").unwrap_or("nothing");
                let words = format!("no: {token}, {} ", percent(token));
                let challenge = format!(
                    "WWW-Authenticate: Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\", error=\"invalid_token\", error_description=\"{words}\"\r\n"
                );
                ("401 Unauthorized", challenge, json!({ "error": words }).to_string())
            }
        }
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

/// What a server of the legacy era without tools answers.
fn served(body: &[u8]) -> (&'static str, String, String) {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let answer = |member: &str, value: Value| {
        let answer = json!({ "jsonrpc": "2.0", "id": request["id"], member: value });
        ("200 OK", String::new(), answer.to_string())
    };
    match request["method"].as_str() {
        Some("initialize") => answer(
            "result",
            json!({
                "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
                "serverInfo": { "name": "x", "version": "1" },
            }),
        ),
        Some("tools/list") => answer("result", json!({ "tools": [] })),
        Some(_) if !request["id"].is_null() => answer("error", json!({ "code": -32601, "message": "no" })),
        Some(_) => ("202 Accepted", String::new(), String::new()),
        None => ("405 Method Not Allowed", String::new(), String::new()),
    }
}
