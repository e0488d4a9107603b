//! Where a request begins.

use inshore_route::{Availability, Estimate, Mode, Privacy, RequestSpec, Snapshot};

use crate::desk::{Desk, snapshot, spec};

fn first(spec: RequestSpec, snapshot: Snapshot) -> String {
    Desk::new().begin(spec, snapshot).first().expect("an order").clone()
}

fn local(change: impl FnOnce(&mut inshore_route::LocalSnapshot)) -> Snapshot {
    let mut snapshot = snapshot();
    change(&mut snapshot.local);
    snapshot
}

#[test]
fn each_mode_has_its_side() {
    for (mode, order) in [
        (Mode::OnlyOnDevice, "start 1 on_device fresh mode_on_device"),
        (Mode::PreferOnDevice, "start 1 on_device fresh preferred_on_device"),
        (Mode::Auto, "start 1 on_device fresh meets_slo"),
        (Mode::PreferInCloud, "start 1 in_cloud fresh preferred_in_cloud"),
        (Mode::OnlyInCloud, "start 1 in_cloud fresh mode_in_cloud"),
    ] {
        assert_eq!(first(spec(mode), snapshot()), order);
    }
}

#[test]
fn a_model_that_is_not_here_leaves_the_cloud_or_nothing() {
    let missing = || local(|local| local.availability = Availability::Downloadable);
    assert_eq!(first(spec(Mode::Auto), missing()), "start 1 in_cloud fresh not_downloaded");
    assert_eq!(first(spec(Mode::PreferOnDevice), missing()), "start 1 in_cloud fresh not_downloaded");
    assert_eq!(first(spec(Mode::OnlyOnDevice), missing()), "fail not_downloaded");
    let private = RequestSpec { privacy: Privacy::LocalOnly, ..spec(Mode::Auto) };
    assert_eq!(first(private, missing()), "fail not_downloaded");
    assert_eq!(first(spec(Mode::Auto), Snapshot { cloud: None, ..missing() }), "fail not_downloaded");
}

#[test]
fn only_in_cloud_never_falls_back() {
    let mode = Mode::OnlyInCloud;
    assert_eq!(first(spec(mode), Snapshot { cloud: None, ..snapshot() }), "fail no_endpoint");
    assert_eq!(first(spec(mode), Snapshot { online: false, ..snapshot() }), "fail offline");
    assert_eq!(first(spec(mode), Snapshot { cloud_enabled: false, ..snapshot() }), "fail cloud_disabled");
    let private = RequestSpec { privacy: Privacy::LocalOnly, ..spec(mode) };
    assert_eq!(first(private, snapshot()), "fail private");
}

#[test]
fn a_gate_that_is_shut_says_why_it_stays_here() {
    let private = RequestSpec { privacy: Privacy::LocalOnly, ..spec(Mode::Auto) };
    assert_eq!(first(private, snapshot()), "start 1 on_device fresh private");
    let offline = Snapshot { online: false, ..snapshot() };
    assert_eq!(first(spec(Mode::PreferInCloud), offline), "start 1 on_device fresh offline");
    let poor = RequestSpec { cloud_tokens_left: Some(50.0), ..spec(Mode::PreferInCloud) };
    assert_eq!(first(poor, snapshot()), "start 1 on_device fresh budget_spent");
}

#[test]
fn the_slo_decides_in_auto() {
    let speeds = |prefill_tps, decode_tps| local(|local| local.estimate = Some(Estimate { prefill_tps, decode_tps }));
    assert_eq!(first(spec(Mode::Auto), speeds(200.0, 9.0)), "start 1 in_cloud fresh predicted_tps_too_low");
    assert_eq!(first(spec(Mode::Auto), speeds(20.0, 20.0)), "start 1 in_cloud fresh predicted_ttft_too_long");
    let loading = local(|local| local.load_ms = 1_900.0);
    assert_eq!(first(spec(Mode::Auto), loading), "start 1 in_cloud fresh predicted_ttft_too_long");
    let queued = local(|local| local.queue_ms = 1_900.0);
    assert_eq!(first(spec(Mode::Auto), queued), "start 1 in_cloud fresh predicted_ttft_too_long");
    // The SLO is missed, but the cloud (800 ms by default) would be later still.
    let strict = RequestSpec { slo: inshore_route::Slo { ttft_ms: 100.0, ..spec(Mode::Auto).slo }, ..spec(Mode::Auto) };
    assert_eq!(first(strict, snapshot()), "start 1 on_device fresh preferred_on_device");
    let unknown = local(|local| local.estimate = None);
    assert_eq!(first(spec(Mode::Auto), unknown), "start 1 on_device fresh preferred_on_device");
    assert_eq!(first(spec(Mode::PreferOnDevice), speeds(1.0, 1.0)), "start 1 on_device fresh preferred_on_device");
}

#[test]
fn a_queue_is_no_verdict_on_the_device() {
    let mut desk = Desk::new();
    let queued = local(|local| local.queue_ms = 9_000.0);
    assert_eq!(desk.begin(spec(Mode::Auto), queued), ["start 1 in_cloud fresh predicted_ttft_too_long"]);
    assert_eq!(desk.ask(Mode::Auto), ["start 1 on_device fresh meets_slo"]);
}

#[test]
fn real_calls_predict_the_cloud() {
    let mut desk = Desk::new();
    // The endpoint takes 5 s; a device that takes 3 s is then the faster one, though it misses the SLO.
    for round in 0..4 {
        desk.at(f64::from(round) * 10_000.0).ask(Mode::OnlyInCloud);
        desk.now_ms += 5_000.0;
        desk.tokens(1, 1);
        desk.finished(1, f64::NAN);
    }
    let loading = local(|local| local.load_ms = 2_700.0);
    assert_eq!(desk.begin(spec(Mode::Auto), loading), ["start 1 on_device fresh preferred_on_device"]);
}

#[test]
fn requests_that_are_running_cannot_begin_again() {
    let mut desk = Desk::new();
    desk.ask(Mode::Auto);
    let again = inshore_route::RouteEvent::Begin { request: 1, spec: spec(Mode::OnlyInCloud), snapshot: snapshot() };
    assert!(desk.push(again).is_empty());
    assert_eq!(desk.finished(1, 20.0), ["done"]);
}

#[test]
fn an_edge_host_is_outside_too() {
    let mut edge = snapshot();
    edge.cloud.iter_mut().for_each(|cloud| cloud.source = inshore_route::Source::Edge);
    assert_eq!(first(spec(Mode::OnlyInCloud), edge.clone()), "start 1 edge fresh mode_in_cloud");
    let private = RequestSpec { privacy: Privacy::LocalOnly, ..spec(Mode::PreferInCloud) };
    assert_eq!(first(private, edge), "start 1 on_device fresh private");
}
