//! The note beside a finished file that says what it is.
//!
//! A stamp alone proves nothing: versions before [`CHECKS`] stamped whatever a server had sent.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cache::beside;
use super::contents::Contents;
use super::error::ModelFileError;
use super::sidecar;

/// Version of the checks that a file passes before it gets its stamp. 1: first bytes, and the length that the header needs.
const CHECKS: u32 = 1;

/// Size and hash of a file that was complete and checked when the stamp was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Length, in bytes.
    pub bytes: u64,
    /// Hexadecimal SHA-256.
    pub sha256: String,
    /// Version of the checks that the file has passed; 0 in stamps of older programs.
    #[serde(default)]
    checks: u32,
}

impl Stamp {
    /// A stamp for a file that has passed all checks.
    pub const fn new(bytes: u64, sha256: String) -> Self {
        Self { bytes, sha256, checks: CHECKS }
    }

    /// The stamp of the model `file`, if the file is ready: it has the size in its stamp, begins like a model and has
    /// passed today's checks. A file with an older stamp goes through them now.
    pub fn read(file: &Path) -> Option<Self> {
        let stamp: Self = serde_json::from_slice(&fs::read(beside(file, ".stamp")).ok()?).ok()?;
        if !is_sha256(&stamp.sha256) || fs::metadata(file).ok()?.len() != stamp.bytes {
            return None;
        }
        let shown = file.display().to_string();
        let checked = if stamp.checks == CHECKS {
            Contents::Gguf.check_start(file, &shown)
        } else {
            Contents::Gguf.check_file(file, &shown)
        };
        checked.ok()?;
        if stamp.checks != CHECKS {
            let stamp = Self::new(stamp.bytes, stamp.sha256);
            stamp.write(file);
            return Some(stamp);
        }
        Some(stamp)
    }

    /// Removes `file`, which has no valid stamp, if it is not a complete model: a page that an older program took for one,
    /// or a file that was cut short. Call it only while holding the file's lock.
    pub fn remove_if_false(file: &Path) {
        let checked = Contents::Gguf.check_file(file, &file.display().to_string());
        // A file that cannot be read may be a model.
        if let Err(error) = checked.as_ref()
            && !matches!(error, ModelFileError::Unreadable { .. })
        {
            crate::note!("The file in the cache is not a usable model and is removed: {error}");
            let _ = Self::remove(file);
            let _ = sidecar::remove(file);
        }
    }

    /// Removes the stamp of `file`.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(file: &Path) -> std::io::Result<()> {
        sidecar::remove(&beside(file, ".stamp"))
    }

    /// Writes the stamp of `file`; a stamp that cannot be written costs only another check.
    pub fn write(&self, file: &Path) {
        let written = serde_json::to_vec(self).map(|json| sidecar::replace(&beside(file, ".stamp"), &json));
        if !matches!(written, Ok(Ok(()))) {
            tracing::debug!("the stamp could not be written");
        }
    }

    /// Reads `file` to its end and computes its stamp. `on_bytes` hears how many bytes were read so far.
    ///
    /// # Errors
    /// What the system says.
    pub fn compute(file: &Path, mut on_bytes: impl FnMut(u64)) -> std::io::Result<Self> {
        let mut file = File::open(file)?;
        let mut hash = Sha256::new();
        let mut chunk = vec![0; 1 << 20];
        let mut bytes = 0;
        loop {
            let count = file.read(&mut chunk)?;
            if count == 0 {
                return Ok(Self::new(bytes, hex(&hash.finalize())));
            }
            hash.update(&chunk[..count]);
            bytes += count as u64;
            on_bytes(bytes);
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `text` is a SHA-256 in hexadecimal.
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
