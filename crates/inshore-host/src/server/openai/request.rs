//! A chat-completions request, checked and turned into one for the engine.

use inshore_model::{Begun, Message, Prompt, Request, Sampling};
use serde::Deserialize;
use serde_json::Value;

use super::ApiError;

/// Stop texts that a request may have.
const MAX_STOPS: usize = 16;

/// The body. Fields that change nothing here (`user`, `store` …) are ignored; fields that would change the answer and are
/// not supported are refused.
#[derive(Debug, Deserialize)]
pub struct ChatRequest {
    /// Name of the model; the served one if it is missing.
    pub model: Option<String>,
    messages: Vec<IncomingMessage>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    n: Option<u64>,
    stop: Option<Stop>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
    inshore: Option<Extension>,
    #[serde(flatten)]
    sampling: SamplingFields,
    #[serde(flatten)]
    refused: RefusedFields,
}

/// Our extension of the request.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Extension {
    /// Tokens of an answer that was begun elsewhere and goes on here; `max_tokens` does not count them.
    continue_ids: Vec<u32>,
    /// SHA-256 of the model's file that those tokens are of.
    model_sha256: Option<String>,
    /// Whether the chunks of a stream carry their token ids.
    ids: bool,
}

#[derive(Debug, Deserialize)]
struct SamplingFields {
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    seed: Option<i64>,
    frequency_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    repetition_penalty: Option<f32>,
}

/// Present and not empty: the caller counts on something that does not happen here.
#[derive(Debug, Deserialize)]
struct RefusedFields {
    tools: Option<Value>,
    functions: Option<Value>,
    logit_bias: Option<Value>,
    response_format: Option<Value>,
    audio: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Stop {
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Deserialize)]
struct IncomingMessage {
    role: String,
    content: Option<Content>,
    /// On a last assistant message: the answer goes on behind its text.
    prefix: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

impl ChatRequest {
    /// Whether the answer is to be streamed.
    pub fn stream(&self) -> bool {
        self.stream.unwrap_or(false)
    }

    /// Whether a stream ends with token counts.
    pub fn include_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// Alternatives to report per token, if log-probabilities are asked for at all.
    pub fn alternatives(&self) -> Option<u32> {
        self.logprobs.unwrap_or(false).then(|| self.top_logprobs.unwrap_or(0))
    }

    /// Whether the chunks of a stream carry their token ids.
    pub fn wants_ids(&self) -> bool {
        self.inshore.as_ref().is_some_and(|extension| extension.ids)
    }

    /// SHA-256 of the model's file that the request is made for.
    pub fn model_sha256(&self) -> Option<&str> {
        self.inshore.as_ref()?.model_sha256.as_deref()
    }

    /// The request for the engine.
    ///
    /// # Errors
    /// 400 for values out of range, 422 for what is not supported.
    pub fn into_engine_request(self) -> Result<Request, ApiError> {
        self.refused.check()?;
        if self.n.unwrap_or(1) != 1 {
            return Err(ApiError::unsupported("n", "one answer per request is what there is; set n to 1"));
        }
        let alternatives = self.alternatives();
        match self.top_logprobs {
            Some(21..) => return Err(ApiError::invalid("top_logprobs", "top_logprobs must lie in 0..20")),
            Some(1..) if alternatives.is_none() => {
                return Err(ApiError::invalid("top_logprobs", "top_logprobs needs logprobs: true"));
            }
            _ => {}
        }
        let max_tokens = self.max_completion_tokens.or(self.max_tokens);
        if max_tokens == Some(0) {
            return Err(ApiError::invalid("max_tokens", "max_tokens must be at least 1"));
        }
        let (messages, begun) = begun(self.messages, self.inshore.unwrap_or_default())?;
        let mut request = Request::new(Prompt::Chat(conversation(messages)?));
        request.begun = begun;
        request.max_tokens = max_tokens.map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX));
        request.sampling = self.sampling.checked()?;
        request.stop = stops(self.stop)?;
        // The engine reports a token's own log-probability in any case.
        request.top_logprobs = alternatives.unwrap_or(0);
        Ok(request)
    }
}

impl RefusedFields {
    fn check(&self) -> Result<(), ApiError> {
        let empty = |value: &Option<Value>| match value {
            None | Some(Value::Null) => true,
            Some(Value::Array(items)) => items.is_empty(),
            Some(Value::Object(fields)) => fields.is_empty(),
            Some(_) => false,
        };
        let named = [
            ("tools", &self.tools),
            ("functions", &self.functions),
            ("logit_bias", &self.logit_bias),
            ("audio", &self.audio),
        ];
        if let Some((param, _)) = named.into_iter().find(|(_, value)| !empty(value)) {
            return Err(ApiError::unsupported(param, format!("{param} is not supported; leave it out")));
        }
        let format = self.response_format.as_ref().and_then(|format| format.get("type")).and_then(Value::as_str);
        match format {
            None | Some("text") => Ok(()),
            Some(_) => Err(ApiError::unsupported("response_format", "the only response format is text")),
        }
    }
}

impl SamplingFields {
    fn checked(self) -> Result<Sampling, ApiError> {
        let defaults = Sampling::default();
        let within = |param: &'static str, given: Option<f32>, low: f32, high: f32, default: f32| match given {
            None => Ok(default),
            Some(value) if (low..=high).contains(&value) => Ok(value),
            Some(_) => Err(ApiError::invalid(param, format!("{param} must lie in {low}..{high}"))),
        };
        let positive = f32::MIN_POSITIVE;
        Ok(Sampling {
            temperature: within("temperature", self.temperature, 0.0, 2.0, defaults.temperature)?,
            // 0 is what some clients send for "only the most probable token".
            top_p: within("top_p", self.top_p, 0.0, 1.0, defaults.top_p)?.max(positive),
            min_p: within("min_p", self.min_p, 0.0, 1.0, defaults.min_p)?,
            top_k: self.top_k.unwrap_or(defaults.top_k),
            frequency_penalty: within(
                "frequency_penalty",
                self.frequency_penalty,
                -2.0,
                2.0,
                defaults.frequency_penalty,
            )?,
            presence_penalty: within("presence_penalty", self.presence_penalty, -2.0, 2.0, defaults.presence_penalty)?,
            repetition_penalty: within(
                "repetition_penalty",
                self.repetition_penalty,
                0.01,
                10.0,
                defaults.repetition_penalty,
            )?,
            seed: self.seed.map_or_else(crate::engine::random_seed, i64::cast_unsigned),
        })
    }
}

fn stops(stop: Option<Stop>) -> Result<Vec<String>, ApiError> {
    let stops = match stop {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text],
        Some(Stop::Many(texts)) => texts,
    };
    if stops.len() > MAX_STOPS || stops.iter().any(String::is_empty) {
        return Err(ApiError::invalid("stop", format!("stop takes up to {MAX_STOPS} texts, none of them empty")));
    }
    Ok(stops)
}

/// Takes an answer that was begun elsewhere off the messages.
fn begun(mut messages: Vec<IncomingMessage>, extension: Extension) -> Result<(Vec<IncomingMessage>, Begun), ApiError> {
    let has_prefix = |message: &IncomingMessage| message.prefix.unwrap_or(false);
    let last = messages.pop_if(|last| last.role == "assistant" && has_prefix(last));
    if messages.iter().any(has_prefix) {
        return Err(ApiError::invalid("messages", "prefix belongs to a last message of role assistant"));
    }
    if !extension.continue_ids.is_empty() && extension.model_sha256.is_none() {
        return Err(ApiError::invalid(
            "inshore",
            "continue_ids needs model_sha256: tokens mean nothing to another model",
        ));
    }
    match last {
        Some(_) if !extension.continue_ids.is_empty() => Err(ApiError::invalid(
            "inshore",
            "an answer goes on from continue_ids or from a prefix message, not from both",
        )),
        Some(last) => Ok((messages, Begun::Text(message(last)?.content))),
        None => Ok((messages, Begun::Ids(extension.continue_ids))),
    }
}

fn conversation(messages: Vec<IncomingMessage>) -> Result<Vec<Message>, ApiError> {
    if messages.is_empty() {
        return Err(ApiError::invalid("messages", "messages must hold at least one message"));
    }
    messages.into_iter().map(message).collect()
}

fn message(incoming: IncomingMessage) -> Result<Message, ApiError> {
    let role = match incoming.role.as_str() {
        role @ ("system" | "user" | "assistant") => role,
        "developer" => "system",
        "tool" | "function" => return Err(ApiError::unsupported("messages", "tool messages are not supported")),
        _ => return Err(ApiError::invalid("messages", "a role must be system, developer, user or assistant")),
    };
    let content = match incoming.content {
        None => String::new(),
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => {
            let texts = parts.into_iter().map(|part| match (part.kind.as_str(), part.text) {
                ("text", Some(text)) => Ok(text),
                ("text", None) => Err(ApiError::invalid("messages", "a text part needs its text")),
                _ => Err(ApiError::unsupported("messages", "only text parts are supported")),
            });
            texts.collect::<Result<String, _>>()?
        }
    };
    Ok(Message { role: role.to_owned(), content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn engine_request(extra: Value) -> Result<Request, ApiError> {
        let mut body = json!({ "messages": [{ "role": "user", "content": "hi" }] });
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value::<ChatRequest>(body).unwrap().into_engine_request()
    }

    #[test]
    fn fields_reach_the_engine() {
        let request = engine_request(json!({
            "max_tokens": 7, "temperature": 0, "top_p": 0.5, "seed": -1, "stop": "x", "top_k": 3, "min_p": 0.1,
            "frequency_penalty": -2, "presence_penalty": 2, "repetition_penalty": 1.5, "logprobs": true, "top_logprobs": 5,
            "user": "ignored", "unknown_field": {}
        }))
        .unwrap();
        assert_eq!(request.max_tokens, Some(7));
        assert_eq!(request.stop, ["x"]);
        assert_eq!(request.top_logprobs, 5);
        let s = request.sampling;
        assert_eq!((s.temperature, s.top_p, s.top_k, s.min_p, s.seed), (0.0, 0.5, 3, 0.1, u64::MAX));
        assert_eq!((s.frequency_penalty, s.presence_penalty, s.repetition_penalty), (-2.0, 2.0, 1.5));
        assert_eq!(engine_request(json!({ "max_tokens": 7, "max_completion_tokens": 9 })).unwrap().max_tokens, Some(9));
    }

    #[test]
    fn parts_become_one_text_and_developer_becomes_system() {
        let messages = json!([
            { "role": "developer", "content": "be brief" },
            { "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] },
            { "role": "assistant", "content": null }
        ]);
        let Prompt::Chat(found) = engine_request(json!({ "messages": messages })).unwrap().prompt else { panic!() };
        let found: Vec<_> = found.iter().map(|m| (m.role.as_str(), m.content.as_str())).collect();
        assert_eq!(found, [("system", "be brief"), ("user", "ab"), ("assistant", "")]);
    }

    #[test]
    fn answers_go_on_from_ids_or_from_a_prefix() {
        let ids = json!({ "inshore": { "continue_ids": [1, 2], "model_sha256": "ab" } });
        assert_eq!(engine_request(ids).unwrap().begun, Begun::Ids(vec![1, 2]));
        let user = json!({ "role": "user", "content": "hi" });
        let prefix = json!({ "role": "assistant", "content": "The sea", "prefix": true });
        let request = engine_request(json!({ "messages": [user, prefix] })).unwrap();
        assert_eq!(request.begun, Begun::Text("The sea".into()));
        let Prompt::Chat(messages) = request.prompt else { panic!() };
        assert_eq!(messages.len(), 1);
        // An assistant's last message without the flag is a turn of the conversation.
        let plain = json!({ "role": "assistant", "content": "The sea" });
        assert_eq!(engine_request(json!({ "messages": [user, plain] })).unwrap().begun, Begun::default());
        for bad in [
            json!({ "inshore": { "continue_ids": [1] } }),
            json!({ "messages": [prefix, user] }),
            json!({ "messages": [user, prefix], "inshore": { "continue_ids": [1], "model_sha256": "ab" } }),
        ] {
            assert_eq!(engine_request(bad.clone()).unwrap_err().status().as_u16(), 400, "{bad}");
        }
    }

    #[test]
    fn wrong_values_are_400_and_missing_features_422() {
        for (extra, status) in [
            (json!({ "temperature": 3 }), 400),
            (json!({ "top_p": -0.1 }), 400),
            (json!({ "top_logprobs": 3 }), 400),
            (json!({ "logprobs": true, "top_logprobs": 21 }), 400),
            (json!({ "max_tokens": 0 }), 400),
            (json!({ "stop": [""] }), 400),
            (json!({ "messages": [] }), 400),
            (json!({ "messages": [{ "role": "king", "content": "" }] }), 400),
            (json!({ "n": 2 }), 422),
            (json!({ "tools": [{}] }), 422),
            (json!({ "response_format": { "type": "json_object" } }), 422),
            (json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url" }] }] }), 422),
            (json!({ "messages": [{ "role": "tool", "content": "x" }] }), 422),
        ] {
            let error = engine_request(extra.clone()).unwrap_err();
            assert_eq!(error.status().as_u16(), status, "{extra}");
        }
        assert!(
            engine_request(json!({ "tools": [], "response_format": { "type": "text" }, "logit_bias": null })).is_ok()
        );
    }
}
