import { readFileSync } from 'node:fs';
import { ChatStreamReader } from './chat-chunk';
import { EventStreamError, EventStreamParser, type StreamEvent } from './event-stream';
import { ChatStreamError } from './stream-error';
import type { ToolCallPiece } from './tool-calls';

/** Result of a stream: a whole answer, or the kind of its error. */
export type StreamVerdict =
  | {
      text: string;
      finish: string;
      refusal?: string;
      reasoning?: string;
      toolCalls?: { id: string; name: string; arguments: string }[];
      usage?: { promptTokens?: number; completionTokens?: number; cachedTokens?: number };
    }
  | { error: 'garbage' | 'peer_error' | 'truncated' };

/** One row of `tests/protocol/streams.json`; its bytes are `stream` as UTF-8, or `hex`. */
interface StreamCase {
  kind: string;
  name: string;
  stream?: string;
  hex?: string;
  expect: StreamVerdict;
}

/** For tests: the table of streams that page and worker must read the same way. */
export function streamCases(): { name: string; bytes: Uint8Array; expect: StreamVerdict }[] {
  const file = new URL('../../../tests/protocol/streams.json', import.meta.url);
  const cases = JSON.parse(readFileSync(file, 'utf8')) as StreamCase[];
  return cases.map(({ kind, name, stream, hex, expect }) => {
    const bytes = hex === undefined ? Buffer.from(stream ?? '') : Buffer.from(hex, 'hex');
    return { name: `${kind}: ${name}`, bytes: new Uint8Array(bytes), expect };
  });
}

/** For tests: several ways to split bytes into pieces. */
export function cuttings(bytes: Uint8Array): [name: string, pieces: Uint8Array[]][] {
  return [
    ['in one piece', [bytes]],
    ['byte by byte', cut(bytes, 1)],
    ['in pieces of 7', cut(bytes, 7)],
    ['with empty pieces', cut(bytes, 13).flatMap((piece) => [new Uint8Array(), piece])],
  ];
}

/** For tests: `bytes` in pieces of `size`. */
export function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}

/** A verdict with the text that was read before it. */
export interface StreamReading {
  verdict: StreamVerdict;
  textBefore: string;
}

/** For tests: reads a stream as page and worker do. Rethrows errors that are not typed. */
export function readStream(pieces: readonly Uint8Array[]): StreamReading {
  const sum = { text: '', refusal: '', reasoning: '' };
  const calls = new ToolCallList();
  const reader = new ChatStreamReader();
  let isDone = false;
  const take = (event: StreamEvent): void => {
    if (isDone) return;
    const piece = reader.read(event);
    sum.text += piece.text;
    sum.refusal += piece.refusal;
    sum.reasoning += piece.reasoning;
    calls.add(piece.toolCalls);
    isDone = piece.isDone;
  };
  const parser = new EventStreamParser(take);
  const parse = (work: () => void): void => {
    try {
      if (!isDone) work();
    } catch (error) {
      // Everything after `[DONE]` is ignored.
      if (!isDone) throw error;
    }
  };
  try {
    for (const piece of pieces) parse(() => parser.push(piece));
    parse(() => parser.end());
    const finish = reader.end();
    return { verdict: verdictOf(sum, calls, finish, reader.usage), textBefore: sum.text };
  } catch (error) {
    // After the finish reason the answer is complete, so a broken connection no longer matters.
    if (error instanceof EventStreamError && reader.finishReason !== undefined)
      return {
        verdict: verdictOf(sum, calls, reader.finishReason, reader.usage),
        textBefore: sum.text,
      };
    return { verdict: { error: faultOf(error) }, textBefore: sum.text };
  }
}

function faultOf(error: unknown): 'garbage' | 'peer_error' | 'truncated' {
  if (error instanceof EventStreamError) return 'garbage';
  if (error instanceof ChatStreamError) return error.fault;
  throw error;
}

/** For tests: a whole answer as a verdict, without its empty fields. */
export function verdictOf(
  { text, refusal, reasoning }: { text: string; refusal: string; reasoning: string },
  calls: ToolCallList,
  finish: string,
  usage: object,
): StreamVerdict {
  const counts = Object.fromEntries(Object.entries(usage).filter(([, count]) => count !== undefined));
  return {
    text,
    finish,
    ...(refusal !== '' && { refusal }),
    ...(reasoning !== '' && { reasoning }),
    ...(calls.list.length > 0 && { toolCalls: calls.list }),
    ...(Object.keys(counts).length > 0 && { usage: counts }),
  };
}

/** For tests: joins pieces of tool calls as OpenAI's clients do. */
export class ToolCallList {
  readonly #calls = new Map<number, { id: string; name: string; arguments: string }>();

  get list(): { id: string; name: string; arguments: string }[] {
    return [...this.#calls.values()];
  }

  add(pieces: readonly ToolCallPiece[]): void {
    for (const piece of pieces) {
      const call = this.#calls.get(piece.index) ?? { id: '', name: '', arguments: '' };
      this.#calls.set(piece.index, call);
      call.id ||= piece.id ?? '';
      call.name += piece.function?.name ?? '';
      call.arguments += piece.function?.arguments ?? '';
    }
  }
}
