import { ApiError } from './errors';
import { QUIET, settled } from './quiet';

type Part = Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>['read']>>;

/** The body of an upstream's answer, read part by part; an upstream that falls silent is given up. */
export class UpstreamBody {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** A read that was not over when the caller stopped waiting for it. */
  #pending: Promise<Part> | undefined;
  #lastPartMs = Date.now();

  constructor(
    response: Response,
    readonly idleTimeoutMs: number,
    readonly abort: AbortController,
  ) {
    this.#reader = response.body?.getReader();
  }

  /**
   * The next bytes; undefined at the end; {@link QUIET} if there are none within `waitMs`.
   *
   * @throws {ApiError} `upstream_timeout`, `upstream_broken`
   */
  async next(waitMs: number = Number.POSITIVE_INFINITY): Promise<Uint8Array | undefined | typeof QUIET> {
    if (this.#reader === undefined) return undefined;
    const idleLeftMs = Math.max(0, this.#lastPartMs + this.idleTimeoutMs - Date.now());
    this.#pending ??= this.#reader.read();
    let part: Part | typeof QUIET;
    try {
      part = await settled(this.#pending, Math.min(waitMs, idleLeftMs));
    } catch {
      throw new ApiError(502, 'upstream_broken', 'The model broke off in the middle of its answer.');
    }
    if (part === QUIET) {
      if (waitMs < idleLeftMs) return QUIET;
      this.drop();
      throw timeout('fell silent in the middle of its answer');
    }
    this.#pending = undefined;
    this.#lastPartMs = Date.now();
    return part.value;
  }

  /**
   * The rest, as text.
   *
   * @throws {ApiError} `upstream_garbage` if there is more than that; and what {@link next} throws
   */
  async text(maxBytes: number): Promise<string> {
    const decoder = new TextDecoder();
    let text = '';
    for (let bytesRead = 0; ; ) {
      const bytes = await this.next();
      if (bytes === undefined || bytes === QUIET) return text + decoder.decode();
      bytesRead += bytes.byteLength;
      if (bytesRead > maxBytes) {
        this.drop();
        throw new ApiError(502, 'upstream_garbage', 'The model sent more than an answer can be.');
      }
      text += decoder.decode(bytes, { stream: true });
    }
  }

  /** Closes the connection: nothing more is wanted of this upstream. */
  drop(): void {
    this.abort.abort();
    // Without a listener the rejection of a read that still runs would end a Node process.
    this.#pending?.catch(() => {});
  }
}

/** The upstream was silent for too long. */
export const timeout = (what: string): ApiError =>
  new ApiError(504, 'upstream_timeout', `The model behind this worker ${what}.`);
