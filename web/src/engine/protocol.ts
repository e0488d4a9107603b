import type { WireError } from '../error';
import type { StoredKey } from '../store/protocol';

/** Which device the engine shall use. */
export type DeviceChoice = 'auto' | 'gpu' | 'cpu';

/** The backend that computes: CubeCL kernels on WebGPU, or WASM SIMD. */
export type BackendKind = 'wgpu' | 'flex';

/** What `navigator.gpu` says of the adapter. */
export interface AdapterReport {
  vendor: string;
  architecture: string;
  description: string;
  /** Emulated in software (e.g. SwiftShader). */
  software: boolean;
}

/** The device that was opened, and why it is not the GPU where `auto` wanted one. */
export interface DeviceReport {
  backend: BackendKind;
  /** The engine's own name of the device. */
  name: string;
  /** Largest single tensor that the device takes, in bytes; absent where only memory is the limit. */
  maxTensorBytes?: number | undefined;
  adapter?: AdapterReport | undefined;
  /** Set where `auto` wanted the GPU and got WASM SIMD. */
  fallback?: WireError | undefined;
}

/** The loaded model. */
export interface ModelInfo {
  name: string;
  architecture: string;
  parameters: number;
  quantisation: string;
  layers: number;
  vocab: number;
  trainContextTokens: number;
  contextTokens: number;
  weightBytes: number;
  kvBytes: number;
  kvFormat: KvFormat;
  backend: BackendKind;
  device: string;
  /** How a GPU computes products, as `inshore devices` writes plans. */
  gpuPlan?: string | undefined;
  /** Metadata keys of the file that the engine does not know and ignored. */
  unknownKeys: string[];
  /** What is not as it was asked for, and why, in sentences for users. */
  notes: string[];
  loadMs: number;
}

/** How keys and values are kept: in half the memory, as they were computed, or (only on a CPU) in a quarter. */
export type KvFormat = 'f16' | 'f32' | 'q8_0';

/** How a model is loaded. */
export interface LoadSettings {
  contextTokens?: number | undefined;
  /** Keep activations in f32 in the products of the CPU engine: slower, nothing is rounded. */
  exact?: boolean | undefined;
  /** Absent: f16, where `exact` is asked f32. */
  kvCache?: KvFormat | undefined;
  /** How a GPU computes, as `inshore devices` writes plans; absent: as `tune` says. */
  gpuPlan?: string | undefined;
  /**
   * When to measure how a GPU computes fastest: once for each adapter and model (`auto`, the default; not on an emulated
   * adapter), on every load, or never.
   */
  tune?: 'auto' | 'always' | 'never' | undefined;
}

/** Sizes of a model, read from the first bytes of its file. */
export interface ModelShape {
  layers: number;
  hidden: number;
  intermediate: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocab: number;
  trainContextTokens: number;
  /** Block format of most matrices, e.g. `Q4_1`. */
  quantisation: string;
}

/** What the device is predicted to do with a model of a shape, from a few milliseconds on synthetic weights. */
export interface Probe {
  prefillTps: number;
  decodeTps: number;
  /** Time of a token that does not depend on the model's size: dispatch, sampling, readback. */
  fixedMs: number;
  weightBytesPerS: number;
  /** Weights, KV cache and everything else. */
  memoryBytes: number;
  probeMs: number;
}

/** One turn of a conversation. */
export interface ChatMessage {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** Token ids as they are, text without a template, or a conversation through the model's own template. */
export type Prompt = { ids: number[] } | { raw: string } | { chat: ChatMessage[] };

/** How the next token is drawn; what is absent takes the engine's default. */
export interface Sampling {
  /** 0: always the most probable token. */
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  frequencyPenalty?: number;
  presencePenalty?: number;
  /** Any 64-bit integer, signed or not. */
  seed?: number | bigint;
}

/** What to generate. */
export interface EngineRequest {
  prompt: Prompt;
  /** Tokens of the answer so far, where it was begun elsewhere. Only text that was not yet shown comes out. */
  continuation?: readonly number[];
  /** Without those of `continuation`. Absent: until the context is full. */
  maxTokens?: number;
  sampling?: Sampling;
  stop?: string[];
  /** How many alternatives each step reports, with log-probabilities. */
  topLogprobs?: number;
}

/** One generated token. */
export interface Step {
  id: number;
  /** Complete code points only; empty while text is held back. */
  text: string;
  logprob: number;
  top: [id: number, logprob: number][];
  /** Bytes of the token, then of each alternative; where log-probabilities were asked for. */
  bytes?: Uint8Array[];
}

/** Why a generation ended. */
export type FinishReason = 'stop' | 'length' | 'cancelled';

/** Speeds of one generation, measured in the engine. */
export interface Timings {
  ttftMs: number;
  prefillTps: number;
  decodeTps: number;
  promptTokens: number;
  /** Those of the prompt that did not run: the engine held them from the turn before. */
  cachedTokens: number;
  completionTokens: number;
}

/** How a generation ended. */
export interface AnswerEnd {
  finishReason: FinishReason;
  timings: Timings;
}

/** The calls of the engine worker. */
export type EngineCalls = {
  /** `threads`: for the CPU engine; absent: as many as pay. */
  open: { in: { device: DeviceChoice; threads?: number | undefined }; out: DeviceReport };
  /** `key`: name of a complete model in the store, or the user's own file. */
  load: { in: { key: StoredKey } & LoadSettings; out: ModelInfo };
  /** `generation`: the page's number for it, used in the events. Resolves when the prompt is accepted. */
  start: { in: { generation: number; request: EngineRequest }; out: { promptIds: number[] } };
  /** Ends the running generation before its next token; does nothing when it has ended already. */
  stop: { in: { generation: number }; out: undefined };
  info: { in: undefined; out: ModelInfo };
  /** The shape of a stored model, or of the one whose file begins with these bytes (64 KB are more than enough). */
  shape: { in: { of: StoredKey | Uint8Array }; out: ModelShape };
  /** Predicts the open device's speed with a model of `shape`; not while an answer is generated. */
  probe: { in: { shape: ModelShape; contextTokens: number; kvCache?: KvFormat | undefined }; out: Probe };
  /** Makes every step take `factor` times as long: for demonstrations and tests. 1 is the device's own speed. */
  slowDown: { in: { factor: number }; out: undefined };
  /** Bytes of wasm memory; it never shrinks, so this is the peak. */
  memory: { in: undefined; out: number };
};

/** What the engine worker posts by itself. */
export type EngineEvent =
  | { type: 'load_progress'; doneBytes: number; totalBytes: number }
  | { type: 'step'; generation: number; step: Step }
  | { type: 'finished'; generation: number; end: AnswerEnd }
  | { type: 'failed'; generation: number; error: WireError };
