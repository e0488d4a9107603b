/**
 * The language of the deferral policy, `crates/inshore-route`: what it is told and what it orders. The policy is a pure
 * state machine. Whoever executes it (here the SDK) reports each event with its time, and carries out each order as it
 * stands. Field names are the JSON's own; quantities carry units.
 */

/** Where a piece of an answer comes from. */
export type Source = 'on_device' | 'edge' | 'in_cloud';

/** What the caller prefers. */
export type Mode = 'only_on_device' | 'prefer_on_device' | 'prefer_in_cloud' | 'only_in_cloud' | 'auto';

/** Whether the local model can answer. */
export type Availability = 'unavailable' | 'downloadable' | 'downloading' | 'available';

/** How another endpoint can go on with an answer that was begun elsewhere. */
export type Continuation = 'token_ids' | 'prefix' | 'none';

/** What counts as good enough. */
export interface Slo {
  /** Time to first token at most. */
  ttft_ms: number;
  /** Decode speed at least. */
  tokens_per_second: number;
}

/** One request, as far as the policy must know it. */
export interface RequestSpec {
  mode: Mode;
  slo: Slo;
  /** `local_only`: neither the prompt nor a partial answer may leave the device. */
  privacy: 'local_only' | 'cloud_allowed';
  /** Counted, or estimated where the tokenizer is not loaded. */
  prompt_tokens: number;
  max_tokens?: number | undefined;
  /** Requests with the same name stay where the first one went. */
  conversation?: string | undefined;
  /** For the whole request, from `begin` on. */
  deadline_ms?: number | undefined;
  /** May a second leg race the first one? */
  hedge: boolean;
  /** What is left of the caller's budget for the cloud; absent: no limit. */
  cloud_tokens_left?: number | undefined;
  /** Features of the request that the engine here does not have (`tools`, `response_format` …). */
  local_lacks: string[];
}

/** The state of the world when a request begins. */
export interface Snapshot {
  local: {
    availability: Availability;
    /** Names engine x model x adapter, for breaker and history. */
    key: string;
    context_tokens?: number | undefined;
    /** Whether the predicted memory fits; null: not known. */
    memory_fits: boolean | null;
    /** Time until a stored model is loaded; 0 once it is. */
    load_ms: number;
    /** Time until running and queued answers are through. */
    queue_ms: number;
    /** The probe's prediction, or the last measurement of another session. */
    estimate?: { prefill_tps: number; decode_tps: number } | undefined;
  };
  /** Absent: no endpoint is configured. */
  cloud?: { source: 'edge' | 'in_cloud'; key: string; continuation: Continuation } | undefined;
  /** The user's switch. */
  cloud_enabled: boolean;
  /** `navigator.onLine`. */
  online: boolean;
  /** The page is hidden: gaps are no stalls. */
  hidden: boolean;
}

/** Why something was decided: stable names, one list. */
export type Reason =
  // why here
  | 'mode_on_device'
  | 'preferred_on_device'
  | 'meets_slo'
  | 'sticky_on_device'
  | 'probing_recovery'
  | 'no_endpoint'
  | 'cloud_disabled'
  | 'private'
  | 'offline'
  | 'budget_spent'
  | 'cloud_breaker_open'
  | 'cloud_failed'
  // why there
  | 'mode_in_cloud'
  | 'preferred_in_cloud'
  | 'sticky_in_cloud'
  | 'not_downloaded'
  | 'unsupported_device'
  | 'unsupported_feature'
  | 'context_too_long'
  | 'memory_too_small'
  | 'local_breaker_open'
  | 'predicted_ttft_too_long'
  | 'predicted_tps_too_low'
  | 'measured_tps_too_low'
  | 'hedge'
  | 'hedge_lost'
  // what happened on the way
  | 'stalled'
  | 'worker_crashed'
  | 'device_lost'
  | 'out_of_memory'
  | 'local_failed'
  | 'retry_after'
  | 'deadline'
  | 'cancelled'
  | 'handover_spent'
  | 'denied';

/** A failed leg, in the words that matter here. */
export type FailureKind =
  | 'worker_crashed'
  /** The engine met one of its own bugs in this request. A new engine would meet it again; another host may not. */
  | 'engine_panicked'
  | 'device_lost'
  | 'out_of_memory'
  /** The request itself is to blame (400 …): nobody else would do better. */
  | 'refused'
  /** The prompt is longer than the engine's context, though the estimate was not: another one may read it. */
  | 'context_exceeded'
  | 'unauthorised'
  | 'payment'
  | 'not_found'
  | 'rate_limited'
  | 'server_error'
  | 'network'
  | 'protocol'
  /** The host runs another model than the one that began the answer. */
  | 'model_mismatch'
  | 'other';

/** What the policy is told. `leg` is the number that an order `start` gave; each request counts its own from 1. */
export type RouteEvent =
  | { type: 'begin'; request: number; spec: RequestSpec; snapshot: Snapshot }
  /**
   * Tokens arrived on a leg; the first one ends its TTFT. `tokens`: how many since the last report. `ids`: whether they are
   * held as token ids of the device's model, so that the device could go on from them; absent: yes on the device, else no.
   */
  | { type: 'tokens'; request: number; leg: number; tokens: number; ids?: boolean | undefined }
  /**
   * A leg makes progress without a token of the answer: a keep-alive, reasoning, or a part of the prompt. It restarts the
   * timeout of a silent leg, up to `alive_timeout_ms`.
   */
  | { type: 'alive'; request: number; leg: number }
  | { type: 'failed'; request: number; leg: number; kind: FailureKind; retry_after_ms?: number | undefined }
  /** A leg ended by itself with a `finish_reason`. `prefill_tps` and `decode_tps` where the engine measured them. */
  | {
      type: 'finished';
      request: number;
      leg: number;
      prefill_tps?: number | undefined;
      decode_tps?: number | undefined;
    }
  /** A load that was ordered is through: the model is loaded, or loading failed in the way of `kind`. */
  | { type: 'load_ended'; key: string; kind?: FailureKind | undefined }
  /** The caller aborted. */
  | { type: 'cancelled'; request: number }
  /** The time of an order `wake` has come; reporting it early or twice is harmless. */
  | { type: 'wake' }
  | { type: 'visibility'; hidden: boolean }
  | { type: 'connectivity'; online: boolean }
  /** The user's switch; off ends every leg outside the device, at once. */
  | { type: 'cloud_enabled'; enabled: boolean }
  /** A stalled clock (suspended laptop, throttled tab): this many ms did not count. */
  | { type: 'suspended'; lost_ms: number };

/** What was predicted when a route was chosen. */
export interface Prediction {
  ttft_local_ms: number | null;
  ttft_cloud_ms: number | null;
  local_tps: number | null;
}

/** How a leg begins. */
export type Manner =
  /** From the prompt. */
  | 'fresh'
  /** From the token ids of the answer so far. */
  | 'token_ids'
  /** From the text of the answer so far, as a last assistant message with `prefix: true`. */
  | 'prefix'
  /** From the prompt again; what was shown is void (a visible `replace`). */
  | 'replace';

/** How the engine is set up for a leg on the device: a failed plan is followed by a smaller one. */
export type Plan = 'same' | 'smaller_context' | 'cpu';

/** What the policy orders. Orders of one event are carried out in their order. */
export type Order =
  | {
      type: 'start';
      request: number;
      leg: number;
      source: Source;
      manner: Manner;
      /** On the device only. */
      plan: Plan;
      /** A race: tokens of this leg count only once `adopt` names it. The first leg of a request is adopted already. */
      racing: boolean;
      reason: Reason;
      prediction: Prediction;
      /** Set where this is a hand-over or a recovery in the middle of an answer. */
      handover: boolean;
      /** Not before this time has passed (`Retry-After`). */
      after_ms: number;
    }
  /** From now on the answer is that leg's. */
  | { type: 'adopt'; request: number; leg: number; reason: Reason }
  | { type: 'abort'; request: number; leg: number; reason: Reason }
  /** The request ends in an error; `reason` says why, `last` what failed last. */
  | { type: 'fail'; request: number; reason: Reason; last?: FailureKind | undefined }
  /** The request has ended well. */
  | { type: 'done'; request: number }
  | { type: 'wake'; at_ms: number }
  /**
   * Load the stored model in the background: a request left because loading takes too long, and the next one shall find it
   * loaded. Never a download; nothing waits for it. Its end is reported as `load_ended`.
   */
  | { type: 'load'; key: string; reason: Reason }
  | { type: 'breaker'; key: string; state: 'closed' | 'open' | 'half_open'; until_ms?: number | undefined };

/**
 * One line of a recorded trace: `inshore route replay` reads a file of these, the configuration first. `dropped`: number
 * of older lines that are missing between the first line and the second.
 */
export type TraceLine =
  | { config: RouteConfig; dropped?: number }
  | { now_ms: number; event: RouteEvent; orders: Order[] };

/** Every constant of the policy; `defaultConfig()` of the wasm module gives the defaults. */
export interface RouteConfig {
  leave_ratio: number;
  leave_count: number;
  leave_window: number;
  return_ratio: number;
  return_after_ms: number;
  return_max_ms: number;
  breaker_failures: number;
  breaker_window: number;
  breaker_ratio: number;
  breaker_open_ms: number;
  breaker_max_ms: number;
  history_requests: number;
  cloud_ttft_quantile: number;
  default_cloud_ttft_ms: number;
  hedge_slo_ratio: number;
  hedge_quantile: number;
  hedge_share: number;
  stall_ms: number;
  stall_gap_ratio: number;
  first_token_timeout_ms: number;
  alive_timeout_ms: number;
  max_retry_after_ms: number;
  max_handovers: number;
  max_recoveries: number;
}
