//! What was measured of this machine's GPUs, kept in the cache folder: without it every load would measure anew.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use inshore_model::{KnownPlans, MeasuredPlan};
use serde::{Deserialize, Serialize};

use crate::models::Cache;

/// What the file says that it is.
const FORMAT: &str = "inshore GPU plans 1";

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    format: String,
    plans: KnownPlans,
}

/// The file of plans, which need not exist.
#[derive(Debug)]
pub struct PlanFile(PathBuf);

impl PlanFile {
    /// That of `cache`.
    pub fn of(cache: &Cache) -> Self {
        Self(cache.gpu_plans())
    }

    /// The plans in the file; none if it is absent, damaged or something else.
    pub fn read(&self) -> KnownPlans {
        let contents = fs::read(&self.0).ok().and_then(|json| serde_json::from_slice::<Contents>(&json).ok());
        contents.filter(|contents| contents.format == FORMAT).map(|contents| contents.plans).unwrap_or_default()
    }

    /// Adds a plan. A file that cannot be written costs only another measurement.
    pub fn remember(&self, measured: &MeasuredPlan) {
        if let Err(error) = self.write_with(measured) {
            tracing::debug!(%error, "the plan could not be remembered");
        }
    }

    /// Whoever reads meanwhile sees the old file or the new one; of two writers the later one wins.
    fn write_with(&self, measured: &MeasuredPlan) -> std::io::Result<()> {
        let mut plans = self.read();
        plans.insert(measured.key.clone(), measured.plan.to_string());
        let json = serde_json::to_vec_pretty(&Contents { format: FORMAT.to_owned(), plans })?;
        if let Some(folder) = self.0.parent() {
            fs::create_dir_all(folder)?;
        }
        let whole = self.0.with_extension(format!("{}.part", std::process::id()));
        let written = fs::File::create(&whole)
            .and_then(|mut file| file.write_all(&json).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&whole, &self.0));
        if written.is_err() {
            let _ = fs::remove_file(&whole);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use inshore_model::GpuPlan;

    use super::*;

    fn file(name: &str) -> (PathBuf, PlanFile) {
        let folder = std::env::temp_dir().join(format!("inshore-plans-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        (folder.clone(), PlanFile::of(&Cache::at(folder)))
    }

    fn measured(key: &str) -> MeasuredPlan {
        MeasuredPlan { key: key.to_owned(), plan: GpuPlan::FALLBACK }
    }

    #[test]
    fn plans_are_there_the_next_time() {
        let (folder, plans) = file("kept");
        assert_eq!(plans.read(), KnownPlans::new(), "nothing yet");
        plans.remember(&measured("a GPU"));
        plans.remember(&measured("another GPU"));
        let known = plans.read();
        assert_eq!(known.len(), 2);
        assert_eq!(known["a GPU"].parse(), Ok(GpuPlan::FALLBACK));
        let files = fs::read_dir(&folder).unwrap().count();
        assert_eq!(files, 1, "nothing half-written is left");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_damaged_or_foreign_file_is_ignored_and_replaced() {
        let (folder, plans) = file("damaged");
        for json in ["", "{", "[1, 2]", "{\"format\":\"else\",\"plans\":{\"a\":\"b\"}}", "{\"format\":1}", "\u{0}\u{1}"]
        {
            fs::create_dir_all(&folder).unwrap();
            fs::write(&plans.0, json).unwrap();
            assert_eq!(plans.read(), KnownPlans::new(), "{json}");
            plans.remember(&measured("a GPU"));
            assert_eq!(plans.read().len(), 1, "{json}");
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
