/** A fixed prompt of the benchmark. */
export interface BenchPrompt {
  id: string;
  /** As the table calls it. */
  name: string;
  text: string;
}

const FACT =
  'The tide is the regular rise and fall of the sea, caused by the pull of the moon and the sun and by the turning of the earth. ';

/** Short, middle and long: prefill grows with them, decode should not. Never change them: results are compared over time. */
export const BENCH_PROMPTS: readonly BenchPrompt[] = [
  { id: 'short', name: 'Short question', text: 'Explain in a few sentences why the sea is salty.' },
  {
    id: 'middle',
    name: 'Paragraph',
    text: `${FACT.repeat(4)}\nWrite down what this text says about the moon.`,
  },
  { id: 'long', name: 'Page', text: `${FACT.repeat(14)}\nWrite down what this text says about the sun.` },
];

/** New tokens of each run: enough for a steady decode speed. */
export const BENCH_TOKENS = 32;

/** The text of one run: headed by a number, so that no cache of an earlier run's prompt answers. */
export const benchText = (prompt: BenchPrompt, run: number): string => `(${run}) ${prompt.text}`;
