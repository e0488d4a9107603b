/** JSON of requests, as the Rust side reads and writes it: 64-bit seeds stay exact, and lone surrogates are replaced. */
import { isRecord } from './values';

const BLANK = /[ \t\n\r]*/y;
const COLON = /[ \t\n\r]*:[ \t\n\r]*/y;
const COMMA = /[ \t\n\r]*,/y;
/** A number, true, false or null. */
const SCALAR = /[\w.+-]+/y;
const INTEGER = /^-?\d+$/;

/**
 * Parses a body. A `seed` that a JavaScript number would round becomes a bigint.
 *
 * @throws SyntaxError as `JSON.parse` does
 */
export function parseJsonBody(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value)) return value;
  const { seed } = value;
  if (typeof seed === 'number' && Number.isInteger(seed) && !Number.isSafeInteger(seed)) {
    const source = sourceOfField(text, 'seed');
    if (source !== undefined && INTEGER.test(source)) value.seed = BigInt(source);
  }
  return value;
}

/**
 * Writes a body as JSON text: a bigint `seed` with all its digits, and U+FFFD for every lone surrogate.
 *
 * @throws TypeError for cycles and for other bigints, RangeError for a body that is nested too deeply
 */
export function writeJsonBody(body: Readonly<Record<string, unknown>>): string {
  const { seed, ...rest } = body;
  const text = JSON.stringify(typeof seed === 'bigint' ? rest : body);
  // `JSON.stringify` writes a lone surrogate, and nothing else of this range, as an escape.
  const sound = text.replace(/(\\\\)|\\ud[89a-f][0-9a-f]{2}/g, (_, backslash) => backslash ?? '\ufffd');
  if (typeof seed !== 'bigint') return sound;
  return `${sound.slice(0, -1)}${Object.keys(rest).length > 0 ? ',' : ''}"seed":${seed}}`;
}

/** `text` with U+FFFD for every lone surrogate. */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, '\ufffd');

/** Returns the source text of the last top-level field `name`. `json` must be a valid JSON object. */
function sourceOfField(json: string, name: string): string | undefined {
  const scan = new Scan(json, json.indexOf('{') + 1);
  let found: string | undefined;
  for (;;) {
    scan.take(BLANK);
    const key = scan.takeString();
    if (key === '') return found;
    scan.take(COLON);
    const start = scan.at;
    scan.skipValue();
    if (JSON.parse(key) === name) found = json.slice(start, scan.at);
    if (scan.take(COMMA) === '') return found;
  }
}

/** A cursor over valid JSON. */
class Scan {
  constructor(
    readonly json: string,
    public at: number,
  ) {}

  /** Consumes and returns the match of `pattern` at the cursor. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const [token = ''] = pattern.exec(this.json) ?? [];
    this.at += token.length;
    return token;
  }

  /**
   * Consumes and returns the string at the cursor. Scans by hand, because a regular expression would keep a backtracking
   * step for each character of a long text.
   */
  takeString(): string {
    const start = this.at;
    if (this.json[start] !== '"') return '';
    let end = start;
    let escapes = 0;
    do {
      end = this.json.indexOf('"', end + 1);
      if (end < 0) return '';
      for (escapes = 0; this.json[end - 1 - escapes] === '\\'; ) escapes += 1;
    } while (escapes % 2 === 1);
    this.at = end + 1;
    return this.json.slice(start, this.at);
  }

  /** Skips the value at the cursor. */
  skipValue(): void {
    let depth = 0;
    do {
      const sign = this.json[this.at];
      if (sign === '"') this.takeString();
      else if (this.take(SCALAR) === '') {
        if (sign === undefined) return;
        if (sign === '{' || sign === '[') depth += 1;
        if (sign === '}' || sign === ']') depth -= 1;
        // A bracket, a comma, a colon or a blank.
        this.at += 1;
      }
    } while (depth > 0);
  }
}
