import type { ErrorCode } from './error-codes';
import { wellFormed } from './json-body';
import { NUMBER_RANGES } from './request-schema';
import { isRecord } from './values';

/** An object of a JSON body. */
export type Fields = Readonly<Record<string, unknown>>;

/** A request that is refused before anything runs. `param` names the field, in OpenAI's notation. */
export class RequestRefusal extends Error {
  override readonly name = 'RequestRefusal';

  constructor(
    readonly code: ErrorCode,
    readonly param: string | null,
    message: string,
  ) {
    super(message);
  }
}

/** Creates `invalid_value` for the field `param`. `what` completes the sentence "param …". */
export const wrong = (param: string, what: string): RequestRefusal =>
  new RequestRefusal('invalid_value', param, `${param} ${what}.`);

/** Creates `unsupported_feature`: the field is valid, and nothing here supports it. */
export const unsupported = (param: string, message: string): RequestRefusal =>
  new RequestRefusal('unsupported_feature', param, message);

/** The field `name`; undefined if it is absent or null, which mean the same to OpenAI. */
export const get = (fields: Fields, name: string): unknown =>
  Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;

/** Whether `value` is there and is not an array or object without elements. */
export const filled = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : isRecord(value)
      ? Object.keys(value).length > 0
      : value !== undefined && value !== null;

/** A boolean; false where it is absent. */
export function flag(fields: Fields, name: string, prefix = ''): boolean {
  const value = get(fields, name);
  if (value === undefined) return false;
  if (typeof value === 'boolean') return value;
  throw wrong(prefix + name, 'must be true or false');
}

/** A string, with U+FFFD for every lone surrogate. */
export function text(fields: Fields, name: string, prefix = ''): string | undefined {
  const value = get(fields, name);
  if (value === undefined) return undefined;
  if (typeof value === 'string') return wellFormed(value);
  throw wrong(prefix + name, 'must be a string');
}

/** An object; `what` says what it should be. */
export function object(fields: Fields, name: string, what: string): Fields | undefined {
  const value = get(fields, name);
  if (value === undefined || isRecord(value)) return value;
  throw wrong(name, what);
}

/** An array; `what` says what it should be. */
export function array(fields: Fields, name: string, what: string, prefix = ''): unknown[] | undefined {
  const value = get(fields, name);
  if (value === undefined || Array.isArray(value)) return value;
  throw wrong(prefix + name, what);
}

/** A sampling parameter, in its range. */
export function number(fields: Fields, name: keyof typeof NUMBER_RANGES): number | undefined {
  const value = get(fields, name);
  if (value === undefined) return undefined;
  const [low, high] = NUMBER_RANGES[name];
  // NaN lies in no range.
  if (typeof value === 'number' && value >= low && value <= high) return value;
  throw wrong(name, `must be a number in ${low}..${high}`);
}

/** A whole number in `low..high`. */
export function integer(fields: Fields, name: string, low: number, high: number): number | undefined {
  const value = get(fields, name);
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high)
    return value as number;
  const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `in ${low}..${high}`;
  throw wrong(name, `must be a whole number ${range}`);
}

const TWO_TO_63 = 2 ** 63;

/**
 * A signed or unsigned 64-bit integer: a number if JavaScript can represent it exactly, else a bigint. A number that was
 * rounded up to 2^64 before it arrived counts as 2^64 - 1.
 */
export function seed(fields: Fields): number | bigint | undefined {
  const value = get(fields, 'seed');
  if (value === undefined) return undefined;
  if (typeof value === 'bigint' && value >= -(2n ** 63n) && value < 2n ** 64n) return value;
  if (typeof value === 'number' && Number.isInteger(value) && value >= -TWO_TO_63 && value <= 2 * TWO_TO_63)
    return Number.isSafeInteger(value) ? value : value === 2 * TWO_TO_63 ? 2n ** 64n - 1n : BigInt(value);
  throw wrong('seed', 'must be a 64-bit integer');
}

/** One of `names`. */
export function oneOf<Name extends string>(
  fields: Fields,
  name: string,
  prefix: string,
  names: readonly Name[],
): Name | undefined {
  const value = get(fields, name);
  if (value === undefined) return undefined;
  const found = names.find((known) => known === value);
  if (found !== undefined) return found;
  throw wrong(prefix + name, `must be one of ${names.join(', ')}`);
}
