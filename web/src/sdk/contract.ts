/** The public contract of the package: types only. */
import type { DeviceReport, ModelInfo } from '../engine/protocol';
import type { InshoreError } from '../error';
import type { FinishReason } from '../protocol/finish-reason';
import type { ToolCallPiece as ToolCallDelta } from '../protocol/tool-calls';
import type { Availability, Continuation, Mode, Reason, RouteConfig, Slo, Source } from '../route/types';

export type {
  Availability,
  Continuation,
  FinishReason,
  Mode,
  Reason,
  RouteConfig,
  Slo,
  Source,
  ToolCallDelta,
};

/** Where the model's file is: an address, `hf:owner/repo/file.gguf[@revision]`, a file of the user's, or a manifest of shards. */
export type ModelSource = string | File | ModelManifest;

/** A model and how to check it. */
export interface ModelManifest {
  name: string;
  /** One address, or the shards of the file in order. */
  url: string | { url: string; bytes: number; sha256: string }[];
  bytes?: number | undefined;
  /** Of the whole file, lower-case hex. */
  sha256?: string | undefined;
}

/** An OpenAI-compatible endpoint that answers when the device does not. */
export interface CloudOptions {
  /** Up to and with `/v1`. There is no default. */
  baseURL: string;
  model: string;
  /** `edge`: a machine of yours nearby; shown as such. Default `in_cloud`. */
  source?: 'edge' | 'in_cloud';
  /** How it goes on with an answer begun here. `token_ids`: `inshore serve`; `prefix`: endpoints that continue a last assistant message. */
  continuation?: Continuation;
  /** A fresh bearer token for each request: a function, or the address of an inshore worker's token route. Never a provider's key. */
  token?: string | (() => Promise<string> | string);
  headers?: Record<string, string>;
  /** For tests and proxies. */
  fetch?: typeof fetch;
}

/** Options of `createInshore`. */
export interface InshoreOptions {
  model: ModelSource;
  mode?: Mode;
  cloud?: CloudOptions;
  slo?: Partial<Slo>;
  /** Default for requests that carry no label. */
  privacy?: 'local_only' | 'cloud_allowed';
  /** Most tokens that the cloud may read and write for this instance. */
  budget?: { cloudTokens?: number };
  hedge?: boolean;
  device?: 'auto' | 'gpu' | 'cpu';
  /**
   * When the model is downloaded. `on_demand` (the default): with the first request that the device could answer. If an
   * endpoint may answer, it answers in the meantime; otherwise the request waits, and `progress` reports the download.
   * `background`: when the instance is created. `manual`: only by `download()`. In a browser that saves data or has a metered
   * connection, only `download()` starts a download. Model files have a size of some 100 MB to some GB.
   */
  download?: 'background' | 'on_demand' | 'manual';
  /** Where `hf:` references are, if not at the usual hub: a mirror of yours. */
  hub?: string;
  contextTokens?: number;
  /** On the CPU: no rounding of activations, at about two thirds of the speed. */
  exact?: boolean;
  /**
   * Numbers of the KV cache: in half the memory, as they were computed, or (only on a CPU) in a quarter; a GPU that `auto`
   * opens takes f16 instead and says so in `ModelInfo.notes`. Default: f16, with `exact` f32.
   */
  kvCache?: 'f16' | 'f32' | 'q8_0';
  /**
   * Threads on the CPU, where the page is cross-origin isolated; elsewhere there is one. Default: all cores, on machines
   * with more than four half of them.
   */
  threads?: number;
  /** One engine for all tabs of this origin, where the browser has shared workers. Default: each tab has its own. */
  shareEngine?: boolean;
  /** Constants of the policy. */
  policy?: Partial<RouteConfig>;
  /** Where the package's workers and wasm files are, if not beside this module. */
  assets?: Partial<Assets>;
}

/** Addresses of the package's files. Workers find their own wasm beside themselves. */
export interface Assets {
  /** Each tab then has an engine of its own, whatever `shareEngine` says. */
  engineWorker: string | URL;
  storeWorker: string | URL;
  routeWasm: string | URL;
}

/** What the device is predicted to do with the model. */
export interface Estimate {
  ttftMs: number;
  prefillTps: number;
  decodeTps: number;
  memoryBytes: number;
  /** Whether the SLO is met, and if not, why. */
  meetsSlo: boolean;
  reason: Reason;
  /** `probe`: synthetic layer; `history`: measured answers. */
  from: 'probe' | 'history';
  probeMs: number;
  backend: 'wgpu' | 'flex';
  device: string;
}

/** Progress of a download. */
export interface Progress {
  phase: 'waiting' | 'downloading' | 'verifying' | 'loading';
  doneBytes: number;
  totalBytes: number | undefined;
}

/** A stretch of an answer from one source. */
export interface Span {
  source: Source;
  reason: Reason;
  /** Of the text, in UTF-16 units. */
  start: number;
  end: number;
  tokens: number;
  ttftMs: number | undefined;
  decodeTps: number | undefined;
}

/** The `inshore` object of every response and of the last chunk of a stream. */
export interface Report {
  source: Source | 'mixed';
  reason: Reason;
  spans: Span[];
  predicted: { ttftMs: number | null; decodeTps: number | null };
  timings: { ttftMs: number; totalMs: number; decodeTps: number | undefined };
  handovers: number;
}

/** Extension of a request; travels as `inshore`. */
export interface RequestExtension {
  privacy?: 'local_only' | 'cloud_allowed';
  mode?: Mode;
  deadline_ms?: number;
  conversation?: string;
  /**
   * Whether the caller handles `replace`: what it was shown is void. `false`: the answer then fails with `answer_replaced`.
   * Default: true for `chat.completions.create`, false for `fetch`, whose clients would append the new text to the old.
   */
  accept_replace?: boolean;
}

/** The events of `on`. */
export interface InshoreEvents {
  /** A route was chosen for a request (or for the rest of it). */
  decision: { request: number; leg: number; source: Source; reason: Reason; predicted: Report['predicted'] };
  handover: {
    request: number;
    from: Source;
    to: Source;
    reason: Reason;
    manner: 'token_ids' | 'prefix' | 'replace';
    tokens: number;
  };
  breaker: { key: string; state: 'closed' | 'open' | 'half_open'; untilMs: number | undefined };
  progress: Progress;
  /** The engine on the device was opened, is ready, or has ended (with the error, if that is why). */
  engine: EngineState;
  /** A span began. */
  source: { request: number; source: Source; reason: Reason };
}

/** What the engine on the device is doing. */
export type EngineState =
  | { state: 'closed'; error?: InshoreError | undefined }
  | { state: 'opening' }
  | { state: 'ready'; device: DeviceReport; info: ModelInfo };

/** What an answer brings while it grows (below the OpenAI shape). It throws where the answer fails. */
export type AnswerEvent =
  | { type: 'span'; source: Source; reason: Reason }
  | {
      type: 'delta';
      text: string;
      source: Source;
      /** How many it took; 0 for text that was held back before. */
      tokens?: number | undefined;
      logprobs?: TokenLogprobs | undefined;
      /** Pieces of tool calls as a cloud endpoint sent them (`delta.tool_calls`); the engine here makes none. */
      toolCalls?: ToolCallDelta[] | undefined;
      /** Reasoning of a model in the cloud; not part of the answer. */
      reasoning?: string | undefined;
      /** Refusal of a model in the cloud; always complete. */
      refusal?: string | undefined;
    }
  /** What was shown is void; the answer begins again. */
  | { type: 'replace'; source: Source; reason: Reason }
  | { type: 'end'; finishReason: FinishReason; usage: Usage; report: Report };

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** `cached_tokens`: those of the prompt that were not computed anew; absent where an endpoint does not tell. */
  prompt_tokens_details?: { cached_tokens: number };
}

/** OpenAI's shape of one token's log-probabilities. */
export interface TokenLogprobs {
  token: string;
  logprob: number;
  bytes: number[] | null;
  top_logprobs: { token: string; logprob: number; bytes: number[] | null }[];
}

/** A request after its JSON was checked; what the dispatcher runs. */
export interface CheckedRequest {
  messages: { role: 'system' | 'user' | 'assistant'; content: string }[];
  maxTokens: number | undefined;
  temperature: number | undefined;
  topP: number | undefined;
  /** These three are no fields of OpenAI's; servers of open models know them as `top_k`, `min_p`, `repetition_penalty`. */
  topK?: number | undefined;
  minP?: number | undefined;
  repetitionPenalty?: number | undefined;
  /** A 64-bit integer; a bigint if a number would be rounded. */
  seed: number | bigint | undefined;
  stop: string[];
  frequencyPenalty: number | undefined;
  presencePenalty: number | undefined;
  /** undefined: none are wanted. */
  topLogprobs: number | undefined;
  extension: RequestExtension;
  /** A copy of the body as it came, without `inshore`, for a cloud leg: fields that we do not know pass through. */
  body: Record<string, unknown>;
  /** Features that the engine here lacks. */
  localLacks: string[];
}

/** One running request. Iterate once. */
export interface RunningAnswer extends AsyncIterable<AnswerEvent> {
  readonly request: number;
  /** Ends it at once: the iteration throws `cancelled`. */
  abort(): void;
}

/** What the OpenAI face needs of the core. */
export interface Dispatcher {
  run(request: CheckedRequest, options: { signal?: AbortSignal | undefined }): RunningAnswer;
}
