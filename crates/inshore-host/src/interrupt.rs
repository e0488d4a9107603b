//! Ctrl-C: the first one ends the answer, one more ends the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use inshore_model::CancelHandle;

/// Exit status of a program that Ctrl-C ended (128 + SIGINT).
pub const EXIT_INTERRUPTED: u8 = 130;

/// The answer that the next Ctrl-C ends; with `None` it ends the program.
type Target = Arc<Mutex<Option<CancelHandle>>>;

fn lock(target: &Target) -> MutexGuard<'_, Option<CancelHandle>> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listens to Ctrl-C. Outside an answer Ctrl-C ends the program at once, as it would without this.
#[derive(Debug)]
pub struct Interrupt(Target);

impl Interrupt {
    /// Starts listening. A process can do so once.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> Result<Self, ctrlc::Error> {
        let target = Target::default();
        let of_handler = Arc::clone(&target);
        ctrlc::set_handler(move || match lock(&of_handler).take() {
            Some(answer) => answer.cancel(),
            None => std::process::exit(EXIT_INTERRUPTED.into()),
        })?;
        Ok(Self(target))
    }

    /// Until the result is dropped, the first Ctrl-C cancels `handle`.
    pub fn watch(&self, handle: CancelHandle) -> Watch {
        *lock(&self.0) = Some(handle);
        Watch(Arc::clone(&self.0))
    }
}

/// An answer that Ctrl-C may end.
#[derive(Debug)]
pub struct Watch(Target);

impl Drop for Watch {
    fn drop(&mut self) {
        *lock(&self.0) = None;
    }
}
