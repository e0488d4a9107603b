//! Text to token ids and back.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::pre_tokenizer::PreTokenizer;
use crate::special::{Fragment, SpecialToken, SpecialTokens, end_of_generation, looks_like_control};
use crate::spm::{self, SpmModel};
use crate::vocabulary::{TokenAttr, Vocabulary};
use crate::{StreamDecoder, TokenizerError, bpe, byte_level};

/// Values of `tokenizer.ggml.model` that are built.
const MODELS: &str = "gpt2, llama";
/// Tokens that no text may become.
const CONTROL: TokenAttr = TokenAttr::CONTROL.with(TokenAttr::UNKNOWN);

/// How [`Tokenizer::encode`] treats special tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EncodeOptions {
    /// Text such as `<|im_start|>` becomes the special token of that name; otherwise it is text like any other.
    /// Tokens of type user-defined are matched in both cases.
    pub parse_special: bool,
    /// Adds the beginning- and end-of-sequence tokens that the model asks for; the first only once, if the text has it already.
    pub add_special: bool,
}

/// A model's tokenizer. Cloning is cheap: clones share their tables.
#[derive(Clone)]
pub struct Tokenizer {
    parts: Arc<Parts>,
}

/// What a tokenizer is made of, whatever it was read from.
pub(crate) struct Parts {
    pub(crate) encoder: Encoder,
    /// Attributes by id; its length is the vocabulary's size.
    pub(crate) attrs: Vec<TokenAttr>,
    pub(crate) special: SpecialTokens,
    pub(crate) spelling: Spelling,
    pub(crate) bos: Option<u32>,
    pub(crate) eos: Option<u32>,
    /// Sorted.
    pub(crate) end_of_generation: Vec<u32>,
    /// Put before and after a text on demand.
    pub(crate) prefix: Vec<u32>,
    pub(crate) suffix: Vec<u32>,
    /// The first space of a text is the tokenizer's own: not part of what was encoded.
    pub(crate) drops_first_space: bool,
}

/// What turns a stretch of text without special tokens into ids.
pub(crate) enum Encoder {
    /// The `tokenizers` pipeline. Ids from `attrs.len()` stand for what the vocabulary cannot write. `added` holds the
    /// tokens that its model does not know, sorted by id.
    Pipeline { tokenizer: Box<tokenizers::Tokenizer>, added: Vec<(u32, String)> },
    /// Score-driven merging.
    Spm { model: SpmModel, add_space_prefix: bool },
}

/// How token texts spell bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// One letter of the GPT-2 alphabet a byte.
    ByteLevel,
    /// UTF-8 with U+2581 for spaces, and `<0x0A>` for single bytes.
    SentencePiece,
}

impl Tokenizer {
    /// Builds the tokenizer of a vocabulary: byte-level BPE on the `tokenizers` pipeline for `gpt2`, SentencePiece-style
    /// for `llama`.
    ///
    /// # Errors
    /// As [`Vocabulary::check`]; [`TokenizerError::UnsupportedModel`],
    /// [`UnsupportedPreTokenizer`](TokenizerError::UnsupportedPreTokenizer),
    /// [`DuplicateToken`](TokenizerError::DuplicateToken), [`MalformedMerge`](TokenizerError::MalformedMerge),
    /// [`UnknownMergePiece`](TokenizerError::UnknownMergePiece),
    /// [`MissingSpecialToken`](TokenizerError::MissingSpecialToken).
    pub fn new(vocabulary: &Vocabulary<'_>) -> Result<Self, TokenizerError> {
        let mut vocabulary = vocabulary.clone();
        let (add_bos, spelling, encoder, mut attrs, ends);
        match vocabulary.model {
            "gpt2" => {
                vocabulary.check()?;
                let pre = PreTokenizer::named(vocabulary.pre)?;
                add_bos = pre.add_bos;
                spelling = Spelling::ByteLevel;
                attrs = vocabulary.attrs();
                let by_text: HashMap<&str, u32> = vocabulary.tokens.iter().map(String::as_str).zip(0..).collect();
                ends = end_of_generation(&vocabulary.special, &mut attrs, |text| by_text.get(text).copied());
                let is_control = |id: u32| attrs.get(id as usize).is_some_and(|attr| attr.has_any(CONTROL));
                let (tokenizer, added) = bpe::build(&vocabulary, pre, is_control)?;
                encoder = Encoder::Pipeline { tokenizer: Box::new(tokenizer), added };
            }
            "llama" => {
                // SentencePiece's own ids, for files that do not name them.
                let known = |id: u32| ((id as usize) < vocabulary.tokens.len()).then_some(id);
                let special = &mut vocabulary.special;
                special.unk = special.unk.or(known(0));
                special.bos = special.bos.or(known(1));
                special.eos = special.eos.or(known(2));
                vocabulary.check()?;
                add_bos = true;
                spelling = Spelling::SentencePiece;
                let add_space_prefix = vocabulary.add_space_prefix.unwrap_or(true);
                let mut model = SpmModel::new(&vocabulary)?;
                attrs = vocabulary.attrs();
                ends = end_of_generation(&vocabulary.special, &mut attrs, |text| model.id(text));
                model.forbid(attrs.iter().map(|attr| attr.has_any(CONTROL)).collect());
                encoder = Encoder::Spm { model, add_space_prefix };
            }
            other => {
                return Err(TokenizerError::UnsupportedModel {
                    found: crate::error::excerpt(other),
                    supported: MODELS.into(),
                });
            }
        }
        let (prefix, suffix) = frame(&vocabulary, add_bos)?;
        let parts = Parts {
            special: special_tokens(&vocabulary, &attrs),
            drops_first_space: matches!(encoder, Encoder::Spm { add_space_prefix: true, .. }),
            encoder,
            attrs,
            spelling,
            bos: vocabulary.special.bos,
            eos: vocabulary.special.eos,
            end_of_generation: ends,
            prefix,
            suffix,
        };
        Ok(Self::from_parts(parts))
    }

    pub(crate) fn from_parts(parts: Parts) -> Self {
        Self { parts: Arc::new(parts) }
    }

    /// The ids of `text`.
    ///
    /// # Errors
    /// [`TokenizerError::Pipeline`] if the `tokenizers` library refuses; it does not for tokenizers built from GGUF.
    pub fn encode(&self, text: &str, options: EncodeOptions) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = self.encode_marked(text, options.parse_special, &[])?;
        if options.add_special {
            self.begin(&mut ids);
            ids.extend_from_slice(&self.parts.suffix);
        }
        Ok(ids)
    }

    /// The ids of a rendered prompt: special tokens are recognised in what the template wrote, and no text of the conversation
    /// becomes a control token. `content`: the byte ranges of `text` that came from the conversation, in order.
    ///
    /// The beginning-of-sequence token stands there once, whether the template writes it, the model asks for it, or both.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_prompt(&self, text: &str, content: &[Range<usize>]) -> Result<Vec<u32>, TokenizerError> {
        let mut ids = self.encode_marked(text, true, content)?;
        self.begin(&mut ids);
        Ok(ids)
    }

    /// The ids of a text of the conversation, such as an answer that goes on: none of them is a control token.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_content(&self, text: &str) -> Result<Vec<u32>, TokenizerError> {
        let whole = 0..text.len();
        self.encode_marked(text, true, std::slice::from_ref(&whole))
    }

    fn encode_marked(
        &self,
        text: &str,
        parse_special: bool,
        content: &[Range<usize>],
    ) -> Result<Vec<u32>, TokenizerError> {
        let parts = &*self.parts;
        let mut ids = Vec::with_capacity(text.len() / 3 + 2);
        let mut at_start = true;
        for fragment in parts.special.partition(text, parse_special, content) {
            match fragment {
                Fragment::Token(id) => ids.push(id),
                Fragment::Text(text) => parts.encoder.encode(text, at_start, parts.attrs.len(), &mut ids)?,
            }
            at_start = matches!(fragment, Fragment::Token(_));
        }
        Ok(ids)
    }

    /// Puts the tokens that the model asks for before a text, the beginning of the sequence only once.
    fn begin(&self, ids: &mut Vec<u32>) {
        let Some(bos) = self.parts.bos else { return };
        let written = ids.iter().take_while(|&&id| id == bos).count();
        let wanted = written.min(1).max(usize::from(self.parts.prefix.contains(&bos)));
        ids.splice(..written, std::iter::repeat_n(bos, wanted));
    }

    /// The text of `ids`; without control and unknown tokens if `skip_special`. Bytes that are no UTF-8 become U+FFFD as
    /// in [`String::from_utf8_lossy`].
    ///
    /// # Errors
    /// [`TokenizerError::TokenOutOfRange`].
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, TokenizerError> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        let mut at_start = self.parts.drops_first_space;
        for &id in ids {
            self.push_bytes(id, skip_special, &mut at_start, &mut bytes)?;
        }
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    /// Decodes token by token what begins a text; equal to [`decode`](Self::decode) of all tokens.
    pub fn stream_decoder(&self, skip_special: bool) -> StreamDecoder {
        StreamDecoder::with_options(self, skip_special, self.parts.drops_first_space)
    }

    /// The bytes that token `id` stands for, which need not be UTF-8 by themselves. Control tokens stand for their name.
    ///
    /// # Errors
    /// [`TokenizerError::TokenOutOfRange`].
    pub fn token_bytes(&self, id: u32) -> Result<Vec<u8>, TokenizerError> {
        let mut bytes = Vec::new();
        self.push_bytes(id, false, &mut false, &mut bytes)?;
        Ok(bytes)
    }

    /// Appends a token's bytes; while `at_start`, one space at the beginning is dropped.
    pub(crate) fn push_bytes(
        &self,
        id: u32,
        skip_special: bool,
        at_start: &mut bool,
        bytes: &mut Vec<u8>,
    ) -> Result<(), TokenizerError> {
        let tokens = self.vocab_size();
        let attr = *self.parts.attrs.get(id as usize).ok_or(TokenizerError::TokenOutOfRange { id, tokens })?;
        let special = attr.has_any(TokenAttr::CONTROL.with(TokenAttr::UNKNOWN));
        if attr == TokenAttr::UNDEFINED || (special && skip_special) {
            return Ok(());
        }
        let Some(text) = self.token_text(id) else { return Ok(()) };
        if special || attr.has_any(TokenAttr::USER_DEFINED) {
            bytes.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let from = bytes.len();
        if let Some(byte) = spm::byte_of(&text).filter(|_| attr.has_any(TokenAttr::BYTE)) {
            bytes.push(byte);
        } else if self.parts.spelling == Spelling::ByteLevel {
            byte_level::push_bytes(&text, bytes);
        } else {
            bytes.extend(text.replace(spm::SPACE, " ").into_bytes());
        }
        if *at_start && bytes.len() > from {
            *at_start = false;
            if bytes[from] == b' ' {
                bytes.remove(from);
            }
        }
        Ok(())
    }

    /// A token's text as the vocabulary writes it, as in `Ġthe`; `None` outside of the vocabulary.
    pub fn token_text(&self, id: u32) -> Option<String> {
        if id as usize >= self.vocab_size() {
            return None;
        }
        match &self.parts.encoder {
            Encoder::Pipeline { tokenizer, added } => match added.binary_search_by_key(&id, |token| token.0) {
                Ok(at) => Some(added[at].1.clone()),
                Err(_) => tokenizer.id_to_token(id),
            },
            Encoder::Spm { model, .. } => model.text(id).map(str::to_owned),
        }
    }

    /// The id of the token that the vocabulary writes as `text`.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.parts.encoder.id(text).filter(|&id| (id as usize) < self.vocab_size())
    }

    /// Number of ids.
    pub fn vocab_size(&self) -> usize {
        self.parts.attrs.len()
    }

    /// The beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.parts.bos
    }

    /// The end-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.parts.eos
    }

    /// Whether an answer ends with this token: end of sequence, of turn or of message, by the metadata or by name.
    pub fn is_end_of_generation(&self, id: u32) -> bool {
        self.parts.end_of_generation.binary_search(&id).is_ok()
    }

    /// Whether this token is a control or unknown token, which `skip_special` leaves out.
    pub fn is_special(&self, id: u32) -> bool {
        let special = TokenAttr::CONTROL.with(TokenAttr::UNKNOWN);
        self.parts.attrs.get(id as usize).is_some_and(|attr| attr.has_any(special))
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parts = &self.parts;
        f.debug_struct("Tokenizer")
            .field("vocab_size", &parts.attrs.len())
            .field("spelling", &parts.spelling)
            .field("bos", &parts.bos)
            .field("eos", &parts.eos)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// The id of a token text.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        match self {
            Self::Pipeline { tokenizer, added } => {
                let added = added.iter().find(|token| token.1 == text).map(|token| token.0);
                added.or_else(|| tokenizer.token_to_id(text))
            }
            Self::Spm { model, .. } => model.id(text),
        }
    }

    /// Appends the ids of a text without special tokens. `at_start`: it begins the input or follows a special token.
    fn encode(&self, text: &str, at_start: bool, vocab_size: usize, ids: &mut Vec<u32>) -> Result<(), TokenizerError> {
        match self {
            Self::Pipeline { tokenizer, .. } => {
                let encoding = tokenizer
                    .encode_fast(text, false)
                    .map_err(|error| TokenizerError::Pipeline { reason: error.to_string() })?;
                ids.extend(encoding.get_ids().iter().filter(|&&id| (id as usize) < vocab_size));
            }
            Self::Spm { model, add_space_prefix } => {
                let mut escaped = String::with_capacity(text.len() + text.len() / 2 + 3);
                if *add_space_prefix && at_start {
                    escaped.push(spm::SPACE);
                }
                escaped.extend(text.chars().map(|letter| if letter == ' ' { spm::SPACE } else { letter }));
                model.encode(&escaped, ids);
            }
        }
        Ok(())
    }
}

/// What is put before and after a text on demand.
fn frame(vocabulary: &Vocabulary<'_>, add_bos: bool) -> Result<(Vec<u32>, Vec<u32>), TokenizerError> {
    let one = |wanted: bool, id: Option<u32>, flag: &'static str, key: &'static str| match (wanted, id) {
        (false, _) => Ok(Vec::new()),
        (true, Some(id)) => Ok(vec![id]),
        (true, None) => Err(TokenizerError::MissingSpecialToken { flag, key }),
    };
    let special = &vocabulary.special;
    Ok((
        one(
            vocabulary.add_bos.unwrap_or(add_bos),
            special.bos,
            "tokenizer.ggml.add_bos_token",
            "tokenizer.ggml.bos_token_id",
        )?,
        one(
            vocabulary.add_eos.unwrap_or(false),
            special.eos,
            "tokenizer.ggml.add_eos_token",
            "tokenizer.ggml.eos_token_id",
        )?,
    ))
}

/// The tokens that are matched before text is split.
fn special_tokens(vocabulary: &Vocabulary<'_>, attrs: &[TokenAttr]) -> SpecialTokens {
    let unless_control = CONTROL;
    let matched = unless_control.with(TokenAttr::USER_DEFINED);
    let tokens = (0u32..).zip(vocabulary.tokens).zip(attrs).filter(|(_, attr)| attr.has_any(matched));
    SpecialTokens::new(
        tokens
            .map(|((id, text), attr)| SpecialToken {
                text: text.clone(),
                id,
                always: !attr.has_any(unless_control),
                control: attr.has_any(unless_control) || looks_like_control(text),
                strip_left: false,
                strip_right: false,
            })
            .collect(),
    )
}
