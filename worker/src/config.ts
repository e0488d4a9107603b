import { listOf, numberOf, type Problems, recordOf } from './config_values';
import type { DurableNamespace } from './single_use';
import { parseUpstreams, type Upstream } from './upstream_config';

/** Bindings of a worker, or the environment of a Node process: strings, and objects that a host puts there. */
export type Env = Readonly<Record<string, unknown>>;

/** Everything the worker was told at its start, checked. */
export interface Config {
  /** By public model name: where a request for it goes. */
  models: ReadonlyMap<string, Route>;
  /** Exact origins of the pages that may use this worker. */
  origins: ReadonlySet<string>;
  /** Signs tokens (HS256). */
  tokenSecret: Uint8Array;
  tokenTtlS: number;
  /** Most tokens one answer may have. */
  maxTokens: number;
  maxBodyBytes: number;
  /** Longest wait for the upstream's status line, connecting included. */
  firstByteTimeoutMs: number;
  /** Longest silence of an upstream after that. */
  idleTimeoutMs: number;
  /** Longest time without a piece of the answer, even if the upstream sends keep-alives. */
  aliveTimeoutMs: number;
  /** A silent stream gets an empty comment so often; 0: never. See `relay.ts`. */
  heartbeatMs: number;
  /** A stream whose upstream has not answered yet begins after this long; 0: never. See `chat.ts`. */
  earlyStreamMs: number;
  /** Tokens for one client address in a minute; 0: no limit. */
  mintsPerMinute: number;
  /** The header in which a trusted proxy names the client's address. */
  clientIpHeader: string | undefined;
  /** Strongly consistent memory of used tokens. */
  usedTokens: DurableNamespace | undefined;
}

/** An upstream, and what it calls the model. */
export interface Route {
  upstream: Upstream;
  /** The upstream's own name for the model. */
  model: string;
}

/** What differs between hosts: how they notice that a client is gone. */
export interface HostDefaults {
  heartbeatMs: number;
  earlyStreamMs: number;
}

/** The configuration is wrong. `problems` name bindings and what to do, never the value of a secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: readonly string[]) {
    super(`The worker's configuration is wrong:\n${problems.map((problem) => `- ${problem}`).join('\n')}`);
  }
}

/** HS256 wants a key as long as its hash. */
const MIN_SECRET_BYTES = 32;

/**
 * Reads and checks all bindings.
 *
 * @throws {ConfigError} with every problem at once
 */
export function parseConfig(env: Env, host: HostDefaults): Config {
  const problems: Problems = [];
  const integer = (name: string, fallback: number, min: number, max: number) =>
    numberOf(env, name, { fallback, min, max }, problems);
  const config: Config = {
    models: modelsOf(parseUpstreams(env, problems), problems),
    origins: originsOf(env, problems),
    tokenSecret: secretOf(env, problems),
    tokenTtlS: integer('INSHORE_TOKEN_TTL_S', 60, 1, 600),
    maxTokens: integer('INSHORE_MAX_TOKENS', 1024, 1, 1_000_000),
    maxBodyBytes: integer('INSHORE_MAX_BODY_BYTES', 256 * 1024, 1024, 16 * 1024 * 1024),
    firstByteTimeoutMs: integer('INSHORE_FIRST_BYTE_TIMEOUT_MS', 30_000, 10, 600_000),
    idleTimeoutMs: integer('INSHORE_IDLE_TIMEOUT_MS', 30_000, 10, 600_000),
    aliveTimeoutMs: integer('INSHORE_ALIVE_TIMEOUT_MS', 600_000, 10, 3_600_000),
    heartbeatMs: integer('INSHORE_HEARTBEAT_MS', host.heartbeatMs, 0, 60_000),
    earlyStreamMs: integer('INSHORE_EARLY_STREAM_MS', host.earlyStreamMs, 0, 600_000),
    mintsPerMinute: integer('INSHORE_MINTS_PER_MINUTE', 60, 0, 1_000_000),
    clientIpHeader: headerOf(env, problems),
    usedTokens: namespaceOf(env, problems),
  };
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function modelsOf(upstreams: Upstream[], problems: Problems): Map<string, Route> {
  const models = new Map<string, Route>();
  for (const upstream of upstreams) {
    for (const [name, model] of upstream.models) {
      const other = models.get(name);
      if (other !== undefined) {
        problems.push(
          `INSHORE_UPSTREAMS: ${other.upstream.name} and ${upstream.name} both serve \`${name}\`; give one another name`,
        );
      }
      models.set(name, { upstream, model });
    }
  }
  return models;
}

function originsOf(env: Env, problems: Problems): Set<string> {
  const origins = listOf(env, 'INSHORE_ORIGINS', problems);
  for (const origin of origins) {
    if (!isOrigin(origin)) {
      problems.push(
        `INSHORE_ORIGINS: \`${origin}\` is not an origin; write scheme and host without a slash at the end, as https://app.example`,
      );
    }
  }
  return new Set(origins);
}

/** `*` and `null` are none: a token for everyone protects nothing. */
function isOrigin(text: string): boolean {
  try {
    return new URL(text).origin === text && /^https?:/.test(text);
  } catch {
    return false;
  }
}

function secretOf(env: Env, problems: Problems): Uint8Array {
  const secret = env.INSHORE_TOKEN_SECRET;
  const bytes = new TextEncoder().encode(typeof secret === 'string' ? secret : '');
  if (bytes.byteLength < MIN_SECRET_BYTES) {
    problems.push(
      `INSHORE_TOKEN_SECRET: set a secret of at least ${MIN_SECRET_BYTES} random bytes, as \`openssl rand -hex 32\` prints`,
    );
  }
  return bytes;
}

function headerOf(env: Env, problems: Problems): string | undefined {
  const header = env.INSHORE_CLIENT_IP_HEADER;
  if (header === undefined || header === null || header === '') return undefined;
  if (typeof header === 'string' && /^[\w-]+$/.test(header)) return header.toLowerCase();
  problems.push('INSHORE_CLIENT_IP_HEADER: write the name of one header, as cf-connecting-ip');
  return undefined;
}

function namespaceOf(env: Env, problems: Problems): DurableNamespace | undefined {
  const binding = env.USED_TOKENS;
  if (binding === undefined || binding === null) return undefined;
  const namespace = recordOf(binding);
  if (typeof namespace?.idFromName === 'function' && typeof namespace.get === 'function') {
    return binding as DurableNamespace;
  }
  problems.push(
    'USED_TOKENS: bind the Durable Object class UsedTokens; a KV namespace is too slow to notice that a token comes twice',
  );
  return undefined;
}
