/// <reference lib="webworker" />
// The engine worker that all tabs of an origin share: one model in memory, answers in the order they were asked for.
import { answerCalls, postCrash } from '../worker-port';
import { ENGINE_FAULTS } from './crash';
import { EngineHost } from './host';
import type { EngineCalls, EngineEvent } from './protocol';

declare const self: SharedWorkerGlobalScope;

const ports = new Set<MessagePort>();
const host = new EngineHost(end);

self.addEventListener('connect', (event) => {
  const [port] = event.ports;
  if (port === undefined) return;
  ports.add(port);
  const { calls, leave } = host.connect((message) => post(message));
  const post = answerCalls<EngineCalls, EngineEvent>(port, calls, ENGINE_FAULTS);
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

self.addEventListener('unhandledrejection', ({ reason }) => end(reason));

/** A shared worker cannot be terminated from outside, so after a trap it informs every tab and closes itself. */
function end(reason: unknown): void {
  for (const port of ports) postCrash(port, reason, ENGINE_FAULTS);
  self.close();
}
