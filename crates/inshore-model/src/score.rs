//! How probable a model holds a given text: for perplexities, and for choosing between texts.

use burn::tensor::activation::log_softmax;

use crate::ModelError;
use crate::engine::{Engine, values};

/// Tokens at once: bounds the memory of their logits, a whole vocabulary for each.
const SCORE_TOKENS: usize = 64;

impl Engine {
    /// Natural logarithms of the probabilities of `ids`, each given all those before it: one for each id but the first.
    /// The perplexity of the text is `exp` of their negated mean.
    ///
    /// # Errors
    /// [`ModelError`]: texts without a token or longer than the context, tokens that do not exist, log-probabilities that are not
    /// finite, a lost device. A running generation is superseded.
    pub async fn score(&mut self, ids: &[u32]) -> Result<Vec<f32>, ModelError> {
        self.recover()?;
        let ids = self.known(ids)?;
        let (&[_, ref targets @ ..], context_tokens) = (ids.as_slice(), self.conversations.capacity()) else {
            return Err(ModelError::EmptyPrompt);
        };
        if targets.len() > context_tokens {
            let train_context_tokens = self.info().train_context_tokens;
            return Err(ModelError::PromptTooLong { prompt_tokens: ids.len(), context_tokens, train_context_tokens });
        }
        self.forget();
        let watch = self.watch();
        let scores = self.score_parts(&ids, targets).await;
        drop(watch);
        if let Err(error) = &scores {
            self.note_failure(error).await;
        }
        scores
    }

    async fn score_parts(&mut self, ids: &[u32], targets: &[u32]) -> Result<Vec<f32>, ModelError> {
        let mut logprobs: Vec<f32> = Vec::with_capacity(targets.len());
        for (part, targets) in ids.chunks(SCORE_TOKENS).zip(targets.chunks(SCORE_TOKENS)) {
            self.use_own_plan()?;
            let part = &part[..targets.len()];
            let logits = self.model.forward_all(self.ids(part), part, self.conversations.current());
            let of_targets = log_softmax(logits, 1).gather(1, self.ids(targets).reshape([-1, 1]));
            logprobs.extend::<Vec<f32>>(values(of_targets.into_data_async().await)?);
            if let Some(at) = logprobs.iter().position(|logprob| !logprob.is_finite()) {
                return Err(ModelError::NotFiniteLogits { tokens: at + 1 });
            }
        }
        Ok(logprobs)
    }
}
