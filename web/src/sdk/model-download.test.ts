import { describe, expect, it } from 'vitest';
import { InshoreError } from '../error';
import type { Progress } from './contract';
import { type DownloadPolicy, ModelDownload } from './model-download';

/** A download that goes as the test says. */
function openDownload(policy: DownloadPolicy = 'on_demand') {
  const fetches: {
    signal: AbortSignal;
    progress(doneBytes: number): void;
    done(): void;
    failed(error: Error): void;
  }[] = [];
  const clock = { now: 0, savesData: false };
  const seen: number[] = [];
  const download = new ModelDownload({
    policy,
    now: () => clock.now,
    savesData: () => clock.savesData,
    onProgress: ({ doneBytes }) => seen.push(doneBytes),
    fetch: ({ onProgress, signal }) =>
      new Promise((done, failed) => {
        signal.addEventListener('abort', () => failed(new InshoreError('cancelled', 'Paused.')));
        const progress = (doneBytes: number): void =>
          onProgress({ phase: 'downloading', doneBytes, totalBytes: undefined });
        fetches.push({ signal, progress, done: () => done(), failed });
      }),
  });
  return { download, fetches, clock, seen };
}

describe('an abort counts from the first moment', () => {
  it('before the download begins', async () => {
    const { download, fetches } = openDownload();
    await expect(download.run({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
    expect(fetches.length).toBe(0);
  });

  it('at once, and whoever comes next has a download of his own (React mounts twice)', async () => {
    const { download, fetches } = openDownload();
    const first = new AbortController();
    const aborted = download.run({ signal: first.signal });
    first.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'cancelled' });
    const second = download.run({ signal: new AbortController().signal });
    expect(fetches.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    fetches[1]?.done();
    await expect(second).resolves.toBeUndefined();
    expect(download.isRunning).toBe(false);
  });

  it('for its caller alone, while another wants the model', async () => {
    const { download, fetches } = openDownload();
    const first = new AbortController();
    const aborted = download.run({ signal: first.signal });
    const other = download.run();
    first.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'cancelled' });
    expect(fetches[0]?.signal.aborted).toBe(false);
    fetches[0]?.done();
    await other;
    expect(fetches.length).toBe(1);
  });

  it('and what the paused download still says reaches nobody', async () => {
    const { download, fetches, seen } = openDownload();
    const first = new AbortController();
    const told: Progress[] = [];
    const aborted = download.run({ signal: first.signal, onProgress: (progress) => told.push(progress) });
    fetches[0]?.progress(1);
    first.abort();
    fetches[0]?.progress(2);
    await expect(aborted).rejects.toMatchObject({ code: 'cancelled' });
    expect([seen, told.length]).toEqual([[1], 1]);
  });
});

describe('a download that nobody asked for by name', () => {
  it('begins once for all requests, and a caller of download() joins it', async () => {
    const { download, fetches } = openDownload();
    const all = [download.automatic(), download.automatic(), download.run()];
    expect(fetches.length).toBe(1);
    fetches[0]?.done();
    await Promise.all(all);
  });

  it('is paused with the last caller of download(), and does not begin again by itself', async () => {
    const { download, fetches } = openDownload();
    const waiting = download.automatic();
    const caller = new AbortController();
    const paused = download.run({ signal: caller.signal });
    caller.abort();
    await expect(paused).rejects.toMatchObject({ code: 'cancelled' });
    await expect(waiting).rejects.toMatchObject({ code: 'not_downloaded' });
    await expect(download.automatic()).rejects.toMatchObject({ code: 'not_downloaded' });
    expect(fetches.length).toBe(1);
    const again = download.run();
    fetches[1]?.done();
    await again;
  });

  it('does not begin while the browser saves data', async () => {
    const { download, fetches, clock } = openDownload();
    clock.savesData = true;
    await expect(download.automatic()).rejects.toMatchObject({ code: 'not_downloaded' });
    expect(fetches.length).toBe(0);
    const asked = download.run();
    fetches[0]?.done();
    await asked;
  });

  it('rests longer after each failure, and says why meanwhile', async () => {
    const { download, fetches, clock } = openDownload();
    for (const [number, restMs] of [60_000, 120_000, 240_000].entries()) {
      const failing = download.automatic();
      fetches[number]?.failed(new InshoreError('wrong_hash', 'Other bytes.'));
      await expect(failing).rejects.toMatchObject({ code: 'wrong_hash' });
      clock.now += restMs - 1;
      await expect(download.automatic()).rejects.toMatchObject({ code: 'wrong_hash' });
      expect(fetches.length).toBe(number + 1);
      clock.now += 1;
    }
  });

  it.each([
    ['stop', 'not_downloaded'],
    ['destroy', 'destroyed'],
  ] as const)('ends with %s', async (how, code) => {
    const { download, fetches } = openDownload();
    const waiting = download.automatic();
    const ended = download[how]();
    expect(fetches[0]?.signal.aborted).toBe(true);
    await expect(waiting).rejects.toMatchObject({ code: 'not_downloaded' });
    await ended;
    await expect(download.automatic()).rejects.toMatchObject({ code });
    expect(fetches.length).toBe(1);
  });
});

it('after destroy download() is refused', async () => {
  const { download, fetches } = openDownload('manual');
  download.destroy();
  await expect(download.run()).rejects.toMatchObject({ code: 'destroyed' });
  expect(fetches.length).toBe(0);
});
