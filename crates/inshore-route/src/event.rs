//! What the policy is told. The JSON of these types is the contract in `web/src/route/types.ts`.

use serde::{Deserialize, Serialize};

/// Where a piece of an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The engine in this page.
    OnDevice,
    /// A machine nearby.
    Edge,
    /// An endpoint on the internet.
    InCloud,
}

impl Source {
    /// Whether prompt and answer stay on the device.
    pub fn is_device(self) -> bool {
        self == Self::OnDevice
    }
}

/// What the caller prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Never leaves the device.
    OnlyOnDevice,
    /// The device whenever it can answer at all.
    PreferOnDevice,
    /// The endpoint whenever it can answer at all.
    PreferInCloud,
    /// Never uses the local engine.
    OnlyInCloud,
    /// The device as long as it keeps the SLO.
    Auto,
}

/// Whether the local model can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// The engine does not run here.
    Unavailable,
    /// It would run, once the model is here.
    Downloadable,
    /// The model is on its way.
    Downloading,
    /// It can answer.
    Available,
}

/// How an endpoint can go on with an answer that was begun elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Continuation {
    /// From token ids of the same model; such an endpoint also continues text.
    TokenIds,
    /// From a last assistant message with `prefix: true`.
    Prefix,
    /// Not at all.
    None,
}

/// The privacy label of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// Neither the prompt nor a partial answer may leave the device.
    LocalOnly,
    /// The gates decide.
    CloudAllowed,
}

/// What counts as good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    /// Time to first token at most.
    pub ttft_ms: f64,
    /// Decode speed at least.
    pub tokens_per_second: f64,
}

/// One request, as far as the policy must know it. Token counts are numbers with a fraction, for they may be estimates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// What the caller prefers.
    pub mode: Mode,
    /// What counts as good enough.
    pub slo: Slo,
    /// May it leave the device?
    pub privacy: Privacy,
    /// Length of the prompt.
    pub prompt_tokens: f64,
    /// Most tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<f64>,
    /// Requests with the same name stay where the first one went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation: Option<String>,
    /// For the whole request, from `begin` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<f64>,
    /// May a second leg race the first one?
    pub hedge: bool,
    /// What is left of the caller's budget for the cloud, prompt and answer together; absent: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_tokens_left: Option<f64>,
    /// Features of the request that the engine here does not have.
    #[serde(default)]
    pub local_lacks: Vec<String>,
}

/// Speeds of the local engine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Prompt tokens per second.
    pub prefill_tps: f64,
    /// Answer tokens per second.
    pub decode_tps: f64,
}

/// The local engine when a request begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LocalSnapshot {
    /// Whether it can answer.
    pub availability: Availability,
    /// Names engine x model x adapter, for breaker and history.
    pub key: String,
    /// Prompt and answer together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<f64>,
    /// Whether the predicted memory fits; `None`: not known.
    pub memory_fits: Option<bool>,
    /// Time until a stored model is loaded; 0 once it is.
    pub load_ms: f64,
    /// Time until running and queued answers are through.
    pub queue_ms: f64,
    /// The probe's prediction, or the last measurement of another session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
}

/// The endpoint outside the device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CloudSnapshot {
    /// `edge` or `in_cloud`.
    pub source: Source,
    /// Names the endpoint, for breaker and history.
    pub key: String,
    /// How it continues an answer.
    pub continuation: Continuation,
}

/// The state of the world when a request begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The local engine.
    pub local: LocalSnapshot,
    /// Absent: no endpoint is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud: Option<CloudSnapshot>,
    /// The user's switch.
    pub cloud_enabled: bool,
    /// `navigator.onLine`.
    pub online: bool,
    /// The page is hidden: gaps are no stalls.
    pub hidden: bool,
}

/// A failed leg, in the words that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The engine's worker ended.
    WorkerCrashed,
    /// The engine met one of its own bugs in this request. A new engine would meet it again; another host may not.
    EnginePanicked,
    /// The GPU device was lost.
    DeviceLost,
    /// No memory.
    OutOfMemory,
    /// The request itself is to blame: nobody else would do better.
    Refused,
    /// The prompt is longer than the engine's context, though the estimate was not: another one may read it.
    ContextExceeded,
    /// 401, 403.
    Unauthorised,
    /// 402.
    Payment,
    /// 404.
    NotFound,
    /// 429.
    RateLimited,
    /// 5xx.
    ServerError,
    /// No connection, or it broke.
    Network,
    /// The answer is not what the protocol says.
    Protocol,
    /// The host runs another model than the one that began the answer.
    ModelMismatch,
    /// Anything else.
    Other,
}

/// One event. `leg` is the number that an order `start` gave; it is unique within its request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(clippy::large_enum_variant, reason = "events are handled one at a time and never stored in number")]
#[serde(tag = "type", rename_all = "snake_case", try_from = "crate::wire::WireEvent")]
pub enum RouteEvent {
    /// A request begins.
    Begin {
        /// Names the request in all that follows.
        request: u64,
        /// What is asked.
        spec: RequestSpec,
        /// The state of the world.
        snapshot: Snapshot,
    },
    /// Tokens arrived on a leg; the first one ends its TTFT.
    Tokens {
        /// The request.
        request: u64,
        /// The leg.
        leg: u64,
        /// How many since the last report.
        tokens: u32,
        /// Whether the executor holds them as token ids of the device's model. Absent: yes on the device, else no.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ids: Option<bool>,
    },
    /// A leg makes progress without a token of the answer: a keep-alive, reasoning, or a part of the prompt. It restarts the
    /// timeout of a silent leg, up to [`alive_timeout_ms`](crate::RouteConfig::alive_timeout_ms).
    Alive {
        /// The request.
        request: u64,
        /// The leg.
        leg: u64,
    },
    /// A leg failed.
    Failed {
        /// The request.
        request: u64,
        /// The leg.
        leg: u64,
        /// In which way.
        kind: FailureKind,
        /// The server's `Retry-After`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<f64>,
    },
    /// A leg ended by itself with a `finish_reason`.
    Finished {
        /// The request.
        request: u64,
        /// The leg.
        leg: u64,
        /// As the engine measured it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        prefill_tps: Option<f64>,
        /// As the engine measured it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decode_tps: Option<f64>,
    },
    /// A load that was ordered is through.
    LoadEnded {
        /// As the order named the engine.
        key: String,
        /// In which way it failed; absent: the model is loaded.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kind: Option<FailureKind>,
    },
    /// The caller aborted.
    Cancelled {
        /// The request.
        request: u64,
    },
    /// The time of an order `wake` has come; early or twice is harmless.
    Wake,
    /// The page was hidden or shown.
    Visibility {
        /// Whether it is hidden now.
        hidden: bool,
    },
    /// The network went or came.
    Connectivity {
        /// Whether it is there now.
        online: bool,
    },
    /// The user's switch; off ends every leg outside the device, at once.
    CloudEnabled {
        /// Whether the cloud may be asked now.
        enabled: bool,
    },
    /// The clock stood still (suspended laptop, throttled tab).
    Suspended {
        /// This much time did not count.
        lost_ms: f64,
    },
}
