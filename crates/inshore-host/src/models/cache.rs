//! The cache folder and its locks.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use super::ModelFileError;

/// Environment variable that moves the cache.
pub const CACHE_VARIABLE: &str = "INSHORE_CACHE";

/// Where models are kept.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `$INSHORE_CACHE`, or `inshore` in the user's cache folder. Creates nothing.
    ///
    /// # Errors
    /// [`ModelFileError::NoCacheFolder`].
    pub fn of_user() -> Result<Self, ModelFileError> {
        let chosen = std::env::var_os(CACHE_VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        let folder = chosen.or_else(|| Some(dirs::cache_dir()?.join("inshore")));
        folder.map(Self::at).ok_or(ModelFileError::NoCacheFolder)
    }

    /// A cache in `folder`.
    pub const fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Folder of the model files.
    pub fn models(&self) -> PathBuf {
        self.folder.join("models")
    }

    /// File of what was measured of GPUs.
    pub fn gpu_plans(&self) -> PathBuf {
        self.folder.join("gpu-plans.json")
    }
}

/// Held while a file is being fetched; other processes wait for it.
#[derive(Debug)]
pub struct FetchLock {
    _file: File,
}

impl FetchLock {
    /// Creates the folder of `target` and waits until no other process fetches `target`. The system drops the lock with
    /// the process, however it ends.
    ///
    /// # Errors
    /// [`ModelFileError::Write`].
    pub fn wait(target: &Path) -> Result<Self, ModelFileError> {
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(ModelFileError::write(folder))?;
        }
        let path = beside(target, ".lock");
        let file = File::options().create(true).append(true).open(&path).map_err(ModelFileError::write(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                crate::note!("Another inshore is fetching this model; waiting for it.");
                file.lock().map_err(ModelFileError::write(&path))?;
            }
            // A file system without locks: two processes may then spoil each other's part, which the checks before the rename
            // find.
            Err(TryLockError::Error(error)) => tracing::debug!(%error, "no lock"),
        }
        Ok(Self { _file: file })
    }
}

/// `path` with `suffix` behind its file name.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}
