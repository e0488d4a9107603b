import { type AdmittedRequest, admit } from './admission';
import { AnswerWatch, garbage } from './answer_watch';
import { readJson } from './body';
import type { Config } from './config';
import { ApiError } from './errors';
import type { RequestRecord } from './log';
import { openAiCompletion } from './openai_shape';
import { settled } from './quiet';
import { redacted, relay } from './relay';
import type { Tokens } from './tokens';
import { callUpstream } from './upstream';
import type { UpstreamBody } from './upstream_body';

/** An answer in one piece is no longer than this. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

/**
 * `POST /v1/chat/completions`: spends the token, checks the body, asks the upstream, passes the answer on.
 *
 * @throws {ApiError} as long as no answer has begun; after that an error is an event of the stream
 */
export async function chat(
  request: Request,
  config: Config,
  tokens: Tokens,
  record: RequestRecord,
): Promise<Response> {
  await tokens.spend(request.headers);
  const admitted = admit(await readJson(request, config), config);
  record.add({ model: admitted.model, upstream: admitted.route.upstream.name, stream: admitted.stream });
  const abort = new AbortController();
  const leave = () => abort.abort();
  request.signal.addEventListener('abort', leave, { once: true });
  if (request.signal.aborted) leave();
  const answer = callUpstream(admitted, config, record.requestId, abort);
  try {
    return admitted.stream
      ? await streamed(answer, admitted, config, abort, record)
      : await whole(await answer, admitted, record);
  } catch (thrown) {
    // Nobody reads this answer; the log tells it from a failure.
    if (request.signal.aborted) throw new ApiError(499, 'aborted', 'The client has gone away.');
    throw thrown;
  }
}

async function streamed(
  answer: Promise<UpstreamBody>,
  admitted: AdmittedRequest,
  config: Config,
  abort: AbortController,
  record: RequestRecord,
): Promise<Response> {
  // A refusal that comes at once becomes our status. Where the upstream takes longer the stream begins without it: its
  // heartbeat is how workerd learns that the client has gone away meanwhile, and a late refusal is an event in it.
  if (config.earlyStreamMs > 0) await settled(answer, config.earlyStreamMs);
  else await answer;
  record.answerLater();
  const body = relay({
    source: answer,
    key: admitted.route.upstream.key,
    heartbeatMs: config.heartbeatMs,
    aliveTimeoutMs: config.aliveTimeoutMs,
    abort,
    onEnd: (outcome, watch) => record.end(200, outcome, watch.counts),
  });
  // The second header keeps nginx from collecting events.
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' } });
}

async function whole(
  body: UpstreamBody,
  admitted: AdmittedRequest,
  record: RequestRecord,
): Promise<Response> {
  const text = redacted(await body.text(MAX_ANSWER_BYTES), admitted.route.upstream.key);
  const watch = new AnswerWatch();
  const piece = watch.event({ data: text });
  // Only a stream may have keep-alives.
  if (!piece.isChunk) throw garbage();
  watch.end();
  record.count(watch.counts);
  return new Response(openAiCompletion(piece, text), { headers: { 'content-type': 'application/json' } });
}
