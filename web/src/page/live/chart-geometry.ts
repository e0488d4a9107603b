/** The pure part of the charts: scales, ticks and paths in the units of the SVG's view box. */

/** The area of the plot within the picture. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** A value at a place of the x axis. */
export interface Point {
  x: number;
  y: number;
}

/** Maps `domain` onto `range`; a domain without extent maps to the middle. */
export function scale(domain: [number, number], range: [number, number]): (value: number) => number {
  const [from, to] = domain;
  const [start, end] = range;
  if (to === from) return () => (start + end) / 2;
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

/** At most `count` round numbers from 0 up to the first that is not below `max`: 1, 2, 2.5 or 5 times a power of ten apart. */
export function ticks(max: number, count = 4): number[] {
  if (!Number.isFinite(max) || max <= 0) return [0, 1];
  const rough = max / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999_999) ?? 10) * power;
  const list: number[] = [];
  for (let index = 0; list.length === 0 || (list.at(-1) ?? 0) < max * 0.999_999; index++)
    list.push(Number((index * step).toPrecision(12)));
  return list;
}

/** A line through the points; one that is not finite breaks it. */
export function linePath(
  points: readonly Point[],
  x: (value: number) => number,
  y: (value: number) => number,
): string {
  let path = '';
  let open = false;
  for (const point of points) {
    const [px, py] = [x(point.x), y(point.y)];
    if (!Number.isFinite(px) || !Number.isFinite(py)) {
      open = false;
      continue;
    }
    path += `${open ? 'L' : 'M'}${round(px)} ${round(py)}`;
    open = true;
  }
  return path;
}

/** Tenths of a unit are finer than any screen. */
export const round = (value: number): number => Math.round(value * 10) / 10;

/** Consecutive points of one kind; a piece begins where the one before ends, so that the line has no gap. */
export function pieces<T extends Point & { kind: string }>(
  points: readonly T[],
): { kind: string; points: T[] }[] {
  const list: { kind: string; points: T[] }[] = [];
  for (const point of points) {
    const last = list.at(-1);
    if (last?.kind === point.kind) {
      last.points.push(point);
      continue;
    }
    const joint = last?.points.at(-1);
    list.push({ kind: point.kind, points: joint === undefined ? [point] : [joint, point] });
  }
  return list;
}
