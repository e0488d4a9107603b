//! Steps of an answer: parts of the prompt, then tokens. On a GPU a captured graph computes tokens ahead of the one being read.

use std::collections::BTreeMap;

use burn::tensor::{Int, Tensor};
use inshore_ops::sample::reference::noise_key;
use inshore_ops::{SampleParams, Sampled, WarmUp, sample};
use web_time::Instant;

use super::{Engine, InFlight, read_words};
use crate::decode_graph::DecodeGraph;
use crate::generation::{Generation, StepOutcome};
use crate::tuning::tune_streams;
use crate::{ModelError, error};

/// Tokens of the warm-up prompt: enough to use the kernels for many tokens.
const WARM_UP_TOKENS: usize = 16;

/// Result of a step without a captured graph.
enum EagerStep {
    /// A part of the prompt ran.
    Prefill(StepOutcome),
    /// A token was drawn; the packed words of a [`Sampled`].
    Drawn(Vec<u32>),
}

/// Result of a part of the prompt.
enum Prefilled {
    Part(StepOutcome),
    /// Logits of the last token.
    Whole(Tensor<1>),
}

impl Engine {
    pub(super) async fn compute(&mut self, generation: &mut Generation) -> Result<StepOutcome, ModelError> {
        self.drain_other_generations(generation.limits.generation_id).await;
        let words = if self.in_flight.is_empty() && !self.launch(generation) {
            self.lookahead.pause();
            match self.eager_step(generation).await? {
                EagerStep::Prefill(outcome) => return Ok(outcome),
                EagerStep::Drawn(words) => words,
            }
        } else {
            // The device computes further tokens while the host reads and handles this one.
            while self.launch(generation) {}
            let read = (&mut self.in_flight[0].readback).await;
            self.in_flight.pop_front();
            self.lookahead.read(Instant::now());
            // If the next step is not captured, it takes its input token from here.
            generation.next = self.conversations.current().step.as_ref().map(DecodeGraph::drawn);
            read.map_err(|error| error::lost(&error))?
        };
        let sampled = sampled(&words, generation)?;
        let id = sampled.id;
        let ends = self.tokenizer.is_end_of_generation(id);
        let step = generation.push(sampled, ends);
        if !self.in_flight.is_empty() && generation.finish_reason().is_none() {
            // The step after it has already run this token.
            self.conversations.current().append(&[id]);
        }
        Ok(StepOutcome::Token(step))
    }

    /// Waits for steps that other generations left in flight when they ended: at most one step, whose token is dropped.
    async fn drain_other_generations(&mut self, generation_id: u64) {
        while let Some(left) = self.in_flight.front_mut().filter(|step| step.generation_id != generation_id) {
            // A lost device is reported again by the next step.
            let _ = (&mut left.readback).await;
            self.in_flight.pop_front();
        }
    }

    /// Waits for all steps in flight, because dropping a readback unread leaks its memory.
    pub(super) async fn drain(&mut self) {
        while let Some(left) = self.in_flight.front_mut() {
            let _ = (&mut left.readback).await;
            self.in_flight.pop_front();
        }
    }

    /// Launches the captured step for the last token of the answer, or for the token in flight. Returns `false` if no captured step has
    /// the answer's sampling parameters, or if the answer would end before it.
    fn launch(&mut self, generation: &Generation) -> bool {
        let Generation { request, log, next: Some(_), .. } = generation else { return false };
        let ahead = self.in_flight.len();
        // Penalties need the growing history, which a captured step does not have.
        if ahead > self.lookahead.ahead()
            || generation.ids().len() + ahead >= generation.limits.max_tokens
            || request.sampling.has_penalties()
        {
            return false;
        }
        let params = request.sampling.params((log.len() + ahead) as u32, request.top_logprobs);
        let cache = self.conversations.current();
        let Some(mut step) = cache.step.take().filter(|step| step.draws_like(params)) else { return false };
        let id = log.last().copied().filter(|_| ahead == 0);
        let Some(readback) = step.launch(id, cache.tokens() + ahead.saturating_sub(1), params) else { return false };
        cache.step = Some(step);
        cache.append(id.as_slice());
        self.in_flight.push_back(InFlight { generation_id: generation.limits.generation_id, readback });
        true
    }

    /// Runs a step without a captured graph: a part of the prompt, or a token. Captures the step if it can be repeated.
    async fn eager_step(&mut self, generation: &mut Generation) -> Result<EagerStep, ModelError> {
        self.use_own_plan()?;
        let request = &generation.request;
        let params = request.sampling.params(generation.log.len() as u32, request.top_logprobs);
        let (drawn, warm_up) = match (generation.next.take(), generation.log.last()) {
            (Some(next), Some(&id)) => {
                let repeats = self.capture.allows(generation.limits.generation_id) && !request.sampling.has_penalties();
                let warm_up = repeats.then(|| WarmUp::begin(&self.no_history)).flatten();
                let logits = self.model.forward(next, &[id], self.conversations.current());
                (sample(logits, self.history(generation, params), params), warm_up)
            }
            _ => match self.prefill(generation).await? {
                Prefilled::Part(outcome) => return Ok(EagerStep::Prefill(outcome)),
                Prefilled::Whole(logits) => (sample(logits, self.history(generation, params), params), None),
            },
        };
        // The token stays on the device as the next step's input; one read brings it and its log-probabilities here.
        let words = read_words(drawn.clone()).await?;
        generation.next = Some(drawn);
        if let Some(warm_up) = warm_up {
            // Another model may have used the device in the meantime.
            self.use_own_plan()?;
            let cache = self.conversations.current();
            cache.step = DecodeGraph::record(warm_up, &self.model, cache, params, &self.device);
            match cache.step {
                Some(_) => self.capture.succeeded(),
                None => self.capture.failed(generation.limits.generation_id),
            }
        }
        Ok(EagerStep::Drawn(words))
    }

    /// Runs the next part of the prompt, after the tokens that the cache holds.
    async fn prefill(&mut self, generation: &mut Generation) -> Result<Prefilled, ModelError> {
        let context_ids = [generation.prompt_ids.as_slice(), &generation.log].concat();
        let total_tokens = context_ids.len();
        // The last token always runs, for its logits.
        let reusable = &context_ids[..total_tokens - 1];
        let held = if generation.has_begun_prefill() {
            let cache = self.conversations.current();
            let held = cache.common_prefix_len(reusable);
            cache.truncate(held);
            held
        } else {
            let held = self.conversations.acquire(reusable);
            generation.note_held(held);
            held
        };
        let done_tokens = total_tokens.min(held + self.prefill_tokens);
        let part = &context_ids[held..done_tokens];
        let logits = self.model.forward(self.ids(part), part, self.conversations.current());
        if done_tokens == total_tokens {
            return Ok(Prefilled::Whole(logits));
        }
        // Waits for this part, because queued work cannot be cancelled.
        let words = read_words(sample(logits, self.no_history(), SampleParams::greedy())).await?;
        sampled(&words, generation)?;
        Ok(Prefilled::Part(StepOutcome::Prefill { done_tokens, total_tokens }))
    }

    /// Sets this model's plan on the device, because each model on it has its own.
    pub(crate) fn use_own_plan(&self) -> Result<(), ModelError> {
        match self.plan {
            Some(plan) if self.device.plan() != Some(plan) => Ok(self.device.use_plan(plan)?),
            _ => Ok(()),
        }
    }

    /// Runs one token through the model, and before it a short prompt if kernels are compiled on first use. An emulated GPU gets no
    /// prompt: computing its whole tile would take longer than compiling the kernels later.
    pub(super) async fn warm_up(&mut self) -> Result<(), ModelError> {
        let parts: &[&[u32]] = match self.device.gpu_traits() {
            Some(gpu) if !gpu.software => &[&[0; 2], &[0]],
            // A browser recompiles hot code with optimisations; without this it would use a core for that during the first prompt.
            None if cfg!(target_family = "wasm") => &[&[0; WARM_UP_TOKENS], &[0]],
            _ => &[&[0]],
        };
        for part in parts {
            self.conversations.clear();
            let logits = self.model.forward(self.ids(part), part, self.conversations.current());
            read_words(sample(logits, self.no_history(), SampleParams::greedy())).await?;
        }
        self.conversations.clear();
        // The browser runs its optimised code now, so measurements are valid. Native code prefetches and needs no tuning.
        if cfg!(target_family = "wasm") {
            tune_streams(&mut self.model, &self.device);
        }
        Ok(())
    }

    /// Returns pairs of token and count of the answer so far, if the sampling has penalties, and then the key of the noise.
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
        // Rounds the length up, because each length is another launch constant; pairs with count 0 are ignored.
        words.resize(words.len().max(2).next_power_of_two(), 0);
        words.push(noise_key(params.seed, params.step));
        self.ids(&words)
    }
}

/// Unpacks the drawn token; an error if the logits were not finite.
fn sampled(words: &[u32], generation: &Generation) -> Result<Sampled, ModelError> {
    let sampled = Sampled::from_words(words).ok_or_else(|| error::lost("a step gave no token"))?;
    if sampled.is_finite() {
        return Ok(sampled);
    }
    Err(ModelError::NotFiniteLogits { tokens: generation.prompt_ids.len() + generation.log.len() })
}
