//! Stalls, deadlines, hidden pages and clocks that stood still.

use inshore_route::{Estimate, Mode, RequestSpec, RouteConfig, RouteEvent};

use crate::desk::{Desk, snapshot, spec};

/// Ten tokens on the device, one every 50 ms from 300 ms on: the last at 750 ms.
fn streaming(mode: Mode) -> Desk {
    let mut desk = Desk::new();
    desk.ask(mode);
    desk.at(250.0).stream(1, 10, 50.0);
    desk
}

#[test]
fn silence_after_tokens_is_a_stall_and_goes_to_the_cloud() {
    let mut desk = streaming(Mode::PreferOnDevice);
    assert!(desk.at(5_749.0).wake().is_empty());
    // A fresh start of a slow device would be slow again.
    let stalled = ["abort 1 stalled", "start 2 in_cloud token_ids stalled handover"];
    assert_eq!(desk.at(5_750.0).wake(), stalled);
}

#[test]
fn a_stall_without_a_cloud_starts_the_device_again_with_a_smaller_plan_each_time() {
    let mut desk = streaming(Mode::OnlyOnDevice);
    let stalled = ["abort 1 stalled", "start 2 on_device token_ids stalled handover"];
    assert_eq!(desk.at(5_750.0).wake(), stalled);
    desk.stream(2, 4, 100.0);
    desk.now_ms += 5_000.0;
    assert_eq!(desk.wake(), ["abort 2 stalled", "start 3 on_device token_ids stalled plan=cpu handover"]);
    desk.stream(3, 4, 100.0);
    desk.now_ms += 5_000.0;
    assert_eq!(desk.wake(), ["abort 3 stalled", "breaker engine open until 46550", "fail stalled"]);
}

#[test]
fn any_event_shows_a_stall() {
    let mut desk = streaming(Mode::PreferOnDevice);
    desk.now_ms = 9_000.0;
    let orders = desk.push(RouteEvent::Connectivity { online: true });
    assert_eq!(orders, ["abort 1 stalled", "start 2 in_cloud token_ids stalled handover"]);
}

#[test]
fn a_late_token_is_no_stall() {
    let mut desk = streaming(Mode::PreferOnDevice);
    assert!(desk.at(9_000.0).tokens(1, 1).is_empty());
}

#[test]
fn the_wake_that_was_ordered_is_enough() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyOnDevice);
    let mut stalled = false;
    for _ in 0..10 {
        let Some(wake_ms) = desk.wake_ms.take() else { break };
        stalled |= desk.at(wake_ms).wake().contains(&"abort 1 stalled".to_owned());
    }
    assert!(stalled, "nobody but the wakes moved the clock");
}

#[test]
fn an_early_wake_is_ordered_again() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyOnDevice);
    let due = desk.wake_ms.take();
    desk.at(due.expect("ordered") - 0.4).wake();
    assert_eq!(desk.wake_ms, due, "a timer that fired too early is not lost");
}

#[test]
fn the_first_token_has_its_own_limit() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    assert!(desk.at(29_999.0).wake().is_empty());
    assert_eq!(desk.at(30_000.0).wake(), ["abort 1 stalled", "fail stalled"]);
    // On the device, on top of twice the prediction: prefill of 1,000 tokens at 10 a second is not a stall.
    let mut desk = Desk::new();
    let mut slow = snapshot();
    slow.local.estimate = Some(Estimate { prefill_tps: 10.0, decode_tps: 10.0 });
    desk.begin(RequestSpec { prompt_tokens: 1_000.0, ..spec(Mode::OnlyOnDevice) }, slow);
    assert!(desk.at(230_000.0).wake().is_empty());
    assert_eq!(desk.at(230_200.0).wake(), ["abort 1 stalled", "start 2 on_device fresh stalled"]);
}

#[test]
fn a_model_that_thinks_for_40_s_is_not_stalled() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    for second in 1..=40 {
        assert_eq!(desk.at(1_000.0 * f64::from(second)).alive(1), [""; 0]);
    }
    assert_eq!(desk.at(41_000.0).tokens(1, 1), [""; 0]);
    assert_eq!(desk.finished(1, 30.0).last().map(String::as_str), Some("done"));
}

#[test]
fn pings_alone_end_at_an_overall_limit_without_another_event() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    let mut last = Vec::new();
    let mut second = 0.0;
    while last.is_empty() {
        second += 1.0;
        assert!(second < 1_000.0, "it never ends");
        last = desk.at(1_000.0 * second).alive(1);
    }
    assert_eq!((second, last), (630.0, vec!["abort 1 stalled".to_owned(), "fail stalled".to_owned()]));
    // A deadline is not extended by signs of life.
    let mut desk = Desk::new();
    desk.begin(RequestSpec { deadline_ms: Some(20_000.0), ..spec(Mode::OnlyInCloud) }, snapshot());
    desk.at(19_999.0).alive(1);
    assert_eq!(desk.at(20_000.0).alive(1), ["abort 1 deadline", "fail deadline"]);
}

#[test]
fn pieces_of_a_long_prompt_on_a_slow_device_are_no_stall() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyOnDevice);
    for piece in 1..=12 {
        assert_eq!(desk.at(20_000.0 * f64::from(piece)).alive(1), [""; 0]);
    }
    assert_eq!(desk.at(250_000.0).tokens(1, 1), [""; 0]);
}

#[test]
fn a_sign_of_life_neither_adopts_a_racing_leg_nor_ends_its_rival() {
    let mut desk = Desk::new();
    desk.begin(RequestSpec { hedge: true, ..spec(Mode::Auto) }, snapshot());
    for _ in 0..30 {
        desk.finished(1, 30.0);
        desk.begin(RequestSpec { hedge: true, ..spec(Mode::Auto) }, snapshot());
    }
    let raced = desk.at(10_000.0).wake();
    assert!(raced.iter().any(|order| order.starts_with("start 2 in_cloud")), "{raced:?}");
    assert_eq!(desk.alive(2), [""; 0]);
    assert_eq!(desk.tokens(1, 1), ["abort 2 hedge_lost"]);
}

#[test]
fn signs_of_life_of_legs_that_are_gone_are_ignored() {
    let mut desk = Desk::new();
    assert_eq!(desk.alive(1), [""; 0]);
    desk.ask(Mode::OnlyInCloud);
    assert_eq!(desk.alive(7), [""; 0]);
}

#[test]
fn loading_is_no_stall_where_speeds_are_unknown() {
    let mut desk = Desk::new();
    let mut unknown = snapshot();
    unknown.local.estimate = None;
    unknown.local.load_ms = 20_000.0;
    desk.begin(spec(Mode::OnlyOnDevice), unknown);
    assert!(desk.at(69_999.0).wake().is_empty());
    assert_eq!(desk.at(70_000.0).wake(), ["abort 1 stalled", "start 2 on_device fresh stalled"]);
}

#[test]
fn a_slow_device_is_not_stalled_between_its_first_tokens() {
    let mut desk = Desk::new();
    let mut slow = snapshot();
    slow.local.estimate = Some(Estimate { prefill_tps: 10.0, decode_tps: 1.0 });
    desk.begin(spec(Mode::OnlyOnDevice), slow);
    desk.at(6_000.0).tokens(1, 1);
    assert!(desk.at(13_900.0).wake().is_empty(), "8 x 1 s");
    assert_eq!(desk.at(14_000.0).wake(), ["abort 1 stalled", "start 2 on_device token_ids stalled handover"]);
}

#[test]
fn one_deadline_for_the_whole_request() {
    let mut desk = Desk::new();
    let hurried = RequestSpec { deadline_ms: Some(4_000.0), ..spec(Mode::PreferOnDevice) };
    desk.begin(hurried.clone(), snapshot());
    assert_eq!(desk.wake_ms, Some(4_000.0));
    desk.at(3_000.0).tokens(1, 1);
    desk.failed(1, inshore_route::FailureKind::WorkerCrashed);
    assert!(desk.at(3_999.0).wake().is_empty());
    assert_eq!(desk.at(4_000.0).wake(), ["abort 2 deadline", "fail deadline"]);
    desk.begin(RequestSpec { deadline_ms: Some(-1.0), ..hurried }, snapshot());
    assert!(desk.finished(1, 20.0).is_empty(), "it had failed at once");
}

#[test]
fn what_has_finished_in_time_is_done() {
    let mut desk = Desk::new();
    desk.begin(RequestSpec { deadline_ms: Some(1_000.0), ..spec(Mode::Auto) }, snapshot());
    assert_eq!(desk.at(1_001.0).finished(1, 20.0), ["done"], "the answer is here");
}

#[test]
fn hidden_pages_have_no_stalls() {
    let mut desk = streaming(Mode::PreferOnDevice);
    desk.at(1_000.0).push(RouteEvent::Visibility { hidden: true });
    assert!(desk.at(600_000.0).wake().is_empty());
    desk.push(RouteEvent::Visibility { hidden: false });
    assert!(desk.at(604_749.0).wake().is_empty(), "250 ms of silence were before");
    assert_eq!(desk.at(604_750.0).wake().first().map(String::as_str), Some("abort 1 stalled"));
}

#[test]
fn hidden_pages_have_deadlines_and_no_races() {
    let mut desk = Desk::with(RouteConfig { hedge_share: 1.0, ..RouteConfig::default() });
    let request = RequestSpec { hedge: true, deadline_ms: Some(9_000.0), ..spec(Mode::Auto) };
    desk.begin(request, inshore_route::Snapshot { hidden: true, ..snapshot() });
    assert!(desk.at(8_000.0).wake().is_empty());
    assert_eq!(desk.at(9_000.0).wake(), ["abort 1 deadline", "fail deadline"]);
}

#[test]
fn suspended_time_does_not_count() {
    let mut desk = Desk::new();
    desk.begin(RequestSpec { deadline_ms: Some(20_000.0), ..spec(Mode::PreferOnDevice) }, snapshot());
    desk.at(250.0).stream(1, 10, 50.0);
    let hour = 3_600_000.0;
    desk.at(1_000.0 + hour);
    assert!(desk.push(RouteEvent::Suspended { lost_ms: hour }).is_empty());
    assert!(desk.at(5_749.0 + hour).wake().is_empty());
    let orders = desk.at(5_750.0 + hour).wake();
    assert_eq!(orders.first().map(String::as_str), Some("abort 1 stalled"));
    assert_eq!(desk.at(20_000.0 + hour).wake(), ["abort 2 deadline", "fail deadline"]);
}

#[test]
fn disturbed_answers_say_nothing_about_speed() {
    let mut desk = Desk::new();
    for _ in 0..5 {
        desk.ask(Mode::Auto);
        desk.push(RouteEvent::Visibility { hidden: true });
        desk.finished(1, 0.1);
    }
    assert_eq!(desk.ask(Mode::Auto), ["start 1 on_device fresh meets_slo"]);
}

#[test]
fn clocks_may_run_backwards() {
    let mut desk = streaming(Mode::PreferOnDevice);
    for now_ms in [-1.0, f64::NAN, f64::NEG_INFINITY, f64::INFINITY, 0.0] {
        assert!(desk.at(now_ms).wake().is_empty(), "{now_ms}");
    }
    assert_eq!(desk.at(5_750.0).wake().first().map(String::as_str), Some("abort 1 stalled"));
}
