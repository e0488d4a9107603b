import { array, type Fields, filled, flag, get, object, text, unsupported, wrong } from './request-fields';
import { isRecord } from './values';

/** Refuses OpenAI's legacy functions, because their answers cannot be read back. */
export function refuseFunctions(body: Fields): void {
  const choice = get(body, 'function_call');
  const isHarmless = choice === undefined || choice === 'none' || choice === 'auto';
  const field = filled(get(body, 'functions')) ? 'functions' : isHarmless ? undefined : 'function_call';
  if (field !== undefined)
    throw unsupported(
      field,
      `${field} is OpenAI's older form and is not supported; use tools and tool_choice.`,
    );
}

/** Checks the fields that ask for more than text, and notes which features they need. */
export function noteFeatures(body: Fields, lacks: Set<string>): void {
  noteTools(body, lacks);
  noteLogitBias(body, lacks);
  if (filled(get(body, 'audio'))) {
    object(body, 'audio', 'must be an object');
    lacks.add('audio');
  }
  for (const modality of array(body, 'modalities', 'must be an array of names') ?? []) {
    if (modality === 'audio') lacks.add('audio');
    else if (modality !== 'text') throw wrong('modalities', 'may hold text and audio');
  }
  if (object(body, 'web_search_options', 'must be an object') !== undefined) lacks.add('web_search');
  const format = object(body, 'response_format', 'must be an object with a type');
  if (format !== undefined && typeof format.type !== 'string')
    throw wrong('response_format', 'must be an object with a type');
  if (format !== undefined && format.type !== 'text') lacks.add('response_format');
  text(body, 'reasoning_effort');
  flag(body, 'parallel_tool_calls');
}

const hasType = (value: unknown): boolean => isRecord(value) && typeof value.type === 'string';

function noteTools(body: Fields, lacks: Set<string>): void {
  const hasTools = filled(get(body, 'tools'));
  if (hasTools) {
    array(body, 'tools', 'must be an array of tools')?.forEach((tool, index) => {
      if (!isRecord(tool)) throw wrong(`tools[${index}]`, 'must be an object');
    });
    lacks.add('tools');
  }
  const choice = get(body, 'tool_choice');
  if (choice === undefined || choice === 'none' || choice === 'auto') return;
  if (choice !== 'required' && !hasType(choice))
    throw wrong('tool_choice', 'must be none, auto, required or an object that names a tool');
  if (!hasTools) throw wrong('tool_choice', 'asks for a tool and there are none; give tools');
}

function noteLogitBias(body: Fields, lacks: Set<string>): void {
  if (!filled(get(body, 'logit_bias'))) return;
  const what = 'must be an object of numbers in -100..100';
  for (const bias of Object.values(object(body, 'logit_bias', what) ?? {})) {
    if (typeof bias !== 'number' || !(Math.abs(bias) <= 100)) throw wrong('logit_bias', what);
  }
  lacks.add('logit_bias');
}
