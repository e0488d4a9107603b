//! GPU adapters through wgpu.

use std::sync::{PoisonError, RwLock};

use burn::tensor::Device;
use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, WgpuSetup, wgpu};
use burn_cubecl::CubeDevice;

use super::{Adapter, BackendKind, DeviceError, GpuPlan, GpuTraits, GpuUse, OpenDevice};

/// Which adapter.
pub type Kind = burn::tensor::DeviceKind;

/// The plans of the open devices. Kernels are launched for tensors, which know their device and nothing else.
static PLANS: RwLock<Vec<(CubeDevice, GpuPlan)>> = RwLock::new(Vec::new());

/// The plan of the device, which is [`GpuPlan::FALLBACK`] where it was not opened here.
pub(crate) fn plan_of(device: &CubeDevice) -> GpuPlan {
    let plans = PLANS.read().unwrap_or_else(PoisonError::into_inner);
    plans.iter().find(|(of, _)| of == device).map_or(GpuPlan::FALLBACK, |&(_, plan)| plan)
}

/// An open GPU.
#[derive(Debug, Clone)]
pub struct Gpu {
    wgpu: wgpu::Device,
    cube: CubeDevice,
    traits: GpuTraits,
    identity: String,
}

impl Gpu {
    fn new(device: &Device, setup: &WgpuSetup) -> Option<Self> {
        let burn::backend::DispatchDevice::Cube(cube) = device.as_dispatch() else { return None };
        let info = setup.adapter.get_info();
        let gpu = Self {
            wgpu: setup.device.clone(),
            cube: cube.clone(),
            traits: traits(&info, setup.device.features(), &setup.device.limits()),
            identity: [&*describe(&info), &info.driver, &info.driver_info].join(" | "),
        };
        gpu.use_plan(GpuPlan::rule_of_thumb(&gpu.traits));
        Some(gpu)
    }

    pub const fn traits(&self) -> &GpuTraits {
        &self.traits
    }

    pub fn identity(&self) -> &str {
        &self.identity
    }

    pub fn plan(&self) -> GpuPlan {
        plan_of(&self.cube)
    }

    pub fn use_plan(&self, plan: GpuPlan) {
        let mut plans = PLANS.write().unwrap_or_else(PoisonError::into_inner);
        match plans.iter_mut().find(|(of, _)| *of == self.cube) {
            Some((_, known)) => *known = plan,
            None => plans.push((self.cube.clone(), plan)),
        }
    }

    /// What it was asked for until now.
    pub fn used(&self) -> GpuUse {
        let buffers = self.wgpu.generate_allocator_report().map(|report| report.allocations.len());
        GpuUse { dispatches: crate::cube::dispatches(), buffers }
    }

    /// Runs `work` and tells if an allocation failed in it.
    pub async fn watching_memory<T>(&self, work: impl Future<Output = T>) -> Result<T, DeviceError> {
        let scope = self.wgpu.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let result = work.await;
        match scope.pop().await {
            Some(_) => Err(DeviceError::OutOfMemory),
            None => Ok(result),
        }
    }
}

fn traits(info: &wgpu::AdapterInfo, features: wgpu::Features, limits: &wgpu::Limits) -> GpuTraits {
    // Metal states a range; Apple's own GPUs have 32.
    let apple = cfg!(all(target_vendor = "apple", target_arch = "aarch64"));
    GpuTraits {
        software: info.device_type == wgpu::DeviceType::Cpu,
        plane_operations: features.contains(wgpu::Features::SUBGROUP),
        plane_units: if apple { [32, 32] } else { [info.subgroup_min_size, info.subgroup_max_size] },
        f16: features.contains(wgpu::Features::SHADER_F16),
        workgroup_bytes: limits.max_compute_workgroup_storage_size as usize,
        cube_units: limits.max_compute_invocations_per_workgroup as usize,
        binding_bytes: limits.max_buffer_size.min(limits.max_storage_buffer_binding_size),
    }
}

/// Opens an adapter, for the first time or again.
pub async fn open(kind: Kind) -> Result<OpenDevice, DeviceError> {
    let options = Device::wgpu_options().device_kind(kind.clone()).graphics_api(GRAPHICS_API);
    match options.init_with_setup_async().await {
        Ok((device, setup)) => Ok(opened(device, setup)),
        // The runtime keeps every device, even a lost one, until the process ends, and does not open the same kind again. A device
        // that we open and hand over counts as a new one.
        #[cfg(not(target_family = "wasm"))]
        Err(WgpuInitError::Registration { .. }) => open_anew(kind).await,
        Err(error) => Err(refused(error)),
    }
}

/// Opens an adapter whose kind the runtime has opened before.
#[cfg(not(target_family = "wasm"))]
async fn open_anew(kind: Kind) -> Result<OpenDevice, DeviceError> {
    let instance = instance();
    let wanted = match kind {
        Kind::DiscreteGpu(index) => Some((wgpu::DeviceType::DiscreteGpu, index)),
        Kind::IntegratedGpu(index) => Some((wgpu::DeviceType::IntegratedGpu, index)),
        Kind::VirtualGpu(index) => Some((wgpu::DeviceType::VirtualGpu, index)),
        Kind::Cpu => Some((wgpu::DeviceType::Cpu, 0)),
        _ => None,
    };
    let adapter = match wanted {
        None => best_adapter(&instance).await?,
        Some((device_type, index)) => {
            let found = instance.enumerate_adapters(graphics_apis()).await;
            let mut of_type = found.into_iter().filter(|adapter| adapter.get_info().device_type == device_type);
            of_type.nth(index).ok_or_else(|| DeviceError::NoAdapter { source: "the adapter is gone".into() })?
        }
    };
    // The features that the runtime itself requests, without experimental ones, which no kernel here uses.
    let left_out = wgpu::Features::MAPPABLE_PRIMARY_BUFFERS | wgpu::Features::all_experimental_mask();
    let (features, limits) = (adapter.features().difference(left_out), adapter.limits());
    register(instance, adapter, features, limits).await
}

/// Opens the best adapter as one that has only what every WebGPU device has.
pub async fn open_least() -> Result<OpenDevice, DeviceError> {
    let instance = instance();
    let adapter = best_adapter(&instance).await?;
    register(instance, adapter, wgpu::Features::empty(), wgpu::Limits::defaults()).await
}

async fn best_adapter(instance: &wgpu::Instance) -> Result<wgpu::Adapter, DeviceError> {
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..wgpu::RequestAdapterOptions::default()
    };
    let adapter = instance.request_adapter(&options).await;
    adapter.map_err(|error| DeviceError::NoAdapter { source: error.to_string().into() })
}

/// Opens `adapter` and hands its device to the runtime.
async fn register(
    instance: wgpu::Instance,
    adapter: wgpu::Adapter,
    required_features: wgpu::Features,
    required_limits: wgpu::Limits,
) -> Result<OpenDevice, DeviceError> {
    let descriptor = wgpu::DeviceDescriptor {
        required_features,
        required_limits,
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        ..wgpu::DeviceDescriptor::default()
    };
    let (wgpu, queue) = adapter
        .request_device(&descriptor)
        .await
        .map_err(|error| DeviceError::Refused { source: error.to_string().into() })?;
    let backend = adapter.get_info().backend;
    let setup = WgpuSetup { instance, adapter, device: wgpu, queue, backend };
    let device = Device::wgpu_options().setup(setup.clone()).init().map_err(refused)?;
    Ok(opened(device, setup))
}

fn opened(device: Device, setup: WgpuSetup) -> OpenDevice {
    let gpu = Gpu::new(&device, &setup);
    OpenDevice {
        device,
        backend: BackendKind::Wgpu,
        name: describe(&setup.adapter.get_info()),
        max_tensor_bytes: gpu.as_ref().map(|gpu| gpu.traits.binding_bytes),
        is_automatic: false,
        gpu,
    }
}

fn refused(error: WgpuInitError) -> DeviceError {
    match error {
        WgpuInitError::AdapterUnavailable { .. } => DeviceError::NoAdapter { source: error.into() },
        _ => DeviceError::Refused { source: error.into() },
    }
}

/// The adapters of this machine, in the order that [`DeviceChoice::Adapter`] counts them. Empty in a browser, which
/// lists none.
pub async fn adapters() -> Vec<Adapter> {
    #[cfg(target_family = "wasm")]
    return Vec::new();
    #[cfg(not(target_family = "wasm"))]
    {
        let found = instance().enumerate_adapters(graphics_apis()).await;
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

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: graphics_apis(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn graphics_apis() -> wgpu::Backends {
    match GRAPHICS_API {
        WgpuBackend::WebGpu => wgpu::Backends::BROWSER_WEBGPU,
        WgpuBackend::Metal => wgpu::Backends::METAL,
        WgpuBackend::Dx12 => wgpu::Backends::DX12,
        _ => wgpu::Backends::VULKAN,
    }
}

fn describe(info: &wgpu::AdapterInfo) -> String {
    let name = if info.name.is_empty() { "GPU" } else { &info.name };
    format!("{name} on {:?}", info.backend)
}
