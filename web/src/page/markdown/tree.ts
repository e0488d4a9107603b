import { Marked, type MarkedToken, type Token, type Tokens } from 'marked';
import { decodeEntities } from './entities';
import { splitMarks } from './marks';

/** The elements that Markdown can become; nothing else ever reaches the page. */
export type MarkdownTag =
  | 'p'
  | 'h3'
  | 'h4'
  | 'h5'
  | 'h6'
  | 'ul'
  | 'ol'
  | 'li'
  | 'blockquote'
  | 'pre'
  | 'code'
  | 'hr'
  | 'br'
  | 'strong'
  | 'em'
  | 'del'
  | 'a'
  | 'table'
  | 'thead'
  | 'tbody'
  | 'tr'
  | 'th'
  | 'td';

/** One node of the tree: text, an element, or the mark of that number. */
export type MarkdownNode =
  | string
  | {
      tag: MarkdownTag;
      /** Of `a`: absolute, http(s) or mailto. */
      href?: string;
      /** Of `ol`. */
      start?: number;
      /** Of `pre`: the language that the fence names. */
      language?: string;
      children: MarkdownNode[];
    }
  | { mark: number };

/** A block of the text and the source that it stands for. */
export interface MarkdownBlock {
  raw: string;
  nodes: MarkdownNode[];
}

// Its own instance: nobody's global options reach it. A line break of the model's is meant as one.
const marked = new Marked({ gfm: true, breaks: true });

// Deeper nesting is an attack or a mistake; it is shown as its source.
const MAX_DEPTH = 24;

// No model here writes so much; the lexer takes more than linear time for some texts.
const MAX_LENGTH = 200_000;

/** Reads Markdown into blocks. HTML in it stays text, images become links: nothing is loaded, nothing is executed. */
export function readMarkdown(source: string): MarkdownBlock[] {
  if (source.length > MAX_LENGTH || nesting(source) > MAX_DEPTH) return [plain(source)];
  try {
    return marked.lexer(source).map((token) => ({ raw: token.raw, nodes: block(token as MarkedToken, 0) }));
  } catch {
    // The text is the model's: whatever the lexer thinks of it, it can be read as it is.
    return [plain(source)];
  }
}

const plain = (source: string): MarkdownBlock => ({
  raw: source,
  nodes: [{ tag: 'p', children: withMarks(source) }],
});

/** Signs of nesting at the start of the worst line: the lexer recurses once for each. */
function nesting(source: string): number {
  let worst = 0;
  for (const [signs] of source.matchAll(/^(?:[ \t]*(?:[>*+-]|\d{1,9}[.)]))+/gm)) {
    const bare = signs.replaceAll(/[ \t\d]/g, '');
    // A rule (`-----`) is not nesting, however long.
    if (!/^([*+-])\1*$/.test(bare) || /[ \t]/.test(signs.trim())) worst = Math.max(worst, bare.length);
  }
  return worst;
}

function block(token: MarkedToken, depth: number): MarkdownNode[] {
  if (depth > MAX_DEPTH) return withMarks(token.raw);
  switch (token.type) {
    case 'space':
    case 'def':
      return marksOf(token.raw);
    case 'hr':
      return [{ tag: 'hr', children: [] }];
    case 'heading': {
      // The page itself has the first two levels.
      const tag = (['h3', 'h4', 'h5', 'h6'] as const)[Math.min(token.depth, 4) - 1] ?? 'h6';
      return [{ tag, children: inline(token.tokens, depth) }];
    }
    case 'code': {
      const children = withMarks(token.text);
      const language = splitMarks(token.lang ?? '').filter((piece) => typeof piece === 'string');
      const lost = marksOf(token.lang ?? '');
      const code: MarkdownNode = { tag: 'code', children };
      return [...lost, { tag: 'pre', language: language.join('').slice(0, 40), children: [code] }];
    }
    case 'blockquote':
      return [{ tag: 'blockquote', children: blocks(token.tokens, depth) }];
    case 'list':
      return [list(token, depth)];
    case 'table':
      return [table(token, depth)];
    case 'html':
      return [{ tag: 'p', children: withMarks(token.raw) }];
    case 'paragraph':
      return [{ tag: 'p', children: inline(token.tokens, depth) }];
    case 'text':
      return token.tokens === undefined ? text(token.text) : inline(token.tokens, depth);
    case 'checkbox':
      return inlineToken(token, depth);
    default:
      return [{ tag: 'p', children: inlineToken(token, depth) }];
  }
}

const blocks = (tokens: Token[], depth: number): MarkdownNode[] =>
  tokens.flatMap((token) => block(token as MarkedToken, depth + 1));

function list(token: Tokens.List, depth: number): MarkdownNode {
  const children: MarkdownNode[] = token.items.map((item) => ({
    tag: 'li',
    children: blocks(item.tokens, depth),
  }));
  if (!token.ordered) return { tag: 'ul', children };
  return { tag: 'ol', ...(typeof token.start === 'number' ? { start: token.start } : {}), children };
}

function table(token: Tokens.Table, depth: number): MarkdownNode {
  const row = (cells: Tokens.TableCell[], tag: 'th' | 'td'): MarkdownNode => ({
    tag: 'tr',
    children: cells.map((cell) => ({ tag, children: inline(cell.tokens, depth) })),
  });
  return {
    tag: 'table',
    children: [
      { tag: 'thead', children: [row(token.header, 'th')] },
      { tag: 'tbody', children: token.rows.map((cells) => row(cells, 'td')) },
    ],
  };
}

const inline = (tokens: Token[], depth: number): MarkdownNode[] =>
  tokens.flatMap((token) => inlineToken(token as MarkedToken, depth + 1));

function inlineToken(token: MarkedToken, depth: number): MarkdownNode[] {
  if (depth > MAX_DEPTH) return withMarks(token.raw);
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ tag: token.type, children: inline(token.tokens, depth) }];
    case 'codespan':
      return [{ tag: 'code', children: withMarks(token.text) }];
    case 'br':
      return [{ tag: 'br', children: [] }];
    case 'checkbox':
      return [token.checked ? '☑ ' : '☐ '];
    case 'escape':
      return withMarks(token.text);
    case 'link':
      return link(token.href, inline(token.tokens, depth));
    case 'image':
      return link(token.href, ['[image', ...(token.text === '' ? [] : [': ', ...text(token.text)]), ']']);
    case 'text':
      return token.tokens === undefined ? text(token.text) : inline(token.tokens, depth);
    default:
      return withMarks(token.raw);
  }
}

/** A link that leaves the page, or only its text where the address is none to follow. */
function link(address: string, children: MarkdownNode[]): MarkdownNode[] {
  const marks = marksOf(address);
  const clean = splitMarks(decodeEntities(address))
    .filter((piece) => typeof piece === 'string')
    .join('');
  const href = URL.canParse(clean) ? new URL(clean) : undefined;
  if (href === undefined || !/^(https?|mailto):$/.test(href.protocol)) return [...children, ...marks];
  return [{ tag: 'a', href: href.href, children }, ...marks];
}

const text = (words: string): MarkdownNode[] => withMarks(decodeEntities(words));

const withMarks = (words: string): MarkdownNode[] =>
  splitMarks(words).map((piece) => (typeof piece === 'string' ? piece : { mark: piece }));

const marksOf = (words: string): MarkdownNode[] =>
  withMarks(words).filter((node) => typeof node !== 'string');
