// Writes `../pkg/THIRD-PARTY-NOTICES.txt`: whose code is in the package's modules and JavaScript, with the texts of their
// licences, read from the sources on disk. A part without a licence that is known stops the build.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { chooseLicences, classify, LICENCE_FILES } from './licences.mjs';

const WEB = import.meta.dirname;
const ROOT = resolve(WEB, '..');
const TARGET = 'wasm32-unknown-unknown';

/** What the modules are built from, with all features of all builds. */
const CRATES = ['inshore-wasm', 'inshore-route-wasm'];
const FEATURES = ['gpu', 'relaxed-simd', 'threads'].map((feature) => `inshore-wasm/${feature}`);

const RULE = '='.repeat(100);

function cargo(args) {
  const options = { cwd: ROOT, encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] };
  return execFileSync('cargo', [...args, '--locked'], options);
}

/** Crates that are compiled into a module: no build scripts, no macros, none of our own. */
function crates() {
  const tree = cargo([
    'tree',
    ...CRATES.flatMap((name) => ['-p', name]),
    ...['-e', 'normal,no-proc-macro', '--target', TARGET, '--prefix', 'none', '--format', '{p}'],
    ...['--no-default-features', '--features', FEATURES.join(',')],
  ]);
  const wanted = new Set(
    [...tree.matchAll(/^([\w-]+) v(\S+)/gm)].map(([, name, version]) => `${name} ${version}`),
  );
  const metadata = JSON.parse(cargo(['metadata', '--format-version', '1', '--filter-platform', TARGET]));
  return metadata.packages
    .filter(({ name, version, source }) => source !== null && wanted.has(`${name} ${version}`))
    .map(({ name, version, license, license_file, authors, repository, manifest_path }) => ({
      name,
      version,
      licence: license,
      licenceFile: license_file,
      authors,
      source: repository ?? `https://crates.io/crates/${name}`,
      folder: dirname(manifest_path),
    }));
}

/** npm packages that are bundled into the code. */
function npmPackages() {
  const require = createRequire(join(WEB, 'package.json'));
  const { dependencies } = JSON.parse(readFileSync(join(WEB, 'package.json'), 'utf8'));
  return Object.keys(dependencies).map((name) => {
    const folder = require.resolve
      .paths(name)
      .map((path) => join(path, name))
      .find(isFolder);
    if (folder === undefined)
      throw new Error(`the package ${name} is not installed; run npm install in web/`);
    const { version, license, author, repository } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    );
    const authors = [typeof author === 'object' ? author.name : author].filter(Boolean);
    const address = typeof repository === 'object' ? repository.url : repository;
    const source = address?.includes('://')
      ? address.replace(/^git\+/, '').replace(/^ssh:\/\/git@/, 'https://')
      : `https://www.npmjs.com/package/${name}`;
    return { name, version, licence: license, authors, source, folder };
  });
}

const isFolder = (path) => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Rust's own library, which every module holds. */
const RUST = {
  name: 'Rust standard library',
  version: '',
  licence: 'MIT OR Apache-2.0',
  authors: ['The Rust Project Developers'],
  source: 'https://github.com/rust-lang/rust',
  folder: undefined,
};

/** The texts that a part brings along: `{ id, text }`; `id` is undefined for a notice that is not a licence. */
function textsOf({ folder, licenceFile }) {
  if (folder === undefined) return [];
  const files = readdirSync(folder).filter((file) => LICENCE_FILES.test(file));
  if (licenceFile) files.push(licenceFile);
  return (
    [...new Set(files)]
      .map((file) => join(folder, file))
      .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile())
      .map((file) => readFileSync(file, 'utf8'))
      // Packed on a system without links, a link is a file with its target's path.
      .filter((text) => !/^[\w./-]+$/.test(text.trim()))
      .map((text) => ({ id: classify(text), text: tidy(text) }))
  );
}

const tidy = (text) =>
  text
    .replaceAll('\r\n', '\n')
    .replace(/[ \t]+$/gm, '')
    .trim();

/** Parts with their licences' texts, grouped by text: most of Apache-2.0's are the same. */
export function collect() {
  const parts = [RUST, ...crates(), ...npmPackages()].map((part) => ({ ...part, texts: textsOf(part) }));
  const standard = new Map(parts.flatMap(({ texts }) => texts.map(({ id, text }) => [id, text])));
  standard.set('Apache-2.0', tidy(readFileSync(join(ROOT, 'LICENSE-APACHE'), 'utf8')));
  const groups = new Map();
  for (const part of parts) {
    for (const { id, text } of chooseLicences(part, standard)) {
      const key = text.replace(/\s+/g, ' ');
      const group = groups.get(key) ?? { id, text, parts: [] };
      group.parts.push(part);
      groups.set(key, group);
    }
  }
  return { parts, groups: [...groups.values()] };
}

const nameOf = ({ name, version }) => [name, version].filter(Boolean).join(' ');

/** The file's text. */
export function render({ parts, groups }) {
  const lines = [
    'inshore: third-party notices',
    '',
    `The modules and the JavaScript of this package hold code of ${parts.length} others. Each is named here with where its`,
    'source is; the texts of the licences follow.',
    '',
    ...parts.map((part) => `${nameOf(part)} (${part.licence}): ${part.source}`),
  ];
  for (const group of groups) {
    lines.push(
      '',
      RULE,
      `${group.id ?? 'Notice'}, of: ${group.parts.map(nameOf).join(', ')}`,
      RULE,
      '',
      group.text,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** Writes the file beside the package's README. */
export function writeNotices(folder) {
  writeFileSync(join(folder, 'THIRD-PARTY-NOTICES.txt'), render(collect()));
}

if (process.argv[1] === import.meta.filename) writeNotices(resolve(WEB, '../pkg'));
