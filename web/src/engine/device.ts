import type { EngineDevice } from '#cpu-wasm';
import { InshoreError } from '../error';
import { within } from '../within';
import { requireGpuBuild } from './builds';
import { type EngineModule, engineModule, startThreads } from './instance';
import type { AdapterReport, DeviceChoice, DeviceReport } from './protocol';
import { threadsFor } from './threads/thread-pool';

/** Longest wait for the graphics driver, which may take seconds to start. */
const ADAPTER_PATIENCE_MS = 10_000;

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
    return await open('gpu', await findAdapter(), choice === 'auto');
  } catch (error) {
    if (choice === 'gpu') throw error;
    const opened = await openCpu(threads);
    return { ...opened, report: { ...opened.report, fallback: InshoreError.toWire(error, 'gpu_failed') } };
  }
}

async function openCpu(wanted?: number): Promise<OpenedDevice> {
  const threads = threadsFor(wanted);
  if (wanted !== undefined && threads < wanted) {
    // biome-ignore lint/suspicious/noConsole: the caller asked for more threads and should know
    console.warn(
      `inshore computes with ${threads} threads, as this machine has no more; ${wanted} were asked for.`,
    );
  }
  await startThreads(threads);
  return open('cpu');
}

async function open(kind: 'gpu' | 'cpu', adapter?: AdapterReport, automatic = false): Promise<OpenedDevice> {
  const module = await engineModule(kind);
  const device = await module.EngineDevice.open(kind, automatic);
  const { backend, name, maxTensorBytes } = device;
  return { device, module, report: { backend, name, maxTensorBytes, adapter } };
}

/** Asks before the engine does: wgpu's own error cannot tell a browser without WebGPU from a machine without a GPU. */
async function findAdapter(): Promise<AdapterReport> {
  requireGpuBuild();
  if (navigator.gpu === undefined) {
    const why = isSecureContext
      ? 'This browser has no WebGPU. Use a current Chrome, Edge, Safari or Firefox for more speed.'
      : 'WebGPU needs https or localhost. Open the page at such an address for more speed.';
    throw new InshoreError('no_webgpu', why);
  }
  const asked = navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  const adapter = await within(ADAPTER_PATIENCE_MS, asked);
  if (!adapter) {
    throw new InshoreError(
      'no_adapter',
      'The browser found no GPU adapter. Check that hardware acceleration is on and the graphics driver is current.',
    );
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  return { vendor, architecture, description, software: isFallbackAdapter };
}
