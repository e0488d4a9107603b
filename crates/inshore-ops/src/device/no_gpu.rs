//! In place of `gpu.rs` in a build without GPU kernels: there is no adapter, and nothing opens.

use std::convert::Infallible;

use super::{Adapter, DeviceError, GpuPlan, GpuTraits, GpuUse, OpenDevice};

/// Which adapter.
#[derive(Debug, Clone, Default)]
pub struct Kind;

/// No GPU is ever open.
#[derive(Debug, Clone)]
pub struct Gpu(Infallible);

impl Gpu {
    pub fn traits(&self) -> &GpuTraits {
        match self.0 {}
    }

    pub fn identity(&self) -> &str {
        match self.0 {}
    }

    pub fn plan(&self) -> GpuPlan {
        match self.0 {}
    }

    pub fn use_plan(&self, _plan: GpuPlan) {
        match self.0 {}
    }

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

pub async fn open_least() -> Result<OpenDevice, DeviceError> {
    Err(DeviceError::NoGpuKernels)
}

/// None: this build has no GPU kernels.
pub async fn adapters() -> Vec<Adapter> {
    Vec::new()
}
