use std::process::{Command, Output};

use inshore_gguf::testing::block_on;

use super::super::{BackendKind, DeviceChoice, DeviceError, OpenDevice, adapters};
use crate::backends::{floats, gpu, read};

/// Set in the process that a test starts again for itself, with another environment.
const CHILD: &str = "INSHORE_DEVICE_TEST_CHILD";

/// Runs the test `name` again in a process of its own, with `variables` set.
fn rerun(name: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().expect("the test binary has a path"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .envs(variables.iter().copied())
        .output()
        .expect("the test binary can be started again")
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

#[track_caller]
fn assert_passed(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

#[test]
fn a_gpu_opens_and_computes() {
    let opened = gpu();
    println!("{} (largest tensor {:?} bytes)", opened.name, opened.max_tensor_bytes);
    assert_eq!(opened.backend, BackendKind::Wgpu);
    assert!(opened.max_tensor_bytes.is_some_and(|bytes| bytes >= 128 << 20), "{opened:?}");
    let doubled = block_on(opened.watching_memory(async { read(floats(&[1.5, -2.0], [2], &opened.device) * 2.0) }));
    assert_eq!(doubled.expect("eight bytes fit"), [3.0, -4.0]);
}

#[test]
fn adapters_open_by_their_index() {
    const NAME: &str = "device::tests::gpu::adapters_open_by_their_index";
    if !is_child() {
        return assert_passed(&rerun(NAME, &[]));
    }
    let found = block_on(adapters());
    let last = found.len().checked_sub(1).expect("an adapter, if only one in software; install a Vulkan driver");
    let opened = block_on(OpenDevice::open(DeviceChoice::Adapter(last))).expect("a listed adapter opens");
    assert_eq!(opened.name, found[last].name);
    let past = block_on(OpenDevice::open(DeviceChoice::Adapter(found.len())));
    assert!(matches!(past, Err(DeviceError::NoSuchAdapter { index, count }) if index == count), "{past:?}");
}

/// Without any driver a GPU is a typed error, and the automatic choice is the CPU.
#[test]
fn no_driver_is_no_panic() {
    const NAME: &str = "device::tests::gpu::no_driver_is_no_panic";
    if !is_child() {
        let nowhere = "/nonexistent/icd.json";
        return assert_passed(&rerun(NAME, &[("VK_ICD_FILENAMES", nowhere), ("VK_DRIVER_FILES", nowhere)]));
    }
    if cfg!(any(target_vendor = "apple", target_os = "windows")) {
        return; // Metal and DX12 take no driver from the environment.
    }
    assert!(block_on(adapters()).is_empty());
    let refused = block_on(OpenDevice::open(DeviceChoice::Gpu));
    assert!(matches!(refused, Err(DeviceError::NoAdapter { .. })), "{refused:?}");
    let opened = block_on(OpenDevice::open(DeviceChoice::Auto)).expect("the CPU is always there");
    assert_eq!(opened.backend, BackendKind::Flex);
    assert_eq!(read(floats(&[4.0], [1], &opened.device)), [4.0]);
}
