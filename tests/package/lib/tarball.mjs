// The package as `npm pack` makes it, and fresh projects that install it.
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../../..');
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm';
const BUILT = new Set(['node_modules', 'dist', 'build', '.next', 'package-lock.json']);

/** Runs npm in `folder`; what it printed is the error's message where it fails. */
export function npm(folder, args, env = {}) {
  try {
    const options = { cwd: folder, env: { ...process.env, ...env }, encoding: 'utf8', stdio: 'pipe' };
    return execFileSync(NPM, args, options);
  } catch (error) {
    throw new Error(`npm ${args.join(' ')} failed in ${folder}:\n${error.stdout}\n${error.stderr}`);
  }
}

/** A folder for throw-away projects, with the package's tarball in it. */
export class Workbench {
  #folder = mkdtempSync(join(tmpdir(), 'inshore-package-'));

  constructor() {
    const [{ filename, files }] = JSON.parse(
      npm(join(ROOT, 'pkg'), ['pack', '--json', '--loglevel=error', '--pack-destination', this.#folder]),
    );
    this.tarball = join(this.#folder, filename);
    this.files = files;
  }

  /** A fresh copy of an example of this repository, with the tarball and the example's own packages installed. */
  example(name) {
    const folder = join(this.#folder, name);
    const isSource = (path) => !path.split(/[\\/]/).some((part) => BUILT.has(part));
    cpSync(join(ROOT, 'examples', name), folder, { recursive: true, filter: isSource });
    return this.#install(folder, JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')));
  }

  /** An empty project with the tarball installed. */
  project(name) {
    const folder = mkdtempSync(join(this.#folder, `${name}-`));
    return this.#install(folder, { name, private: true, type: 'module', dependencies: {} });
  }

  remove() {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #install(folder, manifest) {
    manifest.dependencies.inshore = `file:${this.tarball}`;
    writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    npm(folder, ['install', '--prefer-offline', '--ignore-scripts', ...quiet]);
    return folder;
  }
}
