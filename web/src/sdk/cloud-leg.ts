import { InshoreError } from '../error';
import { isEventStream } from '../protocol/event-stream';
import { writeJsonBody } from '../protocol/json-body';
import { findPeerError } from '../protocol/peer-error';
import { ChatStreamError } from '../protocol/stream-error';
import { parseShallowJson } from '../protocol/values';
import type { Continuation, RequestSpec, Snapshot } from '../route/types';
import { relayAnswer } from './cloud-answer';
import { cloudBody } from './cloud-request';
import type { CloudOptions } from './contract';
import { httpFailure, readText, streamFailure } from './http-failure';
import { type Leg, LegError, type LegSink, type LegTask } from './leg';
import { whenAborted } from './sse';
import { StopText } from './stop-text';
import { type TokenSource, tokenSource } from './token-source';

/** Switches that forbid the network. They are checked again for each leg. */
export interface Gates {
  /** The user's switch. */
  readonly cloudEnabled: boolean;
}

/** Starts legs at an OpenAI-compatible endpoint. It never retries: the policy decides what to do after a failure. */
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
   * `life` is the number of earlier endpoints, because each has its own breaker. Throws {@link InshoreError} `bad_cloud` if
   * the options are invalid.
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

  /** Returns the endpoint's state for the policy. Without the model's hash, token ids cannot be matched with the endpoint's. */
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
      alive: () => unlessAborted(() => sink.alive()),
      room: () => sink.room(),
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
    // The user may have turned the cloud off while the token was fetched.
    checkGates(task.spec, this.#gates);
    const body = await this.#ask(
      writeJsonBody(cloudBody(task, { cloud: this.#cloud, modelSha256 })),
      token,
      signal,
    );
    // With token ids, the host applies the stop texts, which keeps ids and text in step. Otherwise they are applied here too.
    const stops = new StopText(this.#cloud.continuation === 'token_ids' ? [] : task.request.stop);
    await relayAnswer(body, { stops, modelSha256, signal }, sink);
  }

  async #ask(
    body: string,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<ReadableStream<Uint8Array>> {
    // Async, so that a custom `fetch` that throws synchronously fails like any other.
    const send = async (): Promise<Response> =>
      this.#fetch(this.#url, {
        method: 'POST',
        body,
        signal,
        // No cookies, no cached answers, and no redirect that would send prompt and token to another address.
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
    const response = await unlessAborted(send(), signal);
    if (!response.ok) throw await httpFailure(response);
    const type = response.headers.get('content-type');
    // A response without a type is read as a stream; anything else fails later, because it has no finish reason.
    if ((type === null || isEventStream(type)) && response.body !== null) return response.body;
    throw await notAStream(response, type ?? '');
  }
}

/** Returns the response, or throws on abort. A response that arrives after the abort is cancelled unread. */
async function unlessAborted(call: Promise<Response>, signal: AbortSignal): Promise<Response> {
  const aborted = whenAborted([signal]);
  call.then(
    (late) => {
      if (signal.aborted) late?.body?.cancel().catch(() => {});
    },
    () => {},
  );
  try {
    const response = await Promise.race([call, aborted.promise]);
    if (response !== undefined) return response;
  } catch (cause) {
    throw networkFailed(cause);
  } finally {
    aborted.forget();
  }
  throw networkFailed(signal.reason);
}

/** Returns the error for a 200 that is not a stream: the error in its JSON body, or another protocol. */
async function notAStream(response: Response, type: string): Promise<LegError> {
  const text = /json/i.test(type) ? await readText(response) : '';
  response.body?.cancel().catch(() => {});
  const said = findPeerError(parseShallowJson(text));
  if (said !== undefined)
    return streamFailure(new ChatStreamError('peer_error', 'The endpoint answered with an error.', said));
  return new LegError(
    'protocol',
    'protocol',
    `The endpoint answered with ${JSON.stringify(type.slice(0, 80))} instead of a stream of events. Check its address.`,
  );
}

/** The last check before anything leaves the device. */
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
