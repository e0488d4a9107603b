import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const WEB = resolve(import.meta.dirname, '../..');
const ENGINE = `export default async () => ({}); export class EngineDevice {}; export const modelShape = 0;`;
const ROUTE = `export default async () => ({}); export class Router {}; export const defaultConfig = () => '{}';`;

/** An empty module with a custom section: equal files would become one asset. */
const emptyModule = (name: string): Uint8Array =>
  Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0, name.length + 1, name.length, ...Buffer.from(name)]);

describe('the page’s build', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'inshore-page-'));
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true, force: true });
  });

  async function buildWith(modules: string[], mode = 'production'): Promise<string[]> {
    for (const name of modules) {
      writeFileSync(join(folder, `${name}.js`), name === 'inshore_route' ? ROUTE : ENGINE);
      writeFileSync(join(folder, `${name}_bg.wasm`), emptyModule(name));
    }
    vi.stubEnv('INSHORE_WASM_DIR', folder);
    const outDir = join(folder, 'dist');
    const options = { root: WEB, mode, logLevel: 'silent' as const, build: { outDir, emptyOutDir: true } };
    await build(options);
    const assets = join(outDir, 'assets');
    return readdirSync(assets).map((file) =>
      file.endsWith('.js') ? readFileSync(join(assets, file), 'utf8') : file,
    );
  }

  it('takes the modules that exist', async () => {
    const files = await buildWith(['inshore_cpu', 'inshore_route']);
    expect(files.filter((file) => /^inshore_.*\.wasm$/.test(file))).toHaveLength(2);
    const more = await buildWith(['inshore_gpu']);
    expect(more.filter((file) => /^inshore_gpu.*\.wasm$/.test(file))).toHaveLength(1);
  });

  it.each([[['inshore_cpu']], [['inshore_route']], [['inshore_gpu', 'inshore_route']]])(
    'is refused with nothing but %j',
    async (modules) => {
      await expect(buildWith(modules)).rejects.toThrow('lacks a CPU module or the policy');
    },
  );

  it('is refused for tests unless every module is there', async () => {
    await expect(buildWith(['inshore_cpu', 'inshore_route'], 'test')).rejects.toThrow('inshore_gpu.js');
  });
});
