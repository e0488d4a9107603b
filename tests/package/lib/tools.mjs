// The TypeScript and the bundler of `web/`, for projects of the tests.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const web = createRequire(resolve(import.meta.dirname, '../../../web/package.json'));
const TSC = join(dirname(web.resolve('typescript/package.json')), 'bin/tsc');

/** Checks `files` of `folder`, as strictly as TypeScript can; its complaints are the error's message. */
export function typecheck(folder, files, options) {
  const compilerOptions = {
    target: 'es2022',
    lib: ['es2023', 'dom', 'dom.iterable', 'dom.asynciterable'],
    types: [],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    ...options,
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  try {
    execFileSync(process.execPath, [TSC, '-p', 'tsconfig.json'], {
      cwd: folder,
      encoding: 'utf8',
      stdio: 'pipe',
    });
  } catch (error) {
    throw new Error(`tsc:\n${error.stdout}${error.stderr}`);
  }
}

/** What rolldown leaves of a module with this text, as one file. */
export async function bundle(folder, text) {
  const { rolldown } = await import(pathToFileURL(web.resolve('rolldown')).href);
  const input = join(folder, 'bundle.mjs');
  writeFileSync(input, text);
  const build = await rolldown({ input, platform: 'browser' });
  const { output } = await build.generate({ format: 'es', comments: false });
  await build.close();
  return output
    .map((chunk) => chunk.code ?? '')
    .join('')
    .replace(/^\/\/#.*$/gm, '');
}
