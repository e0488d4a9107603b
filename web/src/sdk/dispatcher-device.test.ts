import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InshoreError } from '../error';
import type { Snapshot } from '../route/types';
import { openDispatcher, readAnswer, type Setup } from './dispatcher.testing';
import { answer, serveHttp } from './http-server.testing';
import { checkedRequest } from './leg.testing';

let site: Awaited<ReturnType<typeof serveHttp>>;
beforeEach(async () => {
  site = await serveHttp((response) => answer(response, ['from ', 'the ', 'cloud']));
});
afterEach(() => site.close());

const never = <T>(): Promise<T> => new Promise<T>(() => {});
const endpoint = () => ({ baseURL: `${site.url}?key=query-of-the-address`, model: 'name-of-a-model' });
const open = async (setup: Setup = {}) => openDispatcher({ cloud: endpoint(), ...setup });

describe('a request that cannot use the device reads nothing of it', () => {
  it.each([
    ['the instance’s mode', { settings: { mode: 'only_in_cloud' } }, {}],
    ['its own mode', {}, { mode: 'only_in_cloud' }],
  ] as const)('by %s', async (_, setup, extension) => {
    const { dispatcher, local } = await open(setup);
    local.snapshot = vi.fn(() => never<Snapshot['local']>());
    local.prepare = vi.fn(() => never<void>());
    const read = await readAnswer(dispatcher.run(checkedRequest('hi', { extension })));
    expect(read).toMatchObject({ text: 'from the cloud', report: { reason: 'mode_in_cloud' } });
    expect(local.snapshot).not.toHaveBeenCalled();
    expect(local.prepare).not.toHaveBeenCalled();
  });

  it.each(['auto', 'prefer_in_cloud', 'prefer_on_device', 'only_on_device'] as const)(
    'while %s reads it',
    async (mode) => {
      const { dispatcher, local } = await open({ settings: { mode } });
      const snapshot = vi.spyOn(local, 'snapshot');
      const running = dispatcher.run(checkedRequest());
      await expect.poll(() => snapshot.mock.calls.length).toBe(1);
      running.abort();
    },
  );
});

describe('a model that is missing', () => {
  const downloadable = { local: { availability: 'downloadable' as const } };

  it.each([
    ['an endpoint may answer', {}, {}, true],
    ['the mode forbids it', { settings: { mode: 'only_on_device' } }, {}, false],
    ['a label forbids it', {}, { privacy: 'local_only' }, false],
    ['the budget is spent', { settings: { cloudTokens: 0 } }, {}, false],
    ['there is none', { settings: { cloud: undefined } }, {}, false],
  ] as const)('is downloaded, and the request knows whether %s', async (_, setup, extension, mayLeave) => {
    const { dispatcher, local } = await open({ ...downloadable, ...(setup as Setup) });
    const prepare = vi.spyOn(local, 'prepare');
    const reading = readAnswer(dispatcher.run(checkedRequest('hi', { extension })));
    await expect.poll(() => prepare.mock.calls).toEqual([[mayLeave]]);
    const read = await reading;
    if (mayLeave)
      expect(read).toMatchObject({ text: 'from the cloud', report: { reason: 'not_downloaded' } });
    else expect(read.error).toMatchObject({ code: expect.stringMatching(/^(not_downloaded|no_endpoint)$/) });
  });

  it('keeps the request until it is there', async () => {
    const { dispatcher, local, legs } = await open({ settings: { mode: 'only_on_device' } });
    let arrived = (): void => {};
    local.prepare = () =>
      new Promise((resolve) => {
        arrived = resolve;
      });
    const reading = readAnswer(dispatcher.run(checkedRequest()));
    await new Promise((resolve) => setTimeout(resolve));
    expect(legs.length).toBe(0);
    arrived();
    await expect.poll(() => legs.length).toBe(1);
    legs[0]?.sink.piece({ text: 'here', tokens: 1, ids: [1] });
    legs[0]?.sink.finished({ finishReason: 'stop' });
    expect((await reading).text).toBe('here');
  });

  it('fails the request with its own error', async () => {
    const { dispatcher, local } = await open({ settings: { mode: 'only_on_device' } });
    local.prepare = async () => {
      throw new InshoreError('quota_exceeded', 'There is no room for the model.');
    };
    expect((await readAnswer(dispatcher.run(checkedRequest()))).error).toMatchObject({
      code: 'quota_exceeded',
    });
  });

  it('does not outlast the request’s deadline, its caller, or the instance', async () => {
    const { dispatcher, local } = await open({ settings: { mode: 'only_on_device' } });
    local.prepare = () => never();
    const run = (deadline_ms?: number) =>
      dispatcher.run(checkedRequest('hi', { extension: deadline_ms === undefined ? {} : { deadline_ms } }));
    expect((await readAnswer(run(1))).error).toMatchObject({ code: 'deadline' });
    const left = run();
    const reading = readAnswer(left);
    left.abort();
    expect((await reading).error).toMatchObject({ code: 'cancelled' });
    const kept = readAnswer(run());
    dispatcher.destroy();
    expect((await kept).error).toMatchObject({ code: 'destroyed' });
  });
});

it('a trace holds nothing of messages, stop texts, names, addresses and their queries', async () => {
  const { dispatcher } = await open({
    local: { key: 'wgpu vendor | name of a file' },
    settings: { mode: 'only_in_cloud' },
  });
  const secrets = ['text of the question', 'text of a stop', 'name of a conversation'] as const;
  const [question, stop, conversation] = secrets;
  const request = checkedRequest(question, { stop: [stop], extension: { conversation } });
  expect((await readAnswer(dispatcher.run(request))).text).toBe('from the cloud');
  await readAnswer(dispatcher.run({ ...request, extension: { conversation, mode: 'prefer_in_cloud' } }));
  const jsonl = dispatcher.trace.toJsonl();
  const { host } = new URL(site.url);
  const words = [
    ...secrets,
    'query-of-the-address',
    'name-of-a-model',
    'name of a file',
    host,
    'vendor',
    'from ',
  ];
  for (const secret of words) expect(jsonl).not.toContain(secret);
  expect(jsonl).toContain('"mode":"prefer_in_cloud"');
});
