/** A line or an event larger than this is no answer of a model. */
const MAX_EVENT_CHARS = 1024 * 1024;

/** An event stream that cannot be read. */
export class SseError extends Error {
  override readonly name = 'SseError';
}

/**
 * Splits an event stream into the data of its events, as the HTML standard says: lines end with CR, LF or both, an event
 * with an empty line; several data lines are joined. Names, ids and comments are dropped: chat completions have none.
 */
export class SseSplitter {
  readonly #decoder = new TextDecoder();
  /** The line that has not ended yet. */
  #line = '';
  #data: string[] = [];
  #dataChars = 0;
  #endedWithCr = false;

  /**
   * The data of the events that end in these bytes.
   *
   * @throws {SseError} if an event grows too large
   */
  push(bytes: Uint8Array): string[] {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (text === '') return [];
    // The LF of a CRLF that was cut in two.
    if (this.#endedWithCr && text.startsWith('\n')) text = text.slice(1);
    this.#endedWithCr = text.endsWith('\r') || (text === '' && this.#endedWithCr);
    const lines = text.split(/\r\n|\r|\n/);
    const unfinished = lines.pop() ?? '';
    const events: string[] = [];
    for (const end of lines) {
      const event = this.#endLine(this.#line + end);
      this.#line = '';
      if (event !== undefined) events.push(event);
    }
    this.#line += unfinished;
    if (this.#line.length + this.#dataChars > MAX_EVENT_CHARS) throw new SseError('an event is too large');
    return events;
  }

  /** Takes a whole line; returns the event's data if the line ends one. */
  #endLine(line: string): string | undefined {
    if (line === '') {
      const data = this.#data.length > 0 ? this.#data.join('\n') : undefined;
      this.#data = [];
      this.#dataChars = 0;
      return data;
    }
    const value = /^data(?:: ?(.*))?$/s.exec(line);
    if (value !== null) {
      this.#data.push(value[1] ?? '');
      this.#dataChars += line.length;
    }
    return undefined;
  }
}

/** An event with this data. */
export function sseEvent(data: string): string {
  return `${data
    .split('\n')
    .map((line) => `data: ${line}\n`)
    .join('')}\n`;
}

/** An empty comment: it says nothing, but whoever writes it learns whether someone still listens. */
export const SSE_HEARTBEAT = ':\n\n';
