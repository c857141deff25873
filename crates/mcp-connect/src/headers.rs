//! Which headers a server would get, and from where: what the files tell, and, where a person asks for it, what comes of the
//! helper. The server is not contacted.

use std::time::SystemTime;

use http::HeaderName;
use http::header::AUTHORIZATION;
use mcp_auth::oauth::store::SignInRecord;
use mcp_auth::plan::{ProviderKind, ProviderRole};
use mcp_auth::settings::{MachineSignInSource, SourcedText, TextPart};
use mcp_auth::{
    AuthError, AuthProvider as _, Credentials, HeadersHelper, HelperRun, SingleFlight, StaticHeaders,
    TokenFile, doubts, doubts::other_audience, outline,
};

use crate::{Host, ServerAuth};

/// One header that would be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct HeaderOutline {
    /// Its name, in lower case.
    pub name: String,
    /// Who supplies it.
    pub supplier: String,
    /// The form of its value, without what it says.
    pub outline: String,
    /// Whether it proves something.
    pub is_credential: bool,
    /// Another provider, whose header of this name it takes the place of.
    pub replaces: Option<String>,
}

/// The headers of one server.
#[derive(Debug)]
#[non_exhaustive]
pub struct HeaderReport {
    /// Each header that would be sent, as far as it is known.
    pub headers: Vec<HeaderOutline>,
    /// What is odd about their values, without any of them.
    pub doubts: Vec<String>,
    /// The run of its helper, where that was asked for and it has one.
    pub run: Option<HelperRun>,
}

impl Host {
    /// Which headers the server of `auth` would get at `now`. Nothing is contacted; its helper runs where `runs_helper` says so, whatever
    /// the gate of its entry: that is for the caller to ask.
    ///
    /// # Errors
    ///
    /// What the entry says about headers is impossible, or the sign-ins cannot be read.
    pub async fn headers(
        &self,
        auth: &ServerAuth,
        runs_helper: bool,
        now: SystemTime,
    ) -> Result<HeaderReport, AuthError> {
        let settings = auth.plan.settings();
        let fixed = StaticHeaders::from_settings(&settings.static_headers)?
            .with_authorization_of_url(settings.authorization_of_url)
            .credentials()
            .await?;
        let helper = match auth.plan.role(ProviderKind::HeadersHelper) {
            Some(ProviderRole::Authority) if runs_helper => settings.helper.as_ref(),
            _ => None,
        };
        let run = match helper {
            Some(spec) => Some(HeadersHelper::new(spec.clone(), auth.target.clone()).observe().await),
            None => None,
        };
        let of_file = self.of_file(auth).await?;
        let minted = run.as_ref().and_then(|run| run.supplied.as_ref().ok()).or(of_file.as_ref());
        let sent = minted.map_or_else(|| fixed.clone(), |minted| fixed.overlaid_with(minted));
        let mut headers: Vec<HeaderOutline> =
            sent.names().filter_map(|(name, supplier)| of(&sent, &fixed, name, supplier, now)).collect();
        // What stands beside the headers of a run is a line of its stderr, and that is told with the run.
        let remark = sent.remark();
        let doubts = doubts(&sent, now).into_iter().filter(|doubt| remark != Some(doubt));
        // Where it is the token's own, that is told already.
        let mut doubts: Vec<String> = doubts.collect();
        doubts.extend(other_audience(&sent, &auth.target.url));
        let past = minted.and_then(Credentials::expires_at).and_then(|end| now.duration_since(end).ok());
        if let Some(past) = past.filter(|_| doubts.is_empty()) {
            doubts.push(format!("what supplied them says that they ended {} ago", mcp_text::elapsed(past)));
        }
        headers.extend(referred(&settings.sourced_headers, &headers));
        let unattended = unattended(auth, &fixed);
        headers.retain(|header| unattended.iter().all(|other| other.name != header.name));
        headers.extend(unattended);
        if auth.plan.role(ProviderKind::OAuth) == Some(ProviderRole::Authority)
            && let Some(record) = self.sign_in_of(auth).await?
        {
            headers.push(of_sign_in(&record, now));
        }
        Ok(HeaderReport { headers, doubts, run })
    }

    /// What is in the file of its `auth`: looking at that sends nothing.
    async fn of_file(&self, auth: &ServerAuth) -> Result<Option<Credentials>, AuthError> {
        match auth.plan.settings().unattended.as_ref().map(|auth| &auth.supply) {
            Some(MachineSignInSource::File(path)) => {
                SingleFlight::new(TokenFile::new(path)).credentials().await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The sign-in that is kept for this server; the one obtained last, where there are several.
    async fn sign_in_of(&self, auth: &ServerAuth) -> Result<Option<SignInRecord>, AuthError> {
        let records = self.sign_ins().await?.into_iter().flatten();
        let is_its = |record: &SignInRecord| record.key.is_for(&auth.target);
        Ok(records.filter(is_its).max_by_key(|record| record.obtained_at))
    }
}

fn of(
    sent: &Credentials,
    fixed: &Credentials,
    name: &HeaderName,
    supplier: &str,
    now: SystemTime,
) -> Option<HeaderOutline> {
    let replaces = fixed.supplier(name).filter(|fixed| *fixed != supplier).map(str::to_owned);
    Some(HeaderOutline {
        name: name.as_str().to_owned(),
        supplier: supplier.to_owned(),
        outline: outline(sent, name, now)?,
        is_credential: sent.is_credential(name),
        replaces,
    })
}

/// The headers with secrets that are read when they are sent, where no other provider has one of that name.
fn referred(sourced: &[(String, SourcedText)], others: &[HeaderOutline]) -> Vec<HeaderOutline> {
    let outline = |(name, text): &(String, SourcedText)| {
        let read = text.parts.iter().filter_map(|part| match part {
            TextPart::Read { called, .. } => Some(&**called),
            _ => None,
        });
        HeaderOutline {
            name: name.trim().to_ascii_lowercase(),
            supplier: ProviderKind::StaticHeaders.name().to_owned(),
            outline: format!("read when it is sent: {}", read.collect::<Vec<_>>().join(", ")),
            is_credential: true,
            replaces: None,
        }
    };
    let outlines = sourced.iter().map(outline);
    outlines.filter(|own| others.iter().all(|other| other.name != own.name)).collect()
}

/// The headers of what `auth` of the entry says, where it answers for the server: they are obtained when they are sent. `*` stands for
/// names that are not known before.
fn unattended(auth: &ServerAuth, fixed: &Credentials) -> Vec<HeaderOutline> {
    let spec = auth.plan.settings().unattended.as_ref().filter(|spec| spec.withheld.is_none());
    let Some(spec) = spec else { return Vec::new() };
    let of = |name: &str, outline: &str| HeaderOutline {
        name: name.to_owned(),
        supplier: spec.name().to_owned(),
        outline: outline.to_owned(),
        is_credential: true,
        replaces: (name == AUTHORIZATION.as_str())
            .then(|| fixed.supplier(&AUTHORIZATION).map(str::to_owned))
            .flatten(),
    };
    let authorization = AUTHORIZATION.as_str();
    match &spec.supply {
        MachineSignInSource::Grant(_) => {
            vec![of(authorization, "an access token, which the authorization server gives when it is needed")]
        }
        MachineSignInSource::Plugin(plugin) => {
            vec![of("*", &format!("what the plug-in {} gives when it is needed", plugin.called()))]
        }
        MachineSignInSource::Aws(_) => vec![
            of(authorization, "a signature of AWS over each request"),
            of("x-amz-date", "the time of that signature"),
            of("x-amz-security-token", "the token of temporary keys, where these are such"),
        ],
        // What is in a file can be looked at.
        _ => Vec::new(),
    }
}

/// The header of a sign-in, as far as its file tells: its token is not read.
fn of_sign_in(record: &SignInRecord, now: SystemTime) -> HeaderOutline {
    let is_over = record.expires_at.is_some_and(|end| end <= now);
    let outline = match (is_over, record.is_renewable) {
        (false, _) => "the access token of the sign-in",
        (true, Some(false)) => "nothing: the sign-in has ended",
        (true, _) => "the access token of the sign-in, renewed before it is sent",
    };
    HeaderOutline {
        name: AUTHORIZATION.as_str().to_owned(),
        supplier: ProviderKind::OAuth.name().to_owned(),
        outline: outline.to_owned(),
        is_credential: true,
        replaces: None,
    }
}
