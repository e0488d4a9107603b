import type { Source } from '../../sdk/contract';
import { type Box, linePath, type Point, pieces, round, scale, ticks } from './chart-geometry';

/** A dot of the chart. */
export interface Dot extends Point {
  kind: Source | 'mixed' | 'predicted';
}

/** What a chart shows. */
export interface ChartData {
  /** Lines, each piece in its source's colour. */
  line?: (Point & { kind: Source })[];
  dots?: Dot[];
  /** A dashed line. */
  predicted?: Point[];
  /** The bound that was promised, and whether it is a floor or a ceiling. */
  bound?: { y: number; label: string };
  /** Where answers went over. */
  handovers?: number[];
  x: [number, number];
  formatY: (value: number) => string;
  /** What a reader who does not see the picture is told. */
  summary: string;
}

const WIDTH = 340;
const HEIGHT = 150;
const BOX: Box = { left: 46, top: 10, width: WIDTH - 54, height: HEIGHT - 24 };
const SVG = 'http://www.w3.org/2000/svg';

/** A small chart of our own: one SVG, drawn anew when its figures change. */
export class Chart {
  readonly element = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', role: 'img' });

  /** Draws. */
  draw(data: ChartData): void {
    this.element.setAttribute('aria-label', data.summary);
    const values = [
      ...(data.line ?? []).map(({ y }) => y),
      ...(data.dots ?? []).map(({ y }) => y),
      ...(data.predicted ?? []).map(({ y }) => y),
    ].filter(Number.isFinite);
    // A promise far above all that happened would flatten the rest.
    const highest = Math.max(0, ...values);
    const bound =
      data.bound !== undefined && (highest === 0 || data.bound.y < 2.5 * highest) ? data.bound : undefined;
    const marks = ticks(Math.max(highest, bound?.y ?? 0));
    const x = scale(data.x, [BOX.left, BOX.left + BOX.width]);
    const y = scale([0, marks.at(-1) ?? 1], [BOX.top + BOX.height, BOX.top]);
    this.element.replaceChildren(
      ...marks.flatMap((mark) => gridLine(y(mark), data.formatY(mark))),
      ...(bound === undefined ? [] : boundLine(y(bound.y), bound.label)),
      ...(data.handovers ?? []).filter((at) => at >= data.x[0]).map((at) => vertical(x(at))),
      ...(data.predicted === undefined ? [] : [path(linePath(data.predicted, x, y), 'predicted')]),
      ...pieces(data.line ?? []).map((piece) => path(linePath(piece.points, x, y), `line ${piece.kind}`)),
      ...(data.dots ?? []).map((dot) => shape(dot, x(dot.x), y(dot.y))),
    );
  }
}

/** Sources differ by shape too, not by colour alone. */
function shape(dot: Dot, x: number, y: number): SVGElement {
  const at = { class: `dot ${dot.kind}` };
  switch (dot.kind) {
    case 'on_device':
      return svg('circle', { ...at, cx: round(x), cy: round(y), r: 4 });
    case 'predicted':
      return svg('path', { ...at, d: `M${round(x - 5)} ${round(y)}h10` });
    case 'mixed':
      return svg('path', { ...at, d: `M${round(x)} ${round(y - 5)}l5 5l-5 5l-5-5z` });
    default:
      return svg('rect', { ...at, x: round(x - 3.5), y: round(y - 3.5), width: 7, height: 7 });
  }
}

function gridLine(y: number, words: string): SVGElement[] {
  const line = svg('path', { class: 'grid', d: `M${BOX.left} ${round(y)}h${BOX.width}` });
  const label = svg('text', { class: 'tick', x: BOX.left - 6, y: round(y + 3.5), 'text-anchor': 'end' });
  label.textContent = words;
  return [line, label];
}

function boundLine(y: number, words: string): SVGElement[] {
  const line = svg('path', { class: 'bound', d: `M${BOX.left} ${round(y)}h${BOX.width}` });
  const label = svg('text', {
    class: 'tick bound-label',
    x: BOX.left + BOX.width,
    y: round(y < 24 ? y + 12 : y - 4),
    'text-anchor': 'end',
  });
  label.textContent = words;
  return [line, label];
}

const vertical = (x: number): SVGElement =>
  svg('path', { class: 'handover-line', d: `M${round(x)} ${BOX.top}v${BOX.height}` });

const path = (d: string, kind: string): SVGElement => svg('path', { class: kind, d });

function svg(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
