import type { Config, Route } from './config';
import { recordOf } from './config_values';
import { ApiError } from './errors';
import { messagesOf } from './messages';

/** A request that may go upstream, rebuilt from the fields we know. */
export interface AdmittedRequest {
  route: Route;
  /** Public name of the model. */
  model: string;
  stream: boolean;
  /** JSON. */
  body: string;
}

type Check = (value: unknown) => boolean;

const isNumber: Check = (value) => typeof value === 'number';
const isInteger: Check = (value) => Number.isSafeInteger(value);
const isBoolean: Check = (value) => typeof value === 'boolean';
const isText: Check = (value) => typeof value === 'string';
const isTextList: Check = (value) => Array.isArray(value) && value.every(isText);
const isObject: Check = (value) => recordOf(value) !== undefined;
const either =
  (...checks: Check[]): Check =>
  (value) =>
    checks.some((check) => check(value));

/** Fields that go upstream as they are. Their ranges are the upstream's business; everything else stays here. */
const PASSED: Readonly<Record<string, Check>> = {
  temperature: isNumber,
  top_p: isNumber,
  top_k: isInteger,
  min_p: isNumber,
  seed: isInteger,
  frequency_penalty: isNumber,
  presence_penalty: isNumber,
  repetition_penalty: isNumber,
  logit_bias: isObject,
  logprobs: isBoolean,
  top_logprobs: isInteger,
  stop: either(isText, isTextList),
  response_format: isObject,
  reasoning_effort: isText,
  tools: Array.isArray,
  tool_choice: either(isText, isObject),
  parallel_tool_calls: isBoolean,
};

/** Fields of our `inshore` object that a host of ours needs; the rest (label, mode, conversation) is the page's business. */
const PASSED_TO_OUR_HOST: Readonly<Record<string, Check>> = {
  continue_ids: (value) => Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0),
  model_sha256: (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  ids: isBoolean,
  deadline_ms: isNumber,
};

/**
 * Checks a chat-completions body and rebuilds it for its upstream: allowed model under the upstream's name, one answer,
 * capped length, known fields only.
 *
 * @throws {ApiError} 400 `invalid_value`, 403 `privacy_local_only`, 404 `model_not_found`, 422 `unsupported` or
 *   `continuation_unsupported`
 */
export function admit(json: unknown, config: Pick<Config, 'models' | 'maxTokens'>): AdmittedRequest {
  const fields = recordOf(json);
  if (fields === undefined) throw new ApiError(400, 'invalid_body', 'The body is no JSON object.');
  const { model, route } = routeOf(fields.model, config);
  const { upstream } = route;
  const stream = optional(fields, 'stream', isBoolean) === true;
  if ((optional(fields, 'n', isInteger) ?? 1) !== 1) {
    throw new ApiError(422, 'unsupported', 'One answer a request is what there is; set n to 1.', {
      param: 'n',
    });
  }
  const body: Record<string, unknown> = {
    model: route.model,
    messages: messagesOf(fields.messages, upstream),
    stream,
    [upstream.maxTokensField]: maxTokensOf(fields, config.maxTokens),
    ...picked(fields, PASSED),
  };
  if (stream && recordOf(fields.stream_options)?.include_usage === true) {
    body.stream_options = { include_usage: true };
  }
  const extension = extensionOf(fields.inshore, upstream.inshore);
  if (extension !== undefined) body.inshore = extension;
  return { route, model, stream, body: serialised(body) };
}

/** What is nested deeply enough can be parsed but not written. */
function serialised(body: Record<string, unknown>): string {
  try {
    return JSON.stringify(body);
  } catch {
    throw new ApiError(400, 'invalid_value', 'The body is nested too deeply.');
  }
}

function routeOf(name: unknown, config: Pick<Config, 'models'>): { model: string; route: Route } {
  if (typeof name !== 'string') throw invalid('model', 'Name a model; GET /v1/models lists them.');
  const route = config.models.get(name);
  if (route !== undefined) return { model: name, route };
  throw new ApiError(
    404,
    'model_not_found',
    'There is no such model here; GET /v1/models lists what there is.',
    {
      param: 'model',
    },
  );
}

/** OpenAI has two names for the limit; the newer one counts. More than the cap is the cap, and so is none. */
function maxTokensOf(fields: Record<string, unknown>, cap: number): number {
  for (const field of ['max_completion_tokens', 'max_tokens']) {
    const value = optional(fields, field, isInteger) as number | undefined;
    if (value === undefined) continue;
    if (value < 1) throw invalid(field, `${field} must be at least 1.`);
    return Math.min(value, cap);
  }
  return cap;
}

function extensionOf(value: unknown, isOurHost: boolean): Record<string, unknown> | undefined {
  const extension = recordOf(value);
  if (extension === undefined) return undefined;
  if (extension.privacy === 'local_only' || extension.mode === 'only_on_device') {
    throw new ApiError(
      403,
      'privacy_local_only',
      'This request is for the device only; it was not passed on.',
      {
        param: 'inshore',
      },
    );
  }
  if (isOurHost) {
    const passed = picked(extension, PASSED_TO_OUR_HOST, 'inshore.');
    return Object.keys(passed).length > 0 ? passed : undefined;
  }
  // Dropping the ids would make the upstream begin anew, and the page would append that to what it shows.
  if (extension.continue_ids !== undefined && extension.continue_ids !== null) {
    throw new ApiError(422, 'continuation_unsupported', 'This model cannot go on from token ids.', {
      param: 'inshore.continue_ids',
    });
  }
  return undefined;
}

function picked(
  fields: Record<string, unknown>,
  checks: Readonly<Record<string, Check>>,
  prefix = '',
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(checks)) {
    const value = optional(fields, name, check, prefix);
    if (value !== undefined) result[name] = value;
  }
  return result;
}

/** A field's value; undefined if it is missing or null, which mean the same to OpenAI. */
function optional(fields: Record<string, unknown>, name: string, check: Check, prefix = ''): unknown {
  const value = Object.hasOwn(fields, name) ? (fields[name] ?? undefined) : undefined;
  if (value === undefined || check(value)) return value;
  throw invalid(prefix + name, `${prefix}${name} has a value of the wrong kind.`);
}

const invalid = (param: string, message: string): ApiError =>
  new ApiError(400, 'invalid_value', message, { param });
