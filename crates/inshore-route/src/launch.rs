//! How a leg is to begin.

use crate::event::{Continuation, Source};
use crate::order::{Manner, Plan};
use crate::reason::Reason;
use crate::request::Request;

/// How a leg is to begin; what else it needs follows from the request.
pub(crate) struct Launch {
    pub(crate) on_device: bool,
    pub(crate) reason: Reason,
    pub(crate) plan: Plan,
    pub(crate) racing: bool,
    pub(crate) after_ms: f64,
    /// The device was passed over because its model is not loaded yet: it is loaded beside the answer.
    pub(crate) loads: bool,
}

impl Launch {
    pub(crate) fn to_device(reason: Reason) -> Self {
        Self { on_device: true, reason, plan: Plan::Same, racing: false, after_ms: 0.0, loads: false }
    }

    pub(crate) fn to_cloud(reason: Reason) -> Self {
        Self { on_device: false, ..Self::to_device(reason) }
    }
}

/// Step 7: how a leg on that side can go on with the answer so far.
pub(crate) fn manner(request: &Request, source: Source) -> Manner {
    if request.answer_tokens <= 0.0 {
        return Manner::Fresh;
    }
    if source.is_device() {
        // The engine continues from ids alone.
        return if request.ids_known { Manner::TokenIds } else { Manner::Replace };
    }
    match request.cloud.as_ref().map_or(Continuation::None, |cloud| cloud.continuation) {
        Continuation::TokenIds if request.ids_known && !request.other_model => Manner::TokenIds,
        Continuation::TokenIds | Continuation::Prefix => Manner::Prefix,
        Continuation::None => Manner::Replace,
    }
}
