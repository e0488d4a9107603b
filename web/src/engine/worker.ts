/// <reference lib="webworker" />
// The engine worker of one page.
import { answerCalls } from '../worker-port';
import { EngineHost } from './host';
import type { EngineCalls, EngineEvent } from './protocol';

declare const self: DedicatedWorkerGlobalScope;

const { calls } = new EngineHost().connect((event) => post(event));
const post = answerCalls<EngineCalls, EngineEvent>(self, calls);
