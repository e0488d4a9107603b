import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A host that runs the built worker. */
export type HostName = 'workerd' | 'node';
export const HOSTS: readonly HostName[] = ['workerd', 'node'];

/** A running worker: a process of its own on a free port. */
export interface RunningHost {
  name: HostName;
  port: number;
  /** Everything it printed so far. */
  output(): string;
  /** Waits until the output holds this. */
  printed(text: string): Promise<void>;
  /** The same for what it prints after so many characters. */
  printedAfter(start: number, text: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts the built worker with these variables and nothing else of ours. */
export async function start(name: HostName, env: Record<string, string>): Promise<RunningHost> {
  const child = name === 'workerd' ? spawnWorkerd(env) : spawnNode(env);
  const watch = new OutputWatch(child);
  const port = name === 'workerd' ? await portFromControl(child, watch) : await portFromOutput(watch);
  return {
    name,
    port,
    output: () => watch.text,
    printed: (text) => watch.printed(text),
    printedAfter: (start, text) => watch.printed(text, start),
    stop: async () => {
      child.kill();
      await watch.exit;
    },
  };
}

/** Starts it on Node to see it fail: its exit code and what it printed. */
export async function startAndFail(
  env: Record<string, string>,
): Promise<{ code: number | null; output: string }> {
  const child = spawnNode(env);
  const watch = new OutputWatch(child);
  const code = await watch.exit;
  return { code, output: watch.text };
}

function spawnNode(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, ['dist/node.js'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function spawnWorkerd(env: Record<string, string>): ChildProcess {
  const found: string | { default: string } = createRequire(import.meta.url)('workerd');
  const binary = typeof found === 'string' ? found : found.default;
  const options = ['serve', 'workerd.capnp', '--socket-addr', 'http=127.0.0.1:0', '--control-fd=3'];
  return spawn(binary, options, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
}

/** workerd tells where it listens on an extra pipe. */
async function portFromControl(child: ChildProcess, watch: OutputWatch): Promise<number> {
  const control = child.stdio[3];
  if (control === null || control === undefined) throw new Error('workerd has no control pipe');
  let text = '';
  control.on('data', (part: Buffer) => {
    text += part.toString();
    watch.changed();
  });
  const listening = await watch.until(() => /"event":"listen".*"port":(\d+)/.exec(text), 'its port');
  return Number(listening[1]);
}

async function portFromOutput(watch: OutputWatch): Promise<number> {
  const listening = await watch.until(
    (output) => /listening on http:\/\/[^ ]*:(\d+)/.exec(output),
    'its port',
  );
  return Number(listening[1]);
}

class OutputWatch {
  text = '';
  readonly exit: Promise<number | null>;
  #hasExited = false;
  #waiting: (() => void)[] = [];

  constructor(child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (part: Buffer) => {
        this.text += part.toString();
        this.changed();
      });
    }
    this.exit = new Promise((resolve) => {
      child.once('exit', (code) => {
        this.#hasExited = true;
        this.changed();
        resolve(code);
      });
    });
  }

  changed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Waits for a whole line with this text, after so many characters. */
  async printed(text: string, start = 0): Promise<void> {
    const hasLine = (output: string) => {
      const at = output.indexOf(text, start);
      return at >= 0 && output.includes('\n', at);
    };
    await this.until(hasLine, `\`${text}\``);
  }

  /** Waits for a condition on the output; an exit before that is an error. */
  async until<T>(find: (output: string) => T, what: string): Promise<NonNullable<T>> {
    for (;;) {
      const found = find(this.text);
      if (found) return found as NonNullable<T>;
      if (this.#hasExited) throw new Error(`the host ended before it printed ${what}:\n${this.text}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
