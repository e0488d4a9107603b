import type { ChatPiece } from '../protocol/chat-chunk';
import { asCount, isRecord } from '../protocol/values';
import type { TokenLogprobs } from './contract';
import type { LegPiece } from './leg';

/**
 * Returns the pieces of an answer in one event: one for each token if the event has log-probabilities, else one. `sameModel`
 * says whether token ids are those of the device's model; ids of another model are dropped.
 */
export function legPieces(chunk: ChatPiece, sameModel: boolean): LegPiece[] {
  const { text, reasoning, toolCalls } = chunk;
  const told = isRecord(chunk.json?.inshore) ? readIds(chunk.json.inshore.ids) : undefined;
  const ids = sameModel ? told : undefined;
  const logprobs = readLogprobs(chunk.choice?.logprobs);
  const pieces: LegPiece[] = [];
  // Reasoning is not part of the answer, so it counts no tokens and has no ids.
  if (reasoning !== '') pieces.push({ text: '', tokens: 0, ids: [], reasoning });
  const isSilent = text === '' && toolCalls.length === 0 && logprobs.length === 0;
  if (isSilent && (told === undefined || told.length === 0)) return pieces;
  const tokens = told?.length ?? (logprobs.length > 0 ? logprobs.length : 1);
  const calls = toolCalls.length > 0 ? toolCalls : undefined;
  pieces.push({ text, tokens, ids, toolCalls: calls, logprobs: logprobs[0] });
  for (const one of logprobs.slice(1)) pieces.push({ text: '', tokens: 0, ids: [], logprobs: one });
  return pieces;
}

/** Returns the hash of the model that answers. Our own host sends it in its first chunk. */
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
