import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it reached the upstream. */
export interface UpstreamCall {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
  response: ServerResponse;
  /** The moment the connection closed, by `performance.now()`. */
  closed: Promise<number>;
}

type Script = (call: UpstreamCall) => unknown;

/** A real HTTP server that plays the provider: each request is answered by the next script. */
export class ScriptedUpstream {
  readonly calls: UpstreamCall[] = [];
  readonly #scripts: Script[] = [];
  #arrived: (() => void)[] = [];

  private constructor(readonly server: Server) {}

  static async start(): Promise<ScriptedUpstream> {
    const server = createServer();
    const upstream = new ScriptedUpstream(server);
    server.on('request', (request, response) => void upstream.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** The next request is answered like this. */
  next(script: Script): void {
    this.#scripts.push(script);
  }

  /** The call of this index, as soon as it has come. */
  async call(index: number): Promise<UpstreamCall> {
    for (;;) {
      const call = this.calls[index];
      if (call !== undefined) return call;
      await new Promise<void>((resolve) => this.#arrived.push(resolve));
    }
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const closed = new Promise<number>((resolve) => response.once('close', () => resolve(performance.now())));
    const parts: Buffer[] = [];
    try {
      for await (const part of request) parts.push(part as Buffer);
    } catch {
      return; // Aborted before it was whole.
    }
    const call: UpstreamCall = {
      path: request.url ?? '',
      headers: request.headers,
      body: JSON.parse(Buffer.concat(parts).toString()),
      response,
      closed,
    };
    this.calls.push(call);
    const arrived = this.#arrived;
    this.#arrived = [];
    for (const wake of arrived) wake();
    const script = this.#scripts.shift();
    if (script === undefined) response.writeHead(500).end('no script');
    else await script(call);
  }
}

/** A chunk of a streamed answer. */
export function chunk(content: string, finishReason: string | null = null): string {
  return `data: ${JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'upstream-small',
    choices: [{ index: 0, delta: { content }, finish_reason: finishReason }],
  })}\n\n`;
}

export const DONE = 'data: [DONE]\n\n';

/** Begins a streamed answer. */
export function beginStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'x-provider-secret': 'UPSTREAM-HEADER' });
  response.flushHeaders();
}

/** A whole answer. */
export function completion(content: string): string {
  return JSON.stringify({
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'upstream-small',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
  });
}

/** Answers in one piece. */
export function answerWhole(response: ServerResponse, content: string): void {
  response.writeHead(200, { 'content-type': 'application/json', 'x-provider-secret': 'UPSTREAM-HEADER' });
  response.end(completion(content));
}
