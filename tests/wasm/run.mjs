// Runs tests built for WebAssembly in Node's WASI, for `cargo test --target wasm32-wasip1`: node run.mjs PROGRAM [ARGUMENT]...

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { WASI } from 'node:wasi';

/** A module with one function of relaxed SIMD: `f32x4.relaxed_madd`. */
const RELAXED = Uint8Array.of(
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 8, 1, 0x60, 3, 0x7b, 0x7b, 0x7b, 1, 0x7b], // type: three vectors to one
  ...[3, 2, 1, 0],
  ...[10, 13, 1, 11, 0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfd, 0x85, 2, 0x0b],
);

// Node's fast calls into WASI corrupt the heap (nodejs/node issues 46777 and 53087): every second run ended in a crash.
setFlagsFromString('--no-turbo-fast-api-calls');
// Node 20 has the instructions behind a flag, which later versions do not know.
if (!WebAssembly.validate(RELAXED)) setFlagsFromString('--experimental-wasm-relaxed-simd');
// V8 11's first compiler (11.3 and 11.8 were tried, 12.4 is right) makes wrong code of the relaxed dot product of bytes.
if (Number.parseInt(process.versions.v8, 10) < 12) setFlagsFromString('--no-liftoff');

const [program, ...args] = process.argv.slice(2);
// A panic ends the program, and with it what the test runner had kept of its output.
if (!args.includes('--nocapture')) args.push('--nocapture');
// Paths of sources, where proptest looks for cases that once failed, begin at the workspace.
const preopens = { '/': fileURLToPath(new URL('../..', import.meta.url)) };
const wasi = new WASI({ version: 'preview1', args: [program, ...args], env: process.env, preopens, returnOnExit: true });
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
try {
  process.exitCode = wasi.start(instance);
} catch (error) {
  console.error(`${program}: ${error.message}`);
  process.exitCode = 101;
}
