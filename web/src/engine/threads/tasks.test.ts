import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { rolldown } from 'rolldown';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { lead, newWords } from './tasks';

const MEMBERS = 2;

// Real threads, each with the real code; what a task does is to count itself.
const MEMBER = `
  import { workerData, parentPort } from 'node:worker_threads';
  const { words, counts, trapAt, thread } = workerData;
  const count = (task) => {
    if (task === trapAt) throw new WebAssembly.RuntimeError('unreachable');
    Atomics.add(counts, task, 1);
  };
  parentPort.postMessage('ready');
  follow(words, thread, count);
`;

describe('the tasks of an operation', () => {
  let code: string;
  let threads: Worker[] = [];

  beforeAll(async () => {
    const bundle = await rolldown({ input: join(import.meta.dirname, 'tasks.ts') });
    const { output } = await bundle.generate({ format: 'es' });
    code = output[0].code.replace(/^export .*$/m, '') + MEMBER;
  });
  afterEach(async () => {
    await Promise.all(threads.map((thread) => thread.terminate()));
    threads = [];
  });

  async function enlist(
    words: Int32Array<SharedArrayBuffer>,
    counts: Int32Array,
    trapAt = -1,
  ): Promise<void> {
    const script = new URL(`data:text/javascript,${encodeURIComponent(code)}`);
    for (let thread = 1; thread <= MEMBERS; thread++) {
      const worker = new Worker(script, { workerData: { words, counts, trapAt, thread } });
      threads.push(worker);
      await once(worker, 'message');
    }
  }

  it('are each run once, and all before the operation ends', async () => {
    const words = newWords();
    const counts = new Int32Array(new SharedArrayBuffer(64 * 4));
    await enlist(words, counts);
    for (let operation = 0; operation < 20_000; operation++) {
      const tasks = 1 + (operation % 61);
      lead(words, tasks, (task) => void Atomics.add(counts, task, 1));
      // Every so often the members have time to fall asleep.
      if (operation % 1_000 === 0) await new Promise((done) => setTimeout(done, 5));
      for (let task = 0; task < counts.length; task++) {
        if (counts[task] !== (task < tasks ? 1 : 0)) expect([operation, task, counts[task]]).toEqual('once');
      }
      counts.fill(0);
    }
  });

  it('end the module where one traps', async () => {
    const words = newWords();
    const counts = new Int32Array(new SharedArrayBuffer(64 * 4));
    await enlist(words, counts, 0);
    const operations = (): void => {
      for (;;) {
        // The leader leaves the last task, 0, to the members.
        lead(words, 2, (task) => {
          while (task === 1 && Atomics.load(words, 0) > 0);
          if (task === 0) Atomics.add(counts, task, 1);
        });
      }
    };
    expect(operations).toThrow(WebAssembly.RuntimeError);
  });

  it('are all the leader’s where there is nobody else', () => {
    const ran: number[] = [];
    lead(newWords(), 3, (task, thread) => ran.push(task, thread));
    expect(ran).toEqual([2, 0, 1, 0, 0, 0]);
  });
});
