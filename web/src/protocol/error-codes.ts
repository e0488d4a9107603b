// Generated from crates/inshore-protocol; do not edit. To write it anew:
// UPDATE=1 cargo test -p inshore-protocol --test generated

/** Who has to act for the same call to succeed. */
export type ErrorOwner = 'request' | 'policy' | 'model_file' | 'device' | 'engine' | 'endpoint' | 'server';

/** One row of the table. */
export interface ErrorRow {
  /** HTTP status. */
  readonly status: number;
  /** OpenAI's `type`. */
  readonly type: string;
  /** `unless_retried`: worth another try, which a page's policy has already made. */
  readonly retry: 'yes' | 'no' | 'unless_retried';
  readonly owner: ErrorOwner;
  /** The code that clients see over HTTP, where OpenAI has its own name. */
  readonly wire?: 'context_length_exceeded';
}

/** Every error code, by name. */
export const ERROR_CODES = {
  /** The body is not a JSON object in UTF-8, or is nested too deeply. */
  invalid_body: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** A field has a value that it may not have; `param` names the field. */
  invalid_value: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** An argument of the engine has the wrong shape. */
  invalid_argument: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** A sampling parameter is out of its range. */
  invalid_sampling: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The prompt has no token. */
  empty_prompt: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** A token id is not in the vocabulary. */
  unknown_token: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The prompt leaves no room for an answer; shorten the conversation. */
  prompt_too_long: {
    status: 400,
    type: 'invalid_request_error',
    retry: 'no',
    owner: 'request',
    wire: 'context_length_exceeded',
  },
  /** The conversation does not fit the context on the device; shorten it. */
  context_too_long: {
    status: 400,
    type: 'invalid_request_error',
    retry: 'no',
    owner: 'request',
    wire: 'context_length_exceeded',
  },
  /** The prompt is longer than the model's context; shorten the conversation. */
  context_length_exceeded: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The chat template refuses this conversation; the message is the template's own. */
  template_refused: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The endpoint refused the request. */
  refused: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The model reference is not `hf:owner/repo/file.gguf`. */
  bad_reference: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The model address is not an HTTP address. */
  bad_url: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The model manifest has a wrong field. */
  bad_manifest: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The model's SHA-256 is not 64 hexadecimal digits. */
  bad_sha256: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The option `cloud` is wrong. */
  bad_cloud: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The device is none of auto, gpu and cpu. */
  bad_device: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The format of the KV cache is not known. */
  bad_kv_cache: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The number of threads is not a whole number from 1. */
  bad_threads: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** A constant of the policy is out of its range. */
  invalid_policy: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The answer is read twice; read it once and share the events. */
  already_read: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The request has no token. */
  token_missing: { status: 401, type: 'authentication_error', retry: 'no', owner: 'request' },
  /** The token was not made by this worker. */
  token_invalid: { status: 401, type: 'authentication_error', retry: 'no', owner: 'request' },
  /** The token is too old; fetch a new one. */
  token_expired: { status: 401, type: 'authentication_error', retry: 'no', owner: 'request' },
  /** The token is for another use. */
  token_audience: { status: 401, type: 'authentication_error', retry: 'no', owner: 'request' },
  /** The token was made for another origin. */
  token_foreign: { status: 401, type: 'authentication_error', retry: 'no', owner: 'request' },
  /** The token was used before; fetch one for each request. */
  token_replayed: { status: 401, type: 'authentication_error', retry: 'no', owner: 'request' },
  /** The page's origin is not on the worker's list. */
  origin_not_allowed: { status: 403, type: 'permission_error', retry: 'no', owner: 'request' },
  /** The `Host` header names a host that this server does not answer for; see `--allowed-host`. */
  host_not_allowed: { status: 403, type: 'permission_error', retry: 'no', owner: 'request' },
  /** There is nothing at this address. */
  not_found: { status: 404, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** There is no model of this name or at this address. */
  model_not_found: { status: 404, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The name is neither a file nor a model that is known. */
  unknown_model: { status: 404, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The address wants another HTTP method. */
  wrong_method: { status: 405, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The body did not arrive in time. */
  body_timeout: { status: 408, type: 'invalid_request_error', retry: 'yes', owner: 'request' },
  /** The body has too many bytes; shorten the conversation. */
  body_too_large: { status: 413, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The body is not called `application/json`. */
  not_json: { status: 415, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The engine or the endpoint lacks a feature that the request needs; `param` names the field. */
  unsupported_feature: { status: 422, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The endpoint cannot go on with an answer that was begun elsewhere. */
  continuation_unsupported: { status: 422, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The caller ended it. */
  cancelled: { status: 499, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The client has gone away. */
  aborted: { status: 499, type: 'invalid_request_error', retry: 'no', owner: 'request' },
  /** The request would have to leave the device and may not. */
  denied: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The request is labelled `local_only` and would have to leave the device. */
  private: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The request is for the device only; the worker did not pass it on. */
  privacy_local_only: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The request would have to leave the device, and the cloud is switched off. */
  cloud_disabled: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The measurement needs the cloud, and the cloud may not be used. */
  cloud_unused: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The mode is `only_on_device` and the device cannot answer. */
  mode_on_device: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The mode is `only_in_cloud` and the endpoint cannot answer. */
  mode_in_cloud: { status: 403, type: 'permission_error', retry: 'no', owner: 'policy' },
  /** The budget of cloud tokens is spent. */
  budget_spent: { status: 429, type: 'insufficient_quota', retry: 'no', owner: 'policy' },
  /** The answer was not complete before the request's deadline. */
  deadline: { status: 504, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The request would have to leave the device, and no endpoint is configured. */
  no_endpoint: { status: 503, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The model is not on this device yet; download it first. */
  not_downloaded: { status: 503, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The request would have to leave the device, and there is no network. */
  offline: { status: 503, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The engine on this device failed several times in a row and rests. */
  local_breaker_open: { status: 503, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The endpoint failed several times in a row and rests. */
  cloud_breaker_open: { status: 503, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The answer broke off again after it was handed over. */
  handover_spent: { status: 502, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The answer had to begin again, and the caller does not take `replace`. */
  answer_replaced: { status: 502, type: 'server_error', retry: 'no', owner: 'policy' },
  /** A leg would have broken the rules and was not started; please report it. */
  gate_violated: { status: 500, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The route could not be taken as decided; please report it. */
  route_mismatch: { status: 500, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The policy failed; please report it. */
  policy_failed: { status: 500, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The policy was told something that it does not understand; please report it. */
  invalid_event: { status: 500, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The policy's module could not be loaded; check `assets.routeWasm`. */
  route_unavailable: { status: 500, type: 'server_error', retry: 'no', owner: 'policy' },
  /** The model has no chat template; it is a base model or an incomplete file. */
  no_chat_template: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'model_file' },
  /** The chat template is broken or uses something that is not supported. */
  chat_template_failed: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'model_file' },
  /** The chat template was stopped at its budget of time, memory or output. */
  chat_template_runaway: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'model_file' },
  /** The file is not a GGUF file. */
  not_gguf: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The GGUF file holds no language model. */
  not_a_model: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The GGUF header is damaged. */
  invalid_gguf: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The file is shorter than its header says. */
  truncated: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The file could not be read. */
  read_failed: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** A tensor has a block format that the engine does not read. */
  unsupported_tensor_type: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The engine does not run models of this architecture. */
  unsupported_architecture: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The engine does not know this way to scale RoPE. */
  unsupported_rope_scaling: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** A metadata key asks for something that the engine does not do. */
  unsupported_metadata: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The vocabulary has more entries than the model has embedding rows. */
  vocabulary_mismatch: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The file has tensors that the engine would not use. */
  unused_tensors: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The file is a part of a split model. */
  split_file: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The model is a mixture of experts, which the engine does not run. */
  mixture_of_experts: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** A hyperparameter makes no sense. */
  invalid_hyperparameter: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** A tensor does not have the shape that the hyperparameters ask for. */
  wrong_shape: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** A weight does not fit its format. */
  invalid_weights: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The tokenizer or its way to split text is not supported. */
  unsupported_tokenizer: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The vocabulary is damaged. */
  invalid_tokenizer: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The model file can no longer be read. */
  file_gone: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The file was moved or may not be read. */
  file_unreadable: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The stored model is damaged; download it again. */
  model_damaged: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The model is no longer in the browser; download it again. */
  model_not_stored: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The server has another file than when the download began. */
  model_changed: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The server's file does not have the size that the manifest says. */
  wrong_size: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The file does not have the hash that the manifest says. */
  wrong_hash: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The server has no model manifest. */
  no_manifest: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The manifest names no model. */
  no_models: { status: 500, type: 'server_error', retry: 'no', owner: 'model_file' },
  /** The engine does not run on this device. */
  unsupported_device: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The model does not fit the memory of this device. */
  memory_too_small: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The device ran out of memory. */
  out_of_memory: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'device' },
  /** A tensor is larger than a buffer of the device. */
  tensor_too_large_for_device: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The KV cache is larger than a buffer of the device; ask for a shorter context. */
  context_too_large_for_device: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** A GPU does not keep keys and values in this format. */
  kv_cache_not_on_gpu: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The browser has no WebGPU. */
  no_webgpu: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** There is no GPU adapter. */
  no_adapter: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The GPU adapter gave no device. */
  device_refused: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The GPU failed when it was opened. */
  gpu_failed: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The GPU device was lost. */
  device_lost: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'device' },
  /** The browser gives the page too little storage for the model. */
  quota_exceeded: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The model could not be written to storage. */
  write_failed: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** The browser has no private file system here: private browsing, or no secure context. */
  storage_unavailable: { status: 503, type: 'server_error', retry: 'no', owner: 'device' },
  /** Another tab is using the stored model. */
  store_busy: { status: 503, type: 'server_error', retry: 'yes', owner: 'device' },
  /** The model computed a number that is not finite; its weights are damaged or the device computes wrongly. */
  not_finite: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** The engine panicked during this request. */
  engine_panicked: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** The engine broke down. */
  engine_gone: { status: 500, type: 'server_error', retry: 'unless_retried', owner: 'engine' },
  /** The engine's module could not be loaded. */
  engine_unavailable: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** Another tab uses the shared engine with other settings. */
  engine_in_use: { status: 503, type: 'server_error', retry: 'yes', owner: 'engine' },
  /** The engine's worker has already opened a device. */
  device_already_open: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** The engine has no device yet. */
  no_device: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** The engine has no model yet. */
  no_model: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** The tokenizer failed on this text. */
  tokenizer_failed: { status: 500, type: 'server_error', retry: 'no', owner: 'engine' },
  /** The engine has started a later request. */
  superseded: { status: 503, type: 'server_error', retry: 'yes', owner: 'engine' },
  /** The engine's worker crashed. */
  worker_crashed: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'engine' },
  /** The answer stalled, and nothing else may take it over. */
  stalled: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'engine' },
  /** The engine on the device failed. */
  local_failed: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'engine' },
  /** The endpoint does not accept the token. */
  unauthorised: { status: 401, type: 'authentication_error', retry: 'no', owner: 'endpoint' },
  /** The account behind the endpoint has no credit left. */
  payment: { status: 402, type: 'insufficient_quota', retry: 'no', owner: 'endpoint' },
  /** The account behind the endpoint has no credit left. */
  insufficient_quota: { status: 402, type: 'insufficient_quota', retry: 'no', owner: 'endpoint' },
  /** The server does not give out the model; accept its terms or sign in there. */
  access_denied: { status: 403, type: 'permission_error', retry: 'no', owner: 'endpoint' },
  /** The endpoint runs another model than the one that began the answer. */
  model_mismatch: { status: 409, type: 'invalid_request_error', retry: 'no', owner: 'endpoint' },
  /** The endpoint or the worker has had too many requests; `Retry-After` says when to come back. */
  rate_limited: { status: 429, type: 'rate_limit_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The endpoint asks to wait longer than the request can. */
  retry_after: { status: 429, type: 'rate_limit_error', retry: 'no', owner: 'endpoint' },
  /** The endpoint could not be reached, or the connection broke. */
  network: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The endpoint's answer is not what the protocol says. */
  protocol: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The endpoint failed. */
  server_error: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The endpoint failed, and nothing else may take the request over. */
  cloud_failed: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The download broke off; what arrived is kept. */
  network_failed: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The download server answered with an unexpected status. */
  http_status: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The download server is overloaded. */
  server_busy: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The download server sent another range than it was asked for. */
  bad_range: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The download server redirects to where no file can be. */
  bad_redirect: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The download server sent the file compressed. */
  encoded_body: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The package that holds the model could not be fetched. */
  package_unavailable: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The package does not hold the model. */
  bad_package: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The model behind the worker refused the request. */
  upstream_rejected: { status: 400, type: 'invalid_request_error', retry: 'no', owner: 'endpoint' },
  /** The operator's account at the model's endpoint is used up. */
  upstream_quota: { status: 402, type: 'insufficient_quota', retry: 'no', owner: 'endpoint' },
  /** The model's endpoint does not know the model. */
  upstream_model_missing: { status: 404, type: 'invalid_request_error', retry: 'no', owner: 'endpoint' },
  /** The model behind the worker has too much to do. */
  upstream_rate_limited: {
    status: 429,
    type: 'rate_limit_error',
    retry: 'unless_retried',
    owner: 'endpoint',
  },
  /** The model's endpoint does not accept the worker. */
  upstream_auth: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The model behind the worker failed. */
  upstream_error: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The model behind the worker cannot be reached. */
  upstream_unreachable: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The model behind the worker broke off in the middle of its answer. */
  upstream_broken: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The answer of the model behind the worker ended before it was complete. */
  upstream_truncated: { status: 502, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The model behind the worker sent something that is no answer of this protocol. */
  upstream_garbage: { status: 502, type: 'server_error', retry: 'no', owner: 'endpoint' },
  /** The model behind the worker is not available right now. */
  upstream_unavailable: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** The model behind the worker was silent for too long. */
  upstream_timeout: { status: 504, type: 'server_error', retry: 'unless_retried', owner: 'endpoint' },
  /** Too many requests are waiting. */
  busy: { status: 503, type: 'server_error', retry: 'yes', owner: 'server' },
  /** The model is being loaded. */
  loading: { status: 503, type: 'server_error', retry: 'yes', owner: 'server' },
  /** The model is being loaded again after a failure. */
  reloading: { status: 503, type: 'server_error', retry: 'yes', owner: 'server' },
  /** The server is stopping. */
  stopping: { status: 503, type: 'server_error', retry: 'yes', owner: 'server' },
  /** This instance has ended. */
  closed: { status: 503, type: 'server_error', retry: 'no', owner: 'server' },
  /** This instance was destroyed. */
  destroyed: { status: 503, type: 'server_error', retry: 'no', owner: 'server' },
  /** The worker cannot reach its store of used tokens. */
  token_store_unavailable: { status: 503, type: 'server_error', retry: 'unless_retried', owner: 'server' },
  /** The worker's operator must correct its configuration. */
  worker_misconfigured: { status: 500, type: 'server_error', retry: 'no', owner: 'server' },
  /** This build of the page lacks the module that is needed. */
  module_not_built: { status: 503, type: 'server_error', retry: 'no', owner: 'server' },
  /** A fault of inshore; please report it. */
  internal: { status: 500, type: 'server_error', retry: 'no', owner: 'server' },
} as const satisfies Record<string, ErrorRow>;

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Whether `code` stands in the table. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code);

/** The row of `code`; that of `internal` for a name that is not in the table. */
export const errorRow = (code: string): ErrorRow => ERROR_CODES[isErrorCode(code) ? code : 'internal'];
