//! Stamps: a finished step leaves the fingerprint of its inputs, and is skipped while they stay the same.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// SHA-256 over named inputs; the names and lengths are part of it, so that moved bytes change it.
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Starts with the name of the step, so that two steps never share a stamp.
    pub fn new(step: &str) -> Self {
        let mut this = Self(Sha256::new());
        this.add(step.as_bytes());
        this
    }

    fn add(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Adds a value under a name: a version, a list of options.
    pub fn value(mut self, name: &str, value: &str) -> Self {
        self.add(name.as_bytes());
        self.add(value.as_bytes());
        self
    }

    /// Adds a file's content under its name; a missing file counts as such.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        self.add(path.file_name().unwrap_or_default().as_encoded_bytes());
        if path.is_file() {
            let bytes = fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
            self.add(&bytes);
        } else {
            self.add(b"missing");
        }
        Ok(self)
    }

    /// Adds all files below a folder, in a stable order, without the names in `skip`.
    pub fn tree(mut self, folder: &Path, skip: &[&str]) -> Result<Self> {
        let mut entries: Vec<_> = fs::read_dir(folder)
            .with_context(|| format!("could not list {}", folder.display()))?
            .collect::<std::io::Result<_>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            if skip.iter().any(|skipped| name == *skipped) {
                continue;
            }
            self = if entry.file_type()?.is_dir() {
                self.add(name.as_encoded_bytes());
                self.tree(&entry.path(), skip)?
            } else {
                self.file(&entry.path())?
            };
        }
        Ok(self)
    }

    /// The fingerprint in hexadecimal.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whether the step whose stamp this is already ran on these inputs.
pub fn is_current(stamp: &Path, fingerprint: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text.trim() == fingerprint)
}

/// Notes that the step ran; call it last, so that an interrupted step runs again.
pub fn write(stamp: &Path, fingerprint: &str) -> Result<()> {
    fs::write(stamp, format!("{fingerprint}\n")).with_context(|| format!("could not write {}", stamp.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("inshore-stamp-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("temporary folder");
        folder
    }

    #[test]
    fn a_stamp_holds_until_an_input_changes() {
        let folder = scratch("holds");
        let input = folder.join("input");
        fs::write(&input, "one").expect("write");
        let of = || Fingerprint::new("step").file(&input).expect("readable").finish();
        let stamp = folder.join("stamp");
        assert!(!is_current(&stamp, &of()), "no stamp yet");
        write(&stamp, &of()).expect("write");
        assert!(is_current(&stamp, &of()));
        fs::write(&input, "two").expect("write");
        assert!(!is_current(&stamp, &of()));
        fs::remove_file(&input).expect("remove");
        assert!(!is_current(&stamp, &of()), "a file that went away is a change");
        fs::remove_dir_all(folder).expect("remove");
    }

    #[test]
    fn trees_see_names_contents_and_depth_but_not_what_is_skipped() {
        let folder = scratch("tree");
        let of = || Fingerprint::new("step").tree(&folder, &["node_modules"]).expect("readable").finish();
        fs::create_dir(folder.join("src")).expect("create");
        fs::write(folder.join("src/a"), "1").expect("write");
        let first = of();
        assert_eq!(first, of());
        fs::create_dir(folder.join("node_modules")).expect("create");
        fs::write(folder.join("node_modules/b"), "1").expect("write");
        assert_eq!(first, of(), "skipped");
        fs::rename(folder.join("src/a"), folder.join("src/b")).expect("rename");
        assert_ne!(first, of(), "renamed");
        fs::remove_dir_all(folder).expect("remove");
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let a = Fingerprint::new("s").value("a", "bc").finish();
        let b = Fingerprint::new("s").value("ab", "c").finish();
        assert_ne!(a, b);
    }
}
