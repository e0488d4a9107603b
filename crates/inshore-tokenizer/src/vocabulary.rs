//! A vocabulary as it lies in a model file, before anything is built from it.

use std::borrow::Cow;

use crate::TokenizerError;

/// The most tokens a vocabulary may have; the largest known has about 262,000.
pub const MAX_VOCABULARY: usize = 1 << 21;

/// The plain data that a tokenizer is built from. Borrowed, because for a while it lies beside what is built from it.
///
/// Field meaning: the `tokenizer.ggml.*` keys of
/// <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer>.
#[derive(Debug, Clone, Default)]
pub struct Vocabulary<'a> {
    /// `gpt2` (byte-level BPE) or `llama` (SentencePiece-style).
    pub model: &'a str,
    /// How byte-level BPE splits text into words, as in `smollm`. Unused for `llama`.
    pub pre: Option<&'a str>,
    /// Token texts by id.
    pub tokens: &'a [String],
    /// Scores by id (`llama` only); empty means all zero.
    pub scores: Cow<'a, [f32]>,
    /// Token types by id, see [`TokenAttr::from_gguf`]; empty means all normal.
    pub token_types: Cow<'a, [i32]>,
    /// Merges in order of rank, each two pieces with a space between (`gpt2` only).
    pub merges: &'a [String],
    /// The ids of tokens with a meaning.
    pub special: SpecialIds,
    /// Whether text begins with `special.bos`; the model kind decides if absent.
    pub add_bos: Option<bool>,
    /// Whether text ends with `special.eos`; the model kind decides if absent.
    pub add_eos: Option<bool>,
    /// Whether a space is put before text (`llama` only); true if absent.
    pub add_space_prefix: Option<bool>,
}

/// Ids of tokens with a meaning, each `None` if the file does not name it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpecialIds {
    /// Beginning of sequence.
    pub bos: Option<u32>,
    /// End of sequence.
    pub eos: Option<u32>,
    /// End of turn.
    pub eot: Option<u32>,
    /// End of message (before a tool's answer).
    pub eom: Option<u32>,
    /// Stands for what cannot be written otherwise.
    pub unk: Option<u32>,
    /// Padding of a fill-in-the-middle answer; ends generation.
    pub fim_pad: Option<u32>,
    /// Start of another repository; ends generation.
    pub fim_rep: Option<u32>,
    /// Start of another file; ends generation.
    pub fim_sep: Option<u32>,
}

impl SpecialIds {
    /// Every id with its metadata key.
    fn keyed(&self) -> [(&'static str, Option<u32>); 8] {
        [
            ("tokenizer.ggml.bos_token_id", self.bos),
            ("tokenizer.ggml.eos_token_id", self.eos),
            ("tokenizer.ggml.eot_token_id", self.eot),
            ("tokenizer.ggml.eom_token_id", self.eom),
            ("tokenizer.ggml.unknown_token_id", self.unk),
            ("tokenizer.ggml.fim_pad_token_id", self.fim_pad),
            ("tokenizer.ggml.fim_rep_token_id", self.fim_rep),
            ("tokenizer.ggml.fim_sep_token_id", self.fim_sep),
        ]
    }
}

impl Vocabulary<'_> {
    /// Checks lengths and ids, so that everything later may index.
    ///
    /// # Errors
    /// [`TokenizerError::EmptyVocabulary`], [`VocabularyTooLarge`](TokenizerError::VocabularyTooLarge),
    /// [`LengthMismatch`](TokenizerError::LengthMismatch), [`SpecialIdOutOfRange`](TokenizerError::SpecialIdOutOfRange).
    pub fn check(&self) -> Result<(), TokenizerError> {
        let tokens = self.tokens.len();
        if tokens == 0 {
            return Err(TokenizerError::EmptyVocabulary);
        }
        if tokens > MAX_VOCABULARY {
            return Err(TokenizerError::VocabularyTooLarge { tokens: tokens as u64, limit: MAX_VOCABULARY as u64 });
        }
        for (key, found) in
            [("tokenizer.ggml.scores", self.scores.len()), ("tokenizer.ggml.token_type", self.token_types.len())]
        {
            if found != 0 && found != tokens {
                return Err(TokenizerError::LengthMismatch { key, found, tokens });
            }
        }
        for (key, id) in self.special.keyed() {
            if let Some(id) = id
                && id as usize >= tokens
            {
                return Err(TokenizerError::SpecialIdOutOfRange { key, id, tokens });
            }
        }
        Ok(())
    }

    /// Attributes by id, from `token_types`.
    pub(crate) fn attrs(&self) -> Vec<TokenAttr> {
        if self.token_types.is_empty() {
            return vec![TokenAttr::NORMAL; self.tokens.len()];
        }
        self.token_types.iter().map(|&code| TokenAttr::from_gguf(code)).collect()
    }
}

/// What kind of token an id is; a set, since names can add `CONTROL` to what the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenAttr(u8);

impl TokenAttr {
    pub(crate) const UNDEFINED: Self = Self(0);
    pub(crate) const NORMAL: Self = Self(1);
    pub(crate) const UNKNOWN: Self = Self(1 << 1);
    pub(crate) const CONTROL: Self = Self(1 << 2);
    pub(crate) const USER_DEFINED: Self = Self(1 << 3);
    pub(crate) const BYTE: Self = Self(1 << 4);

    /// From the code in `tokenizer.ggml.token_type`: 1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte.
    pub(crate) fn from_gguf(code: i32) -> Self {
        match code {
            1 => Self::NORMAL,
            2 => Self::UNKNOWN,
            3 => Self::CONTROL,
            4 => Self::USER_DEFINED,
            6 => Self::BYTE,
            // Unused (5) and undefined tokens are neither matched nor written.
            _ => Self::UNDEFINED,
        }
    }

    pub(crate) fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
