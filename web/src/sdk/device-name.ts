import type { DeviceChoice, DeviceReport } from '../engine/protocol';
import type { Records } from '../records';
import { within } from '../within';

/** Longest wait for the browser's adapter; afterwards the browser counts as one without a GPU. */
const ADAPTER_TIMEOUT_MS = 2_000;

/** Names an opened device for breaker and history, so that the speed of one adapter is not used for another. */
export function nameOfDevice({ backend, adapter }: Pick<DeviceReport, 'backend' | 'adapter'>): string {
  return backend === 'flex' ? simd() : gpu(adapter ?? { vendor: '', architecture: '', description: '' });
}

/**
 * Predicts which device will open for a choice. The browser's adapter is only a guess: if the GPU fails to open or to load the
 * model, the CPU answers. So the prediction is the device that opened last for the same adapter and model, even in an earlier
 * session.
 */
export class DeviceNames {
  readonly #opened: Records<string>;
  readonly #model: string;
  readonly #expected = new Map<DeviceChoice, Promise<string>>();
  readonly #adapters = new Map<DeviceChoice, Promise<string>>();

  /** `opened` has names of devices by choice, adapter and model. */
  constructor(opened: Records<string>, model: string) {
    this.#opened = opened;
    this.#model = model;
  }

  /** The name that the device will probably have. Asks the browser once. */
  expected(choice: DeviceChoice): Promise<string> {
    const known = this.#expected.get(choice) ?? this.#look(choice);
    this.#expected.set(choice, known);
    return known;
  }

  /** Notes which device opened for `choice`. */
  async noteOpened(choice: DeviceChoice, name: string): Promise<void> {
    this.#expected.set(choice, Promise.resolve(name));
    const key = await this.#key(choice);
    if ((await this.#opened.get(key)) !== name) await this.#opened.put(key, name);
  }

  async #look(choice: DeviceChoice): Promise<string> {
    const adapter = await this.#adapter(choice);
    return choice === 'cpu' ? adapter : ((await this.#opened.get(await this.#key(choice))) ?? adapter);
  }

  async #key(choice: DeviceChoice): Promise<string> {
    return `${choice} | ${await this.#adapter(choice)} | ${this.#model}`;
  }

  #adapter(choice: DeviceChoice): Promise<string> {
    const known = this.#adapters.get(choice) ?? adapterName(choice);
    this.#adapters.set(choice, known);
    return known;
  }
}

async function adapterName(choice: DeviceChoice): Promise<string> {
  if (choice === 'cpu') return simd();
  const asked = globalThis.navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' });
  const found =
    asked &&
    (await within(
      ADAPTER_TIMEOUT_MS,
      asked.catch(() => null),
    ));
  return found?.info === undefined ? simd() : gpu(found.info);
}

const simd = (): string => `flex x${globalThis.navigator?.hardwareConcurrency ?? 1}`;
const gpu = (info: { vendor: string; architecture: string; description: string }): string =>
  `wgpu ${info.vendor} ${info.architecture} ${info.description}`.trimEnd();
