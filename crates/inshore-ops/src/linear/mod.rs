//! Products with packed matrices.

#[cfg(feature = "gpu")]
pub(crate) mod kernel;
#[cfg(feature = "gpu")]
pub(crate) mod launch;
pub mod reference;
#[cfg(test)]
mod tests;
