import { describe, expect, it } from 'vitest';
import { describeBody, notGguf, startsLikeGguf } from './first-bytes';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('what comes in place of a model', () => {
  it.each([
    ['', 'nothing (an empty body)'],
    ['<!DOCTYPE html><html>', 'an HTML page'],
    ['\ufeff \r\n\t<HTML lang=en>', 'an HTML page'],
    ["<script>location='/login'</script>", 'an HTML page'],
    ['<?xml version="1.0"?><Error>', 'an XML document'],
    ['version https://git-lfs.github.com/spec/v1\noid', 'a Git LFS pointer'],
    ['{"error":"Repository not found"}', 'JSON'],
    ['PK\u0003\u0004', 'a zip archive'],
    ['\u0040\0\0\0\0\0\0\0{"__metadata__"', 'probably a safetensors file'],
    ['tjgg\u0003', 'a GGML file older than GGUF'],
    ['Entry not found', 'text'],
    ['\0\u0001\u0002', 'other data'],
  ])('%j is %s', (text, kind) => {
    expect(describeBody(bytes(text)).kind).toBe(kind);
  });

  it('is shown without control characters', () => {
    const { code, message } = notGguf(bytes('\u001b[31m<b>'), 'https://host/m');
    expect(code).toBe('not_gguf');
    expect(message).toContain('".[31m<b>"');
  });

  it('is told from a model however few bytes there are', () => {
    expect(startsLikeGguf(bytes('GGUF...'))).toBe(true);
    expect(startsLikeGguf(bytes('GG'))).toBe(true);
    expect(startsLikeGguf(bytes('<!do'))).toBe(false);
    expect(startsLikeGguf(bytes('GGUX'))).toBe(false);
  });
});
