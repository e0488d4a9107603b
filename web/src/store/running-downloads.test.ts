import { describe, expect, it } from 'vitest';
import { RunningDownloads } from './running-downloads';

describe('RunningDownloads', () => {
  it('cancels one that runs, and no other', () => {
    const downloads = new RunningDownloads();
    const [first, second] = [downloads.begin(1), downloads.begin(2)];
    downloads.cancel(2);
    expect([first.aborted, second.aborted]).toEqual([false, true]);
  });

  it('cancels one that has not begun', () => {
    const downloads = new RunningDownloads();
    downloads.cancel(1);
    expect(downloads.begin(1).aborted).toBe(true);
    expect(downloads.begin(2).aborted).toBe(false);
  });

  it('takes no notice of a word that comes too late', () => {
    const downloads = new RunningDownloads();
    const signal = downloads.begin(1);
    downloads.end(1);
    downloads.cancel(1);
    expect(signal.aborted).toBe(false);
  });
});
