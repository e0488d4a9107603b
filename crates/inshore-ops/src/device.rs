//! Devices as values: the CPU (`burn-flex`) or a GPU adapter (wgpu), and what is known of them.

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
use burn::tensor::{Device, DeviceKind};

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
    gpu: Option<wgpu::Device>,
}

/// Why a device could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no adapter at all.
    #[error("no GPU adapter was found; install a Vulkan, Metal or DX12 driver, or use the CPU (device `cpu`)")]
    NoAdapter {
        /// What wgpu said.
        #[source]
        source: WgpuInitError,
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
        #[source]
        source: WgpuInitError,
    },
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
        Self { device: Device::flex(), backend: BackendKind::Flex, name, max_tensor_bytes: None, gpu: None }
    }

    /// Opens the device that `choice` names. In a browser call it once per page and clone the result: the runtime
    /// behind it cannot be registered twice.
    ///
    /// # Errors
    /// [`DeviceError`]; never with [`DeviceChoice::Cpu`].
    pub async fn open(choice: DeviceChoice) -> Result<Self, DeviceError> {
        match choice {
            DeviceChoice::Cpu => Ok(Self::cpu()),
            DeviceChoice::Gpu => Self::open_gpu(DeviceKind::DefaultDevice).await,
            DeviceChoice::Auto => Self::open_auto().await,
            DeviceChoice::Adapter(index) => {
                let found = adapters().await;
                let adapter = found.get(index).ok_or(DeviceError::NoSuchAdapter { index, count: found.len() })?;
                Self::open_gpu(adapter.kind.clone()).await
            }
        }
    }

    /// A native host prefers its CPU kernels to a GPU that is emulated on the same CPU; a browser does not say reliably
    /// what an adapter is, so there any adapter counts.
    async fn open_auto() -> Result<Self, DeviceError> {
        #[cfg(not(target_family = "wasm"))]
        if adapters().await.iter().all(|adapter| adapter.software) {
            return Ok(Self::cpu());
        }
        Ok(Self::open_gpu(DeviceKind::DefaultDevice).await.unwrap_or_else(|_| Self::cpu()))
    }

    async fn open_gpu(kind: DeviceKind) -> Result<Self, DeviceError> {
        let options = Device::wgpu_options().device_kind(kind).graphics_api(GRAPHICS_API);
        let (device, setup) = options.init_with_setup_async().await.map_err(|source| match source {
            WgpuInitError::AdapterUnavailable { .. } => DeviceError::NoAdapter { source },
            source => DeviceError::Refused { source },
        })?;
        let limits = setup.device.limits();
        Ok(Self {
            device,
            backend: BackendKind::Wgpu,
            name: describe(&setup.adapter.get_info()),
            max_tensor_bytes: Some(limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)),
            gpu: Some(setup.device),
        })
    }

    /// What a GPU was asked for until now; `None` for the CPU.
    pub fn gpu_use(&self) -> Option<GpuUse> {
        let report = self.gpu.as_ref()?.generate_allocator_report();
        let buffers = report.map(|report| report.allocations.len());
        Some(GpuUse { dispatches: crate::cube::dispatches(), buffers })
    }

    /// Runs `work` (loading a model, say) and tells if a GPU allocation failed in it.
    ///
    /// # Errors
    /// [`DeviceError::OutOfMemory`].
    pub async fn watching_memory<T>(&self, work: impl Future<Output = T>) -> Result<T, DeviceError> {
        let Some(gpu) = &self.gpu else { return Ok(work.await) };
        let scope = gpu.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = work.await;
        match scope.pop().await {
            Some(_) => Err(DeviceError::OutOfMemory),
            None => Ok(result),
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
    kind: DeviceKind,
}

/// The adapters of this machine, in the order that [`DeviceChoice::Adapter`] counts them. Empty in a browser, which
/// lists none.
pub async fn adapters() -> Vec<Adapter> {
    #[cfg(target_family = "wasm")]
    return Vec::new();
    #[cfg(not(target_family = "wasm"))]
    {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
            backends: graphics_apis(),
            ..wgpu::InstanceDescriptor::new_without_display_handle()
        });
        let found = instance.enumerate_adapters(graphics_apis()).await;
        let mut seen = Vec::new();
        found
            .iter()
            .map(|adapter| {
                let info = adapter.get_info();
                let index = seen.iter().filter(|&&device_type| device_type == info.device_type).count();
                seen.push(info.device_type);
                Adapter {
                    name: describe(&info),
                    software: info.device_type == wgpu::DeviceType::Cpu,
                    kind: match info.device_type {
                        wgpu::DeviceType::DiscreteGpu => DeviceKind::DiscreteGpu(index),
                        wgpu::DeviceType::IntegratedGpu => DeviceKind::IntegratedGpu(index),
                        wgpu::DeviceType::VirtualGpu => DeviceKind::VirtualGpu(index),
                        wgpu::DeviceType::Cpu => DeviceKind::Cpu,
                        wgpu::DeviceType::Other => DeviceKind::DefaultDevice,
                    },
                }
            })
            .collect()
    }
}

/// The one graphics API that is used on each platform. Left to choose, the runtime would fall back to OpenGL, whose
/// compute shaders are too limited for the kernels.
const GRAPHICS_API: WgpuBackend = if cfg!(target_family = "wasm") {
    WgpuBackend::WebGpu
} else if cfg!(target_vendor = "apple") {
    WgpuBackend::Metal
} else if cfg!(target_os = "windows") {
    WgpuBackend::Dx12
} else {
    WgpuBackend::Vulkan
};

#[cfg(not(target_family = "wasm"))]
fn graphics_apis() -> wgpu::Backends {
    match GRAPHICS_API {
        WgpuBackend::Metal => wgpu::Backends::METAL,
        WgpuBackend::Dx12 => wgpu::Backends::DX12,
        _ => wgpu::Backends::VULKAN,
    }
}

fn describe(info: &wgpu::AdapterInfo) -> String {
    let name = if info.name.is_empty() { "GPU" } else { &info.name };
    format!("{name} on {:?}", info.backend)
}

#[cfg(test)]
mod tests;
