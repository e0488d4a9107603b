//! Attention and what comes before it: projections, RoPE, the KV cache.

pub(crate) mod kernel;
pub(crate) mod launch;
pub mod reference;
#[cfg(test)]
mod tests;
