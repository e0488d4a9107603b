import type { InshoreEvents, Report, Slo } from '../../sdk/contract';
import { badge } from '../chat/answer-view';
import { byId, element } from '../dom';
import { formatMs, formatTps } from '../format';
import { reasonWords, SOURCE_WORDS } from '../words';
import { BreakerList } from './breaker-list';
import { Chart } from './chart-view';
import { EventLog } from './event-log';
import { type Measurement, Measurements, offBy } from './measurements';

/** How much of the speed chart is shown: the last minute of answering. */
const SHOWN_MS = 60_000;

/** The live panel: where answers come from and why, and what was predicted against what was measured. */
export class Panel {
  readonly measurements = new Measurements();
  readonly events = new EventLog();
  readonly breakers = new BreakerList();
  readonly #now = byId('now', HTMLParagraphElement);
  readonly #share = byId('share', HTMLDivElement);
  readonly #spans = byId('spans', HTMLTableElement);
  readonly #figures = byId('figures', HTMLTableElement);
  readonly #ttft = new Chart();
  readonly #speed = new Chart();
  #slo: Slo;
  #predictedTps: number | undefined;
  #drawn = 0;

  constructor(slo: Slo) {
    this.#slo = slo;
    byId('ttft-chart', HTMLDivElement).append(this.#ttft.element);
    byId('speed-chart', HTMLDivElement).append(this.#speed.element);
    this.draw();
  }

  /** What is promised from now on. */
  setSlo(slo: Slo): void {
    this.#slo = slo;
    this.draw();
  }

  /** A route was chosen. */
  decided({ source, reason, predicted }: InshoreEvents['decision']): void {
    this.#predictedTps = predicted.decodeTps ?? undefined;
    const told = [
      ...(predicted.ttftMs === null ? [] : [`first token in ${formatMs(predicted.ttftMs)}`]),
      ...(predicted.decodeTps === null ? [] : [formatTps(predicted.decodeTps)]),
    ];
    const words = told.length === 0 ? '' : ` (predicted: ${told.join(', ')})`;
    this.events.add(
      `Answer ${this.measurements.count} → ${SOURCE_WORDS[source]}: ${reasonWords(reason)}${words}`,
    );
    this.#now.replaceChildren(badge({ source }), ` ${reasonWords(reason)}${words}`);
  }

  /** An answer went over. */
  handedOver({ from, to, reason, manner, tokens }: InshoreEvents['handover']): void {
    this.measurements.handover(performance.now());
    const how = { token_ids: 'from its token ids', prefix: 'from its text', replace: 'from the beginning' }[
      manner
    ];
    const route =
      from === to
        ? `goes on on ${SOURCE_WORDS[to]}`
        : `goes from ${SOURCE_WORDS[from]} to ${SOURCE_WORDS[to]}`;
    this.events.add(
      `Answer ${this.measurements.count} ${route} after ${tokens} tokens, ${how}: ${reasonWords(reason)}`,
    );
  }

  /** Tokens arrived: the speed chart follows, four times a second. */
  grew(): void {
    const now = performance.now();
    if (now - this.#drawn < 250) return;
    this.#drawn = now;
    this.#drawSpeed();
  }

  /** An answer ended. */
  ended(report: Report | undefined): void {
    this.measurements.end(performance.now(), report, new Date());
    if (report !== undefined) this.#showReport(report);
    this.draw();
  }

  /** Draws everything anew. */
  draw(): void {
    this.#drawTtft();
    this.#drawSpeed();
    this.#fillFigures();
  }

  #showReport(report: Report): void {
    const { predicted, timings } = report;
    const parts = [
      `first token after ${formatMs(timings.ttftMs)}${against(offBy(predicted.ttftMs ?? undefined, timings.ttftMs))}`,
      ...(timings.decodeTps === undefined
        ? []
        : [
            formatTps(timings.decodeTps) +
              against(offBy(predicted.decodeTps ?? undefined, timings.decodeTps)),
          ]),
    ];
    this.#now.replaceChildren(
      badge({ source: report.source }),
      ` ${reasonWords(report.reason)}; ${parts.join(', ')}`,
    );
    const total = report.spans.reduce((sum, span) => sum + span.tokens, 0);
    this.#share.replaceChildren(
      ...report.spans.map((span) => {
        const part = element('span', { className: `source-${span.source}` });
        part.style.flexGrow = String(total === 0 ? 1 : span.tokens / total);
        return part;
      }),
    );
    this.#spans.hidden = report.spans.length === 0;
    const rows = report.spans.map((span) => {
      const cells: (string | Node)[] = [
        badge(span),
        reasonWords(span.reason),
        String(span.tokens),
        span.ttftMs === undefined ? '–' : formatMs(span.ttftMs),
        span.decodeTps === undefined ? '–' : formatTps(span.decodeTps),
      ];
      const made = row(cells);
      made.dataset.source = span.source;
      made.dataset.reason = span.reason;
      return made;
    });
    this.#spans.tBodies[0]?.replaceChildren(...rows);
  }

  #drawTtft(): void {
    const { answers } = this.measurements;
    const shown = answers.slice(-20);
    const last = shown.at(-1)?.answer ?? 1;
    this.#ttft.draw({
      dots: shown.flatMap((one) => [
        ...(one.predictedTtftMs === undefined
          ? []
          : [{ x: one.answer, y: one.predictedTtftMs / 1000, kind: 'predicted' as const }]),
        ...(one.ttftMs === undefined ? [] : [{ x: one.answer, y: one.ttftMs / 1000, kind: one.source }]),
      ]),
      bound: { y: this.#slo.ttft_ms / 1000, label: 'at most' },
      x: [last - Math.max(7, shown.length) + 0.5, last + 0.5],
      formatY: (value) => `${value} s`,
      summary: summary(
        'Time to first token',
        shown.at(-1),
        (one) => [one.predictedTtftMs, one.ttftMs],
        formatMs,
      ),
    });
  }

  #drawSpeed(): void {
    const { samples, handovers, answers } = this.measurements;
    const to = Math.max(SHOWN_MS / 4, samples.at(-1)?.x ?? 0);
    const from = Math.max(0, to - SHOWN_MS);
    const shown = samples.filter(({ x }) => x >= from);
    const predicted = this.#predictedTps;
    const running = samples.at(-1)?.answer;
    const start = samples.find(({ answer }) => answer === running)?.x ?? from;
    this.#speed.draw({
      line: shown,
      ...(predicted === undefined
        ? {}
        : { predicted: [Math.max(from, start), to].map((x) => ({ x, y: predicted })) }),
      bound: { y: this.#slo.tokens_per_second, label: 'at least' },
      handovers,
      x: [from, to],
      formatY: (value) => `${value}`,
      summary: summary('Tokens a second', answers.at(-1), (one) => [one.predictedTps, one.tps], formatTps),
    });
  }

  #fillFigures(): void {
    const rows = this.measurements.answers
      .slice(-20)
      .reverse()
      .map((one) =>
        row([
          `${one.answer}, ${one.at.toLocaleTimeString()}`,
          one.source === 'mixed' ? 'mixed' : SOURCE_WORDS[one.source],
          one.predictedTtftMs === undefined ? '–' : formatMs(one.predictedTtftMs),
          one.ttftMs === undefined ? '–' : formatMs(one.ttftMs),
          one.predictedTps === undefined ? '–' : formatTps(one.predictedTps),
          one.tps === undefined ? '–' : formatTps(one.tps),
        ]),
      );
    this.#figures.tBodies[0]?.replaceChildren(...rows);
  }
}

const against = (percent: number | undefined): string =>
  percent === undefined ? '' : ` (${percent > 0 ? '+' : ''}${percent} % against the prediction)`;

function summary(
  what: string,
  last: Measurement | undefined,
  figures: (one: Measurement) => [number | undefined, number | undefined],
  format: (value: number) => string,
): string {
  if (last === undefined) return `${what}: nothing measured yet`;
  const [predicted, measured] = figures(last);
  const told = [
    ...(predicted === undefined ? [] : [`predicted ${format(predicted)}`]),
    ...(measured === undefined ? [] : [`measured ${format(measured)}`]),
  ];
  return `${what} of answer ${last.answer}: ${told.join(', ') || 'not measured'}. All figures are in the table below.`;
}

function row(cells: (string | Node)[]): HTMLTableRowElement {
  const made = document.createElement('tr');
  made.append(
    ...cells.map((cell) => {
      const td = document.createElement('td');
      td.append(cell);
      return td;
    }),
  );
  return made;
}
