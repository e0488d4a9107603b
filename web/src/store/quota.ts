import { InshoreError } from '../error';

/** @throws InshoreError `quota_exceeded` if `neededBytes` more do not fit. */
export function checkQuota(neededBytes: number, freeBytes: number | undefined): void {
  if (freeBytes === undefined || neededBytes <= freeBytes) return;
  throw quotaExceeded(
    `The model needs ${megabytes(neededBytes)} more, the browser grants this page ${megabytes(Math.max(0, freeBytes))}.`,
  );
}

/** The one error for storage that is full, before or while writing. */
export function quotaExceeded(what: string): InshoreError {
  return new InshoreError(
    'quota_exceeded',
    `${what} Free disk space, delete other models or site data, leave private browsing, then try again.`,
  );
}

/** A size for people. */
export const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
