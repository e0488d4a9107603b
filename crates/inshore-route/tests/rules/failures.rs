//! Failures: restart here, go on there, wait, or end in an error.

use inshore_route::{
    CloudSnapshot, Continuation, FailureKind, Mode, Privacy, RequestSpec, RouteConfig, RouteEvent, Snapshot,
};

use crate::desk::{Desk, snapshot, spec};

fn without_recoveries() -> Desk {
    Desk::with(RouteConfig { max_recoveries: 0, ..RouteConfig::default() })
}

fn continues(continuation: Continuation) -> Snapshot {
    let cloud = snapshot().cloud.map(|cloud| CloudSnapshot { continuation, ..cloud });
    Snapshot { cloud, ..snapshot() }
}

#[test]
fn a_crash_restarts_here_then_smaller_then_goes_to_the_cloud() {
    let mut desk = Desk::new();
    desk.ask(Mode::PreferOnDevice);
    desk.at(300.0).tokens(1, 1);
    let crash = FailureKind::WorkerCrashed;
    assert_eq!(desk.failed(1, crash), ["start 2 on_device token_ids worker_crashed handover"]);
    assert_eq!(desk.failed(2, crash), ["start 3 on_device token_ids worker_crashed plan=smaller_context handover"]);
    let third = desk.failed(3, crash);
    assert_eq!(third, ["breaker engine open until 30300", "start 4 in_cloud token_ids worker_crashed handover"]);
    assert_eq!(desk.failed(4, FailureKind::Network), ["fail handover_spent network"]);
}

#[test]
fn a_bug_of_the_engine_is_not_tried_again_on_the_device() {
    let panicked = FailureKind::EnginePanicked;
    let mut desk = Desk::new();
    desk.ask(Mode::PreferOnDevice);
    desk.at(300.0).tokens(1, 1);
    assert_eq!(desk.failed(1, panicked), ["start 2 in_cloud token_ids local_failed handover"]);

    // The next request has the device again, in the plan that it had.
    let mut alone = Desk::new();
    for time_ms in [0.0, 1000.0] {
        alone.at(time_ms).ask(Mode::OnlyOnDevice);
        assert_eq!(alone.failed(1, panicked), ["fail local_failed engine_panicked"]);
    }
    // An engine that never answers rests like any other.
    alone.at(2000.0).ask(Mode::OnlyOnDevice);
    let third = alone.failed(1, panicked);
    assert_eq!(third, ["breaker engine open until 32000", "fail local_failed engine_panicked"]);
}

#[test]
fn memory_that_ran_out_restarts_smaller_at_once() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyOnDevice);
    let out = FailureKind::OutOfMemory;
    assert_eq!(desk.failed(1, out), ["start 2 on_device fresh out_of_memory plan=smaller_context"]);
    assert_eq!(desk.failed(2, out), ["start 3 on_device fresh out_of_memory plan=cpu"]);
    assert_eq!(desk.failed(3, out), ["breaker engine open until 30000", "fail out_of_memory out_of_memory"]);
}

#[test]
fn the_plan_of_a_restart_may_be_too_small_for_the_prompt() {
    let mut desk = Desk::new();
    desk.ask(Mode::PreferOnDevice);
    desk.failed(1, FailureKind::OutOfMemory);
    // The smaller context refuses what the first one took: that is no verdict on the request.
    assert_eq!(desk.failed(2, FailureKind::Refused), ["start 3 on_device fresh local_failed plan=cpu"]);
}

#[test]
fn a_prompt_that_outgrows_the_context_leaves_the_device_or_fails_at_once() {
    let mut desk = Desk::new();
    desk.ask(Mode::PreferOnDevice);
    let outgrown = FailureKind::ContextExceeded;
    assert_eq!(desk.failed(1, outgrown), ["start 2 in_cloud fresh context_too_long"]);

    let mut alone = Desk::new();
    alone.ask(Mode::OnlyOnDevice);
    assert_eq!(alone.failed(1, outgrown), ["fail context_too_long context_exceeded"]);

    // Out of a smaller plan, there is the next one.
    let mut smaller = Desk::new();
    smaller.ask(Mode::OnlyOnDevice);
    smaller.failed(1, FailureKind::OutOfMemory);
    assert_eq!(smaller.failed(2, outgrown), ["start 3 on_device fresh context_too_long plan=cpu"]);
}

#[test]
fn each_endpoint_goes_on_in_its_own_manner() {
    for (continuation, manner) in
        [(Continuation::TokenIds, "token_ids"), (Continuation::Prefix, "prefix"), (Continuation::None, "replace")]
    {
        let mut desk = without_recoveries();
        desk.begin(spec(Mode::PreferOnDevice), continues(continuation));
        desk.at(300.0).tokens(1, 1);
        let order = format!("start 2 in_cloud {manner} device_lost handover");
        assert_eq!(desk.failed(1, FailureKind::DeviceLost), [order]);
        assert_eq!(desk.tokens(2, 4), [""; 0]);
        assert_eq!(desk.finished(2, f64::NAN), ["done"]);
    }
}

#[test]
fn before_the_first_token_nothing_is_handed_over() {
    let mut desk = without_recoveries();
    desk.begin(spec(Mode::PreferOnDevice), continues(Continuation::None));
    assert_eq!(desk.failed(1, FailureKind::DeviceLost), ["start 2 in_cloud fresh device_lost"]);
}

#[test]
fn another_model_continues_the_text_instead() {
    let mut desk = without_recoveries();
    desk.ask(Mode::PreferOnDevice);
    desk.at(300.0).tokens(1, 1);
    desk.failed(1, FailureKind::WorkerCrashed);
    let mismatch = FailureKind::ModelMismatch;
    assert_eq!(desk.failed(2, mismatch), ["start 3 in_cloud prefix cloud_failed handover"]);
    assert_eq!(desk.failed(3, mismatch), ["fail handover_spent model_mismatch"], "once");
}

#[test]
fn the_device_goes_on_from_ids_or_starts_anew() {
    for (ids, manner) in [(Some(true), "token_ids"), (Some(false), "replace"), (None, "replace")] {
        let mut desk = Desk::new();
        desk.ask(Mode::PreferInCloud);
        desk.push(RouteEvent::Tokens { request: 1, leg: 1, tokens: 3, ids });
        let order = format!("start 2 on_device {manner} cloud_failed handover");
        assert_eq!(desk.failed(1, FailureKind::Network), [order]);
        // From here on all ids are known.
        desk.tokens(2, 1);
        let restart = "start 3 on_device token_ids worker_crashed handover";
        assert_eq!(desk.failed(2, FailureKind::WorkerCrashed), [restart]);
    }
}

#[test]
fn who_may_not_leave_fails_here() {
    for request in [spec(Mode::OnlyOnDevice), RequestSpec { privacy: Privacy::LocalOnly, ..spec(Mode::Auto) }] {
        let mut desk = without_recoveries();
        desk.begin(request, snapshot());
        desk.at(300.0).tokens(1, 1);
        assert_eq!(desk.failed(1, FailureKind::DeviceLost), ["fail device_lost device_lost"]);
    }
}

#[test]
fn what_is_refused_is_refused_everywhere() {
    let mut desk = Desk::new();
    desk.ask(Mode::PreferInCloud);
    assert_eq!(desk.failed(1, FailureKind::Refused), ["fail cloud_failed refused"]);
    desk.ask(Mode::PreferOnDevice);
    assert_eq!(desk.failed(1, FailureKind::Refused), ["fail local_failed refused"]);
}

#[test]
fn keys_and_bills_open_the_breaker_and_the_device_answers() {
    let mut desk = Desk::new();
    for kind in [FailureKind::Unauthorised, FailureKind::Payment] {
        desk.ask(Mode::PreferInCloud);
        assert_eq!(desk.failed(1, kind), ["start 2 on_device fresh cloud_failed"]);
    }
    desk.ask(Mode::PreferInCloud);
    assert_eq!(
        desk.failed(1, FailureKind::NotFound),
        ["breaker endpoint open until 30000", "start 2 on_device fresh cloud_failed"]
    );
    assert_eq!(desk.ask(Mode::PreferInCloud), ["start 1 on_device fresh cloud_breaker_open"]);
    assert_eq!(desk.ask(Mode::OnlyInCloud), ["fail cloud_breaker_open"]);
    desk.now_ms = 30_000.0;
    let half_open = ["breaker endpoint half_open", "start 1 in_cloud fresh preferred_in_cloud"];
    assert_eq!(desk.ask(Mode::PreferInCloud), half_open);
    assert_eq!(desk.finished(1, f64::NAN), ["breaker endpoint closed", "done"]);
}

#[test]
fn only_one_request_tries_a_half_open_endpoint() {
    let mut desk = Desk::new();
    for _ in 0..3 {
        desk.ask(Mode::OnlyInCloud);
        desk.failed(1, FailureKind::ServerError);
    }
    desk.at(30_000.0).ask(Mode::OnlyInCloud);
    assert_eq!(desk.ask(Mode::OnlyInCloud), ["fail cloud_breaker_open"]);
    // A trial that is called off gives its place back.
    assert_eq!(desk.push(RouteEvent::Cancelled { request: 4 }), ["abort 1 cancelled", "fail cancelled"]);
    assert_eq!(desk.ask(Mode::OnlyInCloud), ["start 1 in_cloud fresh mode_in_cloud"]);
    assert_eq!(
        desk.failed(1, FailureKind::ServerError),
        ["breaker endpoint open until 90000", "fail cloud_failed server_error"]
    );
}

#[test]
fn a_broken_device_is_left_but_asked_where_nobody_else_may() {
    let mut desk = without_recoveries();
    for _ in 0..3 {
        desk.ask(Mode::OnlyOnDevice);
        desk.failed(1, FailureKind::WorkerCrashed);
    }
    assert_eq!(desk.ask(Mode::PreferOnDevice), ["start 1 in_cloud fresh local_breaker_open"]);
    assert_eq!(desk.ask(Mode::OnlyOnDevice), ["start 1 on_device fresh mode_on_device"]);
    assert_eq!(desk.finished(1, 20.0), ["breaker engine closed", "done"], "that it worked is evidence");
}

#[test]
fn retry_after_is_waited_for_within_cap_and_deadline() {
    let limited = FailureKind::RateLimited;
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    assert_eq!(desk.failed_until(1, limited, 1_000.0), ["start 2 in_cloud fresh retry_after after=1000"]);
    // Others do not call before that either: they wait, or go elsewhere.
    desk.now_ms = 400.0;
    assert_eq!(desk.ask(Mode::OnlyInCloud), ["start 1 in_cloud fresh retry_after after=600"]);
    assert_eq!(desk.ask(Mode::PreferInCloud), ["start 1 on_device fresh retry_after"]);

    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    assert_eq!(desk.failed_until(1, limited, 10_001.0), ["fail retry_after rate_limited"], "above the cap");
    desk.at(20_000.0).ask(Mode::PreferInCloud);
    assert_eq!(desk.failed_until(1, limited, 10_001.0), ["start 2 on_device fresh retry_after"]);

    let mut desk = Desk::new();
    let hurried = RequestSpec { deadline_ms: Some(900.0), ..spec(Mode::OnlyInCloud) };
    desk.begin(hurried, snapshot());
    assert_eq!(desk.failed_until(1, limited, 900.0), ["fail retry_after rate_limited"], "after the deadline");
}

#[test]
fn an_endpoint_cannot_put_off_a_request_for_ever() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    let limited = FailureKind::RateLimited;
    assert_eq!(desk.failed_until(1, limited, 0.0), ["start 2 in_cloud fresh retry_after"]);
    assert_eq!(desk.failed_until(2, limited, 0.0), ["start 3 in_cloud fresh retry_after"]);
    assert_eq!(desk.failed_until(3, limited, 0.0), ["fail retry_after rate_limited"]);
}

#[test]
fn what_is_not_running_is_ignored() {
    let mut desk = Desk::new();
    assert!(desk.tokens(1, 1).is_empty() && desk.failed(1, FailureKind::Other).is_empty());
    desk.ask(Mode::Auto);
    assert!(desk.tokens(2, 1).is_empty() && desk.finished(9, 1.0).is_empty());
    desk.failed(1, FailureKind::WorkerCrashed);
    assert!(desk.tokens(1, 1).is_empty(), "a leg that has failed says nothing more");
    assert_eq!(desk.finished(2, 20.0), ["done"]);
    assert!(desk.finished(2, 20.0).is_empty() && desk.push(RouteEvent::Cancelled { request: 1 }).is_empty());
}
