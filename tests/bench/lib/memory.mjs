// Peak memory of a browser, sampled: it is many processes.
import { readdirSync, readFileSync } from 'node:fs';

const EVERY_MS = 250;

/**
 * Starts sampling the browser of `context`; `peak()` gives bytes of the largest process and of all together so far. PSS counts a page that
 * several processes share once among them. Undefined where there is no /proc. A look takes a core for tens of milliseconds, so none is
 * taken during `undisturbed(work)`, what is timed, but right behind it.
 */
export function sampleMemory({ profile }) {
  let largest = 0;
  let sum = 0;
  const sample = () => {
    const sizes = browserProcesses(profile).map(pssBytes);
    largest = Math.max(largest, ...sizes);
    sum = Math.max(
      sum,
      sizes.reduce((total, size) => total + size, 0),
    );
  };
  const start = () => setInterval(sample, EVERY_MS).unref();
  let timer = start();
  return {
    async undisturbed(work) {
      clearInterval(timer);
      try {
        return await work();
      } finally {
        sample();
        timer = start();
      }
    },
    peak() {
      sample();
      return sum > 0 ? { peak_memory_bytes: largest, peak_memory_all_bytes: sum } : {};
    },
    stop: () => clearInterval(timer),
  };
}

function pssBytes(pid) {
  try {
    return (
      1024 * Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1] ?? 0)
    );
  } catch {
    return 0; // It has ended.
  }
}

/** The processes whose command line names the profile, and all below them. */
function browserProcesses(profile) {
  const parents = new Map();
  const found = new Set();
  for (const name of list('/proc')) {
    if (!/^\d+$/.test(name) || name === String(process.pid)) continue;
    try {
      const pid = Number(name);
      parents.set(pid, Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'latin1'))?.[1]));
      if (readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(profile)) found.add(pid);
    } catch {
      // It has ended.
    }
  }
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return [...found];
}

function list(folder) {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
