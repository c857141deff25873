//! Where the metadata document of a client is, whose URL is its `client_id` (draft-ietf-oauth-client-id-metadata-document
//! section 3). Everyone who is signed in to reads it.

use url::Url;

/// The URL that `text` is, if it can be one of such a document.
///
/// # Errors
///
/// Why it cannot, as a fragment behind the name of what it stands in. Nothing of it is repeated.
///
/// # Examples
///
/// ```
/// use mcp_config::client_metadata;
///
/// assert!(client_metadata::url("https://me.example/client.json").is_ok());
/// assert_eq!(client_metadata::url("https://me.example").unwrap_err(), "names a host, and no document on it");
/// ```
pub fn url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a valid URL")?;
    // What is fetched from there is public, and the library that fetches it would log the password.
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not have a user or a password in it");
    }
    if url.scheme() != "https" {
        return Err("must begin with https://");
    }
    if url.fragment().is_some() {
        return Err("must have no fragment (`#`)");
    }
    // As it is written: a URL that is parsed has none left.
    let path = text.split(['?', '#']).next().unwrap_or_default();
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("must have no `.` or `..` in its path");
    }
    if url.path() == "/" {
        return Err("names a host, and no document on it");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_named_by_the_url_of_a_document() {
        for good in ["https://me.example/c.json", "https://me.example:8443/a/b?v=1", "HTTPS://me.example/c"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://me.example/c.json", "https://"),
            ("https://u:canary@me.example/c.json", "password"),
            ("https://me.example", "no document"),
            ("https://me.example/", "no document"),
            ("https://me.example/c.json#canary", "fragment"),
            ("https://me.example/a/../c.json", "`..`"),
            ("https://me.example/./c.json", "`.`"),
            ("me.example/c.json", "not a valid URL"),
        ] {
            let said = url(bad).unwrap_err();
            assert!(said.contains(why) && !said.contains("canary"), "{bad}: {said}");
        }
    }
}
