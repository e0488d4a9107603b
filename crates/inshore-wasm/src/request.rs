use inshore_model::{Begun, LocalTime, Message, Prompt, Request, Sampling};
use inshore_protocol::{EngineSampling, RequestError, checked_max_tokens, checked_top_logprobs};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use crate::error::{invalid_argument, refused};

#[wasm_bindgen]
extern "C" {
    /// A request as a plain object.
    #[wasm_bindgen(typescript_type = "EngineRequest")]
    pub type EngineRequest;
}

#[wasm_bindgen(typescript_custom_section)]
const ENGINE_REQUEST: &str = r"
/** A message of a conversation. */
export interface EngineMessage { role: string; content: string; [field: string]: unknown }
/** What to continue: token ids, text as it is, or a conversation in the model's chat template. */
export type EnginePrompt = { ids: number[] } | { raw: string } | { chat: EngineMessage[] };
/** How tokens are drawn; what is left out keeps its default (temperature 0.7, topP 0.95, the rest off). */
export interface EngineSampling {
  temperature?: number; topK?: number; topP?: number; minP?: number;
  repetitionPenalty?: number; frequencyPenalty?: number; presencePenalty?: number;
  /** Any 64-bit integer, signed or not; -1 is the same seed as 2^64 - 1. */
  seed?: number | bigint;
}
/** A request for one answer. */
export interface EngineRequest {
  prompt: EnginePrompt;
  /** Tools that the chat template describes to the model, in OpenAI's form. */
  tools?: object[];
  /** Tokens of the answer so far, where it was begun elsewhere. */
  continuation?: number[];
  /** Without those of `continuation`. */
  maxTokens?: number;
  sampling?: EngineSampling; stop?: string[]; topLogprobs?: number;
}
";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum PromptArgument {
    Ids(Vec<u32>),
    Raw(String),
    Chat(Vec<Message>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RequestArgument {
    prompt: PromptArgument,
    #[serde(default)]
    tools: Vec<serde_json::Value>,
    #[serde(default)]
    continuation: Vec<u32>,
    max_tokens: Option<f64>,
    #[serde(default)]
    sampling: EngineSampling,
    #[serde(default)]
    stop: Vec<String>,
    top_logprobs: Option<f64>,
}

/// Reads a request from JavaScript. Every fault is an error of the request, which has not reached the engine.
pub fn from_js(request: EngineRequest) -> Result<Request, JsValue> {
    let argument: RequestArgument = serde_wasm_bindgen::from_value(request.into())
        .map_err(|error| invalid_argument(&format!("the request is not understood: {error}")))?;
    checked(argument).map_err(|error| refused(&error))
}

fn checked(argument: RequestArgument) -> Result<Request, RequestError> {
    let max_tokens = argument.max_tokens.map(checked_max_tokens).transpose()?;
    Ok(Request {
        prompt: match argument.prompt {
            PromptArgument::Ids(ids) => Prompt::Ids(ids),
            PromptArgument::Raw(text) => Prompt::Raw(text),
            PromptArgument::Chat(messages) => Prompt::Chat(messages),
        },
        tools: argument.tools,
        begun: Begun::Ids(argument.continuation),
        max_tokens: max_tokens.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX)),
        sampling: sampling(&argument.sampling.checked()?),
        stop: argument.stop,
        top_logprobs: argument.top_logprobs.map(checked_top_logprobs).transpose()?.unwrap_or(0),
    })
}

fn sampling(given: &inshore_protocol::Sampling) -> Sampling {
    let defaults = Sampling::default();
    Sampling {
        temperature: given.temperature.unwrap_or(defaults.temperature),
        top_k: given.top_k.unwrap_or(defaults.top_k),
        top_p: given.top_p.unwrap_or(defaults.top_p),
        min_p: given.min_p.unwrap_or(defaults.min_p),
        repetition_penalty: given.repetition_penalty.unwrap_or(defaults.repetition_penalty),
        frequency_penalty: given.frequency_penalty.unwrap_or(defaults.frequency_penalty),
        presence_penalty: given.presence_penalty.unwrap_or(defaults.presence_penalty),
        seed: given.seed.unwrap_or(defaults.seed),
    }
}

/// The user's clock, for chat templates that write the date.
pub fn local_time() -> LocalTime {
    let now = js_sys::Date::new_0();
    // JavaScript counts minutes from local time to UTC, in floats.
    LocalTime::from_unix((now.get_time() * 1e3) as i64, (-now.get_timezone_offset() * 60.0) as i32)
}
