/// <reference lib="webworker" />
// The engine worker that all tabs of an origin share: one model in memory, answers in the order they were asked for.
import { answerCalls, postCrash } from '../worker-port';
import { EngineHost } from './host';
import type { EngineCalls, EngineEvent } from './protocol';

declare const self: SharedWorkerGlobalScope;

const host = new EngineHost();
const ports = new Set<MessagePort>();

self.addEventListener('connect', (event) => {
  const [port] = event.ports;
  if (port === undefined) return;
  ports.add(port);
  const { calls, leave } = host.connect((message) => post(message));
  const post = answerCalls<EngineCalls, EngineEvent>(port, calls);
  port.addEventListener('message', ({ data }) => {
    if (typeof data?.alive !== 'string') return;
    // The tab holds this lock as long as it lives; a tab that was closed or crashed says no farewell.
    void navigator.locks.request(data.alive, () => {
      ports.delete(port);
      leave();
    });
  });
  port.start();
});

// Nobody can end a shared worker from outside: after a trap it tells every tab and ends itself.
self.addEventListener('unhandledrejection', ({ reason }) => {
  for (const port of ports) postCrash(port, reason);
  self.close();
});
