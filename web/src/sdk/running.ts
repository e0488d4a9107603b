import { InshoreError } from '../error';
import type { Prediction, Reason, RequestSpec, Source } from '../route/types';
import type { AnswerEvent, CheckedRequest, Report, RunningAnswer, Span } from './contract';
import type { LegEnd, LegPiece } from './leg';

/** What was decided. */
interface Decision {
  source: Source;
  reason: Reason;
  prediction: Prediction;
}

/** Who must know of the end, and of a caller that wants no more. */
interface RunningListener {
  onAbort(): void;
  onEnd(): void;
}

/** Most events that may wait for a slow reader before legs stop reading from their engine or connection. */
const MAX_WAITING_EVENTS = 256;

/** A span while it grows. */
interface OpenSpan extends Span {
  startedMs: number;
  firstMs: number | undefined;
  lastMs: number;
}

/**
 * One request from its begin to its end: the text and the token ids of the answer so far, kept outside every engine, its
 * spans, and the events that its reader has not fetched yet. The dispatcher writes, the caller iterates.
 */
export class Running implements RunningAnswer {
  readonly request: number;
  readonly checked: CheckedRequest;
  readonly spec: RequestSpec;
  readonly startedMs: number;
  /** Ids of the answer so far; undefined once a leg told text without ids. */
  ids: number[] | undefined = [];
  text = '';
  tokens = 0;
  promptTokens: number | undefined;
  handovers = 0;
  /** The request's own, or one drawn for it. */
  readonly seed: number | bigint;
  readonly #listener: RunningListener;
  readonly #spans: OpenSpan[] = [];
  readonly #events: AnswerEvent[] = [];
  #firstMs: number | undefined;
  #first: { reason: Reason; predicted: Report['predicted'] } | undefined;
  #ended = false;
  #error: InshoreError | undefined;
  #wake: (() => void) | undefined;
  /** Called when the reader has taken enough. */
  #waitingForRoom: (() => void)[] = [];
  #iterated = false;

  constructor(
    request: number,
    checked: CheckedRequest,
    spec: RequestSpec,
    startedMs: number,
    listener: RunningListener,
  ) {
    this.request = request;
    this.checked = checked;
    this.spec = spec;
    this.startedMs = startedMs;
    this.seed = checked.seed ?? Math.floor(Math.random() * 2 ** 31);
    this.#listener = listener;
  }

  /** Whether nothing more will be said. */
  get ended(): boolean {
    return this.#ended;
  }

  /** What is left of `max_tokens`. */
  get tokensLeft(): number | undefined {
    const { maxTokens } = this.checked;
    return maxTokens === undefined ? undefined : Math.max(0, maxTokens - this.tokens);
  }

  /** Where the answer comes from at present. */
  get source(): Source | undefined {
    return this.#spans.at(-1)?.source;
  }

  abort(): void {
    if (!this.#ended) this.#listener.onAbort();
  }

  /** Whether the caller has seen anything of the answer as it stands. */
  get hasShown(): boolean {
    return this.tokens > 0 || this.text !== '';
  }

  /** Notes a decision and gives its prediction back; the report keeps reason and prediction of the first. */
  decided({ source, reason, prediction }: Decision): Report['predicted'] {
    const local = source === 'on_device';
    const predicted = {
      ttftMs: local ? prediction.ttft_local_ms : prediction.ttft_cloud_ms,
      decodeTps: local ? prediction.local_tps : null,
    };
    this.#first ??= { reason, predicted };
    return predicted;
  }

  /** A leg's first token begins a span. `startedMs`: when that leg was started. */
  beginSpan(source: Source, reason: Reason, startedMs: number): void {
    const at = this.text.length;
    const times = { startedMs, firstMs: undefined, lastMs: startedMs };
    this.#spans.push({
      source,
      reason,
      start: at,
      end: at,
      tokens: 0,
      ttftMs: undefined,
      decodeTps: undefined,
      ...times,
    });
    this.#push({ type: 'span', source, reason });
  }

  /** Adds what arrived on the present leg. */
  add(piece: LegPiece, nowMs: number): void {
    const span = this.#spans.at(-1);
    if (span === undefined || this.#ended) return;
    if (piece.ids === undefined) this.ids = undefined;
    else this.ids?.push(...piece.ids);
    this.text += piece.text;
    this.tokens += piece.tokens;
    if (piece.tokens > 0) {
      this.#firstMs ??= nowMs;
      span.firstMs ??= nowMs;
      span.lastMs = nowMs;
    }
    span.tokens += piece.tokens;
    span.end = this.text.length;
    const { text, logprobs, toolCalls, tokens, reasoning, refusal } = piece;
    const isSilent = [logprobs, toolCalls, reasoning, refusal].every((field) => field === undefined);
    if (text === '' && isSilent) return;
    const more = { ...(reasoning !== undefined && { reasoning }), ...(refusal !== undefined && { refusal }) };
    this.#push({ type: 'delta', text, source: span.source, tokens, logprobs, toolCalls, ...more });
  }

  /** Resolves when the reader has taken enough; undefined if there is room now. */
  room(): Promise<void> | undefined {
    if (this.#ended || this.#events.length < MAX_WAITING_EVENTS) return undefined;
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  /** What was shown is void. */
  replace(source: Source, reason: Reason): void {
    this.ids = [];
    this.text = '';
    this.tokens = 0;
    this.#spans.length = 0;
    this.#push({ type: 'replace', source, reason });
  }

  /** The answer ended well. */
  finish(end: LegEnd, nowMs: number): void {
    if (this.#ended) return;
    const span = this.#spans.at(-1);
    if (span !== undefined && this.ids === undefined && end.completionTokens !== undefined) {
      // The endpoint's own count is better than one token a chunk.
      this.tokens += end.completionTokens - span.tokens;
      span.tokens = end.completionTokens;
    }
    const prompt = this.promptTokens ?? end.promptTokens ?? this.spec.prompt_tokens;
    this.#push({
      type: 'end',
      finishReason: end.finishReason,
      usage: {
        prompt_tokens: prompt,
        completion_tokens: this.tokens,
        total_tokens: prompt + this.tokens,
        ...(end.cachedTokens === undefined
          ? {}
          : { prompt_tokens_details: { cached_tokens: Math.min(end.cachedTokens, prompt) } }),
      },
      report: this.report(nowMs),
    });
    this.#settle();
  }

  /** The answer ends in an error; what was emitted before stays the caller's. */
  fail(error: InshoreError): void {
    if (this.#ended) return;
    this.#error = error;
    this.#settle();
  }

  /** What there is to say of the answer at `nowMs`. */
  report(nowMs: number): Report {
    const spans = this.#spans.map(closeSpan);
    const [first] = spans;
    const mixed = spans.some((span) => span.source !== first?.source);
    const last = this.#spans.at(-1)?.lastMs ?? nowMs;
    return {
      source: mixed ? 'mixed' : (first?.source ?? 'on_device'),
      reason: this.#first?.reason ?? 'denied',
      spans,
      predicted: this.#first?.predicted ?? { ttftMs: null, decodeTps: null },
      timings: {
        ttftMs: (this.#firstMs ?? nowMs) - this.startedMs,
        totalMs: nowMs - this.startedMs,
        decodeTps: rate(this.tokens, this.#firstMs, last),
      },
      handovers: this.handovers,
    };
  }

  async *[Symbol.asyncIterator](): AsyncIterator<AnswerEvent> {
    if (this.#iterated)
      throw new InshoreError(
        'already_read',
        'This answer is being read already; read it once and share the events.',
      );
    this.#iterated = true;
    try {
      for (;;) {
        const event = this.#events.shift();
        if (this.#events.length <= MAX_WAITING_EVENTS / 2) this.#makeRoom();
        if (event !== undefined) yield event;
        else if (this.#error !== undefined) throw this.#error;
        else if (this.#ended) return;
        else
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } finally {
      // Whoever stops reading wants no more of it.
      this.abort();
    }
  }

  #push(event: AnswerEvent): void {
    if (this.#ended) return;
    this.#events.push(event);
    this.#wake?.();
  }

  #settle(): void {
    this.#ended = true;
    this.#listener.onEnd();
    this.#wake?.();
    this.#makeRoom();
  }

  #makeRoom(): void {
    for (const resolve of this.#waitingForRoom.splice(0)) resolve();
  }
}

function closeSpan({ startedMs, firstMs, lastMs, ...span }: OpenSpan): Span {
  const ttftMs = firstMs === undefined ? undefined : firstMs - startedMs;
  return { ...span, ttftMs, decodeTps: rate(span.tokens, firstMs, lastMs) };
}

function rate(tokens: number, firstMs: number | undefined, lastMs: number): number | undefined {
  if (firstMs === undefined || tokens < 2 || lastMs <= firstMs) return undefined;
  return ((tokens - 1) * 1000) / (lastMs - firstMs);
}
