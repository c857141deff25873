//! Longer than 500 lines because it is one table of what may happen to a connection.

use super::*;
use crate::{AuthFacts, ChallengeKind, Outcome, Phase};

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn connected() -> Evidence {
    Evidence::new(Phase::Connect, Outcome::Connected { tools: Some(1) })
}

fn unreachable() -> Evidence {
    Evidence::new(Phase::Connect, Outcome::Unreachable)
}

fn dropped() -> Evidence {
    Evidence::new(Phase::Session, Outcome::Unreachable)
}

fn unavailable(retry_after: Option<Duration>) -> Evidence {
    Evidence::new(Phase::Connect, Outcome::Http { status: 503, retry_after })
}

fn refused(phase: Phase) -> Evidence {
    let outcome = Outcome::Challenged { kind: ChallengeKind::Unauthorized, http_status: 401 };
    Evidence::new(phase, outcome).with_auth(AuthFacts::new(true, Some("static-headers".into())))
}

fn not_found() -> Evidence {
    Evidence::new(Phase::Connect, Outcome::Http { status: 404, retry_after: None })
}

fn wait(schedule: Schedule, retry: u32) -> Effect {
    Effect::Wait { schedule, retry, floor: None }
}

fn started(policy: MachinePolicy) -> StatusMachine {
    let mut machine = StatusMachine::new(policy);
    assert_eq!(machine.on(Event::Start, at(0)), Effect::Connect { attempt: 1 });
    machine
}

fn connected_at(policy: MachinePolicy, now: Duration) -> StatusMachine {
    let mut machine = started(policy);
    assert_eq!(machine.on(Event::Attempt(connected()), now), Effect::Nothing);
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Connected, None));
    machine
}

/// Lets the timer fire and the attempt end with `evidence`.
fn try_again(machine: &mut StatusMachine, evidence: Evidence, now: Duration) -> Effect {
    assert!(matches!(machine.on(Event::TimerFired, now), Effect::Connect { .. }));
    machine.on(Event::Attempt(evidence), now)
}

#[test]
fn f044_an_unavailable_server_gets_one_attempt_and_three_retries() {
    let mut machine = started(MachinePolicy::one_shot());
    let mut effect = machine.on(Event::Attempt(unavailable(None)), at(0));
    for retry in 0..3 {
        assert_eq!(effect, wait(Schedule::Connect, retry));
        assert_eq!((machine.status(), machine.code()), (ServerStatus::Pending, Some(ReasonCode::Retrying)));
        assert_eq!(machine.on(Event::TimerFired, at(1)), Effect::Connect { attempt: retry + 2 });
        assert_eq!(machine.code(), Some(ReasonCode::Connecting));
        effect = machine.on(Event::Attempt(unavailable(None)), at(1));
    }
    assert_eq!(effect, Effect::Stop);
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Failed, Some(ReasonCode::Unavailable)));
    assert_eq!(machine.evidence().unwrap().attempts, 4);
}

#[test]
fn a_server_that_always_names_a_wait_uses_the_budget_up_like_any_other() {
    let floor = Some(at(7));
    let mut machine = started(MachinePolicy::one_shot());
    let mut effect = machine.on(Event::Attempt(unavailable(floor)), at(0));
    for retry in 0..3 {
        assert_eq!(effect, Effect::Wait { schedule: Schedule::Connect, retry, floor });
        effect = try_again(&mut machine, unavailable(floor), at(1));
    }
    assert_eq!(effect, Effect::Stop);
}

#[test]
fn permanent_failures_and_refusals_get_one_attempt() {
    let table = [
        (not_found(), ServerStatus::Failed, ReasonCode::NotFound),
        (refused(Phase::Connect), ServerStatus::NeedsAuth, ReasonCode::CredentialsRejected),
        (Evidence::new(Phase::Connect, Outcome::Tls), ServerStatus::Failed, ReasonCode::Tls),
    ];
    for (evidence, status, code) in table {
        let mut machine = started(MachinePolicy::long_lived());
        assert_eq!(machine.on(Event::Attempt(evidence), at(0)), Effect::Stop);
        assert_eq!((machine.status(), machine.code()), (status, Some(code)));
    }
}

#[test]
fn f102_a_lost_session_gets_five_attempts_and_a_later_reconnect_works() {
    let mut machine = connected_at(MachinePolicy::one_shot(), at(0));
    let mut effect = machine.on(Event::Lost(dropped()), at(100));
    for retry in 0..5 {
        assert_eq!(effect, wait(Schedule::Session, retry));
        assert_eq!(machine.status(), ServerStatus::Pending);
        assert_eq!(machine.attempt(), retry + 1);
        effect = try_again(&mut machine, dropped(), at(101));
    }
    assert_eq!(effect, Effect::Stop);
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Failed, Some(ReasonCode::Unreachable)));
    assert_eq!(machine.on(Event::ReconnectAsked, at(102)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.on(Event::Attempt(connected()), at(103)), Effect::Nothing);
    assert_eq!(machine.status(), ServerStatus::Connected);
}

#[test]
fn f103_a_long_lived_process_probes_on_and_finds_a_server_that_starts_later() {
    let mut machine = started(MachinePolicy::long_lived());
    machine.on(Event::Attempt(unreachable()), at(0));
    for _ in 0..2 {
        try_again(&mut machine, unreachable(), at(1));
    }
    for retry in 0..10 {
        assert_eq!(try_again(&mut machine, unreachable(), at(2)), wait(Schedule::Probe, retry));
        assert_eq!((machine.status(), machine.code()), (ServerStatus::Failed, Some(ReasonCode::Unreachable)));
    }
    assert!(matches!(machine.on(Event::TimerFired, at(3)), Effect::Connect { .. }));
    assert_eq!(machine.status(), ServerStatus::Failed, "a probe under way does not flicker");
    machine.on(Event::Attempt(connected()), at(3));
    assert_eq!(machine.status(), ServerStatus::Connected);
}

#[test]
fn use_does_not_wait_for_the_timer() {
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    machine.on(Event::Lost(dropped()), at(50));
    assert_eq!(machine.on(Event::Used, at(50)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.on(Event::Used, at(50)), Effect::Nothing, "an attempt is under way already");
}

#[test]
fn a_success_that_lasts_resets_the_streak_and_a_short_one_does_not() {
    for (lasted, next) in [(29, 1), (30, 0)] {
        let mut machine = connected_at(MachinePolicy::one_shot(), at(0));
        assert_eq!(machine.on(Event::Lost(dropped()), at(100)), wait(Schedule::Session, 0));
        try_again(&mut machine, connected(), at(200));
        let effect = machine.on(Event::Lost(dropped()), at(200 + lasted));
        assert_eq!(effect, wait(Schedule::Session, next), "after {lasted} s");
    }
}

#[test]
fn fa_a22_a_process_that_dies_is_started_again_until_the_budget_is_spent() {
    let exited = |phase| Evidence::new(phase, Outcome::Exited { code: Some(1), signal: None });
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    assert_eq!(machine.on(Event::Lost(exited(Phase::Session)), at(100)), wait(Schedule::Session, 0));
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Pending, Some(ReasonCode::Retrying)));
    // It worked once, so an end while it starts again is no verdict either.
    for retry in 1..5 {
        let again = try_again(&mut machine, exited(Phase::Connect), at(100));
        assert_eq!(again, wait(Schedule::Session, retry));
    }
    let last = try_again(&mut machine, exited(Phase::Connect), at(100));
    assert_eq!(last, wait(Schedule::Probe, 0));
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Failed, Some(ReasonCode::Exited)));
    // After a person asked for a reconnect it counts as a new command, which ends before it ever works.
    machine.on(Event::ReconnectAsked, at(200));
    assert_eq!(machine.on(Event::Attempt(exited(Phase::Connect)), at(200)), Effect::Stop);
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Failed, Some(ReasonCode::Exited)));
}

#[test]
fn fb_t49_what_a_session_answers_wrongly_is_decided_by_one_new_handshake() {
    let nonsense = || Evidence::new(Phase::Session, Outcome::Protocol { rpc_code: None });
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    assert_eq!(machine.on(Event::Lost(nonsense()), at(1)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.status(), ServerStatus::Pending);
    assert_eq!(machine.on(Event::Attempt(connected()), at(1)), Effect::Nothing);
    assert_eq!(machine.status(), ServerStatus::Connected);

    // The same again at once is how this server is. Once a session has lasted, it is news.
    assert_eq!(machine.on(Event::Lost(nonsense()), at(2)), Effect::Stop);
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Failed, Some(ReasonCode::Protocol)));
    assert_eq!(machine.on(Event::Used, at(40)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.on(Event::Attempt(connected()), at(40)), Effect::Nothing);
    assert_eq!(machine.on(Event::Lost(nonsense()), at(80)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.on(Event::Attempt(not_found()), at(80)), Effect::Stop);
    assert_eq!(machine.code(), Some(ReasonCode::NotFound));

    // A refusal of credentials is no matter of the session, and a command that leads back to itself is not started again.
    for evidence in [refused(Phase::Session), Evidence::new(Phase::Session, Outcome::SelfReference)] {
        let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
        assert_eq!(machine.on(Event::Lost(evidence), at(1)), Effect::Stop);
    }
}

#[test]
fn f027_the_latch_opens_by_itself_on_use_after_thirty_seconds_and_never_before() {
    let mut machine = started(MachinePolicy::long_lived());
    machine.on(Event::Attempt(refused(Phase::Connect)), at(10));
    assert_eq!(machine.on(Event::TimerFired, at(1000)), Effect::Nothing, "nothing tries in the background");
    assert_eq!(machine.on(Event::Used, at(39)), Effect::Nothing);
    assert_eq!(machine.status(), ServerStatus::NeedsAuth);
    assert_eq!(machine.on(Event::Used, at(40)), Effect::Connect { attempt: 1 });
    machine.on(Event::Attempt(connected()), at(40));
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Connected, None));
}

#[test]
fn what_is_missing_here_is_looked_for_again_a_second_later() {
    let of = |outcome, supplied_by| {
        let auth = AuthFacts::default().with_supplied_by(supplied_by);
        let mut machine = started(MachinePolicy::long_lived());
        machine.on(Event::Attempt(Evidence::new(Phase::Connect, outcome).with_auth(auth)), at(10));
        assert_eq!(machine.on(Event::Used, at(10)), Effect::Nothing);
        machine.on(Event::Used, at(11)) == Effect::Connect { attempt: 1 }
    };
    let of_entry = Some(CredentialOrigin::Configuration);
    assert!(of(Outcome::CredentialsFailed, of_entry));
    assert!(of(Outcome::Spawn { cause: crate::SpawnCause::NotFound }, None));
    assert!(of(Outcome::Misconfigured, None));
    // A token that another program keeps in a file, and that was away for a moment.
    let away = AuthFacts::new(false, Some("token-file".into())).with_of_this_machine(true);
    let mut machine = started(MachinePolicy::long_lived());
    let away = Evidence::new(Phase::Connect, Outcome::CredentialSourceFailed).with_auth(away);
    machine.on(Event::Attempt(away), at(10));
    assert_eq!(machine.on(Event::Used, at(11)), Effect::Connect { attempt: 1 });
    // Here someone would be asked again.
    assert!(!of(Outcome::CredentialsFailed, Some(CredentialOrigin::SignIn)));
    assert!(!of(Outcome::CredentialSourceFailed, Some(CredentialOrigin::Command)));
    assert!(!of(Outcome::Protocol { rpc_code: None }, None));
}

#[test]
fn f103_a_server_that_failed_is_asked_again_by_the_next_use_after_two_seconds() {
    let after = |outcome, policy: MachinePolicy| {
        let mut machine = started(policy.with_connect_retries(0));
        machine.on(Event::Attempt(Evidence::new(Phase::Connect, outcome)), at(10));
        (11..100).find(|second| machine.on(Event::Used, at(*second)) == Effect::Connect { attempt: 1 })
    };
    let http = |status, retry_after: Option<u64>| Outcome::Http {
        status,
        retry_after: retry_after.map(Duration::from_secs),
    };
    for outcome in [
        http(404, None),
        http(400, None),
        http(405, None),
        Outcome::Protocol { rpc_code: None },
        Outcome::Protocol { rpc_code: Some(-32000) },
        Outcome::Tls,
        Outcome::Version { offered: vec![] },
        Outcome::Exited { code: Some(1), signal: None },
    ] {
        assert_eq!(after(outcome.clone(), MachinePolicy::long_lived()), Some(12), "{outcome:?}");
    }
    // What may pass is tried by itself where the process lives on; elsewhere it holds for as long as the server says.
    assert_eq!(after(http(503, Some(20)), MachinePolicy::one_shot()), Some(30));
    assert_eq!(after(http(503, None), MachinePolicy::one_shot()), Some(12));
    // Started again, it would lead back to itself.
    assert_eq!(after(Outcome::SelfReference, MachinePolicy::long_lived()), Some(40));
}

#[test]
fn the_latch_opens_at_once_when_a_person_acts() {
    for event in [Event::ReconnectAsked, Event::LoginDone, Event::ConfigChanged] {
        let mut machine = started(MachinePolicy::long_lived());
        machine.on(Event::Attempt(refused(Phase::Connect)), at(10));
        assert_eq!(machine.on(event, at(10)), Effect::Connect { attempt: 1 });
    }
}

#[test]
fn f023_a_session_whose_credentials_die_stops_being_connected_and_tells_when() {
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    assert_eq!(machine.on(Event::Lost(refused(Phase::Session)), at(100)), Effect::Stop);
    let seen = (machine.status(), machine.code(), machine.since());
    assert_eq!(seen, (ServerStatus::NeedsAuth, Some(ReasonCode::CredentialsRejected), at(100)));
}

#[test]
fn a_refused_reconnect_ends_the_streak_with_the_truth() {
    let mut machine = connected_at(MachinePolicy::one_shot(), at(0));
    machine.on(Event::Lost(dropped()), at(100));
    assert_eq!(try_again(&mut machine, refused(Phase::Connect), at(101)), Effect::Stop);
    assert_eq!(machine.status(), ServerStatus::NeedsAuth);
    assert_eq!(machine.evidence().unwrap().attempts, 1, "the refusal decided it, not what was lost before");
}

#[test]
fn f116_reconnect_replaces_an_attempt_under_way_and_starts_the_count_again() {
    let mut machine = started(MachinePolicy::one_shot());
    machine.on(Event::Attempt(unreachable()), at(0));
    machine.on(Event::TimerFired, at(1));
    assert_eq!(machine.on(Event::ReconnectAsked, at(2)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.on(Event::Attempt(unreachable()), at(3)), wait(Schedule::Connect, 0));
    assert_eq!(machine.on(Event::ReconnectAsked, at(3)), Effect::Connect { attempt: 1 });
    assert_eq!(machine.on(Event::TimerFired, at(4)), Effect::Nothing, "the timer was replaced");
}

#[test]
fn a_disabled_server_is_not_contacted_whatever_happens() {
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    assert_eq!(machine.on(Event::Disabled, at(1)), Effect::Stop);
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Disabled, None));
    let events = [
        Event::Start,
        Event::Used,
        Event::ReconnectAsked,
        Event::LoginDone,
        Event::ConfigChanged,
        Event::TimerFired,
        Event::Attempt(connected()),
        Event::Lost(dropped()),
    ];
    for event in events {
        assert_eq!(machine.on(event, at(100)), Effect::Nothing);
        assert_eq!(machine.status(), ServerStatus::Disabled);
    }
    assert_eq!(machine.on(Event::Enabled, at(101)), Effect::Connect { attempt: 1 });
}

#[test]
fn nothing_follows_after_close() {
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    assert_eq!(machine.on(Event::Closed, at(1)), Effect::Stop);
    for event in [Event::Start, Event::Enabled, Event::ReconnectAsked, Event::Closed] {
        assert_eq!(machine.on(event, at(2)), Effect::Nothing);
    }
}

#[test]
fn a_tool_list_that_fails_to_refresh_flags_the_connection_and_keeps_it() {
    let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
    let list = Outcome::ToolsUnavailable { cause: Box::new(Outcome::Timeout) };
    assert_eq!(machine.on(Event::Lost(Evidence::new(Phase::Session, list)), at(5)), Effect::Nothing);
    let seen = (machine.status(), machine.code());
    assert_eq!(seen, (ServerStatus::Connected, Some(ReasonCode::ToolsUnavailable)));
}

#[test]
fn policies_without_retries_end_after_one_attempt() {
    let policy = MachinePolicy::one_shot().with_connect_retries(0).with_session_retries(0);
    let mut machine = started(policy);
    assert_eq!(machine.on(Event::Attempt(unreachable()), at(0)), Effect::Stop);
    let mut machine = connected_at(policy, at(0));
    assert_eq!(machine.on(Event::Lost(dropped()), at(100)), Effect::Stop);
    assert_eq!(machine.status(), ServerStatus::Failed);
}

#[test]
fn the_reason_in_words_follows_the_state() {
    let context = MessageContext::new("web");
    let words = |machine: &StatusMachine, delay| machine.reason(delay, &context).map(|reason| reason.message);
    let mut machine = started(MachinePolicy::one_shot());
    assert_eq!(words(&machine, None).as_deref(), Some("connecting"));
    machine.on(Event::Attempt(unavailable(None)), at(0));
    assert_eq!(
        words(&machine, Some(at(1))).as_deref(),
        Some("waiting 1 s before the next attempt: the server is unavailable (503)")
    );
    try_again(&mut machine, not_found(), at(1));
    assert_eq!(words(&machine, None).as_deref(), Some("no MCP endpoint at the server (404)"));
    machine.on(Event::ReconnectAsked, at(2));
    machine.on(Event::Attempt(connected()), at(2));
    assert_eq!(words(&machine, None), None);
}

/// Walks every sequence of four events and checks what must hold in every state.
#[test]
fn no_sequence_of_events_breaks_the_rules() {
    let events = [
        Event::Start,
        Event::Attempt(connected()),
        Event::Attempt(unreachable()),
        Event::Attempt(refused(Phase::Connect)),
        Event::TimerFired,
        Event::Lost(dropped()),
        Event::Lost(refused(Phase::Session)),
        Event::ReconnectAsked,
        Event::Used,
        Event::Enabled,
        Event::Disabled,
        Event::Closed,
    ];
    let count = events.len();
    for sequence in 0..count.pow(4) {
        let mut machine = StatusMachine::new(MachinePolicy::long_lived().with_connect_retries(1));
        let mut rest = sequence;
        for step in 0..4 {
            let event = events[rest % count].clone();
            rest /= count;
            let effect = machine.on(event, at(step * 20));
            if let Some(code) = machine.code() {
                assert_eq!(code.status(), machine.status());
            }
            match effect {
                Effect::Connect { attempt } => assert!(attempt >= 1),
                Effect::Wait { .. } => assert!(matches!(machine.state, State::Waiting { .. })),
                _ => {}
            }
            if matches!(machine.state, State::Disabled) {
                assert!(matches!(effect, Effect::Stop | Effect::Nothing));
            }
        }
    }
}

#[test]
fn an_attempt_that_a_caller_caused_spends_nothing_and_decides_what_is_no_passing_failure() {
    let waiting = || {
        let mut machine = connected_at(MachinePolicy::long_lived(), at(0));
        assert_eq!(machine.on(Event::Lost(dropped()), at(1)), wait(Schedule::Session, 0));
        machine
    };
    let mut machine = waiting();
    for _ in 0..100 {
        assert_eq!(machine.on(Event::EarlyAttempt(unavailable(None)), at(1)), Effect::Nothing);
    }
    assert_eq!((machine.status(), machine.code()), (ServerStatus::Pending, Some(ReasonCode::Retrying)));
    assert_eq!(
        (machine.evidence().unwrap().outcome.clone(), machine.since()),
        (unavailable(None).outcome, at(1))
    );
    assert_eq!(
        try_again(&mut machine, unreachable(), at(2)),
        wait(Schedule::Session, 1),
        "the next of the row"
    );

    let floor = Some(at(7));
    let asked = Effect::Wait { schedule: Schedule::Session, retry: 1, floor };
    assert_eq!(
        waiting().on(Event::EarlyAttempt(unavailable(floor)), at(1)),
        asked,
        "a wish of the server binds"
    );
    for (evidence, effect, status) in [
        (connected(), Effect::Nothing, ServerStatus::Connected),
        (refused(Phase::Connect), Effect::Stop, ServerStatus::NeedsAuth),
        (not_found(), Effect::Stop, ServerStatus::Failed),
    ] {
        let mut machine = waiting();
        assert_eq!((machine.on(Event::EarlyAttempt(evidence), at(1)), machine.status()), (effect, status));
        // The end of an attempt that is no longer waited for changes nothing.
        assert_eq!(machine.on(Event::EarlyAttempt(unreachable()), at(2)), Effect::Nothing);
        assert_eq!(machine.status(), status);
    }
}

#[test]
fn a_machine_that_observes_another_one_shows_what_that_shows() {
    let delay = Some(at(4));
    let context = MessageContext::new("remote");
    let mut keeping = connected_at(MachinePolicy::long_lived(), at(0));
    keeping.on(Event::Lost(dropped()), at(100));
    // Through both rows of waits, up to the probes.
    for round in 0..9 {
        let run = keeping.failure_run(delay).unwrap();
        let mut observer = started(MachinePolicy::long_lived());
        observer.on(Event::Observed(run), at(7));
        let shown = |machine: &StatusMachine| {
            (machine.status(), machine.reason(delay, &context), machine.attempt(), machine.failure_run(delay))
        };
        assert_eq!(shown(&observer), shown(&keeping), "{round}");
        // And so it does when both go on.
        for machine in [&mut observer, &mut keeping] {
            machine.on(Event::TimerFired, at(200));
        }
        assert_eq!(shown(&observer), shown(&keeping), "{round}");
        keeping.on(Event::Attempt(unavailable(Some(at(9)))), at(201));
    }
    assert_eq!(keeping.status(), ServerStatus::Failed);
}

#[test]
fn a_refusal_that_is_observed_latches_and_nothing_follows_of_a_success() {
    let mut observer = started(MachinePolicy::long_lived());
    assert_eq!(
        observer.on(Event::Observed(FailureRun::of_one(refused(Phase::Connect))), at(0)),
        Effect::Stop
    );
    assert_eq!(observer.status(), ServerStatus::NeedsAuth);
    assert_eq!(
        observer.on(Event::Observed(FailureRun::of_one(unreachable())), at(1)),
        Effect::Nothing,
        "not asked for"
    );
    let mut observer = started(MachinePolicy::long_lived());
    assert_eq!(observer.on(Event::Observed(FailureRun::of_one(connected())), at(0)), Effect::Nothing);
    assert_eq!(observer.status(), ServerStatus::Pending);
    assert_eq!(connected_at(MachinePolicy::long_lived(), at(0)).failure_run(None), None);
}

#[test]
fn what_a_connected_server_has_now_is_told_and_moves_nothing() {
    let tools = |tools| Evidence::new(Phase::Session, Outcome::Connected { tools });
    let mut machine = StatusMachine::new(MachinePolicy::long_lived());
    assert_eq!(machine.on(Event::Start, Duration::ZERO), Effect::Connect { attempt: 1 });
    // There is no connection yet.
    assert_eq!(machine.on(Event::Listed(tools(Some(9))), Duration::ZERO), Effect::Nothing);
    assert_eq!(machine.evidence(), None);
    machine.on(Event::Attempt(tools(Some(1))), Duration::ZERO);
    let since = machine.since();
    let later = Duration::from_secs(60);
    assert_eq!(machine.on(Event::Listed(tools(Some(2))), later), Effect::Nothing);
    assert_eq!(machine.evidence().map(|seen| &seen.outcome), Some(&Outcome::Connected { tools: Some(2) }));
    // It is not a failure, and the connection is as old as it was.
    let unreachable = Evidence::new(Phase::Session, Outcome::Unreachable);
    assert_eq!(machine.on(Event::Listed(unreachable), later), Effect::Nothing);
    assert_eq!((machine.status(), machine.since()), (ServerStatus::Connected, since));
}
