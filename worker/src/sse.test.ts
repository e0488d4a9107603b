import { describe, expect, it } from 'vitest';
import { SseError, SseSplitter, sseEvent } from './sse';

/** All events of a text that comes in parts of `size` bytes. */
function split(text: string, size: number): string[] {
  const splitter = new SseSplitter();
  const bytes = new TextEncoder().encode(text);
  const events: string[] = [];
  for (let start = 0; start < bytes.length; start += size) {
    events.push(...splitter.push(bytes.subarray(start, start + size)));
  }
  return events;
}

describe('the splitter of event streams', () => {
  it.each([1, 2, 3, 5, 1000])('finds the same events in parts of %i bytes', (size) => {
    for (const end of ['\n', '\r\n', '\r']) {
      const lines = [
        'data: a',
        '',
        ': comment',
        'event: x',
        'data:b',
        'data: c 🌊',
        '',
        'data',
        '',
        '',
        'data: d',
      ];
      expect(split(lines.join(end) + end, size)).toEqual(['a', 'b\nc 🌊', '']);
    }
  });

  it('gives an event out with the empty line that ends it', () => {
    const splitter = new SseSplitter();
    const push = (text: string) => splitter.push(new TextEncoder().encode(text));
    expect(push('data: a\n')).toEqual([]);
    expect(push('\n')).toEqual(['a']);
    expect(push('data: b\r\n\r')).toEqual(['b']);
    expect(push('\ndata: c\r\n\r\n')).toEqual(['c']);
  });

  it('writes what it reads', () => {
    for (const data of ['a', 'a\nb', '', ' a']) expect(split(sseEvent(data), 3)).toEqual([data]);
  });

  it('gives up a line and an event that grow too large', () => {
    const megabyte = 'x'.repeat(1024 * 1024);
    const splitter = new SseSplitter();
    expect(() => splitter.push(new TextEncoder().encode(`data: ${megabyte}`))).toThrow(SseError);
    const lines = new SseSplitter();
    expect(() => {
      for (let line = 0; line < 2048; line += 1)
        lines.push(new TextEncoder().encode(`data: ${'x'.repeat(1024)}\n`));
    }).toThrow(SseError);
  });
});
