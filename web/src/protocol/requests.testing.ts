import { readFileSync } from 'node:fs';
import type { CheckedChat } from './chat-request';

/** What a body is refused with. */
export interface Refusal {
  status: number;
  code: string;
  param: string | null;
}

/** A row of tests/protocol/requests.json, whose `about` says what the fields mean. */
export interface RequestCase {
  name: string;
  body?: unknown;
  raw?: string;
  bytes_hex?: string;
  fields?: Record<string, unknown>;
  fields_raw?: string;
  fields_raw_repeat?: [start: string, open: string, times: number, close: string];
  expect: 'accept' | Refusal;
  local_lacks?: string[];
  normalised?: Record<string, unknown>;
  page?: Refusal;
  worker?: Refusal;
}

const TABLE = new URL('../../../tests/protocol/requests.json', import.meta.url);
const USER = { role: 'user', content: 'hi' };

/** All rows. */
export const requestCases = (): RequestCase[] => JSON.parse(readFileSync(TABLE, 'utf8')).cases;

/** The bytes of the row's body. */
export function bodyOf(row: RequestCase): Uint8Array {
  if (row.bytes_hex !== undefined) return Uint8Array.from(Buffer.from(row.bytes_hex, 'hex'));
  return new TextEncoder().encode(textOf(row));
}

function textOf({ raw, fields, fields_raw, fields_raw_repeat, body }: RequestCase): string {
  const beside = (text: string): string => `{"messages":[${JSON.stringify(USER)}],${text}}`;
  if (raw !== undefined) return raw;
  if (fields_raw !== undefined) return beside(fields_raw);
  if (fields_raw_repeat !== undefined) {
    const [start, open, times, close] = fields_raw_repeat;
    return beside(start + open.repeat(times) + close.repeat(times));
  }
  return JSON.stringify(fields === undefined ? body : { messages: [USER], ...fields });
}

/** What a request was understood as, in the words of `normalised`. */
export function understood(request: CheckedChat): Record<string, unknown> {
  const { seed } = request;
  return {
    messages: request.messages.map(({ role, content }) => [role, content]),
    prefix: request.prefix ?? null,
    stream: request.stream,
    include_usage: request.includeUsage,
    max_tokens: request.maxTokens ?? null,
    stop: request.stop,
    top_logprobs: request.topLogprobs ?? null,
    temperature: request.temperature ?? null,
    top_p: request.topP ?? null,
    top_k: request.topK ?? null,
    frequency_penalty: request.frequencyPenalty ?? null,
    seed: seed === undefined ? null : String(BigInt.asUintN(64, BigInt(seed))),
    continue_ids: request.extension.continueIds,
  };
}
