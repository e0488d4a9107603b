//! The user's switch, the budget and the network, in the middle of things.

use inshore_route::{FailureKind, Mode, RequestSpec, RouteConfig, RouteEvent, Snapshot};

use crate::desk::{Desk, snapshot, spec};

const OFF: RouteEvent = RouteEvent::CloudEnabled { enabled: false };

#[test]
fn the_switch_ends_every_leg_outside_at_once() {
    let mut desk = Desk::new();
    desk.ask(Mode::PreferInCloud);
    desk.tokens(1, 3);
    desk.ask(Mode::OnlyInCloud);
    desk.ask(Mode::OnlyOnDevice);
    assert_eq!(
        desk.push(OFF),
        [
            "abort 1 cloud_disabled",
            "start 2 on_device replace cloud_disabled handover",
            "abort 1 cloud_disabled",
            "fail denied"
        ]
    );
    assert_eq!(desk.ask(Mode::PreferOnDevice), ["start 1 on_device fresh preferred_on_device"]);
    assert!(desk.push(OFF).is_empty(), "nothing is outside");
}

#[test]
fn a_new_snapshot_is_news_for_running_requests() {
    let mut desk = Desk::new();
    desk.ask(Mode::OnlyInCloud);
    let orders = desk.begin(spec(Mode::Auto), Snapshot { cloud_enabled: false, ..snapshot() });
    assert_eq!(orders, ["abort 1 cloud_disabled", "fail denied", "start 1 on_device fresh cloud_disabled"]);
}

#[test]
fn after_the_switch_no_failure_leads_outside() {
    let mut desk = Desk::with(RouteConfig { max_recoveries: 0, ..RouteConfig::default() });
    desk.ask(Mode::PreferOnDevice);
    desk.tokens(1, 1);
    desk.push(OFF);
    assert_eq!(desk.failed(1, FailureKind::DeviceLost), ["fail device_lost device_lost"]);
}

#[test]
fn a_leg_that_waits_is_outside_too() {
    let mut desk = Desk::new();
    desk.ask(Mode::PreferInCloud);
    desk.failed_until(1, FailureKind::RateLimited, 5_000.0);
    assert_eq!(desk.push(OFF), ["abort 2 cloud_disabled", "start 3 on_device fresh cloud_disabled"]);
}

#[test]
fn without_a_hand_over_left_the_switch_ends_the_answer() {
    let mut desk = Desk::with(RouteConfig { max_recoveries: 0, ..RouteConfig::default() });
    desk.ask(Mode::PreferOnDevice);
    desk.tokens(1, 1);
    desk.failed(1, FailureKind::WorkerCrashed);
    assert_eq!(desk.push(OFF), ["abort 2 cloud_disabled", "fail denied"]);
}

#[test]
fn offline_is_asked_again_at_a_hand_over() {
    let mut desk = Desk::with(RouteConfig { max_recoveries: 0, ..RouteConfig::default() });
    desk.ask(Mode::PreferOnDevice);
    desk.push(RouteEvent::Connectivity { online: false });
    assert_eq!(desk.failed(1, FailureKind::WorkerCrashed), ["fail worker_crashed worker_crashed"]);
}

#[test]
fn a_spent_budget_ends_the_cloud_leg() {
    let mut desk = Desk::new();
    let poor = |mode| RequestSpec { cloud_tokens_left: Some(60.0), ..spec(mode) };
    desk.begin(poor(Mode::PreferInCloud), snapshot());
    assert!(desk.tokens(1, 10).is_empty(), "50 read and 10 written");
    assert_eq!(desk.tokens(1, 1), ["abort 1 budget_spent", "start 2 on_device replace budget_spent handover"]);
    desk.begin(poor(Mode::OnlyInCloud), snapshot());
    assert_eq!(desk.tokens(1, 11), ["abort 1 budget_spent", "fail budget_spent"]);
}
