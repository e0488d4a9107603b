import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOSTS, type RunningHost, start } from './hosts';
import { codeOf, eventsOf, Page } from './page';
import { ORIGIN, TOKEN_SECRET } from './world';

/** The `inshore` binary; without it there is no host of ours to test against. */
const BINARY = process.env.INSHORE_BIN;
const MODEL = process.env.INSHORE_TEST_MODEL;
const BODY = {
  model: 'small',
  messages: [{ role: 'user', content: 'Name three animals of the shore.' }],
  max_tokens: 8,
  temperature: 0,
};
const LONG = { ...BODY, messages: [{ role: 'user', content: 'Tell me a long story of the sea.' }] };
const CAP = 800;

describe.skipIf(BINARY === undefined)('before a real `inshore serve`', () => {
  let serve: ChildProcess | undefined;
  let hostUrl = '';
  let modelName = '';

  beforeAll(async () => {
    const model = MODEL === undefined ? [] : ['--model', MODEL];
    serve = spawn(BINARY ?? '', ['serve', '--port', '0', '--device', 'cpu', '--threads', '2', ...model]);
    hostUrl = await listening(serve);
    while ((await fetch(`${hostUrl}/health`)).status !== 200) {
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    modelName = (await (await fetch(`${hostUrl}/v1/models`)).json()).data[0].id;
  });

  afterAll(() => void serve?.kill());

  describe.each(HOSTS)('on %s', (name) => {
    let worker: RunningHost | undefined;
    let page = new Page(0, ORIGIN);

    beforeAll(async () => {
      worker = await start(name, {
        INSHORE_UPSTREAMS: JSON.stringify([
          {
            name: 'box',
            base_url: `${hostUrl}/v1`,
            models: { small: modelName },
            inshore: true,
            prefix: true,
          },
        ]),
        INSHORE_ORIGINS: ORIGIN,
        INSHORE_TOKEN_SECRET: TOKEN_SECRET,
        INSHORE_MAX_TOKENS: String(CAP),
      });
      page = new Page(worker.port, ORIGIN);
    });
    afterAll(() => worker?.stop());

    it('streams the same answer as it gives in one piece, with its usage', async () => {
      const whole = JSON.parse((await page.chat(BODY)).text);
      expect(whole.choices[0].message.content).not.toBe('');
      const stream = { ...BODY, stream: true, stream_options: { include_usage: true } };
      const events = eventsOf((await page.chat(stream)).text);
      expect(events.pop()).toBe('[DONE]');
      const chunks = events.map((event) => JSON.parse(event));
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
      expect(text).toBe(whole.choices[0].message.content);
      // The prompt's beginning is still there from the first time; its last token always runs.
      const { prompt_tokens } = whole.usage;
      const again = { ...whole.usage, prompt_tokens_details: { cached_tokens: prompt_tokens - 1 } };
      expect(chunks.at(-1)?.usage).toEqual(again);
    });

    it('passes on what the host says of a prompt that is too long', async () => {
      const messages = [{ role: 'user', content: 'shore '.repeat(10_000) }];
      const answer = await page.chat({ ...BODY, messages });
      expect([answer.status, codeOf(answer.text)]).toEqual([400, 'context_length_exceeded']);
    });

    it('frees the host the moment a page goes away', async () => {
      const shortMs = await timed(async () => {
        const short = JSON.parse((await page.chat({ ...LONG, max_tokens: 20 })).text);
        expect([short.usage.completion_tokens, short.choices[0].finish_reason]).toEqual([20, 'length']);
      });
      // The host answers one after the other: if nobody dropped this, the next would wait for about 40 times as long.
      const answer = await page.stream({ ...LONG, stream: true, max_tokens: 5000 });
      await answer.until('data: ');
      answer.leave();
      const nextMs = await timed(async () => {
        expect((await page.chat({ ...BODY, max_tokens: 1 })).status).toBe(200);
      });
      process.stdout.write(
        `    ${name}: 20 tokens in ${shortMs.toFixed(0)} ms; ${CAP} dropped and the next one in ${nextMs.toFixed(0)} ms\n`,
      );
      expect(nextMs).toBeLessThan(10 * shortMs);
    });
  });
});

/** Waits for the line that names the address. */
async function listening(child: ChildProcess): Promise<string> {
  let output = '';
  return new Promise((resolve, reject) => {
    const read = (part: Buffer) => {
      output += part.toString();
      const address = /listening on (http:\S+)/.exec(output)?.[1];
      if (address !== undefined) resolve(address);
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
    child.once('exit', () => reject(new Error(`inshore serve ended:\n${output}`)));
  });
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
