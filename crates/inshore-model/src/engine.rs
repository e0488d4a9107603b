//! A model ready to answer: weights, KV cache, tokenizer and chat template on one device.

mod health;
mod steps;

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use burn::tensor::{DType, Element, Int, Tensor, TensorData};
use inshore_gguf::{Gguf, GgufError, ReadAt};
use inshore_ops::device::{BackendKind, GpuPlan, OpenDevice};
use inshore_ops::{KvFormat, PendingReadback};
use inshore_tokenizer::{
    ChatTemplate, Conversation, EncodeOptions, LocalTime, StreamDecoder, Tokenizer, TokenizerError,
};
use web_time::Instant;

use self::health::{Health, Watch};
use crate::cache::{FormatOnDevice, KvCache, too_large};
use crate::config::Config;
use crate::decode_graph::CapturePolicy;
use crate::file::{check_kind, check_metadata, check_tensors};
use crate::generation::{FinishReason, Generation, Limits, Step, StepOutcome};
use crate::info::{Memory, ModelInfo, info};
use crate::kv_cache_pool::KvCachePool;
use crate::llama::Llama;
use crate::lookahead::Lookahead;
use crate::request::{Begun, Prompt, Request};
use crate::tuning::{MeasuredPlan, PlanChoice, tune_matmul};
use crate::weights::Loader;
use crate::{ModelError, error};

/// Context that is allocated unless another is asked for, in tokens.
const DEFAULT_CONTEXT_TOKENS: usize = 2048;

/// Prompt tokens that run through the model at once: bounds the activations' memory and the wait for a cancel.
const PREFILL_TOKENS: usize = 256;

/// Time limit of a chat template. Real templates take milliseconds; other budgets stop most runaway templates earlier.
const MAX_TEMPLATE_TIME: Duration = Duration::from_secs(5);

/// How a model is loaded.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Tokens that prompt and answer may have together; `None`: what the model was trained for, at most 2048.
    pub context_tokens: Option<usize>,
    /// Keeps activations in f32 also where a CPU could round them to 15 bits: several times slower, and the same numbers
    /// as a plain f32 implementation up to the order of additions.
    pub exact: bool,
    /// How keys and values are kept; `None`: rounded to f16, or with `exact` in f32.
    pub kv_format: Option<KvFormat>,
    /// Conversations whose keys and values are kept, each in memory of its own; `None`: one.
    pub conversations: Option<usize>,
    /// Steps that a GPU is given ahead of the token that is being read; `None`: as many as are done within a few milliseconds,
    /// at least one. More make who stops an answer wait longer for the next.
    pub steps_ahead: Option<usize>,
    /// How a GPU computes products.
    pub plan: PlanChoice,
    /// Prompt tokens that run at once; `None`: 256. Fewer are slower, but a cancelled prompt ends sooner.
    pub prefill_tokens: Option<usize>,
    /// The user's clock, for chat templates that write the date; `None`: no date is available.
    pub clock: Option<fn() -> LocalTime>,
}

impl LoadOptions {
    /// What the cache keeps.
    pub fn kv_format(&self) -> KvFormat {
        self.kv_format.unwrap_or(if self.exact { KvFormat::F32 } else { KvFormat::default() })
    }
}

/// How far a load is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of weights on the device.
    pub done_bytes: u64,
    /// Bytes of weights in all.
    pub total_bytes: u64,
}

/// A loaded model. It answers one request at a time.
#[derive(Debug)]
pub struct Engine {
    pub(crate) model: Llama,
    /// Keys and values: what a prompt has in common with a conversation before does not run again.
    pub(crate) conversations: KvCachePool,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    clock: Option<fn() -> LocalTime>,
    device: OpenDevice,
    info: ModelInfo,
    /// The history of a greedy answer without penalties: one pair that counts nothing, and no noise.
    no_history: Tensor<1, Int>,
    /// When decode steps are captured.
    capture: CapturePolicy,
    /// Captured steps whose tokens were not read yet, in the order of their launch.
    in_flight: VecDeque<InFlight>,
    /// How many there may be.
    lookahead: Lookahead,
    /// The generation that the cache belongs to: its number, counted by [`Engine::start`].
    pub(crate) current: u64,
    measured_plan: Option<MeasuredPlan>,
    /// Matmul plan of this model on a GPU; the device itself holds the plan of the model that computed last.
    plan: Option<GpuPlan>,
    /// Prompt tokens that run at once.
    prefill_tokens: usize,
    health: Health,
}

/// A captured step that was launched.
#[derive(Debug)]
struct InFlight {
    generation_id: u64,
    readback: PendingReadback,
}

impl Engine {
    /// Loads a GGUF file, tensor by tensor, onto `device`.
    ///
    /// # Errors
    /// [`ModelError`]: files that are not GGUF, damaged or of an unknown kind, sources that fail, devices that are too small.
    pub async fn load<S: ReadAt>(
        source: &S,
        device: OpenDevice,
        options: LoadOptions,
        on_progress: impl FnMut(LoadProgress),
    ) -> Result<Self, ModelError> {
        let started = Instant::now();
        let gguf = Gguf::read(source).await?;
        check_kind(&gguf.metadata)?;
        let config = Config::from_gguf(&gguf)?;
        check_metadata(&gguf.metadata, &config)?;
        check_tensors(&gguf, &config)?;
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata)?;
        let template = ChatTemplate::from_gguf(&gguf.metadata)?;
        let FormatOnDevice { format: kv_format, note } = KvCache::format_on(options.kv_format(), &device)?;
        let context_tokens = context_tokens(&config, &options, kv_format, &device)?;
        let total_bytes = gguf.tensors.iter().map(|tensor| tensor.bytes).sum();
        let loader = Loader {
            source,
            gguf: &gguf,
            config: &config,
            device: &device,
            exact: options.exact,
            on_progress,
            done_bytes: 0,
            total_bytes,
            read: 0,
        };
        let count = options.conversations.unwrap_or(1).max(1);
        let memory = Memory { context_tokens, kv_format, conversations: count };
        let info = info(&gguf, &config, &device, memory)?;
        reserve(info.kv_bytes, &device)?;
        let (model, conversations) = device
            .watching_memory(async {
                let model = loader.llama(context_tokens).await?;
                let conversations = KvCachePool::new(count, &config, context_tokens, kv_format, &device);
                Ok::<_, ModelError>((model, conversations))
            })
            .await??;
        let measured_plan = tune_matmul(&model, &device, &options.plan).await?;
        let info = ModelInfo {
            gpu_plan: device.plan().map(|plan| plan.to_string()),
            notes: note.into_iter().collect(),
            ..info
        };
        let no_history = word_tensor(&[0, 0, 0], &device);
        let mut engine = Self {
            model,
            conversations,
            tokenizer,
            template,
            plan: device.plan(),
            clock: options.clock,
            device,
            info,
            no_history,
            capture: CapturePolicy::default(),
            in_flight: VecDeque::new(),
            lookahead: Lookahead::new(options.steps_ahead),
            current: 0,
            measured_plan,
            prefill_tokens: options.prefill_tokens.unwrap_or(PREFILL_TOKENS).max(1),
            health: Health::default(),
        };
        engine.warm_up().await?;
        engine.info.load_ms = started.elapsed().as_secs_f64() * 1e3;
        Ok(engine)
    }

    /// What was loaded, and onto what.
    pub const fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// How the device's GPU computes products, if that was measured in this load: worth being remembered
    /// ([`PlanChoice::Tuned`]).
    pub const fn measured_plan(&self) -> Option<&MeasuredPlan> {
        self.measured_plan.as_ref()
    }

    /// The model's tokenizer.
    pub const fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Tokens that ran through the model since it was loaded, of prompts and of answers.
    pub fn tokens_run(&self) -> u64 {
        self.conversations.appended()
    }

    /// Forgets all conversations whose keys and values are kept: the next prompt runs as a whole. A running generation
    /// is superseded.
    pub fn forget(&mut self) {
        self.current += 1;
        self.conversations.clear();
    }

    /// Whether the model must be loaded again, because the device was lost or a panic left a GPU in an unknown state. A panic on a
    /// CPU only ends its request.
    pub fn is_broken(&self) -> bool {
        self.health.is_broken(self.device.backend)
    }

    /// Prepares an answer: template, tokens and limits. Nothing is computed yet.
    ///
    /// # Errors
    /// Prompts that are empty, too long, or name tokens that do not exist; templates that fail; sampling parameters out
    /// of range; [`ModelError::EngineBroken`].
    pub fn start(&mut self, request: Request) -> Result<Generation, ModelError> {
        self.recover()?;
        request.sampling.check()?;
        let prompt_ids = self.prompt_ids(&request)?;
        if prompt_ids.is_empty() {
            return Err(ModelError::EmptyPrompt);
        }
        let begun_ids = self.begun_ids(&request.begun)?;
        let (prompt_tokens, context_tokens) = (prompt_ids.len() + begun_ids.len(), self.conversations.capacity());
        if prompt_tokens >= context_tokens {
            let train_context_tokens = self.info.train_context_tokens;
            return Err(ModelError::PromptTooLong { prompt_tokens, context_tokens, train_context_tokens });
        }
        let room = context_tokens - prompt_tokens;
        let max_tokens = request.max_tokens.unwrap_or(room).min(room);
        self.current += 1;
        let limits = Limits { max_tokens, generation_id: self.current };
        let ended = begun_ids.iter().any(|&id| self.tokenizer.is_end_of_generation(id));
        let mut generation = Generation::new(request, prompt_ids, limits, StreamDecoder::new(&self.tokenizer));
        generation.replay(begun_ids);
        if ended {
            generation.finish(FinishReason::Stop);
        } else if max_tokens == 0 {
            generation.finish(FinishReason::Length);
        }
        Ok(generation)
    }

    /// Runs the next step of the answer: a part of the prompt, or a token. Between two calls the answer can be cancelled and the
    /// progress of the prompt shown.
    ///
    /// # Errors
    /// [`ModelError::DeviceLost`], the generation then keeps the tokens it has; [`ModelError::Superseded`] once a later
    /// request has started; [`ModelError::NotFiniteLogits`]; [`ModelError::EngineBroken`].
    pub async fn step(&mut self, generation: &mut Generation) -> Result<StepOutcome, ModelError> {
        if generation.cancel.is_cancelled() {
            generation.finish(FinishReason::Cancelled);
        }
        if generation.finish_reason().is_some() {
            return Ok(StepOutcome::Done);
        }
        self.recover()?;
        if generation.limits.generation_id != self.current {
            return Err(ModelError::Superseded);
        }
        let watch = self.watch();
        let outcome = self.compute(generation).await;
        drop(watch);
        if let Err(error) = &outcome {
            self.note_failure(error).await;
        }
        outcome
    }

    /// Records a panic until the returned guard is dropped.
    pub(crate) fn watch(&self) -> Watch {
        self.health.watch()
    }

    /// Drops all cached tokens after a failed computation, because the state of the device's memory is unknown.
    pub(crate) async fn note_failure(&mut self, error: &ModelError) {
        self.health.note(error);
        self.conversations.clear();
        self.drain().await;
    }

    /// Like [`step`](Self::step), but runs the whole prompt before it returns a token. Returns `None` when the answer has ended.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub async fn next_token(&mut self, generation: &mut Generation) -> Result<Option<Step>, ModelError> {
        loop {
            match self.step(generation).await? {
                StepOutcome::Prefill { .. } => {}
                StepOutcome::Token(step) => return Ok(Some(step)),
                StepOutcome::Done => return Ok(None),
            }
        }
    }

    /// Resets the caches after a panic in an earlier request.
    ///
    /// # Errors
    /// [`ModelError::EngineBroken`] if that is not enough.
    pub(crate) fn recover(&mut self) -> Result<(), ModelError> {
        if self.health.take_panic(self.device.backend)? {
            self.current += 1;
            self.conversations.restore();
            self.in_flight.clear();
        }
        Ok(())
    }

    fn prompt_ids(&self, request: &Request) -> Result<Vec<u32>, ModelError> {
        match &request.prompt {
            Prompt::Ids(ids) => self.known(ids),
            Prompt::Raw(text) => {
                let options = EncodeOptions { parse_special: true, add_special: true };
                Ok(self.tokenizer.encode(text, options)?)
            }
            Prompt::Chat(messages) => {
                let template = self.template.as_ref().ok_or(TokenizerError::NoTemplate)?;
                let started = Instant::now();
                let deadline = || started.elapsed() > MAX_TEMPLATE_TIME;
                let prompt = template.render(&Conversation {
                    messages,
                    tools: &request.tools,
                    add_generation_prompt: true,
                    now: self.clock.map(|clock| clock()),
                    deadline: Some(&deadline),
                })?;
                Ok(self.tokenizer.encode_prompt(&prompt.text, &prompt.content)?)
            }
        }
    }

    fn begun_ids(&self, begun: &Begun) -> Result<Vec<u32>, ModelError> {
        match begun {
            Begun::Ids(ids) => self.known(ids),
            Begun::Text(text) => Ok(self.tokenizer.encode_content(text)?),
        }
    }

    pub(crate) fn known(&self, ids: &[u32]) -> Result<Vec<u32>, ModelError> {
        let vocab_size = self.model.config.vocab_size;
        match ids.iter().find(|&&id| id as usize >= vocab_size) {
            None => Ok(ids.to_vec()),
            Some(&id) => Err(ModelError::UnknownToken { id, vocab_size }),
        }
    }

    pub(crate) fn ids(&self, ids: &[u32]) -> Tensor<1, Int> {
        word_tensor(ids, &self.device)
    }

    fn no_history(&self) -> Tensor<1, Int> {
        self.no_history.clone()
    }
}

pub(crate) fn word_tensor(words: &[u32], device: &OpenDevice) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(words.to_vec(), [words.len()]), (&device.device, DType::U32))
}

/// The one readback of a step.
pub(crate) async fn read_words(words: Tensor<1, Int>) -> Result<Vec<u32>, ModelError> {
    values(words.into_data_async().await)
}

/// What a readback brought.
pub(crate) fn values<T: Element>(data: Result<TensorData, impl Debug>) -> Result<Vec<T>, ModelError> {
    let data = data.map_err(|error| error::lost(&format!("{error:?}")))?;
    data.try_to_vec().map_err(|error| error::lost(&format!("{error:?}")))
}

/// Returns the number of context tokens, and refuses a number whose cache cannot be allocated.
fn context_tokens(
    config: &Config,
    options: &LoadOptions,
    format: KvFormat,
    device: &OpenDevice,
) -> Result<usize, ModelError> {
    let most = config.max_position_embeddings;
    let context_tokens = options.context_tokens.unwrap_or(DEFAULT_CONTEXT_TOKENS).min(most).max(2);
    let bytes = KvCache::layer_bytes(config, context_tokens, format, &device.device)?.saturating_mul(2);
    // Rust allows no larger allocation on any device.
    let limit_bytes = device.max_tensor_bytes.unwrap_or(u64::MAX).min(isize::MAX as u64);
    if bytes > limit_bytes {
        return Err(too_large(context_tokens, bytes, limit_bytes));
    }
    Ok(context_tokens)
}

/// Checks that keys and values fit into memory, because a failed allocation later would abort the process.
fn reserve(bytes: u64, device: &OpenDevice) -> Result<(), ModelError> {
    if device.backend != BackendKind::Flex {
        return Ok(());
    }
    let mut memory = Vec::<u8>::new();
    let fits = usize::try_from(bytes).is_ok_and(|bytes| memory.try_reserve_exact(bytes).is_ok());
    // Keeps the compiler from removing the unused allocation.
    std::hint::black_box(&memory);
    if fits { Ok(()) } else { Err(GgufError::OutOfMemory { what: "keys and values", bytes }.into()) }
}

#[cfg(test)]
mod tests;
