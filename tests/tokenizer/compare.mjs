// Compares the token ids of inshore-tokenizer with llama.cpp's, line by line.
//
//   node compare.mjs [--model FILE.gguf] [--encoder "CMD ARGS"] [--lines N] [--seed N] [--no-variants]
//
// The model is that of INSHORE_TEST_MODEL if not given. The encoder is started with a model file as its last argument,
// reads JSON lines {"text", "parse_special"} and prints a JSON array of ids for each; without one the example
// `encode_lines` is built. Every line is encoded with and without special tokens. Unless told otherwise, the vocabulary is
// also tried with each other pre-tokenizer, and rewritten as a SentencePiece-style one. Ends with 1 if anything differs.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { asSentencePiece, readMetadata, withPreTokenizer, writeMetadata } from './lib/gguf.mjs';
import { lines } from './lib/lines.mjs';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: process.env.INSHORE_TEST_MODEL },
    encoder: { type: 'string' },
    lines: { type: 'string', default: '2400' },
    seed: { type: 'string', default: '2505' },
    'no-variants': { type: 'boolean', default: false },
  },
});
if (!options.model) fail('name a model: --model FILE.gguf or INSHORE_TEST_MODEL');
if (!fs.existsSync(options.model)) fail(`${options.model} does not exist`);

const { getLlama, LlamaLogLevel } = await import('node-llama-cpp').catch(() => fail('run `npm run setup` in this folder first'));
const llama = await getLlama({ gpu: false, build: 'never', progressLogs: false, logLevel: LlamaLogLevel.disabled });
const encoder = options.encoder?.split(' ') ?? [buildEncoder()];
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'inshore-tokenizer-'));
let compared = 0;
let differing = 0;
try {
  await compare('as it is', path.resolve(options.model));
  const metadata = options['no-variants'] ? null : readMetadata(options.model);
  if (metadata?.get('tokenizer.ggml.model').value === 'gpt2') {
    for (const name of ['llama-bpe', 'qwen2', 'gpt-2', 'default', 'smollm', 'dbrx']) {
      if (name !== metadata.get('tokenizer.ggml.pre')?.value) await variant(name, withPreTokenizer(metadata, name));
    }
    await variant('sentencepiece', asSentencePiece(metadata));
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
console.log(`${compared} lines compared, ${differing} differ`);
console.log(`${compared - differing} passed, ${differing} failed`);
process.exit(differing === 0 ? 0 : 1);

/** Compares on a vocabulary-only file. */
async function variant(name, metadata) {
  const file = path.join(folder, `${name}.gguf`);
  writeMetadata(file, metadata);
  await compare(name, file);
  fs.rmSync(file);
}

/** Compares on one model file, with and without special tokens. */
async function compare(name, file) {
  const metadata = readMetadata(file);
  const types = metadata.get('tokenizer.ggml.token_type')?.value ?? [];
  const marked = metadata.get('tokenizer.ggml.tokens').value.filter((_, id) => [2, 3, 4].includes(types[id]?.readInt32LE()));
  const specials = [...new Set([...marked.slice(0, 64), '<|im_start|>', '<|im_end|>', '<|endoftext|>', '<s>', '</s>'])];
  const texts = lines({ seed: Number(options.seed), count: Number(options.lines), specials });
  const jobs = [true, false].flatMap((parseSpecial) => texts.map((line) => ({ ...line, parseSpecial })));

  const model = await llama.loadModel({ modelPath: file, gpuLayers: 0, vocabOnly: true });
  const theirs = jobs.map((job) => Array.from(model.tokenize(job.text, job.parseSpecial)));
  await model.dispose();

  const input = jobs.map((job) => `${JSON.stringify({ text: job.text, parse_special: job.parseSpecial })}\n`).join('');
  const run = spawnSync(encoder[0], [...encoder.slice(1), file], { input, encoding: 'utf8', maxBuffer: 1 << 30 });
  if (run.status !== 0) fail(`${encoder.join(' ')}: ${run.error ?? run.stderr}`);
  const ours = run.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
  if (ours.length !== jobs.length) fail(`the encoder answered ${ours.length} of ${jobs.length} lines`);

  let shown = 0;
  let here = 0;
  jobs.forEach((job, n) => {
    if (ours[n].length === theirs[n].length && ours[n].every((id, at) => id === theirs[n][at])) return;
    here += 1;
    if ((shown += 1) <= 5) {
      console.log(`  ${job.kind}, parse_special ${job.parseSpecial}: ${JSON.stringify(job.text)}`);
      console.log(`    inshore   ${JSON.stringify(ours[n])}\n    llama.cpp ${JSON.stringify(theirs[n])}`);
    }
  });
  compared += jobs.length;
  differing += here;
  const ids = theirs.reduce((sum, list) => sum + list.length, 0);
  console.log(`${name}: ${jobs.length} lines, ${ids} ids, ${here} differ (${run.stderr.trim().replaceAll('\n', '; ')})`);
}

/** Builds the example encoder and returns its path. */
function buildEncoder() {
  const root = path.resolve(import.meta.dirname, '../..');
  const args = ['build', '--release', '--message-format=json-render-diagnostics', '-p', 'inshore-tokenizer', '--example', 'encode_lines'];
  const run = spawnSync('cargo', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 28 });
  if (run.status !== 0) fail('the example encode_lines was not built');
  const artifacts = run.stdout.trim().split('\n').map((line) => JSON.parse(line));
  return artifacts.find((artifact) => artifact.target?.name === 'encode_lines' && artifact.executable).executable;
}

function fail(message) {
  console.error(message);
  process.exit(2);
}
