import { InshoreError } from '../error';
import { type ErrorCode, isErrorCode } from '../protocol/error-codes';
import type { Reason } from '../route/types';
import type { LegError } from './leg';

/** What to say where a request ends for this reason and no leg said anything better. */
const MESSAGES: Partial<Record<Reason, string>> = {
  not_downloaded:
    'The model is not on this device yet and the request may not go elsewhere. Call download() first, or allow a cloud endpoint.',
  unsupported_device:
    'The engine does not run on this device and the request may not go elsewhere. Use a current browser over https, or allow a cloud endpoint.',
  unsupported_feature:
    'The request needs a feature that the engine on the device lacks, and it may not go elsewhere. Leave the feature out, or allow a cloud endpoint.',
  context_too_long:
    'The conversation does not fit the context on the device and may not go elsewhere. Shorten it, or allow a cloud endpoint.',
  memory_too_small:
    'The model does not fit the memory of this device and the request may not go elsewhere. Use a smaller model, or allow a cloud endpoint.',
  local_breaker_open:
    'The engine on this device failed several times in a row and rests. Try again later, or allow a cloud endpoint.',
  no_endpoint: 'The request must leave the device, but no cloud endpoint is configured. Set `cloud`.',
  cloud_disabled: 'The request would have to leave the device, but the cloud is switched off.',
  private: 'The request would have to leave the device, but it is labelled local_only.',
  offline: 'The request must leave the device, but there is no network. Try again with a connection.',
  budget_spent: 'The budget of cloud tokens is spent. Raise `budget.cloudTokens`, or answer on the device.',
  cloud_breaker_open: 'The cloud endpoint failed several times in a row and rests. Try again later.',
  deadline: 'The answer was not complete before the request’s deadline. Allow more time or ask for less.',
  cancelled: 'The request was cancelled.',
  stalled: 'The answer stalled, and nothing else may take it over. Try again.',
  handover_spent: 'The answer broke off again after it had been handed over. Try again.',
  retry_after: 'The endpoint asks to wait longer than the request can. Try again later.',
};

// Here the reason is the caller's own doing, and what a leg said before matters less.
const OVER_THE_LEG: ReadonlySet<Reason> = new Set(['deadline', 'cancelled']);

/** Reasons to choose a side. A request never fails for one of them; if the policy says so, it has a bug. */
const CHOICES: Record<Exclude<Reason, ErrorCode>, ErrorCode> = {
  preferred_on_device: 'policy_failed',
  meets_slo: 'policy_failed',
  sticky_on_device: 'policy_failed',
  probing_recovery: 'policy_failed',
  preferred_in_cloud: 'policy_failed',
  sticky_in_cloud: 'policy_failed',
  predicted_ttft_too_long: 'policy_failed',
  predicted_tps_too_low: 'policy_failed',
  measured_tps_too_low: 'policy_failed',
  hedge: 'policy_failed',
  hedge_lost: 'policy_failed',
};

const codeOf = (reason: Reason): ErrorCode => (isErrorCode(reason) ? reason : CHOICES[reason]);

/**
 * The error of a request that the policy let fail: what the last leg said, where one failed, else the reason itself as
 * the code.
 */
export function routeError(reason: Reason, last: LegError | undefined): InshoreError {
  const message = MESSAGES[reason] ?? `No answer was possible (${reason}). Try again.`;
  if (last !== undefined && !OVER_THE_LEG.has(reason)) {
    return new InshoreError(last.code, last.message, { cause: last });
  }
  return new InshoreError(codeOf(reason), message, last === undefined ? undefined : { cause: last });
}
