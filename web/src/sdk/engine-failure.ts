import { InshoreError } from '../error';
import { ERROR_CODES, type ErrorCode, type ErrorOwner } from '../protocol/error-codes';
import type { FailureKind } from '../route/types';
import { LegError } from './leg';

/** Meaning of an engine failure for the policy, by the owner of the error code. */
const BY_OWNER = {
  request: 'refused',
  model_file: 'other',
  device: 'other',
  engine: 'other',
  endpoint: 'other',
  policy: 'other',
  server: 'other',
} as const satisfies Record<ErrorOwner, FailureKind>;

/** Codes for which the policy has a better recovery than the one for their owner. */
const BY_CODE: Partial<Record<ErrorCode, FailureKind>> = {
  prompt_too_long: 'context_exceeded',
  context_too_long: 'context_exceeded',
  context_length_exceeded: 'context_exceeded',
  // The model lacks a usable template, but this affects only conversations that need one.
  no_chat_template: 'refused',
  chat_template_failed: 'refused',
  chat_template_runaway: 'refused',
  worker_crashed: 'worker_crashed',
  closed: 'worker_crashed',
  engine_gone: 'worker_crashed',
  engine_panicked: 'engine_panicked',
  device_lost: 'device_lost',
  gpu_failed: 'device_lost',
  device_refused: 'device_lost',
  no_adapter: 'device_lost',
  out_of_memory: 'out_of_memory',
  tensor_too_large_for_device: 'out_of_memory',
  context_too_large_for_device: 'out_of_memory',
  memory_too_small: 'out_of_memory',
  // Somebody else stopped the engine; the request may go on.
  cancelled: 'other',
};

/** Returns the meaning of an engine's error code for the policy. Codes without their own row have their owner's kind. */
const kindOfCode = (code: ErrorCode): FailureKind => BY_CODE[code] ?? BY_OWNER[ERROR_CODES[code].owner];

/** Whether the request is the reason of the failure, and not the engine. */
export const blamesRequest = (code: ErrorCode): boolean =>
  kindOfCode(code) === 'refused' || kindOfCode(code) === 'context_exceeded';

/** A failure of the engine as a failed leg. */
export function engineFailure(error: unknown): LegError {
  return LegError.of(error, kindOfCode(InshoreError.from(error).code));
}

/** Answers that end here although the engine is as good as before. */
const PASSING: ReadonlySet<ErrorCode> = new Set(['busy', 'cancelled', 'superseded']);

/** Whether the engine is as good as before: the request was to blame, not the device. */
export const leavesEngineSound = (error: LegError): boolean =>
  error.kind === 'refused' || error.kind === 'context_exceeded' || PASSING.has(error.code);
