import type { EngineDevice } from '#cpu-wasm';
import { InshoreError } from '../error';
import { requireGpuBuild } from './builds';
import { type EngineModule, engineModule, startThreads } from './instance';
import type { AdapterReport, DeviceChoice, DeviceReport } from './protocol';
import { bestThreads } from './threads/team';

/** An open device and what to tell the page about it. */
export interface OpenedDevice {
  device: EngineDevice;
  /** The build of the engine that it belongs to. */
  module: EngineModule;
  report: DeviceReport;
}

/**
 * Opens the device that `choice` names; `auto` falls back to WASM SIMD and says why. Once per worker: wgpu cannot be
 * registered twice.
 */
export async function openDevice(choice: DeviceChoice, threads?: number): Promise<OpenedDevice> {
  if (choice === 'cpu') return openCpu(threads);
  try {
    requireGpuBuild();
    return await open('gpu', await findAdapter(), choice === 'auto');
  } catch (error) {
    if (choice === 'gpu') throw error;
    const opened = await openCpu(threads);
    return { ...opened, report: { ...opened.report, fallback: InshoreError.toWire(error, 'gpu_failed') } };
  }
}

async function openCpu(threads = bestThreads()): Promise<OpenedDevice> {
  await startThreads(threads);
  return open('cpu');
}

async function open(
  kind: 'gpu' | 'cpu',
  adapter?: AdapterReport,
  automatic = false,
): Promise<OpenedDevice> {
  const module = await engineModule(kind);
  const device = await module.EngineDevice.open(kind, automatic);
  const { backend, name, maxTensorBytes } = device;
  return { device, module, report: { backend, name, maxTensorBytes, adapter } };
}

/** Asks before the engine does: wgpu's own error cannot tell a browser without WebGPU from a machine without a GPU. */
async function findAdapter(): Promise<AdapterReport> {
  if (navigator.gpu === undefined) {
    const why = isSecureContext
      ? 'This browser has no WebGPU. Use a current Chrome, Edge, Safari or Firefox for more speed.'
      : 'WebGPU needs https or localhost. Open the page at such an address for more speed.';
    throw new InshoreError('no_webgpu', why);
  }
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (adapter === null) {
    throw new InshoreError(
      'no_adapter',
      'The browser found no GPU adapter. Check that hardware acceleration is on and the graphics driver is current.',
    );
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return { vendor, architecture, description, software: isFallbackAdapter };
}
