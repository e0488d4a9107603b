import { setFlagsFromString } from 'node:v8';
import { expect, test } from 'vitest';
import { hasRelaxedSimd } from './relaxed-simd';

// That Chromium has it, the tests of threads show: they run in that build.
test('a V8 whose first compiler leaves out the sum counts as one without', () => {
  // Behind a flag in Node 20, whose V8 has the fault; right from V8 12 on.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  expect(hasRelaxedSimd()).toBe(Number.parseInt(process.versions.v8, 10) >= 12);
});
