/** Entry for workerd and hosts like it: `export default { fetch }`, and the Durable Object of used tokens. */
import { createApp, errorResponse } from './app';
import { ConfigError, type Env, parseConfig } from './config';
import { ApiError } from './errors';
import { consoleLog } from './log';

export { UsedTokens } from './used_tokens';

/** See `relay.ts` and `chat.ts`: workerd must write to learn that a client is gone. With these it knows within 100 ms. */
const DEFAULTS = { heartbeatMs: 25, earlyStreamMs: 40 };

type App = ReturnType<typeof createApp>;

// An isolate's bindings do not change, so they are read once.
let app: App | undefined;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    try {
      app ??= start(env);
    } catch (error) {
      return misconfigured(error);
    }
    return app.fetch(request, {});
  },
};

function start(env: Env): App {
  const config = parseConfig(env, DEFAULTS);
  if (config.usedTokens === undefined) {
    consoleLog({
      warning:
        'USED_TOKENS is not bound: used tokens are known to this isolate only; other isolates would take them again',
    });
  }
  return createApp(config, consoleLog);
}

/** The operator reads what is wrong in the log; the page is told only that it is the operator's turn. */
function misconfigured(error: unknown): Response {
  consoleLog({ error: error instanceof ConfigError ? error.problems : 'the worker could not start' });
  return errorResponse(
    new ApiError(500, 'worker_misconfigured', "The worker's operator must correct its configuration."),
  );
}
