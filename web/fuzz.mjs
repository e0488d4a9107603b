/** Runs the fuzz target of streams: `npm run fuzz -- --seconds 600 --seed 1`. Exits with 1 where a property fails. */
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(seconds >= 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write('Write --seconds as a number and --seed as an integer.\n');
  process.exit(2);
}

// Beside the sources' folder, where the table of streams is found by a relative path.
const dir = resolve(import.meta.dirname, 'node_modules/.fuzz/protocol');
mkdirSync(dir, { recursive: true });
const file = resolve(dir, 'streams.fuzz.mjs');
const bundle = await rolldown({
  input: resolve(import.meta.dirname, 'src/protocol/streams.fuzz.ts'),
  platform: 'node',
  transform: {
    define: {
      'import.meta.url': JSON.stringify(
        pathToFileURL(resolve(import.meta.dirname, 'src/protocol/streams.fuzz.ts')).href,
      ),
    },
  },
});
await bundle.write({ file, format: 'esm' });
const { fuzz } = await import(pathToFileURL(file).href);
try {
  process.stdout.write(`streams: fuzzing for ${seconds} s from seed ${seed}\n`);
  fuzz({ seconds, seed, report: (line) => process.stdout.write(`${line}\n`) });
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
