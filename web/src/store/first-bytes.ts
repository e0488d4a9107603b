import { InshoreError } from '../error';

/** Bytes of a body that are enough to identify it. */
export const HEAD_BYTES = 64;
const SHOWN_BYTES = 40;
const MAGIC = [0x47, 0x47, 0x55, 0x46];
const CHECK_ADDRESS = 'Check the address, or use another one.';
const SERVER_ERROR = 'The server reports an error this way: check the address and your access to it.';

/** Whether the first bytes can be those of a GGUF file. With fewer than four bytes, compares only those. */
export function startsLikeGguf(head: Uint8Array): boolean {
  return MAGIC.every((byte, index) => index >= head.length || head[index] === byte);
}

/** Identifies a body by its first bytes, with advice for the user. */
export function describeBody(head: Uint8Array): { kind: string; advice: string } {
  const text = new TextDecoder('utf-8').decode(head).trimStart().toLowerCase();
  const starts = (...prefix: number[]): boolean => prefix.every((byte, index) => head[index] === byte);
  if (head.length === 0) return { kind: 'nothing (an empty body)', advice: 'Try again later.' };
  if (text.startsWith('<?xml')) return { kind: 'an XML document', advice: SERVER_ERROR };
  if (text.startsWith('<'))
    return {
      kind: 'an HTML page',
      advice: 'The model may be gated, it may need a login, or the address may be wrong.',
    };
  if (text.startsWith('version https://git-lfs') || text.startsWith('oid sha256:'))
    return {
      kind: 'a Git LFS pointer',
      advice: 'The address is that of the pointer, not of the model: use the `resolve` address of the hub.',
    };
  if (text.startsWith('{') || text.startsWith('[')) return { kind: 'JSON', advice: SERVER_ERROR };
  if (starts(0x1f, 0x8b) || starts(0x28, 0xb5, 0x2f, 0xfd))
    return { kind: 'compressed data', advice: 'Unpack the file on the server.' };
  if (starts(0x50, 0x4b, 3, 4)) return { kind: 'a zip archive', advice: 'Use the GGUF file itself.' };
  if (head[8] === 0x7b)
    return { kind: 'probably a safetensors file', advice: 'Convert the model to GGUF first.' };
  if (['lmgg', 'fmgg', 'tjgg', 'algg'].some((magic) => text.startsWith(magic)))
    return { kind: 'a GGML file older than GGUF', advice: 'Convert the model with a current tool.' };
  const isText = head.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || byte === 9 || byte === 10 || byte === 13,
  );
  return { kind: isText ? 'text' : 'other data', advice: CHECK_ADDRESS };
}

/** Creates the error for a body or file that is not a model; names what it is instead. */
export function notGguf(head: Uint8Array, from: string): InshoreError {
  const { kind, advice } = describeBody(head.subarray(0, HEAD_BYTES));
  return new InshoreError(
    'not_gguf',
    `${from} holds ${kind} (first bytes ${JSON.stringify(shown(head))}) instead of a GGUF model. Nothing of it is kept. ${advice}`,
  );
}

/** The first bytes as printable characters. */
function shown(head: Uint8Array): string {
  const printable = (byte: number): string =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : byte === 10 ? ' ' : '.';
  return Array.from(head.subarray(0, SHOWN_BYTES), printable).join('');
}
