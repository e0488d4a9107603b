//! How much the page downloads.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process;

/// Prints the module's size before and after, and as servers send it.
pub fn report(module: &Path, raw_bytes: u64) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("could not read {}", module.display()))?;
    let compressed = brotli_bytes(&bytes)?;
    process::note(&format!(
        "{}: {} MB from cargo, {} MB optimised, {} MB in brotli",
        module.file_name().unwrap_or_default().to_string_lossy(),
        megabytes(raw_bytes),
        megabytes(bytes.len() as u64),
        megabytes(compressed)
    ));
    Ok(())
}

/// The size in bytes at quality 9, a few percent above what quality 11 reaches in ten times the time.
fn brotli_bytes(bytes: &[u8]) -> Result<u64> {
    struct Counter(u64);
    impl Write for Counter {
        fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
            self.0 += part.len() as u64;
            Ok(part.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    const BUFFER_BYTES: usize = 4096;
    const QUALITY: u32 = 9;
    const WINDOW_LOG2: u32 = 24;
    let mut writer = brotli::CompressorWriter::new(Counter(0), BUFFER_BYTES, QUALITY, WINDOW_LOG2);
    writer.write_all(bytes)?;
    Ok(writer.into_inner().0)
}

fn megabytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_measured() {
        let repeated = vec![7_u8; 100_000];
        let compressed = brotli_bytes(&repeated).expect("compresses");
        assert!((1..1000).contains(&compressed), "{compressed}");
        assert_eq!(megabytes(1_234_567), "1.23");
    }
}
