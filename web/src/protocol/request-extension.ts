import { wellFormed } from './json-body';
import { array, type Fields, flag, get, object, oneOf, text, wrong } from './request-fields';
import { EXTENSION_KEYS, MAX_CONVERSATION_NAME, MODES, PRIVACY } from './request-schema';

/** Our extension of the request, `inshore`. */
export interface Extension {
  privacy: (typeof PRIVACY)[number] | undefined;
  mode: (typeof MODES)[number] | undefined;
  /** Time for the whole request. */
  deadlineMs: number | undefined;
  /** Requests with the same name go to the same place as the first one. */
  conversation: string | undefined;
  /** Whether the caller can handle an answer that starts again. */
  acceptReplace: boolean | undefined;
  /** Tokens of an answer that started elsewhere. */
  continueIds: number[];
  /** SHA-256 of the model file that produced those tokens, in lower-case hex. */
  modelSha256: string | undefined;
  /** Whether the chunks of a stream carry their token ids. */
  ids: boolean;
}

const PREFIX = 'inshore.';

/** Checks `inshore`. Unknown keys are refused, so that a misspelt privacy label is never ignored. */
export function readExtension(body: Fields, hasPrefix: boolean): Extension {
  const fields = object(body, 'inshore', 'must be an object') ?? {};
  const [unknown] = Object.keys(fields)
    .filter((key) => !EXTENSION_KEYS.some((known) => known === key))
    .sort();
  if (unknown !== undefined) {
    const shown = [...wellFormed(unknown)].slice(0, 100).join('');
    throw wrong(PREFIX + shown, `is not known; inshore knows the fields ${EXTENSION_KEYS.join(', ')}`);
  }
  const conversation = text(fields, 'conversation', PREFIX);
  if (conversation !== undefined && (conversation === '' || conversation.length > MAX_CONVERSATION_NAME))
    throw wrong(`${PREFIX}conversation`, `must have 1 to ${MAX_CONVERSATION_NAME} characters`);
  const extension: Extension = {
    privacy: oneOf(fields, 'privacy', PREFIX, PRIVACY),
    mode: oneOf(fields, 'mode', PREFIX, MODES),
    deadlineMs: deadlineMs(fields),
    conversation,
    acceptReplace:
      get(fields, 'accept_replace') === undefined ? undefined : flag(fields, 'accept_replace', PREFIX),
    continueIds: continueIds(fields),
    modelSha256: modelSha256(fields),
    ids: flag(fields, 'ids', PREFIX),
  };
  if (extension.continueIds.length === 0) return extension;
  const param = `${PREFIX}continue_ids`;
  if (extension.modelSha256 === undefined)
    throw wrong(param, 'needs inshore.model_sha256: tokens mean nothing to another model');
  if (hasPrefix) throw wrong(param, 'and a prefix message cannot both begin the answer');
  return extension;
}

function deadlineMs(fields: Fields): number | undefined {
  const value = get(fields, 'deadline_ms');
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value > 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw wrong(`${PREFIX}deadline_ms`, 'must be a number above 0');
}

function continueIds(fields: Fields): number[] {
  const what = 'must be an array of token ids';
  const ids = array(fields, 'continue_ids', what, PREFIX) ?? [];
  const isId = (id: unknown): id is number =>
    Number.isInteger(id) && (id as number) >= 0 && (id as number) <= 0xffff_ffff;
  if (ids.every(isId)) return ids;
  throw wrong(`${PREFIX}continue_ids`, what);
}

function modelSha256(fields: Fields): string | undefined {
  const hash = text(fields, 'model_sha256', PREFIX)?.toLowerCase();
  if (hash === undefined || /^[0-9a-f]{64}$/.test(hash)) return hash;
  throw wrong(`${PREFIX}model_sha256`, 'must be 64 hexadecimal digits');
}
