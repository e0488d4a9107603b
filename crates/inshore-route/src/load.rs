//! A model that is stored but not loaded, when loading would take longer than a request may wait: the request goes to the
//! cloud, and the model is loaded beside it. Otherwise nobody would ever load it, and every request would leave.

use crate::event::FailureKind;
use crate::order::Order;
use crate::reason::Reason;
use crate::recover::Loss;
use crate::request::Request;
use crate::world::{World, report_of};

/// A load that was ordered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// The trial of a half-open breaker: where an engine fails to load, no request has to find out.
    breaker_trial: bool,
}

impl World {
    /// Orders the load, unless it runs already. Gates and breaker have let the device through: it was a choice.
    pub(crate) fn load(&mut self, request: &Request, reason: Reason, orders: &mut Vec<Order>) {
        let now_ms = self.now_ms;
        let device = self.device(&request.local);
        if device.load.is_some() {
            return;
        }
        let (breaker_trial, change) = device.breaker.start(now_ms);
        device.load = Some(Load { breaker_trial });
        report_of(&request.local.key, change, orders);
        orders.push(Order::Load { key: request.local.key.clone(), reason });
    }

    /// The load has ended. A failure counts as one of the engine's; success says only that the next leg may try.
    pub(crate) fn load_ended(&mut self, key: &str, kind: Option<FailureKind>, orders: &mut Vec<Order>) {
        let (now_ms, config) = (self.now_ms, self.config);
        let Some(device) = self.devices.get_mut(key) else { return };
        let Some(Load { breaker_trial }) = device.load.take() else { return };
        if kind.is_some_and(|kind| Loss::reported(true, kind, None).counts()) {
            let change = device.breaker.failed(breaker_trial, now_ms, &config);
            report_of(key, change, orders);
        } else if breaker_trial {
            device.breaker.released();
        }
    }
}
