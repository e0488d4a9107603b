//! The thread that owns the engine, and the queue in front of it.
//!
//! - [`EngineThread`] is the handle that request handlers use.
//! - `supervisor` answers one job after the other and loads the engine again when a job broke it.
//! - `engine_worker` is the real engine; tests put others in its place.

mod backoff;
mod engine_worker;
mod job;
mod readiness;
mod supervisor;
#[cfg(test)]
pub mod testing;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inshore_model::{CancelHandle, Request};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use job::{Answer, AnswerEvent};
pub use readiness::Readiness;

use super::openai::ApiError;
use crate::cli::ServeArgs;
use crate::models::ModelFile;
use engine_worker::WorkerLoader;
use job::Job;
#[cfg(test)]
use supervisor::Loader;

/// What the thread and its handles share.
#[derive(Debug)]
struct Shared {
    readiness: Mutex<Readiness>,
    stopping: AtomicBool,
    running: Mutex<Option<CancelHandle>>,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            readiness: Mutex::new(Readiness::Loading),
            stopping: AtomicBool::new(false),
            running: Mutex::new(None),
        })
    }

    fn set_readiness(&self, readiness: Readiness) {
        *lock(&self.readiness) = readiness;
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// A handle to the thread; clones share it.
#[derive(Debug, Clone)]
pub struct EngineThread {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
    runtime: Handle,
}

/// A poisoned lock only says that a thread panicked; what these locks guard is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EngineThread {
    /// Starts the thread, which loads the model first. The receiver gets the error if this first load fails. Must be
    /// called in a tokio runtime.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(args: &ServeArgs, file: ModelFile) -> std::io::Result<(Self, oneshot::Receiver<anyhow::Result<()>>)> {
        let (model, conversations) = (args.model.clone(), args.conversations);
        Self::start_with(args.queue, move |jobs, shared| {
            let mut loader = WorkerLoader::new(&model, &file, conversations)?;
            supervisor::run(&mut loader, jobs, shared)
        })
    }

    fn start_with(
        queue: u16,
        run: impl FnOnce(&Receiver<Job>, &Shared) -> anyhow::Result<()> + Send + 'static,
    ) -> std::io::Result<(Self, oneshot::Receiver<anyhow::Result<()>>)> {
        let (jobs, waiting) = sync_channel(queue.into());
        let shared = Shared::new();
        let (ended, on_end) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            let _ = ended.send(run(&waiting, &of_thread));
        })?;
        Ok((Self { jobs, shared, runtime: Handle::current() }, on_end))
    }

    /// Starts a thread with another engine, for tests.
    #[cfg(test)]
    pub fn start_loader(queue: u16, mut loader: impl Loader + Send + 'static) -> Self {
        let run = move |jobs: &Receiver<Job>, shared: &Shared| supervisor::run(&mut loader, jobs, shared);
        Self::start_with(queue, run).expect("the system has a thread").0
    }

    /// Whether requests can be answered now.
    pub fn readiness(&self) -> Readiness {
        lock(&self.shared.readiness).clone()
    }

    /// Puts a request into the queue; `logprobs`: report log-probabilities with each token.
    ///
    /// # Errors
    /// 503 if the queue is full, the engine is not ready or the server is stopping.
    pub fn ask(&self, request: Request, logprobs: bool) -> Result<Answer, ApiError> {
        if self.shared.is_stopping() {
            return Err(ApiError::stopping());
        }
        if let Some(refusal) = self.readiness().refusal() {
            return Err(refusal);
        }
        let (job, answer) = Job::new(request, logprobs, self.runtime.clone());
        match self.jobs.try_send(job) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(ApiError::busy()),
            Err(TrySendError::Disconnected(_)) => Err(ApiError::engine_gone()),
        }
    }

    /// Takes no more requests and fails the waiting ones; the running answer goes on.
    pub fn stop_accepting(&self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
    }

    /// Ends the running answer.
    pub fn cancel_running(&self) {
        if let Some(handle) = lock(&self.shared.running).as_ref() {
            handle.cancel();
        }
    }
}
