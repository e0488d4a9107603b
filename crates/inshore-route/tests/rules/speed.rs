//! Hysteresis, stickiness and the dwell time.

use inshore_route::{Mode, RequestSpec, RouteEvent, Snapshot};

use crate::desk::{Desk, snapshot, spec};

const HERE: &str = "start 1 on_device fresh meets_slo";
const SLOW: &str = "start 1 in_cloud fresh measured_tps_too_low";
const TRIAL: &str = "start 1 on_device fresh probing_recovery";

fn auto() -> RequestSpec {
    spec(Mode::Auto)
}

fn talk() -> RequestSpec {
    RequestSpec { conversation: Some("a".to_owned()), ..auto() }
}

/// Has left the device at 0 ms, after three slow answers.
fn away() -> Desk {
    let mut desk = Desk::new();
    for _ in 0..3 {
        assert_eq!(desk.answer(auto(), 7.0), HERE);
    }
    assert_eq!(desk.answer(auto(), 7.0), SLOW);
    desk
}

#[test]
fn three_slow_answers_of_five_leave_the_device() {
    let mut desk = Desk::new();
    for tps in [7.0, 20.0, 7.0, 8.0, 9.0, 7.0] {
        assert_eq!(desk.answer(auto(), tps), HERE, "8 is not below 0.8 x 10");
    }
    assert_eq!(desk.answer(auto(), 7.0), HERE, "of the last five, two were slow");
    assert_eq!(desk.answer(auto(), 7.0), SLOW, "three");
}

#[test]
fn a_trial_brings_it_back_or_not() {
    let mut desk = away();
    assert_eq!(desk.at(29_999.0).answer(auto(), 50.0), SLOW);
    assert_eq!(desk.at(30_000.0).answer(auto(), 11.9), TRIAL);
    assert_eq!(desk.at(89_999.0).answer(auto(), 50.0), SLOW, "1.19 is not 1.2: twice as long now");
    assert_eq!(desk.at(90_000.0).answer(auto(), 12.0), TRIAL);
    assert_eq!(desk.at(90_001.0).answer(auto(), 12.0), HERE);
}

#[test]
fn one_trial_at_a_time_and_a_lost_one_counts_for_nothing() {
    let mut desk = away();
    desk.now_ms = 30_000.0;
    assert_eq!(desk.ask(Mode::Auto), [TRIAL]);
    assert_eq!(desk.ask(Mode::Auto), [SLOW]);
    desk.push(RouteEvent::Cancelled { request: 5 });
    assert_eq!(desk.ask(Mode::Auto), [TRIAL]);
    desk.push(RouteEvent::Visibility { hidden: true });
    desk.finished(1, 50.0);
    assert_eq!(desk.ask(Mode::Auto), [TRIAL], "a hidden page's speed is none");
}

#[test]
fn a_trial_that_crashes_has_failed() {
    let mut desk = away();
    desk.at(30_000.0).ask(Mode::Auto);
    desk.failed(1, inshore_route::FailureKind::WorkerCrashed);
    desk.finished(2, 50.0);
    assert_eq!(desk.at(89_999.0).answer(auto(), 50.0), SLOW);
    assert_eq!(desk.at(90_000.0).answer(auto(), 50.0), TRIAL);
}

#[test]
fn a_slow_estimate_is_believed_and_a_fair_one_is_tried() {
    let with = |decode_tps| {
        let mut snapshot = snapshot();
        snapshot.local.estimate.iter_mut().for_each(|estimate| estimate.decode_tps = decode_tps);
        snapshot
    };
    for (tps, later) in [(3.0, "start 1 in_cloud fresh predicted_tps_too_low"), (9.0, TRIAL)] {
        let mut desk = Desk::new();
        assert_eq!(desk.begin(auto(), with(tps)), ["start 1 in_cloud fresh predicted_tps_too_low"]);
        desk.finished(1, f64::NAN);
        assert_eq!(desk.at(30_000.0).begin(auto(), with(tps)), [later]);
    }
}

#[test]
fn a_conversation_stays_where_it_began() {
    let mut desk = Desk::new();
    let busy = || {
        let mut snapshot = snapshot();
        snapshot.local.queue_ms = 60_000.0;
        snapshot
    };
    assert_eq!(desk.begin(talk(), busy()), ["start 1 in_cloud fresh predicted_ttft_too_long"]);
    assert_eq!(desk.answer(talk(), 20.0), "start 1 in_cloud fresh sticky_in_cloud");
    let other = RequestSpec { conversation: Some("b".to_owned()), ..auto() };
    assert_eq!(desk.answer(other.clone(), 20.0), HERE);
    assert_eq!(
        desk.begin(other, busy()),
        ["start 1 on_device fresh sticky_on_device"],
        "a prediction does not move it"
    );
}

#[test]
fn measurements_move_a_conversation_both_ways() {
    let mut desk = Desk::new();
    assert_eq!(desk.answer(talk(), 7.0), HERE);
    for _ in 0..2 {
        assert_eq!(desk.answer(talk(), 7.0), "start 1 on_device fresh sticky_on_device");
    }
    assert_eq!(desk.answer(talk(), 7.0), SLOW);
    assert_eq!(desk.at(30_000.0).answer(talk(), 50.0), TRIAL);
    assert_eq!(desk.answer(talk(), 50.0), "start 1 on_device fresh sticky_on_device");
}

#[test]
fn where_there_was_no_choice_nothing_sticks() {
    let mut desk = Desk::new();
    let mut missing = snapshot();
    missing.local.availability = inshore_route::Availability::Downloading;
    assert_eq!(desk.begin(talk(), missing), ["start 1 in_cloud fresh not_downloaded"]);
    assert_eq!(desk.answer(talk(), 20.0), HERE);
    assert_eq!(desk.begin(talk(), Snapshot { online: false, ..snapshot() }), ["start 1 on_device fresh offline"]);
}

#[test]
fn a_long_prompt_goes_alone() {
    let mut desk = Desk::new();
    let long = || RequestSpec { prompt_tokens: 1_000.0, ..auto() };
    assert_eq!(desk.answer(long(), 20.0), "start 1 in_cloud fresh predicted_ttft_too_long");
    assert_eq!(desk.answer(auto(), 20.0), HERE);
    assert_eq!(desk.answer(long(), 20.0), "start 1 in_cloud fresh predicted_ttft_too_long");
}

#[test]
fn a_square_wave_changes_the_side_at_most_once_per_dwell_time() {
    // Fast and slow for 3 s to 200 s each; a request every 500 ms. Trials are single requests with their own reason.
    for half_period_ms in [3_000.0, 10_000.0, 29_000.0, 31_000.0, 60_000.0, 200_000.0] {
        let mut desk = Desk::new();
        let mut settled = true;
        let mut trial_ms = f64::NAN;
        let mut changes = Vec::new();
        for step in 0..7_200 {
            let now_ms = 500.0 * f64::from(step);
            let fast = (now_ms / half_period_ms) as u64 % 2 == 1;
            let start = desk.at(now_ms).answer(auto(), if fast { 30.0 } else { 3.0 });
            let here = start.contains("on_device");
            if start == TRIAL {
                trial_ms = now_ms;
            } else if here != settled {
                settled = here;
                // The trial that went well was the change.
                changes.push(if here { trial_ms } else { now_ms });
            }
        }
        assert!(!changes.is_empty(), "a slow device is left");
        for pair in changes.windows(2) {
            assert!(pair[1] - pair[0] >= 30_000.0, "{half_period_ms}: {pair:?}");
        }
    }
}
