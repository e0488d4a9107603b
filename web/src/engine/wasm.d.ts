/** The face of `crates/inshore-wasm`, as `cargo xtask wasm` leaves it in `pkg/wasm/`: the same for each of its builds. */
declare module '#cpu-wasm' {
  /** Instantiates the module and runs its constructors. */
  export default function init(input: { module_or_path: WebAssembly.Module }): Promise<{
    memory: WebAssembly.Memory;
    runTask: import('./threads/tasks').RunTask;
  }>;

  export class EngineDevice {
    private constructor();
    static open(choice: import('./protocol').DeviceChoice, automatic?: boolean): Promise<EngineDevice>;
    readonly backend: import('./protocol').BackendKind;
    readonly name: string;
    readonly maxTensorBytes: number | undefined;
  }

  /** Random access to the bytes of a model file. */
  export interface ByteSource {
    size: number;
    read(offset: number, length: number): Promise<Uint8Array> | Uint8Array;
  }

  export type LoadArgument = Pick<
    import('./protocol').LoadSettings,
    'contextTokens' | 'exact' | 'kvCache'
  > & {
    plan?: import('./plans').PlanChoice | undefined;
  };

  export class Engine {
    private constructor();
    static load(
      device: EngineDevice,
      source: ByteSource,
      options: LoadArgument,
      onProgress: (doneBytes: number, totalBytes: number) => void,
    ): Promise<Engine>;
    info(): import('./protocol').ModelInfo;
    measuredPlan(): import('./plans').MeasuredPlan | undefined;
    tokenBytes(id: number): Uint8Array;
    start(request: import('./protocol').EngineRequest): Generation;
    step(generation: Generation): Promise<import('./protocol').Step | undefined>;
    free(): void;
  }

  export class Generation {
    private constructor();
    /** Not while a `step` of this generation is pending. */
    cancel(): void;
    promptIds(): Uint32Array;
    ids(): Uint32Array;
    text(): string;
    finishReason(): import('./protocol').FinishReason | undefined;
    timings(): import('./protocol').Timings;
    free(): void;
  }

  export function memoryBytes(): number;

  /** In the build with threads: computes on them from now on. */
  export const useThreads: undefined | ((threads: import('./threads/tasks').Threads) => void);

  export function modelShape(prefix: Uint8Array): import('./protocol').ModelShape;

  export function probe(
    device: EngineDevice,
    shape: import('./protocol').ModelShape,
    contextTokens: number,
    kvCache?: import('./protocol').KvFormat,
  ): Promise<import('./protocol').Probe>;
}

declare module '#cpu-relaxed-wasm' {
  export * from '#cpu-wasm';
  export { default } from '#cpu-wasm';
}

declare module '#cpu-threads-wasm' {
  export * from '#cpu-wasm';
  export { default } from '#cpu-wasm';
}

declare module '#gpu-wasm' {
  export * from '#cpu-wasm';
  export { default } from '#cpu-wasm';
}

declare module '#cpu-wasm-bytes?url' {
  const url: string;
  export default url;
}

declare module '#cpu-relaxed-wasm-bytes?url' {
  const url: string;
  export default url;
}

declare module '#cpu-threads-wasm-bytes?url' {
  const url: string;
  export default url;
}

declare module '#gpu-wasm-bytes?url' {
  const url: string;
  export default url;
}
