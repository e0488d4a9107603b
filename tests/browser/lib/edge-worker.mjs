// The edge worker on a real workerd, as worker/workerd.capnp configures it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect, createServer } from 'node:net';
import { resolve } from 'node:path';

const WORKER = resolve(import.meta.dirname, '../../../worker');

/** What must never reach a page. The host behind the worker asks for no key; it is sent one all the same. */
export const HOST_KEY = 'sk-host-0f3d9a7bb1c24e58';
const TOKEN_SECRET = 'browser-test-secret-5b0c6e9d27f14a83';

/** Starts it before `hostUrl` (an `inshore serve`), for pages of `origin`. */
export async function startEdgeWorker({ hostUrl, origin, model }) {
  if (!existsSync(resolve(WORKER, 'dist/worker.js'))) throw new Error('run `npm run build` in worker/ first');
  const found = createRequire(resolve(WORKER, 'package.json'))('workerd');
  const options = ['serve', 'workerd.capnp', '--socket-addr', 'http=127.0.0.1:0', '--control-fd=3'];
  const upstream = { name: 'host', base_url: `${hostUrl}/v1`, key: 'HOST_KEY', models: { shore: model } };
  const child = spawn(found.default ?? found, options, {
    cwd: WORKER,
    env: {
      INSHORE_UPSTREAMS: JSON.stringify([{ ...upstream, inshore: true, prefix: true }]),
      INSHORE_ORIGINS: origin,
      INSHORE_TOKEN_SECRET: TOKEN_SECRET,
      HOST_KEY,
    },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let log = '';
  const waiting = new Set();
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data) => {
      log += data;
      for (const look of waiting) look();
    });
  const port = await new Promise((done, fail) => {
    let control = '';
    child.stdio[3].on('data', (data) => {
      control += data;
      const listening = /"event":"listen".*"port":(\d+)/.exec(control);
      if (listening) done(Number(listening[1]));
    });
    child.once('exit', () => fail(new Error(`workerd did not start: ${log}`)));
  });
  const wire = await tapWire(port);
  return {
    url: `http://127.0.0.1:${wire.port}`,
    /** Every byte that went from page to worker, and back. */
    wire,
    log: () => log,
    /** The lines of chat requests, parsed, as soon as there are `count`. */
    chats: (count) =>
      new Promise((done) => {
        const look = () => {
          const lines = log
            .split('\n')
            .filter((line) => line.endsWith('}') && line.includes('chat/completions'));
          const chats = lines.map((line) => JSON.parse(line)).filter(({ route }) => route.startsWith('POST'));
          if (chats.length < count) return;
          waiting.delete(look);
          done(chats);
        };
        waiting.add(look);
        look();
      }),
    close: () =>
      new Promise((done) => {
        wire.close();
        child.once('exit', done);
        child.kill();
      }),
  };
}

/** Passes connections on to `port` and keeps what goes either way: nothing that a page receives escapes this. */
async function tapWire(port) {
  const wire = { sent: '', received: '' };
  const sockets = new Set();
  const server = createServer((client) => {
    const worker = connect(port, '127.0.0.1');
    client.on('data', (data) => {
      wire.sent += data.toString('latin1');
    });
    worker.on('data', (data) => {
      wire.received += data.toString('latin1');
    });
    for (const [from, to] of [
      [client, worker],
      [worker, client],
    ]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => {});
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  wire.port = server.address().port;
  wire.close = () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return wire;
}
