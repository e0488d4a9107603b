// The table of servers that lie, tests/protocol/downloads.json, against the store: over real sockets, onto a disk in
// memory. The host runs the same table (crates/inshore-host/tests/download/cases.rs).
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { InshoreError } from '../error';
import { type DownloadWorld, download } from './download';
import { digestOf, Ledger, sameDigest } from './ledger';
import { MemoryStorage, sha256Of } from './memory.testing';
import type { ModelRef } from './model';
import { layoutOf } from './record';
import { resolveModel } from './resolve';
import { bodiesOf, type Case, ScriptedServer } from './scripted-server.testing';

const table = JSON.parse(
  readFileSync(new URL('../../../tests/protocol/downloads.json', import.meta.url), 'utf8'),
) as { bodies: Record<string, string>; cases: Case[] };
const bodies = bodiesOf(table.bodies);
const kinds = [...new Set(table.cases.map(({ kind }) => kind))];
const body = (name: string): Uint8Array => bodies.get(name) ?? new Uint8Array(0);

let server: ScriptedServer | undefined;
afterEach(() => server?.close());

async function start(script: Pick<Case, 'known' | 'hub' | 'gets'>): Promise<ScriptedServer> {
  server = new ScriptedServer(script, bodies);
  await server.start();
  return server;
}

/** Downloads as the store's worker does; gives `stored` or the error. */
async function fetchModel(hub: ScriptedServer, storage: MemoryStorage): Promise<'stored' | InshoreError> {
  const world: DownloadWorld = {
    origin: hub.url,
    fetch,
    // Time passes when it is slept through.
    sleep: async () => {},
    now: () => Date.now(),
    checkRoom: async () => {},
    onProgress: () => {},
    signal: new AbortController().signal,
  };
  const model: ModelRef = await resolveModel('hf:owner/repo/model.gguf', hub.url, { hub: hub.url });
  return download(model, storage, world).then(
    () => 'stored',
    (error: unknown) => {
      if (!InshoreError.is(error)) throw error;
      return error;
    },
  );
}

/** Chunks that are kept for later must be those of a file that was served, each at its place. */
async function expectNothingFalse(storage: MemoryStorage): Promise<void> {
  expect(storage.files.has('gguf')).toBe(false);
  const record = await storage.record();
  const sums = storage.files.get('sums');
  if (record === undefined || sums === undefined) return;
  const { sums: file } = await storage.open();
  const ledger = new Ledger(file);
  const layout = layoutOf(record.parts);
  for (let index = 0; index < Math.min(layout.count, sums.length / 32); index++) {
    const digest = ledger.digest(index);
    if (digest === undefined) continue;
    const { offset, length } = layout.chunk(index);
    const served = await Promise.all(
      [...bodies.values()].map((one) => digestOf(one.slice(offset, offset + length))),
    );
    expect(served.some((one) => sameDigest(one, digest))).toBe(true);
  }
}

describe.each(kinds)('%s', (kind) => {
  it.each(table.cases.filter((one) => one.kind === kind).map((one): [string, Case] => [one.name, one]))(
    '%s',
    async (_, script) => {
      const hub = await start(script);
      const storage = new MemoryStorage();
      const expected = typeof script.expect === 'string' ? script.expect : script.expect.page;
      const outcome = await fetchModel(hub, storage);
      if (expected === 'stored' || expected === 'other') {
        expect(outcome).toBe('stored');
        const right = body(expected === 'stored' ? 'file' : 'other');
        expect(sha256Of(storage.files.get('gguf') ?? new Uint8Array(0))).toBe(sha256Of(right));
        return;
      }
      expect(outcome).toMatchObject({ code: expected });
      if (script.says !== undefined) expect((outcome as InshoreError).message).toContain(script.says);
      await expectNothingFalse(storage);
      hub.honest = true;
      const before = hub.gets;
      expect(await fetchModel(hub, storage)).toBe('stored');
      expect(sha256Of(storage.files.get('gguf') ?? new Uint8Array(0))).toBe(sha256Of(body('file')));
      expect(hub.gets).toBeGreaterThan(before);
    },
  );
});
