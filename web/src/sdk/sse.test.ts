import { describe, expect, it } from 'vitest';
import { readEvents, SseParser } from './sse';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const parse = (...pieces: Uint8Array[]): string[] => {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

describe('SseParser', () => {
  it('reads LF, CR and CRLF, a byte order mark, comments and several data lines', () => {
    expect(
      parse(
        bytes(
          '\uFEFFdata: a\n\ndata: b\r\n\r\ndata:c\r\r: ping\nid: 7\nevent: x\ndata:  d\ndata\ndata: e\n\n',
        ),
      ),
    ).toEqual(['a', 'b', 'c', ' d\n\ne']);
  });

  it('gives the same events wherever the bytes are cut', () => {
    const text = 'data: {"t":"häuser 🌊"}\r\n\r\n: ping\r\n\r\ndata: two\rdata: lines\r\rdata: [DONE]\n\n';
    const all = bytes(text);
    const whole = parse(all);
    expect(whole).toEqual(['{"t":"häuser 🌊"}', 'two\nlines', '[DONE]']);
    for (let cut = 0; cut <= all.length; cut++) {
      // A CR at the end of a piece may wait for its LF; one more piece settles it.
      expect(parse(all.subarray(0, cut), all.subarray(cut)), `cut at ${cut}`).toEqual(whole);
    }
    expect(parse(...Array.from(all, (_, index) => all.subarray(index, index + 1)))).toEqual(whole);
  });

  it('does not count an event whose empty line never came', () => {
    expect(parse(bytes('data: whole\n\ndata: cut'))).toEqual(['whole']);
    expect(parse(bytes('data: cut\n'))).toEqual([]);
  });

  it('refuses bytes that are no UTF-8', () => {
    expect(() => parse(Uint8Array.of(0x64, 0xff, 0xfe, 0x0a))).toThrow(/no UTF-8/);
  });

  it('refuses a line and an event beyond the cap instead of buffering them', () => {
    const parser = new SseParser();
    const piece = bytes('x'.repeat(64 << 10));
    let pieces = 0;
    expect(() => {
      for (; pieces < 1000; pieces++) parser.push(piece);
    }).toThrow(/line without an end/);
    expect(pieces).toBeLessThanOrEqual(16);
    const lines = bytes(`data: ${'x'.repeat(1000)}\n`.repeat(100));
    const other = new SseParser();
    expect(() => {
      for (let n = 0; n < 100; n++) other.push(lines);
    }).toThrow(/event without an end/);
  });
});

describe('readEvents', () => {
  const endless = (): { body: ReadableStream<Uint8Array>; state: { cancelled: boolean } } => {
    const state = { cancelled: false };
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(bytes('data: x\n\n')),
      cancel: () => {
        state.cancelled = true;
      },
    });
    return { body, state };
  };

  it('cancels the body of a reader that leaves', async () => {
    const { body, state } = endless();
    for await (const data of readEvents(body)) {
      expect(data).toBe('x');
      break;
    }
    expect(state.cancelled).toBe(true);
  });

  it('ends by signal while it waits for bytes', async () => {
    const controller = new AbortController();
    const silent = new ReadableStream<Uint8Array>({});
    setTimeout(() => controller.abort(), 10);
    for await (const _ of readEvents(silent, controller.signal)) throw new Error('nothing was sent');
  });

  it('refuses a stream that does not end', async () => {
    const big = bytes(`${`: ${'x'.repeat(1 << 16)}\n`.repeat(16)}`);
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(big) });
    const read = async (): Promise<void> => {
      for await (const _ of readEvents(body));
    };
    await expect(read()).rejects.toMatchObject({ kind: 'protocol' });
  });
});
