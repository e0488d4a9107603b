//! Answers one job after the other, and loads the engine again after a job broke it. No request can end the thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use inshore_model::{CancelHandle, FinishReason, ModelError, ModelInfo, Timings};

use super::backoff::Backoff;
use super::job::{AnswerEvent, Job};
use super::readiness::Readiness;
use super::{Shared, lock};
use crate::engine::panic_message;
use crate::note;
use crate::server::openai::ApiError;

/// Loads engines.
pub trait Loader {
    /// Type of the loaded engine.
    type Worker: Worker;

    /// Loads the model, for the first time or after `fault`. The engine that broke has been dropped.
    ///
    /// # Errors
    /// Whatever keeps the model from being loaded.
    fn load(&mut self, fault: Option<&Fault>) -> anyhow::Result<Self::Worker>;
}

/// A loaded engine.
pub trait Worker {
    /// What was loaded.
    fn info(&self) -> &ModelInfo;

    /// Generates the answer and sends its events, except the last one. `on_start` gets the generation's handle.
    ///
    /// # Errors
    /// [`Failure`].
    fn answer(&mut self, job: &Job, on_start: &dyn Fn(CancelHandle)) -> Result<(FinishReason, Timings), Failure>;

    /// Whether the engine must be loaded again.
    fn is_broken(&self) -> bool;
}

/// Why a job has no complete answer.
#[derive(Debug)]
pub enum Failure {
    /// The engine refused or failed.
    Model(ModelError),
    /// The client did not read its answer.
    SlowClient,
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}

/// Why an engine must be loaded again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It panicked while it computed.
    Panicked(String),
    /// Its device is gone.
    DeviceLost(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Panicked(message) => write!(out, "the engine panicked ({message})"),
            Self::DeviceLost(message) => write!(out, "the device was lost ({message})"),
        }
    }
}

/// Runs until the last handle of the queue is dropped or the server stops.
///
/// # Errors
/// If the first load fails. Later loads are repeated until one succeeds.
pub fn run<L: Loader>(loader: &mut L, jobs: &Receiver<Job>, shared: &Shared) -> anyhow::Result<()> {
    let mut worker = loader.load(None)?;
    let mut backoff = Backoff::default();
    loop {
        let info = worker.info().clone();
        note!("ready: {} on {} ({:.0} ms)", info.name, info.device, info.load_ms);
        shared.set_readiness(Readiness::Ready(Box::new(info)));
        let Some(fault) = serve(&mut worker, jobs, shared, &mut backoff) else { return Ok(()) };
        note!("{fault}; loading the model again");
        // Two engines at once might not fit into memory.
        drop(worker);
        match reload(loader, &fault, jobs, shared, &mut backoff) {
            Some(loaded) => worker = loaded,
            None => return Ok(()),
        }
    }
}

/// Answers jobs until one breaks the engine; returns `None` when the queue is closed.
fn serve<W: Worker>(worker: &mut W, jobs: &Receiver<Job>, shared: &Shared, backoff: &mut Backoff) -> Option<Fault> {
    for job in jobs {
        if shared.is_stopping() {
            job.end(AnswerEvent::Failed(ApiError::stopping()));
            continue;
        }
        if job.is_abandoned() {
            continue;
        }
        let on_start = |handle: CancelHandle| {
            *lock(&shared.running) = Some(handle.clone());
            job.attach(handle);
        };
        let answered = catch_unwind(AssertUnwindSafe(|| worker.answer(&job, &on_start)));
        *lock(&shared.running) = None;
        let (event, fault) = match answered {
            Ok(Ok((reason, timings))) => {
                backoff.reset();
                (AnswerEvent::Finished { reason, timings }, None)
            }
            Ok(Err(Failure::SlowClient)) => (AnswerEvent::Failed(ApiError::slow_client()), None),
            Ok(Err(Failure::Model(error))) => {
                let fault = worker.is_broken().then(|| Fault::DeviceLost(error.to_string()));
                (AnswerEvent::Failed(ApiError::from_model(&error)), fault)
            }
            Err(panic) => {
                let fault = worker.is_broken().then(|| Fault::Panicked(panic_message(&*panic)));
                (AnswerEvent::Failed(ApiError::engine_panicked()), fault)
            }
        };
        if let Some(fault) = &fault {
            // Set before the client gets the error, so that its next request finds the engine not ready.
            shared.set_readiness(Readiness::Reloading { reason: format!("{fault}; the model is being loaded again") });
        }
        job.end(event);
        if fault.is_some() {
            return fault;
        }
    }
    None
}

/// Loads the engine, with growing waits between attempts; returns `None` if the server stops in the meantime.
fn reload<L: Loader>(
    loader: &mut L,
    fault: &Fault,
    jobs: &Receiver<Job>,
    shared: &Shared,
    backoff: &mut Backoff,
) -> Option<L::Worker> {
    let mut wait = backoff.next_wait();
    loop {
        if !wait.is_zero() && !turn_away(jobs, shared, wait) {
            return None;
        }
        let loaded = catch_unwind(AssertUnwindSafe(|| loader.load(Some(fault))));
        let error = match loaded {
            Ok(Ok(worker)) => return Some(worker),
            Ok(Err(error)) => format!("{error:#}"),
            Err(panic) => format!("loading the model panicked ({})", panic_message(&*panic)),
        };
        wait = backoff.next_wait();
        let reason = format!("{error}; the next attempt is in {} s", wait.as_secs());
        note!("error: {reason}");
        shared.set_readiness(Readiness::Failed { reason });
    }
}

/// Refuses all jobs for `wait`, because clients would not wait that long; returns `false` when the queue is closed.
fn turn_away(jobs: &Receiver<Job>, shared: &Shared, wait: Duration) -> bool {
    let until = Instant::now() + wait;
    loop {
        if shared.is_stopping() {
            return false;
        }
        match jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(job) => job.end(AnswerEvent::Failed(ApiError::reloading())),
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}
