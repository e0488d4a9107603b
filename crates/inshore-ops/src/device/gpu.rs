//! GPU adapters through wgpu.

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};

use super::{Adapter, BackendKind, DeviceError, GpuUse, OpenDevice};

/// Which adapter.
pub type Kind = burn::tensor::DeviceKind;

/// An open GPU.
#[derive(Debug, Clone)]
pub struct Gpu(wgpu::Device);

impl Gpu {
    /// What it was asked for until now.
    pub fn used(&self) -> GpuUse {
        let buffers = self.0.generate_allocator_report().map(|report| report.allocations.len());
        GpuUse { dispatches: crate::cube::dispatches(), buffers }
    }

    /// Runs `work` and tells if an allocation failed in it.
    pub async fn watching_memory<T>(&self, work: impl Future<Output = T>) -> Result<T, DeviceError> {
        let scope = self.0.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = work.await;
        match scope.pop().await {
            Some(_) => Err(DeviceError::OutOfMemory),
            None => Ok(result),
        }
    }
}

/// Opens an adapter.
pub async fn open(kind: Kind) -> Result<OpenDevice, DeviceError> {
    let options = Device::wgpu_options().device_kind(kind).graphics_api(GRAPHICS_API);
    let (device, setup) = options.init_with_setup_async().await.map_err(|error| match error {
        WgpuInitError::AdapterUnavailable { .. } => DeviceError::NoAdapter { source: error.into() },
        _ => DeviceError::Refused { source: error.into() },
    })?;
    let limits = setup.device.limits();
    Ok(OpenDevice {
        device,
        backend: BackendKind::Wgpu,
        name: describe(&setup.adapter.get_info()),
        max_tensor_bytes: Some(limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)),
        gpu: Some(Gpu(setup.device)),
    })
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
                        wgpu::DeviceType::DiscreteGpu => Kind::DiscreteGpu(index),
                        wgpu::DeviceType::IntegratedGpu => Kind::IntegratedGpu(index),
                        wgpu::DeviceType::VirtualGpu => Kind::VirtualGpu(index),
                        wgpu::DeviceType::Cpu => Kind::Cpu,
                        wgpu::DeviceType::Other => Kind::DefaultDevice,
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
