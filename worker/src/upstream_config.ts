import type { Env } from './config';
import { jsonOf, type Problems, recordOf } from './config_values';

/** An OpenAI-compatible endpoint that answers for this worker. */
export interface Upstream {
  /** For the log. */
  name: string;
  /** Up to and with `/v1`, without a slash at the end. */
  baseUrl: string;
  /** Bearer token of the endpoint. Never leaves the worker but to this endpoint. */
  key: string | undefined;
  /** Public name of each model it serves, and its own name for it. */
  models: ReadonlyMap<string, string>;
  /** An `inshore serve`: it understands our `inshore` object and goes on from token ids. */
  inshore: boolean;
  /** It continues a last assistant message that says `prefix: true`. */
  prefix: boolean;
  /** Which of OpenAI's two names for the limit it wants. */
  maxTokensField: 'max_tokens' | 'max_completion_tokens';
}

const FIELDS = new Set([
  'name',
  'base_url',
  'key',
  'models',
  'inshore',
  'prefix',
  'max_tokens_field',
  'plain_http',
]);

/** Reads `INSHORE_UPSTREAMS` and the keys that it names. */
export function parseUpstreams(env: Env, problems: Problems): Upstream[] {
  const list = jsonOf(env, 'INSHORE_UPSTREAMS', problems);
  if (!Array.isArray(list) || list.length === 0) {
    problems.push('INSHORE_UPSTREAMS: write a JSON array with at least one upstream');
    return [];
  }
  return list.map((item, index) => parseUpstream(recordOf(item) ?? {}, index, env, problems));
}

function parseUpstream(
  fields: Record<string, unknown>,
  index: number,
  env: Env,
  problems: Problems,
): Upstream {
  const name = typeof fields.name === 'string' ? fields.name : `upstream ${index}`;
  const problem = (text: string) => problems.push(`INSHORE_UPSTREAMS: ${name}: ${text}`);
  for (const field of Object.keys(fields)) {
    // Only the field's name is shown: its value may be a key that was put in the wrong place.
    if (!FIELDS.has(field)) problem(`there is no field \`${field}\`; there are ${[...FIELDS].join(', ')}`);
  }
  const flag = (field: string): boolean => {
    const value = fields[field] ?? false;
    if (typeof value !== 'boolean') problem(`${field} is true or false`);
    return value === true;
  };
  const key = keyOf(fields.key, env, problem);
  const baseUrl = baseUrlOf(fields.base_url, problem);
  if (key !== undefined && isOpenToAll(baseUrl) && !flag('plain_http')) {
    problem('its key would cross the network in the clear; use https, or say "plain_http": true');
  }
  const limit = fields.max_tokens_field ?? 'max_tokens';
  if (limit !== 'max_tokens' && limit !== 'max_completion_tokens') {
    problem('max_tokens_field is max_tokens or max_completion_tokens');
  }
  return {
    name,
    baseUrl,
    key,
    models: modelsOf(fields.models, problem),
    inshore: flag('inshore'),
    prefix: flag('prefix'),
    maxTokensField: limit === 'max_completion_tokens' ? limit : 'max_tokens',
  };
}

type Report = (text: string) => void;

function baseUrlOf(value: unknown, problem: Report): string {
  try {
    const url = new URL(String(value));
    const isPlain = url.search === '' && url.hash === '' && url.username === '' && url.password === '';
    if (/^https?:$/.test(url.protocol) && isPlain) return url.href.replace(/\/+$/, '');
  } catch {
    // Said below.
  }
  problem(
    'base_url is the address up to and with /v1, as https://api.example/v1, without user, password or query',
  );
  return '';
}

function isOpenToAll(baseUrl: string): boolean {
  if (!baseUrl.startsWith('http:')) return false;
  return !['localhost', '127.0.0.1', '[::1]'].includes(new URL(baseUrl).hostname);
}

/** The key itself, from the binding that `key` names. */
function keyOf(binding: unknown, env: Env, problem: Report): string | undefined {
  if (binding === undefined) return undefined;
  // A key in place of a binding's name is not repeated.
  if (typeof binding !== 'string' || !/^[A-Z][A-Z0-9_]*$/.test(binding)) {
    problem(
      'key is the name of the binding that holds the key, in capitals, as OPENAI_KEY; not the key itself',
    );
    return undefined;
  }
  const key = env[binding];
  // Short keys would be found in ordinary text, where the relay strikes them out.
  if (typeof key === 'string' && /^[\x21-\x7e]{8,}$/.test(key)) return key;
  problem(`the binding ${binding} holds no key: it wants at least 8 printable characters without spaces`);
  return undefined;
}

function modelsOf(value: unknown, problem: Report): Map<string, string> {
  const pairs = Array.isArray(value)
    ? value.map((name) => [name, name])
    : Object.entries(recordOf(value) ?? {});
  const isName = (name: unknown) => typeof name === 'string' && name !== '';
  if (pairs.length === 0 || !pairs.flat().every(isName)) {
    problem('models names what it serves: ["name"], or {"public name": "its own name"}');
    return new Map();
  }
  return new Map(pairs as [string, string][]);
}
