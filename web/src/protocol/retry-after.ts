/** Longest wait that is believed, in ms: an hour. What is longer than its reader can wait is for the reader to decide. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

/** The headers that are read here; `Headers` is one. */
export interface HeaderSource {
  get(name: string): string | null;
}

/**
 * Returns the wait that a response asks for, in ms, from `retry-after-ms` or `Retry-After`: seconds with or without a
 * fraction, or a date in one of HTTP's three formats. A date counts against the server's own clock where the response has
 * a `Date`. Nonsense (empty, negative, not a number) is undefined; a longer wait than {@link MAX_RETRY_AFTER_MS} is that.
 */
export function retryAfterMs(headers: HeaderSource, nowMs: number = Date.now()): number | undefined {
  const ms = parseNumber(headers.get('retry-after-ms'));
  if (ms !== undefined) return Math.min(ms, MAX_RETRY_AFTER_MS);
  return parseRetryAfter(headers.get('retry-after'), parseHttpDate(headers.get('date')) ?? nowMs);
}

/** Reads one value of `Retry-After`. */
export function parseRetryAfter(value: string | null | undefined, nowMs: number): number | undefined {
  const seconds = parseNumber(value);
  if (seconds !== undefined) return Math.min(seconds * 1000, MAX_RETRY_AFTER_MS);
  const untilMs = parseHttpDate(value);
  return untilMs === undefined ? undefined : Math.min(Math.max(0, untilMs - nowMs), MAX_RETRY_AFTER_MS);
}

/**
 * The `Retry-After` of a response for whoever asked: a date as a date, for the clock that it was meant for is not ours, any other
 * wait in whole seconds. Undefined where the response asks for none that makes sense.
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
  // No sign, no exponent, no hex: `Number` reads those too. Digits without bound become infinite, and the cap holds.
  return /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined;
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
/** `Sun, 06 Nov 1994 08:49:37 GMT` and `Sunday, 06-Nov-94 08:49:37 GMT`. */
const DATE = /^[a-z]{3,9},? (\d{1,2})[ -]([a-z]{3})[ -](\d{4}|\d{2}) (\d{2}):(\d{2}):(\d{2}) (?:gmt|utc)$/i;
/** `Sun Nov  6 08:49:37 1994`. */
const ASCTIME = /^[a-z]{3} ([a-z]{3}) {1,2}(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/i;

/** Parses a date of HTTP; `Date.parse` takes much else, such as `5` or `-1`, and reads asctime in local time. */
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

/** RFC 9110: a year of two digits that lies more than 50 years ahead is of the last century. */
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
