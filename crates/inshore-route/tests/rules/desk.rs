//! A router with a clock in hand, and orders that read like sentences.

use inshore_route::{
    Availability, BreakerState, CloudSnapshot, Continuation, Estimate, FailureKind, LocalSnapshot, Mode, Order, Plan,
    Privacy, RequestSpec, RouteConfig, RouteEvent, Router, Slo, Snapshot, Source,
};

pub fn spec(mode: Mode) -> RequestSpec {
    RequestSpec {
        mode,
        slo: Slo { ttft_ms: 2_000.0, tokens_per_second: 10.0 },
        privacy: Privacy::CloudAllowed,
        prompt_tokens: 50.0,
        max_tokens: None,
        conversation: None,
        deadline_ms: None,
        hedge: false,
        cloud_tokens_left: None,
        local_lacks: Vec::new(),
    }
}

/// 20 tokens a second against 10 wanted; TTFT 300 ms.
pub fn snapshot() -> Snapshot {
    Snapshot {
        local: LocalSnapshot {
            availability: Availability::Available,
            key: "engine".to_owned(),
            context_tokens: Some(2_048.0),
            memory_fits: Some(true),
            load_ms: 0.0,
            queue_ms: 0.0,
            estimate: Some(Estimate { prefill_tps: 200.0, decode_tps: 20.0 }),
        },
        cloud: Some(CloudSnapshot {
            source: Source::InCloud,
            key: "endpoint".to_owned(),
            continuation: Continuation::TokenIds,
        }),
        cloud_enabled: true,
        online: true,
        hidden: false,
    }
}

/// Gives orders as short texts: `start 1 on_device fresh meets_slo`.
pub struct Desk {
    pub router: Router,
    pub now_ms: f64,
    /// The last wake that was ordered.
    pub wake_ms: Option<f64>,
    requests: u64,
}

impl Desk {
    pub fn new() -> Self {
        Self::with(RouteConfig::default())
    }

    pub fn with(config: RouteConfig) -> Self {
        let router = Router::new(config).expect("lawful constants");
        Self { router, now_ms: 0.0, wake_ms: None, requests: 0 }
    }

    pub fn push(&mut self, event: RouteEvent) -> Vec<String> {
        let orders = self.router.push(self.now_ms, event);
        for order in &orders {
            if let Order::Wake { at_ms } = order {
                self.wake_ms = Some(*at_ms);
            }
        }
        orders.iter().filter(|order| !matches!(order, Order::Wake { .. })).map(told).collect()
    }

    pub fn at(&mut self, now_ms: f64) -> &mut Self {
        self.now_ms = now_ms;
        self
    }

    /// A new request, the next number.
    pub fn begin(&mut self, spec: RequestSpec, snapshot: Snapshot) -> Vec<String> {
        self.requests += 1;
        let request = self.requests;
        self.push(RouteEvent::Begin { request, spec, snapshot })
    }

    pub fn ask(&mut self, mode: Mode) -> Vec<String> {
        self.begin(spec(mode), snapshot())
    }

    /// Of the latest request, as all below.
    pub fn tokens(&mut self, leg: u64, tokens: u32) -> Vec<String> {
        self.push(RouteEvent::Tokens { request: self.requests, leg, tokens, ids: None })
    }

    pub fn alive(&mut self, leg: u64) -> Vec<String> {
        self.push(RouteEvent::Alive { request: self.requests, leg })
    }

    pub fn failed(&mut self, leg: u64, kind: FailureKind) -> Vec<String> {
        self.push(RouteEvent::Failed { request: self.requests, leg, kind, retry_after_ms: None })
    }

    pub fn failed_until(&mut self, leg: u64, kind: FailureKind, retry_after_ms: f64) -> Vec<String> {
        self.push(RouteEvent::Failed { request: self.requests, leg, kind, retry_after_ms: Some(retry_after_ms) })
    }

    pub fn finished(&mut self, leg: u64, decode_tps: f64) -> Vec<String> {
        let request = self.requests;
        self.push(RouteEvent::Finished { request, leg, prefill_tps: Some(200.0), decode_tps: Some(decode_tps) })
    }

    pub fn wake(&mut self) -> Vec<String> {
        self.push(RouteEvent::Wake)
    }

    /// Asks in `auto`, and answers at once: on the device with this speed. Returns where it went and why.
    pub fn answer(&mut self, spec: RequestSpec, decode_tps: f64) -> String {
        let orders = self.begin(spec, snapshot());
        let start = orders.iter().find(|order| order.starts_with("start")).expect("a leg").clone();
        let done = if start.contains("on_device") { decode_tps } else { f64::NAN };
        assert!(self.finished(1, done).contains(&"done".to_owned()));
        start
    }

    /// Lets the tokens of a leg come in steady steps.
    pub fn stream(&mut self, leg: u64, tokens: u32, gap_ms: f64) {
        for _ in 0..tokens {
            self.now_ms += gap_ms;
            assert_eq!(self.tokens(leg, 1), [""; 0]);
        }
    }
}

fn name<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|json| json.as_str().map(str::to_owned)).expect("a name")
}

fn told(order: &Order) -> String {
    match order {
        Order::Start { leg, source, manner, plan, racing, reason, handover, after_ms, .. } => {
            let mut text = format!("start {leg} {} {} {}", name(source), name(manner), name(reason));
            if *plan != Plan::Same {
                text += &format!(" plan={}", name(plan));
            }
            if *racing {
                text += " racing";
            }
            if *handover {
                text += " handover";
            }
            if *after_ms > 0.0 {
                text += &format!(" after={after_ms}");
            }
            text
        }
        Order::Adopt { leg, reason, .. } => format!("adopt {leg} {}", name(reason)),
        Order::Abort { leg, reason, .. } => format!("abort {leg} {}", name(reason)),
        Order::Fail { reason, last, .. } => {
            format!("fail {}{}", name(reason), last.map_or(String::new(), |kind| format!(" {}", name(kind))))
        }
        Order::Done { .. } => "done".to_owned(),
        Order::Wake { at_ms } => format!("wake {at_ms}"),
        Order::Load { key, reason } => format!("load {key} {}", name(reason)),
        Order::Breaker { key, state, until_ms } => match (state, until_ms) {
            (BreakerState::Open, Some(until)) => format!("breaker {key} open until {until}"),
            _ => format!("breaker {key} {}", name(state)),
        },
    }
}
