/// <reference lib="webworker" />
// The engine worker of one page.
import { answerCalls, postCrash } from '../worker-port';
import { ENGINE_FAULTS } from './crash';
import { EngineHost } from './host';
import type { EngineCalls, EngineEvent } from './protocol';
import { enlist } from './threads/member';
import { MEMBER } from './threads/tasks';

declare const self: DedicatedWorkerGlobalScope;

// The engine starts its threads from its own address: whatever a bundler made of this file, they find it.
if (self.name === MEMBER) enlist(self);
else serve();

function serve(): void {
  const host = new EngineHost((error) => postCrash(self, error, ENGINE_FAULTS));
  const { calls } = host.connect((event) => post(event));
  const post = answerCalls<EngineCalls, EngineEvent>(self, calls, ENGINE_FAULTS);
}
