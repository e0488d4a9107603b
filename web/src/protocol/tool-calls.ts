import { garbage, quoted } from './stream-error';
import { refuseUnknownText } from './unknown-text';
import { asCount, isRecord } from './values';

/** Most calls in one answer. The peer chooses the indices, so they need a limit. */
export const MAX_TOOL_CALLS = 128;

/** A piece of a tool call in OpenAI's shape. The first piece of an index has id and name; later ones add arguments. */
export interface ToolCallPiece {
  index: number;
  id?: string;
  type?: 'function';
  function?: { name?: string; arguments?: string };
}

/** A call whose pieces are arriving. */
interface OpenCall {
  index: number;
  /** Index that the peer gave. */
  peerIndex: unknown;
  id: string;
  /** The peer gave the id, so a different id means a different call. */
  isOwnId: boolean;
  name: string;
}

/**
 * Converts the pieces of tool calls in all chunks of an answer to OpenAI's shape. Handles missing indices (Gemini), several
 * calls with one index and different ids (Ollama), arguments that are objects, repeated names, and the legacy
 * `function_call`. A piece that belongs to no call is an error.
 */
export class ToolCallReader {
  readonly #calls: OpenCall[] = [];
  #last: OpenCall | undefined;

  /** Call when the answer has ended. @throws ChatStreamError `garbage` if an announced call is missing or incomplete */
  end(isForCalls: boolean): void {
    if (isForCalls && !this.hasCalls) throw garbage('a finish reason of tool calls without a tool call');
    if (this.#calls.some(({ name }) => name === '')) throw garbage('a tool call without a name');
  }

  /** Whether any call was seen. */
  get hasCalls(): boolean {
    return this.#calls.length > 0;
  }

  /** Reads `tool_calls` of one delta or message. @throws ChatStreamError `garbage` */
  read(value: unknown): ToolCallPiece[] {
    if (value === undefined || value === null) return [];
    const list = Array.isArray(value) ? value : [value];
    return list.map((piece, position) => this.#piece(piece, position));
  }

  /** Reads the legacy `function_call`; an answer has at most one. */
  readLegacy(value: unknown): ToolCallPiece[] {
    if (value === undefined || value === null) return [];
    if (!isRecord(value)) throw garbage(`a function call that is not an object (${quoted(value)})`);
    return [this.#piece({ index: 0, function: value }, 0)];
  }

  #piece(value: unknown, position: number): ToolCallPiece {
    if (!isRecord(value)) throw garbage(`a tool call that is not an object (${quoted(value)})`);
    if (value.type !== undefined && value.type !== null && value.type !== '' && value.type !== 'function')
      throw garbage(`a tool call of an unknown type (${quoted(value.type)})`);
    const said = isRecord(value.function) ? value.function : value;
    // Arguments in a field of another name would be lost.
    refuseUnknownText(said, ['arguments']);
    const name = textOf(said.name, 'name');
    const text = readArguments(said.arguments);
    const id = textOf(value.id, 'id');
    const known = this.#find(value.index, { id, name, position });
    const call = known ?? this.#open(value.index, id);
    this.#last = call;
    const isFirst = known === undefined;
    // Some servers repeat the name in each piece; clients would append it.
    const more = name === call.name ? '' : name;
    call.name += more;
    return {
      index: call.index,
      ...(isFirst && { id: call.id, type: 'function' as const }),
      function: { ...((isFirst || more !== '') && { name: more }), arguments: text },
    };
  }

  /** Returns the open call that a piece belongs to; undefined if the piece begins a call. */
  #find(
    index: unknown,
    { id, name, position }: { id: string; name: string; position: number },
  ): OpenCall | undefined {
    const byId = id === '' ? undefined : this.#calls.find((call) => call.isOwnId && call.id === id);
    if (byId !== undefined) {
      if (name === '' || byId.name === '' || name === byId.name) return byId;
      throw garbage(`one tool call with two names (${quoted(byId.name)}, ${quoted(name)})`);
    }
    if (index === undefined || index === null) {
      if (name !== '' || id !== '') return undefined;
      return this.#at(position) ?? this.#last ?? fail('a piece of a tool call that never began');
    }
    const said = checkedIndex(index);
    const call = this.#calls.findLast((open) => open.peerIndex === said);
    // The same index with a different id and a name is a new call: some servers give every call the index 0.
    return call?.isOwnId && id !== '' && name !== '' ? undefined : call;
  }

  /** Pieces of one delta that have neither index nor id continue the calls in order. */
  #at(position: number): OpenCall | undefined {
    return position === 0 ? this.#last : this.#calls[position];
  }

  #open(index: unknown, id: string): OpenCall {
    const wanted = index === undefined || index === null ? undefined : checkedIndex(index);
    const isFree = wanted !== undefined && this.#calls.every((call) => call.index !== wanted);
    const next = this.#calls.reduce((most, call) => Math.max(most, call.index + 1), 0);
    const at = isFree ? wanted : checkedIndex(next);
    // A client needs an id to send the result back.
    const call = {
      index: at,
      peerIndex: wanted,
      id: id === '' ? `call_${at}` : id,
      isOwnId: id !== '',
      name: '',
    };
    this.#calls.push(call);
    return call;
  }
}

function checkedIndex(index: unknown): number {
  const count = asCount(index);
  if (count !== undefined && count < MAX_TOOL_CALLS) return count;
  throw garbage(`a tool call without a sound index (${quoted(index)})`);
}

function textOf(value: unknown, field: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string') return value;
  throw garbage(`a tool call whose ${field} is not text (${quoted(value)})`);
}

function readArguments(value: unknown): string {
  if (isRecord(value)) return JSON.stringify(value);
  return textOf(value, 'arguments');
}

function fail(what: string): never {
  throw garbage(what);
}
