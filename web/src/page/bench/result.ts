import { formatMs, formatTps } from '../format';
import { type Summary, summarise } from './statistics';

/** One run of one prompt. */
export interface BenchRun {
  target: 'on_device' | 'in_cloud';
  prompt: string;
  promptTokens: number | undefined;
  completionTokens: number;
  /** From asking to the first text, as a visitor sees it. */
  ttftMs: number;
  /** Measured in the engine; a cloud does not tell. */
  prefillTps: number | undefined;
  decodeTps: number | undefined;
  totalMs: number;
}

/** A whole benchmark, as it is exported. */
export interface BenchResult {
  /** ISO 8601. */
  date: string;
  model: string;
  /** Of the model's file. */
  sha256: string | undefined;
  backend: string;
  device: string;
  userAgent: string;
  logicalCores: number;
  /** Of the engine, after the runs. */
  memoryBytes: number | undefined;
  /** Host of the cloud endpoint, where it was compared. */
  cloud: string | undefined;
  maxTokens: number;
  runs: BenchRun[];
}

/** One row of the table: a prompt on a target. */
export interface BenchRow {
  target: BenchRun['target'];
  prompt: string;
  promptTokens: number | undefined;
  ttftMs: Summary | undefined;
  prefillTps: Summary | undefined;
  decodeTps: Summary | undefined;
}

/** Median and spread for each prompt on each target, in the order in which they ran first. */
export function rows(runs: readonly BenchRun[]): BenchRow[] {
  const groups = new Map<string, BenchRun[]>();
  for (const run of runs) {
    const key = `${run.target} ${run.prompt}`;
    groups.set(key, [...(groups.get(key) ?? []), run]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    return [
      {
        target: first.target,
        prompt: first.prompt,
        promptTokens: first.promptTokens,
        ttftMs: summarise(group.map((run) => run.ttftMs)),
        prefillTps: summarise(group.map((run) => run.prefillTps)),
        decodeTps: summarise(group.map((run) => run.decodeTps)),
      },
    ];
  });
}

/** `0.42 s (0.40 s to 0.51 s)`; a dash where nothing was measured. */
export function formatSummary(summary: Summary | undefined, format: (value: number) => string): string {
  if (summary === undefined) return '–';
  const { median, min, max, runs } = summary;
  return runs === 1 ? format(median) : `${format(median)} (${format(min)} to ${format(max)})`;
}

/** The cells of a row, as table and Markdown show them. */
export function cells(row: BenchRow): string[] {
  return [
    row.target === 'on_device' ? 'This device' : 'Cloud',
    row.prompt,
    row.promptTokens === undefined ? '–' : String(row.promptTokens),
    formatSummary(row.ttftMs, formatMs),
    formatSummary(row.prefillTps, formatTps),
    formatSummary(row.decodeTps, formatTps),
  ];
}

/** Heads of the table. */
export const HEADS = ['Where', 'Prompt', 'Prompt tokens', 'TTFT', 'Prefill', 'Decode'] as const;

/** The result as Markdown, to paste into an issue. */
export function toMarkdown(result: BenchResult): string {
  const oneCell = (cell: string): string => cell.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ');
  const line = (list: readonly string[]): string => `| ${list.map(oneCell).join(' | ')} |`;
  const facts = [
    ['Date', result.date],
    ['Model', result.model + (result.sha256 === undefined ? '' : ` (SHA-256 ${result.sha256})`)],
    ['Device', `${result.backend}, ${result.device}, ${result.logicalCores} logical cores`],
    ['Browser', result.userAgent],
    ...(result.cloud === undefined ? [] : [['Cloud', result.cloud]]),
  ];
  const most = Math.max(0, ...rows(result.runs).map((row) => row.ttftMs?.runs ?? 0));
  return [
    '# inshore benchmark',
    '',
    ...facts.map(([name, value]) => `- ${name}: ${oneCell(value ?? '')}`),
    '',
    line(HEADS),
    line(HEADS.map(() => '---')),
    ...rows(result.runs).map((row) => line(cells(row))),
    '',
    `Median of ${most} ${most === 1 ? 'run' : 'runs'} (least to most), ${result.maxTokens} new tokens each.`,
    '',
  ].join('\n');
}

/** The result as JSON: the medians beside every run. */
export function toJson(result: BenchResult): string {
  return `${JSON.stringify({ format: 'inshore-bench-1', ...result, summary: rows(result.runs) }, undefined, 2)}\n`;
}
