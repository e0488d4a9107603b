//! Token embedding: rows of a packed table, dequantised.

pub(crate) mod kernel;
pub(crate) mod launch;
pub mod reference;
#[cfg(test)]
mod tests;
