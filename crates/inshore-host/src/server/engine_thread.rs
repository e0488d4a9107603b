//! The thread that owns the engine, and the queue in front of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inshore_model::{CancelHandle, Engine, FinishReason, ModelError, ModelInfo, Request, StepOutcome, Timings};
use tokio::sync::{mpsc, oneshot};

use super::openai::{ApiError, TokenLogprob};
use crate::cli::ServeArgs;
use crate::engine;
use crate::models::ModelFile;

/// What an answer brings, in this order: `Started`, `Token`s, `Finished`; or `Failed` at any point, and then nothing.
#[derive(Debug)]
pub enum AnswerEvent {
    /// The prompt is accepted.
    Started,
    /// A token, or text that has become complete.
    Token {
        /// The token; none for text that was held back to the end.
        id: Option<u32>,
        /// Text to append; may be empty.
        text: String,
        /// Log-probabilities, if they were asked for.
        logprobs: Option<TokenLogprob>,
    },
    /// The answer ended.
    Finished {
        /// Why.
        reason: FinishReason,
        /// Speed and token counts.
        timings: Timings,
    },
    /// There is no answer, or no more of it.
    Failed(ApiError),
}

/// An answer on its way. Dropping it cancels the generation at once, also in the middle of a long prompt.
#[derive(Debug)]
pub struct Answer {
    /// The events.
    pub events: mpsc::UnboundedReceiver<AnswerEvent>,
    _cancel: CancelOnDrop,
}

/// Whether the engine can answer.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// The model is being loaded.
    Loading,
    /// It answers.
    Ready(Box<ModelInfo>),
}

#[derive(Debug)]
struct Job {
    request: Request,
    logprobs: bool,
    events: mpsc::UnboundedSender<AnswerEvent>,
    cancel: Arc<Mutex<CancelState>>,
}

#[derive(Debug)]
struct Shared {
    readiness: Mutex<Readiness>,
    stopping: AtomicBool,
    running: Mutex<Option<CancelHandle>>,
}

/// A handle to the thread; clones share it.
#[derive(Debug, Clone)]
pub struct EngineThread {
    jobs: SyncSender<Job>,
    shared: Arc<Shared>,
}

/// A poisoned lock only says that a thread panicked; what these locks guard is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EngineThread {
    /// Starts the thread, which loads the model first. The receiver hears when the thread ends: of a failed load, or of
    /// nothing (a closed channel) if the engine panicked.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(args: &ServeArgs, file: ModelFile) -> std::io::Result<(Self, oneshot::Receiver<anyhow::Result<()>>)> {
        let (jobs, waiting) = sync_channel(args.queue.into());
        let shared = Arc::new(Shared {
            readiness: Mutex::new(Readiness::Loading),
            stopping: AtomicBool::new(false),
            running: Mutex::new(None),
        });
        let (ended, on_end) = oneshot::channel();
        let of_thread = Arc::clone(&shared);
        let (model, conversations) = (args.model.clone(), args.conversations);
        std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            let result =
                engine::load(&model, &file, conversations).map(|engine| answer_all(engine, &waiting, &of_thread));
            let _ = ended.send(result);
        })?;
        Ok((Self { jobs, shared }, on_end))
    }

    /// Whether requests can be answered now.
    pub fn readiness(&self) -> Readiness {
        lock(&self.shared.readiness).clone()
    }

    /// Puts a request into the queue; `logprobs`: report log-probabilities with each token.
    ///
    /// # Errors
    /// 503 if the queue is full, the model is still loading or the server is stopping.
    pub fn ask(&self, request: Request, logprobs: bool) -> Result<Answer, ApiError> {
        if self.shared.stopping.load(Ordering::SeqCst) {
            return Err(ApiError::stopping());
        }
        if matches!(self.readiness(), Readiness::Loading) {
            return Err(ApiError::loading());
        }
        let (sender, events) = mpsc::unbounded_channel();
        let cancel = Arc::new(Mutex::new(CancelState::default()));
        let job = Job { request, logprobs, events: sender, cancel: Arc::clone(&cancel) };
        match self.jobs.try_send(job) {
            Ok(()) => Ok(Answer { events, _cancel: CancelOnDrop(cancel) }),
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

fn answer_all(mut engine: Engine, waiting: &Receiver<Job>, shared: &Shared) {
    let info = engine.info().clone();
    eprintln!("ready: {} on {} ({:.0} ms)", info.name, info.device, info.load_ms);
    *lock(&shared.readiness) = Readiness::Ready(Box::new(info));
    for job in waiting {
        if shared.stopping.load(Ordering::SeqCst) {
            let _ = job.events.send(AnswerEvent::Failed(ApiError::stopping()));
        } else if !job.events.is_closed()
            && let Err(error) = answer(&mut engine, &job, shared)
        {
            let _ = job.events.send(AnswerEvent::Failed(ApiError::from_model(&error)));
        }
        *lock(&shared.running) = None;
    }
}

/// Generates one answer. A send that fails means that the client is gone, and so is the reason to go on.
fn answer(engine: &mut Engine, job: &Job, shared: &Shared) -> Result<(), ModelError> {
    let mut generation = engine.start(job.request.clone())?;
    *lock(&shared.running) = Some(generation.cancel_handle());
    lock(&job.cancel).attach(generation.cancel_handle());
    let send = |event| job.events.send(event).is_ok();
    let mut heard = send(AnswerEvent::Started);
    let mut sent_bytes = 0;
    loop {
        if !heard {
            generation.cancel();
        }
        let step = match pollster::block_on(engine.step(&mut generation))? {
            StepOutcome::Prefill { .. } => continue,
            StepOutcome::Token(step) => step,
            StepOutcome::Done => break,
        };
        sent_bytes += step.text.len();
        let logprobs = job.logprobs.then(|| TokenLogprob::new(engine, &step));
        heard = send(AnswerEvent::Token { id: Some(step.id), text: step.text, logprobs });
    }
    let rest = generation.text().get(sent_bytes..).unwrap_or_default();
    if !rest.is_empty() {
        send(AnswerEvent::Token { id: None, text: rest.to_owned(), logprobs: None });
    }
    let reason = generation.finish_reason().unwrap_or(FinishReason::Cancelled);
    send(AnswerEvent::Finished { reason, timings: generation.timings() });
    Ok(())
}

/// The client may leave before the generation exists; then it is cancelled as soon as it does.
#[derive(Debug, Default)]
struct CancelState {
    left: bool,
    handle: Option<CancelHandle>,
}

impl CancelState {
    fn attach(&mut self, handle: CancelHandle) {
        if self.left {
            handle.cancel();
        }
        self.handle = Some(handle);
    }
}

#[derive(Debug)]
struct CancelOnDrop(Arc<Mutex<CancelState>>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.left = true;
        if let Some(handle) = &state.handle {
            handle.cancel();
        }
    }
}
