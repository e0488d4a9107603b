//! The deferral policy: where each piece of an answer comes from, and why.
//!
//! A pure state machine: [`Router::push`] takes what happened and when, and returns what is to be done. Whoever executes it
//! (the page's SDK, an edge worker, a native host) reports each event and carries out each [`Order`] as it stands. The
//! modules follow the order in which the policy decides:
//!
//! 1. `gates`: privacy, mode, switch, capability, memory, network, budget. They fail closed; a deny beats everything.
//! 2. `breaker`: targets that failed too often rest.
//! 3. `predict`: TTFT and decode speed, from history or from the probe's estimate, against the SLO.
//! 4. `hysteresis`: one slow answer is none, and a change of side holds.
//! 5. `hedge`: a race, if the first token is late.
//! 6. `recover`: stalls and failures; restart here, go on there, or fail.
//!
//! Beside them, `load` has a stored model loaded where a request could not wait for it.
//!
//! `choose` puts the first four together for a new request; `router` drives them. `trace` replays what was recorded, and
//! `timeline` shows it.

mod breaker;
mod choose;
mod config;
mod event;
mod gates;
mod hedge;
mod hysteresis;
mod launch;
mod load;
mod order;
mod predict;
mod reason;
mod recover;
mod request;
mod router;
mod samples;
#[cfg(test)]
mod testing;
mod timeline;
mod trace;
mod wire;
mod world;

pub use config::{ConfigError, RouteConfig};
pub use event::{
    Availability, CloudSnapshot, Continuation, Estimate, FailureKind, LocalSnapshot, Mode, Privacy, RequestSpec,
    RouteEvent, Slo, Snapshot, Source,
};
pub use order::{BreakerState, Manner, Order, Plan, Prediction};
pub use reason::Reason;
pub use router::Router;
pub use timeline::Timeline;
pub use trace::{Recorded, Step, Trace, TraceError};
