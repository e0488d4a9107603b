//! Whether a download fits on the disk, asked before it starts.

use std::path::Path;

use super::ModelFileError;

/// Left free beyond the file itself: a disk filled to the last byte breaks other programs.
const RESERVE_BYTES: u64 = 32 << 20;

/// Checks that `bytes` more fit into `folder`.
///
/// # Errors
/// [`ModelFileError::DiskFull`]. A system that does not tell its free space passes.
pub fn require(folder: &Path, bytes: u64) -> Result<(), ModelFileError> {
    let Ok(free_bytes) = fs4::available_space(folder) else { return Ok(()) };
    let needed_bytes = bytes.saturating_add(RESERVE_BYTES);
    if needed_bytes > free_bytes {
        return Err(ModelFileError::DiskFull { needed_bytes, free_bytes, folder: folder.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_file_fits_and_an_absurd_one_does_not() {
        let folder = std::env::temp_dir();
        assert!(require(&folder, 1).is_ok());
        assert!(matches!(require(&folder, u64::MAX), Err(ModelFileError::DiskFull { .. })));
    }
}
