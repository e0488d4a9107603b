import { recordOf } from './config_values';

/** Counts of an answer, as far as the upstream told them. */
export interface AnswerCounts {
  events: number;
  promptTokens: number | undefined;
  completionTokens: number | undefined;
}

/** What an event of a chat-completions stream is. `error`: the upstream gave up. `garbage`: no event of this protocol. */
export type EventKind = 'chunk' | 'done' | 'error' | 'garbage';

/** Follows an answer, streamed or whole, to know whether it is complete and how many tokens it has. */
export class AnswerWatch {
  readonly counts: AnswerCounts = { events: 0, promptTokens: undefined, completionTokens: undefined };
  /** A `finish_reason` or `[DONE]` was seen: what comes after may be missing. */
  finished = false;

  /** Takes an event's data. */
  event(data: string): EventKind {
    if (data === '[DONE]') {
      this.finished = true;
      return 'done';
    }
    const chunk = parsed(data);
    if (chunk === undefined) return 'garbage';
    if (chunk.error !== undefined && chunk.error !== null) return 'error';
    if (!this.whole(chunk)) return 'garbage';
    this.counts.events += 1;
    return 'chunk';
  }

  /** Takes a completion or a chunk of one. Returns whether it is one. */
  whole(completion: Record<string, unknown>): boolean {
    if (!Array.isArray(completion.choices)) return false;
    const reason = recordOf(completion.choices[0])?.finish_reason;
    if (typeof reason === 'string') this.finished = true;
    const usage = recordOf(completion.usage);
    if (usage !== undefined) {
      this.counts.promptTokens = count(usage.prompt_tokens);
      this.counts.completionTokens = count(usage.completion_tokens);
    }
    return true;
  }
}

function parsed(data: string): Record<string, unknown> | undefined {
  try {
    return recordOf(JSON.parse(data));
  } catch {
    return undefined;
  }
}

/** Only a number gets into the log. */
const count = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) ? (value as number) : undefined;
