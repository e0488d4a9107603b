import { parseJsonBody } from '../protocol/json-body';
import { InvalidRequestError } from './errors';

/** A body may have this many bytes. A conversation that fills the longest context has far fewer. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/**
 * The JSON of a request's body.
 *
 * @throws InvalidRequestError `body_too_large`, `invalid_body`; or the reason of `signal`, once it fires
 */
export async function readBody(request: Request, signal: AbortSignal | undefined): Promise<unknown> {
  const bytes = await readBytes(request, signal);
  try {
    return parseJsonBody(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    // The parser's own message would quote the body.
    throw new InvalidRequestError('invalid_body', null, 'The body is not JSON in UTF-8.');
  }
}

async function readBytes(request: Request, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const stream = request.body;
  // Not every browser shows a request's body as a stream.
  if (!stream) return capped(new Uint8Array(await request.arrayBuffer()));
  const reader = stream.getReader();
  const cancel = (): void => void reader.cancel(signal?.reason).catch(() => {});
  signal?.addEventListener('abort', cancel, { once: true });
  try {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (;;) {
      const { value, done } = await reader.read();
      signal?.throwIfAborted();
      if (done) break;
      length += value.byteLength;
      if (length > MAX_BODY_BYTES) {
        cancel();
        throw tooLarge();
      }
      parts.push(value);
    }
    return joined(parts, length);
  } finally {
    signal?.removeEventListener('abort', cancel);
  }
}

function capped(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > MAX_BODY_BYTES) throw tooLarge();
  return bytes;
}

function joined(parts: Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return bytes;
}

const tooLarge = (): InvalidRequestError =>
  new InvalidRequestError(
    'body_too_large',
    null,
    `The body has more than ${MAX_BODY_BYTES} bytes; shorten the conversation.`,
  );
