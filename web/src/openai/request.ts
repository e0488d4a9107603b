import { type CheckedChat, checkChatRequest as checkBody } from '../protocol/chat-request';
import { parseJsonBody, writeJsonBody } from '../protocol/json-body';
import { type Fields, unsupported } from '../protocol/request-fields';
import type { CheckedRequest, RequestExtension } from '../sdk/contract';
import { InvalidRequestError, refusing } from './errors';

/** Name that every instance accepts for its own model. Like `inshore serve`, it also accepts `default`. */
const MODEL_ALIAS = 'inshore';

/** Whether `name` means the model called `modelName`. */
export const isOurModel = (name: string, modelName: string): boolean =>
  name === modelName || name === MODEL_ALIAS || name === 'default';

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
 * `store`, `metadata` …) pass; features that the engine here lacks are named in `localLacks`, so that the policy can
 * send the request to an endpoint that has them.
 *
 * @throws InvalidRequestError `invalid_body`, `invalid_value`, `unsupported_feature`, `model_not_found`
 */
export function checkChatRequest(body: unknown, modelName: string): ChatRequest {
  const chat = refusing(() => {
    const found = checkBody(body);
    refuseContinuation(found);
    return found;
  });
  checkModel(chat.model, modelName);
  const { messages, stream, includeUsage, stop, topLogprobs, localLacks } = chat;
  const checked: CheckedRequest = {
    messages,
    maxTokens: chat.maxTokens,
    temperature: chat.temperature,
    topP: chat.topP,
    topK: chat.topK,
    minP: chat.minP,
    repetitionPenalty: chat.repetitionPenalty,
    seed: chat.seed,
    stop,
    frequencyPenalty: chat.frequencyPenalty,
    presencePenalty: chat.presencePenalty,
    topLogprobs,
    extension: extensionOf(chat),
    // The check has shown that it is an object.
    body: copyWithoutExtension(body as Fields, chat.seed),
    localLacks,
  };
  return { checked, stream, includeUsage, logprobs: topLogprobs !== undefined };
}

/** A page continues its own answers itself. It does not continue those of others, and its chunks have no token ids. */
function refuseContinuation({ extension }: CheckedChat): void {
  const { continueIds, ids } = extension;
  if (continueIds.length > 0)
    throw unsupported(
      'inshore.continue_ids',
      'A page cannot continue from token ids; send the request to a host.',
    );
  if (ids) throw unsupported('inshore.ids', 'A page does not report token ids; send the request to a host.');
}

function checkModel(model: string | undefined, modelName: string): void {
  if (model === undefined || isOurModel(model, modelName)) return;
  throw new InvalidRequestError(
    'model_not_found',
    'model',
    `There is no model \`${model.slice(0, 100)}\` here; use \`${modelName}\` or \`${MODEL_ALIAS}\`, or leave model out.`,
  );
}

function extensionOf({ extension, stream }: CheckedChat): RequestExtension {
  const { privacy, mode, deadlineMs, conversation, acceptReplace } = extension;
  return {
    ...(privacy !== undefined && { privacy }),
    ...(mode !== undefined && { mode }),
    ...(deadlineMs !== undefined && { deadline_ms: deadlineMs }),
    ...(conversation !== undefined && { conversation }),
    // Of a whole answer nobody sees a part that could become void.
    ...(acceptReplace !== undefined && stream && { accept_replace: acceptReplace }),
  };
}

/** A copy, for the caller may change its object while the answer runs. The extension is meant for us alone. */
function copyWithoutExtension(body: Fields, seed: number | bigint | undefined): Record<string, unknown> {
  const { inshore: _ours, ...rest } = body;
  try {
    const text = writeJsonBody(seed === undefined ? rest : { ...rest, seed });
    return parseJsonBody(text) as Record<string, unknown>;
  } catch {
    throw new InvalidRequestError(
      'invalid_body',
      null,
      'The body cannot be written as JSON because it has a bigint.',
    );
  }
}
