import type { ClientRequest } from 'node:http';
import { expect, it } from 'vitest';
import { codeOf } from './page';
import { answerWhole } from './scripted_upstream';
import { MESSAGES, onEveryHost } from './world';

const GIGABYTE = 1024 ** 3;
const MAX_BODY_BYTES = 65_536;

onEveryHost({}, (world) => {
  /**
   * Uploads until the worker has enough. Returns how much went out, and what the worker logged: a client that still writes
   * when the connection closes may miss the answer.
   */
  async function upload(headers: Record<string, string>, path = '/v1/chat/completions') {
    const { page, host } = world();
    const minted = await page.send('/v1/token', { method: 'POST' });
    const { token } = JSON.parse(minted.text);
    await host.printed(String(minted.headers['x-request-id']));
    const loggedBefore = host.output().length;
    const outgoing = page.begin(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
    });
    const counter = pump(outgoing);
    await new Promise<void>((resolve) => {
      outgoing.once('response', (incoming) => {
        incoming.on('error', () => {});
        resolve();
      });
      outgoing.once('error', () => resolve());
    });
    await host.printedAfter(loggedBefore, '"outcome"');
    outgoing.destroy();
    const { status, outcome } = JSON.parse(host.output().slice(loggedBefore).trim());
    return { status, outcome, sentBytes: counter.bytes };
  }

  /** Writes spaces for as long as the socket takes them. */
  function pump(outgoing: ClientRequest): { bytes: number } {
    const part = Buffer.alloc(16 * 1024, ' ');
    const counter = { bytes: 0 };
    const go = () => {
      while (counter.bytes < GIGABYTE && !outgoing.destroyed) {
        counter.bytes += part.length;
        if (!outgoing.write(part)) return void outgoing.once('drain', go);
      }
    };
    outgoing.on('error', () => {});
    go();
    return counter;
  }

  it('refuses a gigabyte by its announced length', async () => {
    const { status, outcome, sentBytes } = await upload({ 'content-length': String(GIGABYTE) });
    expect([status, outcome]).toEqual([413, 'body_too_large']);
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
  });

  it('refuses a gigabyte of unknown length while it comes', async () => {
    const { status, outcome, sentBytes } = await upload({ 'transfer-encoding': 'chunked' });
    expect([status, outcome]).toEqual([413, 'body_too_large']);
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
  });

  it('does not read a body at all without a token, or where none is wanted', async () => {
    for (const [path, headers, expected] of [
      ['/v1/chat/completions', { authorization: 'Bearer none' }, 401],
      ['/v1/token', {}, 200],
      ['/nothing', {}, 404],
    ] as const) {
      const { status, sentBytes } = await upload({ 'transfer-encoding': 'chunked', ...headers }, path);
      expect([path, status]).toEqual([path, expected]);
      expect(sentBytes).toBeLessThan(64 * 1024 * 1024);
    }
  });

  it('lets a page know that its prompt is too long, however long that may be for a prompt', async () => {
    for (const bytes of [MAX_BODY_BYTES + 1, 2 * MAX_BODY_BYTES, 1_000_000]) {
      const answer = await world().page.chat(undefined, { body: ' '.repeat(bytes) });
      expect([bytes, answer.status, codeOf(answer.text)]).toEqual([bytes, 413, 'body_too_large']);
    }
  });

  it('takes a body of exactly the limit', async () => {
    const { page, upstream } = world();
    const bare = JSON.stringify({ model: 'small', messages: MESSAGES });
    const exact = bare + ' '.repeat(MAX_BODY_BYTES - bare.length);
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    expect((await page.chat(undefined, { body: exact })).status).toBe(200);
  });

  it('refuses garbage', async () => {
    const { page, upstream } = world();
    const before = upstream.calls.length;
    const deep = `{"model":"small","messages":${'['.repeat(30_000)}`;
    for (const body of ['', '{', 'null', '[]', '"text"', '7', '<html>', '{"model":', '\u0000', deep]) {
      const answer = await page.chat(undefined, { body });
      expect([body.slice(0, 20), answer.status, codeOf(answer.text)]).toEqual([
        body.slice(0, 20),
        400,
        'invalid_body',
      ]);
    }
    const notUtf8 = Buffer.concat([Buffer.from('{"model":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
    expect(codeOf((await page.chat(undefined, { body: notUtf8 })).text)).toBe('invalid_body');
    expect(upstream.calls.length).toBe(before);
  });

  it('survives a field that is nested as deeply as the limit allows', async () => {
    const { page, upstream } = world();
    const depth = 30_000;
    const tools = `${'['.repeat(depth)}${']'.repeat(depth)}`;
    const body = `{"model":"small","messages":[{"role":"user","content":"Hi"}],"tools":${tools}}`;
    upstream.next(({ response }) => answerWhole(response, 'A shore.'));
    expect([200, 400]).toContain((await page.chat(undefined, { body })).status);
    expect((await page.send('/health')).status).toBe(200);
  });

  it('wants JSON to be called JSON, so that no page can send it unasked', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonp']) {
      const answer = await world().page.chat({}, { headers: { 'content-type': type } });
      expect([type, answer.status, codeOf(answer.text)]).toEqual([type, 415, 'not_json']);
    }
  });

  it('says what is wrong with a path or a method', async () => {
    const { page } = world();
    const answers = await Promise.all([
      page.send('/v1/chat/completions'),
      page.send('/v1/token', { method: 'DELETE' }),
      page.send('/v1/embeddings', { method: 'POST' }),
      page.send('/constructor'),
    ]);
    expect(answers.map(({ status, text }) => `${status} ${codeOf(text)}`)).toEqual([
      '405 wrong_method',
      '405 wrong_method',
      '404 not_found',
      '404 not_found',
    ]);
    expect(JSON.parse((await page.send('/health')).text)).toEqual({ status: 'ok' });
  });
});
