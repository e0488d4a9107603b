//! `unsafe` is for SIMD kernels, for launching recorded kernels, for the one call that the wasm module needs at its start, and
//! for its threads.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// Where `unsafe` may stand, each with the reason. A folder ends with `/`. That each use is explained, clippy checks.
const ALLOWED: [(&str, &str); 5] = [
    ("crates/inshore-ops/src/linear/flex/", "SIMD kernels"),
    ("crates/inshore-ops/src/flex/", "SIMD kernels"),
    ("crates/inshore-ops/src/recording/gpu.rs", "launches kernels again whose memory it cannot name"),
    ("crates/inshore-wasm/src/lib.rs", "calls the module's constructors once"),
    ("crates/inshore-wasm/src/threads.rs", "the task of an operation, which its threads share"),
];

/// Reports every use of `unsafe` elsewhere.
pub fn check(workspace: &Workspace) -> Result<()> {
    let mut files = Vec::new();
    collect(&workspace.path("crates"), &mut files)?;
    let mut violations = Vec::new();
    for file in &files {
        let name = file.strip_prefix(&workspace.root).unwrap_or(file).to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(file).with_context(|| format!("could not read {name}"))?;
        if !is_allowed(&name) {
            violations.extend(uses(&text).map(|line| format!("{name}:{line}: `unsafe` outside the SIMD kernels")));
        }
    }
    process::note(&format!("{} files, {} uses of unsafe elsewhere", files.len(), violations.len()));
    if !violations.is_empty() {
        bail!("{}\nA new place needs a line with its reason in unsafe_code.rs.", violations.join("\n"));
    }
    Ok(())
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.iter().any(|(place, _)| name == *place || (place.ends_with('/') && name.starts_with(place)))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))? {
        let path = entry?.path();
        let skipped = path.file_name().is_some_and(|name| name == "target" || name == "node_modules");
        if path.is_dir() && !skipped {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

/// The lines whose code, comments aside, has the keyword before a block, function, trait or `extern`.
fn uses(text: &str) -> impl Iterator<Item = usize> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let mut words = code.split_whitespace().skip_while(|word| !word.ends_with("unsafe")).skip(1);
        let follows = |word: &str| {
            word.starts_with('{') || ["fn", "impl", "trait", "extern"].iter().any(|keyword| word.starts_with(keyword))
        };
        words.next().is_some_and(follows).then_some(index + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keyword_is_told_from_the_word() {
        // Spelt with a placeholder, so that this file passes its own check.
        let source = "fn a() {\n    let x = KEY { read() };\n}\n// KEY { in a comment }\nKEY extern \"C\" {}\n\
                      #[allow(KEY_code)]\nlet text = \"KEY is a word\";\npub KEY fn b() {}\n"
            .replace("KEY", "unsafe");
        assert_eq!(uses(&source).collect::<Vec<_>>(), [2, 5, 8]);
    }

    #[test]
    fn places_are_files_or_folders() {
        assert!(is_allowed("crates/inshore-wasm/src/lib.rs"));
        assert!(is_allowed("crates/inshore-ops/src/flex/dot.rs"));
        assert!(!is_allowed("crates/inshore-wasm/src/lib.rs.rs"));
        assert!(!is_allowed("crates/inshore-gguf/src/lib.rs"));
    }
}
