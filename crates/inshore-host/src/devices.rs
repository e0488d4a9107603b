//! `inshore devices`: what can compute here.

use std::process::ExitCode;

use inshore_model::{OpenDevice, adapters};

/// Runs the command.
///
/// # Errors
/// None; a machine without GPU lists its CPU.
pub fn run() -> anyhow::Result<ExitCode> {
    let features = cpu_features();
    let features = if features.is_empty() { "baseline".to_owned() } else { features.join(" ") };
    println!("cpu  {}  [{features}]", OpenDevice::cpu().name);
    let found = pollster::block_on(adapters());
    for (index, adapter) in found.iter().enumerate() {
        let note = if adapter.software { "  (software: emulated on the CPU)" } else { "" };
        println!("{index}    {}{note}", adapter.name);
    }
    if found.is_empty() {
        println!("no GPU adapter; install a Vulkan, Metal or DX12 driver to use one");
    }
    let auto = pollster::block_on(OpenDevice::open(inshore_model::DeviceChoice::Auto));
    if let Ok(device) = auto {
        println!("auto takes: {}", device.name);
    }
    Ok(ExitCode::SUCCESS)
}

/// The vector extensions that matter to the kernels and that this CPU has.
#[cfg(target_arch = "x86_64")]
fn cpu_features() -> Vec<&'static str> {
    let found = [
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
    ];
    found.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

/// The vector extensions that matter to the kernels and that this CPU has.
#[cfg(target_arch = "aarch64")]
fn cpu_features() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected;
    let found = [
        ("neon", is_aarch64_feature_detected!("neon")),
        ("dotprod", is_aarch64_feature_detected!("dotprod")),
        ("i8mm", is_aarch64_feature_detected!("i8mm")),
        ("fp16", is_aarch64_feature_detected!("fp16")),
        ("sve", is_aarch64_feature_detected!("sve")),
    ];
    found.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

/// Nothing is known of other CPUs.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn cpu_features() -> Vec<&'static str> {
    Vec::new()
}
