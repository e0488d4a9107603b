import { type CheckedChat, checkChatRequest, RequestRefusal } from '../../web/src/protocol/chat-request';
import { writeJsonBody } from '../../web/src/protocol/json-body';
import { type Fields, filled, get } from '../../web/src/protocol/request-fields';
import { isRecord } from '../../web/src/protocol/values';
import type { Config, Route } from './config';
import { ApiError, rowOf } from './errors';
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

/** Fields that go upstream unchanged after the check. All other fields are dropped. */
const PASSED = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'logprobs',
  'top_logprobs',
  'stop',
  'logit_bias',
  'response_format',
  'reasoning_effort',
  'audio',
  'modalities',
  'web_search_options',
  'tools',
];

/** Fields that have a meaning only with tools; some endpoints refuse them otherwise. */
const PASSED_WITH_TOOLS = ['tool_choice', 'parallel_tool_calls'];

/** Fields that are dropped when they are empty, because some endpoints refuse them. */
const DROPPED_IF_EMPTY: ReadonlySet<string> = new Set(['tools', 'logit_bias', 'audio', 'modalities', 'stop']);

/**
 * Runs the same check as the page and `inshore serve`, and rebuilds the body for its upstream: an allowed model under the
 * upstream's name, one answer, a capped length, known fields only.
 *
 * @throws {ApiError} 400 `invalid_body` or `invalid_value`, 403 `privacy_local_only`, 404 `model_not_found`, 422
 *   `unsupported_feature` or `continuation_unsupported`
 */
export function admit(json: unknown, config: Pick<Config, 'models' | 'maxTokens'>): AdmittedRequest {
  // Checked first: without a known model, the other fields do not matter.
  const name = isRecord(json) && typeof json.model === 'string' ? json.model : undefined;
  if (name !== undefined && !config.models.has(name)) throw noModel();
  const chat = checked(json);
  // The check found an object.
  const fields = json as Fields;
  const { model, route } = routeOf(chat.model, config);
  const { upstream } = route;
  refuseLocalOnly(chat);
  const body: Record<string, unknown> = {
    model: route.model,
    messages: messagesOf(fields, upstream),
    stream: chat.stream,
    [upstream.maxTokensField]: Math.min(chat.maxTokens ?? config.maxTokens, config.maxTokens),
    ...passed(fields, PASSED),
    ...(filled(get(fields, 'tools')) && passed(fields, PASSED_WITH_TOOLS)),
  };
  if (chat.seed !== undefined) body.seed = chat.seed;
  if (chat.includeUsage) body.stream_options = { include_usage: true };
  const extension = extensionOf(chat, upstream.inshore);
  if (extension !== undefined) body.inshore = extension;
  return { route, model, stream: chat.stream, body: writeJsonBody(body) };
}

function checked(json: unknown): CheckedChat {
  try {
    return checkChatRequest(json);
  } catch (error) {
    if (!(error instanceof RequestRefusal)) throw error;
    throw new ApiError(...rowOf(error.code), error.message, { param: error.param ?? undefined });
  }
}

function routeOf(
  name: string | undefined,
  { models }: Pick<Config, 'models'>,
): { model: string; route: Route } {
  // If there is only one model, the request need not name it.
  const [only, ...others] = models.keys();
  const model = name ?? (others.length === 0 ? only : undefined);
  if (model === undefined) {
    throw new ApiError(400, 'invalid_value', 'Name a model; GET /v1/models lists them.', { param: 'model' });
  }
  const route = models.get(model);
  if (route === undefined) throw noModel();
  return { model, route };
}

const noModel = (): ApiError =>
  new ApiError(404, 'model_not_found', 'There is no such model here; GET /v1/models lists what there is.', {
    param: 'model',
  });

function refuseLocalOnly({ extension }: CheckedChat): void {
  if (extension.privacy !== 'local_only' && extension.mode !== 'only_on_device') return;
  const message = 'This request is for the device only; it was not passed on.';
  throw new ApiError(403, 'privacy_local_only', message, { param: 'inshore' });
}

/** Returns the fields of `inshore` that our own host needs. The others (label, mode, conversation) concern only the page. */
function extensionOf({ extension }: CheckedChat, isOurHost: boolean): Record<string, unknown> | undefined {
  const { continueIds, modelSha256, ids, deadlineMs } = extension;
  if (isOurHost) {
    const kept = {
      ...(continueIds.length > 0 && { continue_ids: continueIds }),
      ...(modelSha256 !== undefined && { model_sha256: modelSha256 }),
      ...(ids && { ids }),
      ...(deadlineMs !== undefined && { deadline_ms: deadlineMs }),
    };
    return Object.keys(kept).length > 0 ? kept : undefined;
  }
  // Dropping the ids would make the upstream begin anew, and the page would append that to what it shows.
  if (continueIds.length > 0) {
    throw new ApiError(422, 'continuation_unsupported', 'This model cannot go on from token ids.', {
      param: 'inshore.continue_ids',
    });
  }
  return undefined;
}

function passed(fields: Fields, names: readonly string[]): Record<string, unknown> {
  const kept = names.filter((name) => {
    const value = get(fields, name);
    return DROPPED_IF_EMPTY.has(name) ? filled(value) : value !== undefined;
  });
  return Object.fromEntries(kept.map((name) => [name, fields[name]]));
}
