//! Byte-level BPE: the `tokenizers` pipeline from a vocabulary with merges.

use tokenizers::models::bpe::{BPE, Vocab};

use crate::TokenizerError;
use crate::error::excerpt;
use crate::pre_tokenizer::PreTokenizer;
use crate::vocabulary::Vocabulary;

/// Words kept with their ids; text repeats itself, and ten thousand words would cost megabytes.
const CACHED_WORDS: usize = 2048;

/// Builds the pipeline, and lists the control tokens, which it does not know: no text becomes one. The first id after the vocabulary stands for a byte that the vocabulary
/// cannot write.
///
/// # Errors
/// [`TokenizerError::DuplicateToken`], [`MalformedMerge`](TokenizerError::MalformedMerge),
/// [`UnknownMergePiece`](TokenizerError::UnknownMergePiece), [`Pipeline`](TokenizerError::Pipeline).
pub(crate) fn build(
    vocabulary: &Vocabulary<'_>,
    pre: &PreTokenizer,
    is_control: impl Fn(u32) -> bool,
) -> Result<(tokenizers::Tokenizer, Vec<(u32, String)>), TokenizerError> {
    let mut ids = Vocab::with_capacity(vocabulary.tokens.len() + 1);
    for (id, text) in (0u32..).zip(vocabulary.tokens) {
        // llama.cpp gives empty tokens this name; an empty key would match between any two letters.
        let text = if text.is_empty() { format!("[EMPTY_{id}]") } else { text.clone() };
        if let Some(&first) = ids.get(&text) {
            return Err(TokenizerError::DuplicateToken { text: excerpt(&text), first, second: id });
        }
        ids.insert(text, id);
    }
    let mut merges = split_merges(vocabulary.merges, &ids)?;
    let mut control = Vec::new();
    for (id, text) in (0u32..).zip(vocabulary.tokens).filter(|(id, text)| is_control(*id) && !text.is_empty()) {
        // A letter of its own is needed to write text.
        if text.chars().count() > 1 {
            ids.remove(text);
            control.push((id, text.clone()));
        }
    }
    let known = |left: &str, right: &str| {
        ids.contains_key(left) && ids.contains_key(right) && ids.contains_key(&format!("{left}{right}"))
    };
    merges.retain(|(left, right)| known(left, right));

    // Some vocabularies (SmolLM2's) cannot write all 256 bytes. llama.cpp drops such a byte but does not merge across
    // it, so it gets an id of its own here and is filtered out later.
    let unwritable = vocabulary.tokens.len() as u32;
    let mut name = String::from("\0");
    while ids.contains_key(&name) {
        name.push('\0');
    }
    ids.insert(name.clone(), unwritable);

    let model = BPE::builder()
        .vocab_and_merges(ids, merges)
        .unk_token(name)
        .ignore_merges(pre.ignore_merges)
        .cache_capacity(CACHED_WORDS)
        .build()
        .map_err(|error| TokenizerError::Pipeline { reason: error.to_string() })?;
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(pre.stage()?));
    Ok((tokenizer, control))
}

/// Splits `"left right"` and checks that both and their union are tokens.
fn split_merges(merges: &[String], ids: &Vocab) -> Result<Vec<(String, String)>, TokenizerError> {
    let mut pairs = Vec::with_capacity(merges.len());
    let mut joined = String::new();
    for (index, merge) in merges.iter().enumerate() {
        // The left piece has at least one letter, which may itself be a space in odd vocabularies.
        let first = merge.chars().next().map_or(0, char::len_utf8);
        let at = merge.get(first..).and_then(|rest| rest.find(' ')).map(|at| at + first);
        let Some((left, right)) = at.map(|at| (&merge[..at], &merge[at + 1..])).filter(|pair| !pair.1.is_empty())
        else {
            return Err(TokenizerError::MalformedMerge { index });
        };
        joined.clear();
        joined.push_str(left);
        joined.push_str(right);
        for piece in [left, right, joined.as_str()] {
            if !ids.contains_key(piece) {
                return Err(TokenizerError::UnknownMergePiece { index, piece: excerpt(piece) });
            }
        }
        pairs.push((left.to_owned(), right.to_owned()));
    }
    Ok(pairs)
}
