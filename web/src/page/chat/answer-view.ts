import { element } from '../dom';
import { MarkdownView } from '../markdown/view';
import { reasonWords, SOURCE_WORDS, sourceAndReason } from '../words';
import type { ChatAnswer, ShownSpan, VoidAttempt } from './chat-answer';

/** One answer on the page: its first source on top, its text, marks where it went over, its figures below. */
export class AnswerView {
  readonly element = element('article', {
    className: 'message assistant waiting',
    testId: 'message-assistant',
  });
  readonly #sources = element('p', { className: 'sources small', testId: 'answer-source' });
  readonly #body = element('div', { className: 'body markdown', testId: 'answer-text' });
  readonly #markdown = new MarkdownView(this.#body);
  readonly #foot = element('div', { className: 'foot' });
  readonly #onGrow: () => void;
  #marks: { at: number; element: HTMLElement }[] = [];
  #text = '';
  #frame: number | undefined;

  constructor(onGrow: () => void) {
    this.#onGrow = onGrow;
    this.element.setAttribute('aria-label', 'Answer');
    this.#sources.hidden = true;
    this.element.append(this.#sources, this.#body, this.#foot);
  }

  /** Shows what the answer has now; at most once a frame. */
  update(answer: ChatAnswer): void {
    this.#text = answer.text;
    if (answer.text !== '') this.element.classList.replace('waiting', 'streaming');
    this.#frame ??= requestAnimationFrame(() => this.#draw());
  }

  /** A span began: the first one is told on top, a later one at its place in the text. */
  span(span: ShownSpan, before: ShownSpan | undefined): void {
    if (before === undefined) {
      this.#sources.hidden = false;
      this.#sources.replaceChildren(badge(span), ` ${reasonWords(span.reason)}`);
    } else {
      this.#marks.push({ at: span.start, element: mark(span) });
    }
  }

  /** The answer began again: what was shown stays readable, and is shown as void. */
  replaced({ text, from, reason }: VoidAttempt): void {
    const box = element('details', { className: 'void', testId: 'answer-void' });
    const where = from === undefined ? '' : ` from ${SOURCE_WORDS[from]}`;
    const said = `The answer began again: ${reasonWords(reason)}. The first attempt${where} does not count.`;
    box.append(element('summary', { text: said }), element('del', { text }));
    this.element.insertBefore(box, this.#sources);
    this.#sources.hidden = true;
    this.#marks = [];
    this.#text = '';
    this.#draw();
  }

  /** Puts the figures under the whole answer. */
  finish(words: string): void {
    this.#close(words);
    this.#markdown.finish();
    if (this.#text === '') return;
    const copy = element('button', { text: 'Copy', className: 'quiet', testId: 'copy-answer' });
    copy.type = 'button';
    copy.dataset.copy = 'answer';
    copy.dataset.text = this.#text;
    copy.setAttribute('aria-label', 'Copy this answer');
    this.#foot.append(copy);
  }

  /** Says that it failed; what arrived stays. */
  fail(): void {
    this.#close('broken off by an error');
  }

  #close(words: string): void {
    this.#draw();
    this.element.classList.remove('waiting', 'streaming');
    this.#foot.prepend(element('p', { text: words, className: 'small', testId: 'answer-stats' }));
    this.#onGrow();
  }

  #draw(): void {
    if (this.#frame !== undefined) cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    this.#markdown.update(this.#text, this.#marks);
    this.#onGrow();
  }
}

/** Where a span comes from, in a word and a colour. */
export function badge({ source }: { source: ShownSpan['source'] | 'mixed' }): HTMLElement {
  const words = source === 'mixed' ? 'mixed' : SOURCE_WORDS[source];
  const made = element('span', { text: words, className: `badge source-${source}`, testId: 'source-badge' });
  made.dataset.source = source;
  return made;
}

function mark(span: ShownSpan): HTMLElement {
  const made = element('span', { className: `handover source-${span.source}`, testId: 'handover' });
  made.dataset.source = span.source;
  made.dataset.reason = span.reason;
  made.append(element('span', { text: `→ from ${sourceAndReason(span.source, span.reason)}` }));
  made.title = 'From here on the answer comes from there';
  return made;
}
