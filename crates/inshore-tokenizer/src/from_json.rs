//! A tokenizer from Hugging Face's `tokenizer.json`.
//!
//! The `tokenizers` crate reads the pipeline; special tokens are taken out of it and matched as for GGUF files, so that
//! `parse_special` means the same everywhere. Only BPE models are accepted, which is what language models have.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::special::{SpecialToken, SpecialTokens, end_of_generation};
use crate::tokenizer::{Encoder, Parts, Spelling};
use crate::vocabulary::{MAX_VOCABULARY, SpecialIds, TokenAttr};
use crate::{Tokenizer, TokenizerError};

/// The largest `tokenizer.json` that is read; the largest known has 33 MB.
const MAX_JSON_BYTES: usize = 128 << 20;

/// The texts of sequence tokens, which `tokenizer.json` does not name; `tokenizer_config.json` does.
#[derive(Debug, Clone, Copy, Default)]
pub struct SequenceTokens<'a> {
    /// `bos_token`.
    pub bos: Option<&'a str>,
    /// `eos_token`.
    pub eos: Option<&'a str>,
}

/// What is read beside the pipeline.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    added_tokens: Vec<AddedToken<'a>>,
    #[serde(borrow)]
    model: ModelOutline<'a>,
    #[serde(borrow, default)]
    pre_tokenizer: Option<&'a RawValue>,
    #[serde(borrow, default)]
    decoder: Option<&'a RawValue>,
    #[serde(default)]
    post_processor: Option<PostProcessor>,
}

#[derive(Deserialize)]
struct AddedToken<'a> {
    id: u32,
    #[serde(borrow)]
    content: Cow<'a, str>,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
}

#[derive(Deserialize)]
struct ModelOutline<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(default)]
    dropout: Option<f32>,
    #[serde(borrow, default)]
    unk_token: Option<Cow<'a, str>>,
    vocab: IdCount,
}

/// The highest id of a vocabulary, plus one, without keeping the vocabulary.
#[derive(Default)]
struct IdCount(u64);

impl<'de> Deserialize<'de> for IdCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ids;
        impl<'de> Visitor<'de> for Ids {
            type Value = IdCount;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a map from token texts to ids (a BPE vocabulary)")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<IdCount, A::Error> {
                let mut count = 0;
                while let Some((_, id)) = map.next_entry::<IgnoredAny, u32>()? {
                    count = count.max(u64::from(id) + 1);
                }
                Ok(IdCount(count))
            }
        }
        deserializer.deserialize_map(Ids)
    }
}

#[derive(Deserialize)]
struct PostProcessor {
    /// Of a template: what surrounds a single text.
    #[serde(default)]
    single: Vec<TemplatePiece>,
    /// Of a sequence of processors.
    #[serde(default)]
    processors: Vec<PostProcessor>,
}

#[derive(Deserialize)]
enum TemplatePiece {
    SpecialToken { id: String },
    Sequence(IgnoredAny),
}

impl Tokenizer {
    /// Builds the tokenizer that a `tokenizer.json` describes.
    ///
    /// # Errors
    /// [`TokenizerError::MalformedJson`], [`UnsupportedJson`](TokenizerError::UnsupportedJson) for models other than BPE,
    /// [`EmptyVocabulary`](TokenizerError::EmptyVocabulary),
    /// [`VocabularyTooLarge`](TokenizerError::VocabularyTooLarge).
    pub fn from_json(json: &[u8], sequence: SequenceTokens<'_>) -> Result<Self, TokenizerError> {
        if json.len() > MAX_JSON_BYTES {
            let reason = format!("it has {} bytes, more than the {MAX_JSON_BYTES} that are accepted", json.len());
            return Err(TokenizerError::MalformedJson { reason });
        }
        let malformed = |reason: String| TokenizerError::MalformedJson { reason };
        let outline: Outline<'_> = serde_json::from_slice(json).map_err(|error| malformed(error.to_string()))?;
        outline.check()?;
        let added_ids = outline.added_tokens.iter().map(|token| u64::from(token.id) + 1).max().unwrap_or(0);
        let tokens = outline.model.vocab.0.max(added_ids);
        if outline.model.vocab.0 == 0 {
            return Err(TokenizerError::EmptyVocabulary);
        }
        if tokens > MAX_VOCABULARY as u64 {
            return Err(TokenizerError::VocabularyTooLarge { tokens, limit: MAX_VOCABULARY as u64 });
        }
        let mut pipeline = tokenizers::Tokenizer::from_bytes(json).map_err(|error| malformed(error.to_string()))?;
        // Special tokens, padding and the like are this crate's business.
        pipeline.with_added_vocabulary(tokenizers::AddedVocabulary::new());
        pipeline.with_padding(None);
        pipeline.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
        pipeline.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
        Ok(outline.assemble(pipeline, tokens as usize, sequence))
    }
}

impl Outline<'_> {
    fn check(&self) -> Result<(), TokenizerError> {
        if let Some(kind) = self.model.kind.as_deref().filter(|kind| *kind != "BPE") {
            return Err(TokenizerError::UnsupportedJson {
                component: "model",
                found: crate::error::excerpt(kind),
                supported: "BPE",
            });
        }
        if self.model.dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err(TokenizerError::UnsupportedJson {
                component: "model",
                found: "dropout".into(),
                supported: "BPE without dropout",
            });
        }
        Ok(())
    }

    fn assemble(self, pipeline: tokenizers::Tokenizer, tokens: usize, sequence: SequenceTokens<'_>) -> Tokenizer {
        let mentions = |part: Option<&RawValue>, name: &str| part.is_some_and(|part| part.get().contains(name));
        let byte_level = mentions(self.decoder, "\"ByteLevel\"") || mentions(self.pre_tokenizer, "\"ByteLevel\"");
        let spelling = if byte_level { Spelling::ByteLevel } else { Spelling::SentencePiece };
        let drops_first_space = mentions(self.decoder, "\"Strip\"") || mentions(self.decoder, "\"Metaspace\"");

        let mut attrs = vec![TokenAttr::NORMAL; tokens];
        for (id, attr) in (0u32..).zip(&mut attrs) {
            let byte = || pipeline.id_to_token(id).as_deref().and_then(crate::spm::byte_of).is_some();
            if spelling == Spelling::SentencePiece && byte() {
                *attr = TokenAttr::BYTE;
            }
        }
        let mut added = Vec::with_capacity(self.added_tokens.len());
        let mut special = Vec::with_capacity(self.added_tokens.len());
        for token in &self.added_tokens {
            attrs[token.id as usize] = if token.special { TokenAttr::CONTROL } else { TokenAttr::USER_DEFINED };
            added.push((token.id, token.content.clone().into_owned()));
        }
        added.sort_by_key(|token| token.0);
        added.dedup_by_key(|token| token.0);
        let encoder = Encoder::Pipeline { tokenizer: Box::new(pipeline), added };
        let id = |text: Option<&str>| text.and_then(|text| encoder.id(text));
        let ids = SpecialIds {
            bos: id(sequence.bos),
            eos: id(sequence.eos),
            unk: id(self.model.unk_token.as_deref()),
            ..SpecialIds::default()
        };
        let ends = end_of_generation(&ids, &mut attrs, |text| encoder.id(text));
        for token in &self.added_tokens {
            special.push(SpecialToken {
                text: token.content.clone().into_owned(),
                id: token.id,
                always: !attrs[token.id as usize].has_any(TokenAttr::CONTROL),
                strip_left: token.lstrip,
                strip_right: token.rstrip,
            });
        }
        let (prefix, suffix) = self.post_processor.as_ref().map(|part| part.frame(&encoder)).unwrap_or_default();
        Tokenizer::from_parts(Parts {
            encoder,
            attrs,
            special: SpecialTokens::new(special),
            spelling,
            bos: ids.bos.or(prefix.first().copied()),
            eos: ids.eos,
            end_of_generation: ends,
            prefix,
            suffix,
            drops_first_space,
        })
    }
}

impl PostProcessor {
    /// The ids before and after a single text.
    fn frame(&self, encoder: &Encoder) -> (Vec<u32>, Vec<u32>) {
        let (mut prefix, mut suffix) = (Vec::new(), Vec::new());
        let mut inside = true;
        for piece in &self.single {
            match piece {
                TemplatePiece::Sequence(_) => inside = false,
                TemplatePiece::SpecialToken { id } if inside => prefix.extend(encoder.id(id)),
                TemplatePiece::SpecialToken { id } => suffix.extend(encoder.id(id)),
            }
        }
        for part in &self.processors {
            let (before, after) = part.frame(encoder);
            prefix.extend(before);
            suffix.extend(after);
        }
        (prefix, suffix)
    }
}
