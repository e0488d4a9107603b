import { InvalidRequestError } from './errors';

/** An object of a JSON body. */
export type Fields = Record<string, unknown>;

/** Whether `value` is an object with fields: no array, not null. */
export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A 400 for the field `param`. */
export const invalid = (param: string | null, message: string): InvalidRequestError =>
  new InvalidRequestError('invalid_value', param, message);

/** OpenAI's JSON has null where a field may be left out. */
export const given = (value: unknown): boolean => value !== undefined && value !== null;

/** A number in `low..high`, both with it; undefined where it is absent. */
export function number(fields: Fields, param: string, low: number, high: number): number | undefined {
  const value = fields[param];
  if (!given(value)) return undefined;
  // NaN lies in no range.
  if (typeof value === 'number' && value >= low && value <= high) return value;
  throw invalid(param, `${param} must be a number in ${low}..${high}.`);
}

/** A whole number in `low..high`; undefined where it is absent. */
export function integer(fields: Fields, param: string, low: number, high: number): number | undefined {
  const value = fields[param];
  if (!given(value)) return undefined;
  if (Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high)
    return value as number;
  const range = high === Number.MAX_SAFE_INTEGER ? `of at least ${low}` : `in ${low}..${high}`;
  throw invalid(param, `${param} must be a whole number ${range}.`);
}

/** A boolean; false where it is absent. */
export function flag(fields: Fields, param: string): boolean {
  const value = fields[param];
  if (!given(value)) return false;
  if (typeof value === 'boolean') return value;
  throw invalid(param, `${param} must be true or false.`);
}

/** One of `names`; undefined where it is absent. */
export function oneOf<Name extends string>(
  fields: Fields,
  key: string,
  param: string,
  names: readonly Name[],
): Name | undefined {
  const value = fields[key];
  if (!given(value)) return undefined;
  const found = names.find((name) => name === value);
  if (found !== undefined) return found;
  throw invalid(param, `${param} must be one of ${names.join(', ')}.`);
}
