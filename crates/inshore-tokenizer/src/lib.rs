//! Text to token ids and back, and conversations to prompts.
//!
//! A [`Tokenizer`] is built from the metadata of a GGUF file ([`Tokenizer::from_gguf`]) or from a plain [`Vocabulary`]; its
//! ids equal llama.cpp's. A [`StreamDecoder`] shows text while it is generated. A [`ChatTemplate`] turns messages into the
//! prompt that the model was trained on, and [`Tokenizer::encode_prompt`] encodes it so that no message becomes a control token.
//!
//! Model files and templates are untrusted: what is wrong in them is a [`TokenizerError`], never a panic.

mod bpe;
mod byte_level;
mod chat_template;
mod error;
mod from_gguf;
mod pre_tokenizer;
mod special;
mod spm;
mod stream;
mod tokenizer;
mod vocabulary;

pub use chat_template::{ChatTemplate, Conversation, Message};
pub use error::TokenizerError;
pub use inshore_jinja::{LocalTime, Origin, Rendered};
pub use stream::StreamDecoder;
pub use tokenizer::{EncodeOptions, Tokenizer};
pub use vocabulary::{MAX_VOCABULARY, SpecialIds, Vocabulary};
