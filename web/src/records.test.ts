import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRecords } from './records';

/** IndexedDB that answers as the test says; `undefined`: never. */
function fakeDatabase(answers: {
  open?: 'never' | 'throws' | 'fails';
  request?: 'never' | 'fails' | 'throws';
}) {
  const rows = new Map<string, unknown>();
  let opens = 0;
  const settle = (request: Record<string, unknown>, how: string | undefined, value: unknown) => {
    if (how === 'never') return request;
    queueMicrotask(() => {
      request.result = value;
      const handler = how === 'fails' ? request.onerror : request.onsuccess;
      (handler as (() => void) | undefined)?.();
    });
    return request;
  };
  const store = {
    get: (key: string) => settle({}, answers.request, rows.get(key)),
    put: (value: unknown, key: string) => {
      rows.set(key, value);
      return settle({}, answers.request, key);
    },
  };
  const transaction = () => {
    // As after the browser has closed the connection.
    if (answers.request === 'throws') throw new Error('InvalidStateError');
    return { objectStore: () => store };
  };
  vi.stubGlobal('indexedDB', {
    open: () => {
      opens += 1;
      if (answers.open === 'throws') throw new Error('SecurityError');
      return settle({}, answers.open, { transaction });
    },
  });
  return { rows, opens: () => opens };
}

describe('records', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  it('are kept by the database', async () => {
    const { rows } = fakeDatabase({});
    await openRecords<number>('d', 't').put('a', 1);
    expect(rows.get('a')).toBe(1);
    expect(await openRecords<number>('d', 't').get('a')).toBe(1);
  });

  it.each([
    ['never opens', { open: 'never' }],
    ['throws when opened', { open: 'throws' }],
    ['fails to open', { open: 'fails' }],
    ['never answers a request', { request: 'never' }],
    ['fails a request', { request: 'fails' }],
    ['was closed by the browser', { request: 'throws' }],
  ] as const)('are kept in memory where the database %s', async (_, answers) => {
    const { opens } = fakeDatabase(answers);
    const records = openRecords<number>('d', 't');
    const putting = records.put('a', 1);
    await vi.runAllTimersAsync();
    await putting;
    expect(await records.get('a')).toBe(1);
    const other = records.get('b');
    await vi.runAllTimersAsync();
    expect(await other).toBeUndefined();
    expect(opens()).toBe(1);
  });
});
