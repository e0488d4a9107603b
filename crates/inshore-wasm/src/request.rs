use inshore_model::{Begun, Message, Prompt, Request, Sampling};
use serde::Deserialize;
use wasm_bindgen::prelude::*;

use crate::error::invalid_argument;

#[wasm_bindgen]
extern "C" {
    /// A request as a plain object.
    #[wasm_bindgen(typescript_type = "EngineRequest")]
    pub type EngineRequest;
}

#[wasm_bindgen(typescript_custom_section)]
const ENGINE_REQUEST: &str = r"
/** A message of a conversation. */
export interface EngineMessage { role: string; content: string }
/** What to continue: token ids, text as it is, or a conversation in the model's chat template. */
export type EnginePrompt = { ids: number[] } | { raw: string } | { chat: EngineMessage[] };
/** How tokens are drawn; what is left out keeps its default (temperature 0.7, topP 0.95, the rest off). */
export interface EngineSampling {
  temperature?: number; topK?: number; topP?: number; minP?: number;
  repetitionPenalty?: number; frequencyPenalty?: number; presencePenalty?: number; seed?: number;
}
/** A request for one answer. */
export interface EngineRequest {
  prompt: EnginePrompt;
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
    continuation: Vec<u32>,
    max_tokens: Option<usize>,
    #[serde(default)]
    sampling: Sampling,
    #[serde(default)]
    stop: Vec<String>,
    #[serde(default)]
    top_logprobs: u32,
}

/// Reads a request from JavaScript.
pub fn from_js(request: EngineRequest) -> Result<Request, JsValue> {
    let argument: RequestArgument = serde_wasm_bindgen::from_value(request.into())
        .map_err(|error| invalid_argument(&format!("the request is not understood: {error}")))?;
    Ok(Request {
        prompt: match argument.prompt {
            PromptArgument::Ids(ids) => Prompt::Ids(ids),
            PromptArgument::Raw(text) => Prompt::Raw(text),
            PromptArgument::Chat(messages) => Prompt::Chat(messages),
        },
        begun: Begun::Ids(argument.continuation),
        max_tokens: argument.max_tokens,
        sampling: argument.sampling,
        stop: argument.stop,
        top_logprobs: argument.top_logprobs,
    })
}
