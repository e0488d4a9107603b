// What every runner shares: its options in, one line per measurement out.
import { readFileSync } from 'node:fs';

/** The options that `cargo xtask bench` wrote into the file of the first argument (crates/xtask/src/bench/runner.rs). */
export function readOptions() {
  const path = process.argv[2];
  if (!path) throw new Error('usage: node RUNNER.mjs OPTIONS.json; `cargo xtask bench` writes that file');
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Prints one measurement; its fields are those of `Measurement` in crates/xtask/src/bench/measurement.rs. */
export function report(measurement) {
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}

/** The speed part of a measurement, from when each token came (milliseconds since the request). */
export function speeds(prompt, times) {
  return {
    prompt: prompt.name,
    prompt_tokens: prompt.ids.length,
    generated_tokens: times.length,
    ttft_ms: times[0],
    decode_ms: times.at(-1) - times[0],
  };
}

/** Runs `work`, at most `limitS` seconds: a runner that is killed from outside would leave its browser behind. */
export async function within(limitS, work) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${limitS} s`)), limitS * 1000);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a runner's `main` and turns what it throws into one line on standard error and a status. */
export async function runMain(main) {
  try {
    await main(readOptions());
    process.exit(0);
  } catch (error) {
    process.stderr.write(`${error.message.split('\n').slice(0, 6).join('\n')}\n`);
    process.exit(1);
  }
}

/** The version of an installed package of this folder. */
export function versionOf(name) {
  const path = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return `${name} ${JSON.parse(readFileSync(path, 'utf8')).version}`;
}
