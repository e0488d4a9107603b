//! The check of a chat-completions body.

use serde_json::{Map, Value, json};

use crate::fields::{Fields, seed, text, whole};
use crate::message::{ChatMessage, Lacks, conversation};
use crate::schema::{
    EXTENSION_KEYS, MAX_CONVERSATION_NAME, MAX_SAFE_INTEGER, MAX_STOPS, MAX_TOP_LOGPROBS, MODES, PRIVACY, range,
};
use crate::{RequestError, json_text, tools};

/// A body after the check. Fields that change nothing here (`user`, `store`, `metadata` …) are ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatRequest {
    /// Name of the model.
    pub model: Option<String>,
    /// The conversation; never empty.
    pub messages: Vec<ChatMessage>,
    /// Text of an answer that was begun elsewhere and goes on here.
    pub prefix: Option<String>,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether a stream ends with token counts.
    pub include_usage: bool,
    /// Most tokens of the answer.
    pub max_tokens: Option<u64>,
    /// Texts that end the answer; none of them empty.
    pub stop: Vec<String>,
    /// Alternatives to report for each token; `None` if log-probabilities are not asked for.
    pub top_logprobs: Option<u32>,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Our own fields.
    pub extension: Extension,
    /// Features that the request needs beyond text: `tools`, `images`, `prefix` …
    pub local_lacks: Vec<&'static str>,
}

/// How tokens are drawn; what is absent keeps the engine's default.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sampling {
    /// 0..2; 0: always the most probable token.
    pub temperature: Option<f32>,
    /// 0..1.
    pub top_p: Option<f32>,
    /// Most candidates; 0: no limit (a client may also say -1).
    pub top_k: Option<u32>,
    /// 0..1.
    pub min_p: Option<f32>,
    /// 0.01..10.
    pub repetition_penalty: Option<f32>,
    /// -2..2.
    pub frequency_penalty: Option<f32>,
    /// -2..2.
    pub presence_penalty: Option<f32>,
    /// Any 64 bits; a negative seed as two's complement.
    pub seed: Option<u64>,
}

/// Our extension of the request, `inshore`. Unknown keys are refused: a label that is misspelt must not be a label that is
/// missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extension {
    /// One of [`PRIVACY`].
    pub privacy: Option<&'static str>,
    /// One of [`MODES`].
    pub mode: Option<&'static str>,
    /// Time for the whole request.
    pub deadline_ms: Option<f64>,
    /// Requests with one name stay where the first one went.
    pub conversation: Option<String>,
    /// Whether the caller handles an answer that begins again.
    pub accept_replace: Option<bool>,
    /// Tokens of an answer that was begun elsewhere; `max_tokens` does not count them.
    pub continue_ids: Vec<u32>,
    /// SHA-256 of the model's file that those tokens are of; lower-case hex.
    pub model_sha256: Option<String>,
    /// Whether the chunks of a stream carry their token ids.
    pub ids: bool,
}

impl ChatRequest {
    /// Reads and checks the bytes of a body.
    ///
    /// # Errors
    /// `invalid_body`, `invalid_value` and `unsupported_feature`, with the field at fault.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        let prepared = json_text::prepare(body)?;
        let is_json = |json: &&str| serde_json::from_str::<serde::de::IgnoredAny>(json).is_ok();
        let json = Some(prepared.trim_matches([' ', '\t', '\n', '\r'])).filter(is_json);
        let json = json.ok_or_else(|| RequestError::body("The body is not JSON."))?;
        let body = Fields::read(json, "")
            .ok_or_else(|| RequestError::body("The body must be a JSON object with messages."))?;
        Self::check(&body)
    }

    fn check(body: &Fields<'_>) -> Result<Self, RequestError> {
        let mut lacks = Lacks::default();
        let model = body.text("model")?;
        let conversation = conversation(body, &mut lacks)?;
        tools::refuse_functions(body)?;
        match body.integer("n", 1, MAX_SAFE_INTEGER)? {
            None | Some(1) => {}
            Some(_) => {
                return Err(RequestError::unsupported("n", "A request has one answer here: set n to 1."));
            }
        }
        let stream = body.flag("stream")?;
        let top_logprobs = top_logprobs(body)?;
        let max_tokens = max_tokens(body)?;
        let sampling = sampling(body)?;
        let stop = stops(body)?;
        let include_usage = include_usage(body, stream)?;
        tools::note_features(body, &mut lacks)?;
        let extension = extension(body, conversation.prefix.is_some())?;
        let local_lacks = lacks.0;
        let (messages, prefix) = (conversation.messages, conversation.prefix);
        Ok(Self {
            model,
            messages,
            prefix,
            stream,
            include_usage,
            max_tokens,
            stop,
            top_logprobs,
            sampling,
            extension,
            local_lacks,
        })
    }

    /// The request as a body that parses to the same; without the features of `local_lacks`, which it does not hold.
    pub fn to_body(&self) -> Value {
        let mut messages: Vec<Value> = self
            .messages
            .iter()
            .map(|message| json!({ "role": message.role.as_str(), "content": message.content }))
            .collect();
        if let Some(prefix) = &self.prefix {
            messages.push(json!({ "role": "assistant", "content": prefix, "prefix": true }));
        }
        let Sampling { top_k, seed, .. } = self.sampling;
        // Shortest decimals: 0.01 as an f32 would be below 0.01 as an f64.
        let number = |value: Option<f32>| value.and_then(|value| value.to_string().parse::<f64>().ok());
        let temperature = number(self.sampling.temperature);
        let (top_p, min_p) = (number(self.sampling.top_p), number(self.sampling.min_p));
        let repetition_penalty = number(self.sampling.repetition_penalty);
        let frequency_penalty = number(self.sampling.frequency_penalty);
        let presence_penalty = number(self.sampling.presence_penalty);
        let body = json!({
            "model": self.model, "messages": messages, "stream": self.stream,
            "stream_options": self.include_usage.then(|| json!({ "include_usage": true })),
            "max_tokens": self.max_tokens, "stop": self.stop,
            "logprobs": self.top_logprobs.is_some(), "top_logprobs": self.top_logprobs,
            "temperature": temperature, "top_p": top_p, "top_k": top_k, "min_p": min_p,
            "repetition_penalty": repetition_penalty, "frequency_penalty": frequency_penalty,
            "presence_penalty": presence_penalty, "seed": seed, "inshore": self.extension.to_json(),
        });
        let Value::Object(fields) = body else { return body };
        Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
    }
}

impl Extension {
    fn to_json(&self) -> Value {
        json!({
            "privacy": self.privacy, "mode": self.mode, "deadline_ms": self.deadline_ms,
            "conversation": self.conversation, "accept_replace": self.accept_replace,
            "continue_ids": self.continue_ids, "model_sha256": self.model_sha256, "ids": self.ids,
        })
    }
}

fn top_logprobs(body: &Fields<'_>) -> Result<Option<u32>, RequestError> {
    let logprobs = body.flag("logprobs")?;
    let top = body.integer("top_logprobs", 0, MAX_TOP_LOGPROBS)?.unwrap_or(0);
    if top > 0 && !logprobs {
        return Err(body.wrong("top_logprobs", "needs logprobs: true"));
    }
    Ok(logprobs.then(|| u32::try_from(top).unwrap_or(0)))
}

/// OpenAI has two names for the limit; the newer one counts, and both are checked.
fn max_tokens(body: &Fields<'_>) -> Result<Option<u64>, RequestError> {
    let older = body.integer("max_tokens", 1, MAX_SAFE_INTEGER)?;
    let newer = body.integer("max_completion_tokens", 1, MAX_SAFE_INTEGER)?;
    Ok(newer.or(older).map(i64::cast_unsigned))
}

fn sampling(body: &Fields<'_>) -> Result<Sampling, RequestError> {
    let number = |name| body.number(range(name)).map(|value| value.map(|value| value as f32));
    let seed = match body.get("seed") {
        None => None,
        Some(json) => Some(seed(json).ok_or_else(|| body.wrong("seed", "must be a 64-bit integer"))?),
    };
    Ok(Sampling {
        temperature: number("temperature")?,
        top_p: number("top_p")?,
        // -1 is what many clients send for "no limit".
        top_k: body.integer("top_k", -1, u64::from(u32::MAX))?.map(|k| u32::try_from(k).unwrap_or(0)),
        min_p: number("min_p")?,
        repetition_penalty: number("repetition_penalty")?,
        seed,
        frequency_penalty: number("frequency_penalty")?,
        presence_penalty: number("presence_penalty")?,
    })
}

fn stops(body: &Fields<'_>) -> Result<Vec<String>, RequestError> {
    let Some(json) = body.get("stop") else { return Ok(Vec::new()) };
    let wrong = || body.wrong("stop", &format!("must be a text or up to {MAX_STOPS} texts, none of them empty"));
    let texts = match text(json) {
        Some(text) => Some(vec![text]),
        None => crate::fields::array(json).and_then(|items| items.into_iter().map(text).collect()),
    };
    texts.filter(|texts| texts.len() <= MAX_STOPS && !texts.iter().any(String::is_empty)).ok_or_else(wrong)
}

fn include_usage(body: &Fields<'_>, stream: bool) -> Result<bool, RequestError> {
    let Some(options) = body.object("stream_options", "must be an object")? else { return Ok(false) };
    if !stream {
        return Err(body.wrong("stream_options", "needs stream: true"));
    }
    options.flag("include_usage")
}

fn extension(body: &Fields<'_>, has_prefix: bool) -> Result<Extension, RequestError> {
    let Some(fields) = body.object("inshore", "must be an object")? else { return Ok(Extension::default()) };
    if let Some(unknown) = fields.names().find(|name| !EXTENSION_KEYS.contains(name)) {
        let shown: String = unknown.chars().take(100).collect();
        let known = EXTENSION_KEYS.join(", ");
        return Err(fields.wrong(&shown, &format!("is not known; inshore knows the fields {known}")));
    }
    let deadline_ms = match fields.get("deadline_ms") {
        None => None,
        Some(json) => {
            let sound = crate::fields::number(json).filter(|ms| *ms > 0.0 && *ms <= MAX_SAFE_INTEGER as f64);
            Some(sound.ok_or_else(|| fields.wrong("deadline_ms", "must be a number above 0"))?)
        }
    };
    let conversation = fields.text("conversation")?;
    let length = conversation.as_ref().map(|name| name.encode_utf16().count());
    if length.is_some_and(|length| !(1..=MAX_CONVERSATION_NAME).contains(&length)) {
        return Err(fields.wrong("conversation", &format!("must have 1 to {MAX_CONVERSATION_NAME} characters")));
    }
    let has_replace = fields.get("accept_replace").is_some();
    let extension = Extension {
        privacy: one_of(&fields, "privacy", &PRIVACY)?,
        mode: one_of(&fields, "mode", &MODES)?,
        deadline_ms,
        conversation,
        accept_replace: Some(fields.flag("accept_replace")?).filter(|_| has_replace),
        continue_ids: continue_ids(&fields)?,
        model_sha256: model_sha256(&fields)?,
        ids: fields.flag("ids")?,
    };
    if extension.continue_ids.is_empty() {
        return Ok(extension);
    }
    if extension.model_sha256.is_none() {
        let why = "needs inshore.model_sha256: tokens mean nothing to another model";
        return Err(fields.wrong("continue_ids", why));
    }
    if has_prefix {
        return Err(fields.wrong("continue_ids", "and a prefix message cannot both begin the answer"));
    }
    Ok(extension)
}

fn continue_ids(fields: &Fields<'_>) -> Result<Vec<u32>, RequestError> {
    let what = "must be an array of token ids";
    let items = fields.array("continue_ids", what)?.unwrap_or_default();
    let ids = items.into_iter().map(|item| whole(item).and_then(|id| u32::try_from(id).ok()));
    ids.collect::<Option<_>>().ok_or_else(|| fields.wrong("continue_ids", what))
}

fn model_sha256(fields: &Fields<'_>) -> Result<Option<String>, RequestError> {
    let hash = fields.text("model_sha256")?.map(|hash| hash.to_ascii_lowercase());
    let sound = |hash: &String| hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    match hash {
        Some(hash) if !sound(&hash) => Err(fields.wrong("model_sha256", "must be 64 hexadecimal digits")),
        hash => Ok(hash),
    }
}

fn one_of(
    fields: &Fields<'_>,
    name: &str,
    names: &'static [&'static str],
) -> Result<Option<&'static str>, RequestError> {
    let Some(json) = fields.get(name) else { return Ok(None) };
    let given = text(json);
    let found = names.iter().find(|known| given.as_deref() == Some(**known));
    let found = found.ok_or_else(|| fields.wrong(name, &format!("must be one of {}", names.join(", "))))?;
    Ok(Some(*found))
}
