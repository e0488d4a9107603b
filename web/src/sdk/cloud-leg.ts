import { InshoreError } from '../error';
import { writeJsonBody } from '../protocol/json-body';
import type { Continuation, RequestSpec, Snapshot } from '../route/types';
import { type Chunk, readChunk } from './cloud-chunk';
import { cloudBody } from './cloud-request';
import type { CloudOptions, FinishReason } from './contract';
import { httpFailure } from './http-failure';
import { type Leg, LegError, type LegSink, type LegTask } from './leg';
import { readEvents } from './sse';
import { StopText } from './stop-text';
import { type TokenSource, tokenSource } from './token-source';

/** After the finish reason, an endpoint may still tell the usage; but it need not hold up the end. */
const USAGE_GRACE_MS = 1_000;

/** What forbids the network; asked again for each leg, whatever was ordered. */
export interface Gates {
  /** The user's switch. */
  readonly cloudEnabled: boolean;
}

/** An OpenAI-compatible endpoint: starts legs there. It tries nothing twice: what to do after a failure is the policy's. */
export class CloudEndpoint {
  /** Names the endpoint for breaker and history. */
  readonly key: string;
  readonly source: 'edge' | 'in_cloud';
  readonly #cloud: CloudOptions;
  readonly #gates: Gates;
  readonly #fetch: typeof fetch;
  readonly #token: TokenSource;
  readonly #url: string;

  /**
   * `life`: how many endpoints there were before, for each has a breaker of its own. Throws {@link InshoreError} `bad_cloud`
   * where the options make no sense.
   */
  constructor(cloud: CloudOptions, gates: Gates, life = 0) {
    this.#url = completionsUrl(cloud.baseURL);
    if (typeof cloud.model !== 'string' || cloud.model === '')
      throw new InshoreError('bad_cloud', '`cloud.model` must name the model at the endpoint.');
    this.#cloud = cloud;
    this.#gates = gates;
    this.#fetch = cloud.fetch ?? ((input, init) => fetch(input, init));
    this.#token = tokenSource(cloud.token, this.#fetch);
    this.source = cloud.source ?? 'in_cloud';
    this.key = `${cloud.baseURL} ${cloud.model}${life === 0 ? '' : ` #${life}`}`;
  }

  /** What the policy must know. Without the model's hash nobody could tell that token ids mean the same there. */
  snapshot(modelSha256: string | undefined): NonNullable<Snapshot['cloud']> {
    const wanted: Continuation = this.#cloud.continuation ?? 'none';
    const continuation = wanted === 'token_ids' && modelSha256 === undefined ? 'prefix' : wanted;
    return { source: this.source, key: this.key, continuation };
  }

  /**
   * Starts a leg. The one place where anything is sent, so the gates stand here too: throws `gate_violated` where
   * privacy, mode or the user's switch forbid the network, even if the policy ordered otherwise.
   */
  start(task: LegTask, sink: LegSink, modelSha256: string | undefined): Leg {
    checkGates(task.spec, this.#gates);
    const controller = new AbortController();
    const { signal } = controller;
    const unlessAborted = (report: () => void): void => {
      if (!signal.aborted) report();
    };
    const guarded: LegSink = {
      piece: (piece) => unlessAborted(() => sink.piece(piece)),
      finished: (end) => unlessAborted(() => sink.finished(end)),
      failed: (error) => unlessAborted(() => sink.failed(error)),
    };
    this.#answer(task, guarded, modelSha256, signal).catch((error) => guarded.failed(LegError.of(error)));
    return { abort: () => controller.abort() };
  }

  async #answer(
    task: LegTask,
    sink: LegSink,
    modelSha256: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const token = await this.#token(signal);
    if (signal.aborted) return;
    // The switch may have moved while the token was fetched.
    checkGates(task.spec, this.#gates);
    const body = await this.#ask(
      writeJsonBody(cloudBody(task, { cloud: this.#cloud, modelSha256 })),
      token,
      signal,
    );
    // With token ids, the host's own stop texts keep ids and text in step; any other stream is watched here as well.
    const stops = new StopText(this.#cloud.continuation === 'token_ids' ? [] : task.request.stop);
    await relay(body, stops, modelSha256, sink);
  }

  async #ask(
    body: string,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    let response: Response;
    try {
      response = await this.#fetch(this.#url, {
        method: 'POST',
        body,
        signal,
        // No cookies, no answer from a cache, and nobody sends prompt and token on to another address.
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error',
        headers: {
          ...this.#cloud.headers,
          'Content-Type': 'application/json',
          Accept: 'text/event-stream',
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        },
      });
    } catch (cause) {
      throw networkFailed(cause);
    }
    if (!response.ok) throw await httpFailure(response);
    const type = response.headers.get('content-type') ?? '';
    if (!/^text\/event-stream\b/i.test(type.trim()) || response.body === null) {
      response.body?.cancel().catch(() => {});
      throw new LegError(
        'protocol',
        'protocol',
        `The endpoint answered with ${JSON.stringify(type.slice(0, 80))} instead of a stream of events. Check its address.`,
      );
    }
    return response.body;
  }
}

/**
 * Passes an answer's chunks on. Only a finish reason makes it whole: a stream that just ends is a failure. Token ids are
 * passed on only where the endpoint runs the very model of the device; those of another one would mean other words.
 */
async function relay(
  body: ReadableStream<Uint8Array>,
  stops: StopText,
  modelSha256: string | undefined,
  sink: LegSink,
): Promise<void> {
  let sameModel = false;
  const grace = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let finishReason: FinishReason | undefined;
  let usage: Chunk['usage'];
  try {
    for await (const data of readEvents(body, grace.signal)) {
      if (data === '[DONE]') break;
      const chunk = readChunk(data);
      usage = chunk.usage ?? usage;
      if (chunk.modelSha256 !== undefined) sameModel = chunk.modelSha256 === modelSha256;
      if (finishReason === undefined) {
        finishReason = passOn(chunk, stops, sameModel, sink);
        if (finishReason !== undefined) timer = setTimeout(() => grace.abort(), USAGE_GRACE_MS);
      }
      if (finishReason !== undefined && usage !== undefined) break;
    }
  } catch (error) {
    // With the finish reason the answer is whole; whatever goes wrong later takes nothing from it.
    if (finishReason === undefined) throw error instanceof LegError ? error : connectionLost(error);
  } finally {
    clearTimeout(timer);
  }
  if (finishReason === undefined) throw connectionLost();
  sink.finished({ finishReason, ...usage });
}

/** Gives the chunk's pieces to `sink`, up to a stop text; the finish reason, if this was the last chunk. */
function passOn(chunk: Chunk, stops: StopText, sameModel: boolean, sink: LegSink): FinishReason | undefined {
  for (const piece of chunk.pieces) {
    const { text, stopped } = stops.push(piece.text);
    sink.piece({ ...piece, text, ids: sameModel ? piece.ids : undefined });
    if (stopped) return 'stop';
  }
  if (chunk.finishReason === undefined) return undefined;
  const rest = stops.finish();
  if (rest !== '') sink.piece({ text: rest, tokens: 0, ids: [] });
  return chunk.finishReason;
}

/** The last look before anything leaves the device. */
function checkGates(spec: RequestSpec, gates: Gates): void {
  const why =
    spec.privacy === 'local_only'
      ? 'the request is labelled local_only'
      : spec.mode === 'only_on_device'
        ? 'the mode is only_on_device'
        : gates.cloudEnabled
          ? undefined
          : 'the cloud is switched off';
  if (why === undefined) return;
  throw new LegError(
    'other',
    'gate_violated',
    `Nothing was sent: ${why}. Please report this: no leg should have been tried.`,
  );
}

function completionsUrl(baseURL: string): string {
  const base = typeof document === 'undefined' ? undefined : document.baseURI;
  const url = URL.canParse(baseURL, base) ? new URL(baseURL, base) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    throw new InshoreError(
      'bad_cloud',
      '`cloud.baseURL` must be an http(s) address without user and password, up to and with /v1.',
    );
  }
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/chat/completions`;
  return url.href;
}

function networkFailed(cause: unknown): LegError {
  return new LegError(
    'network',
    'network',
    'The endpoint cannot be reached. Check the connection, its address and its CORS rules.',
    { cause },
  );
}

function connectionLost(cause?: unknown): LegError {
  const message = 'The connection ended in the middle of the answer. Try again.';
  return new LegError('network', 'network', message, { cause });
}
