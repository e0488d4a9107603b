import type { ChatPiece } from '../protocol/chat-chunk';
import { asCount, isRecord } from '../protocol/values';
import type { TokenLogprobs } from './contract';
import type { LegPiece } from './leg';

/**
 * The pieces of an answer that one event brought: one per token where log-probabilities came along, else one. `sameModel`: token
 * ids of another model than the device's would mean other words.
 */
export function legPieces(chunk: ChatPiece, sameModel: boolean): LegPiece[] {
  const { text, reasoning, toolCalls } = chunk;
  const told = isRecord(chunk.json?.inshore) ? readIds(chunk.json.inshore.ids) : undefined;
  const ids = sameModel ? told : undefined;
  const logprobs = readLogprobs(chunk.choice?.logprobs);
  const pieces: LegPiece[] = [];
  // No tokens: the answer has none of them, and what continues it needs none.
  if (reasoning !== '') pieces.push({ text: '', tokens: 0, ids: [], reasoning });
  const isSilent = text === '' && toolCalls.length === 0 && logprobs.length === 0;
  if (isSilent && (told === undefined || told.length === 0)) return pieces;
  const tokens = told?.length ?? (logprobs.length > 0 ? logprobs.length : 1);
  const calls = toolCalls.length > 0 ? toolCalls : undefined;
  pieces.push({ text, tokens, ids, toolCalls: calls, logprobs: logprobs[0] });
  for (const one of logprobs.slice(1)) pieces.push({ text: '', tokens: 0, ids: [], logprobs: one });
  return pieces;
}

/** Hash of the model that answers; our own host tells it in its first chunk. */
export function modelHash({ json }: ChatPiece): string | undefined {
  const hash = isRecord(json?.inshore) ? json.inshore.model_sha256 : undefined;
  return typeof hash === 'string' ? hash : undefined;
}

function readIds(ids: unknown): number[] | undefined {
  if (!Array.isArray(ids) || ids.some((id) => asCount(id) === undefined)) return undefined;
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
