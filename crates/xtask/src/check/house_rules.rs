//! Rules for every tracked file: its length, its size, and what must not be written into it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// A source file longer than this is two files.
const MAX_LINES: usize = 500;
/// Bigger things are downloaded or generated, not tracked.
const MAX_BYTES: u64 = 200_000;

/// Source files that may be longer, each with the reason.
const LONG_FILES: [(&str, &str); 0] = [];
/// Files that may be bigger, each with the reason.
const BIG_FILES: [(&str, &str); 2] = [
    ("Cargo.lock", "written by cargo, one entry for each crate of the GPU stack"),
    (
        "crates/inshore-jinja/tests/constructs.json",
        "what Jinja2 says to some thousand constructs, so that a test needs no Python",
    ),
];
const SOURCE_EXTENSIONS: [&str; 8] = ["rs", "ts", "mjs", "js", "css", "html", "py", "wgsl"];

/// What gives away one machine: its home folders, and the hosts that its packages came from. Written in two halves, so
/// that this file passes.
const FORBIDDEN: [(&str, &str); 6] = [
    ("/root", "/"),
    ("/work", "/main"),
    ("/work", "/shared"),
    ("registry.", "npmjs"),
    ("index.", "crates.io"),
    ("arti", "factory"),
];

/// Reports all violations before it fails.
pub fn check(workspace: &Workspace) -> Result<()> {
    let list = process::output(
        // Also what is not yet tracked, so that the check speaks before the commit.
        Command::new("git").current_dir(&workspace.root).args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ]),
    )?;
    let mut files: Vec<&str> = list.split('\0').filter(|file| !file.is_empty()).collect();
    files.sort_unstable();
    files.dedup();
    let mut violations = Vec::new();
    for file in &files {
        // A file that is deleted but not yet committed is still listed.
        let Ok(bytes) = std::fs::read(workspace.path(file)) else { continue };
        violations.extend(violations_of(file, &bytes));
    }
    process::note(&format!("{} files, {} violations", files.len(), violations.len()));
    if !violations.is_empty() {
        bail!("{}", violations.join("\n"));
    }
    Ok(())
}

fn violations_of(file: &str, bytes: &[u8]) -> Vec<String> {
    let mut violations = Vec::new();
    if bytes.len() as u64 > MAX_BYTES && !BIG_FILES.iter().any(|(name, _)| *name == file) {
        violations.push(format!(
            "{file}: {} bytes, at most {MAX_BYTES} may be tracked: download or generate it",
            bytes.len()
        ));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return violations };
    let extension = Path::new(file).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let lines = text.lines().count();
    let may_be_long = LONG_FILES.iter().any(|(name, _)| *name == file);
    if SOURCE_EXTENSIONS.contains(&extension) && lines > MAX_LINES && !may_be_long {
        violations.push(format!(
            "{file}: {lines} lines, at most {MAX_LINES}: split it by concept, or list it with a reason in house_rules.rs"
        ));
    }
    for (start, end) in FORBIDDEN {
        let word = format!("{start}{end}");
        for (index, _) in text.lines().enumerate().filter(|(_, line)| line.contains(&word)) {
            violations.push(format!("{file}:{}: contains {word}, which only one machine knows", index + 1));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sources_are_reported_and_long_data_is_not() {
        let text = "x\n".repeat(MAX_LINES + 1);
        assert_eq!(violations_of("a.rs", text.as_bytes()).len(), 1);
        assert_eq!(violations_of("a.json", text.as_bytes()).len(), 0);
        assert_eq!(violations_of("a.rs", "x\n".repeat(MAX_LINES).as_bytes()).len(), 0);
    }

    #[test]
    fn big_files_are_reported_unless_listed() {
        let bytes = vec![0xff; MAX_BYTES as usize + 1];
        assert_eq!(violations_of("a.png", &bytes).len(), 1);
        assert_eq!(violations_of("Cargo.lock", &bytes).len(), 0);
    }

    #[test]
    fn places_of_one_machine_are_reported_with_their_line() {
        let text = format!("fine\nsee {}{}x\n", FORBIDDEN[0].0, FORBIDDEN[0].1);
        let violations = violations_of("README.md", text.as_bytes());
        assert_eq!(violations.len(), 1);
        assert!(violations[0].starts_with("README.md:2:"), "{violations:?}");
    }
}
