import { LegError } from './leg';

/** Longest line, and longest event, in characters: far above any honest chunk of an answer. */
const MAX_EVENT_CHARS = 1 << 20;
/** Longest stream, in bytes. */
const MAX_STREAM_BYTES = 64 << 20;

/**
 * Server-sent events out of bytes, after the WHATWG's rules: LF, CR or CRLF ends a line, one byte order mark is
 * skipped, several `data` lines join, an event counts once its empty line came. Bytes are not trusted: what is not
 * UTF-8, a line or an event beyond the cap, is an error and not a buffer that grows.
 */
export class SseParser {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true });
  #rest = '';
  #data: string[] = [];
  #dataChars = 0;

  /** Takes bytes; gives the data of the events that are complete now. Throws {@link LegError} `protocol`. */
  push(bytes: Uint8Array): string[] {
    let text = this.#rest + this.#decode(bytes);
    const events: string[] = [];
    // A CR at the very end may be half of a CRLF: it waits for the next piece.
    for (let end = text.search(/\r\n|\n|\r(?!$)/); end >= 0; end = text.search(/\r\n|\n|\r(?!$)/)) {
      this.#line(text.slice(0, end), events);
      text = text.slice(end + (text.startsWith('\r\n', end) ? 2 : 1));
    }
    if (text.length > MAX_EVENT_CHARS) throw badStream('it sent a line without an end');
    this.#rest = text;
    return events;
  }

  #decode(bytes: Uint8Array): string {
    try {
      return this.#decoder.decode(bytes, { stream: true });
    } catch (error) {
      throw badStream('it sent bytes that are no UTF-8', error);
    }
  }

  #line(line: string, events: string[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'));
      this.#data = [];
      this.#dataChars = 0;
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    // Comments (an empty field), `event`, `id` and `retry` mean nothing in this protocol.
    if (field !== 'data') return;
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    this.#dataChars += value.length;
    if (this.#dataChars > MAX_EVENT_CHARS) throw badStream('it sent an event without an end');
    this.#data.push(value);
  }
}

/**
 * The data of each event of `body`, as they arrive. Leaving the iteration early cancels the body; so does `signal`,
 * which ends the iteration as the stream's end would.
 */
export async function* readEvents(
  body: ReadableStream<Uint8Array>,
  signal?: AbortSignal,
): AsyncGenerator<string, void, undefined> {
  const parser = new SseParser();
  const reader = body.getReader();
  let bytes = 0;
  signal?.addEventListener('abort', () => reader.cancel().catch(() => {}), { once: true });
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      bytes += value.byteLength;
      if (bytes > MAX_STREAM_BYTES) throw badStream('its answer does not end');
      yield* parser.push(value);
    }
  } finally {
    // Cuts the connection where the stream was not read to its end; after the end it does nothing.
    reader.cancel().catch(() => {});
  }
}

function badStream(what: string, cause?: unknown): LegError {
  return new LegError(
    'protocol',
    'protocol',
    `The endpoint does not speak server-sent events: ${what}. Check its address and what lies between.`,
    { cause },
  );
}
