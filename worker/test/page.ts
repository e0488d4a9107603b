import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { expect } from 'vitest';

/** A response, whole. */
export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

/** What a request may differ in from a page's ordinary one. */
export interface Variation {
  method?: string;
  /** null: none is sent. */
  origin?: string | null;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

/** Plays a page: sends what its browser would send, and keeps every byte that it receives. */
export class Page {
  /** Every status line, header and body byte so far. */
  received = '';

  constructor(
    readonly port: number,
    readonly origin: string,
  ) {}

  /** A fresh token. */
  async token(): Promise<string> {
    const answer = await this.send('/v1/token', { method: 'POST' });
    expect(answer.status, answer.text).toBe(200);
    return JSON.parse(answer.text).token;
  }

  /** A chat completion, read to its end; with a fresh token unless another is given. */
  async chat(body: unknown, variation: Variation & { token?: string | null } = {}): Promise<Answer> {
    return this.send('/v1/chat/completions', await this.#chatRequest(body, variation));
  }

  /** The same, to be read event by event. */
  async stream(body: unknown, variation: Variation = {}): Promise<EventReader> {
    return this.open('/v1/chat/completions', await this.#chatRequest(body, variation));
  }

  async #chatRequest(body: unknown, variation: Variation & { token?: string | null }): Promise<Variation> {
    const token = variation.token === undefined ? await this.token() : variation.token;
    return {
      method: 'POST',
      body: JSON.stringify(body),
      ...variation,
      headers: {
        'content-type': 'application/json',
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...variation.headers,
      },
    };
  }

  async send(path: string, variation: Variation = {}): Promise<Answer> {
    const reader = await this.open(path, variation);
    const text = await reader.rest();
    return { status: reader.status, headers: reader.headers, text };
  }

  async open(path: string, variation: Variation = {}): Promise<EventReader> {
    const outgoing = this.begin(path, variation);
    outgoing.end(variation.body);
    return this.answerOf(outgoing);
  }

  /** A request whose body is still to be written. */
  begin(path: string, variation: Variation = {}): ClientRequest {
    const { method = 'GET', origin = this.origin, headers = {} } = variation;
    return request({
      host: '127.0.0.1',
      port: this.port,
      path,
      method,
      headers: { ...(origin === null ? {} : { origin }), ...headers },
      agent: false,
    });
  }

  async answerOf(outgoing: ClientRequest): Promise<EventReader> {
    const incoming = await new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      outgoing.once('error', reject);
    });
    this.received += `${incoming.statusMessage}\n${incoming.rawHeaders.join('\n')}\n`;
    return new EventReader(incoming, outgoing, (text) => {
      this.received += text;
    });
  }
}

/** Reads a response as it comes. */
export class EventReader {
  text = '';
  #closed = false;
  #broken = false;
  #wake: () => void = () => {};

  constructor(
    readonly incoming: IncomingMessage,
    readonly outgoing: ClientRequest,
    keep: (text: string) => void,
  ) {
    incoming.setEncoding('utf8');
    incoming.on('data', (text: string) => {
      this.text += text;
      keep(text);
      this.#wake();
    });
    // Read until `close`: an abort shows as `error` or `aborted`.
    incoming.on('error', () => {
      this.#broken = true;
    });
    incoming.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  get status(): number {
    return this.incoming.statusCode ?? 0;
  }

  get headers(): IncomingMessage['headers'] {
    return this.incoming.headers;
  }

  /** Whether the connection broke off before the response was over. */
  get isBroken(): boolean {
    return this.#broken || !this.incoming.complete;
  }

  /** Waits until the text holds this. */
  async until(part: string): Promise<void> {
    while (!this.text.includes(part)) {
      if (this.#closed) throw new Error(`the response ended without \`${part}\`:\n${this.text}`);
      await this.#change();
    }
  }

  /** Everything, when it is over. */
  async rest(): Promise<string> {
    while (!this.#closed) await this.#change();
    return this.text;
  }

  async #change(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Goes away as a browser does: the socket is closed, or reset where there is unread data. Returns the moment. */
  leave(manner: 'close' | 'reset' = 'close'): number {
    const now = performance.now();
    const { socket } = this.outgoing;
    if (manner === 'reset') socket?.resetAndDestroy();
    else socket?.destroy();
    return now;
  }
}

/** The data of all events, without comments. */
export function eventsOf(text: string): string[] {
  return text
    .split('\n\n')
    .filter((event) => event.startsWith('data: '))
    .map((event) => event.slice('data: '.length));
}

/** The error's code in a body or in an event. */
export function codeOf(text: string): string {
  return JSON.parse(text).error.code;
}
