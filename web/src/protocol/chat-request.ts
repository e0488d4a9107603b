import { wellFormed } from './json-body';
import { type Extension, readExtension } from './request-extension';
import { noteFeatures, refuseFunctions } from './request-features';
import {
  type Fields,
  flag,
  get,
  integer,
  number,
  object,
  RequestRefusal,
  seed,
  text,
  unsupported,
  wrong,
} from './request-fields';
import { checkMessages, type Message } from './request-messages';
import { MAX_DEPTH, MAX_STOPS, MAX_TOP_LOGPROBS } from './request-schema';
import { isRecord } from './values';

export { RequestRefusal } from './request-fields';

/**
 * A body after the check; the same as `ChatRequest` of crates/inshore-protocol, which runs the same table of cases
 * (tests/protocol/requests.json).
 */
export interface CheckedChat {
  model: string | undefined;
  /** The conversation; never empty. */
  messages: Message[];
  /** Text of an answer that started elsewhere and is continued. */
  prefix: string | undefined;
  stream: boolean;
  includeUsage: boolean;
  maxTokens: number | undefined;
  temperature: number | undefined;
  topP: number | undefined;
  /** 0: no limit. */
  topK: number | undefined;
  minP: number | undefined;
  repetitionPenalty: number | undefined;
  frequencyPenalty: number | undefined;
  presencePenalty: number | undefined;
  seed: number | bigint | undefined;
  stop: string[];
  /** Alternatives to report for each token; undefined if log-probabilities are not asked for. */
  topLogprobs: number | undefined;
  extension: Extension;
  /** Features that the request needs beyond text: `tools`, `images`, `prefix` … */
  localLacks: string[];
}

/**
 * Checks the JSON body of a chat completion. Nothing in it is trusted. Fields that change nothing here (`user`, `store`,
 * `metadata` …) are ignored.
 *
 * @throws RequestRefusal `invalid_body`, `invalid_value`, `unsupported_feature`
 */
export function checkChatRequest(body: unknown): CheckedChat {
  if (!isRecord(body))
    throw new RequestRefusal('invalid_body', null, 'The body must be a JSON object with messages.');
  if (isDeeper(body, MAX_DEPTH))
    throw new RequestRefusal('invalid_body', null, `The body is nested more than ${MAX_DEPTH} levels deep.`);
  const lacks = new Set<string>();
  const model = text(body, 'model');
  const { messages, prefix } = checkMessages(body, lacks);
  refuseFunctions(body);
  if ((integer(body, 'n', 1, Number.MAX_SAFE_INTEGER) ?? 1) !== 1)
    throw unsupported('n', 'A request has one answer here: set n to 1.');
  const stream = flag(body, 'stream');
  const topLogprobs = readTopLogprobs(body);
  // Both fields are checked, although only one of them is used.
  const maxTokens = integer(body, 'max_tokens', 1, Number.MAX_SAFE_INTEGER);
  const maxCompletionTokens = integer(body, 'max_completion_tokens', 1, Number.MAX_SAFE_INTEGER);
  const sampling = readSampling(body);
  const stop = readStops(body);
  const includeUsage = readIncludeUsage(body, stream);
  noteFeatures(body, lacks);
  const extension = readExtension(body, prefix !== undefined);
  return {
    model,
    messages,
    prefix,
    stream,
    includeUsage,
    maxTokens: maxCompletionTokens ?? maxTokens,
    ...sampling,
    stop,
    topLogprobs,
    extension,
    localLacks: [...lacks],
  };
}

function readTopLogprobs(body: Fields): number | undefined {
  const logprobs = flag(body, 'logprobs');
  const top = integer(body, 'top_logprobs', 0, MAX_TOP_LOGPROBS) ?? 0;
  if (top > 0 && !logprobs) throw wrong('top_logprobs', 'needs logprobs: true');
  return logprobs ? top : undefined;
}

function readSampling(body: Fields) {
  // Many clients send -1 for "no limit".
  const topK = integer(body, 'top_k', -1, 0xffff_ffff);
  return {
    temperature: number(body, 'temperature'),
    topP: number(body, 'top_p'),
    topK: topK === undefined ? undefined : Math.max(0, topK),
    minP: number(body, 'min_p'),
    repetitionPenalty: number(body, 'repetition_penalty'),
    seed: seed(body),
    frequencyPenalty: number(body, 'frequency_penalty'),
    presencePenalty: number(body, 'presence_penalty'),
  };
}

function readStops(body: Fields): string[] {
  const value = get(body, 'stop');
  if (value === undefined) return [];
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  const sound = texts.filter((stop): stop is string => typeof stop === 'string' && stop !== '');
  if (sound.length !== texts.length || texts.length > MAX_STOPS)
    throw wrong('stop', `must be a text or up to ${MAX_STOPS} texts, none of them empty`);
  return sound.map(wellFormed);
}

function readIncludeUsage(body: Fields, stream: boolean): boolean {
  const options = object(body, 'stream_options', 'must be an object');
  if (options === undefined) return false;
  if (!stream) throw wrong('stream_options', 'needs stream: true');
  return flag(options, 'include_usage', 'stream_options.');
}

/** Whether arrays and objects nest more than `limit` levels, as cycles do. Does not recurse. */
function isDeeper(body: object, limit: number): boolean {
  let level = new Set<object>([body]);
  for (let depth = 1; level.size > 0; depth += 1) {
    if (depth > limit) return true;
    level = new Set([...level].flatMap((value) => Object.values(value).filter(isContainer)));
  }
  return false;
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null;
