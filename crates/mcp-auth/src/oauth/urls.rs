//! What a URL is an identifier of, and what of it may be shown. Whether it may be requested or opened is decided in
//! [`url_policy`](crate::url_policy).
//!
//! Identifiers (`resource`, `issuer`) are strings and stay strings: `Url` adds a slash to an empty path,
//! and RFC 8414 section 3.3, RFC 9207 section 2.4 and RFC 8707 compare or send them byte for byte.

use url::Url;

/// Origin and path of a URL: what an error or a log line may show. A query may carry a code or a key.
pub(crate) fn redacted(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) if url.origin().is_tuple() => format!("{}{}", origin(&url), url.path()),
        // Schemes that are none of the web's.
        Ok(url) => match url.host_str() {
            Some(host) => format!("{}://{host}{}", url.scheme(), url.path()),
            None => "an invalid URL".to_owned(),
        },
        _ => "an invalid URL".to_owned(),
    }
}

/// Scheme, host and port without a trailing slash: the issuer that an origin stands for.
pub(crate) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// Whether two issuer identifiers are the same: as strings, except that an origin may be written with the slash of its
/// empty path. Both spellings have the same metadata URL (RFC 8414 section 3.1), so neither can stand for another
/// server. Nothing else is bent: not case, not ports, and not the slash behind a path.
pub(crate) fn same_issuer(one: &str, other: &str) -> bool {
    fn bare(issuer: &str) -> &str {
        match issuer.strip_suffix('/') {
            Some(short)
                if short.split_once("://").is_some_and(|(_, host)| !host.contains(['/', '?', '#'])) =>
            {
                short
            }
            _ => issuer,
        }
    }
    bare(one) == bare(other)
}

/// The canonical URI of an MCP server (MCP authorization, "Canonical Server URI"): no fragment, no user
/// name, no query, and no slash that stands for an empty path.
pub(crate) fn canonical_resource(server: &Url) -> String {
    match server.path() {
        "/" => origin(server),
        path => format!("{}{path}", origin(server)),
    }
}

/// Whether a token for `resource` may be sent to `server`: same origin, and `resource` names the endpoint
/// or a path above it. Anything else would let one server ask for tokens that are meant for another.
pub(crate) fn covers(resource: &str, server: &Url) -> bool {
    let Ok(resource) = Url::parse(resource) else { return false };
    if resource.origin() != server.origin() || resource.fragment().is_some() {
        return false;
    }
    let wanted = resource.path().trim_end_matches('/');
    match server.path().trim_end_matches('/').strip_prefix(wanted) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// `base/.well-known/NAME` with the path of `base` behind the name (RFC 8414 section 3.1, RFC 9728 section 3.1).
pub(crate) fn well_known_inserted(base: &Url, name: &str) -> String {
    format!("{}/.well-known/{name}{}", origin(base), base.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn queries_fragments_and_user_names_are_not_shown() {
        assert_eq!(redacted("https://u:p@as.example/t?code=secret#x"), "https://as.example/t");
        assert_eq!(redacted("data:text/plain,secret"), "an invalid URL");
        assert_eq!(redacted("ssh://u:secret@h:22/x?secret"), "ssh://h/x");
        assert_eq!(redacted("file:///etc/x"), "an invalid URL");
    }

    #[test]
    fn f069_the_canonical_resource_has_no_slash_query_or_fragment_of_its_own() {
        assert_eq!(canonical_resource(&url("http://localhost:3000")), "http://localhost:3000");
        assert_eq!(canonical_resource(&url("https://x.example/mcp?org=1#f")), "https://x.example/mcp");
        assert_eq!(canonical_resource(&url("https://x.example/mcp/")), "https://x.example/mcp/");
    }

    #[test]
    fn a_resource_covers_its_own_origin_and_path() {
        let server = url("https://x.example/team/mcp");
        for good in [
            "https://x.example",
            "https://x.example/",
            "https://x.example/team",
            "https://x.example/team/mcp/",
        ] {
            assert!(covers(good, &server), "{good}");
        }
        for bad in [
            "https://evil.example/team/mcp",
            "http://x.example/team/mcp",
            "https://x.example:8443/team/mcp",
            "https://x.example/tea",
            "https://x.example/team/mcp2",
            "https://x.example/team/mcp/deeper",
            "not a url",
        ] {
            assert!(!covers(bad, &server), "{bad}");
        }
    }

    #[test]
    fn fb_o01_o03_o04_o05_only_the_slash_of_an_empty_path_is_not_compared() {
        for (one, other) in [
            ("https://as.example", "https://as.example/"),
            ("https://as.example/", "https://as.example"),
            ("https://as.example:8443/", "https://as.example:8443"),
            ("https://as.example/t/", "https://as.example/t/"),
        ] {
            assert!(same_issuer(one, other), "{one} {other}");
        }
        for (one, other) in [
            ("https://as.example/t", "https://as.example/t/"),
            ("https://as.example", "https://as.example//"),
            ("https://as.example", "https://AS.example/"),
            ("https://as.example", "http://as.example/"),
            ("https://as.example", "https://as.example:443/"),
            ("https://as.example?x", "https://as.example?x/"),
            ("https://as.example#x", "https://as.example#x/"),
            ("https://as.example", "https://as.example.evil.example/"),
            ("", "/"),
        ] {
            assert!(!same_issuer(one, other), "{one} {other}");
        }
    }

    #[test]
    fn well_known_names_go_before_the_path() {
        let name = "oauth-authorization-server";
        assert_eq!(
            well_known_inserted(&url("https://as.example/tenant1/"), name),
            "https://as.example/.well-known/oauth-authorization-server/tenant1"
        );
        assert_eq!(
            well_known_inserted(&url("https://as.example"), name),
            "https://as.example/.well-known/oauth-authorization-server"
        );
    }
}
