//! What holds for every trace: 10,000 random ones, executed literally by a simulated executor.

mod executor;
mod traces;

use std::collections::{BTreeMap, BTreeSet};

use inshore_route::{Availability, Mode, Order, Privacy, RouteConfig, RouteEvent, Router};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use executor::{Executor, Outcome};
use traces::{Script, any_config, any_event, any_script};

/// Each takes under a millisecond; together with the second property 10,000 cases.
const SCRIPTS: u32 = 6_000;
const NOISE: u32 = 4_000;

proptest! {
    #![proptest_config(ProptestConfig { cases: SCRIPTS, failure_persistence: None, ..ProptestConfig::default() })]

    /// A world with faults of every kind, executed literally: each request ends exactly once, nothing leaves the device
    /// that must not, and every budget is kept.
    #[test]
    fn executed_literally_every_request_ends_once_and_lawfully(script in any_script()) {
        let Outcome { history, ends, hedges, running, .. } = Executor::run(&script);
        prop_assert_eq!(running, 0, "all requests have ended");
        for (request, spec) in script.requests.iter().enumerate() {
            prop_assert_eq!(ends.get(&(request as u64)), Some(&1), "request {} of mode {:?}", request, spec.mode);
        }
        prop_assert!(hedges as f64 <= script.config.hedge_share * script.requests.len() as f64);
        lawful(&script, &history)?;
        let again = Executor::run(&script).history;
        let same = history.iter().map(|(_, orders)| orders).eq(again.iter().map(|(_, orders)| orders));
        prop_assert!(same, "the same events give the same orders");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: NOISE, failure_persistence: None, ..ProptestConfig::default() })]

    /// Events in any order about anything, at any time: no panic, and no request ends twice.
    #[test]
    fn noise_is_survived(
        config in any_config(),
        events in prop::collection::vec((any_time(), any_event()), 1..60),
    ) {
        let mut router = Router::new(config).expect("lawful constants");
        let mut begun: BTreeMap<u64, i64> = BTreeMap::new();
        let mut cloud_enabled = true;
        for (now_ms, event) in events {
            match &event {
                RouteEvent::Begin { request, snapshot, .. } if router.running().all(|running| running != *request) => {
                    *begun.entry(*request).or_default() += 1;
                    cloud_enabled = snapshot.cloud_enabled;
                }
                RouteEvent::CloudEnabled { enabled } => cloud_enabled = *enabled,
                _ => {}
            }
            for order in router.push(now_ms, event) {
                match order {
                    Order::Fail { request, .. } | Order::Done { request } => *begun.entry(request).or_default() -= 1,
                    Order::Start { source, after_ms, .. } => {
                        prop_assert!(source.is_device() || cloud_enabled);
                        prop_assert!(after_ms.is_finite() && after_ms >= 0.0);
                    }
                    Order::Wake { at_ms } => prop_assert!(at_ms.is_finite()),
                    _ => {}
                }
            }
        }
        let mut left: Vec<u64> = begun.into_iter().filter(|(_, open)| *open != 0).map(|(request, _)| request).collect();
        left.sort_unstable();
        let mut running: Vec<u64> = router.running().collect();
        running.sort_unstable();
        prop_assert_eq!(left, running, "begun once, ended once, or running");
    }
}

/// Random worlds prove nothing about rules that they never reach.
#[test]
fn the_scripts_reach_every_rule() {
    let mut runner = TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..1_500 {
        let script = any_script().new_tree(&mut runner).expect("a script").current();
        for (_, orders) in Executor::run(&script).history {
            for order in orders {
                let json = serde_json::to_value(order).expect("writes");
                for key in ["type", "reason", "manner", "plan", "state", "source", "last"] {
                    seen.extend(json[key].as_str().map(str::to_owned));
                }
            }
        }
    }
    let names = "start adopt abort fail done wake load breaker on_device edge in_cloud fresh token_ids prefix replace same \
        smaller_context cpu closed open half_open mode_on_device preferred_on_device meets_slo sticky_on_device \
        probing_recovery no_endpoint cloud_disabled private offline budget_spent cloud_breaker_open cloud_failed \
        mode_in_cloud preferred_in_cloud sticky_in_cloud not_downloaded unsupported_device unsupported_feature \
        context_too_long memory_too_small local_breaker_open predicted_ttft_too_long predicted_tps_too_low \
        measured_tps_too_low hedge hedge_lost stalled worker_crashed device_lost out_of_memory local_failed retry_after \
        deadline cancelled handover_spent denied refused model_mismatch";
    let missing: Vec<&str> = names.split_whitespace().filter(|name| !seen.contains(*name)).collect();
    assert!(missing.is_empty(), "never ordered: {missing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    /// However signs of life come: none shortens the patience with a leg, and none stretches it beyond the overall limit.
    #[test]
    fn signs_of_life_restart_patience_within_the_overall_limit(
        gaps_ms in prop::collection::vec(0.0..29_000.0, 0..120),
        alive_timeout_ms in 0.0..900_000.0,
    ) {
        let config = RouteConfig { alive_timeout_ms, ..RouteConfig::default() };
        let mut router = Router::new(config).expect("lawful constants");
        let (mut now_ms, request) = (0.0, 1);
        router.push(now_ms, traces::cloud_only(request));
        let overall_ms = config.first_token_timeout_ms + alive_timeout_ms;
        for gap_ms in gaps_ms {
            now_ms += gap_ms;
            router.push(now_ms, RouteEvent::Alive { request, leg: 1 });
            prop_assert_eq!(router.running().count() == 1, now_ms < overall_ms, "at {} of {}", now_ms, overall_ms);
        }
        let silent_ms = (now_ms + config.first_token_timeout_ms).min(overall_ms);
        router.push(silent_ms - 0.5, RouteEvent::Wake);
        prop_assert_eq!(router.running().count() == 1, now_ms < overall_ms && silent_ms - 0.5 < overall_ms);
        router.push(silent_ms + 0.5, RouteEvent::Wake);
        prop_assert_eq!(router.running().count(), 0);
    }
}

fn any_time() -> impl Strategy<Value = f64> {
    prop_oneof![20 => 0.0..100_000.0, 1 => prop::num::f64::ANY]
}

/// The laws of privacy, mode, switch and hand-over, checked on what happened.
fn lawful(script: &Script, history: &[(RouteEvent, Vec<Order>)]) -> Result<(), TestCaseError> {
    let RouteConfig { max_handovers, max_recoveries, .. } = script.config;
    let mut cloud_enabled = true;
    let mut online = true;
    let mut sides: BTreeMap<u64, Vec<bool>> = BTreeMap::new();
    for (event, orders) in history {
        match event {
            RouteEvent::Begin { snapshot, .. } => {
                cloud_enabled = snapshot.cloud_enabled;
                online = snapshot.online;
            }
            RouteEvent::CloudEnabled { enabled } => cloud_enabled = *enabled,
            RouteEvent::Connectivity { online: now } => online = *now,
            _ => {}
        }
        for order in orders {
            if let Order::Load { .. } = order {
                // Where a request left although a stored model would do, and nowhere else.
                let RouteEvent::Begin { spec, snapshot, .. } = event else { panic!("a load without a request") };
                prop_assert!(snapshot.local.availability == Availability::Available && snapshot.local.load_ms > 0.0);
                prop_assert!(spec.mode == Mode::Auto && spec.privacy == Privacy::CloudAllowed);
                let leaves = |order: &Order| matches!(order, Order::Start { source, .. } if !source.is_device());
                prop_assert!(
                    orders.iter().position(leaves) < orders.iter().position(|other| other == order),
                    "the answer first"
                );
            }
            let Order::Start { request, source, racing, .. } = order else { continue };
            let spec = &script.requests[*request as usize];
            let here = source.is_device();
            if !here {
                prop_assert!(spec.privacy == Privacy::CloudAllowed, "private");
                prop_assert!(spec.mode != Mode::OnlyOnDevice && cloud_enabled && online);
            } else {
                prop_assert!(spec.mode != Mode::OnlyInCloud);
            }
            if !racing {
                sides.entry(*request).or_default().push(here);
            }
        }
    }
    for (request, sides) in sides {
        let changes = sides.windows(2).filter(|pair| pair[0] != pair[1]).count();
        // A lost race that was adopted is a change without a start of its own, so starts may show one more.
        let raced = u32::from(script.requests[request as usize].hedge);
        prop_assert!(changes as u32 <= max_handovers + raced, "{} hand-overs", changes);
        // First leg, restarts, hand-overs, and once the text instead of the ids.
        prop_assert!(sides.len() as u32 <= 1 + max_recoveries + max_handovers + 1);
    }
    Ok(())
}
