import { InshoreError } from '../error';
import type { DiskFile, Ledger } from './ledger';
import { layoutOf, type RecordedPart } from './record';
import type { RangeSupport } from './schedule';
import { Restart, TransferRun } from './transfer-run';

/** A part (shard) of the file to fetch. */
export interface PartSource {
  url: string;
  /** Size where it is known for sure: another one is refused. */
  expectedBytes?: number | undefined;
  /** A hash is known, so that the check afterwards would notice a mix of two versions. */
  hashed: boolean;
}

/** What a download is about. */
export interface TransferJob {
  sources: readonly PartSource[];
  /** What is known of each part; sizes and validators are filled in as servers tell them. */
  parts: RecordedPart[];
  data: DiskFile;
  ledger: Ledger;
}

/** The world around a download; tests bring their own. */
export interface TransferWorld {
  /** Origin of the page: others are asked without headers that would need their leave. */
  origin: string;
  fetch(url: string, init: RequestInit): Promise<Response>;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  now(): number;
  /** Makes sure of room for a file of `totalBytes`. @throws InshoreError `quota_exceeded` */
  reserve(totalBytes: number): Promise<void>;
  /** `job.parts` changed: it must be on disk before bytes of that version are. */
  record(): Promise<void>;
  onProgress(doneBytes: number, totalBytes: number | undefined): void;
  signal: AbortSignal;
}

const MAX_RESTARTS = 3;

/**
 * Brings every chunk of the file to `job.data` and returns its size. Fetches what `job.ledger` lacks, in several
 * ranges at once, or in one stream where the server gives no ranges; tries again after a broken connection as long as
 * bytes keep coming.
 *
 * @throws InshoreError `cancelled` (what arrived is kept), `network_failed`, `server_busy`, `model_not_found`,
 * `access_denied`, `http_status`, `bad_range`, `wrong_size`, `not_gguf`, `model_changed`, `quota_exceeded`, `write_failed`
 */
export async function transfer(job: TransferJob, world: TransferWorld): Promise<number> {
  const support: RangeSupport[] = job.sources.map(() => 'unknown');
  for (let restarts = 0; ; restarts++) {
    try {
      return await new TransferRun(job, world, [...support]).finish();
    } catch (error) {
      if (!(error instanceof Restart)) throw error;
      if (restarts === MAX_RESTARTS) throw keepsChanging();
      if (error.noRanges) support[error.part] = 'no';
      await forget(job, error.part, world);
    }
  }
}

/** Forgets the chunks of `part`, and to which version they belonged: in this order, so that none survives its record. */
async function forget(job: TransferJob, part: number, world: TransferWorld): Promise<void> {
  const { first, end } = layoutOf(job.parts).chunksOf(part);
  job.ledger.clear(first, end);
  job.ledger.flush();
  job.parts[part] = { bytes: job.sources[part]?.expectedBytes };
  await world.record();
}

const keepsChanging = (): InshoreError =>
  new InshoreError(
    'model_changed',
    'The file on the server changed again and again while it was downloaded. Try again later, or ask whoever runs the server.',
  );
