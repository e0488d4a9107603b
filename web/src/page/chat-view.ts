import type { AnswerEnd } from '../engine/protocol';
import { byId, element } from './dom';
import { formatEnd } from './format';

/** An answer on the page while it grows. */
export interface AnswerView {
  append(text: string): void;
  finish(end: AnswerEnd): void;
  fail(): void;
}

/** The conversation and the line to write in. */
export class ChatView {
  readonly #scroller = byId('scroller', HTMLElement);
  readonly #chat = byId('chat', HTMLElement);
  readonly #log = byId('log', HTMLDivElement);
  readonly #composer = byId('composer', HTMLFormElement);
  readonly #question = byId('question', HTMLTextAreaElement);
  readonly #send = byId('send', HTMLButtonElement);
  readonly #stop = byId('stop', HTMLButtonElement);
  readonly #newChat = byId('new-chat', HTMLButtonElement);
  #running = false;

  constructor(actions: { onAsk(question: string): void; onStop(): void; onNewChat(): void }) {
    const ask = (): void => {
      const question = this.#question.value.trim();
      if (this.#running || question === '') return;
      this.#question.value = '';
      this.#fit();
      actions.onAsk(question);
    };
    this.#composer.addEventListener('submit', (event) => {
      event.preventDefault();
      ask();
    });
    this.#question.addEventListener('input', () => this.#fit());
    this.#question.addEventListener('keydown', (event) => {
      // Enter in an input method confirms a word there.
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      ask();
    });
    this.#stop.addEventListener('click', actions.onStop);
    document.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.#running) actions.onStop();
    });
    this.#newChat.addEventListener('click', () => {
      actions.onNewChat();
      this.#question.focus();
    });
  }

  /** Opens the chat for questions, or closes it while there is no engine. */
  setReady(ready: boolean): void {
    this.#composer.hidden = !ready;
    if (!ready) return;
    this.#chat.hidden = false;
    this.#newChat.hidden = false;
    this.#question.focus();
  }

  /** Shows Stop in place of Send while an answer runs. */
  setRunning(running: boolean): void {
    const hadFocus = this.#stop === document.activeElement;
    this.#running = running;
    this.#send.hidden = running;
    this.#stop.hidden = !running;
    // A screen reader reads the answer when it is whole, not word by word.
    this.#log.setAttribute('aria-busy', String(running));
    if (!running && hadFocus) this.#question.focus();
  }

  /** Empties the conversation. */
  clear(): void {
    this.#log.replaceChildren();
  }

  /** Adds a question. */
  addQuestion(text: string): void {
    this.#log.append(element('article', { text, className: 'message user', testId: 'message-user' }));
    this.#scroll(true);
  }

  /** Adds an empty answer. */
  addAnswer(): AnswerView {
    const article = element('article', {
      className: 'message assistant waiting',
      testId: 'message-assistant',
    });
    const body = element('div', { className: 'body', testId: 'answer-text' });
    const text = document.createTextNode('');
    body.append(text);
    article.append(body);
    this.#log.append(article);
    this.#scroll(true);
    const note = (words: string): void => {
      article.classList.remove('waiting', 'streaming');
      article.append(element('p', { text: words, className: 'small', testId: 'answer-stats' }));
      this.#scroll(false);
    };
    return {
      append: (more) => {
        if (more === '') return;
        article.classList.replace('waiting', 'streaming');
        text.appendData(more);
        this.#scroll(false);
      },
      finish: (end) => note(formatEnd(end)),
      fail: () => note('broken off by an error'),
    };
  }

  /** Follows the end of the conversation, unless the reader has scrolled up. */
  #scroll(always: boolean): void {
    const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
    if (always || scrollHeight - clientHeight - scrollTop < 120) this.#scroller.scrollTop = scrollHeight;
  }

  #fit(): void {
    this.#question.style.height = 'auto';
    this.#question.style.height = `${Math.min(this.#question.scrollHeight + 2, 200)}px`;
  }
}
