//! Products with packed matrices.

pub(crate) mod kernel;
pub(crate) mod launch;
pub mod reference;
#[cfg(test)]
mod tests;
