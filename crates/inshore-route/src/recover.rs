//! Steps 6 and 7: what happens when a leg ends other than well.

use crate::event::FailureKind;
use crate::gates::Door;
use crate::launch::Launch;
use crate::order::{Order, Plan};
use crate::predict::time;
use crate::reason::Reason;
use crate::request::{Leg, Request};
use crate::world::{World, report};

/// How a leg was lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) reason: Reason,
    pub(crate) kind: Option<FailureKind>,
    pub(crate) retry_after_ms: Option<f64>,
}

impl Loss {
    /// The executor reported it.
    pub(crate) fn reported(on_device: bool, kind: FailureKind, retry_after_ms: Option<f64>) -> Self {
        let reason = match kind {
            _ if !on_device => Reason::CloudFailed,
            FailureKind::WorkerCrashed => Reason::WorkerCrashed,
            FailureKind::DeviceLost => Reason::DeviceLost,
            FailureKind::OutOfMemory => Reason::OutOfMemory,
            FailureKind::ContextExceeded => Reason::ContextTooLong,
            _ => Reason::LocalFailed,
        };
        let retry_after_ms = retry_after_ms.filter(|ms| !ms.is_nan()).map(time);
        Self { reason, kind: Some(kind), retry_after_ms }
    }

    /// The watchdog found it.
    pub(crate) const STALLED: Self = Self { reason: Reason::Stalled, kind: None, retry_after_ms: None };

    /// Whether it speaks against the engine or the endpoint, rather than against the request. A wrong token, an empty account
    /// and a wrong address (401 to 404) do: they fail the next request as surely as an outage, which would spend its hand-over
    /// on it, and whoever corrects them gives the endpoint a new key.
    pub(crate) fn counts(&self) -> bool {
        match self.kind {
            Some(FailureKind::Refused | FailureKind::ContextExceeded | FailureKind::ModelMismatch) => false,
            Some(FailureKind::RateLimited) => self.retry_after_ms.is_none(),
            _ => true,
        }
    }
}

impl World {
    /// A leg is lost; it is no longer among the request's legs. The request goes on, waits, or fails.
    pub(crate) fn lost(&mut self, request: &mut Request, leg: &Leg, loss: Loss, orders: &mut Vec<Order>) {
        self.note_loss(request, leg, loss, orders);
        if request.legs.iter().any(|other| !other.racing) {
            // The race goes on without it.
            return;
        }
        if let Some(other) = request.legs.first_mut() {
            other.racing = false;
            orders.push(Order::Adopt { request: request.id, leg: other.number, reason: loss.reason });
            return;
        }
        if loss.kind == Some(FailureKind::Refused) && leg.plan == Plan::Same {
            self.fail(request, loss.reason, loss.kind, orders);
        } else if leg.source.is_device() {
            self.leave_device(request, leg, loss, orders);
        } else {
            self.leave_cloud(request, loss, orders);
        }
    }

    /// Breaker, trial and history learn of it.
    fn note_loss(&mut self, request: &Request, leg: &Leg, loss: Loss, orders: &mut Vec<Order>) {
        let (now_ms, config) = (self.now_ms, self.config);
        if loss.counts() {
            let change = self.breaker(request, leg.source).failed(leg.breaker_trial, now_ms, &config);
            report(request, leg.source, change, orders);
        } else if leg.breaker_trial {
            self.breaker(request, leg.source).released();
        }
        if let (Some(wait_ms), Some(cloud), false) = (loss.retry_after_ms, &request.cloud, leg.source.is_device()) {
            self.endpoint(cloud).retry_at_ms = now_ms + wait_ms;
        }
        if leg.speed_trial {
            let hysteresis = &mut self.device(&request.local).hysteresis;
            if loss.counts() {
                hysteresis.trial_failed(now_ms, Reason::MeasuredTpsTooLow, &config);
            } else {
                hysteresis.trial_released();
            }
        }
        self.note_speeds(request, leg, None, None);
    }

    /// A fresh device first, then a smaller plan, then the cloud; but a device that stalled is slow, and a fresh start of it
    /// would be slow again.
    fn leave_device(&mut self, request: &mut Request, leg: &Leg, loss: Loss, orders: &mut Vec<Order>) {
        let device = self.device_door(request);
        let cloud = self.cloud_door(request);
        let may_leave = cloud == Door::Open && request.handovers < self.config.max_handovers;
        // A context does not grow by a restart, except back from a smaller plan.
        let outgrown = loss.kind == Some(FailureKind::ContextExceeded) && (leg.plan == Plan::Same || may_leave);
        // The same request would break a new engine too, and that engine would have a smaller plan for all requests.
        let panicked = loss.kind == Some(FailureKind::EnginePanicked);
        let may_restart = !outgrown
            && !panicked
            && request.recoveries < self.config.max_recoveries
            && !matches!(device, Door::Denied(_));
        let too_slow = loss.reason == Reason::Stalled && may_leave;
        if may_restart && !too_slow && (device == Door::Open || cloud != Door::Open) {
            let plan = next_plan(leg.plan, request.recoveries, loss.reason);
            request.recoveries += 1;
            self.start(request, Launch { plan, ..Launch::to_device(loss.reason) }, orders);
        } else {
            self.hand_over(request, cloud == Door::Open, Launch::to_cloud(loss.reason), loss, orders);
        }
    }

    /// The same endpoint after the pause that it asked for, else the device.
    fn leave_cloud(&mut self, request: &mut Request, loss: Loss, orders: &mut Vec<Order>) {
        let denied = matches!(self.cloud_door(request), Door::Denied(_));
        if loss.kind == Some(FailureKind::ModelMismatch) && !request.other_model && !denied {
            // It knows our ids only of its own model, but it can read.
            request.other_model = true;
            return self.start(request, Launch::to_cloud(loss.reason), orders);
        }
        let bearable = loss.retry_after_ms.filter(|wait| self.is_bearable(request, *wait));
        if let Some(after_ms) = bearable
            && request.recoveries < self.config.max_recoveries
            && !denied
        {
            request.recoveries += 1;
            return self.start(request, Launch { after_ms, ..Launch::to_cloud(Reason::RetryAfter) }, orders);
        }
        let loss = if loss.retry_after_ms.is_some() { Loss { reason: Reason::RetryAfter, ..loss } } else { loss };
        let device = !matches!(self.device_door(request), Door::Denied(_));
        self.hand_over(request, device, Launch::to_device(loss.reason), loss, orders);
    }

    /// Changes the side, if the other one may go on and the request may change again.
    fn hand_over(
        &mut self,
        request: &mut Request,
        possible: bool,
        launch: Launch,
        loss: Loss,
        orders: &mut Vec<Order>,
    ) {
        if !possible {
            self.fail(request, loss.reason, loss.kind, orders);
        } else if request.handovers >= self.config.max_handovers {
            self.fail(request, Reason::HandoverSpent, loss.kind, orders);
        } else {
            request.handovers += 1;
            self.start(request, launch, orders);
        }
    }

    /// Nothing of the request may be outside the device from now on.
    pub(crate) fn cut_cloud(&mut self, request: &mut Request, reason: Reason, orders: &mut Vec<Order>) {
        let was_outside = request.legs.iter().any(|leg| !leg.source.is_device() && !leg.racing);
        self.abort_legs(request, reason, orders, |leg| !leg.source.is_device());
        if !was_outside || request.ended {
            return;
        }
        let device = !matches!(self.device_door(request), Door::Denied(_));
        if device && request.handovers < self.config.max_handovers {
            request.handovers += 1;
            self.start(request, Launch::to_device(reason), orders);
        } else {
            let said = if reason == Reason::CloudDisabled { Reason::Denied } else { reason };
            self.fail(request, said, None, orders);
        }
    }
}

/// The plan of a restart: as before the first time, then smaller. Memory that ran out would run out again.
fn next_plan(failed: Plan, recoveries: u32, reason: Reason) -> Plan {
    let again = recoveries == 0 && failed == Plan::Same;
    match (failed, reason) {
        (Plan::Same, Reason::OutOfMemory) => Plan::SmallerContext,
        (Plan::Same, _) if again => Plan::Same,
        // A crash may be lack of memory in disguise.
        (Plan::Same, Reason::WorkerCrashed) => Plan::SmallerContext,
        // The GPU is to blame, or what is to blame is not known.
        _ => Plan::Cpu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_shrink_step_by_step() {
        for (reason, plans) in [
            (Reason::WorkerCrashed, [Plan::Same, Plan::SmallerContext, Plan::Cpu]),
            (Reason::DeviceLost, [Plan::Same, Plan::Cpu, Plan::Cpu]),
            (Reason::Stalled, [Plan::Same, Plan::Cpu, Plan::Cpu]),
            (Reason::OutOfMemory, [Plan::SmallerContext, Plan::Cpu, Plan::Cpu]),
        ] {
            let mut plan = Plan::Same;
            for (recoveries, expected) in (0..).zip(plans) {
                plan = next_plan(plan, recoveries, reason);
                assert_eq!(plan, expected, "{reason:?} {recoveries}");
            }
        }
    }

    #[test]
    fn what_the_request_is_to_blame_for_does_not_count() {
        let counts = |kind, retry| Loss::reported(false, kind, retry).counts();
        for kind in [FailureKind::Refused, FailureKind::ContextExceeded, FailureKind::ModelMismatch] {
            assert!(!counts(kind, None), "{kind:?}");
        }
        assert!(!counts(FailureKind::RateLimited, Some(1.0)) && counts(FailureKind::RateLimited, None));
        for kind in [FailureKind::Unauthorised, FailureKind::Payment, FailureKind::NotFound, FailureKind::ServerError] {
            assert!(counts(kind, Some(1.0)), "{kind:?}");
        }
        assert!(Loss::STALLED.counts());
    }
}
