import { describe, expect, it } from 'vitest';
import { type BenchResult, type BenchRun, formatSummary, rows, toJson, toMarkdown } from './result';
import { type BenchTarget, runBench } from './runner';
import { summarise } from './statistics';

const run = (change: Partial<BenchRun>): BenchRun => ({
  target: 'on_device',
  prompt: 'Short question',
  promptTokens: 20,
  completionTokens: 32,
  ttftMs: 400,
  prefillTps: 50,
  decodeTps: 12,
  totalMs: 3000,
  ...change,
});

const result: BenchResult = {
  date: '2026-01-02T03:04:05.000Z',
  model: 'A | B',
  sha256: 'ab'.repeat(32),
  backend: 'WebGPU',
  device: 'some\nadapter',
  userAgent: 'Test/1',
  logicalCores: 8,
  memoryBytes: 1000,
  cloud: 'api.example',
  maxTokens: 32,
  runs: [
    run({ ttftMs: 400 }),
    run({ ttftMs: 500 }),
    run({ ttftMs: 900 }),
    run({ target: 'in_cloud', ttftMs: 80, prefillTps: undefined }),
  ],
};

describe('summarise', () => {
  it.each([
    [[3], { runs: 1, median: 3, min: 3, max: 3 }],
    [[9, 1, 5], { runs: 3, median: 5, min: 1, max: 9 }],
    [[4, 1, 3, 2], { runs: 4, median: 2.5, min: 1, max: 4 }],
    [[10, 9, undefined, Number.NaN], { runs: 2, median: 9.5, min: 9, max: 10 }],
  ])('%j', (values, summary) => expect(summarise(values)).toEqual(summary));

  it('nothing gives nothing', () => expect(summarise([undefined])).toBeUndefined());
});

describe('a result', () => {
  it('has a row for each prompt on each target', () => {
    const [here, there, ...more] = rows(result.runs);
    expect(here).toMatchObject({ target: 'on_device', ttftMs: { runs: 3, median: 500, min: 400, max: 900 } });
    expect(there).toMatchObject({ target: 'in_cloud', prefillTps: undefined });
    expect(more).toEqual([]);
  });

  it('as Markdown: a table whose cells cannot break it', () => {
    const lines = toMarkdown(result).split('\n');
    expect(lines).toContain(
      '| This device | Short question | 20 | 0.50 s (0.40 s to 0.90 s) | 50.0 tok/s (50.0 tok/s to 50.0 tok/s) | 12.0 tok/s (12.0 tok/s to 12.0 tok/s) |',
    );
    expect(lines).toContain('| Cloud | Short question | 20 | 80 ms | – | 12.0 tok/s |');
    expect(lines).toContain('- Device: WebGPU, some adapter, 8 logical cores');
    expect(lines.find((line) => line.startsWith('- Model'))).toContain('A \\| B');
    expect(lines.filter((line) => line.startsWith('|'))).toHaveLength(4);
  });

  it('as JSON: every run and the medians', () => {
    const read = JSON.parse(toJson(result));
    expect(read).toMatchObject({ format: 'inshore-bench-1', model: 'A | B' });
    expect(read.runs).toHaveLength(4);
    expect(read.summary[0].ttftMs.median).toBe(500);
  });

  it('words for a summary', () => {
    expect(formatSummary(undefined, String)).toBe('–');
    expect(formatSummary({ runs: 1, median: 2, min: 2, max: 2 }, String)).toBe('2');
  });
});

describe('runBench', () => {
  it('warms up, takes turns, and counts only the runs that count', async () => {
    const texts: string[] = [];
    const answer = (text: string) => {
      texts.push(text);
      return Promise.resolve({ ...run({}), ttftMs: texts.length });
    };
    const target: BenchTarget = { warmUp: answer, run: answer };
    const seen: string[] = [];
    const runs = await runBench([['on_device', target]], 2, new AbortController().signal, ({ done, total }) =>
      seen.push(`${done}/${total}`),
    );
    expect(runs.map((one) => one.prompt)).toEqual([
      'Short question',
      'Paragraph',
      'Page',
      'Short question',
      'Paragraph',
      'Page',
    ]);
    expect(new Set(texts).size).toBe(7);
    expect(seen).toEqual(['0/7', '1/7', '2/7', '3/7', '4/7', '5/7', '6/7']);
    expect(runs[0]?.ttftMs).toBe(2);
  });

  it('stops between runs, with a typed error', async () => {
    const stop = new AbortController();
    const answer = () => {
      stop.abort();
      return Promise.resolve(run({}));
    };
    const target: BenchTarget = { warmUp: answer, run: answer };
    await expect(runBench([['on_device', target]], 2, stop.signal, () => {})).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});
