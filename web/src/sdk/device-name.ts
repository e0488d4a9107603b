import type { DeviceChoice, DeviceReport } from '../engine/protocol';

/** Names an opened device for breaker and history: speeds of another adapter say nothing about this one. */
export function nameOfDevice({ backend, adapter }: DeviceReport): string {
  return backend === 'flex' ? simd() : gpu(adapter ?? { vendor: '', architecture: '', description: '' });
}

/** The name that the device will have once it is opened, as far as that can be told beforehand. */
export async function expectedDevice(choice: DeviceChoice): Promise<string> {
  if (choice === 'cpu') return simd();
  const found = await globalThis.navigator?.gpu
    ?.requestAdapter({ powerPreference: 'high-performance' })
    .catch(() => null);
  return found?.info === undefined ? simd() : gpu(found.info);
}

const simd = (): string => `flex x${globalThis.navigator?.hardwareConcurrency ?? 1}`;
const gpu = (info: { vendor: string; architecture: string; description: string }): string =>
  `wgpu ${info.vendor} ${info.architecture} ${info.description}`.trimEnd();
