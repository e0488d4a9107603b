//! Random requests, worlds and faults.

use inshore_route::{
    Availability, CloudSnapshot, Continuation, Estimate, FailureKind, LocalSnapshot, Mode, Privacy, RequestSpec,
    RouteConfig, RouteEvent, Slo, Snapshot, Source,
};
use proptest::prelude::*;

/// How a leg will behave: tokens with gaps, then an end.
#[derive(Debug, Clone)]
pub struct LegScript {
    pub first_ms: f64,
    pub gap_ms: f64,
    pub tokens: u32,
    pub ids: Option<bool>,
    /// Signs of life before the first token.
    pub beats: u32,
    pub end: LegEnd,
}

#[derive(Debug, Clone)]
pub enum LegEnd {
    Finishes,
    Fails(FailureKind, Option<f64>),
    /// Nothing more is heard of it.
    Stalls,
    /// It is kept alive, but says nothing more.
    Pings,
}

/// What happens from outside, besides legs.
#[derive(Debug, Clone)]
pub enum Disturbance {
    Cancel(usize),
    Cloud(bool),
    Online(bool),
    Hidden(bool),
    Suspended(f64),
    Wake,
}

/// One random world.
#[derive(Debug, Clone)]
pub struct Script {
    pub config: RouteConfig,
    pub requests: Vec<RequestSpec>,
    pub snapshots: Vec<(f64, Snapshot)>,
    /// Taken in turn by whichever leg starts.
    pub legs: Vec<LegScript>,
    /// How long loads in the background take, and how they fail; in turn.
    pub loads: Vec<(f64, Option<FailureKind>)>,
    pub disturbances: Vec<(f64, Disturbance)>,
}

fn any_mode() -> impl Strategy<Value = Mode> {
    use Mode::{Auto, OnlyInCloud, OnlyOnDevice, PreferInCloud, PreferOnDevice};
    prop::sample::select(vec![OnlyOnDevice, PreferOnDevice, PreferInCloud, OnlyInCloud, Auto, Auto, Auto])
}

fn any_kind() -> impl Strategy<Value = FailureKind> {
    use FailureKind as Kind;
    prop::sample::select(vec![
        Kind::WorkerCrashed,
        Kind::EnginePanicked,
        Kind::DeviceLost,
        Kind::OutOfMemory,
        Kind::Refused,
        Kind::ContextExceeded,
        Kind::Unauthorised,
        Kind::Payment,
        Kind::NotFound,
        Kind::RateLimited,
        Kind::ServerError,
        Kind::Network,
        Kind::Protocol,
        Kind::ModelMismatch,
        Kind::Other,
    ])
}

/// Mostly sensible, sometimes none at all.
fn quantity(sensible: std::ops::Range<f64>) -> impl Strategy<Value = f64> {
    prop_oneof![30 => sensible, 1 => Just(0.0), 1 => prop::num::f64::ANY]
}

fn any_spec() -> impl Strategy<Value = RequestSpec> {
    (
        (any_mode(), quantity(100.0..5_000.0), quantity(1.0..40.0), prop::bool::weighted(0.15)),
        quantity(1.0..3_000.0),
        prop::option::weighted(0.5, prop::sample::select(vec!["a", "b"])),
        prop::option::weighted(0.3, quantity(10.0..60_000.0)),
        any::<bool>(),
        prop::option::weighted(0.2, quantity(0.0..4_000.0)),
        prop::bool::weighted(0.1),
    )
        .prop_map(|((mode, ttft_ms, tps, private), prompt_tokens, talk, deadline_ms, hedge, left, lacks)| {
            RequestSpec {
                mode,
                slo: Slo { ttft_ms, tokens_per_second: tps },
                privacy: if private { Privacy::LocalOnly } else { Privacy::CloudAllowed },
                prompt_tokens,
                max_tokens: None,
                conversation: talk.map(str::to_owned),
                deadline_ms,
                hedge,
                cloud_tokens_left: left,
                local_lacks: if lacks { vec!["tools".to_owned()] } else { Vec::new() },
            }
        })
}

fn any_snapshot() -> impl Strategy<Value = Snapshot> {
    use Availability::{Available, Downloadable, Downloading, Unavailable};
    use Continuation::{None, Prefix, TokenIds};
    (
        prop::sample::select(vec![Available, Available, Available, Available, Downloadable, Downloading, Unavailable]),
        prop::option::weighted(0.9, quantity(500.0..4_000.0)),
        prop::option::weighted(0.9, prop::bool::weighted(0.9)),
        (quantity(0.0..3_000.0), quantity(0.0..3_000.0)),
        prop::option::weighted(0.8, (quantity(5.0..500.0), quantity(0.5..60.0))),
        prop::option::weighted(0.85, (any::<bool>(), prop::sample::select(vec![TokenIds, Prefix, None]))),
        (prop::bool::weighted(0.9), prop::bool::weighted(0.9), prop::bool::weighted(0.1)),
    )
        .prop_map(|(availability, context_tokens, memory_fits, (load_ms, queue_ms), speeds, cloud, world)| {
            Snapshot {
                local: LocalSnapshot {
                    availability,
                    key: "engine".to_owned(),
                    context_tokens,
                    memory_fits,
                    load_ms,
                    queue_ms,
                    estimate: speeds.map(|(prefill_tps, decode_tps)| Estimate { prefill_tps, decode_tps }),
                },
                cloud: cloud.map(|(edge, continuation)| CloudSnapshot {
                    source: if edge { Source::Edge } else { Source::InCloud },
                    key: if edge { "edge" } else { "cloud" }.to_owned(),
                    continuation,
                }),
                cloud_enabled: world.0,
                online: world.1,
                hidden: world.2,
            }
        })
}

fn any_leg() -> impl Strategy<Value = LegScript> {
    let end = prop_oneof![
        3 => Just(LegEnd::Finishes),
        3 => (any_kind(), prop::option::weighted(0.4, quantity(0.0..20_000.0))).prop_map(|(k, r)| LegEnd::Fails(k, r)),
        1 => Just(LegEnd::Stalls),
        1 => Just(LegEnd::Pings),
    ];
    let first_ms = prop_oneof![9 => 0.0..4_000.0, 1 => 0.0..90_000.0];
    (first_ms, 1.0..400.0, 0_u32..30, any::<Option<bool>>(), 0_u32..4, end)
        .prop_map(|(first_ms, gap_ms, tokens, ids, beats, end)| LegScript { first_ms, gap_ms, tokens, ids, beats, end })
}

fn any_disturbance() -> impl Strategy<Value = Disturbance> {
    prop_oneof![
        (0_usize..12).prop_map(Disturbance::Cancel),
        any::<bool>().prop_map(Disturbance::Cloud),
        any::<bool>().prop_map(Disturbance::Online),
        any::<bool>().prop_map(Disturbance::Hidden),
        quantity(0.0..100_000.0).prop_map(Disturbance::Suspended),
        Just(Disturbance::Wake),
    ]
}

pub fn any_config() -> impl Strategy<Value = RouteConfig> {
    let limits = (0_u32..3, 0_u32..4, 0.0..1.0, 1.0..8_000.0, 0.0..60_000.0);
    limits.prop_map(|(max_handovers, max_recoveries, hedge_share, stall_ms, return_after_ms)| RouteConfig {
        max_handovers,
        max_recoveries,
        hedge_share,
        stall_ms,
        return_after_ms,
        ..RouteConfig::default()
    })
}

pub fn any_script() -> impl Strategy<Value = Script> {
    let requests = prop::collection::vec((any_spec(), 0.0..120_000.0, any_snapshot()), 1..12);
    let legs = prop::collection::vec(any_leg(), 1..24);
    let loads = prop::collection::vec((0.0..20_000.0, prop::option::weighted(0.4, any_kind())), 1..6);
    let disturbances = prop::collection::vec((0.0..150_000.0, any_disturbance()), 0..12);
    (any_config(), requests, legs, loads, disturbances).prop_map(|(config, requests, legs, loads, disturbances)| {
        let (requests, snapshots) = requests.into_iter().map(|(spec, at, snapshot)| (spec, (at, snapshot))).unzip();
        Script { config, requests, snapshots, legs, loads, disturbances }
    })
}

/// The begin of a request that only the endpoint may answer.
pub fn cloud_only(request: u64) -> RouteEvent {
    let local = LocalSnapshot {
        availability: Availability::Unavailable,
        key: "engine".to_owned(),
        context_tokens: None,
        memory_fits: None,
        load_ms: 0.0,
        queue_ms: 0.0,
        estimate: None,
    };
    let cloud =
        CloudSnapshot { source: Source::InCloud, key: "endpoint".to_owned(), continuation: Continuation::Prefix };
    let spec = RequestSpec {
        mode: Mode::OnlyInCloud,
        slo: Slo { ttft_ms: 2_000.0, tokens_per_second: 10.0 },
        privacy: Privacy::CloudAllowed,
        prompt_tokens: 50.0,
        max_tokens: None,
        conversation: None,
        deadline_ms: None,
        hedge: false,
        cloud_tokens_left: None,
        local_lacks: Vec::new(),
    };
    let snapshot = Snapshot { local, cloud: Some(cloud), cloud_enabled: true, online: true, hidden: false };
    RouteEvent::Begin { request, spec, snapshot }
}

/// Any event about few requests and legs, so that they meet.
pub fn any_event() -> impl Strategy<Value = RouteEvent> {
    let (request, leg) = (0_u64..4, 0_u64..4);
    prop_oneof![
        3 => (request.clone(), any_spec(), any_snapshot())
            .prop_map(|(request, spec, snapshot)| RouteEvent::Begin { request, spec, snapshot }),
        4 => (request.clone(), leg.clone(), any::<u32>(), any::<Option<bool>>())
            .prop_map(|(request, leg, tokens, ids)| RouteEvent::Tokens { request, leg, tokens, ids }),
        2 => (request.clone(), leg.clone()).prop_map(|(request, leg)| RouteEvent::Alive { request, leg }),
        3 => (request.clone(), leg.clone(), any_kind(), prop::option::of(quantity(0.0..20_000.0)))
            .prop_map(|(request, leg, kind, retry_after_ms)| RouteEvent::Failed { request, leg, kind, retry_after_ms }),
        1 => (request.clone(), leg, prop::option::of(quantity(1.0..500.0)), prop::option::of(quantity(1.0..60.0)))
            .prop_map(|(request, leg, prefill_tps, decode_tps)| RouteEvent::Finished { request, leg, prefill_tps, decode_tps }),
        1 => request.prop_map(|request| RouteEvent::Cancelled { request }),
        2 => (prop::sample::select(vec!["engine", "nobody"]), prop::option::of(any_kind()))
            .prop_map(|(key, kind)| RouteEvent::LoadEnded { key: key.to_owned(), kind }),
        4 => Just(RouteEvent::Wake),
        1 => any::<bool>().prop_map(|hidden| RouteEvent::Visibility { hidden }),
        1 => any::<bool>().prop_map(|online| RouteEvent::Connectivity { online }),
        1 => any::<bool>().prop_map(|enabled| RouteEvent::CloudEnabled { enabled }),
        1 => quantity(0.0..100_000.0).prop_map(|lost_ms| RouteEvent::Suspended { lost_ms }),
    ]
}
