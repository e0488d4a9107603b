import { byId, element } from '../dom';
import { AnswerView } from './answer-view';

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
  #following = true;

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
      if (event.key === 'Escape' && this.#running && !event.defaultPrevented) actions.onStop();
    });
    this.#newChat.addEventListener('click', () => {
      actions.onNewChat();
      this.#question.focus();
    });
    this.#scroller.addEventListener('scroll', () => {
      const { scrollHeight, clientHeight, scrollTop } = this.#scroller;
      this.#following = scrollHeight - clientHeight - scrollTop < 120;
    });
    this.#log.addEventListener('click', (event) => void this.#copy(event));
  }

  /** Opens the chat for questions, or closes it while nobody could answer. */
  setReady(ready: boolean, options: { focus: boolean } = { focus: true }): void {
    const opened = ready && this.#composer.hidden;
    this.#composer.hidden = !ready;
    if (!ready) return;
    this.#chat.hidden = false;
    this.#newChat.hidden = false;
    if (opened && options.focus) this.#question.focus();
  }

  /** Shows Stop in place of Send while an answer runs. */
  setRunning(running: boolean): void {
    const hadFocus = this.#stop === document.activeElement;
    this.#running = running;
    this.#send.hidden = running;
    this.#stop.hidden = !running;
    this.#log.setAttribute('aria-busy', String(running));
    if (!running && hadFocus) this.#question.focus();
  }

  /** Empties the conversation. */
  clear(): void {
    this.#log.replaceChildren();
  }

  /** Adds a question. */
  addQuestion(text: string): void {
    const article = element('article', { text, className: 'message user', testId: 'message-user' });
    article.setAttribute('aria-label', 'You');
    this.#log.append(article);
    this.#toEnd();
  }

  /** Adds an empty answer. */
  addAnswer(): AnswerView {
    const view = new AnswerView(() => {
      if (this.#following) this.#toEnd();
    });
    this.#log.append(view.element);
    this.#toEnd();
    return view;
  }

  /** Gives the text to write in the focus. */
  focus(): void {
    if (!this.#composer.hidden) this.#question.focus();
  }

  /** Follows the end of the conversation until the reader scrolls up. */
  #toEnd(): void {
    this.#following = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  async #copy(event: Event): Promise<void> {
    const button =
      event.target instanceof HTMLElement ? event.target.closest<HTMLButtonElement>('[data-copy]') : null;
    if (button === null) return;
    const text =
      button.dataset.copy === 'code'
        ? (button.closest('.code-block')?.querySelector('code')?.textContent ?? '')
        : (button.dataset.text ?? '');
    const words = await navigator.clipboard.writeText(text).then(
      () => 'Copied',
      () => 'Not allowed',
    );
    button.textContent = words;
    setTimeout(() => {
      button.textContent = 'Copy';
    }, 2000);
  }

  #fit(): void {
    this.#question.style.height = 'auto';
    this.#question.style.height = `${Math.min(this.#question.scrollHeight + 2, 200)}px`;
  }
}
