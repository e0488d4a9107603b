/** `(a, b, sum) => i32x4.relaxed_dot_i8x16_i7x16_add_s(splat a, splat b, splat sum)[0]`, exported as `dot`. */
const MODULE = [
  ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
  ...[1, 8, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f],
  ...[3, 2, 1, 0],
  ...[7, 7, 1, 3, 0x64, 0x6f, 0x74, 0, 0],
  ...[10, 22, 1, 20, 0],
  ...[0x20, 0, 0xfd, 0x11, 0x20, 1, 0xfd, 0x11, 0x20, 2, 0xfd, 0x11],
  ...[0xfd, 0x93, 2, 0xfd, 0x1b, 0, 0x0b],
];

/**
 * Whether the browser multiplies bytes at once (relaxed SIMD), and gets it right: the first tier of V8's compiler, from
 * Chrome 114 on for some ten versions, leaves out the sum. Asked once: a later tier would hide it.
 */
export function hasRelaxedSimd(): boolean {
  found ??= multipliesBytes();
  return found;
}

let found: boolean | undefined;

function multipliesBytes(): boolean {
  try {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(MODULE)));
    const dot = exports.dot as (a: number, b: number, sum: number) => number;
    return dot(0x01020304, 0x01010101, 1000) === 1010;
  } catch {
    return false;
  }
}
