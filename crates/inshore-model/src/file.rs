//! Checks a model file before any weight is read. Every tensor and metadata key must be used or harmless; otherwise the file is
//! refused.

mod kind;
mod metadata;
mod tensors;

use std::fmt::Debug;

use inshore_gguf::{Gguf, Metadata};
use inshore_tokenizer::{ChatTemplate, Tokenizer};

pub use self::metadata::KeyUse;
pub use self::tensors::{ROPE_FREQS, check_shape};
use crate::ModelError;
use crate::config::Config;

/// Result of checking a file without loading it.
#[derive(Debug)]
pub struct FileCheck {
    /// Why it would be refused; empty for a file that loads.
    pub refusals: Vec<ModelError>,
    /// Unknown keys, in file order. They are reported and do not change the answers.
    pub unknown_keys: Vec<String>,
}

impl FileCheck {
    /// Checks a whole header and collects every reason to refuse the file, not just the first.
    pub fn of(gguf: &Gguf) -> Self {
        let mut refusals = Vec::new();
        let mut note = |result: Result<(), ModelError>| refusals.extend(result.err());
        note(kind::check(&gguf.metadata));
        match Config::from_gguf(gguf) {
            Ok(config) => {
                for error in metadata::refusals(&gguf.metadata, &config) {
                    note(Err(error));
                }
                note(tensors::check(gguf, &config));
                note(vocabulary(&gguf.metadata, &config));
            }
            // Without a known architecture, tensors and keys cannot be checked.
            Err(error) => note(Err(error)),
        }
        note(Tokenizer::from_gguf(&gguf.metadata).map(drop).map_err(ModelError::from));
        note(ChatTemplate::from_gguf(&gguf.metadata).map(drop).map_err(ModelError::from));
        Self { refusals, unknown_keys: unknown_keys(&gguf.metadata) }
    }
}

/// Refuses a file for what its metadata says; for the hyperparameters see [`Config`].
///
/// # Errors
/// The first reason.
pub fn check_metadata(metadata: &Metadata, config: &Config) -> Result<(), ModelError> {
    check_keys(metadata, config)?;
    vocabulary(metadata, config)
}

/// Like [`check_metadata`], for partial metadata: does not compare vocabulary and embedding table.
///
/// # Errors
/// The first reason.
pub fn check_keys(metadata: &Metadata, config: &Config) -> Result<(), ModelError> {
    metadata::refusals(metadata, config).next().map_or(Ok(()), Err)
}

/// Refuses adapters, parts of split files and mixtures of experts by name.
///
/// # Errors
/// One of those.
pub fn check_kind(metadata: &Metadata) -> Result<(), ModelError> {
    kind::check(metadata)
}

/// Refuses a file with tensors that are missing, misshapen or that the architecture does not have.
///
/// # Errors
/// [`ModelError::UnusedTensors`], [`ModelError::MixtureOfExperts`], [`ModelError::WrongShape`], or that a tensor is missing.
pub fn check_tensors(gguf: &Gguf, config: &Config) -> Result<(), ModelError> {
    tensors::check(gguf, config)
}

/// Returns the keys that are neither used nor known to be harmless.
pub fn unknown_keys(metadata: &Metadata) -> Vec<String> {
    let architecture = metadata.string("general.architecture").ok().flatten().unwrap_or_default();
    let unknown = |key: &&str| metadata::use_of(key, architecture) == KeyUse::Unknown;
    metadata.iter().map(|(key, _)| key).filter(unknown).map(str::to_owned).collect()
}

/// How a key of a file of `architecture` is treated.
pub fn use_of_key(key: &str, architecture: &str) -> KeyUse {
    metadata::use_of(key, architecture)
}

/// Every token needs a row in the embedding table; rows without a token are padding.
fn vocabulary(metadata: &Metadata, config: &Config) -> Result<(), ModelError> {
    let tokens = metadata.strings("tokenizer.ggml.tokens")?.map_or(0, <[String]>::len) as u64;
    let rows = config.vocab_size as u64;
    let named = metadata.u64(&format!("{}.vocab_size", config.architecture.name))?;
    if tokens > rows || named.is_some_and(|named| named != rows) {
        return Err(ModelError::VocabularyMismatch { tokens, rows, named: named.unwrap_or(tokens) });
    }
    Ok(())
}
