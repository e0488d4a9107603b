import type { CloudOptions } from './contract';
import type { LegTask } from './leg';

/** How a leg of another manner than `token_ids` knows that ids may be told: only our own host understands the field. */
export interface WireOptions {
  cloud: CloudOptions;
  /** Hash of the model on the device, lower-case hex. */
  modelSha256: string | undefined;
}

/**
 * The body of a cloud leg. Fields of the caller's that we do not know pass through; `max_tokens` is what is left, of the
 * answer and of the budget, and the answer so far goes along as the manner says. Always streamed.
 */
export function cloudBody(task: LegTask, { cloud, modelSha256 }: WireOptions): Record<string, unknown> {
  const { request, manner } = task;
  const body: Record<string, unknown> = {
    ...request.body,
    model: cloud.model,
    messages: messages(task),
    stream: true,
    stream_options: { include_usage: true },
  };
  delete body.n;
  delete body.inshore;
  const maxTokens = affordable(task);
  if (maxTokens !== undefined) {
    const field = 'max_completion_tokens' in request.body ? 'max_completion_tokens' : 'max_tokens';
    delete body.max_tokens;
    body[field] = maxTokens;
  }
  if (cloud.continuation === 'token_ids') {
    body.inshore = {
      ids: true,
      ...(manner === 'token_ids' && { continue_ids: [...task.ids], model_sha256: modelSha256 }),
    };
  }
  return body;
}

/** How many tokens the endpoint may write; what it reads is paid for as well. The policy asks only if one is left. */
function affordable({ maxTokens, spec, ids }: LegTask): number | undefined {
  if (spec.cloud_tokens_left === undefined) return maxTokens;
  const left = Math.max(1, Math.floor(spec.cloud_tokens_left - spec.prompt_tokens - ids.length));
  return Math.min(maxTokens ?? left, left);
}

function messages({ request, manner, text }: LegTask): unknown {
  const asked = request.body.messages ?? request.messages;
  if (manner !== 'prefix' || text === '' || !Array.isArray(asked)) return asked;
  return [...asked, { role: 'assistant', content: text, prefix: true }];
}
