import { isRecord } from '../protocol/values';
import type { CloudOptions, Continuation, Mode, Slo } from '../sdk/contract';
import { MODE_WORDS } from './words';

/** What the visitor has set; kept in this browser, except what {@link toStored} leaves out. */
export interface Settings {
  mode: Mode;
  slo: Slo;
  /** The switch: nothing that is asked here leaves the device. */
  neverCloud: boolean;
  /** Up to and with `/v1`; empty: the server that this page came from. */
  endpoint: string;
  /** The endpoint's name of its model; empty: the model that the page offers. */
  cloudModel: string;
  continuation: Continuation;
  /** Address that gives a fresh token for each request (an inshore worker's); empty: none. */
  tokenRoute: string;
  /** A bearer token. Never stored. */
  token: string;
  panelOpen: boolean;
}

/** What the sliders allow. */
export const SLO_RANGE = {
  ttft_ms: { min: 100, max: 30_000 },
  tokens_per_second: { min: 1, max: 100 },
} as const;

/** A first visit: nothing goes to a cloud until the visitor allows it. */
export const DEFAULT_SETTINGS: Settings = {
  mode: 'auto',
  slo: { ttft_ms: 3000, tokens_per_second: 8 },
  neverCloud: true,
  endpoint: '',
  cloudModel: '',
  continuation: 'token_ids',
  tokenRoute: '',
  token: '',
  panelOpen: true,
};

const CONTINUATIONS: readonly Continuation[] = ['token_ids', 'prefix', 'none'];

/** Reads what was stored. Every field is checked by itself: one that cannot be read takes its default. */
export function fromStored(stored: string | null): Settings {
  const read = parse(stored);
  const slo = isRecord(read.slo) ? read.slo : {};
  const text = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 2000) : '');
  return {
    mode: Object.hasOwn(MODE_WORDS, String(read.mode)) ? (read.mode as Mode) : DEFAULT_SETTINGS.mode,
    slo: {
      ttft_ms: within(slo.ttft_ms, SLO_RANGE.ttft_ms, DEFAULT_SETTINGS.slo.ttft_ms),
      tokens_per_second: within(
        slo.tokens_per_second,
        SLO_RANGE.tokens_per_second,
        DEFAULT_SETTINGS.slo.tokens_per_second,
      ),
    },
    // Only a clear `false` allows the cloud.
    neverCloud: read.neverCloud !== false,
    endpoint: text(read.endpoint),
    cloudModel: text(read.cloudModel),
    continuation: CONTINUATIONS.find((one) => one === read.continuation) ?? DEFAULT_SETTINGS.continuation,
    tokenRoute: text(read.tokenRoute),
    token: '',
    panelOpen: read.panelOpen !== false,
  };
}

/** What is written to storage: everything but the token. */
export function toStored({ token: _never, ...rest }: Settings): string {
  return JSON.stringify(rest);
}

/** The endpoint as the package takes it. The token stays in memory and is asked for at each request. */
export function cloudOptions(settings: Settings, origin: string, modelName: string): CloudOptions {
  const { token, tokenRoute } = settings;
  const baseURL = endpointOf(settings, origin);
  const access = tokenRoute !== '' ? { token: tokenRoute } : token !== '' ? { token: () => token } : {};
  return {
    baseURL,
    model: settings.cloudModel || modelName,
    continuation: settings.continuation,
    source: 'in_cloud',
    ...access,
  };
}

/** The endpoint's address, without a slash at its end. */
export function endpointOf({ endpoint }: Settings, origin: string): string {
  return (endpoint.trim() || `${origin}/v1`).replace(/\/+$/, '');
}

/** What is wrong with an address that was typed, in words; undefined where nothing is. */
export function endpointProblem(endpoint: string): string | undefined {
  const typed = endpoint.trim();
  if (typed === '') return undefined;
  const url = URL.canParse(typed) ? new URL(typed) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return 'Write a whole address, such as https://api.example/v1.';
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '')
    return 'Write the address without user, password, query or fragment.';
  if (url.protocol === 'http:' && !/^(localhost|127\.0\.0\.1)$/.test(url.hostname))
    return 'Outside this machine only https is allowed.';
  return undefined;
}

/** The place of `value` on a slider from 0 to 1000: logarithmic, for a second matters more than the tenth one. */
export function toSlider(value: number, { min, max }: { min: number; max: number }): number {
  return Math.round((1000 * Math.log(value / min)) / Math.log(max / min));
}

/** The value at a place of the slider, rounded to two digits. */
export function fromSlider(place: number, { min, max }: { min: number; max: number }): number {
  const value = min * (max / min) ** (place / 1000);
  const digit = 10 ** Math.max(0, Math.floor(Math.log10(value)) - 1);
  return Math.min(max, Math.max(min, Math.round(value / digit) * digit));
}

function within(value: unknown, { min, max }: { min: number; max: number }, otherwise: number): number {
  return typeof value === 'number' && value >= min && value <= max ? value : otherwise;
}

function parse(stored: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(stored ?? '{}');
    return isRecord(value) ? value : {};
  } catch {
    return {};
  }
}
