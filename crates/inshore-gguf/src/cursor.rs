//! A bounds-checked reader over the start of a file.

use crate::GgufError;

/// Reads little-endian numbers and strings from a prefix of a file of `file_len` bytes.
///
/// Running out of prefix is [`GgufError::Incomplete`]; running out of file is [`GgufError::Truncated`].
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    prefix: &'a [u8],
    pos: usize,
    file_len: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(prefix: &'a [u8], file_len: u64) -> Self {
        let len = usize::try_from(file_len).map_or(prefix.len(), |len| len.min(prefix.len()));
        Self { prefix: &prefix[..len], pos: 0, file_len }
    }

    /// Bytes from the start of the file to the next byte to be read.
    pub(crate) fn pos(&self) -> u64 {
        self.pos as u64
    }

    pub(crate) fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Makes sure that `count` items of at least `min_bytes` each can be there, and returns `count` as a length.
    ///
    /// To be called before anything is allocated for the items: afterwards the prefix is known to hold
    /// `count * min_bytes` bytes from here on.
    pub(crate) fn expect(&self, what: &'static str, count: u64, min_bytes: u64) -> Result<usize, GgufError> {
        let absurd = GgufError::AbsurdSize { what, claimed: count };
        let Some(end) = count.checked_mul(min_bytes).and_then(|bytes| bytes.checked_add(self.pos())) else {
            return Err(absurd);
        };
        if end > self.file_len {
            return Err(GgufError::Truncated { what, expected: end, got: self.file_len });
        }
        if end > self.prefix.len() as u64 {
            return Err(GgufError::Incomplete { needed: end });
        }
        usize::try_from(count).map_err(|_| absurd)
    }

    /// As [`expect`](Self::expect), and refuses more than `limit` items even where the file could hold them.
    pub(crate) fn expect_at_most(
        &self,
        what: &'static str,
        count: u64,
        min_bytes: u64,
        limit: u64,
    ) -> Result<usize, GgufError> {
        match self.expect(what, count, min_bytes) {
            Ok(_) | Err(GgufError::Incomplete { .. }) if count > limit => {
                Err(GgufError::TooLarge { what, claimed: count, limit })
            }
            result => result,
        }
    }

    /// The next `len` bytes.
    pub(crate) fn bytes(&mut self, what: &'static str, len: u64) -> Result<&'a [u8], GgufError> {
        let len = self.expect(what, len, 1)?;
        // `expect` has shown that the prefix reaches that far.
        let bytes = &self.prefix[self.pos..self.pos + len];
        self.pos += len;
        Ok(bytes)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(what, N as u64)?);
        Ok(array)
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A string: its length in bytes as u64, then UTF-8.
    pub(crate) fn string(&mut self, what: &'static str, limit: u64) -> Result<String, GgufError> {
        let len = self.u64(what)?;
        let offset = self.pos();
        self.expect_at_most(what, len, 1, limit)?;
        let bytes = self.bytes(what, len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(GgufError::InvalidUtf8 { what, offset }),
        }
    }
}
