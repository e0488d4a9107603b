// Reads from the header how long a GGUF file must be: counts, metadata (skipped), and the tensor table. So a file that was cut
// short is found before it counts as ready. The engine reads headers with the crate `inshore-gguf`, which checks more; loading
// a WebAssembly module for this alone would be slower.
import { InshoreError } from '../error';
import { notGguf, startsLikeGguf } from './first-bytes';

/** Reads at most `length` bytes from `offset` on; fewer at the end of the file. */
export type ReadBytes = (offset: number, length: number) => Uint8Array | Promise<Uint8Array>;

const WINDOW_BYTES = 1 << 20;
/** Largest number that is taken for a version of the format. */
const MAX_PLAUSIBLE_VERSION = 99;
const MAX_ENTRIES = 65_536;
const MAX_KEY_BYTES = 65_535;
const MAX_TENSOR_NAME_BYTES = 512;
const MAX_ARRAY_DEPTH = 4;
/** Bytes of a value, by the code of its type; 0 for strings and arrays. */
const VALUE_BYTES = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
const STRING = 8;
const ARRAY = 9;
/** Smallest metadata entry: the length of its key, its type, one byte. */
const LEAST_ENTRY_BYTES = 13;
/** Smallest entry of the tensor table. */
const LEAST_TENSOR_BYTES = 32;

/** Values and bytes of a block, by the code of the tensor type, as in the table of `inshore-gguf`. */
export const BLOCKS: ReadonlyMap<number, readonly [values: number, bytes: number]> = new Map([
  [0, [1, 4]],
  [1, [1, 2]],
  [2, [32, 18]],
  [3, [32, 20]],
  [6, [32, 22]],
  [7, [32, 24]],
  [8, [32, 34]],
  [12, [256, 144]],
  [13, [256, 176]],
  [14, [256, 210]],
  [30, [1, 2]],
] as const);

/**
 * Checks that the file `name` of `size` bytes is a GGUF file with everything that its header describes. Unknown versions and
 * the lengths of tensors of unknown types are not checked: the engine decides whether it can use them.
 *
 * @throws InshoreError `not_gguf`, `truncated`, `invalid_gguf`
 */
export async function checkGguf(read: ReadBytes, size: number, name: string): Promise<void> {
  const header = new HeaderReader(read, size, name);
  const head = await read(0, Math.min(size, 64));
  if (size < 4 || !startsLikeGguf(head)) throw notGguf(head, name);
  header.skip(4);
  const version = await header.u32();
  if (version !== 2 && version !== 3) {
    // A later version is possible, but a number made of four ASCII letters is not one.
    if (isPlausible(version) || isPlausible(swapped(version))) return;
    throw header.invalid(`${version} is not a version of the format`);
  }
  const tensors = await header.u64();
  const entries = header.count(await header.u64(), LEAST_ENTRY_BYTES, MAX_ENTRIES, 'metadata entries');
  let alignment = 32;
  for (let entry = 0; entry < entries; entry++) alignment = (await readEntry(header)) ?? alignment;
  if (alignment <= 0 || !Number.isInteger(Math.log2(alignment)))
    throw header.invalid('its alignment is not a power of two');
  const end = await readTensors(header, tensors, alignment);
  const needed = Math.ceil(header.position / alignment) * alignment + end;
  if (needed > size) throw header.truncated(needed);
}

const isPlausible = (version: number): boolean => version >= 1 && version <= MAX_PLAUSIBLE_VERSION;

/** Swaps the byte order, as in files of big-endian machines. */
function swapped(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return view.getUint32(0, false);
}

/** Skips a metadata entry; returns its value if it is the alignment. */
async function readEntry(header: HeaderReader): Promise<number | undefined> {
  const key = await header.text(MAX_KEY_BYTES);
  const type = await header.u32();
  if (key !== 'general.alignment') {
    await skipValue(header, type, 1);
    return undefined;
  }
  const bytes = VALUE_BYTES[type] ?? 0;
  if (bytes === 0 || type === 6 || type === 7 || type === 12)
    throw header.invalid('its alignment is not an integer');
  return header.integer(bytes);
}

async function skipValue(header: HeaderReader, type: number, depth: number): Promise<void> {
  const bytes = VALUE_BYTES[type];
  if (bytes === undefined) throw header.invalid(`it has a value of unknown type ${type}`);
  if (type === STRING) return header.skip(await header.u64());
  if (type !== ARRAY) return header.skip(bytes);
  if (depth > MAX_ARRAY_DEPTH) throw header.invalid('its arrays are nested too deep');
  const elements = await header.u32();
  const count = await header.u64();
  const elementBytes = VALUE_BYTES[elements];
  if (elementBytes === undefined) throw header.invalid(`it has a value of unknown type ${elements}`);
  if (elementBytes > 0) return header.skip(count * elementBytes);
  header.count(count, elements === STRING ? 8 : 12, Number.POSITIVE_INFINITY, 'elements of an array');
  for (let element = 0; element < count; element++) await skipValue(header, elements, depth + 1);
}

/** Reads the tensor table; returns the end of the last tensor, counted from the start of the tensor data. */
async function readTensors(header: HeaderReader, claimed: number, alignment: number): Promise<number> {
  const count = header.count(claimed, LEAST_TENSOR_BYTES, MAX_ENTRIES, 'tensors');
  let end = 0;
  for (let tensor = 0; tensor < count; tensor++) {
    const name = await header.text(MAX_TENSOR_NAME_BYTES);
    const dimensions = await header.u32();
    if (dimensions < 1 || dimensions > 4) throw header.invalid(`tensor ${name} has ${dimensions} dimensions`);
    const shape: number[] = [];
    for (let at = 0; at < dimensions; at++) shape.push(await header.u64());
    const type = await header.u32();
    const offset = await header.u64();
    if (offset % alignment !== 0)
      throw header.invalid(`tensor ${name} does not start at a multiple of ${alignment}`);
    const [values, bytes] = BLOCKS.get(type) ?? [1, 0];
    const columns = shape[0] ?? 0;
    const total = shape.reduce((product, length) => product * length, bytes / values);
    if (shape.includes(0) || columns % values !== 0 || offset + total > Number.MAX_SAFE_INTEGER)
      throw header.invalid(`tensor ${name} has the impossible shape ${shape.join(' x ')}`);
    end = Math.max(end, offset + total);
  }
  return end;
}

/** Reads little-endian numbers and texts from a file, a window at a time. */
class HeaderReader {
  readonly #read: ReadBytes;
  readonly #size: number;
  readonly #name: string;
  #window = new Uint8Array(0);
  #windowStart = 0;
  /** The next byte, from the start of the file. */
  position = 0;

  constructor(read: ReadBytes, size: number, name: string) {
    this.#read = read;
    this.#size = size;
    this.#name = name;
  }

  skip(bytes: number): void {
    this.position += bytes;
    if (this.position > this.#size) throw this.truncated(this.position);
  }

  u32(): Promise<number> {
    return this.integer(4);
  }

  u64(): Promise<number> {
    return this.integer(8);
  }

  /** An unsigned number of 1, 2, 4 or 8 bytes. */
  async integer(bytes: number): Promise<number> {
    const view = await this.#take(bytes);
    let value = 0;
    for (let at = bytes - 1; at >= 0; at--) value = value * 256 + (view[at] ?? 0);
    if (!Number.isSafeInteger(value)) throw this.invalid('a number in its header is too large for any file');
    return value;
  }

  async text(limit: number): Promise<string> {
    const length = this.count(await this.u64(), 1, limit, 'bytes of a name');
    return new TextDecoder().decode(await this.#take(length));
  }

  /** Checks that `count` items of at least `bytes` each can be there. */
  count(count: number, bytes: number, limit: number, what: string): number {
    const end = this.position + count * bytes;
    if (!Number.isSafeInteger(end)) throw this.invalid(`${count} ${what} are too large for any file`);
    if (end > this.#size) throw this.truncated(end);
    if (count > limit) throw this.invalid(`it claims ${count} ${what}`);
    return count;
  }

  truncated(needed: number): InshoreError {
    return new InshoreError(
      'truncated',
      `${this.#name} is cut short: its header needs ${needed} bytes, it has ${this.#size}. It was not kept. Download it again; if it stays so, the server has a broken file.`,
    );
  }

  invalid(what: string): InshoreError {
    return new InshoreError(
      'invalid_gguf',
      `${this.#name} is damaged: ${what}. It was not kept. Download it again; if it stays so, the server has a broken file.`,
    );
  }

  async #take(bytes: number): Promise<Uint8Array> {
    const start = this.position;
    this.skip(bytes);
    if (start < this.#windowStart || this.position > this.#windowStart + this.#window.length) {
      this.#window = new Uint8Array(await this.#read(start, Math.max(bytes, WINDOW_BYTES)));
      this.#windowStart = start;
      // The file on disk is shorter than its reported size.
      if (this.#window.length < bytes) throw this.truncated(this.position);
    }
    return this.#window.subarray(start - this.#windowStart, this.position - this.#windowStart);
  }
}
