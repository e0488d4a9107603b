//! `inshore pull`: a model into the cache.

use std::process::ExitCode;

use crate::cli::PullArgs;
use crate::models::{self, Cache};

/// Runs the command.
///
/// # Errors
/// [`models::ModelFileError`].
pub fn run(args: &PullArgs) -> anyhow::Result<ExitCode> {
    let file = models::obtain(&args.model, &Cache::of_user()?)?;
    println!("{}", file.path.display());
    eprintln!(
        "{} is ready: {} bytes, SHA-256 {}",
        file.name,
        file.bytes,
        file.sha256.as_deref().unwrap_or("not checked")
    );
    Ok(ExitCode::SUCCESS)
}
