// Reads and writes the metadata of GGUF files: enough to make vocabulary-only variants of a model.
// Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import fs from 'node:fs';

const STRING = 8;
const ARRAY = 9;
const SIZES = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

/**
 * @typedef {{ type: number, value: unknown, of?: number }} Entry One value; scalars are kept as bytes.
 * @param {string} path
 * @returns {Map<string, Entry>}
 */
export function readMetadata(path) {
  const file = fs.openSync(path, 'r');
  const bytes = Buffer.alloc(Math.min(fs.fstatSync(file).size, 64 << 20));
  fs.readSync(file, bytes, 0, bytes.length, 0);
  fs.closeSync(file);
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') throw new Error(`${path} is not a GGUF file`);
  let at = 16;
  const u32 = () => bytes.readUInt32LE((at += 4) - 4);
  const u64 = () => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const string = () => {
    const length = u64();
    return bytes.toString('utf8', at, (at += length));
  };
  const value = (type) => {
    if (type === STRING) return { type, value: string() };
    if (type !== ARRAY) return { type, value: bytes.subarray(at, (at += SIZES[type])) };
    const of = u32();
    const length = u64();
    return { type, of, value: Array.from({ length }, () => value(of).value) };
  };
  const count = u64();
  const metadata = new Map();
  for (let n = 0; n < count; n += 1) {
    const key = string();
    metadata.set(key, value(u32()));
  }
  return metadata;
}

/** Writes a GGUF file without tensors. */
export function writeMetadata(path, metadata) {
  const parts = [];
  const u32 = (n) => {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(n);
    parts.push(b);
  };
  const u64 = (n) => {
    const b = Buffer.alloc(8);
    b.writeBigUInt64LE(BigInt(n));
    parts.push(b);
  };
  const string = (text) => {
    const b = Buffer.from(text, 'utf8');
    u64(b.length);
    parts.push(b);
  };
  const scalar = (type, value) => (type === STRING ? string(value) : parts.push(value));
  parts.push(Buffer.from('GGUF'));
  u32(3);
  u64(0);
  u64(metadata.size);
  for (const [key, { type, of, value }] of metadata) {
    string(key);
    u32(type);
    if (type === ARRAY) {
      u32(of);
      u64(value.length);
      for (const element of value) scalar(of, element);
    } else {
      scalar(type, value);
    }
  }
  fs.writeFileSync(path, Buffer.concat(parts));
}

const i32 = (n) => {
  const b = Buffer.alloc(4);
  b.writeInt32LE(n);
  return b;
};
const f32 = (x) => {
  const b = Buffer.alloc(4);
  b.writeFloatLE(x);
  return b;
};

/** The metadata with another pre-tokenizer name. */
export function withPreTokenizer(metadata, name) {
  return new Map(metadata).set('tokenizer.ggml.pre', { type: STRING, value: name });
}

/** A SentencePiece-style vocabulary with the pieces of a byte-level one: spaces as U+2581, scores by rank. */
export function asSentencePiece(metadata) {
  const letters = byteLetters();
  const seen = new Set();
  const tokens = [];
  const add = (text, type) => {
    if (text === '' || seen.has(text)) return;
    seen.add(text);
    tokens.push({ text, type });
  };
  add('<unk>', 2);
  add('<s>', 3);
  add('</s>', 3);
  for (let byte = 0; byte < 256; byte += 1) add(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 6);
  for (const name of ['<|im_start|>', '<|im_end|>']) add(name, 3);
  add('<mark>', 4);
  for (const token of metadata.get('tokenizer.ggml.tokens').value) {
    const bytes = Buffer.from([...token].map((letter) => letters.get(letter) ?? 0));
    const text = bytes.toString('utf8');
    if (text.includes('\ufffd') || text.includes('\0')) continue;
    add(text.replaceAll(' ', '\u2581'), 1);
  }
  const out = new Map(metadata);
  for (const key of ['merges', 'pre', 'add_bos_token', 'add_space_prefix', 'padding_token_id']) out.delete(`tokenizer.ggml.${key}`);
  out.set('tokenizer.ggml.model', { type: STRING, value: 'llama' });
  out.set('tokenizer.ggml.tokens', { type: ARRAY, of: STRING, value: tokens.map((token) => token.text) });
  out.set('tokenizer.ggml.token_type', { type: ARRAY, of: 5, value: tokens.map((token) => i32(token.type)) });
  // Every fourth score repeats the one before, so that ties are decided too.
  out.set('tokenizer.ggml.scores', { type: ARRAY, of: 6, value: tokens.map((_, id) => f32(-(id - (id % 4 === 3 ? 1 : 0)))) });
  for (const [key, id] of [['bos', 1], ['eos', 2], ['unknown', 0]]) {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(id);
    out.set(`tokenizer.ggml.${key}_token_id`, { type: 4, value: b });
  }
  return out;
}

/** GPT-2's alphabet: the byte of each letter. */
function byteLetters() {
  const letters = new Map();
  let shifted = 0x100;
  for (let byte = 0; byte < 256; byte += 1) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad);
    letters.set(String.fromCodePoint(printable ? byte : shifted++), byte);
  }
  return letters;
}
