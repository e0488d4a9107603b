// A small cloud of the tests' own, over real HTTP: an endpoint that does what `cloud.course` says.
import { createServer } from 'node:http';

const CORS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'content-type, authorization',
};

const chunk = (delta, more = {}) => ({
  id: 'chatcmpl-cloud',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'big',
  choices: [{ index: 0, delta, finish_reason: null, ...more }],
});
const call = (more) => chunk({ tool_calls: [{ index: 0, ...more }] });
const usage = { prompt_tokens: 30, completion_tokens: 4, total_tokens: 34 };
const last = (finish_reason) => ({ ...chunk({}, { finish_reason }), usage });

const COURSES = {
  whole: {
    chunks: [chunk({ role: 'assistant', content: 'From ' }), chunk({ content: 'afar.' }), last('stop')],
  },
  /** The connection breaks before the end. */
  cut: { chunks: [chunk({ role: 'assistant', content: 'From ' }), chunk({ content: 'af' })], cut: true },
  tool_calls: {
    chunks: [
      call({ id: 'call_1', type: 'function', function: { name: 'tide', arguments: '{"port":' } }),
      call({ function: { arguments: '"Dover"}' } }),
      last('tool_calls'),
    ],
  },
  unauthorised: { status: 401, code: 'invalid_api_key' },
  rate_limited: { status: 429, code: 'rate_limit_exceeded', headers: { 'Retry-After': '3600' } },
};

/** Starts it; `requests` holds the bodies that came. */
export async function startCloud() {
  const cloud = { course: 'whole', requests: [] };
  const server = createServer(async (request, response) => {
    if (request.method === 'OPTIONS') return response.writeHead(204, CORS).end();
    let body = '';
    for await (const part of request) body += part;
    cloud.requests.push(JSON.parse(body));
    return answer(response, COURSES[cloud.course]);
  });
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
  cloud.baseURL = `http://127.0.0.1:${server.address().port}/v1`;
  cloud.close = () =>
    new Promise((closed) => {
      server.closeAllConnections();
      server.close(closed);
    });
  return cloud;
}

function answer(response, { status = 200, code, headers, chunks, cut }) {
  if (chunks === undefined) {
    response.writeHead(status, { ...CORS, ...headers, 'Content-Type': 'application/json' });
    return response.end(
      JSON.stringify({ error: { message: `It is ${code}.`, type: code, param: null, code } }),
    );
  }
  response.writeHead(200, { ...CORS, 'Content-Type': 'text/event-stream' });
  for (const one of chunks) response.write(`data: ${JSON.stringify(one)}\n\n`);
  if (!cut) return response.end('data: [DONE]\n\n');
  // After the bytes are on their way, so that the client has seen them.
  return setTimeout(() => response.destroy(), 100);
}
