//! The note beside a finished file that says what it is.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::cache::beside;

/// Size and hash of a file that was complete and checked when the stamp was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Length, in bytes.
    pub bytes: u64,
    /// Hexadecimal SHA-256.
    pub sha256: String,
}

impl Stamp {
    /// The stamp of `file`, if there is one and the file still has the size in it.
    pub fn read(file: &Path) -> Option<Self> {
        let stamp: Self = serde_json::from_slice(&fs::read(beside(file, ".stamp")).ok()?).ok()?;
        (fs::metadata(file).ok()?.len() == stamp.bytes).then_some(stamp)
    }

    /// Writes the stamp of `file`; a stamp that cannot be written costs only another check.
    pub fn write(&self, file: &Path) {
        let written = serde_json::to_vec(self).map(|json| fs::write(beside(file, ".stamp"), json));
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
                return Ok(Self { bytes, sha256: hex(&hash.finalize()) });
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
