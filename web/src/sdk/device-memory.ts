/** Share of the memory that a device says it has which a model may take. */
const MEMORY_SHARE = 0.6;
const GIB = 2 ** 30;

/** Whether a model fits, as far as the browser tells how much memory there is; null: nobody knows. */
export function fitsMemory(memoryBytes: number | undefined): boolean | null {
  const gib = (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory;
  if (memoryBytes === undefined || gib === undefined) return null;
  return memoryBytes <= gib * GIB * MEMORY_SHARE;
}
