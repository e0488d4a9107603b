//! `inshore pull`: a model into the cache.

use std::process::ExitCode;

use crate::cli::PullArgs;
use crate::models::{self, Cache};
use crate::{note, output};

/// Runs the command.
///
/// # Errors
/// [`models::ModelFileError`], [`output::OutputError`].
pub fn run(args: &PullArgs) -> anyhow::Result<ExitCode> {
    let file = models::obtain(&args.model, &Cache::of_user()?)?;
    output::print_line(file.path.display())?;
    note!("{} is ready: {} bytes, SHA-256 {}", file.name, file.bytes, file.sha256.as_deref().unwrap_or("not checked"));
    Ok(ExitCode::SUCCESS)
}
