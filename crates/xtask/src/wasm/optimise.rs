//! wasm-opt, from the npm package `binaryen`: names and a third of the size go.
//!
//! LLVM has optimised already, so higher levels bring little. For the engine's module of 21.7 MB from cargo, `-O1` took 69 s of CPU and
//! left 13.7 MB (2.52 MB in brotli), `-O2` 159 s and 13.5 MB, `-Oz` 213 s and 11.5 MB (2.63 MB in brotli: more to download).

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// For the engine: see above.
pub const QUICK: &str = "-O1";
/// For a small module, which is optimised in seconds.
pub const SMALL: &str = "-Oz";

/// What the optimiser may use is what rustc enables for the target, and SIMD; it must not be told less, or it rejects the
/// module. Names and producers go here and not with `strip` in the profile: that would drop the section which
/// wasm-bindgen reads.
pub const OPTIONS: [&str; 13] = [
    "--strip-debug",
    "--strip-producers",
    "--enable-simd",
    "--enable-threads",
    "--enable-relaxed-simd",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-multivalue",
    "--enable-call-indirect-overlong",
];

/// Optimises the module in place; an interrupted run leaves the old one.
pub fn run(node: &Path, module: &Path, level: &str) -> Result<()> {
    let optimised = module.with_extension("optimised");
    let mut command = Command::new("node");
    command.arg(node.join("node_modules/binaryen/bin/wasm-opt")).arg(level).args(OPTIONS);
    command.arg(module).arg("-o").arg(&optimised);
    process::run(&mut command).context("wasm-opt could not optimise the module")?;
    std::fs::rename(&optimised, module).with_context(|| format!("could not replace {}", module.display()))
}
