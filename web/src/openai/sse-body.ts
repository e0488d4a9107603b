import type { ChatStream } from './chat';
import { toHttpError } from './errors';

/**
 * A stream of answers as server-sent events. Each read of the body takes one chunk from the answer, so that a slow
 * reader holds the answer back. It ends with `[DONE]`, or with one `error` event and no `[DONE]`, or (once `signal` fires)
 * it fails with the signal's reason. Cancelling it ends the generation.
 */
export function sseBody(answer: ChatStream, signal: AbortSignal | undefined): ReadableStream<Uint8Array> {
  const chunks = answer[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const end = (): void => {
    answer.controller.abort();
    chunks.return().catch(() => {});
  };
  let onAbort: (() => void) | undefined;
  const finish = (): void => {
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
    onAbort = undefined;
  };
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        onAbort = () => {
          finish();
          end();
          // At once, also while nobody reads.
          controller.error(signal?.reason);
        };
        if (signal?.aborted) onAbort();
        else signal?.addEventListener('abort', onAbort, { once: true });
      },
      async pull(controller) {
        const send = (text: string): void => controller.enqueue(encoder.encode(text));
        try {
          const { value, done } = await chunks.next();
          if (signal?.aborted) return;
          if (!done) return send(`data: ${JSON.stringify(value)}\n\n`);
          send('data: [DONE]\n\n');
        } catch (error) {
          if (signal?.aborted) return;
          send(`event: error\ndata: ${JSON.stringify(toHttpError(error).body)}\n\n`);
        }
        finish();
        controller.close();
      },
      cancel() {
        finish();
        end();
      },
    },
    // Nothing is made before it is asked for.
    { highWaterMark: 0 },
  );
}
