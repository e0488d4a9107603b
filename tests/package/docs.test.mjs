// Code in the docs works: every TypeScript and JavaScript block compiles against the package as installed, with the clients'
// own types, and every command exists, with its options. A block of another kind is checked too, or the test fails.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { blocksOf, commandsOf, pagesOf, proseOf, splitCommands } from './lib/markdown.mjs';
import { Workbench } from './lib/tarball.mjs';
import { typecheck } from './lib/tools.mjs';

const ROOT = resolve(import.meta.dirname, '../..');
const CLIENTS = join(ROOT, 'tests/frameworks/node_modules');
const PAGES = pagesOf(ROOT);
const read = (page) => readFileSync(join(ROOT, page), 'utf8');
const BLOCKS = PAGES.flatMap((page) => blocksOf(read(page)).map((block) => ({ ...block, page })));
const placeOf = ({ page, line }) => `${page}:${line}`;

const workbench = new Workbench();
after(() => workbench.remove());

test('every block is of a kind that is checked', () => {
  assert.ok(
    PAGES.includes('README.md') && PAGES.includes('worker/README.md') && PAGES.includes('pkg/README.md'),
  );
  const checked = new Set(['ts', 'js', 'console', 'sh', 'http', 'json']);
  const others = BLOCKS.filter(({ language }) => !checked.has(language));
  assert.deepEqual(
    others.map((block) => `${placeOf(block)} ${block.language}`),
    [],
  );
});

test('every TypeScript and JavaScript block compiles', () => {
  const project = workbench.project('docs');
  const files = ['instance.d.ts'];
  // Blocks that do not create one speak of an instance that is there.
  writeFileSync(join(project, 'instance.d.ts'), "declare const inshore: import('inshore').Inshore;\n");
  for (const block of BLOCKS.filter(({ language }) => language === 'ts' || language === 'js')) {
    const file = `${placeOf(block).replaceAll(/[/.:]/g, '-')}.ts`;
    writeFileSync(join(project, file), `${block.code}\nexport {};\n`);
    files.push(file);
  }
  assert.ok(files.length > 20, `${files.length} blocks`);
  files.push(join(ROOT, 'examples/vite/src/main.ts'));
  const paths = {
    inshore: [join(project, 'node_modules/inshore/dist/types/sdk/index.d.ts')],
    '*': [`${CLIENTS}/*`],
  };
  typecheck(project, files, { module: 'esnext', moduleResolution: 'bundler', skipLibCheck: true, paths });
});

test('every JSON block is JSON, and every HTTP block a list of headers', () => {
  for (const block of BLOCKS) {
    if (block.language === 'json') assert.doesNotThrow(() => JSON.parse(block.code), placeOf(block));
    if (block.language !== 'http') continue;
    for (const line of block.code.trim().split('\n')) assert.match(line, /^[\w-]+: \S.*$/, placeOf(block));
  }
});

/** What a command of ours says about itself; undefined where it does not exist. */
function helpOf(binary, words) {
  try {
    return execFileSync(binary, [...words, '--help'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch {
    return undefined;
  }
}

/** Checks a command of ours against its help, where there is a binary to ask. The first words name the subcommand. */
function checkOptions(binary, words, where) {
  if (binary === undefined) return;
  const named = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
  const help = helpOf(binary, named < 0 ? words : words.slice(0, named));
  assert.ok(help !== undefined, `${where}: there is no command ${words.join(' ')}`);
  for (const word of words) {
    const option = /^--[a-z][a-z-]*/.exec(word)?.[0];
    if (option !== undefined)
      assert.match(help, new RegExp(`${option}\\b(?!-)`), `${where}: ${words.join(' ')}`);
  }
}

/** The npm scripts that a page beside a package.json can name. */
function checkNpmScript(page, words, where) {
  const [verb, name] =
    words[1] === 'run' ? [words[1], words.filter((word) => !word.startsWith('-'))[2]] : [words[1]];
  const script = verb === 'run' ? name : verb === 'test' || verb === 'start' ? verb : undefined;
  if (script === undefined) return;
  const manifest = JSON.parse(read(join(dirname(page), 'package.json')));
  assert.ok(script in (manifest.scripts ?? {}), `${where}: there is no npm script ${script}`);
}

/** Programs that are not ours: their options are theirs to document. */
const FOREIGN = new Set([
  'npm',
  'npx',
  'node',
  'curl',
  'cargo',
  'export',
  'pip',
  'python3',
  'openssl',
  'git',
  'cd',
  'rustup',
]);

function checkCommand(page, words, where) {
  const { INSHORE_BIN, INSHORE_XTASK_BIN } = process.env;
  const [program, ...rest] = words;
  const name = program.split('/').at(-1);
  if (name === 'inshore') return checkOptions(INSHORE_BIN, rest, where);
  if (name === 'cargo' && rest[0] === 'xtask') return checkOptions(INSHORE_XTASK_BIN, rest.slice(1), where);
  assert.ok(FOREIGN.has(name) || /^[A-Z_]+=/.test(program), `${where}: ${program} is not a known command`);
  if (name === 'npm') checkNpmScript(page, words, where);
}

test('every command of a console or shell block exists, with its options', () => {
  const blocks = BLOCKS.filter(({ language }) => language === 'console' || language === 'sh');
  assert.ok(blocks.length > 8, `${blocks.length} blocks`);
  for (const block of blocks) {
    for (const words of commandsOf(block)) checkCommand(block.page, words, placeOf(block));
  }
});

test('every command that is named in a line exists, with its options', () => {
  let count = 0;
  // The changelog speaks of what was.
  for (const page of PAGES.filter((page) => page !== 'CHANGELOG.md')) {
    for (const [, code] of proseOf(read(page)).matchAll(/`((?:cargo xtask|inshore) [a-z][^`]*)`/g)) {
      count += 1;
      const [words] = splitCommands(code.replaceAll('…', ''));
      checkCommand(page, words, `${page}: ${code}`);
    }
  }
  assert.ok(count > 10, `${count} commands`);
});

test('a line of a shell is split as a shell would', () => {
  assert.deepEqual(splitCommands('a --b "c d" | e && f # g'), [['a', '--b', 'c d'], ['e'], ['f']]);
  assert.deepEqual(splitCommands("x='1 | 2' y#z"), [['x=1 | 2', 'y#z']]);
  assert.deepEqual(splitCommands('# nothing'), []);
  const block = { language: 'console', code: '$ a \\\n  -b\noutput\n$ c\n' };
  assert.deepEqual(commandsOf(block), [['a', '-b'], ['c']]);
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
