/**
 * Fuzz target for streams: `npm run fuzz -- --seconds 600 [--seed 1]`. It starts from the table of streams and from answers in
 * the dialects of many servers, and splits, drops and changes bytes. A stream must give the same result however it is split,
 * end in an answer or a typed error, and never report a shortened answer as a success.
 */
import fc from 'fast-check';
import { cut, readStream, type StreamVerdict, streamCases } from './streams.testing';

type Answer = Exclude<StreamVerdict, { error: unknown }>;

/** Runs of one property before the time limit is checked again. */
const RUNS = 200;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Where to split `bytes`: at arbitrary places, or into pieces of one size. */
const anyCuts = fc.oneof(
  fc.integer({ min: 1, max: 64 }),
  fc.array(fc.nat(4096), { minLength: 1, maxLength: 12 }),
);

function cutAt(bytes: Uint8Array, cuts: number | number[]): Uint8Array[] {
  if (typeof cuts === 'number') return cut(bytes, cuts);
  const places = cuts.map((at) => at % (bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...places].map((at, index) => bytes.subarray(at, places[index] ?? bytes.length));
}

const cases = streamCases();
const wholeAnswers = cases.filter((one) => !('error' in one.expect));
const anyBytes = fc.constantFrom(...cases).map(({ bytes }) => bytes);

/** One change of some bytes. */
interface Change {
  at: number;
  drop: number;
  insert: string | Uint8Array;
}
const anyChange: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(8192),
  drop: fc.nat(20),
  insert: fc.oneof(
    fc.constantFrom(
      '',
      '\n',
      '\r',
      '\r\n',
      '\n\n',
      'data: ',
      ': ',
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      'null',
      '\\',
      '[DONE]',
    ),
    fc.string({ maxLength: 8 }),
    fc.uint8Array({ maxLength: 4 }),
  ),
});

function changed(bytes: Uint8Array, changes: readonly Change[]): Uint8Array {
  let result = Buffer.from(bytes);
  for (const { at, drop, insert } of changes) {
    const place = at % (result.length + 1);
    result = Buffer.concat([result.subarray(0, place), Buffer.from(insert), result.subarray(place + drop)]);
  }
  return new Uint8Array(result);
}

/** The way a stream is split never changes its result. {@link readStream} rethrows errors that are not typed. */
const sameHoweverCut = fc.property(
  anyBytes,
  fc.array(anyChange, { maxLength: 4 }),
  anyCuts,
  (bytes, changes, cuts) => {
    const all = changed(bytes, changes);
    equal(readStream(cutAt(all, cuts)), readStream([all]));
  },
);

/** An answer that is cut short is an error, unless it was already complete. */
const neverShorterWhenCutShort = fc.property(
  fc.constantFrom(...wholeAnswers),
  fc.nat(8192),
  (one, length) => {
    const { verdict } = readStream([one.bytes.subarray(0, length % (one.bytes.length + 1))]);
    if (!('error' in verdict)) sameAnswer(verdict, one.expect as Answer);
  },
);

/** An answer before it is written in a dialect. */
interface Said {
  words: string[];
  calls: { name: string; args: string[] }[];
  finish: 'stop' | 'length' | 'content_filter';
}
const anyText = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
  fc.constantFrom('data: x', '[DONE]', '\n\n', '\r', '"', '\u2028', '🌊', '{"error":1}', ' '),
);
const anySaid: fc.Arbitrary<Said> = fc.record({
  words: fc.array(anyText, { maxLength: 6 }),
  calls: fc.array(
    fc.record({
      name: fc.stringMatching(/^[a-z_]{1,8}$/),
      args: fc.array(anyText, { minLength: 1, maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  finish: fc.constantFrom('stop', 'length', 'content_filter'),
});

const TEXTS: ((word: string) => object)[] = [
  (word) => ({ delta: { content: word } }),
  (word) => ({ delta: { content: [{ type: 'text', text: word }] } }),
  (word) => ({
    delta: {
      content: [
        { type: 'thinking', thinking: [] },
        { type: 'output_text', text: word },
      ],
    },
  }),
  (word) => ({ delta: { content: { type: 'text', text: word } } }),
  (word) => ({ text: word }),
  (word) => ({ text: word, delta: { role: 'assistant', content: word } }),
  (word) => ({ delta: { text: word } }),
];
const FINISHES = {
  stop: ['stop', 'STOP', 'eos', 'end_turn', 'COMPLETE', 'FinishReason.STOP'],
  length: ['length', 'MAX_TOKENS', 'model_length', 'max_output_tokens'],
  content_filter: ['content_filter', 'SAFETY', 'RECITATION'],
  tool_calls: ['tool_calls', 'tool_use', 'function_call'],
} as const;
const HARMLESS = [
  ': keep-alive\n\n',
  ':\n\n',
  'data:\n\n',
  'data: {}\n\n',
  'event: ping\ndata: {"type":"ping"}\n\n',
  'event: keep-alive\ndata: x\n\n',
  'data: {"choices":null}\n\n',
  'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
  'data: {"choices":[{"index":0,"delta":{}}],"prompt_filter_results":[]}\n\n',
  'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"},"finish_reason":""}]}\n\n',
  'id: 1\nretry: 5\n\n',
];

/** A dialect: `picks` are taken in turn, and each selects one of several ways to write something. */
interface Dialect {
  picks: number[];
  lineEnd: '\n' | '\r\n' | '\r';
  hasIndex: boolean;
}
const anyDialect: fc.Arbitrary<Dialect> = fc.record({
  picks: fc.array(fc.nat(1000), { minLength: 8, maxLength: 8 }),
  lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
  hasIndex: fc.boolean(),
});

function chunksOf({ words, calls, finish }: Said, { picks, hasIndex }: Dialect): object[] {
  let turn = 0;
  const pick = <T>(list: readonly T[]): T => list[(picks[turn++ % picks.length] ?? 0) % list.length] as T;
  const choices: object[] = words.map((word) => pick(TEXTS)(word));
  calls.forEach(({ name, args }, index) => {
    const where = hasIndex ? { index } : {};
    args.forEach((text, at) => {
      const first = at === 0 ? { id: `id${index}`, type: 'function' } : {};
      const fn = { ...(at === 0 && { name }), arguments: text };
      choices.push({ delta: { tool_calls: [{ ...where, ...first, function: fn }] } });
    });
  });
  const reason = calls.length > 0 ? 'tool_calls' : finish;
  choices.push({
    delta: pick([{}, { content: '' }, { content: null }]),
    finish_reason: pick(FINISHES[reason]),
  });
  return choices.map((choice) => ({ choices: [{ ...pick([{}, { index: 0 }]), ...choice }] }));
}

function write(chunks: readonly object[], { picks, lineEnd }: Dialect): Uint8Array {
  let text = '';
  chunks.forEach((chunk, at) => {
    const pick = picks[at % picks.length] ?? 0;
    if (pick % 3 === 0) text += HARMLESS[pick % HARMLESS.length];
    text += `data:${pick % 2 === 0 ? ' ' : ''}${JSON.stringify(chunk)}\n\n`;
  });
  text += ['data: [DONE]\n\n', 'data: [DONE]', ''][(picks[0] ?? 0) % 3];
  return encode(text.replaceAll('\n', lineEnd));
}

const answerOf = ({ words, calls, finish }: Said): Answer => ({
  text: words.join(''),
  finish: calls.length > 0 ? 'tool_calls' : finish,
  ...(calls.length > 0 && {
    toolCalls: calls.map(({ name, args }, index) => ({ id: `id${index}`, name, arguments: args.join('') })),
  }),
});

/** An answer in any dialect is read completely. */
const dialectsAreRead = fc.property(anySaid, anyDialect, anyCuts, (said, dialect, cuts) => {
  const { verdict } = readStream(cutAt(write(chunksOf(said, dialect), dialect), cuts));
  if ('error' in verdict) throw new Error(`refused: ${verdict.error}`);
  sameAnswer(verdict, answerOf(said));
});

/** A change at one place of a chunk's JSON. */
interface Warp {
  place: number;
  how: 'rename' | 'retype' | 'wrap';
  value: unknown;
  name: string;
}
const anyWarp: fc.Arbitrary<Warp> = fc.record({
  place: fc.nat(1000),
  how: fc.constantFrom('rename', 'retype', 'wrap'),
  value: fc.constantFrom<unknown>(7, true, false, { a: 1 }, [7], [[]]),
  name: fc.stringMatching(/^x[a-z]{1,6}$/),
});

/** Returns every place in a JSON value, as the object that holds it and its key. */
function places(value: unknown): [holder: Record<string, unknown>, key: string][] {
  if (typeof value !== 'object' || value === null) return [];
  const holder = value as Record<string, unknown>;
  return Object.keys(holder).flatMap((key) => [
    [holder, key] as [typeof holder, string],
    ...places(holder[key]),
  ]);
}

function warped(chunks: readonly object[], { place, how, value, name }: Warp): object[] {
  const copy = structuredClone(chunks) as object[];
  const all = copy.flatMap(places);
  const [holder, key] = all[place % all.length] ?? [];
  if (holder === undefined || key === undefined) return copy;
  const old = holder[key];
  // Only a text field may change its type: a reader must notice that its value is gone.
  // (An object is a lawful value of `arguments`.)
  const isText = typeof old === 'string' && /^(content|text|arguments)$/.test(key);
  const isLawful = key === 'arguments' && !Array.isArray(value) && typeof value === 'object';
  if (how === 'retype' && isText && !isLawful) holder[key] = value;
  else if (how === 'retype') return copy;
  else if (how === 'wrap') holder[key] = { [name]: old };
  else if (!Array.isArray(holder)) {
    delete holder[key];
    holder[name] = old;
  }
  return copy;
}

/** A chunk with an unknown field is read completely or refused: text under another name is never dropped. */
const neverShorterWhenWarped = fc.property(anySaid, anyDialect, anyWarp, (said, dialect, warp) => {
  const { verdict } = readStream([write(warped(chunksOf(said, dialect), warp), dialect)]);
  if ('error' in verdict) return;
  const whole = answerOf(said);
  const hasText = verdict.text.length >= whole.text.length;
  const read = verdict.toolCalls ?? [];
  const hasCalls = (whole.toolCalls ?? []).every(
    ({ arguments: text }, at) => (read[at]?.arguments.length ?? -1) >= text.length,
  );
  if (!hasText || !hasCalls) throw new Error(`shorter: ${JSON.stringify(verdict)}`);
});

function sameAnswer(read: Answer, whole: Answer): void {
  const answer = ({ text, finish, refusal, toolCalls }: Answer) => ({ text, finish, refusal, toolCalls });
  equal(answer(read), answer(whole));
}

function equal(one: unknown, other: unknown): void {
  const [left, right] = [JSON.stringify(one), JSON.stringify(other)];
  if (left !== right) throw new Error(`${left}\nis not\n${right}`);
}

/** The properties by name. */
export const PROPERTIES: Readonly<Record<string, fc.IProperty<unknown>>> = {
  sameHoweverCut: sameHoweverCut as fc.IProperty<unknown>,
  neverShorterWhenCutShort: neverShorterWhenCutShort as fc.IProperty<unknown>,
  dialectsAreRead: dialectsAreRead as fc.IProperty<unknown>,
  neverShorterWhenWarped: neverShorterWhenWarped as fc.IProperty<unknown>,
};

/** Runs all properties in turn until the time is up. If one fails, throws an error with seed and counterexample. */
export function fuzz(options: { seconds: number; seed: number; report: (line: string) => void }): void {
  const endMs = Date.now() + options.seconds * 1000;
  let runs = 0;
  for (let round = 0; round === 0 || Date.now() < endMs; round++) {
    for (const [name, property] of Object.entries(PROPERTIES)) {
      const seed = options.seed + round;
      const result = fc.check(property, { seed, numRuns: RUNS });
      runs += result.numRuns;
      if (!result.failed) continue;
      throw new Error(
        `${name} fails with --seed ${seed}:\n${fc.stringify(result.counterexample)}\n${result.errorInstance}`,
      );
    }
  }
  options.report(`streams: ${runs} runs of ${Object.keys(PROPERTIES).length} properties, clean`);
}
