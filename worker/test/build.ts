import { execFileSync } from 'node:child_process';

/** Builds both bundles before the first test: what is tested is what is deployed. */
export default function setup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], {
    cwd: new URL('..', import.meta.url),
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
}
