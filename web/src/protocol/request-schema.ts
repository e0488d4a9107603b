// Generated from crates/inshore-protocol; do not edit. To write it anew:
// UPDATE=1 cargo test -p inshore-protocol --test generated

/** Levels of arrays and objects that a body may nest. */
export const MAX_DEPTH = 100;

/** Stop texts that a request may have. */
export const MAX_STOPS = 16;

/** Alternatives to report for each token. */
export const MAX_TOP_LOGPROBS = 20;

/** Characters of a conversation's name. */
export const MAX_CONVERSATION_NAME = 256;

/** Sampling parameters and their ranges, both ends included. */
export const NUMBER_RANGES = {
  temperature: [0, 2],
  top_p: [0, 1],
  min_p: [0, 1],
  repetition_penalty: [0.01, 10],
  frequency_penalty: [-2, 2],
  presence_penalty: [-2, 2],
} as const;

/** Roles of messages, as they reach a chat template. */
export const ROLES = {
  system: 'system',
  developer: 'system',
  user: 'user',
  assistant: 'assistant',
  tool: 'user',
} as const;

/** Content parts beyond text, and the feature that each needs. */
export const PART_LACKS = {
  image_url: 'images',
  input_audio: 'audio',
  file: 'files',
} as const;

/** Fields of our extension object `inshore`. */
export const EXTENSION_KEYS = [
  'privacy',
  'mode',
  'deadline_ms',
  'conversation',
  'accept_replace',
  'continue_ids',
  'model_sha256',
  'ids',
] as const;

/** Values of `inshore.privacy`. */
export const PRIVACY = ['local_only', 'cloud_allowed'] as const;

/** Values of `inshore.mode`. */
export const MODES = [
  'only_on_device',
  'prefer_on_device',
  'prefer_in_cloud',
  'only_in_cloud',
  'auto',
] as const;
