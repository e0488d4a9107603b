//! Steps 1 to 4 for a new request: where it begins, or why it cannot.

use crate::event::Mode;
use crate::gates::Door;
use crate::hysteresis::Opinion;
use crate::launch::Launch;
use crate::order::Order;
use crate::predict::{Forecast, time};
use crate::reason::Reason;
use crate::request::Request;
use crate::world::{Stick, World, ratio};

impl World {
    /// Starts the first leg of a request, or fails it.
    pub(crate) fn begin(&mut self, request: &mut Request, orders: &mut Vec<Order>) {
        self.hedges.count_request();
        if request.is_past_deadline(self.now_ms) {
            return self.fail(request, Reason::Deadline, None, orders);
        }
        let mode = request.spec.mode;
        let launch = match (self.device_door(request), self.cloud_door(request)) {
            (Door::Denied(device), Door::Denied(cloud)) => {
                let wants_cloud = matches!(mode, Mode::OnlyInCloud | Mode::PreferInCloud);
                return self.fail(request, if wants_cloud { cloud } else { device }, None, orders);
            }
            (Door::Denied(reason), Door::Open) => Launch::to_cloud(wish(mode, false).unwrap_or(reason)),
            (Door::Denied(_), Door::Blocked(reason)) => match self.pause_ms(request, reason) {
                Some(after_ms) => Launch { after_ms, ..Launch::to_cloud(Reason::RetryAfter) },
                None => return self.fail(request, reason, None, orders),
            },
            // A breaker spares others' servers. On the device it only chooses: without another side there is no reason not
            // to try.
            (_, Door::Denied(reason) | Door::Blocked(reason)) => Launch::to_device(wish(mode, true).unwrap_or(reason)),
            (Door::Blocked(reason), Door::Open) => Launch::to_cloud(wish(mode, false).unwrap_or(reason)),
            (Door::Open, Door::Open) => self.choose(request),
        };
        self.start(request, launch, orders);
    }

    /// How long to wait for an endpoint that asked for a pause, if that is the reason and the wait is bearable.
    fn pause_ms(&mut self, request: &Request, reason: Reason) -> Option<f64> {
        let now_ms = self.now_ms;
        let endpoint = self.endpoint(request.cloud.as_ref()?);
        let wait_ms = endpoint.retry_at_ms - now_ms;
        (reason == Reason::RetryAfter && self.is_bearable(request, wait_ms)).then_some(wait_ms)
    }

    /// Whether a `Retry-After` is within its cap and the deadline.
    pub(crate) fn is_bearable(&self, request: &Request, wait_ms: f64) -> bool {
        wait_ms <= self.config.max_retry_after_ms && request.has_time(self.now_ms, wait_ms)
    }

    /// Both sides may be asked.
    fn choose(&mut self, request: &mut Request) -> Launch {
        match request.spec.mode {
            Mode::PreferOnDevice | Mode::OnlyOnDevice => return Launch::to_device(Reason::PreferredOnDevice),
            Mode::PreferInCloud | Mode::OnlyInCloud => return Launch::to_cloud(Reason::PreferredInCloud),
            Mode::Auto => {}
        }
        let launch = self.choose_by_speed(request);
        let trial = launch.reason == Reason::ProbingRecovery;
        if trial {
            self.device(&request.local).hysteresis.trial_started();
        }
        // What a trial finds out decides where the conversation goes on, and a model that is being loaded may have it next.
        request.sticks = !trial && !launch.loads;
        self.stick(request, launch.on_device);
        launch
    }

    /// Remembers where the conversation is, if there was a choice.
    pub(crate) fn stick(&mut self, request: &Request, on_device: bool) {
        let since_ms = self.now_ms;
        if let (true, Some(name)) = (request.sticks, &request.spec.conversation) {
            let stick = self.conversations.entry(name, || Stick { on_device, since_ms });
            if stick.on_device != on_device {
                *stick = Stick { on_device, since_ms };
            }
        }
    }

    /// What was measured comes before what sticks, and what sticks before what is predicted.
    fn choose_by_speed(&mut self, request: &Request) -> Launch {
        let (now_ms, config) = (self.now_ms, self.config);
        let spec = &request.spec;
        let prompt_tokens = time(spec.prompt_tokens);
        let forecast = self.forecast(request);
        let stick = spec.conversation.as_ref().and_then(|name| self.conversations.get(name)).copied();
        let estimated = forecast.decode_tps.filter(|_| !forecast.is_measured);
        let believed_slow = estimated.is_some_and(|tps| ratio(tps, spec) < config.leave_ratio);

        let hysteresis = &mut self.device(&request.local).hysteresis;
        hysteresis.settle(now_ms, &config);
        let opinion = hysteresis.opinion(now_ms, prompt_tokens, believed_slow, &config);
        let returned_ms = hysteresis.returned_ms();
        match (opinion, stick) {
            (Opinion::Trial, _) => return Launch::to_device(Reason::ProbingRecovery),
            (Opinion::Away(Reason::MeasuredTpsTooLow), _) => return Launch::to_cloud(Reason::MeasuredTpsTooLow),
            (_, Some(stick)) if stick.on_device => return Launch::to_device(Reason::StickyOnDevice),
            (Opinion::Away(reason), None) => return Launch::to_cloud(reason),
            // A device that has proved itself since gets the conversation back.
            (_, Some(stick)) if returned_ms.is_none_or(|returned| returned <= stick.since_ms) => {
                return Launch::to_cloud(Reason::StickyInCloud);
            }
            _ => {}
        }
        self.choose_by_prediction(request, &forecast)
    }

    /// Step 3. Unknown speeds speak for the device: it comes first.
    fn choose_by_prediction(&mut self, request: &Request, forecast: &Forecast) -> Launch {
        let (now_ms, config) = (self.now_ms, self.config);
        let spec = &request.spec;
        let Some((ttft_ms, compute_ms, tps)) = forecast
            .ttft_ms
            .zip(forecast.compute_ms)
            .zip(forecast.decode_tps)
            .map(|((ttft, compute), tps)| (ttft, compute, tps))
        else {
            return Launch::to_device(Reason::PreferredOnDevice);
        };
        let cloud_ttft_ms = self.cloud_ttft_ms(request).unwrap_or(f64::INFINITY);
        let hysteresis = &mut self.device(&request.local).hysteresis;
        // Once it was measured, decode speed is the hysteresis' business alone.
        if !forecast.is_measured && ratio(tps, spec) < 1.0 {
            let reason = Reason::PredictedTpsTooLow;
            if hysteresis.leave(now_ms, 0.0, reason, &config) {
                return Launch::to_cloud(reason);
            }
        }
        let reason = Reason::PredictedTtftTooLong;
        if ttft_ms <= spec.slo.ttft_ms {
            Launch::to_device(Reason::MeetsSlo)
        } else if cloud_ttft_ms >= ttft_ms {
            // Too slow, but nobody is faster.
            Launch::to_device(Reason::PreferredOnDevice)
        } else if compute_ms <= spec.slo.ttft_ms {
            // Only loading or the queue is in the way, which is no verdict on the device. A queue passes by itself.
            Launch { loads: request.local.load_ms > 0.0, ..Launch::to_cloud(reason) }
        } else if hysteresis.leave(now_ms, time(spec.prompt_tokens), reason, &config) {
            Launch::to_cloud(reason)
        } else {
            Launch::to_device(Reason::PreferredOnDevice)
        }
    }
}

/// The reason that the mode alone gives for a side, if it asks for it.
fn wish(mode: Mode, on_device: bool) -> Option<Reason> {
    match (mode, on_device) {
        (Mode::OnlyOnDevice, true) => Some(Reason::ModeOnDevice),
        (Mode::PreferOnDevice, true) => Some(Reason::PreferredOnDevice),
        (Mode::OnlyInCloud, false) => Some(Reason::ModeInCloud),
        (Mode::PreferInCloud, false) => Some(Reason::PreferredInCloud),
        _ => None,
    }
}
