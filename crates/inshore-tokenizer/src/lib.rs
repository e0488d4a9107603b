//! Text to token ids and back, and conversations to prompts.
//!
//! A [`Tokenizer`] is built from the metadata of a GGUF file ([`Tokenizer::from_gguf`]), from `tokenizer.json`
//! ([`Tokenizer::from_json`]) or from a plain [`Vocabulary`]; its ids equal llama.cpp's. A [`StreamDecoder`] shows text
//! while it is generated. A [`ChatTemplate`] turns messages into the prompt that the model was trained on.
//!
//! Model files and templates are untrusted: what is wrong in them is a [`TokenizerError`], never a panic.

mod bpe;
mod byte_level;
mod chat_template;
mod error;
mod from_gguf;
mod from_json;
mod pre_tokenizer;
mod special;
mod spm;
mod stream;
mod template_functions;
mod template_guard;
mod tokenizer;
mod vocabulary;

pub use chat_template::{ChatTemplate, Message};
pub use error::TokenizerError;
pub use from_json::SequenceTokens;
pub use stream::StreamDecoder;
pub use template_functions::Date;
pub use tokenizer::{EncodeOptions, Tokenizer};
pub use vocabulary::{MAX_VOCABULARY, SpecialIds, Vocabulary};
