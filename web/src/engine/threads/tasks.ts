// How the threads of an engine share out the tasks of an operation: a few words of shared memory, touched by `Atomics`
// alone. They also order the accesses to the engine's own memory, for which Rust, compiled for one thread, cannot care.

/** Name of the workers that are threads of an engine; they run the script of the engine's worker. */
export const MEMBER = 'inshore-thread';

/** Runs one task of the operation that the module is in. */
export type RunTask = (task: number, thread: number) => void;

/** What the module takes as its threads: `run` runs every task below `tasks` once, on whichever of `count` threads. */
export interface Threads {
  readonly count: number;
  run(tasks: number): void;
}

/** What the words of a pool mean. */
const Word = {
  /** Tasks that nobody has taken yet; below 1: none. */
  open: 0,
  /** Members that take or run tasks. */
  active: 1,
  /** Counts operations. */
  operation: 2,
  /** Members that sleep until the next operation. */
  asleep: 3,
  /** Whether the leader sleeps until nobody is active. */
  leaderAsleep: 4,
  /** Whether a task has trapped. */
  trapped: 5,
} as const;

/** Looks at a word before a thread goes to sleep: some 50 µs, longer than the gaps between operations of a token. */
const LOOKS = 2_000;

/** Rests the core for a moment between two looks, where the browser can. */
const rest: () => void = (Atomics as { pause?: () => void }).pause ?? (() => {});

/** The shared words of a new pool. */
export const newWords = (): Int32Array<SharedArrayBuffer> =>
  new Int32Array(new SharedArrayBuffer(Object.keys(Word).length * 4));

/** The leader's part of an operation: runs tasks `0..tasks` with all who come; none is running when this returns. */
export function lead(words: Int32Array<SharedArrayBuffer>, tasks: number, runTask: RunTask): void {
  Atomics.store(words, Word.open, tasks);
  Atomics.add(words, Word.operation, 1);
  if (Atomics.load(words, Word.asleep) > 0) Atomics.notify(words, Word.operation);
  takeTasks(words, 0, runTask);
  for (let looks = 0; Atomics.load(words, Word.active) > 0; looks++) {
    if (looks < LOOKS) {
      rest();
      continue;
    }
    Atomics.store(words, Word.leaderAsleep, 1);
    const active = Atomics.load(words, Word.active);
    if (active > 0) Atomics.wait(words, Word.active, active);
    Atomics.store(words, Word.leaderAsleep, 0);
  }
  // As a trap of the leader's own: the module is in an unknown state, and the worker ends.
  if (Atomics.load(words, Word.trapped) !== 0)
    throw new WebAssembly.RuntimeError('a thread of the engine trapped');
}

/** A member's life: helps with every operation. Returns only when a task traps. */
export function follow(words: Int32Array<SharedArrayBuffer>, thread: number, runTask: RunTask): void {
  for (;;) {
    const operation = Atomics.load(words, Word.operation);
    // Whoever is counted as active before taking a task is waited for.
    if (Atomics.load(words, Word.open) > 0 && !help(words, thread, runTask)) return;
    if (changesSoon(words, operation)) continue;
    Atomics.add(words, Word.asleep, 1);
    Atomics.wait(words, Word.operation, operation);
    Atomics.sub(words, Word.asleep, 1);
  }
}

/** Whether the next operation begins before it pays to sleep. */
function changesSoon(words: Int32Array<SharedArrayBuffer>, operation: number): boolean {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (Atomics.load(words, Word.operation) !== operation) return true;
    rest();
  }
  return false;
}

/** Takes tasks until there are none; false after a trap. */
function help(words: Int32Array<SharedArrayBuffer>, thread: number, runTask: RunTask): boolean {
  Atomics.add(words, Word.active, 1);
  let sound = true;
  try {
    takeTasks(words, thread, runTask);
  } catch {
    Atomics.store(words, Word.trapped, 1);
    sound = false;
  }
  Atomics.sub(words, Word.active, 1);
  if (Atomics.load(words, Word.leaderAsleep) !== 0) Atomics.notify(words, Word.active);
  return sound;
}

function takeTasks(words: Int32Array<SharedArrayBuffer>, thread: number, runTask: RunTask): void {
  for (;;) {
    const open = Atomics.sub(words, Word.open, 1);
    if (open <= 0) return;
    runTask(open - 1, thread);
  }
}
