import { InshoreError } from '../error';
import { type Build, cpuBuild, requireGpuBuild } from './builds';
import { hasRelaxedSimd } from './relaxed-simd';
import { canHaveThreads, type SharedModule, ThreadPool } from './threads/thread-pool';

/** One build of the engine, started. */
export type EngineModule = typeof import('#cpu-wasm');

type Glue = Promise<EngineModule>;
type Address = Promise<{ default: string }>;

/**
 * The builds; a worker needs one of them, rarely two. Addresses are imported like code: in what two workers share, webpack
 * loses them.
 */
const BUILDS: Record<Build, { glue(): Glue; address(): Address }> = {
  gpu: {
    glue: (): Glue => import('#gpu-wasm'),
    address: (): Address => import('#gpu-wasm-bytes?url'),
  },
  cpu: {
    glue: (): Glue => import('#cpu-wasm'),
    address: (): Address => import('#cpu-wasm-bytes?url'),
  },
  relaxed: {
    glue: (): Glue => import('#cpu-relaxed-wasm'),
    address: (): Address => import('#cpu-relaxed-wasm-bytes?url'),
  },
  threads: {
    glue: (): Glue => import('#cpu-threads-wasm'),
    address: (): Address => import('#cpu-threads-wasm-bytes?url'),
  },
};

interface Started {
  engine: EngineModule;
  shared: SharedModule;
}

const started = new Map<Build, Promise<Started>>();
let threadPool: Promise<void> | undefined;
let threadsRefused = false;

/**
 * Compiles and starts the build of the engine for a kind of device, once per worker: a second instance would have a
 * memory of its own.
 */
export async function engineModule(kind: 'gpu' | 'cpu'): Promise<EngineModule> {
  if (kind === 'cpu') return (await startCpu()).engine;
  requireGpuBuild();
  return (await startOnce('gpu')).engine;
}

/** Lets the CPU engine compute with `count` threads, where there can be any. Once, before anything runs in it. */
export async function startThreads(count: number): Promise<void> {
  if (count <= 1 || bestCpuBuild() !== 'threads') return;
  const { engine, shared } = await startCpu();
  if (bestCpuBuild() !== 'threads') return;
  threadPool ??= ThreadPool.start(count, shared).then((threads) => engine.useThreads?.(threads));
  await threadPool;
}

const bestCpuBuild = (): Build =>
  cpuBuild({ relaxedSimd: hasRelaxedSimd(), threads: canHaveThreads() && !threadsRefused });

async function startCpu(): Promise<Started> {
  const build = bestCpuBuild();
  try {
    return await startOnce(build);
  } catch (error) {
    // Shared memory names the most it will ever be, and a small device has no such room.
    if (build !== 'threads' || !(InshoreError.from(error).cause instanceof RangeError)) throw error;
    threadsRefused = true;
    return startCpu();
  }
}

function startOnce(build: Build): Promise<Started> {
  const running = started.get(build) ?? start(build);
  started.set(build, running);
  return running;
}

async function start(build: Build): Promise<Started> {
  const { glue, address } = BUILDS[build];
  if (build === 'threads') drawIntoSharedMemory();
  try {
    const [engine, module] = await Promise.all([glue(), compile(address())]);
    const { memory, runTask } = await engine.default({ module_or_path: module });
    return { engine, shared: { module, memory, runTask } };
  } catch (error) {
    // The connection may be back at the next try.
    started.delete(build);
    throw new InshoreError(
      'engine_unavailable',
      'The engine (WebAssembly with SIMD) did not start. Check the connection, use a current browser, then reload the page.',
      { cause: error },
    );
  }
}

/** The module draws random bytes into its memory, which `crypto` refuses where that is shared. The worker is ours alone. */
function drawIntoSharedMemory(): void {
  const draw = crypto.getRandomValues.bind(crypto);
  crypto.getRandomValues = (into) => {
    if (!(into instanceof Uint8Array && into.buffer instanceof SharedArrayBuffer)) return draw(into);
    into.set(draw(new Uint8Array(into.length)));
    return into;
  };
}

async function compile(address: Address): Promise<WebAssembly.Module> {
  const url = (await address).default;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`);
  // A server that does not know the type still serves the bytes.
  const streams = response.headers.get('content-type')?.startsWith('application/wasm') === true;
  return streams ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}
