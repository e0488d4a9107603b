//! Devices as values: the CPU (`burn-flex`) or a GPU adapter (wgpu), and what is known of them.

use burn::tensor::Device;

use crate::PackedLayout;

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "device/no_gpu.rs"]
mod gpu;
pub mod plan;

pub use self::gpu::adapters;
#[cfg(feature = "gpu")]
pub(crate) use self::gpu::plan_of;
pub use self::plan::{GpuPlan, GpuTraits, NoPlan};

/// Which device a caller asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The best hardware GPU, or the CPU where there is none.
    #[default]
    Auto,
    /// The best GPU adapter, also one emulated in software.
    Gpu,
    /// The CPU.
    Cpu,
    /// The adapter with this index in [`adapters`].
    Adapter(usize),
    /// The best GPU adapter, asked for no more than every WebGPU device has ([`GpuTraits::LEAST`]): slower, and a way
    /// to see what such a device would compute.
    LeastGpu,
}

/// Which of the two backends computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// CubeCL kernels on wgpu.
    Wgpu,
    /// Rust kernels on the CPU.
    Flex,
}

impl BackendKind {
    /// Name in reports: `wgpu` or `flex`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wgpu => "wgpu",
            Self::Flex => "flex",
        }
    }
}

/// A device that is ready for tensors.
#[derive(Debug, Clone)]
pub struct OpenDevice {
    /// Burn's handle; clones share the device.
    pub device: Device,
    /// The backend behind it.
    pub backend: BackendKind,
    /// What the driver calls the device, e.g. `llvmpipe (LLVM 15.0.6, 256 bits) on Vulkan`, or `CPU, 2 threads`.
    pub name: String,
    /// Largest single buffer that a kernel can read, in bytes; `None` where only memory is the limit.
    pub max_tensor_bytes: Option<u64>,
    /// Whether [`DeviceChoice::Auto`] chose it. Then an unsupported option falls back instead of failing.
    pub is_automatic: bool,
    gpu: Option<gpu::Gpu>,
}

/// Why a device could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no adapter at all.
    #[error("no GPU adapter was found; install a Vulkan, Metal or DX12 driver, or use the CPU (device `cpu`)")]
    NoAdapter {
        /// What wgpu said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The index is past the last adapter.
    #[error("there is no adapter {index}: {count} found; list them with `inshore devices`")]
    NoSuchAdapter {
        /// Index that was asked for.
        index: usize,
        /// Adapters that there are.
        count: usize,
    },
    /// The adapter is there but gives no device.
    #[error("the GPU refused to open; close other programs that use it, or use the CPU (device `cpu`)")]
    Refused {
        /// What wgpu said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The device lacks what a plan needs.
    #[error("this device cannot run the plan `{plan}`; leave the choice to inshore")]
    PlanDoesNotFit {
        /// The plan.
        plan: GpuPlan,
    },
    /// This build has no GPU kernels (feature `gpu`).
    #[error("this build computes on the CPU only; use the CPU (device `cpu`)")]
    NoGpuKernels,
    /// An allocation failed while work was running.
    #[error(
        "the GPU has not enough memory for this model and context; use a shorter context or the CPU (device `cpu`)"
    )]
    OutOfMemory,
}

impl OpenDevice {
    /// The CPU. Natively its kernels use rayon's global pool.
    pub fn cpu() -> Self {
        let name = format!("CPU, {} thread(s)", crate::flex::threads());
        Self {
            device: Device::flex(),
            backend: BackendKind::Flex,
            name,
            max_tensor_bytes: None,
            is_automatic: false,
            gpu: None,
        }
    }

    /// Opens the device that `choice` names. In a browser call it once per page and clone the result: the runtime
    /// behind it cannot be registered twice.
    ///
    /// # Errors
    /// [`DeviceError`]; never with [`DeviceChoice::Cpu`].
    pub async fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Gpu => gpu::open(gpu::Kind::default()).await,
            DeviceChoice::Auto => Ok(Self { is_automatic: true, ..Self::open_auto().await }),
            DeviceChoice::LeastGpu => gpu::open_least().await,
            DeviceChoice::Adapter(index) => {
                let found = adapters().await;
                let adapter = found.get(index).ok_or(DeviceError::NoSuchAdapter { index, count: found.len() })?;
                gpu::open(adapter.kind.clone()).await
            }
        }
    }

    /// A native host prefers its CPU kernels to a GPU that is emulated on the same CPU; a browser does not say reliably
    /// what an adapter is, so there any adapter counts.
    async fn open_auto() -> Self {
        #[cfg(not(target_family = "wasm"))]
        if adapters().await.iter().all(|adapter| adapter.software) {
            return Self::cpu();
        }
        gpu::open(gpu::Kind::default()).await.unwrap_or_else(|_| Self::cpu())
    }

    /// The same matrix as this device multiplies it fastest, activations rounded where it pays.
    #[must_use]
    pub const fn arrange(&self, layout: PackedLayout) -> PackedLayout {
        match self.backend {
            BackendKind::Flex => layout.in_panels(),
            BackendKind::Wgpu => layout,
        }
    }

    /// The instruction set of the CPU's kernels: `AVX-512 VNNI`, `AVX2`, `NEON`, `simd128` or `portable`.
    pub fn cpu_instructions() -> &'static str {
        crate::flex::instructions()
    }

    /// What a GPU can do; `None` for the CPU.
    pub fn gpu_traits(&self) -> Option<&GpuTraits> {
        self.gpu.as_ref().map(gpu::Gpu::traits)
    }

    /// A GPU's adapter, driver and graphics API: what a plan that was measured on it is remembered by.
    pub fn gpu_identity(&self) -> Option<&str> {
        self.gpu.as_ref().map(gpu::Gpu::identity)
    }

    /// How a GPU computes products; `None` for the CPU.
    pub fn plan(&self) -> Option<GpuPlan> {
        self.gpu.as_ref().map(gpu::Gpu::plan)
    }

    /// Computes products on a GPU by `plan` from the next launch on; the CPU has none and does nothing. What was recorded stays
    /// as it is.
    ///
    /// # Errors
    /// [`DeviceError::PlanDoesNotFit`].
    pub fn use_plan(&self, plan: GpuPlan) -> Result<(), DeviceError> {
        match &self.gpu {
            Some(gpu) if !plan.fits(gpu.traits()) => Err(DeviceError::PlanDoesNotFit { plan }),
            Some(gpu) => {
                gpu.use_plan(plan);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// What a GPU was asked for until now; `None` for the CPU.
    pub fn gpu_use(&self) -> Option<GpuUse> {
        self.gpu.as_ref().map(gpu::Gpu::used)
    }

    /// Runs `work` (loading a model, say) and tells if a GPU allocation failed in it.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    pub async fn watching_memory<T>(&self, work: impl Future<Output = T>) -> Result<T, DeviceError> {
        match &self.gpu {
            Some(gpu) => gpu.watching_memory(work).await,
            None => Ok(work.await),
        }
    }
}

/// For tests and measurements: what a step costs beside its arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GpuUse {
    /// Kernels that this crate has launched in this process; no other are on a decoder's way.
    pub dispatches: u64,
    /// Buffers that live now, where the driver tells.
    pub buffers: Option<usize>,
}

/// A GPU adapter of this machine.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Name, driver and graphics API.
    pub name: String,
    /// Whether it is emulated on the CPU (llvmpipe, SwiftShader).
    pub software: bool,
    kind: gpu::Kind,
}

#[cfg(test)]
mod tests;
