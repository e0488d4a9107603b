/** The face of `crates/inshore-route-wasm`, as `cargo xtask wasm` leaves it in `pkg/wasm/`. */
declare module '#route-wasm' {
  /** Compiles the module, once a page. */
  export default function init(input: {
    module_or_path: string | URL | BufferSource | WebAssembly.Module;
  }): Promise<unknown>;

  export class Router {
    /** Throws an `Error` where a constant is unknown or out of range. */
    constructor(configJson: string);
    /** Takes one event, returns an array of orders; throws an `Error` where the event is none. */
    push(nowMs: number, eventJson: string): string;
    free(): void;
  }

  /** Every constant with its default. */
  export function defaultConfig(): string;
}

declare module '#route-wasm-bytes?url' {
  const url: string;
  export default url;
}
