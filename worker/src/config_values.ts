import { isRecord } from '../../web/src/protocol/values';
import type { Env } from './config';

/** Collected while reading, so that an operator sees all of them at once. */
export type Problems = string[];

/** `value` as an object with fields, if it is one. */
export function recordOf(value: unknown): Record<string, unknown> | undefined {
  return isRecord(value) ? value : undefined;
}

/** A binding that holds JSON: text in most hosts, a value already where a host parses it. */
export function jsonOf(env: Env, name: string, problems: Problems): unknown {
  const value = env[name];
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    problems.push(`${name}: this is not JSON`);
    return undefined;
  }
}

/** A list of texts: a JSON array, or separated by commas. At least one. */
export function listOf(env: Env, name: string, problems: Problems): string[] {
  const value = env[name];
  const isPlain = typeof value === 'string' && !value.trimStart().startsWith('[');
  const list = isPlain ? value.split(',').map((item) => item.trim()) : jsonOf(env, name, problems);
  const texts = Array.isArray(list) ? list.filter((item) => typeof item === 'string' && item !== '') : [];
  if (texts.length === 0) problems.push(`${name}: name at least one`);
  return texts;
}

/** A whole number within limits. */
export function numberOf(
  env: Env,
  name: string,
  { fallback, min, max }: { fallback: number; min: number; max: number },
  problems: Problems,
): number {
  const value = env[name];
  if (value === undefined || value === null || value === '') return fallback;
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN;
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  problems.push(`${name}: write a whole number from ${min} to ${max}`);
  return fallback;
}
