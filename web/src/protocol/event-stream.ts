import { createParser, type EventSourceParser } from 'eventsource-parser';
import { parseShallowJson } from './values';

/** Longest line, and longest data of one event, in characters. Real chunks are far shorter. */
export const MAX_EVENT_CHARS = 1 << 20;
/** Longest stream, in bytes. */
export const MAX_STREAM_BYTES = 64 << 20;
/** The parser gets slices of this size, so that no single slice holds a line beyond the cap. */
const SLICE_CHARS = 1 << 16;
/** Buffer limit of the parser. {@link MAX_EVENT_CHARS} takes effect first. */
const MAX_BUFFER_CHARS = 2 * MAX_EVENT_CHARS + 1024;

/** One server-sent event: its name, where it has one, and its data. */
export interface StreamEvent {
  event?: string | undefined;
  data: string;
}

/** An event stream that cannot be read; `message` completes the sentence "the peer sent …". */
export class EventStreamError extends Error {
  override readonly name = 'EventStreamError';
}

/** Whether a `Content-Type` names an event stream. Case and parameters do not matter. */
export function isEventStream(contentType: string | null): boolean {
  return /^\s*text\/event-stream\s*([;,]|$)/i.test(contentType ?? '');
}

/**
 * Reads server-sent events from bytes, for both page and worker. `eventsource-parser` parses the lines. This class adds
 * protection from an untrusted peer: it caps line, event and stream, and checks UTF-8. The way the bytes are split into
 * pieces never changes the events, the error, or the events before the error.
 */
export class EventStreamParser {
  readonly #onEvent: (event: StreamEvent) => void;
  readonly #parser: EventSourceParser;
  readonly #utf8 = new Utf8Pieces();
  #bytes = 0;
  #started = false;
  #endedWithCr = false;
  /** Length of the line that has not ended yet. */
  #lineChars = 0;
  #isLast = false;
  #tooLarge = false;

  /** `onEvent` is called within {@link push} and {@link end}, once for each event. */
  constructor(onEvent: (event: StreamEvent) => void) {
    this.#onEvent = onEvent;
    this.#parser = createParser({
      maxBufferSize: MAX_BUFFER_CHARS,
      onEvent: ({ event, data }) => this.#dispatch({ event, data }),
      onError: ({ type }) => {
        // Unknown fields and odd values of `retry` mean nothing here.
        if (type === 'max-buffer-size-exceeded') this.#tooLarge = true;
      },
    });
  }

  /** Takes the next bytes. @throws EventStreamError where they are no event stream that can be read */
  push(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength;
    if (this.#bytes > MAX_STREAM_BYTES) throw new EventStreamError('an answer without an end');
    const { text, isValid } = this.#utf8.push(bytes);
    this.#feed(text);
    if (!isValid) throw new EventStreamError('bytes that are not UTF-8');
  }

  /**
   * Ends the stream. The HTML standard drops a last event without an empty line after it, but some providers end with
   * `data: [DONE]` and no empty line. So a last event counts if it is `[DONE]` or a whole JSON object: a cut stream cannot
   * leave either of them.
   */
  end(): void {
    // The last character is incomplete, so the last line is too.
    if (this.#utf8.isInCharacter) return;
    this.#isLast = true;
    this.#parser.feed('\n\n');
  }

  #dispatch(event: StreamEvent): void {
    if (event.data.length > MAX_EVENT_CHARS) throw tooLarge();
    if (!this.#isLast || isWhole(event.data)) this.#onEvent(event);
  }

  #feed(text: string): void {
    let rest = text;
    if (!this.#started && rest !== '') {
      this.#started = true;
      if (rest.startsWith('\uFEFF')) rest = rest.slice(1);
    }
    for (let at = 0; at < rest.length; at += SLICE_CHARS) {
      const slice = this.#withLineFeeds(rest.slice(at, at + SLICE_CHARS));
      this.#checkLine(slice);
      this.#parser.feed(slice);
      if (this.#tooLarge) throw tooLarge();
    }
  }

  /** Replaces CR and CRLF by LF, so that a split CRLF is one line end and a line that ends with CR is parsed at once. */
  #withLineFeeds(text: string): string {
    const slice = this.#endedWithCr && text.startsWith('\n') ? text.slice(1) : text;
    if (text !== '') this.#endedWithCr = text.endsWith('\r');
    return slice.includes('\r') ? slice.replace(/\r\n?/g, '\n') : slice;
  }

  #checkLine(slice: string): void {
    const first = slice.indexOf('\n');
    const chars = this.#lineChars + (first < 0 ? slice.length : first);
    // `data: ` is not part of the data.
    if (chars > MAX_EVENT_CHARS + 'data: '.length) throw tooLarge();
    this.#lineChars = first < 0 ? chars : slice.length - slice.lastIndexOf('\n') - 1;
  }
}

const tooLarge = (): EventStreamError => new EventStreamError('a line or an event without an end');

function isWhole(data: string): boolean {
  if (data.trim() === '[DONE]') return true;
  if (!data.trimStart().startsWith('{')) return false;
  return parseShallowJson(data) !== undefined;
}

/** Decodes UTF-8 piece by piece, and also returns the text before the first invalid byte. */
class Utf8Pieces {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** The beginning of a character that a later piece completes. */
  #tail: Uint8Array = new Uint8Array();

  /** Whether the bytes so far end within a character. */
  get isInCharacter(): boolean {
    return this.#tail.length > 0;
  }

  push(bytes: Uint8Array): { text: string; isValid: boolean } {
    const joined = this.#tail.length === 0 ? bytes : concat(this.#tail, bytes);
    const end = joined.length - openBytes(joined);
    this.#tail = joined.slice(end);
    const whole = joined.subarray(0, end);
    const text = this.#decode(whole);
    return text === undefined ? { text: this.#validPrefix(whole), isValid: false } : { text, isValid: true };
  }

  #decode(bytes: Uint8Array): string | undefined {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return undefined;
    }
  }

  /** Finds the longest valid prefix by bisection over prefixes that end with a whole character. */
  #validPrefix(bytes: Uint8Array): string {
    let [low, high] = [0, bytes.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      const end = middle - openBytes(bytes.subarray(0, middle));
      if (this.#decode(bytes.subarray(0, end)) === undefined) high = middle;
      else low = middle;
    }
    return this.#decode(bytes.subarray(0, low - openBytes(bytes.subarray(0, low)))) ?? '';
  }
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** Number of bytes at the end that begin a character and do not complete it: 0 to 3. */
function openBytes(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
  }
  return 0;
}
