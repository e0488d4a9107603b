//! Refuses valid files that are not a complete model of a supported kind.

use inshore_gguf::Metadata;

use crate::ModelError;

/// Refuses files that are not a complete, dense language model, before their hyperparameters are read.
///
/// # Errors
/// [`ModelError::NotAModel`], [`ModelError::SplitFile`], [`ModelError::MixtureOfExperts`], or a wrong type.
pub fn check(metadata: &Metadata) -> Result<(), ModelError> {
    let named = metadata.string("general.type")?;
    let is_adapter = metadata.iter().any(|(key, _)| key.starts_with("adapter."));
    if let Some(kind) = named.filter(|&kind| kind != "model").or(is_adapter.then_some("adapter")) {
        return Err(ModelError::NotAModel { kind: kind.chars().take(64).collect() });
    }
    let parts = metadata.u64("split.count")?.unwrap_or(1);
    let part = metadata.u64("split.no")?.unwrap_or(0);
    if parts > 1 || part > 0 {
        return Err(ModelError::SplitFile { part: part.saturating_add(1), parts });
    }
    if let Some(architecture) = metadata.string("general.architecture")? {
        let experts = metadata.u64(&format!("{architecture}.expert_count"))?.unwrap_or(0);
        if experts > 0 {
            return Err(ModelError::MixtureOfExperts { found: format!("{architecture}.expert_count = {experts}") });
        }
    }
    Ok(())
}
