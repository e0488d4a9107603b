//! Integer dot products of packed numbers (bytes) with rounded activations, per instruction set. Activations have 15 bits:
//! where the CPU multiplies bytes they are two planes, `128 * high + low`, where it multiplies 16-bit numbers they are one.
//!
//! Both come in runs of 32 columns. A number is a byte: unsigned and below 128 in formats with an offset (Q4, Q5), signed
//! in Q8_0. Every implementation gives the exact integer: they differ only in how the 32 products are spread over lanes.

use bytemuck::Pod;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

/// Columns that share one scale of the activations.
pub const RUN: usize = 32;
/// Groups of four columns in a run: what one lane of [`Int8::group_dot`] takes at a time.
pub const GROUPS: usize = RUN / 4;

/// Registers of 32-bit lanes and their integer dot products. Every method is inlined into the kernel that uses it.
pub trait Int8: Copy {
    /// Lanes of a register: as many rows of a matrix are multiplied side by side in a panel.
    const ROWS: usize;
    /// Planes of activations.
    const PLANES: usize;
    /// Added to signed numbers in a panel, for CPUs whose instruction wants them unsigned; a multiple of 128.
    const BIAS: u8 = 0;

    /// A run of activations in memory, in the order that the instructions want.
    type Run: Pod;
    /// A run of numbers of one row, in registers.
    type Numbers: Copy;
    /// Four columns of [`ROWS`](Self::ROWS) rows in memory: a word per row.
    type Group: Pod;
    /// The same in registers.
    type Quad: Copy;
    /// A register of i32.
    type Sums: Copy;
    /// A register of f32.
    type Lanes: Copy;
    /// A register of f32 in memory.
    type Row: Pod + AsRef<[f32]> + AsMut<[f32]>;

    /// Puts rounded activations (-16256..=16256) in order.
    fn arrange(values: &[i16; RUN]) -> Self::Run;

    /// Low nibbles, then high nibbles.
    fn nibbles(self, bytes: &[u8; 16]) -> Self::Numbers;
    /// Bytes as they are.
    fn bytes(self, bytes: &[u8; RUN]) -> Self::Numbers;
    /// `number | bit << 4`, bit `i` of `bits` for number `i`.
    fn with_fifth(self, numbers: Self::Numbers, bits: u32) -> Self::Numbers;
    /// To memory, in order.
    fn store_numbers(self, numbers: Self::Numbers) -> [u8; RUN];

    /// Dot product of one row's run, in parts spread over the lanes.
    fn dot<const SIGNED: bool>(self, numbers: Self::Numbers, run: &Self::Run) -> Self::Sums;

    /// A panel's group, made ready for [`group_dot`](Self::group_dot).
    fn quad<const SIGNED: bool>(self, group: &Self::Group) -> Self::Quad;
    /// Adds to lane `r` the dot product of row `r`'s four columns with columns `4 * group..` of a plane of the run.
    fn group_dot<const SIGNED: bool>(
        self,
        sums: Self::Sums,
        quad: Self::Quad,
        run: &Self::Run,
        plane: usize,
        group: usize,
    ) -> Self::Sums;
    /// `128 * sums`: what the high plane's sums are worth among the low plane's.
    fn raise(self, sums: Self::Sums) -> Self::Sums;

    /// All lanes 0.
    fn no_sums(self) -> Self::Sums;
    /// All lanes `value`.
    fn lanes(self, value: f32) -> Self::Lanes;
    /// From memory.
    fn load_row(self, row: &Self::Row) -> Self::Lanes;
    /// To memory.
    fn store_row(self, lanes: Self::Lanes) -> Self::Row;
    /// `a * b`.
    fn times(self, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `acc + a * b`, rounded once or twice.
    fn plus_product(self, acc: Self::Lanes, a: Self::Lanes, b: Self::Lanes) -> Self::Lanes;
    /// `acc + sums * scale`.
    fn plus_scaled(self, acc: Self::Lanes, sums: Self::Sums, scale: Self::Lanes) -> Self::Lanes;
    /// Sum of the lanes of both.
    fn total(self, a: Self::Lanes, b: Self::Lanes) -> f32;

    /// Asks for the memory at `address`, which need not be valid, ahead of its use.
    #[inline(always)]
    fn prefetch(self, address: *const u8) {
        let _ = address;
    }

    /// Widens four IEEE binary16 numbers, which are finite.
    fn four_halves(self, bits: [u16; 4]) -> [f32; 4];
    /// Widens the low and the high halves of four words, all of them finite.
    fn half_pairs(self, words: [u32; 4]) -> [[f32; 4]; 2];
}
