//! The `oauth` block.

use std::collections::BTreeMap;

use mcp_text::{OWN_AUTHORIZE_PARAMS, OWN_CLIENT_METADATA};
use url::Url;

use super::auth::HOW;
use super::reader::Reader;
use super::shape::Shape;
use crate::entry::{OAuth, Scope};
use crate::json::{Node, Object};
use crate::reference::{self, SecretReference};
use crate::{ProblemCode, client_metadata, display, suggest};

/// Each field of the block, and what it is.
pub(super) const FIELDS: [(&str, Shape, &str); 17] = [
    ("clientId", Shape::Text, "The client that is registered with the authorization server."),
    ("clientSecret", Shape::Secret, "Its secret, by reference."),
    ("issuer", Shape::Text, "The authorization server, and no other one."),
    ("callbackPort", Shape::Whole(1, Some(65_535)), "The port of the redirect URI that is registered."),
    ("scopes", Shape::Text, "The scopes that are asked for, with blanks between them."),
    ("authServerMetadataUrl", Shape::Text, "Where the metadata of the authorization server is, over https."),
    ("redirectUri", Shape::Text, "The redirect URI that is registered."),
    ("resource", Shape::Text, "The resource that tokens are asked for (RFC 8707)."),
    ("clientMetadataUrl", Shape::Text, "Where the metadata of this client is, over https."),
    ("pkce", Shape::OneOf(&["assumed"]), "The authorization server does PKCE without saying so."),
    ("metadataIssuer", Shape::Text, "The issuer that the metadata name, where that is another one."),
    (
        "clientMetadata",
        Shape::Object,
        "What else a registration says of this client (RFC 7591), such as client_name.",
    ),
    ("useIdToken", Shape::Flag, "`true` sends the ID token in the place of the access token."),
    (
        "expectSubject",
        Shape::Text,
        "The one person whose sign-in is used: the subject, mail address or user name of the ID token.",
    ),
    (
        "expectOrganization",
        Shape::Text,
        "The one organisation whose sign-ins are used: the number or name of the tenant in the ID token.",
    ),
    (
        "share",
        Shape::OneOf(&["issuer"]),
        "A sign-in to another server of the same issuer serves this one, too; never in the file of a project.",
    ),
    ("authorizeParams", Shape::TextMap, "More parameters of the authorization request, such as audience."),
];

/// The block, if there is one, and whether OAuth is switched off by `false`. `true` says what holds without it.
pub(super) fn read(reader: &mut Reader<'_, '_>, scope: Scope) -> (Option<OAuth>, bool) {
    let Some(node) = reader.get("oauth") else { return (None, false) };
    if let Some(on) = node.as_bool() {
        return (None, !on);
    }
    let Some(object) = node.as_object() else {
        reader.wrong_type("oauth", node, "an object or false");
        return (None, false);
    };
    check_fields(reader, object);
    let block = OAuth {
        client_id: string(reader, object, "clientId"),
        client_secret: client_secret(reader, object, scope),
        issuer: issuer(reader, object),
        callback_port: callback_port(reader, object),
        redirect_uri: string(reader, object, "redirectUri"),
        scopes: scopes(reader, object),
        auth_server_metadata_url: https_url(reader, object, "authServerMetadataUrl"),
        resource: string(reader, object, "resource"),
        client_metadata_url: client_metadata_url(reader, object),
        assume_pkce: assume_pkce(reader, object),
        metadata_issuer: string(reader, object, "metadataIssuer"),
        authorize_params: authorize_params(reader, object),
        client_metadata: client_metadata(reader, object),
        use_id_token: use_id_token(reader, object),
        shares_issuer: shares_issuer(reader, object, scope),
        expect_subject: expected(reader, object, "expectSubject"),
        expect_organization: expected(reader, object, "expectOrganization"),
    };
    (Some(block), false)
}

/// The secret of the registered client, by reference: this file is no place for it.
fn client_secret(reader: &mut Reader<'_, '_>, object: &Object, scope: Scope) -> Option<SecretReference> {
    const STEPS: [&str; 2] = ["oauth", "clientSecret"];
    let node = get(object, STEPS[1])?;
    let mut wrong = |message: &str, hint| {
        reader.error(ProblemCode::InvalidConfig, &STEPS, node.span, message, Some(hint));
        None
    };
    let Some(written) = node.as_str().and_then(reference::reference) else {
        // Security: not repeated, it may be the secret. A file of another program may have it, and the entry works without.
        let message =
            "is not a reference to a secret, and a secret does not belong in this file; it is ignored";
        reader.warn(ProblemCode::UnknownField, &STEPS, node.span, message, Some(HOW));
        return None;
    };
    if let Some((message, hint)) = written.fault() {
        return wrong(message, hint);
    }
    if scope == Scope::Project {
        // Security: a repository would say which secret of the person's leaves, and where it goes.
        let message =
            "is not taken from the file of a project: it would say which of your secrets is sent, and where";
        return wrong(message, "put the server into a file of your own, or set MCP_CLIENT_SECRET");
    }
    reader.show_at(&STEPS, node, display::display_reference(written), Vec::new());
    Some(written.resolved(reader.base()))
}

/// The one thing that can be said about PKCE: that the server does it without advertising it.
fn assume_pkce(reader: &mut Reader<'_, '_>, object: &Object) -> bool {
    let Some(node) = get(object, "pkce") else { return false };
    let assumed = node.as_str() == Some("assumed");
    if assumed {
        show(reader, "pkce", node, "assumed");
    } else {
        let message = "expected \"assumed\": the authorization server does PKCE with S256 without saying so";
        wrong(reader, "pkce", node, message);
    }
    assumed
}

/// More parameters of the authorization request. One that is the client's to set is left out: it would say where the answer
/// goes, or whose it is.
fn authorize_params(reader: &mut Reader<'_, '_>, object: &Object) -> BTreeMap<String, String> {
    const KEY: &str = "authorizeParams";
    let Some(node) = get(object, KEY) else { return BTreeMap::new() };
    let Some(params) = node.as_object() else {
        wrong(reader, KEY, node, &format!("expected an object of strings, found {}", node.kind()));
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for member in params.iter() {
        let steps = ["oauth", KEY, &*member.key];
        let Some(value) = member.node.as_str() else {
            let message = format!("expected a string, found {}", member.node.kind());
            reader.error(ProblemCode::InvalidConfig, &steps, member.node.span, message, None);
            continue;
        };
        if OWN_AUTHORIZE_PARAMS.contains(&&*member.key) {
            let hint = match &*member.key {
                "client_id" => Some("use `oauth.clientId`"),
                "redirect_uri" => Some("use `oauth.redirectUri`"),
                "scope" => Some("use `oauth.scopes`"),
                "resource" => Some("use `oauth.resource`"),
                _ => None,
            };
            let message = "is set by this client for each sign-in; it is left out";
            reader.warn(ProblemCode::IgnoredValue, &steps, member.key_span, message, hint);
            continue;
        }
        reader.show_at(&steps, &member.node, display::display_url(value), Vec::new());
        read.insert(member.key.to_string(), value.to_owned());
    }
    read
}

/// Security: a server that a repository brings along does not help itself to a sign-in that a person made for another one.
fn shares_issuer(reader: &mut Reader<'_, '_>, object: &Object, scope: Scope) -> bool {
    const KEY: &str = "share";
    let Some(node) = get(object, KEY) else { return false };
    if node.as_str() != Some("issuer") {
        wrong(
            reader,
            KEY,
            node,
            "expected \"issuer\": one sign-in for all servers of an authorization server",
        );
        return false;
    }
    show(reader, KEY, node, "issuer");
    if scope == Scope::Project {
        let message =
            "is not taken from the file of a project: which of your sign-ins serve it is yours to say";
        let hint = Some("put the server into a file of your own");
        reader.error(ProblemCode::InvalidConfig, &["oauth", KEY], node.span, message, hint);
        return false;
    }
    true
}

/// Whose sign-in is used. One that says nothing would let everyone through.
fn expected(reader: &mut Reader<'_, '_>, object: &Object, key: &str) -> Option<String> {
    let value = string(reader, object, key)?;
    if value.trim().is_empty() {
        wrong(reader, key, get(object, key)?, "is empty: write whose sign-in is used");
        return None;
    }
    Some(value.trim().to_owned())
}

fn use_id_token(reader: &mut Reader<'_, '_>, object: &Object) -> bool {
    const KEY: &str = "useIdToken";
    let Some(node) = get(object, KEY) else { return false };
    match node.as_bool() {
        Some(uses) => {
            show(reader, KEY, node, &uses.to_string());
            uses
        }
        None => {
            wrong(reader, KEY, node, &format!("expected true or false, found {}", node.kind()));
            false
        }
    }
}

/// What else a registration says of this client.
fn client_metadata(reader: &mut Reader<'_, '_>, object: &Object) -> BTreeMap<String, String> {
    const KEY: &str = "clientMetadata";
    let Some(node) = get(object, KEY) else { return BTreeMap::new() };
    let Some(metadata) = node.as_object() else {
        wrong(reader, KEY, node, &format!("expected an object, found {}", node.kind()));
        return BTreeMap::new();
    };
    let mut read = BTreeMap::new();
    for member in metadata.iter() {
        let steps = ["oauth", KEY, &*member.key];
        if OWN_CLIENT_METADATA.contains(&&*member.key) {
            let hint = match &*member.key {
                "scope" => Some("use `oauth.scopes`"),
                "redirect_uris" => Some("use `oauth.redirectUri`"),
                "client_id" => Some("use `oauth.clientId`"),
                "client_secret" => Some("a secret does not belong in this file; set MCP_CLIENT_SECRET"),
                _ => None,
            };
            let message = "is for this client to say, or for the server; it is left out";
            reader.warn(ProblemCode::IgnoredValue, &steps, member.key_span, message, hint);
            continue;
        }
        let text = member.node.to_json().to_string();
        reader.show_at(&steps, &member.node, display::display_url(&text), Vec::new());
        read.insert(member.key.to_string(), text);
    }
    read
}

fn check_fields(reader: &mut Reader<'_, '_>, object: &Object) {
    for member in object.iter().filter(|member| !FIELDS.iter().any(|(name, ..)| **name == *member.key)) {
        let message = format!("unknown field {:?}; it is ignored", display::display_key(&member.key));
        let hint = match &*member.key {
            "scope" => Some("use `scopes`: one string with spaces between the scopes".to_owned()),
            key => crate::foreign::oauth_field(key).or_else(|| {
                let near = suggest::nearest(key, FIELDS.map(|(name, ..)| name));
                near.map(|near| format!("did you mean `{near}`?"))
            }),
        };
        let steps = ["oauth", &member.key];
        reader.warn(ProblemCode::UnknownField, &steps, member.key_span, message, hint.as_deref());
    }
}

fn get<'n>(object: &'n Object, key: &str) -> Option<&'n Node> {
    object.get(key).filter(|node| !node.is_null())
}

fn show(reader: &mut Reader<'_, '_>, key: &str, node: &Node, value: &str) {
    let shown = display::display_url(value);
    reader.show_at(&["oauth", key], node, shown, Vec::new());
}

fn wrong(reader: &mut Reader<'_, '_>, key: &str, node: &Node, message: &str) {
    reader.error(ProblemCode::InvalidConfig, &["oauth", key], node.span, message, None);
}

fn string(reader: &mut Reader<'_, '_>, object: &Object, key: &str) -> Option<String> {
    let node = get(object, key)?;
    let Some(value) = node.as_str() else {
        wrong(reader, key, node, &format!("expected a string, found {}", node.kind()));
        return None;
    };
    // As it is written: what a variable holds is not shown.
    show(reader, key, node, value);
    reader.oauth_text(key, node, value)
}

fn callback_port(reader: &mut Reader<'_, '_>, object: &Object) -> Option<u16> {
    let node = get(object, "callbackPort")?;
    let port = node.as_u64().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    match port {
        Some(port) => show(reader, "callbackPort", node, &port.to_string()),
        None => wrong(reader, "callbackPort", node, "expected a port number from 1 to 65535"),
    }
    port
}

fn scopes(reader: &mut Reader<'_, '_>, object: &Object) -> Option<Vec<String>> {
    let node = get(object, "scopes")?;
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let scopes = match (node.as_str(), node.as_array()) {
        (Some(text), _) => words(text),
        (None, Some(items)) if items.iter().all(|item| item.as_str().is_some()) => {
            let message = "is an array; other readers expect one string with spaces between the scopes";
            let steps = ["oauth", "scopes"];
            reader.warn(ProblemCode::IgnoredValue, &steps, node.span, message, None);
            items.iter().filter_map(Node::as_str).flat_map(words).collect()
        }
        _ => {
            wrong(reader, "scopes", node, &format!("expected one string, found {}", node.kind()));
            return None;
        }
    };
    show(reader, "scopes", node, &scopes.join(" "));
    Some(scopes)
}

/// Who issues tokens (RFC 8414 section 2). Kept as it is written: issuers are compared as strings.
fn issuer(reader: &mut Reader<'_, '_>, object: &Object) -> Option<String> {
    let value = string(reader, object, "issuer")?;
    let node = get(object, "issuer")?;
    let url = Url::parse(&value).ok();
    let local = |url: &Url| {
        url.scheme() == "http" && matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
    };
    match url {
        Some(url) if url.query().is_some() || url.fragment().is_some() => {
            wrong(reader, "issuer", node, "an issuer has neither a query nor a fragment");
            None
        }
        Some(url) if url.scheme() == "https" || local(&url) => Some(value),
        _ => {
            wrong(reader, "issuer", node, "must begin with https://, or http:// on this machine");
            None
        }
    }
}

fn client_metadata_url(reader: &mut Reader<'_, '_>, object: &Object) -> Option<Url> {
    const KEY: &str = "clientMetadataUrl";
    let value = string(reader, object, KEY)?;
    let node = get(object, KEY)?;
    client_metadata::url(&value).map_err(|why| wrong(reader, KEY, node, why)).ok()
}

/// What is fetched from here decides where a person signs in, so it is https or nothing.
fn https_url(reader: &mut Reader<'_, '_>, object: &Object, key: &str) -> Option<Url> {
    let value = string(reader, object, key)?;
    let node = get(object, key)?;
    match Url::parse(&value) {
        // What is fetched from there is public, and the library that fetches it would log the password.
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            wrong(reader, key, node, "must not have a user or a password in it");
            None
        }
        Ok(url) if url.scheme() == "https" => Some(url),
        Ok(_) => {
            wrong(reader, key, node, "must begin with https://");
            None
        }
        Err(error) => {
            wrong(reader, key, node, &format!("is not a valid URL: {error}"));
            None
        }
    }
}
