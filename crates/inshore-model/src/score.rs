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
    /// [`ModelError`]: texts without a token or longer than the context, tokens that do not exist, a lost device. A running
    /// generation is superseded.
    pub async fn score(&mut self, ids: &[u32]) -> Result<Vec<f32>, ModelError> {
        let ids = self.known(ids)?;
        let (&[_, ref targets @ ..], context_tokens) = (ids.as_slice(), self.conversations.capacity()) else {
            return Err(ModelError::EmptyPrompt);
        };
        if targets.len() > context_tokens {
            let train_context_tokens = self.info().train_context_tokens;
            return Err(ModelError::PromptTooLong { prompt_tokens: ids.len(), context_tokens, train_context_tokens });
        }
        self.forget();
        let mut logprobs = Vec::with_capacity(targets.len());
        for (piece, targets) in ids.chunks(SCORE_TOKENS).zip(targets.chunks(SCORE_TOKENS)) {
            let piece = &piece[..targets.len()];
            let logits = self.model.forward_all(self.ids(piece), piece, self.conversations.current());
            let of_targets = log_softmax(logits, 1).gather(1, self.ids(targets).reshape([-1, 1]));
            match values(of_targets.into_data_async().await) {
                Ok(found) => logprobs.extend::<Vec<f32>>(found),
                Err(error) => {
                    self.forget();
                    return Err(error);
                }
            }
        }
        Ok(logprobs)
    }
}
