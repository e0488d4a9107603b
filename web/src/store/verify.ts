import { createSHA256 } from 'hash-wasm';
import { InshoreError } from '../error';
import type { PartFile } from './transfer';

const CHUNK_BYTES = 4 * 1024 * 1024;

/**
 * Hashes what lies on disk, not what came over the line, in pieces.
 *
 * @throws InshoreError `wrong_hash`; the caller throws the part away.
 */
export async function verify(
  part: PartFile,
  sha256: string,
  onProgress: (doneBytes: number) => void,
): Promise<void> {
  const hasher = await createSHA256();
  const size = part.size();
  for (let at = 0; at < size; ) {
    const chunk = part.read(Math.min(CHUNK_BYTES, size - at), at);
    if (chunk.length === 0) break;
    hasher.update(chunk);
    at += chunk.length;
    onProgress(at);
  }
  const actual = hasher.digest('hex');
  if (actual !== sha256) {
    throw new InshoreError(
      'wrong_hash',
      `The downloaded file is not the model that was asked for: its SHA-256 is ${actual}, not ${sha256}. It was deleted. Try again; if it stays so, the server has the wrong file.`,
    );
  }
}
