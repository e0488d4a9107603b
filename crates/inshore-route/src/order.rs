//! What the policy orders. The JSON of these types is the contract in `web/src/route/types.ts`.

use serde::{Deserialize, Serialize};

use crate::event::{FailureKind, Source};
use crate::reason::Reason;

/// What was predicted when a route was chosen; `None`: not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Time to first token on the device.
    pub ttft_local_ms: Option<f64>,
    /// Time to first token of the endpoint.
    pub ttft_cloud_ms: Option<f64>,
    /// Decode speed on the device.
    pub local_tps: Option<f64>,
}

/// How a leg begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// From the prompt.
    Fresh,
    /// From the token ids of the answer so far.
    TokenIds,
    /// From the text of the answer so far.
    Prefix,
    /// From the prompt again; what was shown is void.
    Replace,
}

/// How the engine is set up for a leg on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plan {
    /// As before.
    Same,
    /// With a shorter context.
    SmallerContext,
    /// Without the GPU.
    Cpu,
}

/// State of a circuit breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All is well.
    Closed,
    /// The target is not asked.
    Open,
    /// One request tries.
    HalfOpen,
}

/// One order. Orders of one event are carried out in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Order {
    /// Begin a leg.
    Start {
        /// The request.
        request: u64,
        /// Counts the request's legs from 1.
        leg: u64,
        /// Where.
        source: Source,
        /// From what.
        manner: Manner,
        /// On the device only.
        plan: Plan,
        /// A race: tokens of this leg count only once `adopt` names it.
        racing: bool,
        /// Why.
        reason: Reason,
        /// What was predicted.
        prediction: Prediction,
        /// A hand-over or a recovery in the middle of an answer.
        handover: bool,
        /// Not before this time has passed.
        after_ms: f64,
    },
    /// From now on the answer is that leg's.
    Adopt {
        /// The request.
        request: u64,
        /// The leg.
        leg: u64,
        /// Why.
        reason: Reason,
    },
    /// End a leg at once; nothing more is reported of it.
    Abort {
        /// The request.
        request: u64,
        /// The leg.
        leg: u64,
        /// Why.
        reason: Reason,
    },
    /// The request ends in an error.
    Fail {
        /// The request.
        request: u64,
        /// Why.
        reason: Reason,
        /// What failed last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<FailureKind>,
    },
    /// The request has ended well.
    Done {
        /// The request.
        request: u64,
    },
    /// Report `wake` at that time.
    Wake {
        /// In the clock of the events.
        at_ms: f64,
    },
    /// Load the stored model in the background: a request left because loading takes too long, and the next one shall find
    /// it loaded. Never a download; nothing waits for it. Its end is reported as `load_ended`, and no second load of this
    /// engine is ordered before.
    Load {
        /// Of the engine.
        key: String,
        /// Why.
        reason: Reason,
    },
    /// A circuit breaker changed.
    Breaker {
        /// Of the engine or the endpoint.
        key: String,
        /// Its new state.
        state: BreakerState,
        /// When it lets a request try again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until_ms: Option<f64>,
    },
}
