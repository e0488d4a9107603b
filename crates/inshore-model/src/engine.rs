//! A model ready to answer: weights, KV cache, tokenizer and chat template on one device.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::time::Duration;

use burn::tensor::{DType, Element, Int, Tensor, TensorData};
use inshore_gguf::{Gguf, ReadAt};
use inshore_ops::device::OpenDevice;
use inshore_ops::sample::reference::noise_key;
use inshore_ops::{KvFormat, Reading, SampleParams, Sampled, WarmUp, sample};
use inshore_tokenizer::{
    ChatTemplate, Conversation, EncodeOptions, LocalTime, StreamDecoder, Tokenizer, TokenizerError,
};
use web_time::Instant;

use crate::cache::KvCache;
use crate::config::Config;
use crate::conversations::Conversations;
use crate::generation::{FinishReason, Generation, Limits, Step};
use crate::info::{Memory, ModelInfo, info};
use crate::llama::Llama;
use crate::pace::Pace;
use crate::recorded::RecordedStep;
use crate::request::{Begun, Prompt, Request};
use crate::tuning::{MeasuredPlan, PlanChoice, settle_plan, settle_readers};
use crate::weights::Loader;
use crate::{ModelError, error};

/// Context that is allocated unless another is asked for, in tokens.
const DEFAULT_CONTEXT_TOKENS: usize = 2048;

/// Prompt tokens that run through the model at once: bounds the activations' memory and the wait for a cancel.
const PREFILL_TOKENS: usize = 256;

/// The longest that a chat template may run. Real ones take milliseconds; their other budgets end most others sooner.
const MAX_TEMPLATE_TIME: Duration = Duration::from_secs(5);

/// Enough for the kernels of many tokens.
const WARM_UP_TOKENS: usize = 16;

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
    /// The user's clock, for chat templates that write the date; `None`: they do without.
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
    pub(crate) conversations: Conversations,
    tokenizer: Tokenizer,
    template: Option<ChatTemplate>,
    clock: Option<fn() -> LocalTime>,
    device: OpenDevice,
    info: ModelInfo,
    /// The history of a greedy answer without penalties: one pair that counts nothing, and no noise.
    no_history: Tensor<1, Int>,
    /// Whether steps are recorded: until the device refuses.
    records: bool,
    /// Recorded steps whose tokens were not read yet, in the order of their launch.
    in_flight: VecDeque<InFlight>,
    /// How many there may be.
    pace: Pace,
    /// The generation that the cache belongs to: its number, counted by [`Engine::start`].
    pub(crate) current: u64,
    measured_plan: Option<MeasuredPlan>,
}

/// A recorded step that was launched.
#[derive(Debug)]
struct InFlight {
    /// The generation's number.
    number: u64,
    reading: Reading,
}

impl Engine {
    /// Loads a GGUF file, tensor by tensor, onto `device`.
    ///
    /// # Errors
    /// [`ModelError`]: files that are no GGUF, damaged or of an unknown kind, sources that fail, devices that are too small.
    pub async fn load<S: ReadAt>(
        source: &S,
        device: OpenDevice,
        options: LoadOptions,
        on_progress: impl FnMut(LoadProgress),
    ) -> Result<Self, ModelError> {
        let started = Instant::now();
        let gguf = Gguf::read(source).await?;
        let config = Config::from_gguf(&gguf)?;
        let tokenizer = Tokenizer::from_gguf(&gguf.metadata)?;
        let template = ChatTemplate::from_gguf(&gguf.metadata)?;
        KvCache::check_format(options.kv_format(), &device)?;
        let context_tokens = context_tokens(&config, &options, &device)?;
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
        };
        let (count, kv_format) = (options.conversations.unwrap_or(1).max(1), options.kv_format());
        let (model, conversations) = device
            .watching_memory(async {
                let model = loader.llama(context_tokens).await?;
                let conversations = Conversations::new(count, &config, context_tokens, kv_format, &device);
                Ok::<_, ModelError>((model, conversations))
            })
            .await??;
        let measured_plan = settle_plan(&model, &device, &options.plan).await?;
        let memory = Memory { context_tokens, kv_format, conversations: count };
        let info = info(&gguf, &config, &device, memory);
        let no_history = word_tensor(&[0, 0, 0], &device);
        let mut engine = Self {
            model,
            conversations,
            tokenizer,
            template,
            clock: options.clock,
            device,
            info,
            no_history,
            records: true,
            in_flight: VecDeque::new(),
            pace: Pace::new(options.steps_ahead),
            current: 0,
            measured_plan,
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

    /// Prepares an answer: template, tokens and limits. Nothing is computed yet.
    ///
    /// # Errors
    /// Prompts that are empty, too long, or name tokens that do not exist; templates that fail; sampling parameters out
    /// of range.
    pub fn start(&mut self, request: Request) -> Result<Generation, ModelError> {
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
        let limits = Limits { max_tokens, number: self.current };
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

    /// Generates the next token; the first call runs the prompt. `None` once the answer has ended.
    ///
    /// # Errors
    /// [`ModelError::DeviceLost`], the generation then keeps the tokens it has; [`ModelError::Superseded`] once a later
    /// request has started.
    pub async fn step(&mut self, generation: &mut Generation) -> Result<Option<Step>, ModelError> {
        if generation.cancel.is_cancelled() {
            generation.finish(FinishReason::Cancelled);
        }
        if generation.finish_reason().is_some() {
            return Ok(None);
        }
        if generation.limits.number != self.current {
            return Err(ModelError::Superseded);
        }
        let step = self.compute(generation).await;
        if step.is_err() {
            // What is in the device's memory now, nobody knows.
            self.conversations.clear();
            self.in_flight.clear();
        }
        step
    }

    async fn compute(&mut self, generation: &mut Generation) -> Result<Option<Step>, ModelError> {
        self.settle(generation.limits.number).await;
        let words = if self.in_flight.is_empty() && !self.launch(generation) {
            self.pace.pause();
            let Some(words) = self.ordinary(generation).await? else { return Ok(None) };
            words
        } else {
            // The device goes on while the host reads, and whatever it does with the token.
            while self.launch(generation) {}
            let read = (&mut self.in_flight[0].reading).await;
            self.in_flight.pop_front();
            self.pace.read(Instant::now());
            // There the device has the token now, should the next step be an ordinary one.
            generation.next = self.conversations.current().step.as_ref().map(RecordedStep::drawn);
            read.map_err(|error| error::lost(&error))?
        };
        let sampled = Sampled::from_words(&words).ok_or_else(|| error::lost("a step gave no token"))?;
        let id = sampled.id;
        let ends = self.tokenizer.is_end_of_generation(id);
        let step = generation.push(sampled, ends);
        if !self.in_flight.is_empty() && generation.finish_reason().is_none() {
            // The step behind it has run it.
            self.conversations.current().append(&[id]);
        }
        Ok(Some(step))
    }

    /// Waits for what other generations left behind when they ended: a step at most, which nobody misses.
    async fn settle(&mut self, number: u64) {
        while let Some(left) = self.in_flight.front_mut().filter(|step| step.number != number) {
            // A lost device says so again.
            let _ = (&mut left.reading).await;
            self.in_flight.pop_front();
        }
    }

    /// Launches the recorded step for the last token of the answer, or for the one that is in flight; whether there is one that draws
    /// as the answer does, and the answer goes on so far.
    fn launch(&mut self, generation: &Generation) -> bool {
        let Generation { request, log, next: Some(_), .. } = generation else { return false };
        let ahead = self.in_flight.len();
        // Penalties look at a history that grows.
        if ahead > self.pace.ahead()
            || generation.ids().len() + ahead >= generation.limits.max_tokens
            || request.sampling.has_penalties()
        {
            return false;
        }
        let params = request.sampling.params((log.len() + ahead) as u32, request.top_logprobs);
        let cache = self.conversations.current();
        let Some(mut step) = cache.step.take().filter(|step| step.draws_like(params)) else { return false };
        let id = log.last().copied().filter(|_| ahead == 0);
        let Some(reading) = step.launch(id, cache.tokens() + ahead.saturating_sub(1), params) else { return false };
        cache.step = Some(step);
        cache.append(id.as_slice());
        self.in_flight.push_back(InFlight { number: generation.limits.number, reading });
        true
    }

    /// A step in the ordinary way: the prompt, or a token for which nothing is recorded. Where it may be repeated it is recorded.
    async fn ordinary(&mut self, generation: &mut Generation) -> Result<Option<Vec<u32>>, ModelError> {
        let request = &generation.request;
        let params = request.sampling.params(generation.log.len() as u32, request.top_logprobs);
        let (drawn, warm_up) = match (generation.next.take(), generation.log.last()) {
            (Some(next), Some(&id)) => {
                let repeats = self.records && !request.sampling.has_penalties();
                let warm_up = repeats.then(|| WarmUp::begin(&self.no_history)).flatten();
                let logits = self.model.forward(next, &[id], self.conversations.current());
                (sample(logits, self.history(generation, params), params), warm_up)
            }
            _ => match self.prefill(generation).await? {
                Some(logits) => (sample(logits, self.history(generation, params), params), None),
                None => return Ok(None),
            },
        };
        // The token stays on the device as the next step's input; one read brings it and its log-probabilities here.
        let words = read_words(drawn.clone()).await?;
        generation.next = Some(drawn);
        if let Some(warm_up) = warm_up {
            let cache = self.conversations.current();
            cache.step = RecordedStep::record(warm_up, &self.model, cache, params, &self.device);
            self.records = cache.step.is_some();
        }
        Ok(Some(words))
    }

    /// Runs the prompt in pieces, from the first token on that the cache does not hold; `None` if the generation was
    /// cancelled between two of them.
    async fn prefill(&mut self, generation: &mut Generation) -> Result<Option<Tensor<1>>, ModelError> {
        let context_ids = [generation.prompt_ids.as_slice(), &generation.log].concat();
        // The last token always runs, for its logits.
        let held = self.conversations.turn_to(&context_ids[..context_ids.len() - 1]);
        generation.note_held(held);
        let mut logits = None;
        for piece in context_ids[held..].chunks(PREFILL_TOKENS) {
            if let Some(logits) = logits.take() {
                // Waits for the piece before: a queue full of work could not be cancelled.
                read_words(sample(logits, self.no_history(), SampleParams::greedy())).await?;
            }
            if generation.cancel.is_cancelled() {
                break;
            }
            logits = Some(self.model.forward(self.ids(piece), piece, self.conversations.current()));
        }
        if generation.cancel.is_cancelled() {
            generation.finish(FinishReason::Cancelled);
            return Ok(None);
        }
        Ok(logits)
    }

    /// One token through everything, and where kernels are compiled on their first use, a prompt before it. A GPU that is
    /// emulated in software computes a whole tile for it, for longer than a first prompt waits for its kernels.
    async fn warm_up(&mut self) -> Result<(), ModelError> {
        let pieces: &[&[u32]] = match self.device.gpu_traits() {
            Some(gpu) if !gpu.software => &[&[0; 2], &[0]],
            // A browser compiles what it finds busy once more, for speed, and takes a core for that from the first prompt.
            None if cfg!(target_family = "wasm") => &[&[0; WARM_UP_TOKENS], &[0]],
            _ => &[&[0]],
        };
        for piece in pieces {
            self.conversations.clear();
            let logits = self.model.forward(self.ids(piece), piece, self.conversations.current());
            read_words(sample(logits, self.no_history(), SampleParams::greedy())).await?;
        }
        self.conversations.clear();
        // Now that a browser runs the code that stays.
        settle_readers(&self.model, &self.device);
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

    /// Pairs of token and count of the answer so far, where the sampling looks at them, and the noise's key.
    fn history(&self, generation: &Generation, params: SampleParams) -> Tensor<1, Int> {
        let mut counts = BTreeMap::new();
        if generation.request.sampling.has_penalties() {
            for &id in &generation.log {
                *counts.entry(id).or_insert(0u32) += 1;
            }
        }
        if counts.is_empty() && params.temperature <= 0.0 {
            return self.no_history();
        }
        let mut words = counts.into_iter().flat_map(|(id, count)| [id, count]).collect::<Vec<_>>();
        // Few lengths, as each is another constant of a launch; pairs that count nothing are ignored.
        words.resize(words.len().max(2).next_power_of_two(), 0);
        words.push(noise_key(params.seed, params.step));
        self.ids(&words)
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

fn context_tokens(config: &Config, options: &LoadOptions, device: &OpenDevice) -> Result<usize, ModelError> {
    let most = config.max_position_embeddings;
    let context_tokens = options.context_tokens.unwrap_or(DEFAULT_CONTEXT_TOKENS).min(most).max(2);
    let bytes = 2 * KvCache::layer_bytes(config, context_tokens, options.kv_format(), &device.device);
    match device.max_tensor_bytes.filter(|&limit_bytes| bytes > limit_bytes) {
        Some(limit_bytes) => Err(ModelError::ContextTooLarge { context_tokens, bytes, limit_bytes }),
        None => Ok(context_tokens),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Sampling, testing::tiny_llama};

    /// In a browser a step waits for its readback; its caller may give it up there, and call the next one.
    #[test]
    fn a_step_that_was_given_up_is_made_again() {
        pollster::block_on(async {
            let options = LoadOptions::default();
            let mut engine = Engine::load(&tiny_llama(4), OpenDevice::cpu(), options, |_| {}).await.unwrap();
            let request = || Request {
                max_tokens: Some(6),
                sampling: Sampling::greedy(),
                ..Request::new(Prompt::Raw("What the sea says".into()))
            };
            let mut whole = engine.start(request()).unwrap();
            while engine.step(&mut whole).await.unwrap().is_some() {}
            engine.forget();
            let mut broken = engine.start(request()).unwrap();
            while engine.step(&mut broken).await.unwrap().is_some() {
                let id = *broken.log.last().unwrap();
                // As a step leaves it that has fed its token, and no more.
                let next = broken.next.take().unwrap();
                engine.model.forward(next, &[id], engine.conversations.current());
                let before = engine.tokens_run();
                engine.step(&mut broken).await.unwrap();
                assert!(engine.tokens_run() <= before + 1, "only the token whose logits are needed");
            }
            assert_eq!(broken.ids(), whole.ids());
            assert_eq!(broken.timings().cached_tokens, 0, "its own tokens are not from before");
        });
    }
}
