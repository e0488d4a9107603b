import type { Mode, Reason, Source } from '../sdk/contract';

/** Where a span of an answer came from, as a reader says it. */
export const SOURCE_WORDS: Record<Source, string> = {
  on_device: 'this device',
  edge: 'the edge',
  in_cloud: 'the cloud',
};

/** Why, in words for every code of the policy: a code without words does not compile. */
export const REASON_WORDS: Record<Reason, string> = {
  mode_on_device: 'the mode allows this device only',
  preferred_on_device: 'the mode prefers this device',
  meets_slo: 'predicted to keep the promised speed',
  sticky_on_device: 'this conversation began here',
  probing_recovery: 'trying this device again after a slow spell',
  no_endpoint: 'no cloud endpoint is set',
  cloud_disabled: '“Never cloud” is on',
  private: 'marked as private',
  offline: 'the browser is offline',
  budget_spent: 'the cloud budget is spent',
  cloud_breaker_open: 'the cloud failed too often; it rests',
  cloud_failed: 'the cloud failed',
  mode_in_cloud: 'the mode allows the cloud only',
  preferred_in_cloud: 'the mode prefers the cloud',
  sticky_in_cloud: 'this conversation began there',
  not_downloaded: 'the model is not downloaded yet',
  unsupported_device: 'this device cannot run the model',
  unsupported_feature: 'the engine here lacks a feature that was asked for',
  context_too_long: 'the conversation is too long for the model here',
  memory_too_small: 'the model does not fit into this device’s memory',
  local_breaker_open: 'the engine here failed too often; it rests',
  predicted_ttft_too_long: 'the first word was predicted to come too late here',
  predicted_tps_too_low: 'predicted to be too slow here',
  measured_tps_too_low: 'measured to be too slow here',
  hedge: 'raced against this device, whose first word was late',
  hedge_lost: 'the other one was faster',
  stalled: 'no word came for too long',
  worker_crashed: 'the engine crashed',
  device_lost: 'the graphics device was lost',
  out_of_memory: 'the memory ran out',
  local_failed: 'the engine here failed',
  retry_after: 'the server asked to wait',
  deadline: 'the deadline has passed',
  cancelled: 'it was stopped',
  handover_spent: 'it was handed over once already',
  denied: 'nothing that is allowed can answer',
};

/** The modes in the order of the choice. */
export const MODE_WORDS: Record<Mode, string> = {
  auto: 'Automatic: whoever keeps the promise',
  prefer_on_device: 'Prefer this device',
  prefer_in_cloud: 'Prefer the cloud',
  only_on_device: 'This device only',
  only_in_cloud: 'The cloud only',
};

/** `this device: predicted to keep the promised speed`. A code that a newer policy added is shown as it stands. */
export function sourceAndReason(source: Source, reason: Reason): string {
  return `${SOURCE_WORDS[source] ?? source}: ${reasonWords(reason)}`;
}

/** A reason in words, or its code where this page does not know it. */
export function reasonWords(reason: Reason): string {
  return REASON_WORDS[reason] ?? String(reason).replaceAll('_', ' ');
}
