//! Requests and worlds for tests.

use crate::event::{
    Availability, CloudSnapshot, Continuation, Estimate, LocalSnapshot, Mode, Privacy, RequestSpec, Slo, Snapshot,
    Source,
};

pub(crate) fn spec(mode: Mode) -> RequestSpec {
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

pub(crate) fn local() -> LocalSnapshot {
    LocalSnapshot {
        availability: Availability::Available,
        key: "engine".to_owned(),
        context_tokens: Some(2_048.0),
        memory_fits: Some(true),
        load_ms: 0.0,
        queue_ms: 0.0,
        estimate: Some(Estimate { prefill_tps: 200.0, decode_tps: 20.0 }),
    }
}

pub(crate) fn cloud() -> CloudSnapshot {
    CloudSnapshot { source: Source::InCloud, key: "endpoint".to_owned(), continuation: Continuation::TokenIds }
}

pub(crate) fn snapshot() -> Snapshot {
    Snapshot { local: local(), cloud: Some(cloud()), cloud_enabled: true, online: true, hidden: false }
}
