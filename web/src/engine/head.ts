import { InshoreError } from '../error';

/** The beginning of a model's file that names its shape. */
export const HEAD_BYTES = 64 << 10;

/** Fetches the beginning of the file at `url`, and no more of it. */
export async function fetchHead(url: string): Promise<Uint8Array> {
  try {
    const headers = { Range: `bytes=0-${HEAD_BYTES - 1}` };
    const response = await fetch(url, { headers, credentials: 'omit' });
    if (!response.ok || response.body === null) throw new Error(`status ${response.status}`);
    return await firstBytes(response.body);
  } catch (cause) {
    throw new InshoreError(
      'network_failed',
      'The beginning of the model’s file cannot be fetched, which the estimate needs. Check the address and the connection.',
      { cause },
    );
  }
}

/** A server that knows no ranges sends all: the rest is left there. */
async function firstBytes(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const head = new Uint8Array(HEAD_BYTES);
  let length = 0;
  const reader = body.getReader();
  try {
    while (length < HEAD_BYTES) {
      const { done, value } = await reader.read();
      if (done) break;
      const part = value.subarray(0, HEAD_BYTES - length);
      head.set(part, length);
      length += part.length;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
  return head.subarray(0, length);
}
