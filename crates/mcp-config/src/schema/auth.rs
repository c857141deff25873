//! The `auth` block: a grant, a file, a plug-in or signatures. What it is wrong about decides which credentials are sent, so nothing of it is passed
//! over.
//!
//! Longer than 500 lines because the table of its fields stands with those that it is tried on.

use std::path::Path;

use url::Url;

use super::Context;
use super::reader::Reader;
use super::shape::Shape;
use super::stdio::place;
use crate::entry::Scope;
use crate::json::{Node, Object};
use crate::redacted::RedactedText;
use crate::reference::{self, ReferenceText, SecretReference};
use crate::unattended::{
    AWS_WORD, Aws, COMMAND_TIMEOUT, GrantEntry, GrantWord, KEY, MachineSignIn, MachineSignInMethod,
    PLUGIN_PREFIX,
};
use crate::{ProblemCode, display, suggest};

pub(super) const HOW: &str =
    "write \"${env:NAME}\", \"${file:PATH}\", \"${cmd:COMMAND}\" or \"${keyring:SERVICE/NAME}\" in its place";

/// What a key may sign with.
const ALGORITHMS: [&str; 2] = ["ES256", "RS256"];

/// The words of `grant`.
pub(super) const GRANTS: [&str; 6] = {
    let mut words = [""; 6];
    let mut at = 0;
    while at < 6 {
        words[at] = GrantWord::ALL[at].as_str();
        at += 1;
    }
    words
};

use GrantWord::{
    ClientCredentials, EnterpriseManaged, JwtBearer, PrivateKeyJwt, TokenExchange, WorkloadIdentity,
};

/// The grants that have a field; none for those that all have.
type Grants = &'static [GrantWord];
const ALL: Grants = &GrantWord::ALL;

/// Each field of the block, what it is, and the grants that it is for.
pub(super) const FIELDS: [(&str, Shape, &str, Grants); 30] = [
    (
        "file",
        Shape::Text,
        "A file in which another program keeps a token; it is read when it is another one.",
        &[],
    ),
    (
        "provider",
        Shape::Text,
        "A plug-in: the NAME of a program mcplink-auth-NAME on the PATH, or the path of one.",
        &[],
    ),
    ("settings", Shape::Object, "What the plug-in is told.", &[]),
    ("sign", Shape::OneOf(&[AWS_WORD]), "How each request is signed.", &[]),
    ("service", Shape::Text, "The service of AWS that the signature is for.", &[]),
    ("region", Shape::Text, "Its region; that of the profile or of AWS_REGION unless said otherwise.", &[]),
    (
        "profile",
        Shape::Text,
        "The profile whose keys sign; those of the environment or its AWS_PROFILE unless said otherwise.",
        &[],
    ),
    ("grant", Shape::OneOf(&GRANTS), "How a token is obtained without a person.", ALL),
    ("clientId", Shape::Text, "The client, as it is registered with the authorization server.", ALL),
    ("clientSecret", Shape::Secret, "Its secret, by reference.", ALL),
    ("key", Shape::Secret, "Its private key in PEM, by reference.", ALL),
    ("keyFile", Shape::Text, "The file with its private key in PEM.", ALL),
    ("kid", Shape::Text, "The name of the key, for the header of what it signs.", ALL),
    ("alg", Shape::OneOf(&ALGORITHMS), "What the key has to sign with.", ALL),
    ("issuer", Shape::Text, "The authorization server, and no other one.", ALL),
    ("tokenEndpoint", Shape::Text, "Where it gives tokens, so that nothing is discovered.", ALL),
    ("scopes", Shape::Text, "The scopes that are asked for, with blanks between them.", ALL),
    ("audience", Shape::Text, "The audience of the token, for servers that want one.", ALL),
    (
        "resource",
        Shape::Text,
        "The resource that the token is for (RFC 8707); an empty one leaves it out.",
        ALL,
    ),
    ("assertion", Shape::Secret, "The assertion (RFC 7523), by reference.", &[JwtBearer]),
    ("token", Shape::Secret, "The token of the workload, by reference.", &[WorkloadIdentity]),
    (
        "subjectToken",
        Shape::Secret,
        "The token that is exchanged (RFC 8693), by reference.",
        &[TokenExchange],
    ),
    (
        "subjectTokenType",
        Shape::Text,
        "Its type; an access token unless said otherwise, and of enterprise_managed an ID token.",
        &[TokenExchange, EnterpriseManaged],
    ),
    ("actorToken", Shape::Secret, "Who acts for the subject, by reference.", &[TokenExchange]),
    ("actorTokenType", Shape::Text, "Its type; an access token unless said otherwise.", &[TokenExchange]),
    ("requestedTokenType", Shape::Text, "What type of token is asked for.", &[TokenExchange]),
    (
        "idToken",
        Shape::Secret,
        "The ID token of the organisation's provider, by reference.",
        &[EnterpriseManaged],
    ),
    ("idpTokenEndpoint", Shape::Text, "The token endpoint of that provider.", &[EnterpriseManaged]),
    ("idpClientId", Shape::Text, "The client, as it is registered there.", &[EnterpriseManaged]),
    ("idpClientSecret", Shape::Secret, "Its secret there, by reference.", &[EnterpriseManaged]),
];

/// What a grant exchanges.
fn token(word: GrantWord) -> Option<&'static str> {
    match word {
        ClientCredentials | PrivateKeyJwt => None,
        JwtBearer => Some("assertion"),
        WorkloadIdentity => Some("token"),
        TokenExchange => Some("subjectToken"),
        EnterpriseManaged => Some("idToken"),
    }
}

/// The fields that a grant cannot do without.
pub(super) fn needed(word: GrantWord) -> impl Iterator<Item = &'static str> {
    let more: &[&str] = match word {
        ClientCredentials => &["clientSecret"],
        PrivateKeyJwt | JwtBearer | WorkloadIdentity | TokenExchange => &[],
        EnterpriseManaged => &["idpTokenEndpoint", "idpClientId"],
    };
    ["clientId"].into_iter().chain(more.iter().copied()).chain(token(word))
}

pub(super) fn read(
    reader: &mut Reader<'_, '_>,
    scope: Scope,
    context: Context<'_>,
    base: &Path,
) -> Option<MachineSignIn> {
    let node = reader.get(KEY)?;
    let is_the_programs = context.known.iter().any(|name| name == KEY);
    let Some(object) = node.as_object() else {
        // FastMCP's own words: `"auth": "oauth"`, and a token there.
        let hint = match node.as_str() {
            Some("oauth") => Some("OAuth is used where the server asks for it: leave it out"),
            Some(_) => {
                Some("a token goes into a header: \"headers\": {\"Authorization\": \"Bearer ${TOKEN}\"}")
            }
            None => None,
        };
        if !is_the_programs {
            reader.misshapen(KEY, node, "an object", hint);
        }
        return None;
    };
    if let Some(kind) = get(object, "type") {
        if !is_the_programs {
            let message = "names a provider of the program's own, and this program has none";
            let hint = "write `grant` or `file`, or use headersHelper";
            reader.error(ProblemCode::InvalidConfig, &[KEY, "type"], kind.span, message, Some(hint));
        }
        return None;
    }
    let mut block = Block { reader, object, context, base };
    let kinds = ["grant", "file", "provider", "sign"].map(|name| get(object, name));
    let supply = match kinds {
        [None, Some(file), None, None] => block.file(file),
        [Some(grant), None, None, None] => block.grant(grant),
        [None, None, Some(provider), None] => block.plugin(provider),
        [None, None, None, Some(sign)] => block.aws(sign),
        [None, None, None, None] if is_the_programs => return None,
        _ => {
            let hint = format!("the grants are {}", GRANTS.join(", "));
            let message = "expected one of `grant`, `file`, `provider` and `sign`";
            block.reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, message, Some(&hint));
            return None;
        }
    }?;
    if scope == Scope::Project {
        // Security: a repository would say which secret of the person's leaves, and where it goes.
        let message =
            "is not taken from the file of a project: it would say which of your secrets is sent, and where";
        let hint = "put the server into a file of your own, or use `headers` with ${NAME}";
        reader.error(ProblemCode::InvalidConfig, &[KEY], node.span, message, Some(hint));
        return None;
    }
    let of_project = scope == Scope::Local;
    let cwd = if of_project || scope == Scope::Dynamic { context.launch_dir } else { context.person_dir };
    let mut auth = MachineSignIn { supply, cwd: cwd.to_owned(), timeout: COMMAND_TIMEOUT, may_run: true };
    auth.may_run =
        !(of_project || context.for_project) || context.trusted || auth.commands().next().is_none();
    Some(auth)
}

fn get<'n>(object: &'n Object, key: &str) -> Option<&'n Node> {
    object.get(key).filter(|node| !node.is_null())
}

struct Block<'b, 'a, 'p> {
    reader: &'b mut Reader<'a, 'p>,
    object: &'a Object,
    context: Context<'b>,
    base: &'b Path,
}

impl Block<'_, '_, '_> {
    fn wrong(&mut self, key: &str, message: &str, hint: Option<&str>) {
        let Some(span) = self.object.get(key).map(|node| node.span) else { return };
        self.reader.error(ProblemCode::InvalidConfig, &[KEY, key], span, message, hint);
    }

    /// Nothing of a block may be meant otherwise than it is read.
    fn check_fields(&mut self, belongs: impl Fn(&str) -> bool, whose: &str) {
        let object = self.object;
        for member in object.iter().filter(|member| !belongs(&member.key)) {
            let known = FIELDS.iter().any(|(name, ..)| **name == *member.key);
            let (message, hint) = if known {
                (format!("is no part of {whose}"), None)
            } else {
                let near = suggest::nearest(&member.key, FIELDS.iter().map(|(name, ..)| *name));
                let message = format!("unknown field {:?}", display::display_key(&member.key));
                (message, near.map(|near| format!("did you mean `{near}`?")))
            };
            let steps = [KEY, &*member.key];
            let code = ProblemCode::InvalidConfig;
            self.reader.error(code, &steps, member.key_span, message, hint.as_deref());
        }
    }

    fn file(&mut self, node: &Node) -> Option<MachineSignInMethod> {
        self.check_fields(|name| name == "file", "a token in a file");
        let place = place(self.reader, self.context, self.base, &[KEY, "file"], node)?;
        Some(MachineSignInMethod::File(RedactedText::new(place.path)))
    }

    fn aws(&mut self, node: &Node) -> Option<MachineSignInMethod> {
        if node.as_str() != Some(AWS_WORD) {
            self.wrong("sign", &format!("expected \"{AWS_WORD}\""), None);
            return None;
        }
        self.reader.show_at(&[KEY, "sign"], node, AWS_WORD.to_owned(), Vec::new());
        self.check_fields(|name| ["sign", "service", "region", "profile"].contains(&name), "a signature");
        let [service, region, profile] = ["service", "region", "profile"].map(|name| self.of_scope(name));
        let Some(service) = service else {
            if get(self.object, "service").is_none() {
                self.lacks("service", "is missing; a signature is for one service, such as `lambda`");
            }
            return None;
        };
        Some(MachineSignInMethod::Aws(Aws { service, region, profile }))
    }

    /// A word of the scope of a signature, or the name of a profile.
    fn of_scope(&mut self, key: &str) -> Option<String> {
        let text = self.text(key)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let fits = match key {
            "profile" => !text.trim().is_empty() && !text.contains(char::is_control),
            _ => !text.is_empty() && text.chars().all(plain),
        };
        if !fits {
            self.wrong(key, &format!("is not a {key} of AWS"), None);
            return None;
        }
        Some(text)
    }

    /// A name is one of a program on the `PATH`; whatever has a slash in it is a path.
    fn plugin(&mut self, node: &Node) -> Option<MachineSignInMethod> {
        self.check_fields(|name| name == "provider" || name == "settings", "a plug-in");
        let named = node.as_str().filter(|text| !text.contains(['/', '\\', '$']));
        let program = match named {
            Some(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
                if name.is_empty() || !name.chars().all(plain) {
                    self.wrong("provider", "is not a name of a plug-in, and no path", None);
                    return None;
                }
                self.reader.show_at(&[KEY, "provider"], node, name.to_owned(), Vec::new());
                format!("{PLUGIN_PREFIX}{name}")
            }
            None => {
                let place = place(self.reader, self.context, self.base, &[KEY, "provider"], node)?;
                place.path.to_str()?.to_owned()
            }
        };
        let settings = match get(self.object, "settings") {
            None => None,
            Some(node) if node.as_object().is_some() => Some(RedactedText::new(node.to_json().to_string())),
            Some(_) => {
                self.wrong("settings", "expected an object", None);
                return None;
            }
        };
        Some(MachineSignInMethod::Plugin { program: RedactedText::new(program), settings })
    }

    fn grant(&mut self, node: &Node) -> Option<MachineSignInMethod> {
        let word = node.as_str().unwrap_or_default();
        let Some(word) = GrantWord::ALL.into_iter().find(|known| known.as_str() == word) else {
            let near = suggest::nearest(&word.replace('-', "_"), GRANTS);
            let hint = near.map(|near| format!("did you mean \"{near}\"?"));
            let message = format!("expected one of {}", GRANTS.join(", "));
            self.wrong("grant", &message, hint.as_deref());
            return None;
        };
        self.reader.show_at(&[KEY, "grant"], node, word.as_str().to_owned(), Vec::new());
        let whose = format!("the grant {}", word.as_str());
        self.check_fields(
            |name| FIELDS.iter().any(|(known, .., of)| *known == name && of.contains(&word)),
            &whose,
        );
        let grant = GrantEntry {
            client_id: self.text("clientId").unwrap_or_default(),
            client_secret: self.secret("clientSecret"),
            key: self.key(),
            key_id: self.text("kid"),
            algorithm: self.algorithm(),
            issuer: self.text("issuer"),
            token_endpoint: self.endpoint("tokenEndpoint"),
            scopes: self.text("scopes").map(|text| text.split_whitespace().map(str::to_owned).collect()),
            audience: self.text("audience"),
            resource: self.text("resource"),
            token: token(word).and_then(|name| self.secret(name)),
            token_type: self.text("subjectTokenType"),
            actor: self.secret("actorToken"),
            actor_type: self.text("actorTokenType"),
            requested_token_type: self.text("requestedTokenType"),
            idp_token_endpoint: self.endpoint("idpTokenEndpoint"),
            idp_client_id: self.text("idpClientId"),
            idp_client_secret: self.secret("idpClientSecret"),
            ..GrantEntry::new(word)
        };
        self.check_issuer(&grant);
        for name in needed(word) {
            if get(self.object, name).is_none() {
                self.lacks(name, &format!("is missing; {whose} needs it"));
            }
        }
        if word == PrivateKeyJwt && grant.key.is_none() && get(self.object, "keyFile").is_none() {
            self.lacks("keyFile", &format!("is missing; {whose} needs it, or `key`"));
        }
        // Security: the receiver of one of these can use it, so a person says who that is.
        let hands_over = !matches!(word, PrivateKeyJwt | EnterpriseManaged) || grant.client_secret.is_some();
        if hands_over && grant.issuer.is_none() && grant.token_endpoint.is_none() {
            let message =
                "is missing: a secret goes to an authorization server, and the entry has to say to which one";
            self.lacks("issuer", message);
        }
        Some(MachineSignInMethod::Grant(Box::new(grant)))
    }

    fn lacks(&mut self, name: &str, message: &str) {
        let hint = format!("add `{name}` to `auth`");
        self.reader.entry_error(ProblemCode::InvalidConfig, &[KEY, name], message, &hint);
    }

    /// A word that is not a secret; it is used as it stands.
    fn text(&mut self, key: &str) -> Option<String> {
        let node = get(self.object, key)?;
        let Some(value) = node.as_str() else {
            self.wrong(key, &format!("expected a string, found {}", node.kind()), None);
            return None;
        };
        if value.contains("${") {
            self.wrong(key, "variables are replaced in secrets and paths of `auth` alone", None);
            return None;
        }
        self.reader.show_at(&[KEY, key], node, display::display_url(value), Vec::new());
        Some(value.to_owned())
    }

    fn algorithm(&mut self) -> Option<String> {
        let algorithm = self.text("alg")?;
        if !ALGORITHMS.contains(&&*algorithm) {
            self.wrong("alg", &format!("expected one of {}", ALGORITHMS.join(", ")), None);
        }
        Some(algorithm)
    }

    fn check_issuer(&mut self, grant: &GrantEntry) {
        let Some(issuer) = &grant.issuer else { return };
        let is_issuer = Url::parse(issuer).is_ok_and(|url| is_private(&url) && url.query().is_none());
        if !is_issuer {
            self.wrong(
                "issuer",
                "must begin with https://, or http:// on this machine, and has no query",
                None,
            );
        }
    }

    fn endpoint(&mut self, key: &str) -> Option<Url> {
        let value = self.text(key)?;
        let url = Url::parse(&value).ok().filter(is_private);
        if url.is_none() {
            self.wrong(
                key,
                "must begin with https://, or http:// on this machine, and has no user in it",
                None,
            );
        }
        url
    }

    fn key(&mut self) -> Option<SecretReference> {
        let key = self.secret("key");
        let Some(node) = get(self.object, "keyFile") else { return key };
        if get(self.object, "key").is_some() {
            self.wrong("keyFile", "is written beside `key`, and there is one key", None);
            return None;
        }
        let place = place(self.reader, self.context, self.base, &[KEY, "keyFile"], node)?;
        Some(SecretReference::File(RedactedText::new(place.path)))
    }

    /// A secret by reference: this file is no place for it.
    fn secret(&mut self, key: &str) -> Option<SecretReference> {
        let node = get(self.object, key)?;
        let Some(written) = node.as_str().and_then(reference::reference) else {
            // Security: not repeated, it may be the secret.
            let message = "is not a reference to a secret, and a secret does not belong in this file";
            self.wrong(key, message, Some(HOW));
            return None;
        };
        let mut missing = Vec::new();
        if let Some((message, hint)) = written.fault() {
            self.wrong(key, message, Some(hint));
            return None;
        }
        if let ReferenceText::Variable(name) = written
            && self.context.env.var(name).is_none()
        {
            let message = format!("the variable {name} is not set");
            let hint = format!("set {name} before the server is used");
            let code = ProblemCode::MissingVariable;
            self.reader.warn(code, &[KEY, key], node.span, message, Some(&hint));
            missing.push(name.to_owned());
        }
        self.reader.show_at(&[KEY, key], node, display::display_reference(written), missing);
        Some(written.resolved(self.base))
    }
}

/// Whether what is sent there is encrypted or stays on this machine, and no user is in it, which a log would show.
fn is_private(url: &Url) -> bool {
    let local = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let bare = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    bare && (url.scheme() == "https" || url.scheme() == "http" && local)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, EntryServer, Env, Request};

    const SECRET: &str =
        r#""clientId": "robot", "clientSecret": "${env:CI_SECRET}", "issuer": "https://as.example""#;

    fn load(auth: &str, known: &[&str]) -> Config {
        let home = tempfile::tempdir().unwrap();
        let env = Env::new().with("HOME", home.path()).with("CI_SECRET", "canary");
        let mut request = Request::new(home.path(), env).with_known_fields(known.iter().copied());
        request.managed_dir = Some(home.path().join("managed"));
        let entry = format!(r#"{{"type": "http", "url": "https://h.example/mcp", "auth": {auth}}}"#);
        request.mcp_config.push(format!(r#"{{"mcpServers": {{"web": {entry}}}}}"#));
        Config::load(&request)
    }

    fn auth(config: &Config) -> Option<&MachineSignIn> {
        config.entry("web").unwrap().remote().and_then(|remote| remote.unattended.as_ref())
    }

    #[test]
    fn each_grant_is_read_with_what_it_needs() {
        let with = |more: &str| format!(r#""clientId": "robot", "issuer": "https://as.example", {more}"#);
        for (word, fields) in [
            (ClientCredentials, SECRET.to_owned()),
            (ClientCredentials, SECRET.replace(r#""issuer": "https://as.example"#, r#""tokenEndpoint": "http://localhost:1/t"#)),
            (PrivateKeyJwt, r#""clientId": "robot", "keyFile": "key.pem", "kid": "k1", "alg": "ES256""#.to_owned()),
            (PrivateKeyJwt, r#""clientId": "robot", "key": "${cmd:vault read key}""#.to_owned()),
            (JwtBearer, with(r#""assertion": "${file:/run/jwt}", "audience": "a""#)),
            (WorkloadIdentity, with(r#""token": "${file:/var/run/secrets/tokens/t}", "scopes": "a b""#)),
            (TokenExchange, with(r#""subjectToken": "${CI_SECRET}", "actorToken": "${CI_SECRET}""#)),
            (
                EnterpriseManaged,
                r#""clientId": "robot", "idToken": "${CI_SECRET}", "idpTokenEndpoint": "https://idp.example/t", "idpClientId": "me""#
                    .to_owned(),
            ),
        ] {
            let config = load(&format!(r#"{{"grant": "{}", {fields}}}"#, word.as_str()), &[]);
            assert!(config.problems.is_empty(), "{fields}: {:?}", config.problems);
            let MachineSignInMethod::Grant(grant) = &auth(&config).unwrap().supply else { panic!("{fields}") };
            assert_eq!((grant.word, &*grant.client_id), (word, "robot"));
            assert!(!format!("{config:?}").contains("canary"));
        }
    }

    #[test]
    fn what_is_wrong_with_a_block_makes_its_entry_unusable_and_shows_no_secret() {
        for (auth, said) in [
            (r#""canary""#, "expected an object"),
            ("{}", "expected one of `grant`, `file`, `provider` and `sign`"),
            (
                r#"{"grant": "client_credentials", "file": "t"}"#,
                "expected one of `grant`, `file`, `provider` and `sign`",
            ),
            (r#"{"sign": "aws-sigv4", "file": "t", "service": "s"}"#, "expected one of `grant`"),
            (r#"{"sign": "aws_sigv4", "service": "s"}"#, "expected \"aws-sigv4\""),
            (r#"{"sign": "aws-sigv4"}"#, "a signature is for one service"),
            (r#"{"sign": "aws-sigv4", "service": "a/b"}"#, "is not a service of AWS"),
            (r#"{"sign": "aws-sigv4", "service": "a", "region": "x y"}"#, "is not a region of AWS"),
            (r#"{"sign": "aws-sigv4", "service": "a", "profile": "${P}"}"#, "variables are replaced"),
            (r#"{"sign": "aws-sigv4", "service": "a", "scopes": "b"}"#, "is no part of a signature"),
            (r#"{"type": "acme"}"#, "this program has none"),
            (r#"{"grant": "client-credentials"}"#, "expected one of client_credentials"),
            (r#"{"file": "t", "scopes": "a"}"#, "is no part of a token in a file"),
            (r#"{"file": ""}"#, "is empty"),
            (
                &format!(r#"{{"grant": "client_credentials", {SECRET}, "token": "${{A}}"}}"#),
                "is no part of the grant",
            ),
            (&format!(r#"{{"grant": "client_credentials", {SECRET}, "isuer": "a"}}"#), "unknown field"),
            (
                &format!(
                    r#"{{"grant": "client_credentials", {}}}"#,
                    SECRET.replace("${env:CI_SECRET}", "canary")
                ),
                "is not a reference to a secret",
            ),
            (
                &format!(
                    r#"{{"grant": "client_credentials", {}}}"#,
                    SECRET.replace("${env:CI_SECRET}", "${keyring:mcplink/a}")
                ),
                "leads to the sign-ins that are kept",
            ),
            (
                &format!(
                    r#"{{"grant": "client_credentials", {}}}"#,
                    SECRET.replace("https://as", "http://as")
                ),
                "must begin with https://",
            ),
            (
                r#"{"grant": "client_credentials", "clientId": "a", "clientSecret": "${A}"}"#,
                "the entry has to say to which one",
            ),
            (r#"{"grant": "private_key_jwt", "clientId": "a"}"#, "needs it, or `key`"),
            (
                r#"{"grant": "private_key_jwt", "clientId": "${A}", "keyFile": "a"}"#,
                "variables are replaced in secrets and paths",
            ),
        ] {
            let config = load(auth, &[]);
            let messages: Vec<_> = config.problems.iter().map(|problem| problem.message.as_str()).collect();
            assert!(messages.iter().any(|message| message.contains(said)), "{auth}: {messages:?}");
            assert!(matches!(config.entry("web").unwrap().server, EntryServer::Invalid), "{auth}");
            assert!(!format!("{:?}", config.problems).contains("canary"), "{auth}: {:?}", config.problems);
        }
    }

    #[test]
    fn a_block_with_a_type_is_the_programs_own_where_it_knows_the_field() {
        let config = load(r#"{"type": "acme", "grant": "own word"}"#, &["auth"]);
        assert!(config.problems.is_empty() && auth(&config).is_none(), "{:?}", config.problems);
        assert!(config.entry("web").unwrap().extra("auth").is_some());
        let config = load(r#"{"file": "t"}"#, &["auth"]);
        assert!(
            matches!(auth(&config).unwrap().supply, MachineSignInMethod::File(_)),
            "a file is a file for every program"
        );
    }

    #[test]
    fn what_is_shown_of_a_block_says_where_its_secrets_are_and_not_what_they_are() {
        let config = load(&format!(r#"{{"grant": "client_credentials", {SECRET}}}"#), &[]);
        let fields = config.entry("web").unwrap().fields();
        let secret = fields.iter().find(|field| field.name == "auth.clientSecret").unwrap();
        assert_eq!(secret.value, "${env:CI_SECRET}");
    }
}
