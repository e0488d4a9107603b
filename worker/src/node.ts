/** Entry for Node: `node dist/node.js`, configured by its environment. */
import type { AddressInfo } from 'node:net';
import { type HttpBindings, serve } from '@hono/node-server';
import { createApp } from './app';
import { ConfigError, parseConfig } from './config';
import { consoleLog } from './log';

/** Node sees the end of a client's connection by itself. */
const DEFAULTS = { heartbeatMs: 0, earlyStreamMs: 0 };

try {
  main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

function main(): void {
  const config = parseConfig(process.env, DEFAULTS);
  const app = createApp(config, consoleLog);
  const server = serve(
    {
      fetch: (request, env) =>
        app.fetch(request, { address: (env as HttpBindings).incoming.socket.remoteAddress }),
      hostname: process.env.HOST ?? '127.0.0.1',
      port: Number(process.env.PORT ?? 8788),
    },
    ({ address, port }: AddressInfo) => {
      process.stdout.write(`the inshore worker is listening on http://${address}:${port}\n`);
    },
  );
  const stop = () => {
    server.close();
    // Streams that still run have a moment to end.
    setTimeout(() => process.exit(0), 5000).unref();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}
