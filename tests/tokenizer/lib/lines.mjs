// Lines on which tokenizers are likely to differ, the same for the same seed.

/** A small seeded generator (mulberry32). */
function randomFrom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const below = (n) => Math.floor(next() * n);
  const pick = (list) => list[below(list.length)];
  const many = (min, max, make) => Array.from({ length: min + below(max - min + 1) }, make);
  return { below, pick, many };
}

const ENGLISH = `the quick brown fox jumps over a lazy dog while engineers don't measure what they can't explain;
we'll see whether it's true, isn't it? They've said I'm right, he'd agree, you're SURE, WE'LL SHOUT, O'Brien's
internationalization antidisestablishmentarianism HTTPServer camelCaseWords snake_case_words kebab-case-words`.split(/\s+/);

const SCRIPTS = {
  cjk: '中文分詞很難，日本語のテキストをトークンに分割する。ひらがなカタカナ漢字、한국어 문장도 있습니다「引用」…全角ＡＢＣ１２３　空白',
  arabic: 'مَرْحَبًا بِالعَالَمِ، كيف حالك؟ ١٢٣٤٥ لا إله؛ سَلام‏ ـــ ﷺ ﻻ',
  hebrew: 'שָׁלוֹם עוֹלָם, מה שלומך? בְּרֵאשִׁית ״ציטוט״ ׳',
  thai: 'สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่างระหว่างคำ ๑๒๓ ฯลฯ',
  devanagari: 'नमस्ते दुनिया, क्या हाल है? १२३ क्षत्रिय ज्ञान श्री ॐ।',
  cyrillic: 'Съешь же ещё этих мягких французских булок, да выпей чаю. Ёлка й',
  greek: 'Ξεσκεπάζω την ψυχοφθόρα βδελυγμία; ΆΈΉ ᾳ ς',
  vietnamese: 'Tiếng Việt có nhiều dấu: ặ ễ ộ ữ ỳ',
  indic: 'বাংলা ভাষা ১২৩ தமிழ் మొదలైన ಕನ್ನಡ മലയാളം ગુજરાતી ਪੰਜਾਬੀ සිංහල',
  other: 'ქართული Հայերեն አማርኛ ᏣᎳᎩ ខ្មែរ ລາວ မြန်မာ བོད་ཡིག ᠮᠣᠩᠭᠣᠯ 𐌰𐌱 𝕬𝖇𝟘𝟙 𓀀𓂀 Ⅷⅻ ①②⑩ ½¾ ²³ ªº ǅ ŉ ﬁ ß İı',
};

const EMOJI = ['😀', '🎉', '👨‍👩‍👧‍👦', '🏳️‍🌈', '👍🏽', '🇫🇷', '🇯🇵🇺🇸', '❤️', '☺', '🧑🏿‍🚀', '1️⃣', '#️⃣', '🫠', '🪿', '⚕️', '🏴󠁧󠁢󠁳󠁣󠁴󠁿', '©️', '™'];
const SYMBOLS = ['€', '£', '→', '≠', '∑', '√', '…', '—', '–', '“x”', '‘y’', '«z»', '¿', '¡', '§', '¶', '°', '±', '×', '÷', '‰', '′', '⟨⟩', '█▓', '♞', '✓', '⌘', '℃', '№', '⁂'];
const SPACES = [' ', '  ', '   ', '\t', '\t\t', '\n', '\n\n', '\r\n', '\r', ' \n', '\n ', '\u00a0', '\u2003', '\u3000', '\u200b', '\u2028', '\u0085', '\v', '\f', '\ufeff', '\u202f', '\u1680'];
const MARKS = ['\u0301', '\u0308', '\u0327', '\u20dd', '\ufe0f', '\u200d', '\u064b', '\u05b0', '\u093c', '\u0e31', '\u3099', '\u0323\u0302'];
const QUOTES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'RE", "'LL", "'x", "''", "'", '’s', '`', '"', "'ſ"];
const PUNCTUATION = ['!', '?', '.', ',', ';', ':', '...', '!!', '?!', '--', '(', ')', '[', ']', '{', '}', '<', '>', '/', '\\', '|', '@', '#', '$', '%', '^', '&', '*', '_', '=', '+', '~', '=>', '::', '||', '&&', '/*', '*/', '<!--'];
const CODE = [
  'def f(x: int = 0) -> str:\n    return f"{x!r:>10}"\n',
  'for (let i = 0; i < n; ++i) {\n\tsum += a[i] ** 2; // total\n}\n',
  'impl<T: Clone + \'static> Foo<T> for Vec<Option<T>> { fn bar(&self) -> &\'_ str { "x" } }',
  '#include <stdio.h>\r\nint main(void) {\r\n  printf("%d\\n", 0x7fff);\r\n}\r\n',
  'SELECT a.id, COUNT(*) FROM t AS a WHERE a.x >= 1e-3 GROUP BY 1;',
  '<div class="a b" data-x=\'1\'>&nbsp;&lt;p&gt;</div>',
  'grep -rn "foo.*bar" ./src | awk \'{print $1}\' > /tmp/out 2>&1',
  '\\begin{align}\n  E &= mc^2 \\\\\n  \\int_0^\\infty e^{-x^2}\\,dx &= \\frac{\\sqrt{\\pi}}{2}\n\\end{align}',
  '        if x:\n            pass\n        else:\n                y()\n\n\n\n        z',
  '| a | b |\n|---|:-:|\n| 1 | **x** |\n\n- [ ] item\n  1. sub\n```js\nlet x\n```',
];

/** Makes one line of a kind. */
function makers(random, specials) {
  const { below, pick, many } = random;
  const word = () => pick(ENGLISH);
  const slice = (text) => {
    const letters = [...text];
    const from = below(letters.length);
    return letters.slice(from, from + 1 + below(24)).join('');
  };
  const number = () =>
    pick([
      () => String(below(10)),
      () => String(below(1e9)),
      () => `${below(100000)}.${below(1000)}`,
      () => `-${below(1000)}e${below(30)}`,
      () => `${below(1000)},${String(below(1000)).padStart(3, '0')},000`,
      () => `0x${below(1 << 30).toString(16).toUpperCase()}`,
      () => `${1900 + below(200)}-${1 + below(12)}-${1 + below(31)}T${below(24)}:${below(60)}:00Z`,
      () => many(1, 40, () => below(10)).join(''),
      () => slice('٠١٢٣٤٥٦٧٨٩०१२३४५६७८९๐๑๒๓⁰¹²³⁴½⅓Ⅳⅷ㊿１２３'),
    ])();
  const letter = () =>
    pick([
      () => String.fromCodePoint(0x20 + below(0x5f)),
      () => String.fromCodePoint(0xa0 + below(0x500)),
      () => String.fromCodePoint(0x900 + below(0x1000)),
      () => String.fromCodePoint(0x1e00 + below(0xe00)),
      () => String.fromCodePoint(0x4e00 + below(0x5000)),
      () => String.fromCodePoint(0xac00 + below(0x2ba4)),
      () => String.fromCodePoint(0xf900 + below(0x6ff)),
      () => String.fromCodePoint(0x10000 + below(0x2000)),
      () => String.fromCodePoint(0x1d400 + below(0x400)),
      () => String.fromCodePoint(0x1f000 + below(0xb00)),
      () => String.fromCodePoint(0x20000 + below(0x8000)),
    ])();
  const piece = () =>
    pick([
      word, word, word, number, letter,
      () => pick(EMOJI), () => pick(SYMBOLS), () => pick(SPACES), () => pick(QUOTES), () => pick(PUNCTUATION),
      () => word() + pick(QUOTES), () => word() + pick(MARKS), () => slice(pick(Object.values(SCRIPTS))),
    ])();
  return {
    prose: () => many(1, 25, () => word() + pick(['', '', '', ',', '.', '!', "'s", '?'])).join(pick([' ', ' ', '  '])),
    code: () => many(1, 2, () => pick(CODE)).join(pick(['', '\n', '    '])),
    numbers: () => many(1, 10, number).join(pick([' ', '', ',', '\t'])),
    spaces: () => many(1, 8, () => pick(SPACES) + pick(['', '', 'a', '1', '.', 'é'])).join(''),
    runs: () => pick([...SPACES, 'a', '=', '-', '.', '0', 'é', '中', '😀', "'", '\u0301', 'ab', '! ']).repeat(1 + below(90)),
    emoji: () => many(1, 10, () => pick(EMOJI)).join(pick(['', ' ', '\u200d'])),
    marks: () => many(1, 12, () => pick([letter, word])() + many(0, 4, () => pick(MARKS)).join('')).join(pick(['', ' '])),
    control: () => many(1, 12, () => String.fromCodePoint(pick([below(32), 127 + below(34), below(256)])) + pick(['', 'x', ' '])).join(''),
    special: () => many(1, 6, () => pick(specials) + pick(['', ' ', '\n', word(), '|>'])).join(pick(['', ' ', word()])),
    broken: () => many(1, 4, () => { const s = pick(specials); return s.slice(below(3), s.length - below(3)); }).join(pick(['', ' ', '<'])),
    chat: () => `<|im_start|>${pick(['system', 'user', 'assistant'])}\n${many(1, 12, word).join(' ')}<|im_end|>\n`,
    long: () => many(8, 60, () => word().replace(/\W/g, '')).join(''),
    url: () => `${pick(['https://', 'http://', 'ftp://', 'mailto:'])}${word()}.example.${pick(['com', 'co.uk', '日本'])}:${below(65536)}/${many(0, 5, word).join('/')}?q=${many(1, 9, letter).map((c) => encodeURIComponent(c)).join('')}&id=${number()}#${word()}`,
    json: () => JSON.stringify({ [word()]: number(), list: many(0, 6, piece), nested: { ok: true, none: null, text: many(1, 6, piece).join(' ') } }, null, pick([0, 2, '\t'])),
    scripts: () => many(1, 4, () => slice(pick(Object.values(SCRIPTS)))).join(pick(['', ' ', ', '])),
    letters: () => many(1, 20, letter).join(pick(['', '', ' '])),
    single: () => pick([letter, () => pick(SPACES), () => pick(MARKS), () => pick(PUNCTUATION), () => String.fromCodePoint(below(128)), () => ''])(),
    mixed: () => many(1, 30, piece).join(pick(['', '', ' ', '\n', '\r\n'])),
  };
}

/**
 * `count` lines, all kinds in turn, after the empty text and every ASCII character.
 *
 * @param {{ seed: number, count: number, specials: string[] }} options `specials`: texts of special tokens.
 * @returns {{ kind: string, text: string }[]}
 */
export function lines({ seed, count, specials }) {
  const made = makers(randomFrom(seed), specials);
  const kinds = Object.keys(made);
  const all = [{ kind: 'empty', text: '' }];
  for (let code = 0; code < 128; code += 1) all.push({ kind: 'ascii', text: String.fromCodePoint(code) });
  for (const [kind, text] of Object.entries(SCRIPTS)) all.push({ kind, text });
  for (let n = all.length; n < count; n += 1) {
    const kind = kinds[n % kinds.length];
    all.push({ kind, text: made[kind]().toWellFormed() });
  }
  return all;
}
