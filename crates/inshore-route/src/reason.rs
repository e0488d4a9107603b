//! Why something was decided: one list of stable names.

use serde::{Deserialize, Serialize};

/// A reason code, `snake_case` in JSON. Names are never reused for another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    // Why here.
    /// The mode is `only_on_device`.
    ModeOnDevice,
    /// The mode prefers the device, or nothing is known that speaks against it.
    PreferredOnDevice,
    /// Prediction and measurements keep the SLO.
    MeetsSlo,
    /// The conversation began here.
    StickyOnDevice,
    /// One request tries whether the device is fast enough again.
    ProbingRecovery,
    /// There is no endpoint outside the device.
    NoEndpoint,
    /// The user's switch is off.
    CloudDisabled,
    /// The request is labelled `local_only`.
    Private,
    /// The browser has no network.
    Offline,
    /// The caller's budget for the cloud is spent.
    BudgetSpent,
    /// The endpoint failed too often of late.
    CloudBreakerOpen,
    /// The endpoint failed in this request.
    CloudFailed,

    // Why there.
    /// The mode is `only_in_cloud`.
    ModeInCloud,
    /// The mode prefers the cloud.
    PreferredInCloud,
    /// The conversation began there.
    StickyInCloud,
    /// The model is not on this device yet.
    NotDownloaded,
    /// The engine does not run on this device.
    UnsupportedDevice,
    /// The request needs something the local engine lacks.
    UnsupportedFeature,
    /// Prompt and answer so far do not fit the local context.
    ContextTooLong,
    /// The model does not fit this device's memory.
    MemoryTooSmall,
    /// The local engine failed too often of late.
    LocalBreakerOpen,
    /// The first token would come too late.
    PredictedTtftTooLong,
    /// Decoding is predicted to be too slow.
    PredictedTpsTooLow,
    /// Decoding was measured to be too slow.
    MeasuredTpsTooLow,
    /// No first token yet: a second leg races the first.
    Hedge,
    /// The other leg of the race was first.
    HedgeLost,

    // What happened on the way.
    /// No token for too long.
    Stalled,
    /// The engine's worker ended.
    WorkerCrashed,
    /// The GPU device was lost.
    DeviceLost,
    /// The device ran out of memory.
    OutOfMemory,
    /// The local engine failed in another way.
    LocalFailed,
    /// The endpoint asked to come back later.
    RetryAfter,
    /// The request's deadline has passed.
    Deadline,
    /// The caller aborted.
    Cancelled,
    /// Another side could go on, but the request was handed over as often as allowed.
    HandoverSpent,
    /// What ran may no longer run, and nothing else can go on.
    Denied,
}
