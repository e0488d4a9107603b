//! Every operation on the CPU against its plain reference: with each instruction set that this machine has, at sizes
//! around runs, tiles and tasks.

pub mod allocation;
mod attention;
mod int8;
mod linear;
mod same_bits;
mod sample;

use burn::tensor::{DType, Shape};
use burn_flex::FlexTensor;
use inshore_gguf::{GgmlType, testing::quantize};

use super::tensor::{from_floats, from_words};
use crate::PackedLayout;
use crate::sample::reference::noise_bits;

/// `count` values in -1..1.
fn random(seed: u64, count: usize) -> Vec<f32> {
    (0..count as u32).map(|at| noise_bits(seed, 0, at) as i32 as f32 / 2_147_483_648.0).collect()
}

/// A random packed matrix.
struct Packed {
    layout: PackedLayout,
    words: Vec<u32>,
}

impl Packed {
    fn random(kind: GgmlType, rows: usize, cols: usize, seed: u64) -> Self {
        let layout = PackedLayout::new(kind, rows, cols).expect("whole blocks");
        let gguf = quantize(kind, &random(seed, rows * cols));
        Self { layout, words: layout.pack(&gguf, |row| row).expect("the right size") }
    }

    fn in_panels(&self) -> Self {
        let layout = self.layout.in_panels();
        Self { layout, words: layout.pack(&self.layout.unpack(&self.words), |row| row).expect("the right size") }
    }

    fn tensor(&self) -> FlexTensor {
        from_words(self.words.clone())
    }
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor.as_slice().expect("an f32 tensor in order")
}

fn unused() -> FlexTensor {
    FlexTensor::zeros(Shape::new([1]), DType::F32)
}

/// Equal up to rounding in sums of `terms` products of numbers around 1.
#[track_caller]
fn assert_close(got: &[f32], expected: &[f32], terms: usize, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let tolerance = 2e-6 * (terms as f32).sqrt();
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{what}: value {at} is {got}, expected {expected}");
    }
}

/// `run` must give the same bits on any number of threads.
fn assert_same_on_any_threads(run: impl Fn() -> Vec<f32> + Sync) {
    let results =
        [1, 2, 3, 7].map(|threads| on_threads(threads, || run().into_iter().map(f32::to_bits).collect::<Vec<_>>()));
    assert!(results.iter().all(|result| *result == results[0]));
}

#[cfg(not(target_family = "wasm"))]
fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(run)
}

/// WASI has no threads: the tasks of all of them run here, those of the last thread first.
#[cfg(target_family = "wasm")]
fn on_threads<T>(threads: usize, run: impl FnOnce() -> T) -> T {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    static THREADS: AtomicUsize = AtomicUsize::new(1);

    struct InTurn;

    impl super::Team for InTurn {
        fn threads(&self) -> usize {
            THREADS.load(Relaxed)
        }

        fn run(&self, count: usize, task: &(dyn Fn(usize, usize) + Sync)) {
            let threads = self.threads();
            for thread in (0..threads).rev() {
                (thread..count).step_by(threads).for_each(|index| task(index, thread));
            }
        }
    }

    super::use_team(Box::new(InTurn));
    THREADS.store(threads, Relaxed);
    let out = run();
    THREADS.store(1, Relaxed);
    out
}

/// Column counts to try with a format: one block and an odd number of them, or around a run of lanes.
fn widths(kind: GgmlType) -> Vec<usize> {
    if kind.is_quantized() { vec![kind.block_len(), 3 * kind.block_len()] } else { vec![1, 15, 16, 17, 33, 96] }
}

fn floats<const D: usize>(values: &[f32], shape: [usize; D]) -> FlexTensor {
    from_floats(values.to_vec(), shape)
}
