import { parseJsonBody } from '../../web/src/protocol/json-body';
import { ApiError } from './errors';
import { QUIET, settled } from './quiet';

/**
 * A body that is too large by no more than this is read to its end, and dropped: closing in the middle of an upload makes
 * most clients miss the answer.
 */
const MAX_DROPPED_BYTES = 1024 * 1024;

/** What a body may be. */
interface Limits {
  maxBodyBytes: number;
  /** Longest silence of its sender. */
  idleTimeoutMs: number;
}

/**
 * Reads a JSON body of at most `maxBodyBytes`. It counts what comes in: `Content-Length` may be missing or a lie.
 *
 * @throws {ApiError} 413 `body_too_large`, 415 `not_json`, 400 `invalid_body`, 408 `body_timeout`
 */
export async function readJson(request: Request, limits: Limits): Promise<unknown> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/json *(;|$)/i.test(type)) {
    throw new ApiError(415, 'not_json', 'Send the body as `Content-Type: application/json`.');
  }
  const text = await readText(request, limits);
  try {
    return parseJsonBody(text);
  } catch {
    throw invalidBody();
  }
}

async function readText(request: Request, { maxBodyBytes, idleTimeoutMs }: Limits): Promise<string> {
  const tooLarge = () =>
    new ApiError(413, 'body_too_large', `The body may have at most ${maxBodyBytes} bytes.`);
  if (Number(request.headers.get('content-length')) > maxBodyBytes + MAX_DROPPED_BYTES) throw tooLarge();
  const parts: Uint8Array[] = [];
  let bytesRead = 0;
  for (const reader = request.body?.getReader(); reader !== undefined; ) {
    const part = await settled(reader.read(), idleTimeoutMs);
    if (part === QUIET) throw new ApiError(408, 'body_timeout', 'The body did not come in time.');
    if (part.done) break;
    bytesRead += part.value.byteLength;
    if (bytesRead <= maxBodyBytes) {
      parts.push(part.value);
    } else if (bytesRead > maxBodyBytes + MAX_DROPPED_BYTES) {
      // Not awaited: a sender that never stops must not keep the answer from going out.
      reader.cancel().catch(() => {});
      break;
    }
  }
  if (bytesRead > maxBodyBytes) throw tooLarge();
  return decoded(parts);
}

function decoded(parts: Uint8Array[]): string {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return parts.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode();
  } catch {
    throw invalidBody();
  }
}

const invalidBody = (): ApiError => new ApiError(400, 'invalid_body', 'The body is not JSON in UTF-8.');
