import type { FinishReason, TokenLogprobs, ToolCallDelta } from './contract';
import { isRecord, parseJson, streamFailure } from './http-failure';
import { type LegEnd, LegError, type LegPiece } from './leg';

/** What one chunk of a streamed chat completion says. */
export interface Chunk {
  pieces: LegPiece[];
  finishReason: FinishReason | undefined;
  usage: Pick<LegEnd, 'promptTokens' | 'cachedTokens' | 'completionTokens'> | undefined;
  /** Hash of the model that answers; our own host tells it in its first chunk. */
  modelSha256: string | undefined;
}

// What servers of open models say instead of OpenAI's words.
const FINISH_REASONS: Record<string, FinishReason> = {
  stop: 'stop',
  eos: 'stop',
  eos_token: 'stop',
  end_turn: 'stop',
  stop_sequence: 'stop',
  length: 'length',
  max_tokens: 'length',
  model_length: 'length',
  tool_calls: 'tool_calls',
  content_filter: 'content_filter',
};

/** Reads the data of one event. Throws {@link LegError}: an error object in the stream, or what is no chunk at all. */
export function readChunk(data: string): Chunk {
  const chunk = parseJson(data);
  if (!isRecord(chunk)) throw badChunk('an event that is no JSON object');
  if (chunk.error !== undefined && chunk.error !== null) throw streamFailure(chunk.error);
  const usage = readUsage(chunk.usage);
  const extension = isRecord(chunk.inshore) ? chunk.inshore : {};
  const modelSha256 = typeof extension.model_sha256 === 'string' ? extension.model_sha256 : undefined;
  if (!Array.isArray(chunk.choices)) {
    if (usage === undefined) throw badChunk('an event that is no chunk of an answer');
    return { pieces: [], finishReason: undefined, usage, modelSha256 };
  }
  const choice: unknown = chunk.choices.find((one) => isRecord(one) && (one.index ?? 0) === 0);
  if (!isRecord(choice)) return { pieces: [], finishReason: undefined, usage, modelSha256 };
  const delta = isRecord(choice.delta) ? choice.delta : {};
  const text = typeof delta.content === 'string' ? delta.content : '';
  const ids = readIds(extension.ids);
  const pieces = split(text, ids, readLogprobs(choice.logprobs), readToolCalls(delta.tool_calls));
  return { pieces, finishReason: readFinishReason(choice.finish_reason), usage, modelSha256 };
}

/** One piece per token where log-probabilities came along, else one for the chunk. */
function split(
  text: string,
  ids: number[] | undefined,
  logprobs: TokenLogprobs[],
  toolCalls: ToolCallDelta[] | undefined,
): LegPiece[] {
  const tokens = ids?.length ?? (logprobs.length > 0 ? logprobs.length : 1);
  const silent = text === '' && toolCalls === undefined && logprobs.length === 0;
  if (silent && (ids === undefined || ids.length === 0)) return [];
  const first: LegPiece = { text, tokens, ids, toolCalls, logprobs: logprobs[0] };
  const more = logprobs.slice(1).map((one): LegPiece => ({ text: '', tokens: 0, ids: [], logprobs: one }));
  return [first, ...more];
}

function readFinishReason(value: unknown): FinishReason | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const known = typeof value === 'string' ? FINISH_REASONS[value] : undefined;
  if (known !== undefined) return known;
  const shown = String(value).slice(0, 40);
  throw new LegError(
    'server_error',
    'server_error',
    `The endpoint ended its answer for a reason that means no complete answer (${JSON.stringify(shown)}). Try again.`,
  );
}

function readUsage(usage: unknown): Chunk['usage'] {
  if (!isRecord(usage)) return undefined;
  const details = usage.prompt_tokens_details;
  return {
    promptTokens: count(usage.prompt_tokens),
    cachedTokens: isRecord(details) ? count(details.cached_tokens) : undefined,
    completionTokens: count(usage.completion_tokens),
  };
}

function readIds(ids: unknown): number[] | undefined {
  if (!Array.isArray(ids) || ids.some((id) => count(id) === undefined)) return undefined;
  return ids as number[];
}

function readLogprobs(logprobs: unknown): TokenLogprobs[] {
  const content = isRecord(logprobs) ? logprobs.content : undefined;
  if (!Array.isArray(content)) return [];
  const known = content.filter(
    (one) => isRecord(one) && typeof one.token === 'string' && typeof one.logprob === 'number',
  );
  return known.map((one) => ({
    token: one.token,
    logprob: one.logprob,
    bytes: Array.isArray(one.bytes) ? one.bytes : null,
    top_logprobs: Array.isArray(one.top_logprobs) ? one.top_logprobs : [],
  }));
}

function readToolCalls(calls: unknown): ToolCallDelta[] | undefined {
  if (!Array.isArray(calls)) return undefined;
  const known = calls.filter((call) => isRecord(call) && count(call.index) !== undefined);
  return known.length > 0 ? (known as unknown as ToolCallDelta[]) : undefined;
}

const count = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;

function badChunk(what: string): LegError {
  return new LegError(
    'protocol',
    'protocol',
    `The endpoint sent ${what}. Check that it speaks OpenAI's chat completions.`,
  );
}
