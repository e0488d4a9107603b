//! Small files beside a model. They are written atomically, and never through a symbolic link.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::cache::beside;

/// Replaces `path` with `bytes` by a rename, so that a crash leaves the old or the new contents.
///
/// # Errors
/// What the system says.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path, ".new");
    remove(&fresh)?;
    let mut file = File::options().write(true).create_new(true).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// Removes `path` if it exists; removes a link itself and not its target.
///
/// # Errors
/// What the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
