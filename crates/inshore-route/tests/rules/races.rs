//! The hedge.

use inshore_route::{FailureKind, Mode, RequestSpec, RouteConfig, RouteEvent};

use crate::desk::{Desk, snapshot, spec};

/// Every request may hedge.
fn generous() -> Desk {
    Desk::with(RouteConfig { hedge_share: 1.0, ..RouteConfig::default() })
}

fn hedged() -> RequestSpec {
    RequestSpec { hedge: true, ..spec(Mode::Auto) }
}

/// Begins, and waits until the second leg starts: 0.6 x 2,000 ms.
fn racing() -> Desk {
    let mut desk = generous();
    desk.begin(hedged(), snapshot());
    assert_eq!(desk.wake_ms, Some(1_200.0));
    assert!(desk.at(1_199.0).wake().is_empty());
    assert_eq!(desk.at(1_200.0).wake(), ["start 2 in_cloud fresh hedge racing"]);
    desk
}

#[test]
fn the_first_token_wins() {
    let mut desk = racing();
    assert_eq!(desk.tokens(2, 1), ["adopt 2 hedge", "abort 1 hedge_lost"]);
    assert_eq!(desk.finished(2, f64::NAN), ["done"]);
    let mut desk = racing();
    assert_eq!(desk.tokens(1, 1), ["abort 2 hedge_lost"]);
    assert_eq!(desk.finished(1, 20.0), ["done"]);
}

#[test]
fn a_leg_that_fails_leaves_the_race_to_the_other() {
    let mut desk = racing();
    assert!(desk.failed(2, FailureKind::ServerError).is_empty());
    assert!(desk.tokens(1, 1).is_empty());
    let mut desk = racing();
    assert_eq!(desk.failed(1, FailureKind::WorkerCrashed), ["adopt 2 worker_crashed"]);
    assert_eq!(desk.failed(2, FailureKind::Network), ["start 3 on_device fresh cloud_failed"]);
}

#[test]
fn an_empty_answer_can_win() {
    let mut desk = racing();
    assert_eq!(desk.finished(2, f64::NAN), ["adopt 2 hedge", "abort 1 hedge_lost", "done"]);
}

#[test]
fn no_race_once_a_token_came_or_without_leave() {
    let mut desk = generous();
    desk.begin(hedged(), snapshot());
    desk.at(1_000.0).tokens(1, 1);
    assert!(desk.at(1_500.0).wake().is_empty());
    for request in [spec(Mode::Auto), RequestSpec { mode: Mode::OnlyOnDevice, ..hedged() }] {
        let mut desk = generous();
        desk.begin(request, snapshot());
        assert!(desk.at(1_500.0).wake().is_empty());
    }
}

#[test]
fn gates_are_asked_when_it_starts() {
    let mut desk = generous();
    desk.begin(hedged(), snapshot());
    desk.at(1_000.0).push(RouteEvent::CloudEnabled { enabled: false });
    assert!(desk.at(1_500.0).wake().is_empty());
    let mut desk = racing();
    assert_eq!(desk.push(RouteEvent::CloudEnabled { enabled: false }), ["abort 2 cloud_disabled"]);
    assert!(desk.tokens(1, 1).is_empty(), "the device's leg was not touched");
}

#[test]
fn slow_devices_are_given_their_usual_time() {
    let mut desk = generous();
    for round in 0..4 {
        desk.at(10_000.0 * f64::from(round)).ask(Mode::OnlyOnDevice);
        desk.now_ms += 1_800.0;
        desk.tokens(1, 1);
        desk.finished(1, 20.0);
    }
    desk.at(50_000.0).begin(hedged(), snapshot());
    assert!(desk.at(51_799.0).wake().is_empty());
    assert_eq!(desk.at(51_800.0).wake(), ["start 2 in_cloud fresh hedge racing"]);
}

#[test]
fn one_request_in_twenty() {
    let mut desk = Desk::new();
    let mut races = 0;
    for round in 1..=100 {
        desk.at(10_000.0 * f64::from(round)).begin(hedged(), snapshot());
        desk.now_ms += 1_200.0;
        races += i32::from(!desk.wake().is_empty());
        assert!(races * 20 <= round, "{races} of {round}");
        desk.tokens(1, 1);
        desk.finished(1, 20.0);
    }
    assert_eq!(races, 5);
}
