// Code in the docs compiles: every TypeScript block against the package as installed, and the clients' own types.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { Workbench } from './lib/tarball.mjs';
import { typecheck } from './lib/tools.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const CLIENTS = join(ROOT, 'tests/frameworks/node_modules');
const PAGES = [
  'pkg/README.md',
  'web/README.md',
  'examples/README.md',
  ...readdirSync(join(ROOT, 'web/docs')).map((file) => `web/docs/${file}`),
  ...['vite', 'webpack', 'next', 'plain'].map((name) => `examples/${name}/README.md`),
];
const read = (page) => readFileSync(join(ROOT, page), 'utf8');

const workbench = new Workbench();
after(() => workbench.remove());

test('every TypeScript block compiles', () => {
  const project = workbench.project('docs');
  const files = ['instance.d.ts'];
  // Blocks that do not create one speak of an instance that is there.
  writeFileSync(join(project, 'instance.d.ts'), "declare const inshore: import('inshore').Inshore;\n");
  for (const page of PAGES) {
    for (const [index, [, block]] of [...read(page).matchAll(/^```ts\n([\s\S]*?)^```/gm)].entries()) {
      const file = `${page.replaceAll(/[/.]/g, '-')}-${index + 1}.ts`;
      writeFileSync(join(project, file), `${block}\nexport {};\n`);
      files.push(file);
    }
  }
  assert.ok(files.length > 20, `${files.length} blocks`);
  files.push(join(ROOT, 'examples/vite/src/main.ts'));
  const paths = {
    inshore: [join(project, 'node_modules/inshore/dist/types/sdk/index.d.ts')],
    '*': [`${CLIENTS}/*`],
  };
  typecheck(project, files, { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true, paths });
});

test('every relative link of the docs leads somewhere', () => {
  for (const page of PAGES) {
    for (const [, target] of read(page).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g))
      assert.ok(existsSync(join(ROOT, dirname(page), target)), `${page}: ${target}`);
  }
});

test('every error code of the table is one that the code knows', () => {
  const codes = new Set(
    [...read('web/docs/errors.md').matchAll(/`([a-z]+_[a-z_]+)`/g)].map(([, code]) => code),
  );
  const sources = readdirSync(join(ROOT, 'web/src'), { recursive: true })
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .concat('../../crates/inshore-model/src/error.rs')
    .map((file) => readFileSync(join(ROOT, 'web/src', file), 'utf8'))
    .join('\n');
  const unknown = [...codes].filter((code) => !new RegExp(`\\b${code}\\b`).test(sources));
  assert.deepEqual(unknown, []);
});

test('every reason of the policy is in the docs', () => {
  const [, list] = /export type Reason =([\s\S]*?);/.exec(read('web/src/route/types.ts'));
  const page = read('web/docs/modes.md');
  const missing = [...list.matchAll(/'([a-z_]+)'/g)]
    .map(([, reason]) => reason)
    .filter((reason) => !page.includes(`\`${reason}\``));
  assert.deepEqual(missing, []);
});
