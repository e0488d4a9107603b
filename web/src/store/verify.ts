import { createSHA256 } from 'hash-wasm';
import { cancelled } from './failures';
import { CHUNK_BYTES, type Layout } from './layout';
import { type DiskFile, digestOf, type Ledger, sameDigest } from './ledger';

/** What {@link verify} checks against. */
export interface Expected {
  /** Of the whole file. */
  sha256?: string | undefined;
  /** Of each part, where they are known. */
  partSha256?: readonly (string | undefined)[] | undefined;
}

/** What the check found. */
export type Finding =
  | { kind: 'sound' }
  /** These chunks on disk are not what arrived. */
  | { kind: 'damaged'; chunks: number[] }
  /** What arrived is not what was asked for; `part` where one part alone is to blame. */
  | { kind: 'wrong_hash'; part: number | undefined; actual: string; expected: string };

/**
 * Checks what lies on disk, not what came over the line: each chunk against the ledger, and the whole and its parts
 * against the hashes that are known beforehand. One pass in pieces; the file is never in memory as a whole.
 */
export async function verify(
  file: { data: DiskFile; ledger: Ledger; layout: Layout },
  expected: Expected,
  onProgress: (doneBytes: number) => void,
  signal: AbortSignal,
): Promise<Finding> {
  const { data, ledger, layout } = file;
  const whole = expected.sha256 === undefined ? undefined : await createSHA256();
  const damaged: number[] = [];
  let wrong: Finding | undefined;
  for (let part = 0; part < layout.parts; part++) {
    const wanted = expected.partSha256?.[part];
    const hasher = wanted === undefined ? undefined : await createSHA256();
    const { first, end } = layout.chunksOf(part);
    for (let index = first; index < end; index++) {
      if (signal.aborted) {
        throw cancelled();
      }
      const { offset, length } = layout.chunk(index);
      const bytes = data.read(Math.min(length, CHUNK_BYTES), offset);
      if (!sameDigest(await digestOf(bytes), ledger.digest(index))) damaged.push(index);
      hasher?.update(bytes);
      whole?.update(bytes);
      onProgress(offset + length);
    }
    const actual = hasher?.digest('hex');
    if (actual !== undefined && wanted !== undefined && actual !== wanted) {
      wrong ??= { kind: 'wrong_hash', part, actual, expected: wanted };
    }
  }
  // With a damaged chunk no hash can be right: that is for the next check to say.
  if (damaged.length > 0) return { kind: 'damaged', chunks: damaged };
  if (wrong !== undefined) return wrong;
  const actual = whole?.digest('hex');
  if (actual !== undefined && expected.sha256 !== undefined && actual !== expected.sha256) {
    return { kind: 'wrong_hash', part: undefined, actual, expected: expected.sha256 };
  }
  return { kind: 'sound' };
}
