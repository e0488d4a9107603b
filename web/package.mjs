// Builds the npm package's code from `src/` into `../pkg/dist`: ES modules, workers as files of their own, declarations.
// What a user's bundler has to see stays literal: `new Worker(new URL('./x.js', import.meta.url), …)`, and the same for wasm.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { ENGINE_BUILDS, filesOf, missingFiles, ROUTE } from './modules.mjs';
import { writeNotices } from './notices.mjs';

const WEB = import.meta.dirname;
const SRC = join(WEB, 'src');
const PKG = resolve(WEB, '../pkg');
const DIST = join(PKG, 'dist');

/** What users import: entry of `exports`, and its source. */
const ENTRIES = {
  index: 'sdk/index.ts',
  openai: 'openai/index.ts',
  'language-model': 'openai/language-model.ts',
  contract: 'sdk/contract.ts',
};

/** What a browser starts by itself. */
const WORKERS = {
  'engine-worker': 'engine/worker.ts',
  'engine-shared-worker': 'engine/shared-worker.ts',
  'store-worker': 'store/worker.ts',
};

/** The JavaScript of wasm-bindgen goes into the code; the modules stay where they are, beside it. */
const WASM = Object.fromEntries(
  [...Object.values(ENGINE_BUILDS), ROUTE].flatMap((module) => {
    const [glue, bytes] = filesOf(module);
    return [
      [module.specifier, glue],
      [`${module.specifier}-bytes?url`, bytes],
    ];
  }),
);

/** Before the name of a module whose address a module of the package is. */
const ADDRESS_OF = '\0address-of-';

const wasm = {
  name: 'inshore-wasm',
  resolveId(id) {
    if (!(id in WASM)) return null;
    return id.endsWith('?url') ? `${ADDRESS_OF}${WASM[id]}` : join(PKG, 'wasm', WASM[id]);
  },
  load(id) {
    if (!id.startsWith(ADDRESS_OF)) return null;
    const file = id.slice(ADDRESS_OF.length);
    // A call that is marked as pure: an address nobody asks for leaves no trace in a user's bundle.
    return `export default /* @__PURE__ */ (() => new URL('../wasm/${file}', import.meta.url).href)();`;
  },
};

const workers = {
  name: 'inshore-workers',
  transform(code, id) {
    if (!code.includes('import.meta.url')) return null;
    return code.replace(/new URL\('(\.[^']+\.ts)', import\.meta\.url\)/g, (_, path) => {
      const source = relative(SRC, resolve(dirname(id), path)).replaceAll('\\', '/');
      const worker = Object.keys(WORKERS).find((name) => WORKERS[name] === source);
      if (worker === undefined) throw new Error(`${source} is not a worker that package.mjs knows`);
      return `new URL('./${worker}.js', import.meta.url)`;
    });
  },
};

async function buildCode() {
  const input = Object.fromEntries(
    Object.entries({ ...ENTRIES, ...WORKERS }).map(([name, source]) => [name, join(SRC, source)]),
  );
  const bundle = await rolldown({
    input,
    platform: 'browser',
    plugins: [wasm, workers],
    transform: { define: { __ENGINE_BUILDS__: JSON.stringify(Object.keys(ENGINE_BUILDS)) } },
    preserveEntrySignatures: 'strict',
    onLog(level, log, report) {
      if (level === 'warn') throw new Error(`rolldown: ${log.message}`);
      report(level, log);
    },
  });
  try {
    // All in one folder: the addresses of workers and wasm are relative to the file that names them.
    await bundle.write({ dir: DIST, format: 'es', chunkFileNames: '[name].js' });
  } finally {
    await bundle.close();
  }
}

/** Declarations of what the entries reach, and nothing else; their specifiers with extensions, as Node's resolution wants. */
function buildTypes() {
  const types = join(DIST, 'types');
  const emitted = join(WEB, 'node_modules/.inshore-types');
  rmSync(emitted, { recursive: true, force: true });
  const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  const args = [tsc, '-p', 'tsconfig.package.json', '--outDir', emitted];
  const { status } = spawnSync(process.execPath, args, { cwd: WEB, stdio: 'inherit' });
  if (status !== 0) throw new Error('tsc found errors; they are above');
  const open = Object.values(ENTRIES).map((source) => source.replace(/\.ts$/, '.d.ts'));
  const done = new Set();
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (done.has(file)) continue;
    done.add(file);
    const text = readFileSync(join(emitted, file), 'utf8').replace(
      /(from |import\()(['"])(\.[^'"]+)\2/g,
      (_, before, quote, path) => {
        const target = declarationOf(emitted, join(dirname(file), path));
        open.push(target);
        const specifier = relative(dirname(file), target)
          .replaceAll('\\', '/')
          .replace(/\.d\.ts$/, '.js');
        return `${before}${quote}${specifier.startsWith('.') ? specifier : `./${specifier}`}${quote}`;
      },
    );
    const stray = /(?:from |import\()['"]#[^'"]+/.exec(text);
    if (stray !== null) throw new Error(`${file} shows users ${stray[0]}`);
    mkdirSync(join(types, dirname(file)), { recursive: true });
    writeFileSync(join(types, file), text);
  }
  rmSync(emitted, { recursive: true });
}

function declarationOf(root, path) {
  const found = [`${path}.d.ts`, join(path, 'index.d.ts')].find((file) => existsSync(join(root, file)));
  if (found === undefined) throw new Error(`there is no declaration of ${path}`);
  return found;
}

const missing = missingFiles(join(PKG, 'wasm'));
if (missing.length > 0)
  throw new Error(`pkg/wasm lacks ${missing.join(', ')}; run \`cargo xtask wasm\` first`);
rmSync(DIST, { recursive: true, force: true });
await buildCode();
buildTypes();
for (const licence of ['LICENSE-MIT', 'LICENSE-APACHE'])
  copyFileSync(join(WEB, '..', licence), join(PKG, licence));
writeNotices(PKG);
