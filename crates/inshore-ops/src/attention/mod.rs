//! Attention and what comes before it: projections, RoPE, the KV cache.

#[cfg(feature = "gpu")]
pub(crate) mod kernel;
#[cfg(feature = "gpu")]
pub(crate) mod launch;
pub mod reference;
#[cfg(test)]
mod tests;
