//! What can go wrong between a file's tokenizer metadata and a rendered, tokenized prompt.

use inshore_gguf::GgufError;
use inshore_protocol::ErrorCode;

/// Why a tokenizer or a chat template cannot be built or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The file's metadata is damaged or has a value of the wrong type.
    #[error("tokenizer metadata: {0}")]
    Gguf(#[from] GgufError),
    /// `tokenizer.ggml.model` names a tokenizer that this crate does not build.
    #[error("tokenizer model `{found}` is not supported; supported: {supported}. Convert the model to one of these")]
    UnsupportedModel {
        /// The name in the file.
        found: String,
        /// The names that work, comma-separated.
        supported: String,
    },
    /// `tokenizer.ggml.pre` names a way of splitting text that this crate does not know.
    #[error("pre-tokenizer `{found}` is not supported; supported: {supported}. Text would be split wrongly without it")]
    UnsupportedPreTokenizer {
        /// The name in the file.
        found: String,
        /// The names that work, comma-separated.
        supported: String,
    },
    /// There is no vocabulary.
    #[error("the vocabulary is empty: the file holds no `tokenizer.ggml.tokens`; use a complete model file")]
    EmptyVocabulary,
    /// More tokens than any model has.
    #[error("the vocabulary has {tokens} tokens, more than the {limit} that are accepted; the file is damaged")]
    VocabularyTooLarge {
        /// Number of tokens, or highest id plus one.
        tokens: u64,
        /// The most that is accepted.
        limit: u64,
    },
    /// Two ids have the same text.
    #[error("tokens {first} and {second} are both `{text}`; the vocabulary is damaged")]
    DuplicateToken {
        /// The text, cut to 64 characters.
        text: String,
        /// The lower id.
        first: u32,
        /// The higher id.
        second: u32,
    },
    /// An array that runs beside the tokens has another length.
    #[error("`{key}` has {found} elements for {tokens} tokens; the vocabulary is damaged")]
    LengthMismatch {
        /// The metadata key.
        key: &'static str,
        /// Its length.
        found: usize,
        /// The number of tokens.
        tokens: usize,
    },
    /// A merge is not two pieces with a space between.
    #[error("merge {index} is not two pieces separated by a space; the merge table is damaged")]
    MalformedMerge {
        /// Index in `tokenizer.ggml.merges`.
        index: usize,
    },
    /// A merge joins or makes a piece that is not in the vocabulary.
    #[error("merge {index} names `{piece}`, which is not in the vocabulary; the merge table belongs to another model")]
    UnknownMergePiece {
        /// Index in `tokenizer.ggml.merges`.
        index: usize,
        /// The piece, cut to 64 characters.
        piece: String,
    },
    /// A special token's id lies outside the vocabulary.
    #[error("`{key}` is {id}, but the vocabulary has {tokens} tokens")]
    SpecialIdOutOfRange {
        /// The metadata key.
        key: &'static str,
        /// The id.
        id: u32,
        /// The number of tokens.
        tokens: usize,
    },
    /// The metadata asks to add a token that it does not name.
    #[error("`{flag}` is true but `{key}` is not set; the model file is incomplete")]
    MissingSpecialToken {
        /// The flag's metadata key.
        flag: &'static str,
        /// The key that is missing.
        key: &'static str,
    },
    /// A token id that the vocabulary does not have.
    #[error("token id {id} is outside the vocabulary of {tokens} tokens; were these ids made with another model?")]
    TokenOutOfRange {
        /// The id.
        id: u32,
        /// The number of tokens.
        tokens: usize,
    },
    /// The tokenizers library refused its input.
    #[error("the tokenization pipeline failed: {reason}")]
    Pipeline {
        /// What it said.
        reason: String,
    },
    /// The file has no chat template.
    #[error(
        "the model has no chat template (`tokenizer.chat_template`), so it is a base model or an incomplete file; \
         send the prompt as it is (raw), or choose a template explicitly"
    )]
    NoTemplate,
    /// The chat template used up a budget: work, memory, output, nesting or time.
    #[error(
        "the chat template ran away in line {line}: {reason}; use another template, shorter messages or raw prompts"
    )]
    TemplateRunaway {
        /// Line in the template, from 1; 0 if unknown.
        line: usize,
        /// Which budget.
        reason: String,
    },
    /// The chat template refused the conversation with `raise_exception`.
    #[error("the model's chat template refuses this conversation: {message}")]
    TemplateRefused {
        /// What the template said.
        message: String,
    },
    /// The chat template has a syntax error, failed, or needs what is not supported.
    #[error("the chat template failed in line {line}: {message}")]
    TemplateFailed {
        /// Line in the template, from 1; 0 if unknown.
        line: usize,
        /// What the template engine or the template said.
        message: String,
    },
}

impl TokenizerError {
    /// A stable name in snake_case for programs.
    pub fn code(&self) -> &'static str {
        self.error_code().as_str()
    }

    /// The row of the table of error codes.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Gguf(_) => ErrorCode::InvalidGguf,
            Self::UnsupportedModel { .. } | Self::UnsupportedPreTokenizer { .. } => ErrorCode::UnsupportedTokenizer,
            Self::EmptyVocabulary
            | Self::VocabularyTooLarge { .. }
            | Self::DuplicateToken { .. }
            | Self::LengthMismatch { .. }
            | Self::MalformedMerge { .. }
            | Self::UnknownMergePiece { .. }
            | Self::SpecialIdOutOfRange { .. }
            | Self::MissingSpecialToken { .. } => ErrorCode::InvalidTokenizer,
            Self::TokenOutOfRange { .. } => ErrorCode::UnknownToken,
            Self::Pipeline { .. } => ErrorCode::TokenizerFailed,
            Self::NoTemplate => ErrorCode::NoChatTemplate,
            Self::TemplateFailed { .. } => ErrorCode::ChatTemplateFailed,
            Self::TemplateRunaway { .. } => ErrorCode::ChatTemplateRunaway,
            Self::TemplateRefused { .. } => ErrorCode::TemplateRefused,
        }
    }
}

/// `text` cut to 64 characters, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(64).collect()
}
