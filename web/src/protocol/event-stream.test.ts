import { describe, expect, it } from 'vitest';
import {
  EventStreamError,
  EventStreamParser,
  isEventStream,
  MAX_EVENT_CHARS,
  MAX_STREAM_BYTES,
  type StreamEvent,
} from './event-stream';
import { cut } from './streams.testing';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The events, and the error at the end of them. */
function parse(...pieces: (string | Uint8Array)[]): { events: StreamEvent[]; error: string | undefined } {
  const events: StreamEvent[] = [];
  const parser = new EventStreamParser((event) => events.push(event));
  try {
    for (const piece of pieces) parser.push(typeof piece === 'string' ? bytes(piece) : piece);
    parser.end();
    return { events, error: undefined };
  } catch (error) {
    expect(error).toBeInstanceOf(EventStreamError);
    return { events, error: (error as Error).message };
  }
}
const data = (...pieces: (string | Uint8Array)[]): string[] =>
  parse(...pieces).events.map((event) => event.data);

describe('events', () => {
  it('have names, several data lines, comments and any line end', () => {
    const text =
      '\uFEFFdata: a\n\ndata: b\r\n\r\ndata:c\r\r: x\nid: 7\nevent: e\ndata:  d\ndata\ndata: f\n\n';
    expect(parse(text).events).toEqual([
      { event: undefined, data: 'a' },
      { event: undefined, data: 'b' },
      { event: undefined, data: 'c' },
      { event: 'e', data: ' d\n\nf' },
    ]);
  });

  it('are the same wherever the bytes are cut', () => {
    const text = 'data: {"t":"häuser 🌊"}\r\n\r\n: ping\r\n\r\ndata: two\rdata: lines\r\rdata: [DONE]\n\n';
    const all = bytes(text);
    const whole = data(all);
    expect(whole).toEqual(['{"t":"häuser 🌊"}', 'two\nlines', '[DONE]']);
    for (let at = 0; at <= all.length; at++)
      for (let to = at; to <= all.length; to += 5)
        expect(data(all.subarray(0, at), all.subarray(at, to), all.subarray(to)), `${at}, ${to}`).toEqual(
          whole,
        );
  });

  it('come at once after a CR, which may be half of a CRLF', () => {
    const events: string[] = [];
    const parser = new EventStreamParser((event) => events.push(event.data));
    parser.push(bytes('data: a\r\r'));
    expect(events).toEqual(['a']);
    parser.push(bytes('\ndata: b\r\n'));
    parser.push(bytes('\r'));
    expect(events).toEqual(['a', 'b']);
    parser.push(bytes('\ndata: c\n\n'));
    expect(events).toEqual(['a', 'b', 'c']);
  });

  it.each([
    ['data: [DONE]', ['[DONE]']],
    ['data: [DONE]\r', ['[DONE]']],
    ['data: {"a":1}', ['{"a":1}']],
    ['data: {"a":\ndata: 1}\n', ['{"a":\n1}']],
    ['data: {"a":1', []],
    ['data: {"a":1}\ndata: {', []],
    ['data: hello\n', []],
    ['data: 12', []],
    ['data: [DONE', []],
    ['data: [1]\n', []],
    ['data', []],
    [': [DONE]', []],
  ])('without an empty line at the end (%j)', (text, expected) => {
    expect(data(text)).toEqual(expected);
  });
});

describe('bytes that are not UTF-8', () => {
  it.each([
    ['a lone byte', [0xff]],
    ['a lone continuation', [0x80]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['a character that is cut short', [0xe2, 0x82, 0x22]],
    ['beyond Unicode', [0xf5, 0x80, 0x80, 0x80]],
  ])('are an error behind the events in front of them: %s', (_, wrong) => {
    const all = new Uint8Array([...bytes('data: é\n\ndata: '), ...wrong, ...bytes('\n\ndata: b\n\n')]);
    for (const size of [1, 2, 3, 1000]) {
      const { events, error } = parse(...cut(all, size));
      expect(events.map((event) => event.data)).toEqual(['é']);
      expect(error).toMatch(/not UTF-8/);
    }
  });
});

describe('caps', () => {
  it.each([
    ['a line without an end', `data: ${'x'.repeat(MAX_EVENT_CHARS + 1)}`],
    ['a long data line', `data: ${'x'.repeat(MAX_EVENT_CHARS + 1)}\n\n`],
    ['a long comment', `: ${'x'.repeat(MAX_EVENT_CHARS + 10)}\n\n`],
    ['a long unknown field', `${'x'.repeat(MAX_EVENT_CHARS + 10)}\n\n`],
    ['an event without an end', `data: ${'x'.repeat(999)}\n`.repeat(3000)],
    ['an event of many lines', `${`data: ${'x'.repeat(999)}\n`.repeat(1100)}\n`],
  ])('hold however the bytes are cut: %s', (_, text) => {
    const all = bytes(`data: a\n\n${text}`);
    for (const size of [1 << 10, 100_003, all.length]) {
      const { events, error } = parse(...cut(all, size));
      expect(events.map((event) => event.data)).toEqual(['a']);
      expect(error).toMatch(/line or an event/);
    }
  });

  it('leave the largest event whole', () => {
    const largest = 'x'.repeat(MAX_EVENT_CHARS);
    for (const size of [1 << 10, 1 << 30])
      expect(data(...cut(bytes(`data: ${largest}\n\n`), size))).toEqual([largest]);
  });

  it('end a stream that does not end', () => {
    const piece = bytes(`:${'x'.repeat(1 << 16)}\n`);
    let pieces = 0;
    const parser = new EventStreamParser(() => {});
    expect(() => {
      for (;;) {
        parser.push(piece);
        pieces += 1;
      }
    }).toThrow(/without an end/);
    expect(pieces).toBe(Math.floor(MAX_STREAM_BYTES / piece.length));
  });
});

/** Characters that string methods looked at and bytes that were decoded while `work` ran. */
function workOf(work: () => void): number {
  const { indexOf, search, split, replace, includes } = String.prototype;
  const { join } = Array.prototype;
  const { decode } = TextDecoder.prototype;
  let looked = 0;
  String.prototype.indexOf = function (this: string, text: string, from = 0) {
    const at = indexOf.call(this, text, from);
    looked += (at < 0 ? this.length : at + 1) - from;
    return at;
  };
  const counted = <T extends (...args: never[]) => unknown>(method: T) =>
    function (this: string, ...args: Parameters<T>) {
      looked += this.length;
      return method.apply(this, args);
    } as unknown as T;
  String.prototype.search = counted(search);
  String.prototype.split = counted(split);
  String.prototype.replace = counted(replace);
  String.prototype.includes = counted(includes);
  Array.prototype.join = function (this: unknown[], separator?: string) {
    const text = join.call(this, separator);
    looked += text.length;
    return text;
  };
  TextDecoder.prototype.decode = function (this: TextDecoder, input, options) {
    looked += input?.byteLength ?? 0;
    return decode.call(this, input, options);
  };
  try {
    work();
  } finally {
    Object.assign(String.prototype, { indexOf, search, split, replace, includes });
    Array.prototype.join = join;
    TextDecoder.prototype.decode = decode;
  }
  return looked;
}

describe('work', () => {
  const MIB = 1 << 20;
  it.each([
    ['one line', `data: ${'x'.repeat(MIB - 100)}\n\n`],
    ['one line that ends with CR', `data: ${'x'.repeat(MIB - 100)}\r\r`],
    ['many lines', `data: ${'x'.repeat(90)}\n\n`.repeat(MIB / 100)],
    ['many lines that end with CR', `data: ${'x'.repeat(90)}\r\r`.repeat(MIB / 100)],
    ['one event of many lines', `${`data: ${'x'.repeat(90)}\n`.repeat(MIB / 100)}\n`],
    ['a comment', `:${'x'.repeat(MIB - 100)}\n\n`],
    ['empty lines', '\r\n'.repeat(MIB / 2)],
  ])('grows with the bytes and not with their square: %s', (_, text) => {
    const all = bytes(text);
    for (const size of [1 << 10, 1 << 16, all.length]) {
      const pieces = cut(all, size);
      const parser = new EventStreamParser(() => {});
      const looked = workOf(() => {
        for (const piece of pieces) parser.push(piece);
      });
      expect(looked).toBeGreaterThan(all.length);
      expect(looked / all.length, `pieces of ${size}`).toBeLessThan(12);
    }
  });
});

describe('the media type', () => {
  it.each([
    ['text/event-stream', true],
    ['Text/Event-Stream; charset=utf-8', true],
    ['TEXT/EVENT-STREAM ;charset=UTF-8; x=y', true],
    [' text/event-stream ', true],
    ['text/event-stream, text/event-stream', true],
    ['text/event-streams', false],
    ['text/event-stream-x', false],
    ['application/json', false],
    ['text/html; charset=utf-8', false],
    ['application/x-text/event-stream', false],
    ['', false],
    [null, false],
  ])('%j: %s', (type, expected) => {
    expect(isEventStream(type)).toBe(expected);
  });
});
