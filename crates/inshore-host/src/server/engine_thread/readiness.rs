//! Whether the engine can answer.

use inshore_model::ModelInfo;

use super::super::openai::ApiError;

/// State of the engine, as `/health` reports it.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// The model is being loaded for the first time.
    Loading,
    /// The engine can answer.
    Ready(Box<ModelInfo>),
    /// A request broke the engine, and the model is being loaded again.
    Reloading {
        /// What broke it.
        reason: String,
    },
    /// Loading the model again failed. Another attempt follows.
    Failed {
        /// What went wrong, and when the next attempt is.
        reason: String,
    },
}

impl Readiness {
    /// Name in `/health`.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Loading => "loading",
            Self::Ready(_) => "ok",
            Self::Reloading { .. } => "reloading",
            Self::Failed { .. } => "failed",
        }
    }

    /// Why there is no answer now; `None` if the engine is ready.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Loading => Some("the model is being loaded"),
            Self::Ready(_) => None,
            Self::Reloading { reason } | Self::Failed { reason } => Some(reason),
        }
    }

    /// The error for a request that arrives now; `None` if the engine is ready.
    pub fn refusal(&self) -> Option<ApiError> {
        match self {
            Self::Loading => Some(ApiError::loading()),
            Self::Ready(_) => None,
            Self::Reloading { .. } | Self::Failed { .. } => Some(ApiError::reloading()),
        }
    }
}
