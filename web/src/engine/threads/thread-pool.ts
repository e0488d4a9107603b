/// <reference lib="webworker" />
import { startTrusted } from '../../trusted-worker';
import type { Enlistment, MemberReply } from './member';
import { lead, MEMBER, newWords, type RunTask, type Threads } from './tasks';

/** The engine's module and what its threads share. */
export interface SharedModule {
  module: WebAssembly.Module;
  memory: WebAssembly.Memory;
  runTask: RunTask;
}

/** Longest wait for a thread to start; the pool goes on without a slower one. */
const START_TIMEOUT_MS = 10_000;

/** More threads than this are limited by memory bandwidth. */
const MOST_THREADS = 8;

/** The threads of an engine's worker, this one among them. */
export class ThreadPool implements Threads {
  readonly count: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #runTask: RunTask;

  private constructor(count: number, words: Int32Array<SharedArrayBuffer>, runTask: RunTask) {
    this.count = count;
    this.#words = words;
    this.#runTask = runTask;
  }

  /**
   * Starts `count - 1` workers on the module's memory; fewer where the browser gives no more. Nothing else may run in the
   * module meanwhile: each thread allocates its stack.
   */
  static async start(count: number, { module, memory, runTask }: SharedModule): Promise<ThreadPool> {
    const words = newWords();
    let thread = 1;
    // One after the other, because the allocator is not thread-safe.
    while (thread < count && (await joins({ module, memory, words, thread }))) thread++;
    return new ThreadPool(thread, words, runTask);
  }

  /** Calls `runTask` of the module once for every task below `tasks`, on all threads. */
  run(tasks: number): void {
    lead(this.#words, tasks, this.#runTask);
  }
}

/** Whether a worker can have threads here: they need shared memory, and workers in workers. */
export const canHaveThreads = (): boolean =>
  globalThis.crossOriginIsolated === true && typeof Worker === 'function';

/** Number of threads that helps: half of many cores, because they share units in pairs or are partly slow cores. */
function bestThreads(cores = coresOfMachine()): number {
  return cores <= 4 ? cores : Math.min(Math.ceil(cores / 2), MOST_THREADS);
}

/** Returns `wanted` threads, but at most one for each core, because each needs a worker and a stack. */
export function threadsFor(wanted: number | undefined, cores = coresOfMachine()): number {
  return wanted === undefined ? bestThreads(cores) : Math.max(1, Math.min(Math.floor(wanted) || 1, cores));
}

const coresOfMachine = (): number => globalThis.navigator?.hardwareConcurrency ?? 1;

/** Starts a worker with this worker's own script; resolves with whether it became a thread. */
function joins(enlistment: Enlistment): Promise<boolean> {
  return new Promise((resolve) => {
    const worker = startTrusted(
      'Worker',
      () => new Worker(self.location.href, { type: ownType(), name: MEMBER }),
    );
    const end = (failed?: string): void => {
      clearTimeout(timer);
      if (failed !== undefined) {
        worker.terminate();
        // biome-ignore lint/suspicious/noConsole: whoever serves the page should know why it is slower
        console.warn(`inshore computes with fewer threads, as one did not start: ${failed}`);
      }
      resolve(failed === undefined);
    };
    const timer = setTimeout(() => end('it took too long'), START_TIMEOUT_MS);
    worker.onmessage = ({ data }: MessageEvent<MemberReply>) => end(data.failed);
    worker.onmessageerror = () => end('the module did not arrive');
    worker.onerror = (event) => {
      event.preventDefault();
      end(event.message || 'the script did not load');
    };
    worker.postMessage(enlistment);
  });
}

/** How this worker's script was started: some bundlers make a classic one of a module. */
function ownType(): WorkerType {
  try {
    // Without an address it does nothing, but modules may not even ask.
    importScripts();
    return 'classic';
  } catch {
    return 'module';
  }
}
