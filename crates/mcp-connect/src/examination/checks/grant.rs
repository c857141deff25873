//! Credentials that need no person, in sight as a helper is: where each secret of a grant comes from, and what came of it.

use mcp_auth::settings::{GrantSpec, MachineSignInSource, SecretSource};
use mcp_text::elapsed;
use mcp_transport::exchange::{Exchange, ExchangeOutcome};

use super::super::check::{Check, CheckState, CheckTopic};
use super::Findings;

impl Findings<'_> {
    /// The secrets of what `auth` of the entry says, and what came of it; none where it says nothing of the kind.
    pub(super) fn grant(&self) -> Vec<Check> {
        let Some(auth) = &self.server.auth else { return Vec::new() };
        let Some(spec) = &auth.plan.settings().unattended else { return Vec::new() };
        let name = spec.name();
        let source = CheckTopic::GrantSource;
        let sources = match &spec.supply {
            MachineSignInSource::Grant(grant) => {
                let mut report = sources(grant).map(|(what, from)| self.hidden(&format!("{what} {from}")));
                let first = report.next().unwrap_or_else(|| "it has no secret of its own".to_owned());
                report.fold(Check::good(source, format!("{name}: {first}")), Check::with)
            }
            MachineSignInSource::File(path) => {
                Check::good(source, format!("{name}: {}", self.hidden(&path.display().to_string())))
            }
            MachineSignInSource::Aws(aws) => {
                let whose = match &aws.profile {
                    Some(profile) => format!("keys of the profile {profile}"),
                    None => "keys of the environment, or of the profile that it names".to_owned(),
                };
                let region = aws.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
                Check::good(source, format!("{name}: {whose}, for {}{region}", aws.service))
            }
            _ => Check::good(source, name),
        };
        let run = CheckTopic::GrantRun;
        let fetch = self.server.snapshot().last_fetch;
        let succeeded = fetch.as_ref().is_some_and(|fetch| fetch.succeeded);
        let took = fetch.map(|fetch| format!("after {}", elapsed(fetch.duration)));
        let check = match (self.blames(run), took) {
            (Some(message), took) => took.into_iter().fold(Check::bad(run, message), Check::with),
            (None, Some(took)) if succeeded => Check::good(run, format!("it gave credentials {took}")),
            (None, Some(took)) => Check::new(run, CheckState::Noted, format!("it gave none {took}")),
            // Some get a token because of a refusal, and not ahead of it.
            (None, None) if self.for_tokens().any(is_answered_well) => {
                Check::good(run, "it gave credentials when the server asked for them")
            }
            (None, None) => Check::skipped(run, "did not run"),
        };
        vec![sources, self.with_exchanges(check, self.on_the_way())]
    }
}

fn is_answered_well(exchange: &Exchange) -> bool {
    matches!(exchange.outcome, ExchangeOutcome::Answered { status, .. } if (200..300).contains(&status))
}

/// Each secret of a grant, and where it comes from.
fn sources(grant: &GrantSpec) -> impl Iterator<Item = (&'static str, String)> {
    let provider = grant.identity_provider.as_ref().and_then(|provider| provider.client_secret.as_ref());
    let token =
        |token: &Option<mcp_auth::settings::TokenSpec>| token.as_ref().map(|token| from(&token.source));
    [
        ("the client's secret is", grant.client_secret.as_ref().map(from)),
        ("the client's key is", grant.key.as_ref().map(from)),
        ("the token to exchange is", token(&grant.token)),
        ("the actor's token is", token(&grant.actor)),
        ("the secret at the identity provider is", provider.map(from)),
    ]
    .into_iter()
    .filter_map(|(what, from)| from.map(|from| (what, from)))
}

/// Security: names and places alone.
fn from(source: &SecretSource) -> String {
    match source {
        SecretSource::Value(_) => "written in the entry".to_owned(),
        SecretSource::Variable { name, value: Some(_) } => format!("that of the variable {name}"),
        SecretSource::Variable { name, value: None } => {
            format!("that of the variable {name}, which is not set")
        }
        SecretSource::File(path) => format!("that in the file {}", path.display()),
        SecretSource::Command(command) => match (command.program(), command.program_file()) {
            (Some(name), Some(file)) => format!("printed by {name}, which is {}", file.display()),
            (Some(name), None) => format!("printed by {name}, which is not a file on its PATH"),
            (None, _) => "printed by a command".to_owned(),
        },
        _ => "of a kind of its own".to_owned(),
    }
}
