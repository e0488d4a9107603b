import { describe, expect, it } from 'vitest';
import { decodeEntities } from './entities';
import { insertMarks, MAX_MARKS } from './marks';
import { type MarkdownNode, readMarkdown } from './tree';

const nodes = (source: string): MarkdownNode[] => readMarkdown(source).flatMap((block) => block.nodes);

/** The tree in a short notation: `p(a[https://x/](b))`. */
function notation(list: MarkdownNode[]): string {
  return list
    .map((node) => {
      if (typeof node === 'string') return JSON.stringify(node);
      if ('mark' in node) return `#${node.mark}`;
      const target = node.href === undefined ? '' : `[${node.href}]`;
      return `${node.tag}${target}(${notation(node.children)})`;
    })
    .join(' ');
}

const links = (list: MarkdownNode[]): string[] =>
  list.flatMap((node) =>
    typeof node === 'string' || 'mark' in node
      ? []
      : [...(node.href === undefined ? [] : [node.href]), ...links(node.children)],
  );

const words = (list: MarkdownNode[]): string =>
  list.map((node) => (typeof node === 'string' ? node : 'mark' in node ? '' : words(node.children))).join('');

describe('Markdown', () => {
  it.each([
    ['plain', 'p("plain")'],
    ['a **b** *c* `d` ~~e~~', 'p("a " strong("b") " " em("c") " " code("d") " " del("e"))'],
    ['one\ntwo', 'p("one" br() "two")'],
    ['# Head', 'h3("Head")'],
    ['3. a\n4. b', 'ol(li("a") li("b"))'],
    ['```js\nlet a = "<b>";\n```', 'pre(code("let a = \\"<b>\\";"))'],
    ['> quote', 'blockquote(p("quote"))'],
    ['|a|b|\n|-|-|\n|1|2|', 'table(thead(tr(th("a") th("b"))) tbody(tr(td("1") td("2"))))'],
    ['- [x] done', 'ul(li("☑ " "done"))'],
    ['fish &amp; chips &#8364; &bogus;', 'p("fish & chips € &bogus;")'],
  ])('%j', (source, tree) => expect(notation(nodes(source))).toBe(tree));

  it.each([
    '<img src=x onerror=alert(1)>',
    '<script>alert(1)</script>',
    '<b>bold</b> <iframe src="https://evil.example"></iframe>',
    '<svg/onload=alert(1)>',
    '<!-- comment -->',
  ])('keeps HTML as text: %s', (source) => expect(words(nodes(source)).trim()).toContain(source));

  it.each([
    '[a](javascript:alert(1))',
    '[a](JaVaScRiPt:alert(1))',
    '[a](java&#115;cript:alert(1))',
    '[a](data:text/html,<script>alert(1)</script>)',
    '[a](vbscript:x)',
    '[a](/models/manifest.json)',
    '[a](#bench)',
    '[a](//evil.example)',
    '[a][r]\n\n[r]: javascript:alert(1)',
    '<javascript:alert(1)>',
  ])('follows no such link: %s', (source) => expect(links(nodes(source))).toEqual([]));

  it('links where a link is meant, and loads no image', () => {
    expect(notation(nodes('[a](https://x.example/?q=1&amp;r=2)'))).toBe(
      'p(a[https://x.example/?q=1&r=2]("a"))',
    );
    expect(notation(nodes('![cat](https://x.example/c.png)'))).toBe(
      'p(a[https://x.example/c.png]("[image" ": " "cat" "]"))',
    );
  });

  it('survives what is meant to break it, in time', () => {
    const began = performance.now();
    for (const evil of [
      '>'.repeat(20_000),
      `${'- '.repeat(5000)}x`,
      '['.repeat(5000),
      `${'*a '.repeat(3000)}`,
      '`'.repeat(9999),
      '![['.repeat(2000),
      '<'.repeat(20_000),
      '|'.repeat(5000),
      'a'.repeat(300_000),
    ]) {
      expect(nodes(evil)).not.toEqual([]);
    }
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('a rule is a rule', () => expect(notation(nodes('-'.repeat(60)))).toBe('hr()'));
});

describe('marks', () => {
  const marked = (text: string, at: number): string => {
    const { source, pending } = insertMarks(text, [at]);
    return notation(nodes(source)) + (pending.length > 0 ? ' +' : '');
  };

  it.each([
    ['one two', 4, 'p("one " #0 "two")'],
    ['one two', 1, 'p("o" #0 "ne two")'],
    ['one ', 4, 'p("one ") +'],
    ['a **bold** b', 3, 'p("a " strong(#0 "bold") " b")'],
    ['a **bold** b', 9, 'p("a " strong("bold") " " #0 "b")'],
    ['x\n\n- item', 3, 'p("x") ul(li(#0 "item"))'],
    ['x\n\n12. item', 3, 'p("x") ol(li(#0 "item"))'],
    ['x\n\n# Head', 3, 'p("x") h3(#0 "Head")'],
    ['x\n\n```rust\nfn\n```', 6, 'p("x") #0 pre(code("fn"))'],
    ['```\nab cd\n```', 7, 'pre(code("ab " #0 "cd"))'],
    [
      'see https://a.example/long now',
      12,
      'p("see " a[https://a.example/long]("https://a.example/long") " " #0 "now")',
    ],
    ['see [a](https://a.example/) now', 15, 'p("see " a[https://a.example/]("a") " " #0 "now")'],
  ])('%j at %i', (text, at, tree) => expect(marked(text, at)).toBe(tree));

  it('never changes the words or the shape, wherever it falls', () => {
    const text =
      'Intro **bold *both* text**\n\n1. one `code`\n2. two\n\n> quote [x](https://x.example/)\n\n|a|b|\n|-|-|\n|1|2|\n\n```js\nlet a;\n```\nend';
    const without = notation(nodes(text)).replaceAll(/["\s]/g, '');
    for (let at = 0; at <= text.length; at++) {
      const { source } = insertMarks(text, [at]);
      const seen = notation(nodes(source)).replaceAll(/#0|["\s]/g, '');
      expect(seen, `mark at ${at}`).toBe(without);
    }
  });

  it('a model cannot write one', () => {
    expect(notation(nodes(insertMarks('a\ufdd0b c', [3]).source))).toBe('p("a\ufffdb " #0 "c")');
  });

  it('has room for as many as there are characters for', () => {
    const { source } = insertMarks('a b c d', Array.from({ length: 50 }, (_, index) => index % 7).sort());
    expect(source.length).toBeLessThanOrEqual(7 + MAX_MARKS);
  });
});

describe('decodeEntities', () => {
  it.each([
    ['&#0;&#xD800;&#x110000;&#xfdd0;', '\ufffd\ufffd\ufffd\ufffd'],
    ['&lt;b&gt;', '<b>'],
    ['&unknown; & &;', '&unknown; & &;'],
  ])('%s', (text, decoded) => expect(decodeEntities(text)).toBe(decoded));
});
