//! Every way to compute products on a GPU, forced one after the other. The adapter here has narrow planes: wide ones are
//! not to be had, but what devices without any run is.

use super::*;
use crate::backends::{force, gpu};
use crate::device::plan::{GemmTile, GemvPlan, GpuPlan, GpuTraits, Reduction};

fn traits() -> &'static GpuTraits {
    gpu().gpu_traits().expect("a GPU")
}

/// Both reductions with few rows a unit and with many, and planes as narrow as there are.
fn gemv_plans() -> Vec<GemvPlan> {
    let mut plans = GpuPlan::gemv_candidates(traits());
    let narrow = GemvPlan { unit_rows: 8, reduction: Reduction::Plane(4) };
    let fits = GpuPlan { gemv: narrow, ..GpuPlan::FALLBACK }.fits(traits());
    plans.extend(fits.then_some(narrow));
    plans
}

fn with_gemv(gemv: GemvPlan) -> GpuPlan {
    GpuPlan { gemv, ..GpuPlan::FALLBACK }
}

fn with_tile(gemm: GemmTile) -> GpuPlan {
    GpuPlan { gemm, ..GpuPlan::FALLBACK }
}

#[test]
fn one_token_by_every_plan() {
    for gemv in gemv_plans() {
        let _forced = force(with_gemv(gemv));
        let tile = gemv.rows();
        for rows in [1, 3, tile - 1, tile, tile + 1, 2 * tile + 5] {
            for cols in [32, 288, 768] {
                check_linear_add_on_gpu(&Packed::random(GgmlType::Q4_1, rows, cols, 5), 1);
            }
        }
    }
}

#[test]
fn one_token_by_both_reductions_in_every_format() {
    for reduction in [Reduction::Plane(8), Reduction::Workgroup] {
        let gemv = GemvPlan { unit_rows: 4, reduction };
        if !with_gemv(gemv).fits(traits()) {
            assert!(!traits().plane_operations || traits().plane_units[0] < 8, "{reduction:?} must fit");
            continue;
        }
        let _forced = force(with_gemv(gemv));
        for kind in GgmlType::ALL {
            for (rows, blocks) in [(1, 1), (31, 2), (33, 3), (65, 9)] {
                check_linear_add_on_gpu(&Packed::random(kind, rows, blocks * kind.block_len().max(32), 3), 1);
            }
        }
    }
}

/// With the input's normalisation, whose sum of squares goes the way of the products.
#[test]
fn gated_mlp_by_every_plan() {
    for gemv in gemv_plans() {
        let _forced = force(with_gemv(gemv));
        for (rows, cols) in [(1, 32), (33, 288), (gemv.rows(), 96)] {
            check_gated_mlp_on_gpu(rows, cols, 1);
        }
    }
    for tile in GpuPlan::gemm_candidates(traits()) {
        let _forced = force(with_tile(tile));
        check_gated_mlp_on_gpu(tile.rows / 2 + 1, 96, tile.tokens + 1);
    }
}

#[test]
fn many_tokens_by_every_tile() {
    let tiles = GpuPlan::gemm_candidates(traits());
    assert!(tiles.len() > 1, "{:?}", traits());
    for tile in tiles {
        let _forced = force(with_tile(tile));
        for rows in [1, tile.rows - 1, tile.rows, tile.rows + 1] {
            for tokens in [2, tile.tokens - 1, tile.tokens, tile.tokens + 1, 2 * tile.tokens + 1] {
                check_linear_add_on_gpu(&Packed::random(GgmlType::Q4_1, rows, 96, 5), tokens);
            }
        }
    }
}

#[test]
fn a_plan_that_does_not_fit_is_refused() {
    let wide = with_gemv(GemvPlan { unit_rows: 4, reduction: Reduction::Plane(traits().plane_units[0] as usize * 2) });
    assert!(gpu().use_plan(wide).is_err(), "{wide}");
}

fn check_linear_add_on_gpu(weight: &Packed, tokens: usize) {
    let (rows, cols) = (weight.layout.rows, weight.layout.cols);
    let (x, residual) = (random(7, tokens * cols), random(8, tokens * rows));
    let expected = reference::linear_add(&x, &weight.words, &residual, weight.layout);
    let device = &gpu().device;
    let x = floats(&x, [tokens, cols], device);
    let got = read(linear_add(x, &weight.on(device), floats(&residual, [tokens, rows], device)));
    let what = format!("{}, {:?}, {tokens} tokens", gpu().plan().expect("a GPU"), weight.layout);
    assert_close(&got, &expected, tolerance(cols), &what);
}

fn check_gated_mlp_on_gpu(rows: usize, cols: usize, tokens: usize) {
    let (gate, up) = (Packed::random(GgmlType::Q8_0, rows, cols, 1), Packed::random(GgmlType::Q4_0, rows, cols, 2));
    let (x, norm) = (random(3, tokens * cols), random(4, cols));
    let expected = reference::gated_mlp(&x, &norm, (&gate.words, gate.layout), (&up.words, up.layout), EPS);
    let device = &gpu().device;
    let got = gated_mlp(
        floats(&x, [tokens, cols], device),
        &floats(&norm, [cols], device),
        EPS,
        &gate.on(device),
        &up.on(device),
    );
    let what = format!("{}, {rows} rows, {cols} columns, {tokens} tokens", gpu().plan().expect("a GPU"));
    assert_close(&read(got), &expected, 8.0 * tolerance(cols), &what);
}
