import { InshoreError } from '../error';
import type { Interrupted } from './answers';

/** The user's own wish, not a fault. */
export const cancelled = (): InshoreError =>
  new InshoreError('cancelled', 'The download was paused. What arrived is kept; start it again to go on.');

/** Too many attempts in a row failed like `why`. */
export function networkFailed(why: Interrupted): InshoreError {
  return new InshoreError(
    'network_failed',
    `The download broke off: ${why.message}. Check the connection, then go on with it.`,
    { cause: why.cause ?? why },
  );
}

/** Codes of a model that was stored and is not to be had any more: evicted, deleted in another tab, or damaged. */
export const LOST: ReadonlySet<string> = new Set(['model_not_stored', 'model_damaged']);

/** Codes of a file that is not a whole model, whatever its server says. */
export const BROKEN: ReadonlySet<string> = new Set(['not_gguf', 'truncated', 'invalid_gguf']);

/** The model is no longer in the browser. */
export const notStored = (cause?: unknown): InshoreError =>
  new InshoreError('model_not_stored', 'The model is no longer in the browser. Download it again.', {
    cause,
  });

/** Bytes on disk are not those that were downloaded and checked. */
export const damaged = (cause?: unknown): InshoreError =>
  new InshoreError(
    'model_damaged',
    'The model in the browser is damaged: its bytes are not those that were downloaded. Download it again; only what is damaged is fetched.',
    { cause },
  );
