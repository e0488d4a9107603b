//! Times products of every quantised format, with f32 activations and with rounded ones (matrices in panels):
//! `cargo run --release --example product_times -- [size] [tokens]`.

use std::error::Error;
use std::time::Instant;

use burn::tensor::{DType, Tensor};
use inshore_gguf::GgmlType;
use inshore_gguf::testing::quantize;
use inshore_ops::device::OpenDevice;
use inshore_ops::{PackedLayout, PackedMatrix, linear_add};

/// Runs, of which the shortest counts.
const RUNS: usize = 40;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let size = args.next().map_or(Ok(2048), |size| size.parse())?;
    let prefill = args.next().map_or(Ok(64), |tokens| tokens.parse())?;
    let cpu = OpenDevice::cpu();
    println!("{}, {size} x {size}, microseconds: f32 activations, rounded ones, ratio", cpu.name);
    for kind in GgmlType::ALL.into_iter().filter(|kind| kind.is_quantized()) {
        let values: Vec<f32> = (0..size * size).map(|at| (at as f32 * 0.37).sin()).collect();
        let gguf = quantize(kind, &values);
        let exact = PackedLayout::new(kind, size, size)?;
        let matrix = |layout: PackedLayout| -> Result<PackedMatrix, Box<dyn Error>> {
            Ok(PackedMatrix::new(layout, layout.pack(&gguf, |row| row)?, &cpu.device)?)
        };
        let matrices = [matrix(exact)?, matrix(cpu.arrange(exact))?];
        print!("  {kind:<5}");
        for tokens in [1, prefill] {
            let x = Tensor::<2>::ones([tokens, size], (&cpu.device, DType::F32));
            let [exact, rounded] = [0, 1].map(|at| time(|| linear_add(x.clone(), &matrices[at], x.clone())));
            print!(" | {tokens} token(s): {exact:>8.0} {rounded:>8.0} {:>5.2}", exact / rounded);
        }
        println!();
    }
    Ok(())
}

/// Microseconds of the shortest run.
fn time(run: impl Fn() -> Tensor<2>) -> f64 {
    let mut least = f64::INFINITY;
    for _ in 0..RUNS {
        let start = Instant::now();
        // Looking at the bytes is what waits.
        assert!(!run().into_data().as_bytes().is_empty());
        least = least.min(start.elapsed().as_secs_f64() * 1e6);
    }
    least
}
