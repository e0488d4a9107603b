/** Middle and spread of a few runs. */
export interface Summary {
  runs: number;
  median: number;
  min: number;
  max: number;
}

/** Summarises the values that are there; undefined where there is none. A median of an even number is the mean of the two in the middle. */
export function summarise(values: readonly (number | undefined)[]): Summary | undefined {
  const sorted = values
    .filter((value): value is number => value !== undefined && Number.isFinite(value))
    .sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) return undefined;
  const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  const high = sorted[Math.ceil((sorted.length - 1) / 2)] ?? max;
  return { runs: sorted.length, median: (low + high) / 2, min, max };
}
