import { ApiError } from './errors';

/**
 * Reads a JSON body of at most `maxBytes`. It counts what comes in and stops there: `Content-Length` may be missing or a
 * lie.
 *
 * @throws {ApiError} 413 `body_too_large`, 415 `not_json`, 400 `invalid_body`
 */
export async function readJson(request: Request, maxBytes: number): Promise<unknown> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/json *(;|$)/i.test(type)) {
    throw new ApiError(415, 'not_json', 'Send the body as `Content-Type: application/json`.');
  }
  const text = await readText(request, maxBytes);
  try {
    return JSON.parse(text);
  } catch {
    throw invalidBody();
  }
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new ApiError(413, 'body_too_large', `The body may have at most ${maxBytes} bytes.`);
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch {
      throw invalidBody();
    }
  };
  let text = '';
  let bytesRead = 0;
  const reader = request.body?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (part === undefined || part.done) return text + decode();
    bytesRead += part.value.byteLength;
    if (bytesRead > maxBytes) {
      // Not awaited: a sender that never stops must not keep the answer from going out.
      reader?.cancel().catch(() => {});
      throw tooLarge();
    }
    text += decode(part.value);
  }
}

const invalidBody = (): ApiError => new ApiError(400, 'invalid_body', 'The body is not JSON in UTF-8.');
