//! The OpenAI chat-completions protocol: what comes in, what goes out, and errors.

mod error;
mod logprobs;
mod request;
mod response;

pub use error::{ApiError, SHOULD_RETRY};
pub use logprobs::{Logprobs, TokenLogprob};
pub use request::ChatRequest;
pub use response::{Chunk, Completion, Delta, Heading};
