// The third-party notices: which text is which licence, which alternative is taken, and that nothing is left out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { alternatives, chooseLicences, classify } from '../../web/licences.mjs';
import { collect, render } from '../../web/notices.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const APACHE = readFileSync(join(ROOT, 'LICENSE-APACHE'), 'utf8');
const MIT = readFileSync(join(ROOT, 'LICENSE-MIT'), 'utf8');

test('a text is known by its phrases', () => {
  assert.equal(classify(APACHE), 'Apache-2.0');
  assert.equal(classify(MIT), 'MIT');
  assert.equal(classify('This is free and unencumbered software released …'), 'Unlicense');
  assert.equal(classify('Mozilla Public License Version 2.0'), 'MPL-2.0');
  assert.equal(classify('The Zig logo is by somebody.'), undefined);
});

test('alternatives of an expression', () => {
  assert.deepEqual(alternatives('MIT'), [['MIT']]);
  assert.deepEqual(alternatives('MIT/Apache-2.0'), [['MIT'], ['Apache-2.0']]);
  assert.deepEqual(alternatives('MIT AND BSD-3-Clause'), [['MIT', 'BSD-3-Clause']]);
  assert.deepEqual(alternatives('(MIT OR Apache-2.0) AND Unicode-3.0'), [
    ['MIT', 'Unicode-3.0'],
    ['Apache-2.0', 'Unicode-3.0'],
  ]);
  assert.deepEqual(alternatives('Apache-2.0 WITH LLVM-exception'), [['Apache-2.0 WITH LLVM-exception']]);
  assert.throws(() => alternatives('A AND (B OR C)'), /not understood/);
});

test('what a part brings along is taken before what it could bring', () => {
  const part = { name: 'p', authors: ['A. Author'], licence: 'MIT OR Apache-2.0' };
  const own = (id, text) => ({ id, text });
  const choose = (texts, more = {}) =>
    chooseLicences({ ...part, ...more, texts }, new Map([['Apache-2.0', APACHE]]));
  assert.deepEqual(choose([own('Apache-2.0', 'own')]), [own('Apache-2.0', 'own')]);
  assert.deepEqual(choose([own('Apache-2.0', 'a'), own('MIT', 'm')]), [own('MIT', 'm')]);
  // A notice goes along with any licence.
  assert.deepEqual(choose([own('MIT', 'm'), own(undefined, 'n')]), [own('MIT', 'm'), own(undefined, 'n')]);
  const [{ id, text }] = choose([]);
  assert.equal(id, 'MIT');
  assert.match(text, /^Copyright \(c\) A\. Author$/m);
  assert.deepEqual(choose([], { licence: 'Apache-2.0' }), [own('Apache-2.0', APACHE)]);
});

test('a part without a licence, or without its text, stops the build', () => {
  const part = { name: 'p', authors: [], texts: [] };
  assert.throws(() => chooseLicences({ ...part, licence: null }, new Map()), /p has no licence/);
  assert.throws(
    () => chooseLicences({ ...part, licence: 'BSD-3-Clause' }, new Map()),
    /p is under BSD-3-Clause/,
  );
});

test('every part has a text, and every text its parts', () => {
  const collected = collect();
  const named = new Set(
    collected.groups.flatMap(({ parts }) => parts.map(({ name, version }) => `${name} ${version}`)),
  );
  for (const { name, version } of collected.parts) assert.ok(named.has(`${name} ${version}`), name);
  const texts = collected.groups.map(({ text }) => text.replace(/\s+/g, ' '));
  assert.equal(new Set(texts).size, texts.length);
  const names = new Set(collected.parts.map(({ name }) => name));
  for (const name of [
    'Rust standard library',
    'burn-tensor',
    'cubecl',
    'wgpu',
    'tokenizers',
    'hash-wasm',
    'marked',
  ])
    assert.ok(names.has(name), name);
  for (const name of names) assert.doesNotMatch(name, /^inshore/);
  for (const text of texts.slice(0, 5)) assert.ok(render(collected).replace(/\s+/g, ' ').includes(text));
});
