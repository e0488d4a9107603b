//! The policy itself: an event in, orders out.

use crate::config::{ConfigError, RouteConfig};
use crate::event::RouteEvent;
use crate::gates::Door;
use crate::launch::Launch;
use crate::order::Order;
use crate::predict::{CLOCK_MS, time};
use crate::reason::Reason;
use crate::recover::Loss;
use crate::request::Request;
use crate::world::{World, ratio, report};

/// The deferral policy.
///
/// It has no clock, no network and no randomness: the same events at the same times give the same orders. Times are in ms
/// on any clock that the caller chooses; a time that runs backwards counts as standing still. Events about requests and
/// legs that are not running are ignored, for they may have been on their way when those ended.
#[derive(Debug, Clone)]
pub struct Router {
    world: World,
    requests: Vec<Request>,
    /// The earliest wake that was ordered and has not come.
    wake_ms: Option<f64>,
}

impl Router {
    /// A policy without history.
    ///
    /// # Errors
    /// [`ConfigError`] where a constant is out of range.
    pub fn new(config: RouteConfig) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self { world: World::new(config), requests: Vec::new(), wake_ms: None })
    }

    /// Tells the policy what happened at `now_ms` and returns what is to be done, in order. Every request that began ends
    /// in exactly one `done` or `fail`.
    pub fn push(&mut self, now_ms: f64, event: RouteEvent) -> Vec<Order> {
        let mut orders = Vec::new();
        self.advance(now_ms);
        self.take(event, &mut orders);
        for request in &mut self.requests {
            self.world.look_at_clock(request, &mut orders);
        }
        self.requests.retain(|request| !request.ended);
        self.order_wake(&mut orders);
        orders
    }

    /// The constants in force.
    pub fn config(&self) -> &RouteConfig {
        &self.world.config
    }

    /// Requests that have neither ended nor failed.
    pub fn running(&self) -> impl Iterator<Item = u64> {
        self.requests.iter().map(|request| request.id)
    }

    fn advance(&mut self, now_ms: f64) {
        let now_ms = if now_ms.is_finite() { now_ms.min(CLOCK_MS) } else { 0.0 };
        self.world.now_ms = self.world.now_ms.max(now_ms).max(0.0);
    }

    fn take(&mut self, event: RouteEvent, orders: &mut Vec<Order>) {
        let world = &mut self.world;
        let now_ms = world.now_ms;
        let requests = &mut self.requests;
        match event {
            RouteEvent::Begin { request, spec, snapshot } => {
                if find(requests, request).is_some() {
                    return;
                }
                self.set_hidden(snapshot.hidden);
                self.world.switches.online = snapshot.online;
                self.set_cloud_enabled(snapshot.cloud_enabled, orders);
                let mut request = Request::new(request, spec, snapshot.local, snapshot.cloud, now_ms);
                self.world.begin(&mut request, orders);
                self.requests.push(request);
            }
            RouteEvent::Tokens { request, leg, tokens, ids } => {
                if let Some(request) = find(requests, request).filter(|_| tokens > 0) {
                    world.tokens_arrived(request, leg, tokens, ids, orders);
                }
            }
            RouteEvent::Alive { request, leg } => {
                if let Some(request) = find(requests, request)
                    && let Some(at) = request.leg(leg)
                {
                    request.legs[at].alive(now_ms);
                }
            }
            RouteEvent::Failed { request, leg, kind, retry_after_ms } => {
                if let Some(request) = find(requests, request)
                    && let Some(at) = request.leg(leg)
                {
                    let leg = request.legs.remove(at);
                    let loss = Loss::reported(leg.source.is_device(), kind, retry_after_ms);
                    world.lost(request, &leg, loss, orders);
                }
            }
            RouteEvent::Finished { request, leg, prefill_tps, decode_tps } => {
                if let Some(request) = find(requests, request) {
                    world.finished(request, leg, (prefill_tps, decode_tps), orders);
                }
            }
            RouteEvent::LoadEnded { key, kind } => world.load_ended(&key, kind, orders),
            RouteEvent::Cancelled { request } => {
                if let Some(request) = find(requests, request) {
                    world.fail(request, Reason::Cancelled, None, orders);
                }
            }
            RouteEvent::Wake => self.wake_ms = None,
            RouteEvent::Visibility { hidden } => self.set_hidden(hidden),
            RouteEvent::Connectivity { online } => world.switches.online = online,
            RouteEvent::CloudEnabled { enabled } => self.set_cloud_enabled(enabled, orders),
            RouteEvent::Suspended { lost_ms } => {
                for request in requests {
                    request.skip(time(lost_ms), now_ms);
                    request.extend_deadline(time(lost_ms));
                }
            }
        }
    }

    /// Time in which the page was hidden does not count as silence.
    fn set_hidden(&mut self, hidden: bool) {
        let now_ms = self.world.now_ms;
        match (self.world.hidden_since_ms, hidden) {
            (None, true) => {
                self.world.hidden_since_ms = Some(now_ms);
                for request in &mut self.requests {
                    request.skip(0.0, now_ms);
                }
            }
            (Some(since_ms), false) => {
                self.world.hidden_since_ms = None;
                for request in &mut self.requests {
                    request.skip(now_ms - since_ms, now_ms);
                }
            }
            _ => {}
        }
    }

    fn set_cloud_enabled(&mut self, enabled: bool, orders: &mut Vec<Order>) {
        self.world.switches.cloud_enabled = enabled;
        if !enabled {
            for request in &mut self.requests {
                self.world.cut_cloud(request, Reason::CloudDisabled, orders);
            }
        }
    }

    /// One wake at a time, at the earliest moment that matters. A later one is ordered once that has come, so that a
    /// stream of tokens does not move a timer at every token.
    fn order_wake(&mut self, orders: &mut Vec<Order>) {
        let world = &mut self.world;
        let hidden = world.hidden_since_ms.is_some();
        let config = world.config;
        let due = self.requests.iter().filter_map(|request| {
            let patience_ms = world.patience_ms(request);
            request.due_ms(hidden, patience_ms, &config)
        });
        // Beyond the clock's end nothing can be awaited.
        let Some(at_ms) = due.min_by(f64::total_cmp).filter(|at| *at < CLOCK_MS) else { return };
        if self.wake_ms.is_none_or(|ordered| at_ms < ordered || ordered <= world.now_ms) {
            self.wake_ms = Some(at_ms);
            orders.push(Order::Wake { at_ms });
        }
    }
}

fn find(requests: &mut [Request], id: u64) -> Option<&mut Request> {
    requests.iter_mut().find(|request| request.id == id)
}

impl World {
    /// Deadline, stalls and the hedge.
    fn look_at_clock(&mut self, request: &mut Request, orders: &mut Vec<Order>) {
        let (now_ms, config) = (self.now_ms, self.config);
        if request.ended {
            return;
        }
        if request.is_past_deadline(now_ms) {
            return self.fail(request, Reason::Deadline, None, orders);
        }
        if self.hidden_since_ms.is_some() {
            return;
        }
        // A leg that starts instead is too young to be stalled.
        let silent: Vec<u64> =
            request.legs.iter().filter(|leg| now_ms >= leg.stall_ms(&config)).map(|leg| leg.number).collect();
        for number in silent {
            if let Some(at) = request.leg(number) {
                let leg = request.legs.remove(at);
                orders.push(Order::Abort { request: request.id, leg: number, reason: Reason::Stalled });
                self.lost(request, &leg, Loss::STALLED, orders);
            }
        }
        self.hedge(request, orders);
    }

    /// Step 5: a second leg in the cloud, if the first token is late, the gates agree and the budget has one left.
    fn hedge(&mut self, request: &mut Request, orders: &mut Vec<Order>) {
        let Some(started_ms) = request.slow_starter().map(|leg| leg.started_ms) else { return };
        if request.ended || self.now_ms < started_ms + self.patience_ms(request) {
            return;
        }
        request.hedge_over = true;
        let config = self.config;
        if self.cloud_door(request) == Door::Open && self.hedges.take(&config) {
            self.start(request, Launch { racing: true, ..Launch::to_cloud(Reason::Hedge) }, orders);
        }
    }

    fn tokens_arrived(
        &mut self,
        request: &mut Request,
        leg: u64,
        tokens: u32,
        ids: Option<bool>,
        orders: &mut Vec<Order>,
    ) {
        let now_ms = self.now_ms;
        let Some(leg) = request.leg(leg).map(|at| &mut request.legs[at]) else { return };
        let ttft_ms = leg.tokens_arrived(now_ms, tokens).filter(|_| leg.fresh && !leg.disturbed);
        let (number, on_device, was_racing) = (leg.number, leg.source.is_device(), leg.racing);
        leg.racing = false;
        if let Some(ttft_ms) = ttft_ms {
            match &request.cloud {
                Some(cloud) if !on_device => self.endpoint(cloud).ttft_ms.push(ttft_ms),
                _ => self.device(&request.local).history.record_ttft(ttft_ms - time(request.local.load_ms)),
            }
        }
        if was_racing {
            orders.push(Order::Adopt { request: request.id, leg: number, reason: Reason::Hedge });
        }
        self.abort_legs(request, Reason::HedgeLost, orders, |other| other.number != number);
        request.answer_tokens += f64::from(tokens);
        request.ids_known &= ids.unwrap_or(on_device);
        if !on_device {
            request.spent_tokens += f64::from(tokens);
            if request.spec.cloud_tokens_left.is_some_and(|left| request.spent_tokens > left) {
                self.cut_cloud(request, Reason::BudgetSpent, orders);
            }
        }
    }

    fn finished(
        &mut self,
        request: &mut Request,
        leg: u64,
        (prefill_tps, decode_tps): (Option<f64>, Option<f64>),
        orders: &mut Vec<Order>,
    ) {
        let (now_ms, config) = (self.now_ms, self.config);
        let Some(at) = request.leg(leg) else { return };
        let leg = request.legs.remove(at);
        if leg.racing {
            orders.push(Order::Adopt { request: request.id, leg: leg.number, reason: Reason::Hedge });
        }
        self.abort_legs(request, Reason::HedgeLost, orders, |_| true);
        let change = self.breaker(request, leg.source).succeeded(&config);
        report(request, leg.source, change, orders);
        let decode_tps = self.note_speeds(request, &leg, prefill_tps, decode_tps);
        if leg.speed_trial {
            self.end_trial(request, prefill_tps, decode_tps);
        }
        request.sticks |= leg.speed_trial && self.device(&request.local).hysteresis.returned_ms() == Some(now_ms);
        self.stick(request, leg.source.is_device());
        request.ended = true;
        orders.push(Order::Done { request: request.id });
    }

    /// Whether the device may be used again: at `return_ratio` of the SLO's speed, with a TTFT that keeps the SLO.
    fn end_trial(&mut self, request: &Request, prefill_tps: Option<f64>, decode_tps: Option<f64>) {
        let (now_ms, config) = (self.now_ms, self.config);
        let spec = &request.spec;
        let prompt_tokens = time(spec.prompt_tokens);
        let device = self.device(&request.local);
        let Some(tps) = decode_tps else { return device.hysteresis.trial_released() };
        let prefill_ms =
            prefill_tps.and_then(crate::predict::speed).map_or(0.0, |prefill| 1_000.0 * prompt_tokens / prefill);
        if ratio(tps, spec) < config.return_ratio {
            device.hysteresis.trial_failed(now_ms, Reason::MeasuredTpsTooLow, &config);
        } else if prefill_ms + 1_000.0 / tps > spec.slo.ttft_ms {
            device.hysteresis.trial_failed(now_ms, Reason::PredictedTtftTooLong, &config);
        } else {
            device.hysteresis.returned(now_ms, prompt_tokens);
            device.history.forget_speeds();
            device.history.record_speeds(prefill_tps, decode_tps);
        }
    }
}
