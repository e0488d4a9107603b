use std::fmt;

use crate::ErrorCode;

/// A request that is refused before anything runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestError {
    /// What kind of refusal; decides the status.
    pub code: ErrorCode,
    /// The field at fault in OpenAI's notation, such as `messages[0].content`.
    pub param: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

impl RequestError {
    /// `invalid_body`: no JSON object, or one that is too deep.
    pub(crate) fn body(message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidBody, param: None, message: message.into() }
    }

    /// `invalid_value`: the field makes no sense.
    pub(crate) fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::InvalidValue, param: Some(param.into()), message: message.into() }
    }

    /// `unsupported_feature`: the field makes sense, and nothing here can do what it asks for.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::UnsupportedFeature, param: Some(param.into()), message: message.into() }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RequestError {}
