import type { CheckedRequest, RequestExtension } from './contract';
import type { LegEnd, LegError, LegPiece, LegSink, LegTask } from './leg';

/** For tests: a checked request. */
export function checkedRequest(
  content = 'hello',
  more: Partial<CheckedRequest> & { extension?: RequestExtension } = {},
): CheckedRequest {
  const messages = [{ role: 'user' as const, content }];
  return {
    messages,
    maxTokens: undefined,
    temperature: 0,
    topP: undefined,
    seed: undefined,
    stop: [],
    frequencyPenalty: undefined,
    presencePenalty: undefined,
    topLogprobs: undefined,
    extension: {},
    body: { model: 'local', messages, user: 'kept' },
    localLacks: [],
    ...more,
  };
}

/** For tests: what a leg in the cloud has to do. */
export function cloudTask(more: Partial<LegTask> = {}): LegTask {
  const request = more.request ?? checkedRequest();
  return {
    request,
    spec: {
      mode: 'auto',
      slo: { ttft_ms: 1000, tokens_per_second: 8 },
      privacy: 'cloud_allowed',
      prompt_tokens: 8,
      hedge: false,
      local_lacks: [],
    },
    source: 'in_cloud',
    manner: 'fresh',
    plan: 'same',
    ids: [],
    text: '',
    maxTokens: undefined,
    seed: 1,
    ...more,
  };
}

/** For tests: notes what a leg reports. `over` resolves with its end or its error. */
export function collector() {
  const pieces: LegPiece[] = [];
  const signs = { alive: 0 };
  let settle: (outcome: { end?: LegEnd; error?: LegError }) => void = () => {};
  const over = new Promise<{ end?: LegEnd; error?: LegError }>((resolve) => {
    settle = resolve;
  });
  const sink: LegSink = {
    piece: (piece) => pieces.push(piece),
    alive: () => {
      signs.alive += 1;
    },
    finished: (end) => settle({ end }),
    failed: (error) => settle({ error }),
  };
  return { sink, pieces, signs, over, text: () => pieces.map(({ text }) => text).join('') };
}
