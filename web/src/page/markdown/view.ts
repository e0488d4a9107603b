import { element } from '../dom';
import { insertMarks } from './marks';
import { type MarkdownBlock, type MarkdownNode, readMarkdown } from './tree';

/** A block on the page: its source, and the nodes that show it. */
interface Shown {
  raw: string;
  nodes: Node[];
}

/**
 * Markdown that grows. Each update reads only from the last block but one (earlier ones cannot change by what is
 * appended) and touches only the blocks whose source changed. Nodes are built one by one from text: no HTML is parsed.
 */
export class MarkdownView {
  readonly element: HTMLElement;
  #shown: Shown[] = [];
  #source = '';
  #marks: readonly HTMLElement[] = [];

  constructor(container: HTMLElement) {
    this.element = container;
  }

  /** Shows `text`, with the elements of `marks` at their offsets. */
  update(text: string, marks: readonly { at: number; element: HTMLElement }[] = []): void {
    const offsets = marks.map((mark) => mark.at);
    const { source, pending } = insertMarks(text, offsets);
    this.#marks = marks.map((mark) => mark.element);
    this.#render(source, this.#firstOpen(source));
    for (const index of pending) this.#append(index);
    // A mark that the text swallowed (in a definition, say) is still told.
    for (const mark of this.#marks) if (!this.element.contains(mark)) this.element.append(mark);
  }

  /** Reads everything anew: references may be defined after their use. */
  finish(): void {
    this.#render(this.#source, 0);
    for (const mark of this.#marks) if (!this.element.contains(mark)) this.element.append(mark);
  }

  /** How many blocks stay as they are. */
  #firstOpen(source: string): number {
    const keep = Math.max(0, this.#shown.length - 2);
    const prefix = this.#shown.slice(0, keep).reduce((length, { raw }) => length + raw.length, 0);
    return source.startsWith(this.#source.slice(0, prefix)) ? keep : 0;
  }

  #render(source: string, keep: number): void {
    const kept = this.#shown.slice(0, keep);
    const offset = kept.reduce((length, { raw }) => length + raw.length, 0);
    const open = readMarkdown(source.slice(offset));
    const before = this.#shown.slice(keep);
    let same = 0;
    while (same < open.length && open[same]?.raw === before[same]?.raw) same += 1;
    if (keep === 0 && source === this.#source) same = 0;
    for (const gone of before.slice(same)) for (const node of gone.nodes) node.parentNode?.removeChild(node);
    // Pending marks hang at the end; blocks go in front of them.
    for (const mark of this.#marks) if (mark.parentNode === this.element) mark.remove();
    const made = open.slice(same).map((block) => this.#show(block));
    for (const { nodes } of made) this.element.append(...nodes);
    this.#shown = [...kept, ...before.slice(0, same), ...made];
    this.#source = source;
  }

  #show(block: MarkdownBlock): Shown {
    return { raw: block.raw, nodes: block.nodes.map((node) => this.#build(node)) };
  }

  #append(index: number): void {
    const mark = this.#marks[index];
    if (mark !== undefined) this.element.append(mark);
  }

  #build(node: MarkdownNode): Node {
    if (typeof node === 'string') return document.createTextNode(node);
    if ('mark' in node) return this.#marks[node.mark] ?? document.createTextNode('');
    const children = node.children.map((child) => this.#build(child));
    const made = document.createElement(node.tag);
    made.append(...children);
    if (made instanceof HTMLAnchorElement && node.href !== undefined) {
      made.href = node.href;
      made.rel = 'noopener noreferrer nofollow';
      made.target = '_blank';
    } else if (made instanceof HTMLOListElement && node.start !== undefined) {
      made.start = node.start;
    } else if (made instanceof HTMLPreElement) {
      return codeBlock(made, node.language ?? '');
    } else if (made instanceof HTMLTableElement) {
      return scrolled(made, 'Table');
    }
    return made;
  }
}

function codeBlock(pre: HTMLPreElement, language: string): HTMLElement {
  const box = element('div', { className: 'code-block' });
  const head = element('div', { className: 'code-head' });
  const copy = element('button', { text: 'Copy', className: 'quiet' });
  copy.type = 'button';
  copy.dataset.copy = 'code';
  copy.setAttribute('aria-label', 'Copy this code');
  head.append(element('span', { text: language }), copy);
  box.append(head, scrolled(pre, language === '' ? 'Code' : `Code, ${language}`));
  return box;
}

/** What is wider than the page scrolls in itself, also by keyboard. */
function scrolled(wide: HTMLElement, label: string): HTMLElement {
  const box = element('div', { className: 'scroll-x' });
  box.tabIndex = 0;
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', label);
  box.append(wide);
  return box;
}
