/**
 * Marks in Markdown: where an answer went over to another source. A mark travels through the lexer as one
 * noncharacter (Unicode keeps U+FDD0 to U+FDEF for such inner use), so that it lands at its place in the text whatever
 * the text around it becomes.
 */
const FIRST = 0xfdd0;
const LAST = 0xfdef;
const ANY = /[\ufdd0-\ufdef]/;
const EVERY = /[\ufdd0-\ufdef]/gu;

/** Most marks that one text can carry. */
export const MAX_MARKS = LAST - FIRST + 1;

/** A piece of text, or the number of the mark between two pieces. */
export type MarkedPiece = string | number;

/** The text with one noncharacter for each offset of `marks` (ascending); `pending` are those with no word after them. */
export function insertMarks(text: string, marks: readonly number[]): { source: string; pending: number[] } {
  // What a model writes cannot pass for a mark. Same length, so that the offsets still fit.
  const clean = ANY.test(text) ? text.replaceAll(EVERY, '\ufffd') : text;
  const pending: number[] = [];
  let source = '';
  let copied = 0;
  marks.slice(0, MAX_MARKS).forEach((mark, index) => {
    const at = wordFrom(clean, Math.max(mark, copied));
    if (at === undefined) {
      pending.push(index);
      return;
    }
    source += clean.slice(copied, at) + String.fromCharCode(FIRST + index);
    copied = at;
  });
  return { source: source + clean.slice(copied), pending };
}

/** Cuts a lexed text at its marks. */
export function splitMarks(text: string): MarkedPiece[] {
  if (!ANY.test(text)) return text === '' ? [] : [text];
  const pieces: MarkedPiece[] = [];
  let from = 0;
  for (const match of text.matchAll(EVERY)) {
    if (match.index > from) pieces.push(text.slice(from, match.index));
    pieces.push(match[0].charCodeAt(0) - FIRST);
    from = match.index + 1;
  }
  if (from < text.length) pieces.push(text.slice(from));
  return pieces;
}

// A list's number belongs to the syntax, not to the words.
const LIST_NUMBER = /^\d{1,9}[.)](?:\s|$)/;

/**
 * The next place at or after `from` where a character may stand without changing how the text is read: in front of a
 * letter or digit, behind all of Markdown's own signs and spaces, and never within an address.
 */
function wordFrom(text: string, from: number): number | undefined {
  let at = afterAddress(text, from);
  while (at < text.length) {
    const character = text.slice(at, at + 2);
    if (/^[\p{L}\p{N}]/u.test(character)) {
      const number = atLineStart(text, at) ? LIST_NUMBER.exec(text.slice(at, at + 12)) : null;
      if (number === null) return at;
      at += number[0].length;
    } else {
      at += 1;
    }
  }
  return undefined;
}

function atLineStart(text: string, at: number): boolean {
  const line = text.slice(text.lastIndexOf('\n', at - 1) + 1, at);
  return /^[\s>]*$/.test(line);
}

/** Where `from` lies within an address, or the target of a link: the end of it. */
function afterAddress(text: string, from: number): number {
  let start = from;
  while (start > 0 && !/\s/.test(text[start - 1] ?? '')) start -= 1;
  let end = from;
  while (end < text.length && !/\s/.test(text[end] ?? '')) end += 1;
  const word = text.slice(start, end);
  const address = word.search(/\w+:\/\/|www\.|\]\(/);
  return from > start && address >= 0 && start + address < from ? end : from;
}
