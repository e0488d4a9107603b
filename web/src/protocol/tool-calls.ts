import { garbage, quoted } from './stream-error';
import { refuseUnknownText } from './unknown-text';
import { asCount, isRecord } from './values';

/** Calls in one answer at most: an index comes from outside. */
export const MAX_TOOL_CALLS = 128;

/** A piece of a tool call in OpenAI's shape: the first of an index brings id and name, the others more arguments. */
export interface ToolCallPiece {
  index: number;
  id?: string;
  type?: 'function';
  function?: { name?: string; arguments?: string };
}

/** A call whose pieces are arriving. */
interface OpenCall {
  index: number;
  /** The index that the peer gave it. */
  saidIndex: unknown;
  id: string;
  /** The peer gave it, so that another id means another call. */
  isOwnId: boolean;
  name: string;
}

/**
 * Brings pieces of tool calls into OpenAI's shape, over all chunks of an answer: an index where there is none (Gemini), calls
 * of one index told apart by their ids (Ollama), arguments that are objects, names that are repeated, legacy
 * `function_call`. What cannot be assigned to a call is an error.
 */
export class ToolCallReader {
  readonly #calls: OpenCall[] = [];
  #last: OpenCall | undefined;

  /** The answer has ended. @throws ChatStreamError `garbage` where calls were announced that did not come whole */
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

  /** Reads the `function_call` that came before `tool_calls`; there is one an answer. */
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
    // Arguments under another name would be lost.
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

  /** The open call that a piece belongs to; undefined: it begins one. */
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
    const call = this.#calls.findLast((open) => open.saidIndex === said);
    // The same index with another id and a name is another call: some servers give each call the index 0.
    return call?.isOwnId && id !== '' && name !== '' ? undefined : call;
  }

  /** Several pieces without an index and an id in one delta go on with the calls in their order. */
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
      saidIndex: wanted,
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
