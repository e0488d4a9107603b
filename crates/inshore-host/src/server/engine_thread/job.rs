//! A request on its way to the engine, and its answer on the way back.

use std::cell::Cell;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use inshore_model::{CancelHandle, FinishReason, Request, Timings};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::{SendTimeoutError, TrySendError};

use super::super::openai::{ApiError, TokenLogprob};
use super::lock;

/// Number of events that the engine may be ahead of the client, in addition to the socket's buffers.
const EVENTS_AHEAD: usize = 512;

/// Total time that the engine waits during one answer for a client that is [`EVENTS_AHEAD`] events behind. Other requests wait
/// during this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Events of an answer, in this order: `Started`, `Token`s, `Finished`. `Failed` may come at any point and is the last.
#[derive(Debug)]
pub enum AnswerEvent {
    /// The prompt is accepted.
    Started,
    /// A token, or text that has become complete.
    Token {
        /// The token; `None` for text that was held back until the end.
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
    /// The answer failed.
    Failed(ApiError),
}

/// The client's end of an answer. Dropping it cancels the generation at once, even in the middle of a long prompt.
#[derive(Debug)]
pub struct Answer {
    /// The events.
    pub events: mpsc::Receiver<AnswerEvent>,
    _cancel: CancelOnDrop,
}

/// Why an event did not reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotSent {
    /// The client is gone.
    Gone,
    /// The client has not read anything for too long.
    TooSlow,
}

/// A request in the queue.
#[derive(Debug)]
pub struct Job {
    /// Request for the engine.
    pub request: Request,
    /// Whether tokens come with log-probabilities.
    pub logprobs: bool,
    events: mpsc::Sender<AnswerEvent>,
    /// Room for the last event, so that a client that reads late still learns how the answer ended.
    last: mpsc::OwnedPermit<AnswerEvent>,
    cancel: Arc<Mutex<CancelState>>,
    runtime: Handle,
    /// Remaining time of [`PATIENCE`].
    patience: Cell<Duration>,
}

impl Job {
    /// Creates a job and the client's end of its answer. `runtime` provides the timer for slow clients.
    pub fn new(request: Request, logprobs: bool, runtime: Handle) -> (Self, Answer) {
        let (events, receiver) = mpsc::channel(EVENTS_AHEAD + 1);
        let last = events.clone().try_reserve_owned().expect("a new channel has room");
        let cancel = Arc::new(Mutex::new(CancelState::default()));
        let answer = Answer { events: receiver, _cancel: CancelOnDrop(Arc::clone(&cancel)) };
        (Self { request, logprobs, events, last, cancel, runtime, patience: Cell::new(PATIENCE) }, answer)
    }

    /// Whether the client has left.
    pub fn is_abandoned(&self) -> bool {
        self.events.is_closed()
    }

    /// Lets the client cancel the generation behind `handle`.
    pub fn attach(&self, handle: CancelHandle) {
        lock(&self.cancel).attach(handle);
    }

    /// Sends an event. Waits for a client that is far behind, within the limit of [`PATIENCE`].
    ///
    /// # Errors
    /// [`NotSent`]; the generation should stop then.
    pub fn send(&self, event: AnswerEvent) -> Result<(), NotSent> {
        let event = match self.events.try_send(event) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(NotSent::Gone),
            Err(TrySendError::Full(event)) => event,
        };
        let started = Instant::now();
        let sent = self.runtime.block_on(self.events.send_timeout(event, self.patience.get()));
        self.patience.set(self.patience.get().saturating_sub(started.elapsed()));
        match sent {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Closed(_)) => Err(NotSent::Gone),
            Err(SendTimeoutError::Timeout(_)) => Err(NotSent::TooSlow),
        }
    }

    /// Sends the last event. Never waits.
    pub fn end(self, event: AnswerEvent) {
        self.last.send(event);
    }

    /// The same job with another patience, for tests.
    #[cfg(test)]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience: Cell::new(patience), ..self }
    }
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

#[cfg(test)]
mod tests {
    use inshore_model::Prompt;

    use super::*;

    fn token(text: &str) -> AnswerEvent {
        AnswerEvent::Token { id: None, text: text.to_owned(), logprobs: None }
    }

    fn job() -> (Job, Answer) {
        let request = Request::new(Prompt::Raw("hello".into()));
        Job::new(request, false, Handle::current())
    }

    /// Runs `work` outside of the runtime, as the engine's thread does.
    async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        tokio::task::spawn_blocking(work).await.expect("no panic")
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_a_bounded_number_of_events() {
        let (job, mut answer) = job();
        let (job, sent, outcome) = on_thread(move || {
            let job = job.with_patience(Duration::from_millis(20));
            let mut sent = 0;
            let outcome = loop {
                match job.send(token("x")) {
                    Ok(()) => sent += 1,
                    Err(error) => break error,
                }
            };
            (job, sent, outcome)
        })
        .await;
        assert_eq!((sent, outcome), (EVENTS_AHEAD, NotSent::TooSlow));
        // The end has a place of its own.
        job.end(AnswerEvent::Failed(ApiError::stopping()));
        let mut events = Vec::new();
        while let Some(event) = answer.events.recv().await {
            events.push(event);
        }
        assert_eq!(events.len(), EVENTS_AHEAD + 1);
        assert!(matches!(events.last(), Some(AnswerEvent::Failed(_))));
    }

    #[tokio::test]
    async fn a_client_that_reads_again_gets_everything() {
        let (job, mut answer) = job();
        let sender = tokio::task::spawn_blocking(move || {
            for number in 0..2 * EVENTS_AHEAD {
                job.send(token(&number.to_string())).expect("the client reads");
            }
            job.end(AnswerEvent::Started);
        });
        let mut next = 0;
        while let Some(event) = answer.events.recv().await {
            if let AnswerEvent::Token { text, .. } = event {
                assert_eq!(text, next.to_string());
                next += 1;
            }
        }
        assert_eq!(next, 2 * EVENTS_AHEAD);
        sender.await.expect("no panic");
    }

    #[tokio::test]
    async fn a_client_that_reads_a_little_now_and_then_is_not_waited_for_again_and_again() {
        let (job, mut answer) = job();
        let waits = Duration::from_millis(40);
        let sender = tokio::task::spawn_blocking(move || {
            let job = job.with_patience(waits * 5);
            (0..).map(|_| job.send(token("x"))).find(Result::is_err)
        });
        // Each event is taken before the patience is over, but all of them together are not.
        let mut read = 0;
        while answer.events.recv().await.is_some() {
            read += 1;
            if !sender.is_finished() {
                tokio::time::sleep(waits).await;
            }
        }
        assert_eq!(sender.await.expect("no panic"), Some(Err(NotSent::TooSlow)));
        assert!(read < 2 * EVENTS_AHEAD, "{read}");
    }

    #[tokio::test]
    async fn a_client_that_leaves_ends_the_wait_and_cancels() {
        let (job, answer) = job();
        let handle = CancelHandle::default();
        job.attach(handle.clone());
        drop(answer);
        assert!(job.is_abandoned() && on_thread(move || job.send(token("x"))).await == Err(NotSent::Gone));
        assert!(format!("{handle:?}").contains("true"), "cancelled: {handle:?}");
    }
}
