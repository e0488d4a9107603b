import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request as the server saw it. */
export interface Seen {
  path: string;
  headers: IncomingMessage['headers'];
  body: Record<string, unknown>;
  /** Resolves when the client has gone away before the end. */
  cut: Promise<void>;
}

/** Answers one request; `seen` is what came. */
export type Handler = (response: ServerResponse, seen: Seen) => void | Promise<void>;

/** For tests: a real HTTP server whose behaviour the test chooses for each request. */
export async function serveHttp(handler: Handler) {
  const requests: Seen[] = [];
  const site = { handler, requests, url: '', close: async (): Promise<void> => {} };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const piece of request) text += piece;
    const cut = new Promise<void>((resolve) => {
      response.on('close', () => response.writableFinished || resolve());
    });
    const seen = {
      path: request.url ?? '',
      headers: request.headers,
      body: text ? JSON.parse(text) : {},
      cut,
    };
    requests.push(seen);
    await site.handler(response, seen);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  site.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  site.close = () =>
    new Promise((closed) => {
      server.closeAllConnections();
      server.close(() => closed());
    });
  return site;
}

/** Begins a stream of events. */
export function beginStream(response: ServerResponse, type = 'text/event-stream'): (data: unknown) => void {
  response.writeHead(200, { 'Content-Type': type });
  return (data) => {
    response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
  };
}

/** A chunk with text, and with what else the test wants in it. */
export const chunk = (content: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  id: 'x',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
  ...more,
});

/** The chunk that ends an answer. */
export const ending = (finish_reason = 'stop'): Record<string, unknown> => ({
  choices: [{ index: 0, delta: {}, finish_reason }],
});

/** A whole answer of these pieces. */
export function answer(response: ServerResponse, pieces: string[], finishReason = 'stop'): void {
  const send = beginStream(response);
  for (const piece of pieces) send(chunk(piece));
  send(ending(finishReason));
  const prompt_tokens_details = { cached_tokens: 4 };
  send({
    choices: [],
    usage: { prompt_tokens: 11, prompt_tokens_details, completion_tokens: pieces.length },
  });
  send('[DONE]');
  response.end();
}
