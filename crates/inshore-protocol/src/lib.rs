//! What page, native host and edge worker must agree on, written once.
//!
//! - [`ErrorCode`]: every error code with its HTTP status, OpenAI `type`, owner and whether a client should try again.
//! - [`ChatRequest`]: the check of a chat-completions body. `web/src/protocol/chat-request.ts` is the same check for
//!   JavaScript; both run `tests/protocol/requests.json`, and take ranges and names from [`schema`].
//! - [`EngineSampling`]: the check of the sampling parameters that a page hands to the engine.
//!
//! [`typescript`] writes the TypeScript and Markdown files that are generated from these tables.

mod chat_request;
mod engine_sampling;
mod error_code;
mod error_table;
mod fields;
mod json_text;
mod message;
mod request_error;
pub mod schema;
#[cfg(feature = "testing")]
pub mod testing;
mod tools;
pub mod typescript;

pub use chat_request::{ChatRequest, Extension, Sampling};
pub use engine_sampling::{EngineSampling, checked_max_tokens, checked_top_logprobs};
pub use error_code::{Owner, Retry};
pub use error_table::ErrorCode;
pub use message::{ChatMessage, Role};
pub use request_error::RequestError;
