//! Random access to the bytes of a model, wherever they are.

use std::error::Error;

/// Why bytes could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source ended early; a file that shrinks while it is read does this.
    #[error(
        "{wanted} bytes from byte {offset} on were asked for and {got} came; the file has changed or is incomplete, load it again"
    )]
    Short {
        /// First byte asked for.
        offset: u64,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes that were there.
        got: u64,
    },
    /// The system or the network failed.
    #[error("input failed at byte {offset}: {source}")]
    Io {
        /// First byte asked for.
        offset: u64,
        /// What the system says.
        source: Box<dyn Error + Send + Sync>,
    },
}

impl ReadError {
    /// [`ReadError::Io`] from any error, or from a message.
    pub fn io(offset: u64, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Io { offset, source: source.into() }
    }
}

/// Bytes that can be read from any place: memory, a file, HTTP ranges, OPFS.
///
/// Futures need not be `Send`, because those of a browser are not.
#[allow(async_fn_in_trait)]
pub trait ReadAt {
    /// Number of bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buf` with the bytes from `offset` on.
    ///
    /// # Errors
    /// [`ReadError`]; `buf` then holds anything.
    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError>;
}

impl ReadAt for [u8] {
    fn len(&self) -> u64 {
        self.len() as u64
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        let rest = usize::try_from(offset).ok().and_then(|start| self.get(start..)).unwrap_or(&[]);
        match rest.get(..buf.len()) {
            Some(bytes) => {
                buf.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(ReadError::Short { offset, wanted: buf.len() as u64, got: rest.len() as u64 }),
        }
    }
}

impl ReadAt for Vec<u8> {
    fn len(&self) -> u64 {
        self.as_slice().len() as u64
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        self.as_slice().read_at(offset, buf).await
    }
}

impl<T: ReadAt + ?Sized> ReadAt for &T {
    fn len(&self) -> u64 {
        (**self).len()
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        (**self).read_at(offset, buf).await
    }
}

/// An open file. Its reads block, so its futures are ready at the first poll.
#[cfg(any(unix, windows))]
#[derive(Debug)]
pub struct FileSource {
    file: std::fs::File,
    len: u64,
}

#[cfg(any(unix, windows))]
impl FileSource {
    /// Takes an open file and notes its length.
    ///
    /// # Errors
    /// [`ReadError::Io`] if the length cannot be had.
    pub fn new(file: std::fs::File) -> Result<Self, ReadError> {
        let len = file.metadata().map_err(|source| ReadError::io(0, source))?.len();
        Ok(Self { file, len })
    }

    #[cfg(unix)]
    fn read_some(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buf, offset)
    }

    #[cfg(windows)]
    fn read_some(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buf, offset)
    }
}

#[cfg(any(unix, windows))]
impl ReadAt for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        let mut done = 0;
        while done < buf.len() {
            // Offsets near u64::MAX are beyond any file; saturating keeps them there.
            match self.read_some(offset.saturating_add(done as u64), &mut buf[done..]) {
                Ok(0) => return Err(ReadError::Short { offset, wanted: buf.len() as u64, got: done as u64 }),
                Ok(count) => done += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::io(offset, error)),
            }
        }
        Ok(())
    }
}
