//! What the policy remembers beyond a request, and the one place where legs start and end.

use crate::breaker::{Breaker, Change};
use crate::config::RouteConfig;
use crate::event::{CloudSnapshot, FailureKind, LocalSnapshot, RequestSpec, Source};
use crate::gates::{self, Door, Switches};
use crate::hedge::HedgeBudget;
use crate::hysteresis::Hysteresis;
use crate::launch::{Launch, manner};
use crate::load::Load;
use crate::order::{Manner, Order};
use crate::predict::{Forecast, LocalHistory, time};
use crate::reason::Reason;
use crate::request::{Leg, LegStart, Request};
use crate::samples::{Recent, Samples};

/// Engines and endpoints that are remembered. A page has one or two of each.
const TARGETS: usize = 16;
/// Conversations whose side is remembered.
const CONVERSATIONS: usize = 64;
/// A first token may take so many times its prediction before the patience for it begins.
const PREDICTION_SLACK: f64 = 2.0;

/// Everything about one local engine.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) breaker: Breaker,
    pub(crate) history: LocalHistory,
    pub(crate) hysteresis: Hysteresis,
    /// Was ordered and has not ended.
    pub(crate) load: Option<Load>,
}

/// Everything about one endpoint.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) breaker: Breaker,
    pub(crate) ttft_ms: Samples,
    /// It asked not to be called before.
    pub(crate) retry_at_ms: f64,
}

/// Where a conversation stays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stick {
    pub(crate) on_device: bool,
    pub(crate) since_ms: f64,
}

/// The memory of the policy.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) config: RouteConfig,
    pub(crate) now_ms: f64,
    pub(crate) switches: Switches,
    pub(crate) hidden_since_ms: Option<f64>,
    pub(crate) hedges: HedgeBudget,
    pub(crate) conversations: Recent<Stick>,
    pub(crate) devices: Recent<Device>,
    endpoints: Recent<Endpoint>,
}

impl World {
    pub(crate) fn new(config: RouteConfig) -> Self {
        Self {
            config,
            now_ms: f64::NEG_INFINITY,
            switches: Switches { cloud_enabled: true, online: true },
            hidden_since_ms: None,
            hedges: HedgeBudget::default(),
            conversations: Recent::new(CONVERSATIONS),
            devices: Recent::new(TARGETS),
            endpoints: Recent::new(TARGETS),
        }
    }

    pub(crate) fn device(&mut self, local: &LocalSnapshot) -> &mut Device {
        let config = self.config;
        self.devices.entry(&local.key, || Device {
            breaker: Breaker::default(),
            history: LocalHistory::new(&config),
            hysteresis: Hysteresis::new(),
            load: None,
        })
    }

    pub(crate) fn endpoint(&mut self, cloud: &CloudSnapshot) -> &mut Endpoint {
        let samples = self.config.history_requests as usize;
        self.endpoints.entry(&cloud.key, || Endpoint {
            breaker: Breaker::default(),
            ttft_ms: Samples::new(samples),
            retry_at_ms: f64::NEG_INFINITY,
        })
    }

    /// Whether the local engine may begin, or go on with, a request now.
    pub(crate) fn device_door(&mut self, request: &Request) -> Door {
        let now_ms = self.now_ms;
        match gates::device_denied(&request.spec, &request.local, request.answer_tokens) {
            Some(reason) => Door::Denied(reason),
            None if self.device(&request.local).breaker.allows(now_ms) => Door::Open,
            None => Door::Blocked(Reason::LocalBreakerOpen),
        }
    }

    /// Whether the endpoint may be asked now.
    pub(crate) fn cloud_door(&mut self, request: &Request) -> Door {
        let now_ms = self.now_ms;
        let Request { spec, cloud, answer_tokens, spent_tokens, .. } = request;
        match gates::cloud_denied(spec, cloud.as_ref(), self.switches, *answer_tokens, *spent_tokens) {
            Some(reason) => Door::Denied(reason),
            None => match cloud.as_ref().map(|cloud| self.endpoint(cloud)) {
                Some(endpoint) if !endpoint.breaker.allows(now_ms) => Door::Blocked(Reason::CloudBreakerOpen),
                Some(endpoint) if now_ms < endpoint.retry_at_ms => Door::Blocked(Reason::RetryAfter),
                _ => Door::Open,
            },
        }
    }

    /// What the device is expected to do with prompt and answer so far.
    pub(crate) fn forecast(&mut self, request: &Request) -> Forecast {
        let history = &self.device(&request.local).history;
        Forecast::new(&request.local, history, time(request.spec.prompt_tokens) + request.answer_tokens)
    }

    /// What the endpoint is expected to do; `None` without one.
    pub(crate) fn cloud_ttft_ms(&mut self, request: &Request) -> Option<f64> {
        let RouteConfig { cloud_ttft_quantile, default_cloud_ttft_ms, .. } = self.config;
        let endpoint = self.endpoint(request.cloud.as_ref()?);
        Some(endpoint.ttft_ms.quantile(cloud_ttft_quantile).unwrap_or(default_cloud_ttft_ms))
    }

    /// Time to wait for the first token before a second leg may race.
    pub(crate) fn patience_ms(&mut self, request: &Request) -> f64 {
        let config = self.config;
        let ttft = self.device(&request.local).history.ttft_quantile(config.hedge_quantile);
        crate::hedge::patience_ms(ttft, request.spec.slo.ttft_ms, &config)
    }

    /// Starts a leg. The gates are asked here once more, so that no path leads around them: a leg that they deny does not
    /// start, and the request fails as `denied`.
    pub(crate) fn start(&mut self, request: &mut Request, launch: Launch, orders: &mut Vec<Order>) {
        let Launch { on_device, reason, plan, racing, after_ms, loads } = launch;
        let door = if on_device { self.device_door(request) } else { self.cloud_door(request) };
        if matches!(door, Door::Denied(_)) {
            return self.fail(request, Reason::Denied, None, orders);
        }
        let source = match &request.cloud {
            Some(cloud) if !on_device => cloud.source,
            _ => Source::OnDevice,
        };
        let forecast = self.forecast(request);
        let cloud_ttft_ms = self.cloud_ttft_ms(request);
        let manner = manner(request, source);
        let handover = request.answer_tokens > 0.0 && !racing;
        if manner == Manner::Replace {
            request.answer_tokens = 0.0;
            request.ids_known = true;
        }
        if !on_device {
            request.spent_tokens += time(request.spec.prompt_tokens) + request.answer_tokens;
        }

        let load_ms = self.device(&request.local).history.note_load(request.local.load_ms);
        // Loading and waiting are known even where speeds are not.
        let predicted_ms =
            if on_device { load_ms + time(request.local.queue_ms) + forecast.compute_ms.unwrap_or(0.0) } else { 0.0 };
        let leg = request.add_leg(LegStart {
            source,
            plan,
            racing,
            fresh: manner == Manner::Fresh,
            started_ms: self.now_ms + after_ms,
            first_token_limit_ms: self.config.first_token_timeout_ms + PREDICTION_SLACK * predicted_ms,
            foreseen_gap_ms: forecast.decode_tps.filter(|_| on_device).map_or(0.0, |tps| time(1_000.0 / tps)),
        });
        leg.speed_trial = on_device && reason == Reason::ProbingRecovery;
        leg.disturbed = self.hidden_since_ms.is_some();
        let leg_number = leg.number;
        let now_ms = self.now_ms;
        let (breaker_trial, change) = match &request.cloud {
            Some(cloud) if !on_device => self.endpoint(cloud).breaker.start(now_ms),
            _ => self.device(&request.local).breaker.start(now_ms),
        };
        if let Some(leg) = request.legs.last_mut() {
            leg.breaker_trial = breaker_trial;
        }
        report(request, source, change, orders);
        orders.push(Order::Start {
            request: request.id,
            leg: leg_number,
            source,
            manner,
            plan,
            racing,
            reason,
            prediction: forecast.told(cloud_ttft_ms),
            handover,
            after_ms,
        });
        if loads {
            self.load(request, reason, orders);
        }
    }

    /// Ends a leg that did nothing wrong.
    pub(crate) fn abort(&mut self, request: &Request, leg: &Leg, reason: Reason, orders: &mut Vec<Order>) {
        orders.push(Order::Abort { request: request.id, leg: leg.number, reason });
        if leg.breaker_trial {
            self.breaker(request, leg.source).released();
        }
        if leg.speed_trial {
            self.device(&request.local).hysteresis.trial_released();
        }
        self.note_speeds(request, leg, None, None);
    }

    /// Ends all legs for which `which` holds.
    pub(crate) fn abort_legs(
        &mut self,
        request: &mut Request,
        reason: Reason,
        orders: &mut Vec<Order>,
        which: impl Fn(&Leg) -> bool,
    ) {
        let (ends, stays): (Vec<Leg>, Vec<Leg>) = request.legs.drain(..).partition(which);
        request.legs = stays;
        for leg in &ends {
            self.abort(request, leg, reason, orders);
        }
    }

    /// Ends the request in an error, once.
    pub(crate) fn fail(
        &mut self,
        request: &mut Request,
        reason: Reason,
        last: Option<FailureKind>,
        orders: &mut Vec<Order>,
    ) {
        if request.ended {
            return;
        }
        self.abort_legs(request, reason, orders, |_| true);
        request.ended = true;
        orders.push(Order::Fail { request: request.id, reason, last });
    }

    /// The breaker that watches legs of this source.
    pub(crate) fn breaker(&mut self, request: &Request, source: Source) -> &mut Breaker {
        match &request.cloud {
            Some(cloud) if !source.is_device() => &mut self.endpoint(cloud).breaker,
            _ => &mut self.device(&request.local).breaker,
        }
    }

    /// Keeps what a leg on the device showed of its speed. Returns the decode speed.
    pub(crate) fn note_speeds(
        &mut self,
        request: &Request,
        leg: &Leg,
        prefill_tps: Option<f64>,
        decode_tps: Option<f64>,
    ) -> Option<f64> {
        if !leg.source.is_device() || leg.disturbed {
            return None;
        }
        let config = self.config;
        let decode_tps = decode_tps.and_then(crate::predict::speed).or_else(|| leg.decode_tps());
        let device = self.device(&request.local);
        device.history.record_speeds(prefill_tps, decode_tps);
        if let Some(tps) = decode_tps
            && !leg.speed_trial
        {
            device.hysteresis.record(ratio(tps, &request.spec), &config);
        }
        decode_tps
    }
}

/// Speed as a share of what the SLO asks for.
pub(crate) fn ratio(decode_tps: f64, spec: &RequestSpec) -> f64 {
    decode_tps / spec.slo.tokens_per_second
}

/// Tells of a change of the breaker that watches legs of this source.
pub(crate) fn report(request: &Request, source: Source, change: Option<Change>, orders: &mut Vec<Order>) {
    let key = match &request.cloud {
        Some(cloud) if !source.is_device() => &cloud.key,
        _ => &request.local.key,
    };
    report_of(key, change, orders);
}

/// Tells of a breaker's change.
pub(crate) fn report_of(key: &str, change: Option<Change>, orders: &mut Vec<Order>) {
    orders.extend(change.map(|Change { state, until_ms }| Order::Breaker { key: key.to_owned(), state, until_ms }));
}
