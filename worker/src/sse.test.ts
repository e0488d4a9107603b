import { expect, it } from 'vitest';
import { EventStreamParser } from '../../web/src/protocol/event-stream';
import { SSE_HEARTBEAT, sseEvent } from './sse';

it.each(['', 'a', 'a\nb', '\n', '{"a": "b"}', 'ends with a line\n'])(
  'an event keeps its data: %j',
  (data) => {
    const events: string[] = [];
    const parser = new EventStreamParser((event) => events.push(event.data));
    parser.push(new TextEncoder().encode(SSE_HEARTBEAT + sseEvent(data) + SSE_HEARTBEAT));
    parser.end();
    expect(events).toEqual([data]);
  },
);
