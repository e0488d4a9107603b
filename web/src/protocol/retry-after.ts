/** Upper limit of every wait, in ms: an hour. Callers may apply a lower limit of their own. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The part of `Headers` that this module needs. */
export interface HeaderSource {
  get(name: string): string | null;
}

/**
 * Returns the wait that a response asks for, in ms, from `retry-after-ms` or `Retry-After`: seconds with or without a
 * fraction, or a date in one of HTTP's three formats. A date is compared with the response's `Date` if it has one. Invalid
 * values (empty, negative, not a number) give undefined; longer waits are capped at {@link MAX_RETRY_AFTER_MS}.
 */
export function retryAfterMs(headers: HeaderSource, nowMs: number = Date.now()): number | undefined {
  const ms = parseNumber(headers.get('retry-after-ms'));
  if (ms !== undefined) return Math.min(ms, MAX_RETRY_AFTER_MS);
  return parseRetryAfter(headers.get('retry-after'), parseHttpDate(headers.get('date')) ?? nowMs);
}

/** Reads one value of `Retry-After`; returns the wait in ms. */
export function parseRetryAfter(value: string | null | undefined, nowMs: number): number | undefined {
  const seconds = parseNumber(value);
  if (seconds !== undefined) return Math.min(seconds * 1000, MAX_RETRY_AFTER_MS);
  const untilMs = parseHttpDate(value);
  return untilMs === undefined ? undefined : Math.min(Math.max(0, untilMs - nowMs), MAX_RETRY_AFTER_MS);
}

/**
 * Returns the `Retry-After` of a response in a form that a proxy can pass on. A date stays a date, because the client's clock
 * may differ from ours; any other wait is in whole seconds. Returns undefined if there is no valid value.
 */
export function forwardRetryAfter(headers: HeaderSource): string | undefined {
  const hasMs = parseNumber(headers.get('retry-after-ms')) !== undefined;
  const untilMs = hasMs ? undefined : parseHttpDate(headers.get('retry-after'));
  if (untilMs !== undefined) return new Date(untilMs).toUTCString();
  const waitMs = retryAfterMs(headers);
  return waitMs === undefined ? undefined : retryAfterSeconds(waitMs);
}

/** A wait in ms as a value of `Retry-After`: whole seconds, rounded up. */
export const retryAfterSeconds = (waitMs: number): string => String(Math.ceil(waitMs / 1000));

function parseNumber(value: string | null | undefined): number | undefined {
  const text = value?.trim() ?? '';
  // `Number` would also accept signs, exponents and hex. Very long digits become infinite, and the cap applies.
  return /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`. */
const DATE = /^[a-z]{3,9},? (\d{1,2})[ -]([a-z]{3})[ -](\d{4}|\d{2}) (\d{2}):(\d{2}):(\d{2}) (?:gmt|utc)$/i;
/** `Sun Nov  6 08:49:37 1994`. */
const ASCTIME = /^[a-z]{3} ([a-z]{3}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i;

/** Parses an HTTP date. `Date.parse` also accepts texts such as `5` or `-1`, and reads asctime in local time. */
function parseHttpDate(value: string | null | undefined): number | undefined {
  const text = value?.trim() ?? '';
  const date = DATE.exec(text);
  if (date !== null) {
    const [, day, month, year, ...clock] = date;
    return utc(Number(day), month, fullYear(year), clock);
  }
  const asctime = ASCTIME.exec(text);
  if (asctime === null) return undefined;
  const [, month, day, hour, minute, second, year] = asctime;
  return utc(Number(day), month, Number(year), [hour, minute, second]);
}

/** RFC 9110: a two-digit year more than 50 years in the future belongs to the last century. */
function fullYear(digits = ''): number {
  if (digits.length !== 2) return Number(digits);
  const now = new Date().getUTCFullYear();
  const year = now - (now % 100) + Number(digits);
  return year > now + 50 ? year - 100 : year;
}

function utc(day: number, monthName = '', year: number, clock: (string | undefined)[]): number | undefined {
  const month = MONTHS.indexOf(monthName.toLowerCase());
  const [hour = 0, minute = 0, second = 0] = clock.map(Number);
  if (month < 0 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  return Date.UTC(year, month, day, hour, minute, second);
}
