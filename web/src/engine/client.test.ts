import { describe, expect, it } from 'vitest';
import { InshoreError } from '../error';
import { joinedWorker } from '../joined-worker.testing';
import { EngineClient } from './client';
import type { EngineCalls, EngineEvent, Step } from './protocol';

const step = (id: number): Step => ({ id, text: `t${id}`, logprob: -id, top: [] });
const timings = {
  ttftMs: 1,
  prefillTps: 1,
  decodeTps: 1,
  promptTokens: 2,
  cachedTokens: 0,
  completionTokens: 2,
};

/** A worker whose generations the test drives by hand. */
function fakeEngine() {
  const stopped: number[] = [];
  const unused = (): never => {
    throw new InshoreError('internal', 'not part of this test');
  };
  const { worker, post, crash } = joinedWorker<EngineCalls, EngineEvent>({
    open: unused,
    load: unused,
    info: unused,
    shape: unused,
    probe: unused,
    slowDown: unused,
    memory: () => 65536,
    start: ({ request }) => {
      if ('raw' in request.prompt) throw new InshoreError('empty_prompt', 'nothing to continue');
      return { promptIds: [7, 8] };
    },
    stop: ({ generation }) => {
      stopped.push(generation);
      return undefined;
    },
  });
  return { client: new EngineClient(worker), post, stopped, crash };
}

const request = { prompt: { ids: [7, 8] } };

describe('EngineClient', () => {
  it('gives every step to every reader, in order, and the end', async () => {
    const { client, post } = fakeEngine();
    const answer = client.generate(request);
    post({ type: 'step', generation: 1, step: step(1) });
    const read = async (): Promise<number[]> => {
      const ids: number[] = [];
      for await (const one of answer) ids.push(one.id);
      return ids;
    };
    const early = read();
    post({ type: 'step', generation: 1, step: step(2) });
    post({ type: 'finished', generation: 1, end: { finishReason: 'stop', timings } });
    await expect(early).resolves.toEqual([1, 2]);
    await expect(read()).resolves.toEqual([1, 2]);
    await expect(answer.done).resolves.toMatchObject({ finishReason: 'stop' });
    expect(answer.promptIds).toEqual([7, 8]);
    expect(answer.text).toBe('t1t2');
  });

  it('keeps what arrived when the worker dies, and ends in an error', async () => {
    const { client, post, crash } = fakeEngine();
    let crashes = 0;
    client.onCrash = () => {
      crashes += 1;
    };
    const answer = client.generate(request);
    post({ type: 'step', generation: 1, step: step(5) });
    await new Promise((resolve) => setTimeout(resolve));
    crash('unreachable');
    const read = async (): Promise<void> => {
      for await (const _ of answer);
    };
    await expect(read()).rejects.toMatchObject({ code: 'worker_crashed' });
    await expect(answer.done).rejects.toMatchObject({ code: 'worker_crashed' });
    expect(answer.ids).toEqual([5]);
    expect(answer.ended).toBe(true);
    expect(crashes).toBe(1);
  });

  it('refuses an answer that the engine does not start', async () => {
    const { client } = fakeEngine();
    await expect(client.generate({ prompt: { raw: '' } }).done).rejects.toMatchObject({
      code: 'empty_prompt',
    });
  });

  it('stops by signal and by call, and not after the end', async () => {
    const { client, post, stopped } = fakeEngine();
    const controller = new AbortController();
    const answer = client.generate(request, { signal: controller.signal });
    controller.abort();
    post({ type: 'finished', generation: 1, end: { finishReason: 'cancelled', timings } });
    await expect(answer.done).resolves.toMatchObject({ finishReason: 'cancelled' });
    answer.stop();
    await client.memoryBytes();
    expect(stopped).toEqual([1]);
  });
});
