//! Which field of an entry is wrong, or what else has to be mended: of a process that failed, of a refusal by its status, and of a
//! server that has to be waited for.

use std::time::Duration;

use super::{EntryPart, NextStep, is_of_session};
use crate::{
    AddressHeader, Evidence, LimitSubject, Outcome, ProcessLack, ReasonCode, SpawnCause, TransportKind,
};

/// A server that asks for more than this is not asked again by a caller that waits for a connection.
const LONG_WAIT: Duration = Duration::from_secs(60);
/// The newest revision that there was when this was written.
const NEWEST_REVISION: &str = "2026-07-28";
/// What a process is ended with that has to go at once (POSIX, `kill`), and how a shell tells that.
const KILLED: (i32, i32) = (9, 128 + 9);

fn change(part: EntryPart) -> NextStep {
    NextStep::ChangeEntry { part }
}

/// Who can mend what no entry can: of a local server, they are somewhere else.
pub(super) fn people(transport: TransportKind) -> NextStep {
    match transport {
        TransportKind::Stdio => NextStep::AskMaker,
        _ => NextStep::AskOperator,
    }
}

/// What mends a process of which this is lacking.
pub(super) fn of_lack(lack: &ProcessLack) -> NextStep {
    match lack {
        ProcessLack::Program { package } => NextStep::Install { package: package.clone() },
        ProcessLack::File { path } => NextStep::ProvideFile { path: path.clone() },
        ProcessLack::Permission { path } => NextStep::AllowToRun { path: path.clone() },
        ProcessLack::Arguments => change(EntryPart::Arguments),
        ProcessLack::Variable { name } => NextStep::GiveVariable { name: name.clone() },
        ProcessLack::Service { name } => NextStep::StartService { name: name.clone() },
        ProcessLack::Memory => NextStep::FreeMemory,
        ProcessLack::Answer => change(EntryPart::Process),
    }
}

/// What mends a local server that could not be started, or that ended while it started.
pub(super) fn of_process(evidence: Option<&Evidence>) -> NextStep {
    let Some(evidence) = evidence else { return change(EntryPart::Command) };
    if let Some(lack) = &evidence.lack {
        return of_lack(lack);
    }
    match &evidence.outcome {
        Outcome::Spawn { cause: SpawnCause::WorkingDirectory } => change(EntryPart::WorkingDirectory),
        Outcome::Exited { signal: Some(signal), .. } if *signal == KILLED.0 => NextStep::FreeMemory,
        Outcome::Exited { code: Some(code), .. } if *code == KILLED.1 => NextStep::FreeMemory,
        // A shell did not find what it was to run, or may not run it; and what ends well is not a server.
        Outcome::Exited { code: None | Some(1..=125 | 128..), .. } => change(EntryPart::Process),
        _ => change(EntryPart::Command),
    }
}

/// What mends a refusal that is not one of the credentials: by what the status says is wrong (RFC 9110 section 15.5).
pub(super) fn of_refusal(evidence: Option<&Evidence>, transport: TransportKind) -> NextStep {
    match evidence.map(|evidence| &evidence.outcome) {
        // Its own handshake is fine.
        Some(Outcome::SessionRefused { .. }) => people(transport),
        Some(Outcome::Misaddressed { header: AddressHeader::Host, .. }) => change(EntryPart::Host),
        // None is sent unless the entry has one.
        Some(Outcome::Misaddressed { header: AddressHeader::Origin, .. }) => change(EntryPart::Headers),
        Some(Outcome::Http { status, .. }) => match status {
            // Not here, gone, for another host, over another protocol; and what no MCP endpoint says of an MCP request.
            405 | 406 | 410 | 414 | 415 | 421 | 426 => change(EntryPart::Url),
            431 => change(EntryPart::Headers),
            // The entry has made the handshake; what is wrong is in the request, and what that takes can be looked at.
            400 | 422 if is_of_session(evidence) => NextStep::ListTools,
            // What is asked for is a part of the address or of a header, and the body says which.
            400 | 422 | 428 => change(EntryPart::Request),
            _ => people(transport),
        },
        _ => change(EntryPart::Request),
    }
}

/// What to do where there is no revision in common: it is nothing of the entry's.
pub(super) fn of_version(evidence: Option<&Evidence>, transport: TransportKind) -> NextStep {
    match evidence.map(|evidence| &evidence.outcome) {
        // Revisions are dates, and compare as text.
        Some(Outcome::Version { offered })
            if !offered.is_empty() && offered.iter().all(|offered| &**offered > NEWEST_REVISION) =>
        {
            NextStep::Update
        }
        _ => people(transport),
    }
}

/// What to do about a tool list that does not come.
pub(super) fn of_tools(evidence: Option<&Evidence>, transport: TransportKind) -> NextStep {
    let passes = |cause: &Outcome| match cause {
        Outcome::Http { status, .. } => matches!(status, 408 | 425 | 429 | 500..),
        Outcome::Timeout | Outcome::Dropped | Outcome::Unreachable | Outcome::Proxy { .. } => true,
        Outcome::Exited { .. } => true,
        _ => false,
    };
    match evidence.map(|evidence| &evidence.outcome) {
        Some(Outcome::ToolsUnavailable { cause }) if !passes(cause) => people(transport),
        _ => NextStep::ListTools,
    }
}

/// What to do about a server that may come back by itself.
pub(super) fn of_waiting(code: ReasonCode, evidence: Option<&Evidence>, session: bool) -> NextStep {
    // It was there, and is: what struck is a limit of one request.
    match evidence
        .and_then(|evidence| evidence.limit.as_ref())
        .map(|limit| (limit.of, limit.setting.as_deref()))
    {
        Some((LimitSubject::Entry, _)) => return change(EntryPart::Timeout),
        Some((LimitSubject::Requests, Some(name))) => {
            return NextStep::SetVariable { name: name.to_owned() };
        }
        _ => {}
    }
    let answer = evidence.and_then(|evidence| match &evidence.outcome {
        Outcome::Http { retry_after, .. } => Some(*retry_after),
        Outcome::SessionRefused { .. } | Outcome::AuthorizationServerUnavailable { .. } => Some(None),
        _ => None,
    });
    match answer {
        Some(Some(after)) if after > LONG_WAIT => NextStep::ComeBack { after },
        // A connection that is made afresh may be served where this one is not.
        Some(_) if session && is_of_session(evidence) => NextStep::Reconnect,
        answer => NextStep::Wait { answers: answer.is_some() || code == ReasonCode::RateLimited },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ActionFacts, Phase, ServerStatus, next_step};

    fn step(transport: TransportKind, evidence: &Evidence) -> NextStep {
        let code = crate::classify(evidence).code();
        let status = crate::classify(evidence).status();
        let facts = ActionFacts::new(transport).with_status(status, code);
        next_step(&facts, Some(evidence)).unwrap_or_else(|| panic!("{evidence:?}"))
    }

    fn seen(phase: Phase, outcome: Outcome) -> Evidence {
        Evidence::new(phase, outcome)
    }

    #[test]
    fn fh_h9_of_a_process_what_is_wrong_is_what_is_changed() {
        let exited = |code| Outcome::Exited { code: Some(code), signal: None };
        let spawn = |cause| Outcome::Spawn { cause };
        let lack = |lack| Some(lack);
        let text = str::to_owned;
        for (outcome, lacks, expected) in [
            (spawn(SpawnCause::WorkingDirectory), None, change(EntryPart::WorkingDirectory)),
            (spawn(SpawnCause::Misspelt), None, change(EntryPart::Command)),
            (
                spawn(SpawnCause::NotFound),
                lack(ProcessLack::Program { package: text("uv") }),
                NextStep::Install { package: text("uv") },
            ),
            (
                spawn(SpawnCause::NotFound),
                lack(ProcessLack::File { path: text("/p/run.sh") }),
                NextStep::ProvideFile { path: text("/p/run.sh") },
            ),
            (
                spawn(SpawnCause::NotExecutable),
                lack(ProcessLack::Permission { path: text("/p/run.sh") }),
                NextStep::AllowToRun { path: text("/p/run.sh") },
            ),
            (exited(1), lack(ProcessLack::Arguments), change(EntryPart::Arguments)),
            (
                exited(1),
                lack(ProcessLack::Variable { name: text("API_KEY") }),
                NextStep::GiveVariable { name: text("API_KEY") },
            ),
            (
                exited(125),
                lack(ProcessLack::Service { name: text("Docker") }),
                NextStep::StartService { name: text("Docker") },
            ),
            (exited(134), lack(ProcessLack::Memory), NextStep::FreeMemory),
            (
                Outcome::SlowStart { limit: Duration::from_secs(1) },
                lack(ProcessLack::Answer),
                change(EntryPart::Process),
            ),
            (exited(137), None, NextStep::FreeMemory),
            (Outcome::Exited { code: None, signal: Some(9) }, None, NextStep::FreeMemory),
            (Outcome::Exited { code: None, signal: Some(11) }, None, change(EntryPart::Process)),
            (exited(1), None, change(EntryPart::Process)),
            (exited(0), None, change(EntryPart::Command)),
            (exited(127), None, change(EntryPart::Command)),
        ] {
            let evidence = seen(Phase::Connect, outcome).with_lack(lacks);
            assert_eq!(step(TransportKind::Stdio, &evidence), expected, "{evidence:?}");
        }
        // It is started again by whom it ended for.
        let ended = seen(Phase::Session, exited(137));
        assert_eq!(step(TransportKind::Stdio, &ended), NextStep::Reconnect);
    }

    #[test]
    fn fh_h9_a_refusal_blames_the_entry_only_where_it_is_wrong() {
        let http = |status| Outcome::Http { status, retry_after: None };
        for (status, expected) in [
            (400, change(EntryPart::Request)),
            (402, NextStep::AskOperator),
            (405, change(EntryPart::Url)),
            (409, NextStep::AskOperator),
            (410, change(EntryPart::Url)),
            (413, NextStep::AskOperator),
            (431, change(EntryPart::Headers)),
            (451, NextStep::AskOperator),
        ] {
            assert_eq!(
                step(TransportKind::Remote, &seen(Phase::Connect, http(status))),
                expected,
                "{status}"
            );
        }
        for status in [400, 200] {
            let refused = seen(Phase::Connect, Outcome::SessionRefused { status });
            assert_eq!(step(TransportKind::Remote, &refused), NextStep::AskOperator);
        }
        for status in [400, 422] {
            assert_eq!(step(TransportKind::Remote, &seen(Phase::Session, http(status))), NextStep::ListTools);
        }
        // What stands on the way is named first.
        let proxy = seen(Phase::Connect, Outcome::Proxy { status: Some(403) });
        let proxy = proxy.with_proxy(Some("http://p:1 (HTTP_PROXY)".to_owned()));
        let expected = NextStep::ChangeProxy { proxy: "http://p:1 (HTTP_PROXY)".to_owned(), is_there: true };
        assert_eq!(step(TransportKind::Remote, &proxy), expected);
    }

    #[test]
    fn fh_h9_who_answers_is_not_started_and_who_asks_for_an_hour_is_left_alone() {
        let wait = |seconds| Some(Duration::from_secs(seconds));
        for (outcome, expected) in [
            (
                Outcome::Http { status: 429, retry_after: wait(3600) },
                NextStep::ComeBack { after: Duration::from_secs(3600) },
            ),
            (
                Outcome::Http { status: 503, retry_after: wait(61) },
                NextStep::ComeBack { after: Duration::from_secs(61) },
            ),
            (Outcome::Http { status: 429, retry_after: wait(60) }, NextStep::Wait { answers: true }),
            (Outcome::Http { status: 502, retry_after: None }, NextStep::Wait { answers: true }),
            (Outcome::AuthorizationServerUnavailable { retry_after: None }, NextStep::Wait { answers: true }),
            (Outcome::Unreachable, NextStep::Wait { answers: false }),
            (Outcome::Timeout, NextStep::Wait { answers: false }),
        ] {
            let evidence = seen(Phase::Connect, outcome);
            assert_eq!(step(TransportKind::Remote, &evidence), expected, "{evidence:?}");
        }
        let limited = |of, setting: Option<&'static str>| {
            let limit = crate::Limit::new(Duration::from_secs(3), of).with_setting(setting.map(Into::into));
            step(TransportKind::Remote, &seen(Phase::Session, Outcome::Timeout).with_limit(Some(limit)))
        };
        assert_eq!(limited(LimitSubject::Entry, Some("`timeout`")), change(EntryPart::Timeout));
        let variable = NextStep::SetVariable { name: "MCP_TOOL_TIMEOUT".to_owned() };
        assert_eq!(limited(LimitSubject::Requests, Some("MCP_TOOL_TIMEOUT")), variable);
        assert_eq!(limited(LimitSubject::Caller, None), NextStep::Wait { answers: false });
        // In a session that stands, whatever another connection would get.
        let refused = seen(Phase::Session, Outcome::Http { status: 503, retry_after: None });
        let code = crate::classify(&refused).code();
        let facts = ActionFacts::new(TransportKind::Remote).with_session(true);
        let facts = facts.with_status(ServerStatus::Failed, code);
        assert_eq!(next_step(&facts, Some(&refused)), Some(NextStep::Reconnect));
    }

    #[test]
    fn fh_h9_no_version_in_common_is_nothing_of_the_entry() {
        let offers = |offered: &[&str]| {
            let offered = offered.iter().map(|text| (*text).to_owned()).collect();
            step(TransportKind::Remote, &seen(Phase::Connect, Outcome::Version { offered }))
        };
        assert_eq!(offers(&["2031-01-01"]), NextStep::Update);
        assert_eq!(offers(&["2023-01-01", "2031-01-01"]), NextStep::AskOperator);
        assert_eq!(offers(&[]), NextStep::AskOperator);
        let unusable = seen(Phase::Connect, Outcome::Misconfigured).with_proxy(Some("HTTP_PROXY".to_owned()));
        let expected = NextStep::ChangeProxy { proxy: "HTTP_PROXY".to_owned(), is_there: true };
        assert_eq!(step(TransportKind::Remote, &unusable), expected);
    }

    #[test]
    fn fh_h9_a_list_that_does_not_come_leads_to_one_place() {
        let broken = Outcome::Protocol { rpc_code: None };
        let refused = Outcome::Protocol { rpc_code: Some(-32603) };
        let list = |cause: &Outcome| Outcome::ToolsUnavailable { cause: Box::new(cause.clone()) };
        for (transport, people) in
            [(TransportKind::Remote, NextStep::AskOperator), (TransportKind::Stdio, NextStep::AskMaker)]
        {
            for cause in [&broken, &refused] {
                let whole = seen(Phase::Connect, list(cause));
                assert_eq!(crate::classify(&whole).status(), ServerStatus::Connected);
                assert_eq!(step(transport, &whole), people, "{cause:?}");
                // The list alone, asked for over a connection that stands.
                assert_eq!(step(transport, &seen(Phase::Session, cause.clone())), people, "{cause:?}");
            }
            assert_eq!(step(transport, &seen(Phase::Connect, list(&Outcome::Timeout))), NextStep::ListTools);
        }
    }
}
