import type { ChatStream } from './chat';
import { toHttpError } from './errors';
import type { ChatCompletionChunk } from './shapes';

/**
 * A stream of answers as server-sent events. Each read of the body takes one chunk from the answer, so that a slow
 * reader holds the answer back. It ends with `[DONE]`, or with one `error` event and no `[DONE]`, or (once `signal` fires)
 * it fails with the signal's reason. Cancelling it ends the generation.
 */
export function sseBody(answer: ChatStream, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const chunks = answer[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let over = false;
  let onAbort = (): void => {};
  /** After the end of an answer this does nothing to it. */
  const close = (): void => {
    over = true;
    signal?.removeEventListener('abort', onAbort);
    answer.controller.abort();
    chunks.return().catch(() => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        onAbort = () => {
          close();
          // At once, also while nobody reads.
          controller.error(signal?.reason);
        };
        if (signal?.aborted) onAbort();
        else signal?.addEventListener('abort', onAbort, { once: true });
      },
      async pull(controller) {
        const event = await nextEvent(chunks);
        if (over) return;
        controller.enqueue(encoder.encode(event.data));
        if (!event.last) return;
        close();
        controller.close();
      },
      cancel: close,
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}

/** The next event as text, and whether none follows. */
async function nextEvent(
  chunks: AsyncIterator<ChatCompletionChunk, void>,
): Promise<{ data: string; last: boolean }> {
  try {
    const { value, done } = await chunks.next();
    if (done) return { data: 'data: [DONE]\n\n', last: true };
    return { data: `data: ${JSON.stringify(value)}\n\n`, last: false };
  } catch (error) {
    return { data: `event: error\ndata: ${JSON.stringify(toHttpError(error).body)}\n\n`, last: true };
  }
}
