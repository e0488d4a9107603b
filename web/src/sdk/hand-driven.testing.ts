import { afterEach, beforeEach, expect } from 'vitest';
import { type HandDriven, openDispatcher, type Setup } from './dispatcher.testing';
import { answer, serveHttp } from './http-server.testing';
import { LegError } from './leg';

/** The answer that legs on the device speak, a token a word. */
export const words = ['The ', 'sea ', 'is ', 'very ', 'deep ', 'and ', 'blue.'];

export const crash = (): LegError =>
  new LegError('worker_crashed', 'worker_crashed', 'The worker stopped. Start it again.');

/** Waits for the n-th leg on the device. */
export async function legOf(legs: HandDriven[], number: number): Promise<HandDriven> {
  await expect.poll(() => legs.length).toBeGreaterThanOrEqual(number);
  return legs[number - 1] as HandDriven;
}

/** Emits the words from `from` up to `to`; ids are their places. */
export function speak({ sink }: HandDriven, from: number, to = words.length): void {
  words.slice(from, to).forEach((text, at) => {
    sink.piece({ text, tokens: 1, ids: [from + at] });
  });
}

/** For tests: a real endpoint for each test of a file, and dispatchers that may ask it. */
export function dispatcherSite() {
  const here = {} as { site: Awaited<ReturnType<typeof serveHttp>> };
  beforeEach(async () => {
    here.site = await serveHttp((response) => answer(response, ['from ', 'the ', 'cloud']));
  });
  afterEach(() => here.site.close());

  const cloud = (continuation: 'token_ids' | 'prefix' | 'none' = 'none') => ({
    baseURL: here.site.url,
    model: 'remote',
    continuation,
  });
  const open = async (setup: Setup = {}) => openDispatcher({ cloud: cloud(), ...setup });
  return { here, cloud, open };
}
