//! What happens to a product before it is stored.

use cubecl::prelude::*;

/// How the value in [`Epilogue::other`] enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Combine {
    /// `product + other`: the residual.
    Add,
    /// `SiLU(other) * product`: `other` is the gate.
    Gate,
}

/// Bias, residual or gate, rotation. Each is in the kernel only where it is used.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Epilogue {
    /// Added to row `r`: `bias[bias_offset + r]`.
    pub bias: ComptimeOption<Box<[f32]>>,
    pub bias_offset: usize,
    /// `[tokens, rows]`.
    pub other: ComptimeOption<Box<[f32]>>,
    /// Cosines and sines, `[capacity, head_dim]`, as pairs.
    pub rope: ComptimeOption<Box<[f32]>>,
    pub head_dim: usize,
    /// Position of token 0 in `rope`.
    pub position: usize,
    /// Where token 0 starts in the output.
    pub out_offset: usize,
    #[cube(comptime)]
    pub combine: Combine,
}

#[cube]
impl Epilogue {
    /// Finishes and stores the products `a`, `b` of the rows `row`, `row + 1` (`row` even) with `token`.
    pub fn store(&self, out: &mut [f32], pair: (f32, f32), row: usize, token: usize, rows: usize) {
        let second = row + 1 < rows;
        let start = self.out_offset + token * rows + row;
        let mut a = pair.0;
        let mut b = pair.1;
        #[comptime]
        match &self.bias {
            ComptimeOption::Some(bias) => {
                a += bias[self.bias_offset + row];
                b += bias[self.bias_offset + row + usize::cast_from(second)];
            }
            ComptimeOption::None => {}
        }
        #[comptime]
        match &self.other {
            ComptimeOption::Some(other) => {
                let at = token * rows + row;
                let other_a = other[at];
                let other_b = other[at + usize::cast_from(second)];
                match comptime!(self.combine) {
                    Combine::Add => {
                        a += other_a;
                        b += other_b;
                    }
                    Combine::Gate => {
                        a *= silu(other_a);
                        b *= silu(other_b);
                    }
                }
            }
            ComptimeOption::None => {}
        }
        #[comptime]
        match &self.rope {
            ComptimeOption::Some(rope) => {
                let at = (self.position + token) * self.head_dim + row % self.head_dim;
                let cos = rope[at];
                let sin = rope[at + 1];
                let rotated = a * cos - b * sin;
                b = a * sin + b * cos;
                a = rotated;
            }
            ComptimeOption::None => {}
        }
        out[start] = a;
        if second {
            out[start + 1] = b;
        }
    }
}

/// `x / (1 + e^-x)`; the exponent is held where e^-x is finite, as WGSL knows no infinity.
#[cube]
fn silu(x: f32) -> f32 {
    x / (1.0f32 + (-max(x, -87.0f32)).exp())
}
