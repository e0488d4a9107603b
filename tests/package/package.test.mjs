// The package in an empty project: what is in it, what it does when imported, its types, and what a bundler leaves of it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { Workbench } from './lib/tarball.mjs';
import { bundle, typecheck } from './lib/tools.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
let workbench;
let project;
before(() => {
  workbench = new Workbench();
  project = workbench.project('empty');
});
after(() => workbench?.remove());

const installed = () => join(project, 'node_modules/inshore');
const code = () =>
  readdirSync(join(installed(), 'dist'))
    .filter((file) => file.endsWith('.js'))
    .map((file) => [file, readFileSync(join(installed(), 'dist', file), 'utf8')]);

test('it holds code, declarations, wasm and licences, and no dependency', () => {
  const paths = workbench.files.map(({ path }) => path);
  for (const part of [
    'README.md',
    'LICENSE-MIT',
    'LICENSE-APACHE',
    'THIRD-PARTY-NOTICES.txt',
    'dist/index.js',
    'wasm/inshore_gpu_bg.wasm',
    'wasm/inshore_cpu_bg.wasm',
    'wasm/inshore_cpu_relaxed_bg.wasm',
    'wasm/inshore_cpu_threads_bg.wasm',
  ])
    assert.ok(paths.includes(part), part);
  assert.deepEqual(
    paths.filter((path) => /stamp|\.map$|\.ts$/.test(path) && !path.endsWith('.d.ts')),
    [],
  );
  const manifest = JSON.parse(readFileSync(join(installed(), 'package.json'), 'utf8'));
  assert.equal(manifest.sideEffects, false);
  assert.equal(manifest.dependencies, undefined);
  assert.deepEqual(
    readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.')),
    ['inshore'],
  );
});

test('it names whose code it holds, with the texts of their licences', () => {
  const notices = readFileSync(join(installed(), 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'web/package.json'), 'utf8'));
  const crates = ['burn-core', 'burn-flex', 'cubecl', 'wgpu', 'tokenizers', 'wasm-bindgen', 'serde_json'];
  for (const name of [...crates, ...Object.keys(dependencies)])
    assert.match(notices, new RegExp(`^${name} \\d+\\.\\d+\\.\\d+\\S* \\(.+\\): https?://`, 'm'), name);
  for (const text of [
    'Permission is hereby granted, free of charge, to any person obtaining a copy',
    'TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION',
    'Mozilla Public License',
  ])
    assert.ok(notices.includes(text), text);
  // What compiles the modules is not in them (proc-macro2 is: a crate of the GPU stack has it as a library).
  assert.doesNotMatch(notices, /^(serde_derive|wasm-bindgen-macro|binaryen|vite) /m);
});

test('nothing evaluates text, makes blobs of scripts, or names an address of anyone’s but the hub', () => {
  for (const [file, text] of code()) {
    assert.doesNotMatch(text, /\beval\(|new Function\(|createObjectURL|importScripts(?!\(\))/, file);
    const hosts = new Set([...text.matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host));
    for (const ours of [
      'huggingface.co',
      // The first words of a pointer file, which are compared and never asked.
      'git-lfs',
      'git-lfs.github.com',
      'inshore.invalid',
      'localhost',
      'www.npmjs.com',
    ])
      hosts.delete(ours);
    assert.deepEqual([...hosts], [], file);
  }
});

test('every worker and module is named literally, beside a file that exists', () => {
  const found = new Set();
  for (const [file, text] of code()) {
    assert.doesNotMatch(
      text,
      /new (?:Shared)?Worker\((?:`|["'])/,
      `${file}: an address that bundlers cannot follow`,
    );
    for (const [, path] of text.matchAll(/new URL\(["']([^"']+)["'],\s*import\.meta\.url\)/g)) {
      assert.ok(statSync(join(installed(), 'dist', path)).isFile(), `${file}: ${path}`);
      found.add(path);
    }
  }
  for (const path of ['./engine-worker.js', './store-worker.js', '../wasm/inshore_gpu_bg.wasm'])
    assert.ok(found.has(path), path);
});

test('an import starts nothing, in Node as on a server', () => {
  const script = `
    globalThis.fetch = globalThis.Worker = () => { throw new Error('an import did something'); };
    const before = Object.keys(globalThis).join();
    for (const entry of ['inshore', 'inshore/openai', 'inshore/language-model', 'inshore/contract', 'inshore/wasm']) await import(entry);
    if (Object.keys(globalThis).join() !== before) throw new Error('an import left globals');
    const { createInshore } = await import('inshore');
    console.log(typeof createInshore);`;
  writeFileSync(join(project, 'import.mjs'), script);
  assert.equal(
    execFileSync(process.execPath, ['import.mjs'], { cwd: project, encoding: 'utf8' }),
    'function\n',
  );
});

test('a bundle without it in use has nothing of it', async () => {
  assert.equal(
    (await bundle(project, "import 'inshore'; import { createInshore } from 'inshore';")).trim(),
    '',
  );
  const errors = await bundle(project, "export { InshoreError } from 'inshore';");
  // The table of codes comes with the class: it tells our codes from foreign ones.
  assert.ok(errors.length < 20_000, `${errors.length} characters for one class`);
  assert.doesNotMatch(errors, /Worker|\.wasm/);
});

test('its declarations hold without skipLibCheck, for Node’s resolution and for bundlers', () => {
  const uses = `
    import { createInshore, InshoreError, type Inshore } from 'inshore';
    import { createOpenAIFetch } from 'inshore/openai';
    import { createLanguageModel } from 'inshore/language-model';
    import type { Mode } from 'inshore/contract';
    const mode: Mode = 'auto';
    export const made: Promise<Inshore> = createInshore({ model: '/m.gguf', mode });
    export { createLanguageModel, createOpenAIFetch, InshoreError };
    // @ts-expect-error there is no such mode
    void createInshore({ model: '/m.gguf', mode: 'sometimes' });`;
  writeFileSync(join(project, 'uses.ts'), uses);
  for (const [module, moduleResolution] of [
    ['nodenext', 'nodenext'],
    ['esnext', 'bundler'],
  ])
    typecheck(project, ['uses.ts'], { module, moduleResolution, skipLibCheck: false });
});
