//! How byte-level BPE splits text into words before it merges: one row per name in `tokenizer.ggml.pre`.
//!
//! Names, patterns and flags follow llama.cpp's `llama-vocab.cpp`, whose converter writes the names.

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

use crate::TokenizerError;

/// GPT-2's pattern (Radford et al. 2019): contractions, words, numbers, other marks, white space.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Llama 3's pattern: as tiktoken's cl100k, numbers in groups of up to three.
const LLAMA3: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);
/// Qwen 2's pattern: as Llama 3's, but digits one by one.
const QWEN2: &str = concat!(
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|",
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
);

/// One way of splitting.
pub(crate) struct PreTokenizer {
    /// Names in `tokenizer.ggml.pre`, the usual one first.
    names: &'static [&'static str],
    /// Applied one after the other, each to the pieces of the one before; what a pattern does not match is a piece too.
    patterns: &'static [&'static str],
    /// A whole word that is a token is that token, whatever the merges say.
    pub(crate) ignore_merges: bool,
    /// Text begins with the beginning-of-sequence token unless the metadata says otherwise.
    pub(crate) add_bos: bool,
}

const PRE_TOKENIZERS: &[PreTokenizer] = &[
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
        patterns: &[r"\p{N}", GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        patterns: &[LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    PreTokenizer { names: &["dbrx", "smaug-bpe"], patterns: &[LLAMA3], ignore_merges: false, add_bos: false },
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "megrez", "stablelm2", "hunyuan"],
        patterns: &[QWEN2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "exaone4", "gigachat", "a.x-4.0", "mellum"],
        patterns: &[GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["default", ""],
        patterns: &[r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        ignore_merges: false,
        add_bos: false,
    },
];

impl PreTokenizer {
    /// The row for a name; a file without one gets `default`, as in llama.cpp.
    ///
    /// # Errors
    /// [`TokenizerError::UnsupportedPreTokenizer`].
    pub(crate) fn named(name: Option<&str>) -> Result<&'static Self, TokenizerError> {
        let name = name.unwrap_or("default");
        PRE_TOKENIZERS.iter().find(|row| row.names.contains(&name)).ok_or_else(|| {
            let mut supported: Vec<&str> = PRE_TOKENIZERS.iter().flat_map(|row| row.names).copied().collect();
            supported.retain(|name| !name.is_empty());
            TokenizerError::UnsupportedPreTokenizer {
                found: crate::error::excerpt(name),
                supported: supported.join(", "),
            }
        })
    }

    /// The pipeline stage: the patterns, then bytes to the byte alphabet.
    ///
    /// # Errors
    /// [`TokenizerError::Pipeline`] if a pattern does not compile.
    pub(crate) fn stage(&self) -> Result<PreTokenizerWrapper, TokenizerError> {
        let mut stages = Vec::with_capacity(self.patterns.len() + 1);
        for &pattern in self.patterns {
            let pattern = SplitPattern::Regex(pattern.to_owned());
            let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false)
                .map_err(|error| TokenizerError::Pipeline { reason: error.to_string() })?;
            stages.push(split.into());
        }
        stages.push(ByteLevel::new(false, false, false).into());
        Ok(PreTokenizerWrapper::Sequence(Sequence::new(stages)))
    }
}
