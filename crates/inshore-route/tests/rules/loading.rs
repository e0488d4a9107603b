//! A stored model that no request waits for is loaded in the background.

use inshore_route::{Availability, FailureKind, Mode, RequestSpec, RouteEvent, Snapshot};

use crate::desk::{Desk, snapshot, spec};

const LEAVES: &str = "start 1 in_cloud fresh predicted_ttft_too_long";
const LOAD: &str = "load engine predicted_ttft_too_long";
const HERE: &str = "start 1 on_device fresh meets_slo";

/// Loading takes 10 s, against a TTFT of 2 s wanted and 800 ms in the cloud.
fn cold() -> Snapshot {
    let mut snapshot = snapshot();
    snapshot.local.load_ms = 10_000.0;
    snapshot
}

fn ended(kind: Option<FailureKind>) -> RouteEvent {
    RouteEvent::LoadEnded { key: "engine".to_owned(), kind }
}

impl Desk {
    /// Asks in `auto` while the model is not loaded, and lets the cloud answer.
    fn cold(&mut self) -> Vec<String> {
        let orders = self.begin(spec(Mode::Auto), cold());
        assert_eq!(self.finished(1, f64::NAN), ["done"]);
        orders
    }
}

#[test]
fn the_request_leaves_and_the_next_one_finds_the_model_loaded() {
    let mut desk = Desk::new();
    assert_eq!(desk.cold(), [LEAVES, LOAD], "the answer first");
    assert_eq!(desk.cold(), [LEAVES], "one load at a time");
    assert_eq!(desk.push(ended(None)), [""; 0]);
    assert_eq!(desk.ask(Mode::Auto), [HERE]);
    assert_eq!(desk.cold(), [LEAVES, LOAD], "unloaded since");
}

#[test]
fn its_conversation_comes_home() {
    let talk = || RequestSpec { conversation: Some("a".to_owned()), ..spec(Mode::Auto) };
    let mut desk = Desk::new();
    assert_eq!(desk.begin(talk(), cold()), [LEAVES, LOAD]);
    desk.push(ended(None));
    assert_eq!(desk.begin(talk(), snapshot()), [HERE]);
    assert_eq!(desk.begin(talk(), cold()), ["start 1 on_device fresh sticky_on_device"], "and then it waits");
}

#[test]
fn only_where_loading_is_what_is_in_the_way() {
    let loads = |mode: Mode, change: &dyn Fn(&mut RequestSpec, &mut Snapshot)| {
        let (mut spec, mut snapshot) = (spec(mode), cold());
        change(&mut spec, &mut snapshot);
        Desk::new().begin(spec, snapshot).contains(&LOAD.to_owned())
    };
    assert!(loads(Mode::Auto, &|_, _| {}));
    for mode in [Mode::OnlyInCloud, Mode::PreferInCloud, Mode::PreferOnDevice, Mode::OnlyOnDevice] {
        assert!(!loads(mode, &|_, _| {}), "{mode:?}");
    }
    let local = |change: fn(&mut inshore_route::LocalSnapshot)| {
        loads(Mode::Auto, &move |_, snapshot| change(&mut snapshot.local))
    };
    assert!(!local(|local| local.load_ms = 1.0), "it waits for that");
    assert!(!local(|local| (local.load_ms, local.queue_ms) = (0.0, 60_000.0)), "a queue passes by itself");
    assert!(!local(|local| local.availability = Availability::Downloadable), "never a download");
    assert!(!local(|local| local.memory_fits = Some(false)));
    assert!(!local(|local| local.context_tokens = Some(10.0)));
    assert!(!local(|local| local.estimate.iter_mut().for_each(|speeds| speeds.decode_tps = 3.0)), "too slow anyway");
    assert!(!local(|local| local.estimate.iter_mut().for_each(|speeds| speeds.prefill_tps = 1.0)), "too slow anyway");
    assert!(!loads(Mode::Auto, &|spec, _| spec.local_lacks = vec!["tools".to_owned()]));
    assert!(!loads(Mode::Auto, &|_, snapshot| snapshot.online = false), "it stays, and loads itself");
}

#[test]
fn an_engine_that_does_not_load_is_left_alone() {
    let mut desk = Desk::new();
    for _ in 0..2 {
        assert_eq!(desk.cold(), [LEAVES, LOAD]);
        assert_eq!(desk.push(ended(Some(FailureKind::OutOfMemory))), [""; 0]);
    }
    desk.cold();
    assert_eq!(desk.push(ended(Some(FailureKind::WorkerCrashed))), ["breaker engine open until 30000"]);
    assert_eq!(desk.cold(), ["start 1 in_cloud fresh local_breaker_open"]);
    // The load is the trial: no request has to find out.
    assert_eq!(desk.at(30_000.0).cold(), [LEAVES, "breaker engine half_open", LOAD]);
    assert_eq!(desk.cold(), ["start 1 in_cloud fresh local_breaker_open"]);
    assert_eq!(desk.push(ended(Some(FailureKind::Other))), ["breaker engine open until 90000"]);
    assert_eq!(desk.at(90_000.0).cold(), [LEAVES, "breaker engine half_open", LOAD]);
    assert_eq!(desk.push(ended(None)), [""; 0], "loaded, but it has not answered yet");
    assert_eq!(desk.ask(Mode::Auto), [HERE]);
    assert_eq!(desk.finished(1, 20.0), ["breaker engine closed", "done"]);
}

#[test]
fn the_end_of_a_load_that_nobody_ordered_says_nothing() {
    let mut desk = Desk::new();
    for key in ["engine", "stranger"] {
        for _ in 0..4 {
            let kind = Some(FailureKind::WorkerCrashed);
            assert_eq!(desk.push(RouteEvent::LoadEnded { key: key.to_owned(), kind }), [""; 0]);
        }
    }
    assert_eq!(desk.ask(Mode::Auto), [HERE]);
}
