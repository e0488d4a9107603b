//! Ctrl-C: the first one ends the answer, one more ends the program.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use inshore_model::CancelHandle;
use signal_hook::consts::SIGINT;
use signal_hook::flag;

/// Exit status of a program that Ctrl-C ended (128 + SIGINT).
pub const EXIT_INTERRUPTED: u8 = 130;

/// How often the flag is looked at while an answer is made. A signal handler may only set a flag, and the engine may be
/// busy with a long prompt, so a thread of its own looks.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Listens to Ctrl-C. Outside an answer Ctrl-C ends the program at once, as it would without this.
#[derive(Debug)]
pub struct Interrupt {
    /// Set by the signal. While it is set, the next signal ends the program.
    raised: Arc<AtomicBool>,
}

impl Interrupt {
    /// Starts listening.
    ///
    /// # Errors
    /// What the system says.
    pub fn listen() -> io::Result<Self> {
        let raised = Arc::new(AtomicBool::new(true));
        // The order counts: first "was it set before?", then "set it".
        flag::register_conditional_shutdown(SIGINT, EXIT_INTERRUPTED.into(), Arc::clone(&raised))?;
        flag::register(SIGINT, Arc::clone(&raised))?;
        Ok(Self { raised })
    }

    /// Until the result is dropped, Ctrl-C pulls `handle`.
    pub fn watch(&self, handle: CancelHandle) -> Watch {
        self.raised.store(false, Ordering::SeqCst);
        let over = Arc::new(AtomicBool::new(false));
        let (raised, until) = (Arc::clone(&self.raised), Arc::clone(&over));
        thread::spawn(move || {
            while !until.load(Ordering::SeqCst) {
                if raised.load(Ordering::SeqCst) {
                    return handle.cancel();
                }
                thread::sleep(LOOK_EVERY);
            }
        });
        Watch { raised: Arc::clone(&self.raised), over }
    }
}

/// An answer that Ctrl-C may end.
#[derive(Debug)]
pub struct Watch {
    raised: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.raised.store(true, Ordering::SeqCst);
    }
}
