import type { CheckedRequest, Mode, RequestExtension } from '../sdk/contract';
import { InvalidRequestError } from './errors';
import { type Fields, flag, given, integer, invalid, isObject, number, oneOf } from './fields';
import { checkMessages } from './messages';

/** Stop texts that a request may have. */
export const MAX_STOPS = 16;

/** The name under which any instance knows its own model. */
export const MODEL_ALIAS = 'inshore';

const ANY = Number.MAX_SAFE_INTEGER;
const MODES: readonly Mode[] = [
  'only_on_device',
  'prefer_on_device',
  'prefer_in_cloud',
  'only_in_cloud',
  'auto',
];

/** A body after the check: what to run, and how to hand out the answer. */
export interface ChatRequest {
  checked: CheckedRequest;
  stream: boolean;
  /** A last chunk with token counts. */
  includeUsage: boolean;
  /** Whether to report log-probabilities. */
  logprobs: boolean;
}

/**
 * Checks the JSON body of a chat completion. Nothing in it is trusted. Fields that change nothing here (`user`,
 * `store`, `metadata` …) pass; fields that the engine here cannot obey are named in `localLacks`, so that the policy can
 * send the request to an endpoint that can.
 *
 * @throws InvalidRequestError `invalid_body`, `invalid_value`, `unsupported_value`, `model_not_found`
 */
export function checkChatRequest(body: unknown, modelName: string): ChatRequest {
  if (!isObject(body))
    throw new InvalidRequestError('invalid_body', null, 'The body must be a JSON object with messages.');
  checkModel(body.model, modelName);
  const lacks = new Set<string>();
  const messages = checkMessages(body.messages, lacks);
  if ((integer(body, 'n', 1, ANY) ?? 1) !== 1)
    throw new InvalidRequestError('unsupported_value', 'n', 'There is one answer to a request: set n to 1.');
  const stream = flag(body, 'stream');
  const logprobs = flag(body, 'logprobs');
  const topLogprobs = integer(body, 'top_logprobs', 0, 20);
  if (topLogprobs !== undefined && topLogprobs > 0 && !logprobs)
    throw invalid('top_logprobs', 'top_logprobs needs logprobs: true.');
  // Both are checked, also the one that does not count.
  const maxTokens = integer(body, 'max_tokens', 1, ANY);
  const maxCompletionTokens = integer(body, 'max_completion_tokens', 1, ANY);
  noteLacks(body, lacks);
  const checked: CheckedRequest = {
    messages,
    maxTokens: maxCompletionTokens ?? maxTokens,
    temperature: number(body, 'temperature', 0, 2),
    topP: number(body, 'top_p', 0, 1),
    topK: integer(body, 'top_k', 0, 0xffff_ffff),
    minP: number(body, 'min_p', 0, 1),
    repetitionPenalty: number(body, 'repetition_penalty', 0.01, 10),
    seed: integer(body, 'seed', Number.MIN_SAFE_INTEGER, ANY),
    stop: stops(body.stop),
    frequencyPenalty: number(body, 'frequency_penalty', -2, 2),
    presencePenalty: number(body, 'presence_penalty', -2, 2),
    topLogprobs: logprobs ? (topLogprobs ?? 0) : undefined,
    extension: extension(body.inshore, stream),
    body: copyWithoutExtension(body),
    localLacks: [...lacks],
  };
  return { checked, stream, includeUsage: includeUsage(body, stream), logprobs };
}

function checkModel(value: unknown, modelName: string): void {
  if (!given(value) || value === modelName || value === MODEL_ALIAS) return;
  if (typeof value !== 'string') throw invalid('model', 'model must be a string.');
  throw new InvalidRequestError(
    'model_not_found',
    'model',
    `There is no model \`${value.slice(0, 100)}\` here; use \`${modelName}\` or \`${MODEL_ALIAS}\`, or leave model out.`,
  );
}

function includeUsage(body: Fields, stream: boolean): boolean {
  const options = body.stream_options;
  if (!given(options)) return false;
  if (!stream) throw invalid('stream_options', 'stream_options needs stream: true.');
  if (!isObject(options)) throw invalid('stream_options', 'stream_options must be an object.');
  return flag(options, 'include_usage');
}

function stops(value: unknown): string[] {
  if (!given(value)) return [];
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  const sound = texts.filter((text): text is string => typeof text === 'string' && text !== '');
  if (sound.length !== texts.length || texts.length > MAX_STOPS)
    throw invalid('stop', `stop must be a text or up to ${MAX_STOPS} texts, none of them empty.`);
  return sound;
}

/** Fields that would change the answer and that the engine here does not know. */
function noteLacks(body: Fields, lacks: Set<string>): void {
  const filled = (value: unknown): boolean =>
    Array.isArray(value) ? value.length > 0 : isObject(value) ? Object.keys(value).length > 0 : given(value);
  if (filled(body.tools) || filled(body.functions)) lacks.add('tools');
  if (filled(body.logit_bias)) lacks.add('logit_bias');
  if (filled(body.audio)) lacks.add('audio');
  if (given(body.web_search_options)) lacks.add('web_search');
  const format = body.response_format;
  if (!given(format)) return;
  if (!isObject(format) || typeof format.type !== 'string')
    throw invalid('response_format', 'response_format must be an object with a type.');
  if (format.type !== 'text') lacks.add('response_format');
}

const EXTENSION_KEYS = ['privacy', 'mode', 'deadline_ms', 'conversation', 'accept_replace'];

function extension(value: unknown, stream: boolean): RequestExtension {
  if (!given(value)) return {};
  if (!isObject(value)) throw invalid('inshore', 'inshore must be an object.');
  // A label that is misspelt must not be a label that is missing.
  const unknown = Object.keys(value).find((key) => !EXTENSION_KEYS.includes(key));
  if (unknown !== undefined)
    throw invalid(
      `inshore.${unknown.slice(0, 100)}`,
      `inshore knows the fields ${EXTENSION_KEYS.join(', ')} only.`,
    );
  const found: RequestExtension = {};
  const privacy = oneOf(value, 'privacy', 'inshore.privacy', ['local_only', 'cloud_allowed'] as const);
  if (privacy !== undefined) found.privacy = privacy;
  const mode = oneOf(value, 'mode', 'inshore.mode', MODES);
  if (mode !== undefined) found.mode = mode;
  if (given(value.deadline_ms)) {
    const deadline = value.deadline_ms;
    if (typeof deadline !== 'number' || !(deadline > 0 && deadline <= ANY))
      throw invalid('inshore.deadline_ms', 'inshore.deadline_ms must be a number above 0.');
    found.deadline_ms = deadline;
  }
  if (given(value.conversation)) {
    const name = value.conversation;
    if (typeof name !== 'string' || name === '' || name.length > 256)
      throw invalid('inshore.conversation', 'inshore.conversation must be a text of 1 to 256 characters.');
    found.conversation = name;
  }
  if (given(value.accept_replace)) {
    if (typeof value.accept_replace !== 'boolean')
      throw invalid('inshore.accept_replace', 'inshore.accept_replace must be true or false.');
    // Of a whole answer nobody sees a part that could become void.
    if (stream) found.accept_replace = value.accept_replace;
  }
  return found;
}

/** A copy, for the caller may change its object while the answer runs. The extension is meant for us alone. */
function copyWithoutExtension(body: Fields): Fields {
  const { inshore: _ours, ...rest } = body;
  try {
    return JSON.parse(JSON.stringify(rest)) as Fields;
  } catch {
    const message = 'The body cannot be written as JSON: it has a cycle or a bigint.';
    throw new InvalidRequestError('invalid_body', null, message);
  }
}
