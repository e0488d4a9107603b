//! How much the page downloads.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;

/// Prints the module's size before and after, and as servers send it; fails above the limit.
pub fn check(module: &Path, raw_bytes: u64, limit_bytes: Option<u64>) -> Result<()> {
    let bytes = std::fs::read(module).with_context(|| format!("could not read {}", module.display()))?;
    let compressed = brotli_bytes(&bytes)?;
    process::note(&format!(
        "{}: {} MB from cargo, {} MB optimised, {} MB in brotli",
        module.file_name().unwrap_or_default().to_string_lossy(),
        megabytes(raw_bytes),
        megabytes(bytes.len() as u64),
        megabytes(compressed)
    ));
    match limit_bytes {
        Some(limit) if compressed > limit => bail!(
            "{} is {compressed} bytes in brotli, and {limit} are allowed: every page loads it before the first answer",
            module.display()
        ),
        _ => Ok(()),
    }
}

/// The size in bytes at quality 9, a few percent above what quality 11 reaches in ten times the time.
pub fn brotli_bytes(bytes: &[u8]) -> Result<u64> {
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
    format!("{:.3}", bytes as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_measured() {
        let repeated = vec![7_u8; 100_000];
        let compressed = brotli_bytes(&repeated).expect("compresses");
        assert!((1..1000).contains(&compressed), "{compressed}");
        assert_eq!(megabytes(1_234_567), "1.235");
    }

    #[test]
    fn a_module_above_its_limit_is_refused() {
        let module = std::env::temp_dir().join(format!("inshore-size-{}.wasm", std::process::id()));
        std::fs::write(&module, [7_u8; 1_000]).expect("write");
        check(&module, 2_000, Some(1_000)).expect("compresses well");
        let error = check(&module, 2_000, Some(3)).expect_err("too large");
        assert!(error.to_string().contains("3 are allowed"), "{error}");
        std::fs::remove_file(module).expect("remove");
    }
}
