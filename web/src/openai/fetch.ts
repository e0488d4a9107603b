import { isRecord } from '../protocol/values';
import type { Dispatcher } from '../sdk/contract';
import { type ChatCompletionParams, type ChatCompletions, ChatStream, createChatCompletions } from './chat';
import { InvalidRequestError, toHttpError } from './errors';
import { isOurModel } from './request';
import { readBody } from './request-body';
import { sseBody } from './sse-body';

/**
 * A `fetch` that answers OpenAI's protocol from this page: hand it to the `openai` client, the AI SDK or LangChain. Under
 * whatever base address it is called, it knows `POST …/chat/completions`, `GET …/models` and `GET …/models/{id}`; all else
 * is 404. It opens no connection itself; only the dispatcher does, where the policy says so.
 */
export function createOpenAIFetch(dispatcher: Dispatcher, modelName: string): typeof fetch {
  const chat = createChatCompletions(dispatcher, modelName);
  return async (input, init) => {
    // Not `request.signal`: a copy that follows the caller's signal may be collected before it fires, and where it is not, it
    // leaves a listener there for each request.
    const request = new Request(isRequest(input) ? input : absolute(input), { ...init, signal: null });
    const signal = init?.signal ?? (isRequest(input) ? input.signal : undefined);
    if (signal?.aborted) throw signal.reason;
    try {
      return await route(request, chat, modelName, signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      return refusal(error);
    }
  };
}

const isRequest = (input: RequestInfo | URL): input is Request =>
  typeof input !== 'string' && !(input instanceof URL);

// Outside a page there is no base; only the end of the path counts.
const absolute = (url: string | URL): URL =>
  new URL(url, globalThis.location?.href ?? 'http://inshore.invalid/');

function route(
  request: Request,
  chat: ChatCompletions,
  modelName: string,
  signal: AbortSignal | undefined,
): Response | Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname.endsWith('/chat/completions')) {
    allow(request, 'POST');
    return complete(request, chat, signal);
  }
  const models = /\/models(?:\/(.*))?$/.exec(pathname);
  if (models === null)
    throw new InvalidRequestError(
      'not_found',
      null,
      'There is nothing at this address; the API is POST …/chat/completions and GET …/models.',
    );
  allow(request, 'GET');
  return json(200, models[1] ? oneModel(decodeName(models[1]), modelName) : modelList(modelName));
}

function allow(request: Request, method: string): void {
  if (request.method === method) return;
  throw new InvalidRequestError('wrong_method', null, `This address wants ${method}, not ${request.method}.`);
}

async function complete(
  request: Request,
  chat: ChatCompletions,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const body = withoutReplace(await readBody(request, signal));
  const answer = await chat.completions.create(body, { signal });
  if (!(answer instanceof ChatStream)) return json(200, answer);
  return new Response(sseBody(answer, signal), {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
  });
}

/** Clients behind `fetch` append what they get: unless they say otherwise, an answer that begins again is an error. */
function withoutReplace(body: unknown): ChatCompletionParams {
  if (!isRecord(body)) return body as ChatCompletionParams;
  const { inshore, ...rest } = body;
  const given = inshore ?? {};
  const extension = isRecord(given) ? { ...given, accept_replace: given.accept_replace ?? false } : given;
  return { ...rest, inshore: extension } as unknown as ChatCompletionParams;
}

const model = (id: string) => ({ id, object: 'model', created: 0, owned_by: 'inshore' });
const modelList = (name: string) => ({ object: 'list', data: [model(name)] });

function oneModel(asked: string, name: string): object {
  if (isOurModel(asked, name)) return model(name);
  const message = `There is no model \`${asked.slice(0, 100)}\` here; GET …/models lists what there is.`;
  throw new InvalidRequestError('model_not_found', 'model', message);
}

function decodeName(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function refusal(error: unknown): Response {
  const { status, body, headers } = toHttpError(error);
  return json(status, body, headers);
}

const json = (status: number, value: object, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(value), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
