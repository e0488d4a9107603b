//! wasm-bindgen as a library, so that there is no tool to install and no version to get wrong.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use super::tls;
use crate::process;

/// The version that this xtask writes JavaScript for; pinned with `=` in the workspace's `Cargo.toml`.
pub const VERSION: &str = "0.2.130";

/// Writes the JavaScript, the types and the rewritten module. Returns the size of cargo's module in bytes.
pub fn run(built: &Path, folder: &Path, name: &str) -> Result<u64> {
    let start = Instant::now();
    let mut module = fs::read(built).with_context(|| format!("could not read {}", built.display()))?;
    let bytes = module.len() as u64;
    tls::repair_alignment(&mut module)?;
    // Names stay for now: the check of the constructors needs them, and wasm-opt strips them afterwards.
    Bindgen::new()
        .input_bytes(name, module)
        .web(true)?
        .typescript(true)
        .generate(folder)
        .with_context(|| format!("wasm-bindgen could not process {}", built.display()))?;
    process::note(&format!("wasm-bindgen {VERSION} in {}", process::seconds(start.elapsed())));
    Ok(bytes)
}

/// The module's `wasm-bindgen` and ours must be one version: the descriptors between them have no stable format.
pub fn check_versions(lock: &Path) -> Result<()> {
    let text = fs::read_to_string(lock).with_context(|| format!("could not read {}", lock.display()))?;
    for package in ["wasm-bindgen", "wasm-bindgen-cli-support"] {
        let versions = locked_versions(&text, package);
        if versions != [VERSION] {
            bail!(
                "Cargo.lock has {package} {versions:?}, but xtask expects exactly {VERSION}: set one version in the \
                 workspace's Cargo.toml (wasm-bindgen and wasm-bindgen-cli-support) and in xtask's bindgen.rs"
            );
        }
    }
    Ok(())
}

/// All versions of a package in a `Cargo.lock`.
fn locked_versions<'a>(lock: &'a str, package: &str) -> Vec<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines();
    let mut versions = Vec::new();
    while let Some(line) = lines.next() {
        if line == name {
            versions.extend(
                lines.next().and_then(|next| next.strip_prefix("version = \"")).and_then(|v| v.strip_suffix('"')),
            );
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.1\"\n\n[[package]]\nname = \
                        \"wasm-bindgen-shared\"\nversion = \"0.2.2\"\n";

    #[test]
    fn versions_are_read_by_exact_name() {
        assert_eq!(locked_versions(LOCK, "wasm-bindgen"), ["0.2.1"]);
        assert_eq!(locked_versions(LOCK, "wasm-bindgen-shared"), ["0.2.2"]);
        assert!(locked_versions(LOCK, "wasm").is_empty());
    }

    #[test]
    fn this_checkout_has_one_version() {
        check_versions(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock"))).expect("one version");
    }
}
