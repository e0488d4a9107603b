//! Sixteen f32 lanes, whatever the CPU has: the kernels are written once over [`Simd`] and compiled per instruction set.
//!
//! Sixteen, because every quantised format comes in runs of sixteen bytes. An implementation is a token that exists only
//! where the CPU has the instructions; [`run()`] finds the best one and enters a function compiled for it, into which the
//! whole kernel is inlined.

#![allow(unsafe_code, reason = "SIMD kernels")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod int8;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pairs;
// Tests compare the others with it.
#[cfg(any(test, not(all(target_arch = "wasm32", target_feature = "simd128"))))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

/// Lanes of a [`Simd::Floats`] and bytes of a [`Simd::Bytes`].
pub const LANES: usize = 16;

/// Sixteen lanes of an instruction set. Every method is inlined into the kernel that uses it.
pub trait Simd: pairs::Pairs {
    /// How many [`Floats`](Self::Floats) the CPU's vector registers hold: what a kernel can keep in flight.
    const REGISTERS: usize;
    /// Sixteen f32.
    type Floats: Copy;
    /// Sixteen bytes.
    type Bytes: Copy;

    /// All lanes `value`.
    fn splat(self, value: f32) -> Self::Floats;
    /// Sixteen values from memory.
    fn load(self, values: &[f32; LANES]) -> Self::Floats;
    /// Sixteen values to memory.
    fn store(self, values: Self::Floats, out: &mut [f32; LANES]);
    /// `a * b + c`, rounded once or twice.
    fn mul_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// `a + b`.
    fn add(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b`.
    fn mul(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// Sum of the lanes, always in the same order.
    fn sum(self, values: Self::Floats) -> f32;

    /// Widens an IEEE binary16 number.
    #[inline(always)]
    fn f16(self, bits: u16) -> f32 {
        f16_to_f32(bits)
    }
    /// Widens sixteen IEEE binary16 numbers, which are finite.
    fn load_f16(self, bits: &[u16; LANES]) -> Self::Floats;
    /// Widens sixteen bfloat16 numbers.
    fn load_bf16(self, bits: &[u16; LANES]) -> Self::Floats;

    /// Sixteen bytes from memory.
    fn load_bytes(self, bytes: &[u8; LANES]) -> Self::Bytes;
    /// `(byte >> shift) & mask` in each byte; `mask` has no bits above `8 - shift`.
    fn shift_right(self, bytes: Self::Bytes, shift: u32, mask: u8) -> Self::Bytes;
    /// `low | (high << shift)` in each byte; the shifted bits stay in their byte.
    fn or_shifted(self, low: Self::Bytes, high: Self::Bytes, shift: u32) -> Self::Bytes;
    /// Byte `i` is 1 where bit `i` is set, else 0.
    fn spread_bits(self, bits: u16) -> Self::Bytes;
    /// `byte - offset` in each byte, wrapping.
    fn sub(self, bytes: Self::Bytes, offset: u8) -> Self::Bytes;
    /// Unsigned bytes as f32.
    fn unsigned(self, bytes: Self::Bytes) -> Self::Floats;
    /// Signed bytes as f32.
    fn signed(self, bytes: Self::Bytes) -> Self::Floats;
}

/// Work that is compiled for each instruction set. `run` and all it calls with lanes must be `#[inline(always)]`: a function
/// that is not inlined is compiled without the instructions. That excludes closures over lanes in `array::map` and
/// the like, which are inlined only at the compiler's pleasure.
pub trait Kernel {
    /// Does the work.
    fn run<S: Simd>(self, simd: S);
}

/// Runs `kernel` with the best instructions that this CPU has.
#[inline]
pub fn run<K: Kernel>(kernel: K) {
    #[cfg(test)]
    if let Some(forced) = tests::forced() {
        return forced.run(kernel);
    }
    Isa::best().run(kernel);
}

/// As [`run`], for a kernel of integer dot products: a WebAssembly module has them in two ways.
#[inline]
pub fn run_products<K: Kernel>(kernel: K) {
    #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
    if wasm::pairs_are_quicker() {
        return wasm::run_pairs(kernel);
    }
    run(kernel);
}

/// The instructions that [`run()`] finds, as reports name them.
pub fn instructions() -> &'static str {
    match Isa::best() {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512(_) => "AVX-512 VNNI",
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(_) => "AVX2",
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(_) => "NEON",
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Isa::Simd128 => "simd128",
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        Isa::Portable => "portable",
    }
}

/// The implementations, as values.
#[derive(Clone, Copy)]
enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(avx512::Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(avx2::Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(neon::Neon),
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    Simd128,
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    Portable,
}

impl Isa {
    #[inline]
    fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = avx512::Avx512::detect() {
                return Self::Avx512(simd);
            }
            if let Some(simd) = avx2::Avx2::detect() {
                return Self::Avx2(simd);
            }
        }
        #[cfg(target_arch = "aarch64")]
        if let Some(simd) = neon::Neon::detect() {
            return Self::Neon(simd);
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        return Self::Simd128;
        #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
        Self::Portable
    }

    #[inline]
    fn run<K: Kernel>(self, kernel: K) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(simd) => simd.run(kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(simd) => simd.run(kernel),
            #[cfg(target_arch = "aarch64")]
            Self::Neon(simd) => simd.run(kernel),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Self::Simd128 => wasm::run(kernel),
            #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
            Self::Portable => kernel.run(portable::Portable),
        }
    }
}

/// Widens an IEEE binary16 number with integer arithmetic and a subtraction, without branches.
///
/// No operand is a subnormal f32, for which many CPUs take a hundred cycles.
#[inline(always)]
pub const fn f16_to_f32(bits: u16) -> f32 {
    // The exponents' biases differ by 112.
    const REBASE: u32 = 112 << 23;
    const SMALLEST_NORMAL: u32 = 113 << 23;
    let magnitude = (bits as u32 & 0x7FFF) << 13;
    let subnormal = f32::from_bits(magnitude | SMALLEST_NORMAL) - f32::from_bits(SMALLEST_NORMAL);
    let infinite_or_nan = if bits & 0x7C00 == 0x7C00 { REBASE } else { 0 };
    let widened = if bits & 0x7C00 == 0 { subnormal.to_bits() } else { magnitude + REBASE + infinite_or_nan };
    f32::from_bits(widened | (bits as u32 & 0x8000) << 16)
}

/// As many of the first values as a register takes.
#[inline(always)]
fn first_of<T, const N: usize>(values: &[T]) -> &[T; N] {
    values.first_chunk().expect("values for a register")
}

/// The same to write to.
#[inline(always)]
fn first_of_mut<T, const N: usize>(values: &mut [T]) -> &mut [T; N] {
    values.first_chunk_mut().expect("room for a register")
}

#[cfg(test)]
pub mod tests;
