//! Every error code that any part of inshore emits. A new failure gets a row here; no code is written anywhere else.

use crate::error_code::{Owner, Retry};

macro_rules! error_codes {
    ($($variant:ident, $name:literal, $status:literal, $retry:ident, $owner:ident, $description:literal;)*) => {
        /// A stable error code, `snake_case` everywhere outside Rust. A name is never reused for another meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $description] $variant,)*
        }

        impl ErrorCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Stable name in snake_case.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// HTTP status of an answer with this error.
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// Whether a client should send the same request again.
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// Who has to act.
            pub const fn owner(self) -> Owner {
                match self { $(Self::$variant => Owner::$owner,)* }
            }

            /// One line for a person.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)* }
            }
        }
    };
}

error_codes! {
    // The request.
    InvalidBody, "invalid_body", 400, No, Request, "The body is not a JSON object in UTF-8, or is nested too deeply.";
    InvalidValue, "invalid_value", 400, No, Request, "A field has a value that it may not have; `param` names the field.";
    InvalidArgument, "invalid_argument", 400, No, Request, "An argument of the engine has the wrong shape.";
    InvalidSampling, "invalid_sampling", 400, No, Request, "A sampling parameter is out of its range.";
    EmptyPrompt, "empty_prompt", 400, No, Request, "The prompt has no token.";
    UnknownToken, "unknown_token", 400, No, Request, "A token id is not in the vocabulary.";
    PromptTooLong, "prompt_too_long", 400, No, Request, "The prompt leaves no room for an answer; shorten the conversation.";
    ContextTooLong, "context_too_long", 400, No, Request, "The conversation does not fit the context on the device; shorten it.";
    ContextLengthExceeded, "context_length_exceeded", 400, No, Request, "The prompt is longer than the model's context; shorten the conversation.";
    TemplateRefused, "template_refused", 400, No, Request, "The chat template refuses this conversation; the message is the template's own.";
    Refused, "refused", 400, No, Request, "The endpoint refused the request.";
    BadReference, "bad_reference", 400, No, Request, "The model reference is not `hf:owner/repo/file.gguf`.";
    BadUrl, "bad_url", 400, No, Request, "The model address is not an HTTP address.";
    BadManifest, "bad_manifest", 400, No, Request, "The model manifest has a wrong field.";
    BadSha256, "bad_sha256", 400, No, Request, "The model's SHA-256 is not 64 hexadecimal digits.";
    BadCloud, "bad_cloud", 400, No, Request, "The option `cloud` is wrong.";
    BadDevice, "bad_device", 400, No, Request, "The device is none of auto, gpu and cpu.";
    BadKvCache, "bad_kv_cache", 400, No, Request, "The format of the KV cache is not known.";
    BadThreads, "bad_threads", 400, No, Request, "The number of threads is not a whole number from 1.";
    InvalidPolicy, "invalid_policy", 400, No, Request, "A constant of the policy is out of its range.";
    AlreadyRead, "already_read", 400, No, Request, "The answer is read twice; read it once and share the events.";
    TokenMissing, "token_missing", 401, No, Request, "The request has no token.";
    TokenInvalid, "token_invalid", 401, No, Request, "The token was not made by this worker.";
    TokenExpired, "token_expired", 401, No, Request, "The token is too old; fetch a new one.";
    TokenAudience, "token_audience", 401, No, Request, "The token is for another use.";
    TokenForeign, "token_foreign", 401, No, Request, "The token was made for another origin.";
    TokenReplayed, "token_replayed", 401, No, Request, "The token was used before; fetch one for each request.";
    OriginNotAllowed, "origin_not_allowed", 403, No, Request, "The page's origin is not on the worker's list.";
    HostNotAllowed, "host_not_allowed", 403, No, Request, "The `Host` header names a host that this server does not answer for; see `--allowed-host`.";
    NotFound, "not_found", 404, No, Request, "There is nothing at this address.";
    ModelNotFound, "model_not_found", 404, No, Request, "There is no model of this name or at this address.";
    UnknownModel, "unknown_model", 404, No, Request, "The name is neither a file nor a model that is known.";
    WrongMethod, "wrong_method", 405, No, Request, "The address wants another HTTP method.";
    BodyTimeout, "body_timeout", 408, Yes, Request, "The body did not arrive in time.";
    BodyTooLarge, "body_too_large", 413, No, Request, "The body has too many bytes; shorten the conversation.";
    NotJson, "not_json", 415, No, Request, "The body is not called `application/json`.";
    UnsupportedFeature, "unsupported_feature", 422, No, Request, "The engine or the endpoint lacks a feature that the request needs; `param` names the field.";
    ContinuationUnsupported, "continuation_unsupported", 422, No, Request, "The endpoint cannot go on with an answer that was begun elsewhere.";
    Cancelled, "cancelled", 499, No, Request, "The caller ended it.";
    Aborted, "aborted", 499, No, Request, "The client has gone away.";
    // The rules of the page and its user.
    Denied, "denied", 403, No, Policy, "The request would have to leave the device and may not.";
    Private, "private", 403, No, Policy, "The request is labelled `local_only` and would have to leave the device.";
    PrivacyLocalOnly, "privacy_local_only", 403, No, Policy, "The request is for the device only; the worker did not pass it on.";
    CloudDisabled, "cloud_disabled", 403, No, Policy, "The request would have to leave the device, and the cloud is switched off.";
    CloudUnused, "cloud_unused", 403, No, Policy, "The measurement needs the cloud, and the cloud may not be used.";
    ModeOnDevice, "mode_on_device", 403, No, Policy, "The mode is `only_on_device` and the device cannot answer.";
    ModeInCloud, "mode_in_cloud", 403, No, Policy, "The mode is `only_in_cloud` and the endpoint cannot answer.";
    BudgetSpent, "budget_spent", 429, No, Policy, "The budget of cloud tokens is spent.";
    Deadline, "deadline", 504, No, Policy, "The answer was not complete before the request's deadline.";
    NoEndpoint, "no_endpoint", 503, No, Policy, "The request would have to leave the device, and no endpoint is configured.";
    NotDownloaded, "not_downloaded", 503, No, Policy, "The model is not on this device yet; download it first.";
    Offline, "offline", 503, No, Policy, "The request would have to leave the device, and there is no network.";
    LocalBreakerOpen, "local_breaker_open", 503, No, Policy, "The engine on this device failed several times in a row and rests.";
    CloudBreakerOpen, "cloud_breaker_open", 503, No, Policy, "The endpoint failed several times in a row and rests.";
    HandoverSpent, "handover_spent", 502, No, Policy, "The answer broke off again after it was handed over.";
    AnswerReplaced, "answer_replaced", 502, No, Policy, "The answer had to begin again, and the caller does not take `replace`.";
    GateViolated, "gate_violated", 500, No, Policy, "A leg would have broken the rules and was not started; please report it.";
    RouteMismatch, "route_mismatch", 500, No, Policy, "The route could not be taken as decided; please report it.";
    PolicyFailed, "policy_failed", 500, No, Policy, "The policy failed; please report it.";
    InvalidEvent, "invalid_event", 500, No, Policy, "The policy was told something that it does not understand; please report it.";
    RouteUnavailable, "route_unavailable", 500, No, Policy, "The policy's module could not be loaded; check `assets.routeWasm`.";
    // The model file.
    NoChatTemplate, "no_chat_template", 400, No, ModelFile, "The model has no chat template; it is a base model or an incomplete file.";
    ChatTemplateFailed, "chat_template_failed", 400, No, ModelFile, "The chat template is broken or uses something that is not supported.";
    ChatTemplateRunaway, "chat_template_runaway", 400, No, ModelFile, "The chat template was stopped at its budget of time, memory or output.";
    NotGguf, "not_gguf", 500, No, ModelFile, "The file is not a GGUF file.";
    NotAModel, "not_a_model", 500, No, ModelFile, "The GGUF file holds no language model.";
    InvalidGguf, "invalid_gguf", 500, No, ModelFile, "The GGUF header is damaged.";
    Truncated, "truncated", 500, No, ModelFile, "The file is shorter than its header says.";
    ReadFailed, "read_failed", 500, No, ModelFile, "The file could not be read.";
    UnsupportedTensorType, "unsupported_tensor_type", 500, No, ModelFile, "A tensor has a block format that the engine does not read.";
    UnsupportedArchitecture, "unsupported_architecture", 500, No, ModelFile, "The engine does not run models of this architecture.";
    UnsupportedRopeScaling, "unsupported_rope_scaling", 500, No, ModelFile, "The engine does not know this way to scale RoPE.";
    UnsupportedMetadata, "unsupported_metadata", 500, No, ModelFile, "A metadata key asks for something that the engine does not do.";
    VocabularyMismatch, "vocabulary_mismatch", 500, No, ModelFile, "The vocabulary has more entries than the model has embedding rows.";
    UnusedTensors, "unused_tensors", 500, No, ModelFile, "The file has tensors that the engine would not use.";
    SplitFile, "split_file", 500, No, ModelFile, "The file is a part of a split model.";
    MixtureOfExperts, "mixture_of_experts", 500, No, ModelFile, "The model is a mixture of experts, which the engine does not run.";
    InvalidHyperparameter, "invalid_hyperparameter", 500, No, ModelFile, "A hyperparameter makes no sense.";
    WrongShape, "wrong_shape", 500, No, ModelFile, "A tensor does not have the shape that the hyperparameters ask for.";
    InvalidWeights, "invalid_weights", 500, No, ModelFile, "A weight does not fit its format.";
    UnsupportedTokenizer, "unsupported_tokenizer", 500, No, ModelFile, "The tokenizer or its way to split text is not supported.";
    InvalidTokenizer, "invalid_tokenizer", 500, No, ModelFile, "The vocabulary is damaged.";
    FileGone, "file_gone", 500, No, ModelFile, "The model file can no longer be read.";
    FileUnreadable, "file_unreadable", 500, No, ModelFile, "The file was moved or may not be read.";
    ModelDamaged, "model_damaged", 500, No, ModelFile, "The stored model is damaged; download it again.";
    ModelNotStored, "model_not_stored", 500, No, ModelFile, "The model is no longer in the browser; download it again.";
    ModelChanged, "model_changed", 500, No, ModelFile, "The server has another file than when the download began.";
    WrongSize, "wrong_size", 500, No, ModelFile, "The server's file does not have the size that the manifest says.";
    WrongHash, "wrong_hash", 500, No, ModelFile, "The file does not have the hash that the manifest says.";
    NoManifest, "no_manifest", 500, No, ModelFile, "The server has no model manifest.";
    NoModels, "no_models", 500, No, ModelFile, "The manifest names no model.";
    // The device.
    UnsupportedDevice, "unsupported_device", 503, No, Device, "The engine does not run on this device.";
    MemoryTooSmall, "memory_too_small", 503, No, Device, "The model does not fit the memory of this device.";
    OutOfMemory, "out_of_memory", 503, UnlessRetried, Device, "The device ran out of memory.";
    TensorTooLargeForDevice, "tensor_too_large_for_device", 503, No, Device, "A tensor is larger than a buffer of the device.";
    ContextTooLargeForDevice, "context_too_large_for_device", 503, No, Device, "The KV cache is larger than a buffer of the device; ask for a shorter context.";
    KvCacheNotOnGpu, "kv_cache_not_on_gpu", 503, No, Device, "A GPU does not keep keys and values in this format.";
    NoWebgpu, "no_webgpu", 503, No, Device, "The browser has no WebGPU.";
    NoAdapter, "no_adapter", 503, No, Device, "There is no GPU adapter.";
    DeviceRefused, "device_refused", 503, No, Device, "The GPU adapter gave no device.";
    GpuFailed, "gpu_failed", 503, No, Device, "The GPU failed when it was opened.";
    DeviceLost, "device_lost", 503, UnlessRetried, Device, "The GPU device was lost.";
    QuotaExceeded, "quota_exceeded", 503, No, Device, "The browser gives the page too little storage for the model.";
    WriteFailed, "write_failed", 503, No, Device, "The model could not be written to storage.";
    StorageUnavailable, "storage_unavailable", 503, No, Device, "The browser has no private file system here: private browsing, or no secure context.";
    StoreBusy, "store_busy", 503, Yes, Device, "Another tab is using the stored model.";
    // The engine.
    NotFinite, "not_finite", 500, No, Engine, "The model computed a number that is not finite; its weights are damaged or the device computes wrongly.";
    EnginePanicked, "engine_panicked", 500, No, Engine, "The engine panicked during this request.";
    EngineGone, "engine_gone", 500, UnlessRetried, Engine, "The engine broke down.";
    EngineUnavailable, "engine_unavailable", 500, No, Engine, "The engine's module could not be loaded.";
    EngineInUse, "engine_in_use", 503, Yes, Engine, "Another tab uses the shared engine with other settings.";
    DeviceAlreadyOpen, "device_already_open", 500, No, Engine, "The engine's worker has already opened a device.";
    NoDevice, "no_device", 500, No, Engine, "The engine has no device yet.";
    NoModel, "no_model", 500, No, Engine, "The engine has no model yet.";
    TokenizerFailed, "tokenizer_failed", 500, No, Engine, "The tokenizer failed on this text.";
    Superseded, "superseded", 503, Yes, Engine, "The engine has started a later request.";
    WorkerCrashed, "worker_crashed", 503, UnlessRetried, Engine, "The engine's worker crashed.";
    Stalled, "stalled", 503, UnlessRetried, Engine, "The answer stalled, and nothing else may take it over.";
    LocalFailed, "local_failed", 503, UnlessRetried, Engine, "The engine on the device failed.";
    // Endpoints and download servers.
    Unauthorised, "unauthorised", 401, No, Endpoint, "The endpoint does not accept the token.";
    Payment, "payment", 402, No, Endpoint, "The account behind the endpoint has no credit left.";
    InsufficientQuota, "insufficient_quota", 402, No, Endpoint, "The account behind the endpoint has no credit left.";
    AccessDenied, "access_denied", 403, No, Endpoint, "The server does not give out the model; accept its terms or sign in there.";
    ModelMismatch, "model_mismatch", 409, No, Endpoint, "The endpoint runs another model than the one that began the answer.";
    RateLimited, "rate_limited", 429, UnlessRetried, Endpoint, "The endpoint or the worker has had too many requests; `Retry-After` says when to come back.";
    RetryAfter, "retry_after", 429, No, Endpoint, "The endpoint asks to wait longer than the request can.";
    Network, "network", 502, UnlessRetried, Endpoint, "The endpoint could not be reached, or the connection broke.";
    Protocol, "protocol", 502, No, Endpoint, "The endpoint's answer is not what the protocol says.";
    ServerError, "server_error", 502, UnlessRetried, Endpoint, "The endpoint failed.";
    CloudFailed, "cloud_failed", 502, UnlessRetried, Endpoint, "The endpoint failed, and nothing else may take the request over.";
    NetworkFailed, "network_failed", 502, UnlessRetried, Endpoint, "The download broke off; what arrived is kept.";
    HttpStatus, "http_status", 502, No, Endpoint, "The download server answered with an unexpected status.";
    ServerBusy, "server_busy", 503, UnlessRetried, Endpoint, "The download server is overloaded.";
    BadRange, "bad_range", 502, No, Endpoint, "The download server sent another range than it was asked for.";
    BadRedirect, "bad_redirect", 502, No, Endpoint, "The download server redirects to where no file can be.";
    EncodedBody, "encoded_body", 502, No, Endpoint, "The download server sent the file compressed.";
    PackageUnavailable, "package_unavailable", 502, No, Endpoint, "The package that holds the model could not be fetched.";
    BadPackage, "bad_package", 502, No, Endpoint, "The package does not hold the model.";
    UpstreamRejected, "upstream_rejected", 400, No, Endpoint, "The model behind the worker refused the request.";
    UpstreamQuota, "upstream_quota", 402, No, Endpoint, "The operator's account at the model's endpoint is used up.";
    UpstreamModelMissing, "upstream_model_missing", 404, No, Endpoint, "The model's endpoint does not know the model.";
    UpstreamRateLimited, "upstream_rate_limited", 429, UnlessRetried, Endpoint, "The model behind the worker has too much to do.";
    UpstreamAuth, "upstream_auth", 502, No, Endpoint, "The model's endpoint does not accept the worker.";
    UpstreamError, "upstream_error", 502, UnlessRetried, Endpoint, "The model behind the worker failed.";
    UpstreamUnreachable, "upstream_unreachable", 502, UnlessRetried, Endpoint, "The model behind the worker cannot be reached.";
    UpstreamBroken, "upstream_broken", 502, UnlessRetried, Endpoint, "The model behind the worker broke off in the middle of its answer.";
    UpstreamTruncated, "upstream_truncated", 502, UnlessRetried, Endpoint, "The answer of the model behind the worker ended before it was complete.";
    UpstreamGarbage, "upstream_garbage", 502, No, Endpoint, "The model behind the worker sent something that is no answer of this protocol.";
    UpstreamUnavailable, "upstream_unavailable", 503, UnlessRetried, Endpoint, "The model behind the worker is not available right now.";
    UpstreamTimeout, "upstream_timeout", 504, UnlessRetried, Endpoint, "The model behind the worker was silent for too long.";
    // The program that answers.
    Busy, "busy", 503, Yes, Server, "Too many requests are waiting.";
    Loading, "loading", 503, Yes, Server, "The model is being loaded.";
    Reloading, "reloading", 503, Yes, Server, "The model is being loaded again after a failure.";
    Stopping, "stopping", 503, Yes, Server, "The server is stopping.";
    Closed, "closed", 503, No, Server, "This instance has ended.";
    Destroyed, "destroyed", 503, No, Server, "This instance was destroyed.";
    TokenStoreUnavailable, "token_store_unavailable", 503, UnlessRetried, Server, "The worker cannot reach its store of used tokens.";
    WorkerMisconfigured, "worker_misconfigured", 500, No, Server, "The worker's operator must correct its configuration.";
    ModuleNotBuilt, "module_not_built", 503, No, Server, "This build of the page lacks the module that is needed.";
    Internal, "internal", 500, No, Server, "A fault of inshore; please report it.";
}
