use inshore_gguf::testing::block_on;

use super::{BackendKind, DeviceChoice, OpenDevice};

#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "gpu")]
mod least;

#[test]
fn the_cpu_needs_no_driver_and_has_no_limit() {
    let opened = block_on(OpenDevice::open(DeviceChoice::Cpu)).expect("the CPU is always there");
    assert_eq!((opened.backend, opened.max_tensor_bytes), (BackendKind::Flex, None));
    assert!(opened.name.starts_with("CPU"), "{}", opened.name);
}

#[cfg(not(feature = "gpu"))]
#[test]
fn without_gpu_kernels_the_cpu_is_chosen() {
    assert!(block_on(super::adapters()).is_empty());
    let refused = block_on(OpenDevice::open(DeviceChoice::Gpu));
    assert!(matches!(refused, Err(super::DeviceError::NoGpuKernels)), "{refused:?}");
    let opened = block_on(OpenDevice::open(DeviceChoice::Auto)).expect("the CPU is always there");
    assert_eq!(opened.backend, BackendKind::Flex);
}
