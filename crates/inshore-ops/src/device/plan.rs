//! How the products are computed on a GPU: chosen from what the adapter can do, and perhaps from timings.

use std::fmt;
use std::str::FromStr;

/// Units of a cube of the product with one token.
pub const GEMV_UNITS: usize = 64;
/// Units that share a row where their sums go through workgroup memory.
const WORKGROUP_LANES: usize = 8;
/// Quads of a chunk, and one more, so that units with neighbouring rows do not meet in one bank.
pub const STRIDE: usize = 9;
/// Bytes of a quad.
const QUAD_BYTES: usize = 16;
/// Most cubes that share a context.
const MOST_PARTS: usize = 64;
/// Tokens that a unit of the product with many tokens accumulates: the lanes of a quad.
pub const UNIT_TOKENS: usize = 4;

/// What a GPU can do, as far as a plan depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuTraits {
    /// Whether it is emulated on a CPU.
    pub software: bool,
    /// Whether units of a plane (a subgroup) can exchange values.
    pub plane_operations: bool,
    /// Fewest and most units of a plane; 0 where the driver does not say.
    pub plane_units: [u32; 2],
    /// Whether kernels may compute in f16.
    pub f16: bool,
    /// Workgroup memory of a cube, in bytes.
    pub workgroup_bytes: usize,
    /// Units of a cube.
    pub cube_units: usize,
    /// Largest buffer that a kernel can read, in bytes.
    pub binding_bytes: u64,
}

impl GpuTraits {
    /// What every WebGPU adapter can do: the least that a plan may ask for.
    pub const LEAST: Self = Self {
        software: false,
        plane_operations: false,
        plane_units: [0, 0],
        f16: false,
        workgroup_bytes: 16 << 10,
        cube_units: 256,
        binding_bytes: 128 << 20,
    };
}

/// How the units that share a row add up their sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// Eight units, through workgroup memory: everywhere.
    Workgroup,
    /// So many neighbouring units of a plane, a power of two, by exchanging registers.
    Plane(usize),
}

/// How a product with one token is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GemvPlan {
    /// Rows that a unit accumulates, so that it reads each chunk of the input once for all of them; even.
    pub unit_rows: usize,
    /// How the units that share them add up their sums.
    pub reduction: Reduction,
}

impl GemvPlan {
    /// Units that share a row, each with every `lanes`-th chunk.
    pub const fn lanes(self) -> usize {
        match self.reduction {
            Reduction::Workgroup => WORKGROUP_LANES,
            Reduction::Plane(units) => units,
        }
    }

    /// Rows of a cube.
    pub const fn rows(self) -> usize {
        GEMV_UNITS / self.lanes() * self.unit_rows
    }

    /// Workgroup memory of a cube, in bytes: all lanes' sums of its rows, and of the input's squares.
    pub const fn workgroup_bytes(self) -> usize {
        match self.reduction {
            Reduction::Workgroup => (self.rows() + 1) * WORKGROUP_LANES * size_of::<f32>(),
            Reduction::Plane(_) => 0,
        }
    }

    /// Whether `gpu` can run it and be right: a pair of rows needs a unit to store it, and units that exchange registers
    /// must be of one plane, however narrow the driver makes it.
    fn fits(self, gpu: &GpuTraits) -> bool {
        let sound = [2, 4, 8, 16].contains(&self.unit_rows) && self.unit_rows <= 2 * self.lanes();
        let reduces = match self.reduction {
            Reduction::Workgroup => true,
            Reduction::Plane(units) => {
                [4, 8, 16, 32].contains(&units) && gpu.plane_operations && units <= gpu.plane_units[0] as usize
            }
        };
        sound && reduces && GEMV_UNITS <= gpu.cube_units && self.workgroup_bytes() <= gpu.workgroup_bytes
    }
}

/// The tile of a cube in a product with many tokens. A cube has as many units as the tile has rows: each unpacks a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GemmTile {
    /// Rows of weights.
    pub rows: usize,
    /// Tokens.
    pub tokens: usize,
}

impl GemmTile {
    /// Pairs of rows that a unit accumulates.
    pub const fn unit_pairs(self) -> usize {
        self.tokens / (2 * UNIT_TOKENS)
    }

    /// Tokens from one of a unit's to the next.
    pub const fn token_step(self) -> usize {
        self.tokens / UNIT_TOKENS
    }

    /// Quads from one row of the results to the next in workgroup memory.
    pub const fn result_stride(self) -> usize {
        if self.token_step() < STRIDE { STRIDE } else { self.token_step() + 1 }
    }

    /// Workgroup memory of a cube, in bytes: a chunk of every row, where the results come later, and of every token.
    pub const fn workgroup_bytes(self) -> usize {
        (self.rows * self.result_stride() + self.tokens * STRIDE) * QUAD_BYTES
    }

    fn fits(self, gpu: &GpuTraits) -> bool {
        let sound = [32, 64, 128].contains(&self.rows) && [16, 32, 64].contains(&self.tokens);
        // Each unit brings as many quads of the input as the others.
        let even = (self.tokens * (STRIDE - 1)).is_multiple_of(self.rows.max(1));
        sound && even && self.rows <= gpu.cube_units && self.workgroup_bytes() <= gpu.workgroup_bytes
    }
}

/// How a GPU computes products, and attention in decode. Written and read as, e.g., `4 rows/plane 32/64x32/8 parts`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GpuPlan {
    /// Products with one token.
    pub gemv: GemvPlan,
    /// Products with many.
    pub gemm: GemmTile,
    /// Cubes that share a long context in decode; what they found is joined by one more launch a layer. 1: none.
    pub context_parts: usize,
}

impl GpuPlan {
    /// What every WebGPU device runs.
    pub const FALLBACK: Self = Self {
        gemv: GemvPlan { unit_rows: 4, reduction: Reduction::Workgroup },
        gemm: GemmTile { rows: 64, tokens: 32 },
        context_parts: 1,
    };

    /// The plan for a device that nothing was measured on. A GPU wants many cubes rather than few reads; devices whose
    /// planes are narrow, which most often are CPUs in disguise, read lane by lane: there 16 rows take half the time of 4.
    pub fn rule_of_thumb(gpu: &GpuTraits) -> Self {
        let narrow = (1..=8).contains(&gpu.plane_units[1]);
        let mut plan = Self::FALLBACK;
        plan.gemv.unit_rows = if narrow { 16 } else { 4 };
        // A few heads are too few cubes for a GPU; a CPU has fewer cores than that.
        plan.context_parts = if gpu.software { 1 } else { 8 };
        plan
    }

    /// Whether `gpu` can run it and be right.
    pub fn fits(&self, gpu: &GpuTraits) -> bool {
        self.gemv.fits(gpu) && self.gemm.fits(gpu) && (1..=MOST_PARTS).contains(&self.context_parts)
    }

    /// What is worth a try with one token on `gpu`, the most promising first.
    pub fn gemv_candidates(gpu: &GpuTraits) -> Vec<GemvPlan> {
        let reductions = [Reduction::Plane(32), Reduction::Plane(16), Reduction::Plane(8), Reduction::Workgroup];
        let all = [4, 2, 8, 16]
            .into_iter()
            .flat_map(|unit_rows| reductions.map(|reduction| GemvPlan { unit_rows, reduction }));
        all.filter(|plan| plan.fits(gpu)).collect()
    }

    /// What is worth a try with many tokens on `gpu`, the most promising first.
    pub fn gemm_candidates(gpu: &GpuTraits) -> Vec<GemmTile> {
        let all = [(64, 32), (64, 64), (128, 32), (128, 64), (32, 32)];
        all.map(|(rows, tokens)| GemmTile { rows, tokens }).into_iter().filter(|tile| tile.fits(gpu)).collect()
    }
}

impl fmt::Display for GpuPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rows/", self.gemv.unit_rows)?;
        match self.gemv.reduction {
            Reduction::Workgroup => f.write_str("workgroup")?,
            Reduction::Plane(units) => write!(f, "plane {units}")?,
        }
        write!(f, "/{}x{}/{} parts", self.gemm.rows, self.gemm.tokens, self.context_parts)
    }
}

/// The text is not a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no plan of a GPU; write one like `4 rows/plane 32/64x32/8 parts` or `16 rows/workgroup/64x32/1 parts`")]
pub struct NoPlan;

impl FromStr for GpuPlan {
    type Err = NoPlan;

    fn from_str(text: &str) -> Result<Self, NoPlan> {
        let number = |text: &str| text.parse::<usize>().map_err(|_| NoPlan);
        let [rows, reduction, tile, parts] = *text.split('/').collect::<Vec<_>>() else { return Err(NoPlan) };
        let unit_rows = number(rows.strip_suffix(" rows").ok_or(NoPlan)?)?;
        let reduction = match reduction {
            "workgroup" => Reduction::Workgroup,
            plane => Reduction::Plane(number(plane.strip_prefix("plane ").ok_or(NoPlan)?)?),
        };
        let (rows, tokens) = tile.split_once('x').ok_or(NoPlan)?;
        let gemm = GemmTile { rows: number(rows)?, tokens: number(tokens)? };
        let context_parts = number(parts.strip_suffix(" parts").ok_or(NoPlan)?)?;
        let plan = Self { gemv: GemvPlan { unit_rows, reduction }, gemm, context_parts };
        // Whatever the device, it must be one that there is a kernel for.
        if plan.is_sound() { Ok(plan) } else { Err(NoPlan) }
    }
}

impl GpuPlan {
    fn is_sound(&self) -> bool {
        let best =
            GpuTraits { plane_operations: true, plane_units: [64, 64], workgroup_bytes: 64 << 10, ..GpuTraits::LEAST };
        self.fits(&best)
    }
}

#[cfg(test)]
mod tests;
