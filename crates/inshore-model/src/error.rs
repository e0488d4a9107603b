use inshore_gguf::{GgmlType, GgufError};
use inshore_ops::{OpsError, device::DeviceError};
use inshore_protocol::ErrorCode;
use inshore_tokenizer::TokenizerError;

/// Why a model did not load or an answer was not generated.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file is not a usable GGUF.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The vocabulary or the chat template is not usable.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A weight does not fit its format.
    #[error(transparent)]
    Weights(#[from] OpsError),
    /// The device did not open or has run out of memory.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The architecture is none of those in the table.
    #[error("models of architecture '{architecture}' are not supported; supported: {supported}")]
    UnsupportedArchitecture {
        /// `general.architecture` of the file.
        architecture: String,
        /// Names of those that are.
        supported: String,
    },
    /// An adapter, a projector or something else that is not a language model by itself.
    #[error("this file holds a model's {kind}, not a model; load the model that it belongs to")]
    NotAModel {
        /// `general.type` of the file, or `adapter`.
        kind: String,
    },
    /// A part of a model that was split into several files.
    #[error(
        "this file is part {part} of {parts} of a split model, and split models are not supported; join the parts with \
         `llama-gguf-split --merge`, or get the model in one file"
    )]
    SplitFile {
        /// Number of this part, from 1 on.
        part: u64,
        /// Number of parts.
        parts: u64,
    },
    /// Mixtures of experts are not implemented.
    #[error("this model is a mixture of experts ({found}), which is not supported; use a dense model")]
    MixtureOfExperts {
        /// Key or tensor that shows it.
        found: String,
    },
    /// Tensors that the architecture does not have; the answers would be wrong without them.
    #[error(
        "the file has {count} tensors that models of this architecture do not use here ({}{}); the answers would be \
         wrong without them, so this kind of model is not supported",
        names.join(", "),
        if *count > names.len() { ", …" } else { "" }
    )]
    UnusedTensors {
        /// How many there are.
        count: usize,
        /// Some of them.
        names: Vec<String>,
    },
    /// A key with a value that would change what the model computes, and that is not implemented.
    #[error("the file says {key} = {value}, which is not supported; the answers would be wrong without it")]
    UnsupportedMetadata {
        /// Metadata key.
        key: String,
        /// Its value, cut to a line.
        value: String,
    },
    /// Vocabulary and embedding table do not belong together.
    #[error(
        "the vocabulary has {tokens} tokens (the file names {named}), and the embedding table has {rows} rows; the file is \
         damaged, get it again"
    )]
    VocabularyMismatch {
        /// Tokens in the list.
        tokens: u64,
        /// Tokens by `vocab_size`, or those in the list.
        named: u64,
        /// Rows of the embedding table.
        rows: u64,
    },
    /// A weight is NaN or infinite.
    #[error("tensor '{name}' holds a number that is not finite (value {at}); the file is damaged, get it again")]
    NotFiniteWeight {
        /// Tensor.
        name: String,
        /// Index of the value, or of the first value of its block.
        at: u64,
    },
    /// The model computed NaN or infinity.
    #[error(
        "the model computed a number that is not finite after {tokens} tokens, so there is no next token; the file is damaged \
         or needs more precision than this device has"
    )]
    NotFiniteLogits {
        /// Tokens of prompt and answer before it.
        tokens: usize,
    },
    /// A panic or a lost device has left the engine without a usable state.
    #[error("the engine failed in an earlier request ({message}); load the model again")]
    EngineBroken {
        /// What happened.
        message: String,
    },
    /// A way to scale RoPE that is not implemented.
    #[error("RoPE scaling '{scaling}' is not supported; supported: none, linear and Llama 3's rope_freqs")]
    UnsupportedRopeScaling {
        /// `rope.scaling.type` of the file.
        scaling: String,
    },
    /// A hyperparameter makes no sense.
    #[error("the model's {key} is {value}, which cannot be right; the file is damaged or of a kind not supported")]
    InvalidHyperparameter {
        /// Metadata key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A tensor has not the shape that the hyperparameters ask for.
    #[error("tensor '{name}' is {actual:?}, but the model's hyperparameters ask for {expected:?}; the file is damaged")]
    WrongShape {
        /// Tensor.
        name: String,
        /// Shape by the hyperparameters: rows, columns.
        expected: Vec<u64>,
        /// Shape in the file.
        actual: Vec<u64>,
    },
    /// A tensor is larger than a buffer of the device can be.
    #[error(
        "tensor '{name}' ({kind}) takes {bytes} bytes and this device's buffers hold {limit_bytes}; use a smaller model or \
         quantisation, or the CPU (device `cpu`)"
    )]
    TensorTooLarge {
        /// Tensor.
        name: String,
        /// Block format.
        kind: GgmlType,
        /// Size in bytes.
        bytes: u64,
        /// Largest buffer in bytes.
        limit_bytes: u64,
    },
    /// The KV cache of one layer is larger than a buffer of the device can be.
    #[error(
        "a context of {context_tokens} tokens takes {bytes} bytes a layer and this device's buffers hold {limit_bytes}; ask for a shorter context"
    )]
    ContextTooLarge {
        /// Context asked for.
        context_tokens: usize,
        /// Bytes of one layer's keys.
        bytes: u64,
        /// Largest buffer in bytes.
        limit_bytes: u64,
    },
    /// Keys and values in a format that only a CPU has.
    #[error("a GPU does not keep keys and values as {format}; ask for f16 or f32, or for the CPU (device `cpu`)")]
    KvFormatOnGpu {
        /// The format asked for.
        format: &'static str,
    },
    /// There is nothing to continue.
    #[error("the prompt is empty; give at least one token")]
    EmptyPrompt,
    /// The prompt leaves no room for an answer.
    #[error(
        "the prompt has {prompt_tokens} tokens and the context holds {context_tokens}; shorten it or load the model with a longer context (the model allows {train_context_tokens})"
    )]
    PromptTooLong {
        /// Tokens of the prompt.
        prompt_tokens: usize,
        /// Tokens that fit.
        context_tokens: usize,
        /// The most that the model was trained for.
        train_context_tokens: usize,
    },
    /// A prompt given as ids names a token that the vocabulary does not have.
    #[error("token id {id} is not in the vocabulary of {vocab_size} tokens")]
    UnknownToken {
        /// The id.
        id: u32,
        /// Size of the vocabulary.
        vocab_size: usize,
    },
    /// A sampling parameter is out of its range.
    #[error("{parameter} is {value}, and must be {allowed}")]
    InvalidSampling {
        /// Name of the parameter.
        parameter: &'static str,
        /// Its value.
        value: f32,
        /// What it may be.
        allowed: &'static str,
    },
    /// The engine has started another generation since.
    #[error("the engine has started a later request; an engine answers one at a time")]
    Superseded,
    /// Results could not be read back: the device is lost.
    #[error(
        "the device was lost while it computed ({message}); the answer so far is kept, load the model again to go on"
    )]
    DeviceLost {
        /// What the runtime said.
        message: String,
    },
}

impl ModelError {
    /// Like [`code`](Self::code), for a fault in the file itself.
    pub fn code_of_gguf(error: &GgufError) -> &'static str {
        gguf_code(error).as_str()
    }

    /// A stable name in snake_case for programs.
    pub fn code(&self) -> &'static str {
        self.error_code().as_str()
    }

    /// The row of the table of error codes.
    pub fn error_code(&self) -> ErrorCode {
        match self {
            Self::Gguf(source) => gguf_code(source),
            Self::Tokenizer(source) => source.error_code(),
            Self::Weights(_) => ErrorCode::InvalidWeights,
            Self::Device(DeviceError::NoAdapter { .. } | DeviceError::NoSuchAdapter { .. }) => ErrorCode::NoAdapter,
            Self::Device(DeviceError::OutOfMemory) => ErrorCode::OutOfMemory,
            Self::Device(_) => ErrorCode::DeviceRefused,
            Self::UnsupportedArchitecture { .. } => ErrorCode::UnsupportedArchitecture,
            Self::NotAModel { .. } => ErrorCode::NotAModel,
            Self::SplitFile { .. } => ErrorCode::SplitFile,
            Self::MixtureOfExperts { .. } => ErrorCode::MixtureOfExperts,
            Self::UnusedTensors { .. } => ErrorCode::UnusedTensors,
            Self::UnsupportedMetadata { .. } => ErrorCode::UnsupportedMetadata,
            Self::VocabularyMismatch { .. } => ErrorCode::VocabularyMismatch,
            Self::NotFiniteWeight { .. } | Self::NotFiniteLogits { .. } => ErrorCode::NotFinite,
            Self::EngineBroken { .. } => ErrorCode::DeviceLost,
            Self::UnsupportedRopeScaling { .. } => ErrorCode::UnsupportedRopeScaling,
            Self::InvalidHyperparameter { .. } => ErrorCode::InvalidHyperparameter,
            Self::WrongShape { .. } => ErrorCode::WrongShape,
            Self::TensorTooLarge { .. } => ErrorCode::TensorTooLargeForDevice,
            Self::ContextTooLarge { .. } => ErrorCode::ContextTooLargeForDevice,
            Self::KvFormatOnGpu { .. } => ErrorCode::KvCacheNotOnGpu,
            Self::EmptyPrompt => ErrorCode::EmptyPrompt,
            Self::PromptTooLong { .. } => ErrorCode::PromptTooLong,
            Self::UnknownToken { .. } => ErrorCode::UnknownToken,
            Self::InvalidSampling { .. } => ErrorCode::InvalidSampling,
            Self::Superseded => ErrorCode::Superseded,
            Self::DeviceLost { .. } => ErrorCode::DeviceLost,
        }
    }
}

fn gguf_code(error: &GgufError) -> ErrorCode {
    match error {
        GgufError::NotGguf { .. } => ErrorCode::NotGguf,
        GgufError::Truncated { .. } | GgufError::Incomplete { .. } => ErrorCode::Truncated,
        GgufError::Read(_) => ErrorCode::ReadFailed,
        GgufError::OutOfMemory { .. } => ErrorCode::OutOfMemory,
        GgufError::UnsupportedTensorType { .. } => ErrorCode::UnsupportedTensorType,
        _ => ErrorCode::InvalidGguf,
    }
}

/// [`ModelError::DeviceLost`] with the runtime's words.
pub(crate) fn lost(message: &str) -> ModelError {
    ModelError::DeviceLost { message: message.chars().take(500).collect() }
}
