import { describe, expect, it } from 'vitest';
import { type Build, cpuBuild, requireGpuBuild } from './builds';

const ALL: Build[] = ['gpu', 'threads', 'relaxed', 'cpu'];
const EVERYTHING = { relaxedSimd: true, threads: true };

describe('a page with some of the modules', () => {
  it.each<[Build[], Build]>([
    [ALL, 'threads'],
    [['gpu', 'relaxed', 'cpu'], 'relaxed'],
    [['relaxed', 'cpu'], 'relaxed'],
    [['gpu', 'cpu'], 'cpu'],
    [['cpu'], 'cpu'],
    [['threads', 'cpu'], 'threads'],
  ])('with %j takes the fastest: %s', (built, best) => {
    expect(cpuBuild(EVERYTHING, built)).toBe(best);
  });

  it.each<[string, { relaxedSimd: boolean; threads: boolean }, Build]>([
    ['no shared memory', { relaxedSimd: true, threads: false }, 'relaxed'],
    ['no relaxed SIMD', { relaxedSimd: false, threads: true }, 'cpu'],
    ['neither', { relaxedSimd: false, threads: false }, 'cpu'],
  ])('takes what a browser with %s can run', (_, can, best) => {
    expect(cpuBuild(can, ALL)).toBe(best);
  });

  it('says so where none can run, and where a GPU is asked for', () => {
    const plain = { relaxedSimd: false, threads: false };
    expect(() => cpuBuild(plain, ['gpu', 'threads', 'relaxed'])).toThrow(
      expect.objectContaining({ code: 'module_not_built' }),
    );
    expect(() => cpuBuild(EVERYTHING, ['gpu'])).toThrow(
      expect.objectContaining({ code: 'module_not_built' }),
    );
    expect(() => requireGpuBuild(['cpu', 'relaxed'])).toThrow(
      expect.objectContaining({ code: 'module_not_built' }),
    );
    expect(() => requireGpuBuild(ALL)).not.toThrow();
  });
});
