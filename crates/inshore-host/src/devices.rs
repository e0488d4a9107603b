//! `inshore devices`: what can compute here.

use std::process::ExitCode;

use inshore_model::{DeviceChoice, GpuPlan, GpuTraits, OpenDevice, adapters};

use crate::models::Cache;
use crate::output;
use crate::plan_file::PlanFile;

/// Runs the command. A machine without GPU lists its CPU.
///
/// # Errors
/// [`output::OutputError`].
pub fn run() -> anyhow::Result<ExitCode> {
    // Opening a GPU takes a while, so each line is printed when it is known.
    let features = cpu_features();
    let features = if features.is_empty() { "baseline".to_owned() } else { features.join(" ") };
    output::print_line(format_args!("cpu  {}  [{features}]", OpenDevice::cpu().name))?;
    output::print_line(format_args!("     kernels: {}", OpenDevice::cpu_instructions()))?;
    let found = pollster::block_on(adapters());
    for (index, adapter) in found.iter().enumerate() {
        let note = if adapter.software { "  (software: emulated on the CPU)" } else { "" };
        output::print_line(format_args!("{index}    {}{note}", adapter.name))?;
        for line in gpu_lines(index) {
            output::print_line(format_args!("     {line}"))?;
        }
    }
    if found.is_empty() {
        output::print_line("no GPU adapter; install a Vulkan, Metal or DX12 driver to use one")?;
    }
    let auto = pollster::block_on(OpenDevice::open(DeviceChoice::Auto));
    if let Ok(device) = auto {
        output::print_line(format_args!("auto takes: {}", device.name))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// How the adapter with this index computes: by the rule of thumb, and what was measured on it.
fn gpu_lines(index: usize) -> Vec<String> {
    let device = match pollster::block_on(OpenDevice::open(DeviceChoice::Adapter(index))) {
        Ok(device) => device,
        Err(error) => return vec![format!("does not open: {error}")],
    };
    let (Some(gpu), Some(identity)) = (device.gpu_traits(), device.gpu_identity()) else { return Vec::new() };
    let mut lines = paths(gpu);
    let known = Cache::of_user().map(|cache| PlanFile::of(&cache).read()).unwrap_or_default();
    for (key, plan) in &known {
        let shapes = key.strip_prefix(identity).and_then(|rest| rest.strip_prefix(" | "));
        if let (Some(shapes), Ok(plan)) = (shapes, plan.parse::<GpuPlan>()) {
            lines.push(format!("measured: {plan} for {shapes}"));
        }
    }
    lines
}

/// The plan that a GPU gets, what it can do, and where it has to take a slower way.
fn paths(gpu: &GpuTraits) -> Vec<String> {
    let plan = GpuPlan::rule_of_thumb(gpu);
    let [narrowest, widest] = gpu.plane_units;
    let subgroups = match (gpu.plane_operations, narrowest == widest) {
        (false, _) => "no subgroups".to_owned(),
        (true, true) => format!("subgroups of {widest}"),
        (true, false) => format!("subgroups of {narrowest} to {widest}"),
    };
    let f16 = if gpu.f16 { "f16" } else { "no f16" };
    let mut lines = vec![
        format!("plan: {plan} (rows a unit/sums through/tile/parts of a context), activations in f32"),
        format!(
            "has: {subgroups}, {f16}, bindings to {} MiB, workgroups of {} units with {} KiB",
            gpu.binding_bytes >> 20,
            gpu.cube_units,
            gpu.workgroup_bytes >> 10
        ),
    ];
    let mut slower = Vec::new();
    if !GpuPlan::gemv_candidates(gpu).iter().any(|plan| plan.workgroup_bytes() == 0) {
        slower.push("sums only through workgroup memory".to_owned());
    }
    if gpu.workgroup_bytes < 32 << 10 {
        slower.push(format!("small tiles for {} KiB of workgroup memory", gpu.workgroup_bytes >> 10));
    }
    if gpu.binding_bytes <= GpuTraits::LEAST.binding_bytes {
        slower.push(format!("no matrix or context over {} MiB", gpu.binding_bytes >> 20));
    }
    if !slower.is_empty() {
        lines.push(format!("falls back: {}", slower.join("; ")));
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_that_lacks_something_says_which_way_it_takes_instead() {
        let least = paths(&GpuTraits::LEAST).join("\n");
        for part in [
            "plan: 4 rows/workgroup/64x32/8 parts",
            "no subgroups, no f16, bindings to 128 MiB, workgroups of 256 units with 16 KiB",
            "falls back: sums only through workgroup memory; small tiles for 16 KiB of workgroup memory; no matrix or \
             context over 128 MiB",
        ] {
            assert!(least.contains(part), "`{part}` in\n{least}");
        }
        let good = GpuTraits {
            plane_operations: true,
            plane_units: [32, 32],
            f16: true,
            workgroup_bytes: 48 << 10,
            binding_bytes: 2 << 30,
            ..GpuTraits::LEAST
        };
        let lines = paths(&good);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[1].starts_with("has: subgroups of 32, f16, bindings to 2048 MiB"), "{lines:?}");
        let varying = paths(&GpuTraits { plane_units: [8, 32], ..good }).join("\n");
        assert!(varying.contains("subgroups of 8 to 32"), "{varying}");
    }
}
