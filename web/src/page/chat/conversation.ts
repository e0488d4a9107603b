import type { ChatMessage } from '../../engine/protocol';
import { InshoreError } from '../../error';
import type { RunningAnswer } from '../../sdk/contract';
import type { Announcer } from '../announcer';
import { formatEnd } from '../format';
import type { Panel } from '../live/panel';
import { reasonWords, SOURCE_WORDS } from '../words';
import type { AnswerView } from './answer-view';
import { ChatAnswer } from './chat-answer';
import type { ChatView } from './chat-view';

/** Answers a conversation; `name` is the same for all turns of one. */
export type Ask = (messages: ChatMessage[], name: string) => RunningAnswer;

/** What a conversation needs of the page. */
export interface ConversationParts {
  view: ChatView;
  panel: Panel;
  announcer: Announcer;
  ask: Ask;
  /** An answer ended; with an error where it failed. `again` asks the same once more. */
  onEnd(error: unknown, again: () => void): void;
}

/** The turns of one chat, and the answer that runs. It belongs to the page: no engine takes it along when it dies. */
export class Conversation {
  readonly #parts: ConversationParts;
  #messages: ChatMessage[] = [];
  #name = newName();
  #answer: ChatAnswer | undefined;

  constructor(parts: ConversationParts) {
    this.#parts = parts;
  }

  /** The answer that runs or ran last. */
  get answer(): ChatAnswer | undefined {
    return this.#answer;
  }

  /** Whether an answer runs. */
  get running(): boolean {
    return this.#answer?.ended === false;
  }

  /** Asks `question` and shows the answer as it grows. */
  async ask(question: string): Promise<void> {
    this.#parts.view.addQuestion(question);
    await this.#answerTo([...this.#messages, { role: 'user', content: question }]);
  }

  /** Stops the running answer; what arrived stays. */
  stop(): void {
    this.#answer?.stop();
  }

  /** Begins with an empty page. */
  clear(): void {
    this.stop();
    this.#answer = undefined;
    this.#messages = [];
    this.#name = newName();
    this.#parts.view.clear();
  }

  async #answerTo(chat: ChatMessage[]): Promise<void> {
    const { view, panel, announcer, ask, onEnd } = this.#parts;
    const shown = view.addAnswer();
    view.setRunning(true);
    panel.measurements.begin(performance.now());
    announcer.say('Answering.');
    const answer = this.#start(ask(chat, this.#name), shown);
    this.#answer = answer;
    let failure: unknown;
    try {
      const end = await answer.done;
      shown.finish(formatEnd(end));
      panel.ended(end.report);
      announcer.say(end.finishReason === 'cancelled' ? 'Stopped.' : `Answer: ${answer.text}`);
      // A new chat may have begun meanwhile.
      if (this.#answer === answer) this.#messages = [...chat, { role: 'assistant', content: answer.text }];
    } catch (error) {
      failure = error;
      shown.fail();
      panel.ended(undefined);
      panel.events.add(`Answer ${panel.measurements.count} failed: ${InshoreError.from(error).message}`);
    }
    view.setRunning(this.running);
    if (this.#answer === answer) onEnd(failure, () => void this.#answerTo(chat));
  }

  #start(running: RunningAnswer, shown: AnswerView): ChatAnswer {
    const { panel, announcer } = this.#parts;
    const answer = new ChatAnswer(running, {
      span: (span, before) => {
        shown.span(span, before);
        if (before === undefined) return;
        shown.update(answer);
        announcer.say(`The answer goes on from ${SOURCE_WORDS[span.source]}: ${reasonWords(span.reason)}.`);
      },
      step: ({ source, tokens }) => {
        shown.update(answer);
        panel.measurements.tokens(source, tokens, performance.now());
        panel.grew();
      },
      replaced: (attempt) => {
        shown.replaced(attempt);
        announcer.say(`The answer begins again: ${reasonWords(attempt.reason)}.`);
      },
    });
    return answer;
  }
}

// The policy keeps a conversation where it began; the name says nothing of its content.
const newName = (): string => `page-${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
