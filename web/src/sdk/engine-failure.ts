import { InshoreError } from '../error';
import type { FailureKind } from '../route/types';
import { LegError } from './leg';

/** What the engine's codes mean for the policy. */
const KINDS: Record<string, FailureKind> = {
  worker_crashed: 'worker_crashed',
  closed: 'worker_crashed',
  device_lost: 'device_lost',
  out_of_memory: 'out_of_memory',
  tensor_too_large_for_device: 'out_of_memory',
  context_too_large_for_device: 'out_of_memory',
  empty_prompt: 'refused',
  prompt_too_long: 'context_exceeded',
  unknown_token: 'refused',
  invalid_sampling: 'refused',
  no_chat_template: 'refused',
  chat_template_failed: 'refused',
  chat_template_runaway: 'refused',
};

/** A failure of the engine as a failed leg. */
export function engineFailure(error: unknown): LegError {
  const { code } = InshoreError.from(error);
  return LegError.of(error, KINDS[code] ?? 'other');
}

/** Whether the engine is as good as before: the request was to blame, not the device. */
export const leavesEngineSound = (error: LegError): boolean =>
  error.kind === 'refused' || error.kind === 'context_exceeded' || error.code === 'busy';
