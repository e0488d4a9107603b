//! What a user may write as a model.

use std::path::PathBuf;
use std::str::FromStr;

use super::ModelFileError;
use super::hub::HubFile;

/// Name of the model that is used when none is given.
pub const DEFAULT_MODEL: &str = "smollm2-135m-instruct";

/// A model as the user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelRef {
    /// The default model, from its package.
    Default,
    /// A file on this machine.
    Path(PathBuf),
    /// A file on the hub, `hf:owner/repo/file.gguf[@revision]`.
    Hub(HubFile),
}

impl FromStr for ModelRef {
    type Err = ModelFileError;

    fn from_str(given: &str) -> Result<Self, ModelFileError> {
        if let Some(rest) = given.strip_prefix("hf:") {
            let file = HubFile::parse(rest);
            return file.map(Self::Hub).ok_or_else(|| ModelFileError::BadHubReference { given: given.to_owned() });
        }
        if given.eq_ignore_ascii_case(DEFAULT_MODEL) {
            return Ok(Self::Default);
        }
        let path = PathBuf::from(given);
        if path.exists() || given.contains(['/', '\\']) || given.ends_with(".gguf") {
            return Ok(Self::Path(path));
        }
        Err(ModelFileError::Unknown { given: given.to_owned(), known: DEFAULT_MODEL })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_paths_and_hub_files_are_told_apart() {
        assert_eq!("SmolLM2-135M-Instruct".parse::<ModelRef>().unwrap(), ModelRef::Default);
        assert_eq!("some/where.gguf".parse::<ModelRef>().unwrap(), ModelRef::Path("some/where.gguf".into()));
        assert!(matches!("hf:a/b/c.gguf".parse::<ModelRef>().unwrap(), ModelRef::Hub(_)));
        assert!(matches!("hf:a/b".parse::<ModelRef>(), Err(ModelFileError::BadHubReference { .. })));
        let unknown = "gpt-17".parse::<ModelRef>().unwrap_err();
        assert!(unknown.to_string().contains("gpt-17") && unknown.to_string().contains(DEFAULT_MODEL));
    }
}
