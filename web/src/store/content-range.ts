/** `bytes 5-9/10`: the bytes from `start` up to and without `end`. */
export interface ContentRange {
  start: number;
  end: number;
  /** Size of the whole file; `undefined` for `*`. */
  totalBytes: number | undefined;
}

/** Reads `Content-Range` (RFC 9110, section 14.4); `undefined` for other units and impossible ranges. */
export function parseContentRange(text: string): ContentRange | undefined {
  const range = /^\s*bytes\s+(\d+)\s*-\s*(\d+)\s*\/\s*(\d+|\*)\s*$/i.exec(text);
  const start = parseCount(range?.[1]);
  const last = parseCount(range?.[2]);
  if (start === undefined || last === undefined || last < start) return undefined;
  if (range?.[3] === '*') return { start, end: last + 1, totalBytes: undefined };
  const totalBytes = parseCount(range?.[3]);
  if (totalBytes === undefined || last >= totalBytes) return undefined;
  return { start, end: last + 1, totalBytes };
}

/** Reads the size of the file from the `bytes *\/10` of a 416. */
export function parseUnsatisfiedRange(text: string): number | undefined {
  return parseCount(/^\s*bytes\s+\*\s*\/\s*(\d+)\s*$/i.exec(text)?.[1]);
}

/** Whether `range` is all of its file. */
export const isWholeFile = ({ start, end, totalBytes }: ContentRange): boolean =>
  start === 0 && end === totalBytes;

/** Reads digits; `undefined` for anything else, and for what a number cannot hold exactly. */
export function parseCount(text: string | null | undefined): number | undefined {
  if (text === null || text === undefined || !/^\d+$/.test(text)) return undefined;
  const count = Number(text);
  return Number.isSafeInteger(count) ? count : undefined;
}
