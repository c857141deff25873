//! What a person can do about a server: one pure function that the menu, the JSON and the text all print.

use serde::Serialize;

use crate::{ReasonCode, ServerStatus};

/// Something that a person can do about a server.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Re-read the configuration, get fresh credentials, connect again.
    Reconnect,
    /// Sign in for the first time.
    Authenticate,
    /// Sign in again; the old tokens stay until the new ones have proven themselves.
    ReAuthenticate,
    /// Forget the sign-in.
    ClearAuthentication,
    /// Switch the server on.
    Enable,
    /// Switch the server off.
    Disable,
    /// Change the entry in its file.
    EditConfig,
    /// Allow a server that a project file brought along.
    Approve,
    /// Refuse a server that a project file brought along.
    Reject,
    /// Allow the commands that this folder's entries name.
    Trust,
    /// Allow tools as the server defines them now.
    ApproveTools,
}

impl Action {
    /// The action as it is in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reconnect => "reconnect",
            Self::Authenticate => "authenticate",
            Self::ReAuthenticate => "re-authenticate",
            Self::ClearAuthentication => "clear-authentication",
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::EditConfig => "edit-config",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Trust => "trust",
            Self::ApproveTools => "approve-tools",
        }
    }
}

/// How a server is reached, as far as actions care.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum TransportKind {
    /// Over HTTP, so it may want credentials.
    Remote,
    /// A child process.
    Stdio,
}

/// What actions are derived from. How the entry came into the configuration is not among it, so it
/// cannot matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ActionFacts {
    /// How the server is reached.
    pub transport: TransportKind,
    /// Its status.
    pub status: ServerStatus,
    /// The reason beside the status.
    pub code: Option<ReasonCode>,
    /// Whether a person can sign in, and has.
    pub sign_in: SignInState,
    /// What is known of the entry.
    pub entry: EntryFacts,
    /// A session that goes on holds what was refused, and tries it again only when it is told to.
    pub session: bool,
}

/// Whether a person can sign in to a server, and has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SignInState {
    /// Nothing says that one can.
    NotOffered,
    /// The entry has an `oauth` block, or the server's last challenge advertised OAuth.
    Offered,
    /// Tokens are stored.
    SignedIn,
}

/// What of an entry decides what can be done about its server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EntryFacts {
    /// It names a command that mints headers, or another provider that is asked again in the same way.
    pub has_helper: bool,
    /// It carries headers.
    pub has_static_headers: bool,
    /// What it sends was made from the environment of the process that runs, which only a new start changes.
    pub needs_restart: bool,
    /// It is in a file, so that there is something to edit.
    pub is_editable: bool,
    /// It can be switched off for later; one that is there for this command alone cannot.
    pub can_be_disabled: bool,
}

impl ActionFacts {
    /// A connected server without any auth; set the other facts with the `with_` methods.
    pub fn new(transport: TransportKind) -> Self {
        Self {
            transport,
            status: ServerStatus::Connected,
            code: None,
            sign_in: SignInState::NotOffered,
            entry: EntryFacts {
                has_helper: false,
                has_static_headers: false,
                needs_restart: false,
                is_editable: true,
                can_be_disabled: true,
            },
            session: false,
        }
    }

    /// With this status and the reason beside it.
    #[must_use]
    pub fn with_status(mut self, status: ServerStatus, code: Option<ReasonCode>) -> Self {
        self.status = status;
        self.code = code;
        self
    }

    /// With what is known about signing in.
    #[must_use]
    pub fn with_sign_in(mut self, sign_in: SignInState) -> Self {
        self.sign_in = sign_in;
        self
    }

    /// With what the entry configures.
    #[must_use]
    pub fn with_configured(mut self, static_headers: bool, helper: bool) -> Self {
        self.entry.has_static_headers = static_headers;
        self.entry.has_helper = helper;
        self
    }

    /// With whether the verdict is that of a session that goes on.
    #[must_use]
    pub fn with_session(mut self, session: bool) -> Self {
        self.session = session;
        self
    }

    /// With whether only a new start of the process that runs changes what it sends.
    #[must_use]
    pub fn with_restart(mut self, restart: bool) -> Self {
        self.entry.needs_restart = restart;
        self
    }

    /// With whether the entry is in a file that a person can edit; one that came with the command line does not.
    #[must_use]
    pub fn with_editable(mut self, editable: bool) -> Self {
        self.entry.is_editable = editable;
        self
    }

    /// With whether the entry can be switched on and off: a server that was given by its URL alone is nothing that could be,
    /// and one in the file of another host is that host's to switch.
    #[must_use]
    pub fn with_switchable(mut self, switchable: bool) -> Self {
        self.entry.can_be_disabled = switchable;
        self
    }

    /// Only a person who edits the entry can mend it: what it says was refused, or it says too little,
    /// and nothing else supplies credentials.
    fn wants_an_edit(self) -> bool {
        match self.code {
            _ if !self.entry.is_editable => false,
            Some(ReasonCode::Config | ReasonCode::NotConfigured) => true,
            Some(ReasonCode::CredentialsRejected) => self.entry.has_static_headers && !self.entry.has_helper,
            Some(ReasonCode::Unauthorized | ReasonCode::Forbidden | ReasonCode::LoginRedirect) => {
                !self.entry.has_helper && self.sign_in == SignInState::NotOffered
            }
            _ => false,
        }
    }

    /// What no command does is offered only where it can be done by hand.
    fn edit(self) -> Option<Action> {
        self.entry.is_editable.then_some(Action::EditConfig)
    }

    fn enable(self) -> Option<Action> {
        self.entry.can_be_disabled.then_some(Action::Enable)
    }

    fn disable(self) -> Option<Action> {
        self.entry.can_be_disabled.then_some(Action::Disable)
    }

    fn oauth_actions(self) -> Vec<Action> {
        let was_signed_in = matches!(self.code, Some(ReasonCode::SignInExpired | ReasonCode::WrongAccount));
        let capable = self.sign_in != SignInState::NotOffered || was_signed_in;
        let offered = self.transport == TransportKind::Remote && capable;
        // A firewall that blocks the client blocks it signed in as well.
        let pointless = self.code == Some(ReasonCode::Blocked);
        match (offered, self.sign_in == SignInState::SignedIn) {
            (false, _) => Vec::new(),
            (true, true) if pointless => vec![Action::ClearAuthentication],
            (true, true) => vec![Action::ReAuthenticate, Action::ClearAuthentication],
            (true, false) if pointless => Vec::new(),
            (true, false) => vec![Action::Authenticate],
        }
    }
}

/// Whether a server stays as it is until a person acts: signs in, approves, switches it on, mends its entry. Waiting does
/// not help. A failure that a server or a network may mend by itself is none, even where it is not
/// [retried](crate::Verdict::is_retryable): what answers 404 now may be in the middle of a deployment.
pub fn wants_a_person(status: ServerStatus, code: Option<ReasonCode>) -> bool {
    match status {
        ServerStatus::NeedsAuth | ServerStatus::Disabled => true,
        ServerStatus::Pending => {
            matches!(code, Some(ReasonCode::AwaitingApproval | ReasonCode::ChangedSinceApproval))
        }
        ServerStatus::Failed => {
            matches!(
                code,
                Some(
                    ReasonCode::Config
                        | ReasonCode::SelfReference
                        | ReasonCode::Policy
                        // A command that is not installed stays so until a person installs it.
                        | ReasonCode::Spawn
                )
            )
        }
        ServerStatus::Connected => false,
    }
}

/// What a person can do, the most useful first.
///
/// # Examples
///
/// ```
/// use mcp_status::{Action, ActionFacts, ReasonCode, ServerStatus, SignInState, TransportKind, actions};
///
/// let refused = ActionFacts::new(TransportKind::Remote)
///     .with_status(ServerStatus::NeedsAuth, Some(ReasonCode::Unauthorized))
///     .with_sign_in(SignInState::Offered);
/// assert_eq!(actions(&refused).first(), Some(&Action::Authenticate));
/// ```
pub fn actions(facts: &ActionFacts) -> Vec<Action> {
    match (facts.status, facts.code) {
        (_, Some(ReasonCode::AwaitingApproval | ReasonCode::ChangedSinceApproval)) => {
            return vec![Action::Approve, Action::Reject];
        }
        (ServerStatus::Disabled, Some(ReasonCode::NotConfigured)) => {
            return facts.edit().into_iter().collect();
        }
        // To switch it on is not what is missing.
        (ServerStatus::Disabled, Some(ReasonCode::Declined)) => return vec![Action::Approve],
        (ServerStatus::Disabled, _) => return facts.enable().into_iter().collect(),
        _ => {}
    }
    let mut actions = Vec::new();
    if facts.code == Some(ReasonCode::SelfReference) {
        // A loop in the configuration stays until the entry is changed.
        return facts.edit().into_iter().chain([Action::Reconnect]).chain(facts.disable()).collect();
    }
    if facts.code == Some(ReasonCode::Policy) {
        // No sign-in and no edit of the entry lifts it; once it is lifted, the entry is read again.
        return std::iter::once(Action::Reconnect).chain(facts.disable()).collect();
    }
    if facts.code == Some(ReasonCode::ToolsUnapproved) {
        actions.push(Action::ApproveTools);
    }
    if matches!(facts.code, Some(ReasonCode::HelperUntrusted | ReasonCode::WithoutHelper)) {
        actions.push(Action::Trust);
    }
    if facts.entry.has_helper {
        // The helper outranks OAuth, so what runs it again comes first.
        actions.push(Action::Reconnect);
        actions.extend(facts.oauth_actions());
    } else {
        actions.extend(facts.oauth_actions());
        actions.push(Action::Reconnect);
    }
    actions.extend(facts.disable());
    if facts.wants_an_edit() {
        actions.push(Action::EditConfig);
    }
    actions
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{
        Approve, Authenticate, ClearAuthentication, Disable, EditConfig, Enable, ReAuthenticate, Reconnect,
        Reject, Trust,
    };

    fn remote() -> ActionFacts {
        ActionFacts::new(TransportKind::Remote)
    }

    fn seen(facts: ActionFacts, code: ReasonCode) -> ActionFacts {
        facts.with_status(code.status(), Some(code))
    }

    #[test]
    fn the_table_of_actions() {
        let helper = remote().with_configured(false, true);
        let headers = remote().with_configured(true, false);
        let oauth = remote().with_sign_in(SignInState::Offered);
        let signed_in = remote().with_sign_in(SignInState::SignedIn);
        let both = helper.with_sign_in(SignInState::Offered);
        let both_signed_in = helper.with_sign_in(SignInState::SignedIn);
        let rejected = ReasonCode::CredentialsRejected;
        let disabled = |facts: ActionFacts| facts.with_status(ServerStatus::Disabled, None);
        let table = [
            (helper, vec![Reconnect, Disable]),
            (seen(helper, rejected), vec![Reconnect, Disable]),
            (seen(helper, ReasonCode::HelperFailed), vec![Reconnect, Disable]),
            (seen(helper, ReasonCode::HelperUntrusted), vec![Trust, Reconnect, Disable]),
            (headers, vec![Reconnect, Disable]),
            (seen(headers, rejected), vec![Reconnect, Disable, EditConfig]),
            (seen(remote(), ReasonCode::Unauthorized), vec![Reconnect, Disable, EditConfig]),
            (seen(remote(), ReasonCode::NotFound), vec![Reconnect, Disable]),
            (oauth, vec![Authenticate, Reconnect, Disable]),
            (seen(oauth, ReasonCode::Unauthorized), vec![Authenticate, Reconnect, Disable]),
            (seen(oauth, ReasonCode::Blocked), vec![Reconnect, Disable]),
            (signed_in, vec![ReAuthenticate, ClearAuthentication, Reconnect, Disable]),
            (seen(signed_in, ReasonCode::Blocked), vec![ClearAuthentication, Reconnect, Disable]),
            (both, vec![Reconnect, Authenticate, Disable]),
            (both_signed_in, vec![Reconnect, ReAuthenticate, ClearAuthentication, Disable]),
            (ActionFacts::new(TransportKind::Stdio), vec![Reconnect, Disable]),
            (
                ActionFacts::new(TransportKind::Stdio).with_sign_in(SignInState::SignedIn),
                vec![Reconnect, Disable],
            ),
            (seen(remote(), ReasonCode::AwaitingApproval), vec![Approve, Reject]),
            (seen(remote(), ReasonCode::ChangedSinceApproval), vec![Approve, Reject]),
            (seen(both, ReasonCode::AwaitingApproval), vec![Approve, Reject]),
            (disabled(remote()), vec![Enable]),
            (disabled(both_signed_in), vec![Enable]),
            (seen(remote(), ReasonCode::Declined), vec![Approve]),
            (seen(remote(), ReasonCode::NotConfigured), vec![EditConfig]),
            (seen(remote(), ReasonCode::Config), vec![Reconnect, Disable, EditConfig]),
            (
                seen(remote().with_sign_in(SignInState::SignedIn), ReasonCode::Policy),
                vec![Reconnect, Disable],
            ),
            (
                seen(ActionFacts::new(TransportKind::Stdio), ReasonCode::SelfReference),
                vec![EditConfig, Reconnect, Disable],
            ),
        ];
        for (facts, expected) in table {
            assert_eq!(actions(&facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn fh_h15_an_edit_is_offered_only_where_there_is_a_file() {
        let headers = remote().with_configured(true, false);
        for (facts, expected) in [
            (seen(headers, ReasonCode::CredentialsRejected), vec![Reconnect, Disable]),
            (seen(remote(), ReasonCode::Unauthorized), vec![Reconnect, Disable]),
            (seen(remote(), ReasonCode::Config), vec![Reconnect, Disable]),
            (seen(remote(), ReasonCode::SelfReference), vec![Reconnect, Disable]),
            (seen(remote(), ReasonCode::NotConfigured), vec![]),
        ] {
            assert_eq!(actions(&facts.with_editable(false)), expected, "{facts:?}");
            assert!(actions(&facts).contains(&EditConfig), "{facts:?}");
            assert!(!actions(&facts.with_switchable(false)).contains(&Disable), "{facts:?}");
        }
        let off = remote().with_status(ServerStatus::Disabled, None);
        assert_eq!(actions(&off), [Enable]);
        assert_eq!(actions(&off.with_switchable(false)), []);
    }

    #[test]
    fn f012_a_helper_server_that_advertises_oauth_offers_both_and_reconnect_first() {
        let facts = remote().with_configured(false, true).with_sign_in(SignInState::Offered);
        let offered = actions(&seen(facts, ReasonCode::CredentialsRejected));
        assert_eq!(offered, vec![Reconnect, Authenticate, Disable]);
    }

    #[test]
    fn f058_reconnect_is_offered_in_every_state_but_disabled_and_unapproved() {
        let auths =
            [remote(), remote().with_sign_in(SignInState::Offered), remote().with_configured(true, true)];
        for facts in auths {
            for code in ReasonCode::ALL {
                let offered = actions(&seen(facts, code));
                let contacted = code.status() != ServerStatus::Disabled
                    && !matches!(code, ReasonCode::AwaitingApproval | ReasonCode::ChangedSinceApproval);
                assert_eq!(offered.contains(&Reconnect), contacted, "{code}");
            }
        }
    }

    #[test]
    fn json_and_text_spell_an_action_alike() {
        let all = [
            Reconnect,
            Authenticate,
            ReAuthenticate,
            ClearAuthentication,
            Enable,
            Disable,
            EditConfig,
            Approve,
            Reject,
            Trust,
        ];
        for action in all {
            let json = serde_json::to_string(&action).unwrap();
            assert_eq!(json, format!("\"{}\"", action.as_str()));
        }
    }

    #[test]
    fn waiting_helps_against_what_passes_and_not_against_what_a_person_has_to_do() {
        for code in ReasonCode::ALL {
            let wants = wants_a_person(code.status(), Some(code));
            let passes = matches!(
                code,
                ReasonCode::Connecting
                    | ReasonCode::Retrying
                    | ReasonCode::Unavailable
                    | ReasonCode::RateLimited
                    | ReasonCode::Unreachable
                    | ReasonCode::Timeout
                    | ReasonCode::NotFound
                    | ReasonCode::Exited
            );
            assert!(!(wants && passes), "{code:?}");
            let person = matches!(
                code,
                ReasonCode::Unauthorized
                    | ReasonCode::HelperFailed
                    | ReasonCode::SignInExpired
                    | ReasonCode::AwaitingApproval
                    | ReasonCode::ChangedSinceApproval
                    | ReasonCode::NotConfigured
                    | ReasonCode::Config
                    | ReasonCode::SelfReference
                    | ReasonCode::Policy
                    | ReasonCode::Spawn
            );
            assert!(wants || !person, "{code:?}");
        }
        assert!(
            wants_a_person(ServerStatus::Disabled, None) && !wants_a_person(ServerStatus::Connected, None)
        );
    }
}
