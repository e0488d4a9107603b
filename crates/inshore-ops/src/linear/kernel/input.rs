//! The left-hand side of a product, normalised on the way where there is one token.

use cubecl::prelude::*;

use super::chunk::Quad;

/// Activations, and the weight of the RMSNorm before the product.
#[derive(CubeType, CubeLaunch)]
pub(crate) struct Input {
    /// `[tokens, cols]`.
    pub x: Box<[Quad]>,
    /// `[cols]`, and behind it the biases of the product where it has any.
    pub norm: ComptimeOption<Box<[f32]>>,
    pub tokens: usize,
    pub eps: f32,
    /// Whether `x` is not normalised yet.
    #[cube(comptime)]
    pub normalise: bool,
}

#[cube]
impl Input {
    /// Quad `at` of the norm's weight.
    pub fn norm_quad(&self, at: usize) -> Quad {
        let mut quad = Quad::new(1.0f32);
        #[comptime]
        match &self.norm {
            ComptimeOption::Some(norm) =>
            {
                #[unroll]
                for i in 0..4usize {
                    quad.insert(i, norm[at * 4 + i]);
                }
            }
            ComptimeOption::None => {}
        }
        quad
    }
}
