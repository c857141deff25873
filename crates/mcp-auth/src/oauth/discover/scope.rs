//! Which scopes to ask for (MCP authorization, "Scope Selection Strategy" and "Step-Up Authorization Flow").

/// A scope that asks for a refresh token (OpenID Connect Core section 11).
pub(crate) const OFFLINE_ACCESS: &str = "offline_access";

/// What is known when scopes are chosen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScopeSources<'a> {
    /// What a person asks for at this sign-in, on top of what was granted before.
    pub(crate) requested: &'a [String],
    /// The sign-in before could be renewed, which is not to be lost.
    pub(crate) lasting: bool,
    /// Pinned by the settings: asked for exactly.
    pub(crate) pinned: Option<&'a [String]>,
    /// The `scope` of the challenge.
    pub(crate) challenged: Option<&'a str>,
    /// What an earlier sign-in was granted, when more than that is asked for.
    pub(crate) granted: &'a [String],
    /// `scopes_supported` of the protected resource metadata.
    pub(crate) resource: Option<&'a [String]>,
    /// `scopes_supported` of the authorization server metadata: never asked for, only read for `offline_access`.
    pub(crate) server: Option<&'a [String]>,
}

/// The scopes to ask for; empty means that the parameter is left out.
///
/// What a person asks for (in union with what was granted), else pinned, else challenged (in union with what was granted), else those of the resource, else none.
/// `offline_access` goes along only where the server says that it knows it.
pub(crate) fn select(sources: ScopeSources<'_>) -> Vec<String> {
    let offline = sources.server.is_some_and(|known| known.iter().any(|scope| scope == OFFLINE_ACCESS));
    let mut chosen = Vec::new();
    if !sources.requested.is_empty() {
        extend(&mut chosen, sources.granted.iter().chain(sources.requested).map(String::as_str));
        extend(&mut chosen, Some(OFFLINE_ACCESS).filter(|_| offline && sources.lasting));
        return chosen;
    }
    if let Some(pinned) = sources.pinned {
        return pinned.to_vec();
    }
    match sources.challenged.filter(|scope| !scope.trim().is_empty()) {
        Some(challenged) => {
            extend(&mut chosen, sources.granted.iter().map(String::as_str));
            extend(&mut chosen, challenged.split_ascii_whitespace());
        }
        None => {
            extend(&mut chosen, sources.granted.iter().map(String::as_str));
            let resource = sources.resource.unwrap_or_default();
            extend(
                &mut chosen,
                resource.iter().map(String::as_str).filter(|scope| offline || *scope != OFFLINE_ACCESS),
            );
        }
    }
    if offline && !chosen.is_empty() {
        extend(&mut chosen, [OFFLINE_ACCESS]);
    }
    chosen
}

/// Appends the scopes that are not in the list yet, in order.
fn extend<'a>(chosen: &mut Vec<String>, more: impl IntoIterator<Item = &'a str>) {
    for scope in more {
        if !chosen.iter().any(|known| known == scope) {
            chosen.push(scope.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fb_o46_what_a_person_asks_for_comes_on_top_of_what_was_granted() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let (requested, granted, pinned) = (words("write"), words("read"), words("all"));
        let first = ScopeSources { requested: &requested, pinned: Some(&pinned), ..ScopeSources::default() };
        assert_eq!(select(first), ["write"], "exactly that");
        let again = ScopeSources { granted: &granted, ..first };
        assert_eq!(select(again), ["read", "write"]);
        let server = words("read write offline_access");
        let lasting = ScopeSources { server: Some(&server), lasting: true, ..again };
        assert_eq!(select(lasting), ["read", "write", "offline_access"]);
        assert_eq!(select(ScopeSources { lasting: false, ..lasting }), ["read", "write"]);
    }

    fn list(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn f068_and_f085_the_order_is_pinned_challenge_resource_none() {
        let (pins, prm, server) = (list(&["pin"]), list(&["a", "b"]), list(&["a", "b", "c"]));
        let all = ScopeSources {
            requested: &[],
            lasting: false,
            pinned: Some(&pins),
            challenged: Some("x y"),
            granted: &[],
            resource: Some(&prm),
            server: Some(&server),
        };
        assert_eq!(select(all), ["pin"]);
        assert_eq!(select(ScopeSources { pinned: None, ..all }), ["x", "y"]);
        assert_eq!(select(ScopeSources { pinned: None, challenged: None, ..all }), ["a", "b"]);
        let none = ScopeSources { pinned: None, challenged: None, resource: None, ..all };
        assert!(select(none).is_empty(), "the catalogue of the authorization server is never asked for");
    }

    #[test]
    fn step_up_keeps_what_was_granted() {
        let granted = list(&["basic", "shared"]);
        let sources =
            ScopeSources { challenged: Some("shared write"), granted: &granted, ..Default::default() };
        assert_eq!(select(sources), ["basic", "shared", "write"]);
    }

    #[test]
    fn offline_access_is_asked_for_only_where_the_server_offers_it() {
        let (prm, with, without) = (list(&["a", OFFLINE_ACCESS]), list(&["a", OFFLINE_ACCESS]), list(&["a"]));
        let sources = |server| ScopeSources { resource: Some(&prm), server, ..Default::default() };
        assert_eq!(select(sources(Some(&with))), ["a", OFFLINE_ACCESS]);
        assert_eq!(select(sources(Some(&without))), ["a"]);
        assert_eq!(select(sources(None)), ["a"]);
        let challenged = ScopeSources { challenged: Some("x"), server: Some(&with), ..Default::default() };
        assert_eq!(select(challenged), ["x", OFFLINE_ACCESS]);
        let unscoped = ScopeSources { server: Some(&with), ..Default::default() };
        assert!(select(unscoped).is_empty(), "alone it would replace the server's default scopes");
    }
}
