//! The vocabulary and the chat template in a GGUF file's metadata.

use std::borrow::Cow;

use inshore_gguf::{Array, GgufError, Metadata, Value};

use crate::vocabulary::{SpecialIds, Vocabulary};
use crate::{ChatTemplate, Tokenizer, TokenizerError};

const SCORES: &str = "tokenizer.ggml.scores";

impl<'a> Vocabulary<'a> {
    /// Reads the `tokenizer.ggml.*` keys.
    ///
    /// # Errors
    /// [`TokenizerError::Gguf`] if a key is missing or has the wrong type.
    pub fn from_gguf(metadata: &'a Metadata) -> Result<Self, TokenizerError> {
        let id = |key: &str| metadata.u32(key);
        let fim = |key: &str| metadata.u32(&format!("tokenizer.ggml.fim_{key}_token_id"));
        Ok(Self {
            model: metadata.require("tokenizer.ggml.model")?,
            pre: metadata.string("tokenizer.ggml.pre")?,
            tokens: metadata.strings("tokenizer.ggml.tokens")?.unwrap_or_default(),
            scores: scores(metadata)?,
            token_types: metadata.i32s("tokenizer.ggml.token_type")?.unwrap_or_default(),
            merges: metadata.strings("tokenizer.ggml.merges")?.unwrap_or_default(),
            special: SpecialIds {
                bos: id("tokenizer.ggml.bos_token_id")?,
                eos: id("tokenizer.ggml.eos_token_id")?,
                eot: id("tokenizer.ggml.eot_token_id")?,
                eom: id("tokenizer.ggml.eom_token_id")?,
                unk: id("tokenizer.ggml.unknown_token_id")?,
                fim_pad: fim("pad")?,
                fim_rep: fim("rep")?,
                fim_sep: fim("sep")?,
            },
            add_bos: metadata.bool("tokenizer.ggml.add_bos_token")?,
            add_eos: metadata.bool("tokenizer.ggml.add_eos_token")?,
            add_space_prefix: metadata.bool("tokenizer.ggml.add_space_prefix")?,
        })
    }
}

/// Scores are f32; old converters wrote 32-bit integers.
fn scores(metadata: &Metadata) -> Result<Cow<'_, [f32]>, GgufError> {
    if let Some(Value::Array(Array::I32(scores))) = metadata.get(SCORES) {
        return Ok(scores.iter().map(|&score| score as f32).collect());
    }
    Ok(metadata.f32s(SCORES)?.map(Cow::Borrowed).unwrap_or_default())
}

impl Tokenizer {
    /// Builds the tokenizer that a GGUF file describes.
    ///
    /// # Errors
    /// As [`Vocabulary::from_gguf`] and [`Tokenizer::new`].
    pub fn from_gguf(metadata: &Metadata) -> Result<Self, TokenizerError> {
        Self::new(&Vocabulary::from_gguf(metadata)?)
    }
}

impl ChatTemplate {
    /// The template in `tokenizer.chat_template`, with the texts of the file's beginning- and end-of-sequence tokens;
    /// `None` if there is none or it is blank. Callers that need one answer with [`TokenizerError::NoTemplate`].
    ///
    /// # Errors
    /// [`TokenizerError::Gguf`] for values of a wrong type. A template that does not compile says so when it renders.
    pub fn from_gguf(metadata: &Metadata) -> Result<Option<Self>, TokenizerError> {
        let source = metadata.string("tokenizer.chat_template")?.unwrap_or_default();
        if source.trim().is_empty() {
            return Ok(None);
        }
        let tokens = metadata.strings("tokenizer.ggml.tokens")?.unwrap_or_default();
        // SentencePiece vocabularies need not name their usual ids.
        let usual =
            |id: u32| (metadata.get("tokenizer.ggml.model") == Some(&Value::String("llama".into()))).then_some(id);
        let text = |id: Option<u32>| id.and_then(|id| tokens.get(id as usize)).cloned().unwrap_or_default();
        let bos = metadata.u32("tokenizer.ggml.bos_token_id")?.or(usual(1));
        let eos = metadata.u32("tokenizer.ggml.eos_token_id")?.or(usual(2));
        Ok(Some(Self::unchecked(source).with_special_tokens(text(bos), text(eos))))
    }
}
