//! In place of `gpu.rs` in a build without GPU kernels: there is no adapter, and nothing opens.

use std::convert::Infallible;

use super::{Adapter, DeviceError, GpuUse, OpenDevice};

/// Which adapter.
#[derive(Debug, Clone, Default)]
pub struct Kind;

/// No GPU is ever open.
#[derive(Debug, Clone)]
pub struct Gpu(Infallible);

impl Gpu {
    pub fn used(&self) -> GpuUse {
        match self.0 {}
    }

    pub async fn watching_memory<T>(&self, _work: impl Future<Output = T>) -> Result<T, DeviceError> {
        match self.0 {}
    }
}

pub async fn open(_kind: Kind) -> Result<OpenDevice, DeviceError> {
    Err(DeviceError::NoGpuKernels)
}

/// None: this build has no GPU kernels.
pub async fn adapters() -> Vec<Adapter> {
    Vec::new()
}
