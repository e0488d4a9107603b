//! The unfinished file of a download and the note that says which version of the file it belongs to.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::answer::Validator;
use super::cache::beside;
use super::download::Download;
use super::error::ModelFileError;
use super::sidecar;

/// The version of the file that the part belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PartNote {
    /// Without query and credentials.
    url: String,
    #[serde(flatten)]
    validator: Validator,
    total_bytes: Option<u64>,
    sha256: Option<String>,
}

/// `NAME.part` with the bytes so far, and `NAME.part.json` with their note.
#[derive(Debug)]
pub struct Part {
    path: PathBuf,
    note: PathBuf,
    /// File name, for messages.
    pub label: String,
}

/// What an earlier try left on disk.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resume {
    /// Bytes that may be kept; 0 means to start again.
    pub have_bytes: u64,
    /// Length of the file, if the server sent it.
    pub total_bytes: Option<u64>,
    /// Validator of the version that the bytes belong to.
    pub validator: Validator,
}

impl Part {
    /// The part beside `place`.
    pub fn beside(place: &Path) -> Self {
        let label = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { path: beside(place, ".part"), note: beside(place, ".part.json"), label }
    }

    /// Path of the bytes.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder in which it lies.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Number of bytes in the part; 0 for a link or a folder of that name.
    pub fn len(&self) -> u64 {
        fs::symlink_metadata(&self.path).map_or(0, |about| if about.is_file() { about.len() } else { 0 })
    }

    /// Returns what may be kept for `job`: nothing without a strong validator or a hash, because then old and new bytes may be of
    /// different versions.
    pub fn resume(&self, job: &Download<'_>) -> Resume {
        let note = fs::read(&self.note).ok().and_then(|json| serde_json::from_slice::<PartNote>(&json).ok());
        let Some(PartNote { url, validator, total_bytes, sha256 }) = note else { return Resume::default() };
        let is_same_file = match &job.expected.sha256 {
            Some(expected) => sha256.as_ref() == Some(expected),
            None => url == job.shown_url() && validator.if_range().is_some(),
        };
        let sizes_agree = match (job.expected.bytes, total_bytes) {
            (Some(expected), Some(total)) => expected == total,
            _ => true,
        };
        let have_bytes = self.len();
        let most_bytes = job.expected.bytes.or(total_bytes).unwrap_or(u64::MAX);
        if is_same_file && sizes_agree && have_bytes <= most_bytes {
            Resume { have_bytes, total_bytes, validator }
        } else {
            Resume::default()
        }
    }

    /// Begins a new part. Removes the old bytes before it writes the new note, so that a crash never leaves bytes of one version
    /// with the note of another.
    ///
    /// # Errors
    /// [`ModelFileError::Write`].
    pub fn begin(
        &self,
        job: &Download<'_>,
        validator: Validator,
        total_bytes: Option<u64>,
    ) -> Result<(), ModelFileError> {
        sidecar::remove(&self.path).map_err(ModelFileError::write(&self.path))?;
        let create = File::options().write(true).create_new(true).open(&self.path);
        create.map_err(ModelFileError::write(&self.path))?;
        let note = PartNote { url: job.shown_url(), validator, total_bytes, sha256: job.expected.sha256.clone() };
        let json = serde_json::to_vec(&note).unwrap_or_default();
        sidecar::replace(&self.note, &json).map_err(ModelFileError::write(&self.note))
    }

    /// Opens the part for appending.
    ///
    /// # Errors
    /// [`ModelFileError::Write`].
    pub async fn append(&self) -> Result<tokio::fs::File, ModelFileError> {
        tokio::fs::File::options().append(true).open(&self.path).await.map_err(ModelFileError::write(&self.path))
    }

    /// Removes bytes and note.
    pub fn remove(&self) {
        let _ = sidecar::remove(&self.path);
        self.remove_note();
    }

    /// Removes the note of a part that has become the file.
    pub fn remove_note(&self) {
        let _ = sidecar::remove(&self.note);
    }
}
