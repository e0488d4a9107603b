// A slow device, for real: the browser's renderer processes run only a share of the time. DevTools' own throttling
// reaches the main thread, not workers.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const PERIOD_MS = 100;

/** Holds the renderers of `context` to `share` of a core until the function that comes back is called. */
export function throttle(context, share) {
  let over = false;
  const pids = renderers(context.profile);
  if (pids.length === 0) throw new Error('there is no renderer process to hold back');
  const signal = (name) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended.
      }
    }
  };
  const cycle = (async () => {
    while (!over) {
      signal('SIGCONT');
      await sleep(PERIOD_MS * share);
      signal('SIGSTOP');
      await sleep(PERIOD_MS * (1 - share));
    }
    signal('SIGCONT');
  })();
  return async () => {
    over = true;
    await cycle;
  };
}

/** Renderer processes below the browser that has this profile. */
function renderers(profile) {
  const processes = readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1]);
      return [{ pid: Number(name), parent, command }];
    } catch {
      return []; // It has ended.
    }
  });
  const found = new Set(processes.filter(({ command }) => command.includes(profile)).map(({ pid }) => pid));
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { pid, parent } of processes) if (found.has(parent)) found.add(pid);
  }
  return processes
    .filter(({ pid, command }) => found.has(pid) && command.includes('--type=renderer'))
    .map(({ pid }) => pid);
}
