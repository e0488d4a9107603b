//! Everything that the program prints: results on standard output, remarks on standard error.
//!
//! `println!` and `eprintln!` panic when a write fails, but a full disk or a closed pipe is not a bug. Results go through
//! [`print`], whose failure ends the command with an error. Remarks go through [`note!`](crate::note), which ignores failures
//! because there is nowhere left to report them.

use std::fmt;
use std::io::{self, Write};

/// Why a result did not reach standard output.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The reader closed the pipe (`| head`): it has seen what it wanted, so the command ends quietly.
    #[error("the reader of standard output is gone")]
    Closed,
    /// The output is lost, and the exit status must say so.
    #[error("standard output cannot be written, so the result is incomplete; check the disk that it goes to")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Failed(error) }
    }
}

/// Writes `text` to standard output and flushes it.
///
/// # Errors
/// [`OutputError`].
pub fn print(text: impl fmt::Display) -> Result<(), OutputError> {
    print_with(|out| write!(out, "{text}"))
}

/// Writes `text` and a line break.
///
/// # Errors
/// [`OutputError`].
pub fn print_line(text: impl fmt::Display) -> Result<(), OutputError> {
    print_with(|out| writeln!(out, "{text}"))
}

/// Lets `write` write to standard output, and flushes.
///
/// # Errors
/// [`OutputError`].
pub fn print_with(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), OutputError> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    write(&mut out)?;
    Ok(out.flush()?)
}

/// Writes a line to standard error, where a failure changes nothing.
pub fn note(text: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Writes a formatted line to standard error, as `eprintln!` does, and ignores that it cannot be written.
#[macro_export]
macro_rules! note {
    ($($part:tt)*) => { $crate::output::note(format_args!($($part)*)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_is_not_a_failure_and_a_full_disk_is() {
        assert!(matches!(OutputError::from(io::Error::from(io::ErrorKind::BrokenPipe)), OutputError::Closed));
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::PermissionDenied, io::ErrorKind::Other] {
            assert!(matches!(OutputError::from(io::Error::from(kind)), OutputError::Failed(_)), "{kind:?}");
        }
    }
}
