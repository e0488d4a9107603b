//! The engine behind `serve`.

use std::time::{Duration, Instant};

use inshore_model::{CancelHandle, DeviceChoice, Engine, FinishReason, ModelInfo, StepOutcome, Timings};

use super::job::{AnswerEvent, Job, NotSent};
use super::supervisor::{Failure, Fault, Loader, Worker};
use crate::cli::ModelArgs;
use crate::engine::EngineLoader;
use crate::models::ModelFile;
use crate::note;
use crate::server::openai::TokenLogprob;

/// Number of GPU losses, each within [`LOSS_WINDOW`] of the one before, after which `--device auto` uses the CPU.
const LOSSES_TO_CPU: u32 = 3;

/// Longest time between two losses that count together.
const LOSS_WINDOW: Duration = Duration::from_secs(600);

/// Loads the model of the command line.
#[derive(Debug)]
pub struct WorkerLoader {
    loader: EngineLoader,
    losses: Losses,
}

/// Counts losses of a device that follow each other within [`LOSS_WINDOW`].
#[derive(Debug, Default)]
struct Losses {
    count: u32,
    last: Option<Instant>,
}

impl Losses {
    fn note(&mut self, now: Instant) -> u32 {
        let is_recent = self.last.is_some_and(|last| now.duration_since(last) < LOSS_WINDOW);
        self.count = if is_recent { self.count + 1 } else { 1 };
        self.last = Some(now);
        self.count
    }
}

impl WorkerLoader {
    /// Starts the CPU threads; the calling thread is the engine's from then on.
    ///
    /// # Errors
    /// See [`EngineLoader::new`].
    pub fn new(args: &ModelArgs, file: &ModelFile, conversations: u16) -> anyhow::Result<Self> {
        Ok(Self { loader: EngineLoader::new(args, file, conversations)?, losses: Losses::default() })
    }
}

impl Loader for WorkerLoader {
    type Worker = EngineWorker;

    fn load(&mut self, fault: Option<&Fault>) -> anyhow::Result<EngineWorker> {
        let device = self.loader.device();
        let may_fall_back = device == DeviceChoice::Auto && matches!(fault, Some(Fault::DeviceLost(_)));
        if may_fall_back && self.losses.note(Instant::now()) >= LOSSES_TO_CPU {
            note!("the GPU was lost {} times in a short while; going on with the CPU", self.losses.count);
            return Ok(EngineWorker(self.loader.load(DeviceChoice::Cpu)?));
        }
        match self.loader.load(device) {
            Err(error) if may_fall_back => {
                note!("the GPU cannot be used again ({error:#}); going on with the CPU");
                Ok(EngineWorker(self.loader.load(DeviceChoice::Cpu)?))
            }
            loaded => Ok(EngineWorker(loaded?)),
        }
    }
}

/// A loaded engine.
#[derive(Debug)]
pub struct EngineWorker(pub(super) Engine);

impl Worker for EngineWorker {
    fn info(&self) -> &ModelInfo {
        self.0.info()
    }

    fn answer(&mut self, job: &Job, on_start: &dyn Fn(CancelHandle)) -> Result<(FinishReason, Timings), Failure> {
        let mut generation = self.0.start(job.request.clone())?;
        on_start(generation.cancel_handle());
        let mut outcome = job.send(AnswerEvent::Started);
        let mut sent_bytes = 0;
        loop {
            if outcome.is_err() {
                generation.cancel();
            }
            let step = match pollster::block_on(self.0.step(&mut generation))? {
                StepOutcome::Prefill { .. } => continue,
                StepOutcome::Token(step) => step,
                StepOutcome::Done => break,
            };
            sent_bytes += step.text.len();
            let logprobs = job.logprobs.then(|| TokenLogprob::new(&self.0, &step));
            outcome = job.send(AnswerEvent::Token { id: Some(step.id), text: step.text, logprobs });
        }
        let rest = generation.text().get(sent_bytes..).unwrap_or_default();
        if outcome.is_ok() && !rest.is_empty() {
            outcome = job.send(AnswerEvent::Token { id: None, text: rest.to_owned(), logprobs: None });
        }
        if outcome == Err(NotSent::TooSlow) {
            return Err(Failure::SlowClient);
        }
        Ok((generation.finish_reason().unwrap_or(FinishReason::Cancelled), generation.timings()))
    }

    fn is_broken(&self) -> bool {
        self.0.is_broken()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_count_only_while_they_follow_each_other_closely() {
        let mut losses = Losses::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let counts = [0, 10, 20, 700, 1200, 5000].map(|seconds| losses.note(at(seconds)));
        assert_eq!(counts, [1, 2, 3, 1, 2, 1]);
    }
}
