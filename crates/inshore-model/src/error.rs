use inshore_gguf::{GgmlType, GgufError};
use inshore_ops::{OpsError, device::DeviceError};
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
    /// A stable name in snake_case for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Gguf(source) => gguf_code(source),
            Self::Tokenizer(source) => source.code(),
            Self::Weights(_) => "invalid_weights",
            Self::Device(DeviceError::NoAdapter { .. } | DeviceError::NoSuchAdapter { .. }) => "no_adapter",
            Self::Device(DeviceError::OutOfMemory) => "out_of_memory",
            Self::Device(_) => "device_refused",
            Self::UnsupportedArchitecture { .. } => "unsupported_architecture",
            Self::UnsupportedRopeScaling { .. } => "unsupported_rope_scaling",
            Self::InvalidHyperparameter { .. } => "invalid_hyperparameter",
            Self::WrongShape { .. } => "wrong_shape",
            Self::TensorTooLarge { .. } => "tensor_too_large_for_device",
            Self::ContextTooLarge { .. } => "context_too_large_for_device",
            Self::KvFormatOnGpu { .. } => "kv_cache_not_on_gpu",
            Self::EmptyPrompt => "empty_prompt",
            Self::PromptTooLong { .. } => "prompt_too_long",
            Self::UnknownToken { .. } => "unknown_token",
            Self::InvalidSampling { .. } => "invalid_sampling",
            Self::Superseded => "superseded",
            Self::DeviceLost { .. } => "device_lost",
        }
    }
}

fn gguf_code(error: &GgufError) -> &'static str {
    match error {
        GgufError::NotGguf { .. } => "not_gguf",
        GgufError::Truncated { .. } | GgufError::Incomplete { .. } => "truncated",
        GgufError::Read(_) => "read_failed",
        GgufError::OutOfMemory { .. } => "out_of_memory",
        GgufError::UnsupportedTensorType { .. } => "unsupported_tensor_type",
        _ => "invalid_gguf",
    }
}

/// [`ModelError::DeviceLost`] with the runtime's words.
pub(crate) fn lost(message: &str) -> ModelError {
    ModelError::DeviceLost { message: message.chars().take(500).collect() }
}
