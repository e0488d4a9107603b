use super::*;

fn hardware(plane_units: [u32; 2]) -> GpuTraits {
    GpuTraits { plane_operations: true, plane_units, workgroup_bytes: 48 << 10, f16: true, ..GpuTraits::LEAST }
}

#[test]
fn every_device_has_a_plan_that_fits() {
    let gpus = [GpuTraits::LEAST, hardware([32, 32]), hardware([8, 32]), hardware([4, 4]), hardware([64, 64])];
    for gpu in gpus {
        let plan = GpuPlan::rule_of_thumb(&gpu);
        assert!(plan.fits(&gpu), "{plan} on {gpu:?}");
        assert!(GpuPlan::gemv_candidates(&gpu).contains(&plan.gemv), "{gpu:?}");
        assert!(GpuPlan::gemm_candidates(&gpu).contains(&plan.gemm), "{gpu:?}");
    }
    let least = GpuPlan::rule_of_thumb(&GpuTraits::LEAST);
    assert_eq!(least, GpuPlan { context_parts: 8, ..GpuPlan::FALLBACK });
    let software = GpuTraits { software: true, ..GpuTraits::LEAST };
    assert_eq!(GpuPlan::rule_of_thumb(&software), GpuPlan::FALLBACK, "two cores do not wait for more cubes");
    assert_eq!(GpuPlan::rule_of_thumb(&hardware([8, 8])).gemv.unit_rows, 16);
}

/// 16 KiB is what WebGPU promises: there, nothing is tried that needs more or that needs planes.
#[test]
fn the_least_device_is_offered_what_it_can_run() {
    for tile in GpuPlan::gemm_candidates(&GpuTraits::LEAST) {
        assert!(tile.workgroup_bytes() <= 16 << 10, "{tile:?}");
    }
    for plan in GpuPlan::gemv_candidates(&GpuTraits::LEAST) {
        assert_eq!(plan.reduction, Reduction::Workgroup);
        assert!(plan.workgroup_bytes() <= 16 << 10, "{plan:?}");
    }
    assert!(GpuPlan::gemm_candidates(&hardware([32, 32])).len() > GpuPlan::gemm_candidates(&GpuTraits::LEAST).len());
}

#[test]
fn units_that_exchange_registers_are_of_one_plane_however_narrow_it_is() {
    let widest = |gpu: &GpuTraits| {
        GpuPlan::gemv_candidates(gpu)
            .iter()
            .map(|plan| match plan.reduction {
                Reduction::Workgroup => 0,
                Reduction::Plane(units) => units,
            })
            .max()
    };
    assert_eq!(widest(&hardware([32, 32])), Some(32));
    assert_eq!(widest(&hardware([64, 64])), Some(32));
    assert_eq!(widest(&hardware([8, 32])), Some(8), "a driver may choose the narrowest");
    assert_eq!(widest(&hardware([4, 4])), Some(0), "too narrow to pay");
    assert_eq!(widest(&hardware([0, 0])), Some(0), "of unknown width");
    assert_eq!(widest(&GpuTraits { plane_operations: false, ..hardware([32, 32]) }), Some(0));
}

#[test]
fn a_plan_is_read_as_it_is_written() {
    let gpu = hardware([32, 32]);
    for gemv in GpuPlan::gemv_candidates(&gpu) {
        for gemm in GpuPlan::gemm_candidates(&gpu) {
            let plan = GpuPlan { gemv, gemm, context_parts: gemv.unit_rows };
            assert_eq!(plan.to_string().parse(), Ok(plan), "{plan}");
        }
    }
    let nonsense = [
        "",
        "4",
        "4 rows/workgroup",
        "3 rows/workgroup/64x32/8 parts",
        "4 rows/plane 7/64x32/8 parts",
        "4 rows/plane 32/64x33/8 parts",
        "16 rows/plane 4/64x32/8 parts",
        "4 rows/workgroup/64x32",
        "4 rows/workgroup/64x32/1",
        "4 rows/workgroup/64x32/0 parts",
        "4 rows/workgroup/64x32/65 parts",
        "4 rows/workgroup/64x32/8 parts/1",
        "4 rows/workgroup/0x0/8 parts",
        "-4 rows/workgroup/64x32/8 parts",
    ];
    for text in nonsense {
        assert_eq!(text.parse::<GpuPlan>(), Err(NoPlan), "{text}");
    }
}
