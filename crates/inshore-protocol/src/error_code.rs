//! What the columns of the table of error codes mean.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::ErrorCode;

/// Who has to act for the same call to succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The caller: the request, an option or an address is wrong. Never a reason to restart an engine or open a breaker.
    Request,
    /// Whoever made or chose the model file.
    ModelFile,
    /// The device: its GPU, memory or storage.
    Device,
    /// The engine itself failed while it computed.
    Engine,
    /// An endpoint or a download server outside the device.
    Endpoint,
    /// The rules of the page or its user forbid the only way that is left.
    Policy,
    /// The program that answers: it is busy, loading, stopping, misconfigured or has a bug.
    Server,
}

impl Owner {
    /// All owners, in the order of the documentation.
    pub const ALL: [Self; 7] =
        [Self::Request, Self::Policy, Self::ModelFile, Self::Device, Self::Engine, Self::Endpoint, Self::Server];

    /// Stable name in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::ModelFile => "model_file",
            Self::Device => "device",
            Self::Engine => "engine",
            Self::Endpoint => "endpoint",
            Self::Policy => "policy",
            Self::Server => "server",
        }
    }
}

/// Whether a client should send the same request again; decides the header `x-should-retry`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same request fails again.
    No,
    /// The same request may succeed in a moment, and nothing has tried again yet.
    Yes,
    /// The same request may succeed in a moment. The host and the worker say so; a page's policy has already tried again,
    /// so the page says no.
    UnlessRetried,
}

impl Retry {
    /// Stable name in snake_case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::UnlessRetried => "unless_retried",
        }
    }
}

impl ErrorCode {
    /// OpenAI's `type` of the error.
    pub const fn kind(self) -> &'static str {
        match (self, self.status()) {
            (Self::BudgetSpent, _) | (_, 402) => "insufficient_quota",
            (_, 401) => "authentication_error",
            (_, 403) => "permission_error",
            (_, 429) => "rate_limit_error",
            (_, 400..500) => "invalid_request_error",
            _ => "server_error",
        }
    }

    /// The code that clients see over HTTP: OpenAI's own name where it has one.
    #[must_use]
    pub const fn wire(self) -> Self {
        match self {
            Self::PromptTooLong | Self::ContextTooLong => Self::ContextLengthExceeded,
            _ => self,
        }
    }

    /// Value of `x-should-retry` on an answer of the host.
    pub const fn should_retry(self) -> bool {
        !matches!(self.retry(), Retry::No)
    }

    /// The code of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl PartialEq<str> for ErrorCode {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for ErrorCode {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
