//! Reading through `ReadAt`: files, failing sources, and how much is read.

use std::cell::Cell;

use inshore_gguf::testing::{GgufBuilder, block_on};
use inshore_gguf::{GgmlType, Gguf, GgufError, MAX_HEADER_BYTES, ReadAt, ReadError};

/// A file of any length: `start`, then zeros. Counts what is read.
struct Sparse {
    start: Vec<u8>,
    len: u64,
    read_bytes: Cell<u64>,
}

impl Sparse {
    fn new(start: Vec<u8>, len: u64) -> Self {
        Self { start, len, read_bytes: Cell::new(0) }
    }
}

impl ReadAt for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        self.read_bytes.set(self.read_bytes.get() + buf.len() as u64);
        for (at, byte) in (offset..).zip(buf) {
            *byte = usize::try_from(at).ok().and_then(|at| self.start.get(at)).copied().unwrap_or(0);
        }
        Ok(())
    }
}

/// A source that fails from byte `good_bytes` on.
struct Broken {
    file: Vec<u8>,
    good_bytes: u64,
}

impl ReadAt for Broken {
    fn len(&self) -> u64 {
        self.file.len() as u64
    }

    async fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<(), ReadError> {
        if offset + buf.len() as u64 > self.good_bytes {
            return Err(ReadError::io(offset, "the network is gone"));
        }
        self.file.read_at(offset, buf).await
    }
}

/// The start of a file whose one metadata value is an array of `count` bytes.
fn long_array(count: u64) -> Vec<u8> {
    let mut start = b"GGUF\x03\0\0\0".to_vec();
    for number in [0, 1, 1] {
        start.extend(u64::to_le_bytes(number));
    }
    start.extend(b"k\x09\0\0\0\0\0\0\0");
    start.extend(count.to_le_bytes());
    start
}

#[test]
fn of_a_large_file_only_the_header_is_read() {
    let small = GgufBuilder::new().raw_tensor("w", 0, &[1 << 35], Vec::new()).build();
    let source = Sparse::new(small, 1 << 40);
    let gguf = block_on(Gguf::read(&source)).expect("a good file");
    assert_eq!(gguf.tensor("w").expect("there").bytes, 1 << 37);
    assert_eq!(source.read_bytes.get(), 64 << 10);

    let source = Sparse::new(long_array(1_000_000), 1 << 40);
    block_on(Gguf::read(&source)).expect("a good file");
    assert!((1_000_000..2_000_000).contains(&source.read_bytes.get()), "{} bytes", source.read_bytes.get());
}

#[test]
fn a_header_beyond_the_limit_is_refused_before_it_is_read() {
    let source = Sparse::new(long_array(MAX_HEADER_BYTES), 1 << 40);
    let error = block_on(Gguf::read(&source)).expect_err("too large");
    assert!(matches!(error, GgufError::TooLarge { claimed, .. } if claimed > MAX_HEADER_BYTES), "{error}");
    assert_eq!(source.read_bytes.get(), 64 << 10);
}

#[test]
fn failures_of_the_source_come_through() {
    let file = GgufBuilder::new().tensor("w", GgmlType::F32, &[4], &[1.0; 4]).build();
    let gguf = block_on(Gguf::read(&file)).expect("a good file");
    let broken = Broken { good_bytes: gguf.data_offset, file };
    let error = block_on(Gguf::read_tensor(&broken, &gguf.tensors[0])).expect_err("broken");
    assert!(matches!(error, GgufError::Read(ReadError::Io { offset, .. }) if offset == gguf.data_offset));
    assert!(error.to_string().contains("the network is gone"), "{error}");
    block_on(Gguf::read(&broken)).expect_err("broken");
}

#[test]
fn memory_refuses_ranges_beyond_its_end() {
    let bytes = vec![1, 2, 3, 4];
    let mut two = [0; 2];
    block_on(bytes.read_at(2, &mut two)).expect("inside");
    assert_eq!(two, [3, 4]);
    for (offset, left) in [(3, 1), (4, 0), (5, 0), (u64::MAX, 0)] {
        let error = block_on(bytes.read_at(offset, &mut two)).expect_err("outside");
        assert!(matches!(error, ReadError::Short { wanted: 2, got, .. } if got == left), "{error}");
    }
}

#[cfg(any(unix, windows))]
#[test]
fn files_are_read_and_files_that_shrink_are_noticed() {
    use inshore_gguf::FileSource;
    use std::fs::{self, File};

    let path = std::env::temp_dir().join(format!("inshore-gguf-source-{}.gguf", std::process::id()));
    let bytes = GgufBuilder::new().tensor("w", GgmlType::F32, &[4], &[1.5; 4]).build();
    fs::write(&path, &bytes).expect("a temporary file");
    let source = FileSource::new(File::open(&path).expect("just written")).expect("has a length");
    let gguf = block_on(Gguf::read(&source)).expect("a good file");
    let read = block_on(Gguf::read_tensor(&source, &gguf.tensors[0])).expect("in the file");
    assert_eq!(read, 1.5f32.to_le_bytes().repeat(4));

    File::options().write(true).open(&path).and_then(|file| file.set_len(gguf.data_offset + 3)).expect("writable");
    let error = block_on(Gguf::read_tensor(&source, &gguf.tensors[0])).expect_err("cut");
    fs::remove_file(&path).expect("removable");
    assert!(matches!(error, GgufError::Read(ReadError::Short { wanted: 16, got: 3, .. })), "{error}");
}
