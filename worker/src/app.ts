import { Hono } from 'hono';
import { chat } from './chat';
import type { Config } from './config';
import { ApiError } from './errors';
import { answerHeaders, PREFLIGHT_HEADERS } from './headers';
import { type Log, RequestRecord } from './log';
import { RateLimit } from './rate_limit';
import { DurableSingleUse, MemorySingleUse } from './single_use';
import { Tokens } from './tokens';
import { UpstreamRefusal } from './upstream';

/** What a host tells of each request. */
export interface RequestContext {
  /** The client's address, where the host knows it. */
  address?: string | undefined;
}

type Worker = Hono<{ Bindings: RequestContext; Variables: { record: RequestRecord } }>;

/** Methods of each path. */
const ROUTES: Readonly<Record<string, string>> = {
  '/health': 'GET',
  '/v1/models': 'GET',
  '/v1/token': 'POST',
  '/v1/chat/completions': 'POST',
};

/** The `fetch` handler, without anything of one host in it. */
export function createApp(config: Config, log: Log): Worker {
  const used =
    config.usedTokens === undefined ? new MemorySingleUse() : new DurableSingleUse(config.usedTokens);
  const tokens = new Tokens(config, used);
  const mints = new RateLimit(config.mintsPerMinute);
  const models = [...config.models.keys()].map((id) => ({
    id,
    object: 'model',
    created: 0,
    owned_by: 'inshore',
  }));
  const app: Worker = new Hono();

  app.use(async (c, next) => {
    const record = new RequestRecord(routeOf(c.req.method, c.req.path), log);
    c.set('record', record);
    const origin = c.req.header('origin') ?? null;
    if (c.req.method === 'OPTIONS') c.res = preflight(origin, config);
    else await next();
    const headers = answerHeaders(origin, config.origins, record.requestId);
    for (const [name, value] of Object.entries(headers)) c.res.headers.set(name, value);
    record.handled(c.res.status, c.error === undefined ? 'complete' : ApiError.from(c.error).code);
  });

  app.get('/health', (c) => c.json({ status: 'ok' }));
  app.get('/v1/models', (c) => c.json({ object: 'list', data: models }));
  app.post('/v1/token', async (c) => {
    const client = config.clientIpHeader === undefined ? c.env.address : c.req.header(config.clientIpHeader);
    // Where the address is unknown, one count for all would let one visitor lock out the others.
    const waitS = client === undefined ? undefined : mints.take(client);
    if (waitS !== undefined) {
      throw new ApiError(
        429,
        'rate_limited',
        'Too many tokens were fetched from this address; wait a little.',
        {
          retryAfter: String(waitS),
        },
      );
    }
    return c.json(await tokens.mint(c.req.header('origin') ?? null));
  });
  app.post('/v1/chat/completions', (c) => chat(c.req.raw, config, tokens, c.get('record')));

  app.notFound((c) => {
    const method = ROUTES[c.req.path];
    const error =
      method === undefined
        ? new ApiError(404, 'not_found', 'There is nothing at this address; see /v1/chat/completions.')
        : new ApiError(405, 'wrong_method', `This address wants ${method}.`);
    c.error = error;
    return errorResponse(error);
  });

  app.onError((thrown, c) => {
    const record = c.get('record');
    if (thrown instanceof UpstreamRefusal) record.add({ upstream_status: thrown.upstreamStatus });
    if (!(thrown instanceof ApiError)) record.add({ fault: faultOf(thrown) });
    return errorResponse(ApiError.from(thrown));
  });
  return app;
}

/** For the log: paths of others may hold anything. */
function routeOf(method: string, path: string): string {
  const isOurs = Object.hasOwn(ROUTES, path);
  const isUsual = ['GET', 'POST', 'OPTIONS'].includes(method);
  return `${isUsual ? method : 'other'} ${isOurs ? path : 'other'}`;
}

function preflight(origin: string | null, config: Config): Response {
  const isAllowed = origin !== null && config.origins.has(origin);
  if (isAllowed) return new Response(null, { status: 204, headers: PREFLIGHT_HEADERS });
  return errorResponse(new ApiError(403, 'origin_not_allowed', 'This origin may not use this worker.'));
}

/** An error as a response. */
export function errorResponse(error: ApiError): Response {
  const { retryAfter } = error.details;
  return Response.json(error.body, {
    status: error.status,
    headers: {
      'x-should-retry': String(error.shouldRetry),
      ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
    },
  });
}

/** Class and place of a fault. Its message could hold anything. */
function faultOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return typeof thrown;
  const place = thrown.stack?.split('\n').find((line) => /^\s+at /.test(line));
  return `${thrown.name}${place ?? ''}`;
}
