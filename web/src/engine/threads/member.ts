/// <reference lib="webworker" />
import { follow, type RunTask } from './tasks';

/** What a thread needs to start. */
export interface Enlistment {
  module: WebAssembly.Module;
  /** The engine's memory. */
  memory: WebAssembly.Memory;
  words: Int32Array<SharedArrayBuffer>;
  /** Above 0, which is the leader. */
  thread: number;
}

/** Reply of a thread that has started, or that failed to. */
export interface MemberReply {
  failed?: string;
}

/** Kernels hold little on the stack. A multiple of the page size, as wasm-bindgen wants it. */
const STACK_BYTES = 4 * 65_536;

interface MemberExports {
  /** Gives the instance a stack of its own. */
  __wbindgen_start(stackBytes: number): void;
  runTask: RunTask;
}

/** Makes this worker a thread of the engine that starts it. */
export function enlist(scope: DedicatedWorkerGlobalScope): void {
  scope.onmessage = async ({ data }: MessageEvent<Enlistment>) => {
    const { module, memory, words, thread } = data;
    let exports: MemberExports;
    try {
      const instance = await WebAssembly.instantiate(module, importsOf(module, memory));
      exports = instance.exports as unknown as MemberExports;
      exports.__wbindgen_start(STACK_BYTES);
    } catch (error) {
      return scope.postMessage({ failed: String(error) } satisfies MemberReply);
    }
    scope.postMessage({} satisfies MemberReply);
    follow(words, thread, exports.runTask);
  };
}

/** Fills the table of JavaScript's values when an instance starts; a thread has none. */
const TABLE = '__wbindgen_init_externref_table';

/** The memory, and functions that no task of a kernel calls. */
function importsOf(module: WebAssembly.Module, memory: WebAssembly.Memory): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module: from, name, kind } of WebAssembly.Module.imports(module)) {
    const value = kind === 'memory' ? memory : name === TABLE ? () => {} : () => trap(name);
    imports[from] = { ...imports[from], [name]: value };
  }
  return imports;
}

function trap(name: string): never {
  throw new WebAssembly.RuntimeError(`a thread of the engine called ${name}`);
}
