// The SDK in a real Chromium, through the edge worker on a real workerd, to a real `inshore serve`.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch } from './lib/chromium.mjs';
import { serveSources } from './lib/dev-site.mjs';
import { HOST_KEY, startEdgeWorker } from './lib/edge-worker.mjs';

const QUESTION = {
  messages: [{ role: 'user', content: 'What is a shore?' }],
  max_tokens: 12,
  temperature: 0,
};
const LONG = {
  messages: [{ role: 'user', content: 'Tell me a long story of the sea.' }],
  max_tokens: 400,
  temperature: 0,
};

describe('a page behind the edge worker', { timeout: 300_000 }, () => {
  let site;
  let worker;
  let context;
  let page;

  before(async () => {
    site = await serveSources();
    const [{ id: model }] = (await (await fetch(`${site.host.url}/v1/models`)).json()).data;
    worker = await startEdgeWorker({ hostUrl: site.host.url, origin: site.url, model });
    context = await launch('plain');
    page = await openSdk(site.url);
  });
  after(async () => {
    await context?.close();
    await worker?.close();
    await site?.close();
  });

  /** A page of this origin with an instance that asks the worker. */
  async function openSdk(origin) {
    const opened = await context.newPage();
    opened.setDefaultTimeout(120_000);
    await opened.goto(`${origin}/sdk.html`);
    await opened.waitForFunction(() => window.inshoreSdk !== undefined);
    await opened.evaluate(async (url) => {
      const { models } = await (await fetch('/models/manifest.json')).json();
      const [{ name, url: file, bytes, sha256 }] = models;
      window.inshore = await window.inshoreSdk.createInshore({
        model: { name, url: new URL(file, location.href).href, bytes, sha256 },
        // A stall goes to the cloud at once, not to a fresh engine first.
        policy: { stall_ms: 500, max_recoveries: 0 },
        mode: 'only_in_cloud',
        cloud: { baseURL: `${url}/v1`, token: `${url}/v1/token`, model: 'shore', continuation: 'token_ids' },
      });
    }, worker.url);
    return opened;
  }

  /** Asks the instance; the whole text and the report. */
  const ask = (where, question) =>
    where.evaluate(async (question) => {
      const answer = await window.inshore.chat.completions.create(question);
      return { text: answer.choices[0].message.content, report: answer.inshore };
    }, question);

  test('gets the answer that the host gives', async () => {
    const direct = await fetch(`${site.host.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(QUESTION),
    });
    const { text, report } = await ask(page, QUESTION);
    assert.equal(text, (await direct.json()).choices[0].message.content);
    assert.equal(report.source, 'in_cloud');
  });

  test('streams it, with a token of its own for each request', async () => {
    const texts = await page.evaluate(async (question) => {
      const read = async () => {
        let text = '';
        const stream = await window.inshore.chat.completions.create({ ...question, stream: true });
        for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
        return text;
      };
      return [await read(), await read()];
    }, QUESTION);
    assert.equal(texts[0], texts[1]);
    const chats = await worker.chats(3);
    assert.deepEqual(
      chats.map(({ status, outcome }) => [status, outcome]),
      [
        [200, 'complete'],
        [200, 'complete'],
        [200, 'complete'],
      ],
    );
  });

  test('cannot use a token twice', async () => {
    const statuses = await page.evaluate(
      async ([url, question]) => {
        const { token } = await (await fetch(`${url}/v1/token`, { method: 'POST' })).json();
        const send = () =>
          fetch(`${url}/v1/chat/completions`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
            body: JSON.stringify({ ...question, model: 'shore', max_tokens: 1 }),
          });
        const [first, second] = await Promise.all([send(), send()]);
        await Promise.all([first.text(), second.text()]);
        return [first.status, second.status].sort();
      },
      [worker.url, QUESTION],
    );
    assert.deepEqual(statuses, [200, 401]);
  });

  test('tells the upstream when it leaves an answer', async (t) => {
    const before = (await worker.chats(0)).length;
    const aborted = await page.evaluate(async (question) => {
      const controller = new AbortController();
      const { signal } = controller;
      try {
        const stream = await window.inshore.chat.completions.create(
          { ...question, stream: true },
          { signal },
        );
        for await (const chunk of stream) if (chunk.choices[0]?.delta.content) controller.abort();
        return 'ended';
      } catch {
        return signal.aborted;
      }
    }, LONG);
    assert.notEqual(aborted, false);
    // 400 tokens would take the host many seconds, and the worker would log them as complete.
    const left = (await worker.chats(before + 1)).at(-1);
    t.diagnostic(`left after ${left.events} events and ${left.total_ms} ms`);
    assert.equal(left.outcome, 'aborted');
    assert.ok(left.events < 100, `${left.events} events`);
  });

  test('is refused where its origin is another, by the browser and by the worker', async () => {
    const foreign = await openSdk(site.url.replace('127.0.0.1', 'localhost'));
    const codes = await foreign.evaluate(async (question) => {
      try {
        await window.inshore.chat.completions.create(question);
        return 'answered';
      } catch (error) {
        return error.code;
      }
    }, QUESTION);
    assert.notEqual(codes, 'answered');
    assert.match(worker.log(), /"route":"POST \/v1\/token","status":403,"outcome":"origin_not_allowed"/);
    await foreign.close();
  });

  test('finishes an answer there that the device began, word for word', async () => {
    const question = { ...LONG, max_tokens: 40 };
    const { text: whole } = await ask(page, question);
    const { text, report, handovers } = await page.evaluate(async (question) => {
      window.inshore.configure({
        mode: 'prefer_on_device',
        slo: { ttft_ms: 60_000, tokens_per_second: 0.1 },
      });
      await window.inshore.download();
      const handovers = [];
      window.inshore.on('handover', (event) => handovers.push(event));
      const stream = await window.inshore.chat.completions.create({ ...question, stream: true });
      let text = '';
      let report;
      for await (const chunk of stream) {
        const piece = chunk.choices[0]?.delta.content ?? '';
        text += piece;
        // As if the device were suddenly busy: the stall is noticed, and the rest comes through the worker.
        if (text.length > 40 && text.length - piece.length <= 40) await window.inshore.slowDown(10_000);
        report = chunk.inshore ?? report;
      }
      return { text, report, handovers };
    }, question);
    assert.equal(text, whole);
    assert.equal(handovers.length, 1);
    assert.equal(handovers[0].manner, 'token_ids');
    assert.deepEqual(
      report.spans.map(({ source }) => source),
      ['on_device', 'in_cloud'],
    );
  });

  test('never saw the key, and the log no text', () => {
    const { sent, received } = worker.wire;
    // The wire was watched: the questions and the answers are there, only the key is not.
    assert.ok(sent.includes('What is a shore?'));
    assert.ok(received.includes('chat.completion.chunk'));
    assert.ok(!received.includes(HOST_KEY) && !sent.includes(HOST_KEY));
    assert.ok(!received.includes(site.host.url));
    assert.ok(!worker.log().includes(HOST_KEY));
    assert.ok(!worker.log().includes('What is a shore?'));
  });
});
