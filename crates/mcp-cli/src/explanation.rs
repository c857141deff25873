//! What each reason means and what mends it, for a person who looks it up: `mcplink help REASON` and `docs/reasons.md`.
//!
//! General by its nature. What was seen of one server is its `mcp_status::message`, and the one step that helps there its
//! `mcp_status::next_step`.

use mcp_status::ReasonCode;

/// What a status on a screen means, by its word there.
pub(crate) fn status(word: &str) -> Option<&'static str> {
    Some(match word {
        "connected" => {
            "The handshake worked. With a reason, something of it does not: its tools cannot be listed, or its helper may not run."
        }
        "needs-auth" => {
            "The server wants other credentials, or yours could not be obtained: 401, 403, a sign-in page, a helper that failed."
        }
        "failed" => {
            "It is there and of no use, and signing in would not help: 404, a bad certificate, not MCP."
        }
        "down" => {
            "The server is not there: out of reach, unavailable, silent, or ended. In JSON it is `failed`, and `reason.code` tells them apart."
        }
        "pending" => "It is being connected to, waits between attempts, or waits for your approval.",
        "disabled" => "It is switched off, rejected, or without a URL, and is never contacted.",
        _ => return None,
    })
}

/// What leads to it, in whole sentences.
pub(crate) fn cause(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::Unauthorized => {
            "The server answered 401, and nothing was sent that it could have accepted: the entry has no header, helper or sign-in."
        }
        ReasonCode::Forbidden => {
            "The server answered 403 to a request without credentials, and did not say which it wants."
        }
        ReasonCode::LoginRedirect => {
            "A sign-in page, or a redirect to one, answered in place of the server. A single sign-on usually stands in front of it."
        }
        ReasonCode::Blocked => {
            "Something in front of the server answered 403 by itself: a firewall, a bot check, a rule about countries or addresses."
        }
        ReasonCode::CredentialsRejected => {
            "The server refused the credentials that were sent. A helper ran once more before that was believed, and a token was renewed."
        }
        ReasonCode::InsufficientScope => {
            "The server knows the token and says that its scope is too small (RFC 6750, section 3.1)."
        }
        ReasonCode::HelperFailed => {
            "The `headersHelper` of the entry failed: it was not found, exited with an error, took too long, or printed no usable headers. \
             The server was not contacted."
        }
        ReasonCode::CredentialsFailed => {
            "The credentials could not be obtained, and no `headersHelper` is to blame: a secret that the entry refers to is not there, `auth` gives none, \
             or a file of the sign-ins cannot be read."
        }
        ReasonCode::HelperUntrusted => {
            "The server asks for credentials, and the helper that has them was not run: it is in a project's file, and its folder is not trusted."
        }
        ReasonCode::SignInExpired => {
            "The sign-in has ended: the authorization server refused the refresh token, gave none, or has no place any more that takes one; or the plug-in that keeps it says so."
        }
        ReasonCode::WrongAccount => {
            "The sign-in that is kept is not of the issuer, person or organisation that the entry expects (`oauth.issuer`, `oauth.expectSubject`, \
             `oauth.expectOrganization`). The server was not contacted."
        }
        ReasonCode::NotFound => {
            "The host answers, and has no MCP endpoint at this path (404). Many servers have theirs at `/mcp`."
        }
        ReasonCode::Moved => {
            "The server sends every request to another address (307, 308, or to https). Credentials are never sent along to it."
        }
        ReasonCode::Rejected => {
            "The server refuses the request for good, with another status of 4xx, or takes none for the host name in its URL (403, 421), as a guard against DNS rebinding does."
        }
        ReasonCode::Unavailable => {
            "The server, or what stands in front of it, says that it cannot answer now (408, 425 or 5xx)."
        }
        ReasonCode::RateLimited => "The server limits how often it is asked (429).",
        ReasonCode::Unreachable => {
            "There is no connection: refused, reset, no such host, or no way through the proxy."
        }
        ReasonCode::Timeout => {
            "There was a connection, or a process, and no answer within the time limit. A local server may be installing itself, or asking a question."
        }
        ReasonCode::Tls => {
            "The TLS connection to the server, or to its authorization server, failed: the certificate is expired, self-signed, of another name or of an unknown authority, or the port does not speak TLS."
        }
        ReasonCode::ProxyAuth => "A proxy wants to know who asks (407).",
        ReasonCode::Protocol => {
            "What answers does not speak MCP: a web page, other JSON, an error of JSON-RPC, or a program that writes something else to its standard output."
        }
        ReasonCode::Version => "The server speaks no version of MCP that this program speaks.",
        ReasonCode::Spawn => {
            "The command of a local server could not be started: not found, not executable, its interpreter is missing, or `~`, a variable or a whole \
             command line stands where one word is expected."
        }
        ReasonCode::Exited => "The command of a local server was started and ended.",
        ReasonCode::Connecting => "An attempt is under way, and the deadline of the command came first.",
        ReasonCode::Retrying => {
            "An attempt failed in a way that passes, and the next one is due later: the server may have asked to wait."
        }
        ReasonCode::AwaitingApproval => {
            "The entry is in a project's file, and it has not been approved on this machine."
        }
        ReasonCode::ChangedSinceApproval => "The entry was approved, and says something else now.",
        ReasonCode::Declined => "A person rejected this entry of a project.",
        ReasonCode::NotConfigured => "The entry has an empty `url`.",
        ReasonCode::Config => {
            "The entry cannot be used as it stands: a field is missing, of the wrong type, or a word of another host."
        }
        ReasonCode::SelfReference => {
            "Starting the entry would start it again below itself, without an end; or the entry is only a way to a server, and the server's own entry is missing."
        }
        ReasonCode::Policy => "A list of the administrator, or your own, does not allow this server.",
        ReasonCode::ToolsUnavailable => "The server is connected, and its tools could not be listed.",
        ReasonCode::NoTools => {
            "The server is connected and says that it has tools, and its list of them is empty."
        }
        ReasonCode::WithoutHelper => {
            "The server is connected, and may show less than it has: the helper of the entry was not run, because it is in a project's file, \
             and its folder is not trusted."
        }
        ReasonCode::ToolsUnapproved => {
            "The server is connected, the entry has `pinTools`, and some tools are new or not what you approved."
        }
        // A test asks for every code that there is.
        _ => "",
    }
}

/// What a person can do, in whole sentences; commands stand in backquotes, with `NAME` for the server.
pub(crate) fn cure(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::Unauthorized => {
            "Where it offers a sign-in, `mcplink login NAME`; where none can begin, the reason says what stands in the way. Otherwise give the entry a header or a helper; `mcplink get NAME` shows its file and line."
        }
        ReasonCode::Forbidden => {
            "Ask its operator which credentials it wants, and give the entry a header or a helper; `mcplink get NAME` shows its file and line."
        }
        ReasonCode::LoginRedirect => {
            "Give the entry a header or a helper that carries what the single sign-on accepts, or ask for an address that needs no browser."
        }
        ReasonCode::Blocked => {
            "Other credentials do not help. Use the network or VPN that is let through, or ask the operator of what is in front."
        }
        ReasonCode::CredentialsRejected => {
            "`mcplink headers NAME` shows what is sent, without the values, and what is odd about it: empty, expired, a placeholder; with `--run`, a helper runs in sight. \
             Mend the header, or sign in where the helper gets its token; the next command asks afresh."
        }
        ReasonCode::InsufficientScope => {
            "`mcplink login NAME --oauth-scope SCOPE` adds the scope that the reason names. A token that you made yourself has to be made again."
        }
        ReasonCode::HelperFailed => {
            "The message has its exit code and what it wrote. `mcplink headers NAME --run` runs it in sight; then `mcplink reconnect NAME`."
        }
        ReasonCode::CredentialsFailed => {
            "The next step says what mends it: `mcplink secret set NAME`, a variable, a file, a command. `mcplink doctor NAME` looks at each secret; \
             `mcplink login NAME` writes a new sign-in."
        }
        ReasonCode::HelperUntrusted => "Read the helper, then `mcplink trust` in that folder.",
        ReasonCode::SignInExpired => "`mcplink login NAME`.",
        ReasonCode::WrongAccount => {
            "`mcplink login NAME`, as the account that the message names. Where each is right at its time, give them names: `mcplink login NAME --account A`."
        }
        ReasonCode::NotFound => {
            "`mcplink get NAME` shows the whole address and its line. Correct it; the next command asks afresh."
        }
        ReasonCode::Moved => "Write the new address into the entry; `mcplink get NAME` shows its line.",
        ReasonCode::Rejected => {
            "Where the message is about the host name, write one that the server takes, or add it to the hosts that the server allows. Else it has the status: \
             `mcplink doctor NAME --trace` shows the exchange, to pass on to the people who run the server."
        }
        ReasonCode::Unavailable => {
            "It is tried again automatically. `mcplink wait NAME` returns when it is back; only the people who run the server can mend it."
        }
        ReasonCode::RateLimited => {
            "Wait as long as it asks for: `mcplink wait NAME` does, and never asks before that."
        }
        ReasonCode::Unreachable => {
            "Start the server, or join the network that it is in, then `mcplink wait NAME`; correct `url` where no one has the name of its host, and the \
             proxy where the reason names one. `mcplink doctor NAME` tells name, proxy and port apart."
        }
        ReasonCode::Timeout => {
            "`mcplink wait NAME` gives it more time. MCP_TIMEOUT raises the limit of a connection, and so does `startupTimeoutMs` in the entry of a local \
             server; `timeout` in the entry raises that of a call."
        }
        ReasonCode::Tls => {
            "`mcplink doctor NAME` shows the names and dates of the certificate. Trust an authority of your own with `tls.ca`; write `http://` where there is no TLS."
        }
        ReasonCode::ProxyAuth => {
            "Put user and password into the URL of the proxy, by a variable: `\"proxy\": \"http://${USER}:${PASS}@proxy:3128\"`."
        }
        ReasonCode::Protocol => {
            "`mcplink doctor NAME` shows how the answer begins. Correct the address, or ask the operator of the server; a local server has to write its logs to standard error."
        }
        ReasonCode::Version => "Update the server. The message names the versions that it offers.",
        ReasonCode::Spawn => {
            "The message says where it was looked for and what to write instead. `mcplink get NAME` shows the line."
        }
        ReasonCode::Exited => {
            "The message has its exit code and the last that it wrote. Run its command by hand, in the same folder, with `mcplink get NAME` beside it."
        }
        ReasonCode::Connecting => "`mcplink wait NAME`, or a longer `--timeout`.",
        ReasonCode::Retrying => "`mcplink wait NAME`.",
        ReasonCode::AwaitingApproval => {
            "`mcplink approve NAME` shows what it would start or contact, and asks; `mcplink reject NAME` says no."
        }
        ReasonCode::ChangedSinceApproval => "`mcplink approve NAME` shows the difference, and asks.",
        ReasonCode::Declined => "Nothing, if that is right; otherwise `mcplink approve NAME`.",
        ReasonCode::NotConfigured => "Write its address; `mcplink get NAME` shows the line.",
        ReasonCode::Config => "`mcplink validate` names file, line and field, and the word to write instead.",
        ReasonCode::SelfReference => {
            "Keep the server's own entry, with its `url` or `command`, in another file or scope; `mcplink get NAME` shows what was found where."
        }
        ReasonCode::Policy => {
            "`mcplink get NAME` names the list and its line; only who owns that file can change it."
        }
        ReasonCode::ToolsUnavailable => {
            "`mcplink tools NAME` asks again and shows the error; only the people who run the server can mend it."
        }
        ReasonCode::NoTools => {
            "Nothing, if that is right. Some servers show tools only to a sign-in or a scope of their own."
        }
        ReasonCode::WithoutHelper => {
            "Nothing, if that is enough. Otherwise read the helper, then `mcplink trust` in that folder: the next connection has its headers."
        }
        ReasonCode::ToolsUnapproved => "`mcplink approve-tools NAME` shows what is new or changed, and asks.",
        // A test asks for every code that there is.
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_is_explained_by_its_word() {
        use mcp_status::ServerStatus::{Connected, Disabled, Failed, NeedsAuth, Pending};
        for word in [Connected, NeedsAuth, Failed, Pending, Disabled].map(|status| status.to_string()) {
            assert!(status(&word).is_some(), "{word}");
        }
        assert!(status("down").is_some() && status("up").is_none());
    }

    #[test]
    fn each_reason_is_explained_in_sentences_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for code in ReasonCode::ALL {
            for text in [cause(code), cure(code)] {
                let sentence = text.ends_with('.') && !text.contains("  ") && !text.contains('\n');
                assert!(sentence, "{code}: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{code}: {text}");
            }
            assert!(seen.insert(cause(code)), "{code} is explained as another one");
        }
    }
}
