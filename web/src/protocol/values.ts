/** Whether `value` is an object with fields. */
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `value` if it is a count: an integer from 0 on. */
export const asCount = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;

/** Whether `value` is absent, null, false, or an empty text, list or object. */
export function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** Levels of nesting that an event may have. No real answer has more, and recursion over them is safe. */
const MAX_NESTING = 64;

/** Whether JSON has more than {@link MAX_NESTING} levels: deep nesting would overflow the stack of a recursive reader. */
function nestsTooDeeply(json: string): boolean {
  let depth = 0;
  let isText = false;
  for (let at = 0; at < json.length; at++) {
    const char = json[at];
    if (isText) {
      if (char === '\\') at += 1;
      else if (char === '"') isText = false;
    } else if (char === '"') isText = true;
    else if (char === '[' || char === '{') {
      depth += 1;
      if (depth > MAX_NESTING) return true;
    } else if (char === ']' || char === '}') depth -= 1;
  }
  return false;
}

/** Parses `text` as JSON; returns undefined for invalid JSON and for JSON that nests too deeply. */
export function parseShallowJson(text: string): unknown {
  if (nestsTooDeeply(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
