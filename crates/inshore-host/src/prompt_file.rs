//! Text that a user names on the command line: a file, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Largest prompt that is read. No context holds as much; a device that never ends must not fill the memory.
const MAX_PROMPT_BYTES: u64 = 64 << 20;

/// Why a prompt cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// The file or stream cannot be read.
    #[error("{origin} cannot be read; check the path")]
    Unreadable {
        /// File or stream.
        origin: Origin,
        /// What the system said.
        source: io::Error,
    },
    /// The path names a folder.
    #[error("{origin} is a folder; name a file in it")]
    Folder {
        /// The folder.
        origin: Origin,
    },
    /// The bytes are not UTF-8.
    #[error("{origin} is not UTF-8 text: {what}; convert it to UTF-8")]
    NotUtf8 {
        /// File or stream.
        origin: Origin,
        /// What it looks like instead.
        what: String,
    },
    /// The prompt is empty.
    #[error("{origin} is empty; give at least one character")]
    Empty {
        /// File or stream.
        origin: Origin,
    },
    /// More than any context holds.
    #[error("{origin} is larger than {} MiB, which no model can read; shorten it", MAX_PROMPT_BYTES >> 20)]
    TooLarge {
        /// File or stream.
        origin: Origin,
    },
}

/// Where text comes from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// The value of `--prompt`.
    Argument,
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Argument => write!(out, "the prompt"),
            Self::Stdin => write!(out, "standard input"),
            Self::File(path) => write!(out, "the prompt file {}", path.display()),
        }
    }
}

/// Reads a file of text, or standard input if the path is `-`. A byte-order mark at its start is not part of the text.
///
/// # Errors
/// [`PromptError`]; an empty file is one.
pub fn read(path: &Path) -> Result<String, PromptError> {
    if path.as_os_str() == "-" {
        return read_stdin();
    }
    let origin = Origin::File(path.to_owned());
    if path.is_dir() {
        return Err(PromptError::Folder { origin });
    }
    match File::open(path) {
        Ok(file) => read_all(file, origin),
        Err(source) => Err(PromptError::Unreadable { origin, source }),
    }
}

/// Reads standard input to its end.
///
/// # Errors
/// [`PromptError`].
pub fn read_stdin() -> Result<String, PromptError> {
    read_all(io::stdin().lock(), Origin::Stdin)
}

/// Refuses a prompt without text.
///
/// # Errors
/// [`PromptError::Empty`].
pub fn not_empty(text: String, origin: Origin) -> Result<String, PromptError> {
    if text.is_empty() { Err(PromptError::Empty { origin }) } else { Ok(text) }
}

fn read_all(source: impl Read, origin: Origin) -> Result<String, PromptError> {
    let mut bytes = Vec::new();
    if let Err(source) = source.take(MAX_PROMPT_BYTES + 1).read_to_end(&mut bytes) {
        return Err(PromptError::Unreadable { origin, source });
    }
    if bytes.len() as u64 > MAX_PROMPT_BYTES {
        return Err(PromptError::TooLarge { origin });
    }
    match decode(bytes) {
        Ok(text) => not_empty(text, origin),
        Err(what) => Err(PromptError::NotUtf8 { origin, what }),
    }
}

/// Returns the text, or what the bytes look like instead.
fn decode(mut bytes: Vec<u8>) -> Result<String, String> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    } else if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err("it looks like UTF-16".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        format!("byte {at} is {:#04x}", error.as_bytes()[at])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_bytes(bytes: &[u8]) -> Result<String, String> {
        read_all(bytes, Origin::Stdin).map_err(|error| error.to_string())
    }

    #[test]
    fn text_is_read_to_the_last_byte() {
        assert_eq!(read_bytes("a\r\nб\n\n".as_bytes()).unwrap(), "a\r\nб\n\n");
        assert_eq!(read_bytes(b"\xef\xbb\xbfhi").unwrap(), "hi", "a byte-order mark is not text");
        assert_eq!(read_bytes("hi\u{feff}".as_bytes()).unwrap(), "hi\u{feff}", "only at the start");
    }

    #[test]
    fn what_is_not_utf_8_says_what_it_looks_like() {
        for (bytes, part) in [
            (&b"ab\xffcd"[..], "byte 2 is 0xff"),
            (b"\xff\xfeh\0i\0", "UTF-16"),
            (b"\xfe\xff\0h", "UTF-16"),
            (b"caf\xe9", "byte 3 is 0xe9"),
            (b"\xed\xa0\xbd", "byte 0 is 0xed"),
        ] {
            let error = read_bytes(bytes).unwrap_err();
            assert!(error.contains(part) && error.contains("convert it to UTF-8"), "{error}");
        }
    }

    #[test]
    fn nothing_is_not_a_prompt() {
        for bytes in [&b""[..], b"\xef\xbb\xbf"] {
            assert!(read_bytes(bytes).unwrap_err().contains("is empty"));
        }
    }

    #[test]
    fn a_source_that_never_ends_is_given_up() {
        let error = read_all(io::repeat(b'a'), Origin::Stdin).unwrap_err();
        assert!(matches!(error, PromptError::TooLarge { .. }), "{error}");
    }
}
