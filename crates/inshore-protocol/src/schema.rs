//! Names and ranges of the request's fields, for Rust and (generated) for TypeScript.

/// Levels of arrays and objects that a body may nest, its own object included.
pub const MAX_DEPTH: usize = 100;
/// Stop texts that a request may have.
pub const MAX_STOPS: usize = 16;
/// Alternatives that may be reported for each token.
pub const MAX_TOP_LOGPROBS: u64 = 20;
/// The largest integer that JavaScript's numbers hold without gaps.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
/// Characters (UTF-16 code units) of a conversation's name.
pub const MAX_CONVERSATION_NAME: usize = 256;

/// A number and the range that it may lie in, both ends included.
#[derive(Debug, Clone, Copy)]
pub struct NumberField {
    /// Name of the field.
    pub name: &'static str,
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
}

const fn number(name: &'static str, low: f64, high: f64) -> NumberField {
    NumberField { name, low, high }
}

/// Sampling parameters.
pub const NUMBERS: [NumberField; 6] = [
    number("temperature", 0.0, 2.0),
    number("top_p", 0.0, 1.0),
    number("min_p", 0.0, 1.0),
    number("repetition_penalty", 0.01, 10.0),
    number("frequency_penalty", -2.0, 2.0),
    number("presence_penalty", -2.0, 2.0),
];

/// Roles of messages, as they reach a chat template. A `tool` message has no place there: such a request lacks `tools`.
pub const ROLES: [(&str, &str); 5] = [
    ("system", "system"),
    // OpenAI's newer name of the system role.
    ("developer", "system"),
    ("user", "user"),
    ("assistant", "assistant"),
    ("tool", "user"),
];

/// Content parts that only some endpoints read, and what an engine lacks that does not.
pub const PART_LACKS: [(&str, &str); 3] = [("image_url", "images"), ("input_audio", "audio"), ("file", "files")];

/// Fields of our extension object `inshore`.
pub const EXTENSION_KEYS: [&str; 8] =
    ["privacy", "mode", "deadline_ms", "conversation", "accept_replace", "continue_ids", "model_sha256", "ids"];

/// Values of `inshore.privacy`.
pub const PRIVACY: [&str; 2] = ["local_only", "cloud_allowed"];

/// Values of `inshore.mode`.
pub const MODES: [&str; 5] = ["only_on_device", "prefer_on_device", "prefer_in_cloud", "only_in_cloud", "auto"];

/// The range of the sampling parameter `name`.
pub(crate) fn range(name: &str) -> NumberField {
    // All callers name a row of the table; the fallback is a range that holds nothing.
    NUMBERS.into_iter().find(|field| field.name == name).unwrap_or(number("", 1.0, 0.0))
}
