use std::cell::Cell;

use half::f16;

use super::*;

thread_local! {
    static FORCED: Cell<Option<Isa>> = const { Cell::new(None) };
    #[cfg(target_family = "wasm")]
    static FORCED_PAIRS: Cell<Option<bool>> = const { Cell::new(None) };
}

/// The implementation that kernels on this thread must use.
pub(super) fn forced() -> Option<Isa> {
    FORCED.get()
}

/// Calls `test` once per implementation that this CPU can run, with all kernels on one thread.
#[cfg(not(target_family = "wasm"))]
pub fn with_each_isa(test: impl Fn(&str) + Sync) {
    let mut all = vec![("portable", Isa::Portable)];
    #[cfg(target_arch = "x86_64")]
    {
        all.extend(avx2::Avx2::detect().map(|simd| ("avx2", Isa::Avx2(simd))));
        all.extend(avx512::Avx512::detect().map(|simd| ("avx512", Isa::Avx512(simd))));
    }
    #[cfg(target_arch = "aarch64")]
    all.extend(neon::Neon::detect().map(|simd| ("neon", Isa::Neon(simd))));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    for (name, isa) in all {
        pool.install(|| {
            FORCED.set(Some(isa));
            test(name);
            FORCED.set(None);
        });
    }
}

/// Calls `test` with the one implementation that a module has, and its dot products in each way.
#[cfg(target_family = "wasm")]
pub fn with_each_isa(test: impl Fn(&str) + Sync) {
    if cfg!(not(feature = "relaxed-simd")) {
        return test("simd128");
    }
    for (name, pairs) in [("relaxed", false), ("relaxed, pairs", true)] {
        FORCED_PAIRS.set(Some(pairs));
        test(name);
        FORCED_PAIRS.set(None);
    }
}

/// The way of dot products that kernels on this thread must use.
#[cfg(target_family = "wasm")]
pub(super) fn forced_pairs() -> Option<bool> {
    FORCED_PAIRS.get()
}

/// Whether `a * b + c` is rounded once, by the instructions that kernels on this thread use.
pub fn fuses() -> bool {
    struct Probe<'a>(&'a mut [f32; 2]);
    impl Kernel for Probe<'_> {
        #[inline(always)]
        fn run<S: Simd>(self, simd: S) {
            // The square's last bit does not fit: rounded twice, nothing is left.
            let a = std::hint::black_box(1.0 + f32::EPSILON);
            let rounded = -(a * a);
            let [mut floats, mut rows] = [[0.0; LANES]; 2];
            simd.store(simd.mul_add(simd.splat(a), simd.splat(a), simd.splat(rounded)), &mut floats);
            let left = simd.plus_product(simd.lanes(rounded), simd.lanes(a), simd.lanes(a));
            simd.put_lanes(left, &mut rows);
            *self.0 = [floats[0], rows[0]];
        }
    }
    let mut left = [0.0; 2];
    super::run(Probe(&mut left));
    left.iter().any(|&left| left != 0.0)
}

#[test]
fn f16_is_exact() {
    for bits in 0..=u16::MAX {
        let (got, expected) = (f16_to_f32(bits), f16::from_bits(bits).to_f32());
        assert!(got == expected || got.is_nan() && expected.is_nan(), "{bits:#06x}: {got} is not {expected}");
        assert_eq!(got.is_sign_negative(), expected.is_sign_negative(), "{bits:#06x}");
    }
}

/// Every operation on `bits` and `bytes`, each lane's result in turn.
struct Everything<'a> {
    bits: [u16; LANES],
    bytes: [u8; LANES],
    out: &'a mut Vec<f32>,
}

impl Kernel for Everything<'_> {
    fn run<S: Simd>(self, simd: S) {
        let Self { bits, bytes, out } = self;
        let mut put = |values| {
            let mut lanes = [0.0; LANES];
            simd.store(values, &mut lanes);
            out.extend(lanes);
        };
        put(simd.load_f16(&bits));
        put(simd.splat(simd.f16(bits[0])));
        put(simd.load_bf16(&bits));
        let bytes = simd.load_bytes(&bytes);
        let [small, signed] = [simd.unsigned(bytes), simd.signed(bytes)];
        put(small);
        put(signed);
        put(simd.signed(simd.sub(bytes, 33)));
        for shift in 0..8 {
            put(simd.unsigned(simd.shift_right(bytes, shift, 0xFF >> shift)));
        }
        let nibbles = simd.shift_right(bytes, 4, 15);
        let two = simd.shift_right(bytes, 0, 3);
        put(simd.unsigned(simd.or_shifted(nibbles, two, 4)));
        put(simd.unsigned(simd.spread_bits(bits[3])));
        put(simd.add(small, signed));
        put(simd.mul(small, signed));
        // Exact, so that one rounding and two agree.
        put(simd.mul_add(small, signed, simd.splat(0.5)));
        let sum = simd.sum(simd.mul(small, simd.splat(0.25)));
        put(simd.splat(sum));
    }
}

#[test]
fn implementations_agree() {
    let random = |seed: u64, at: usize| crate::sample::reference::noise_bits(seed, 0, at as u32);
    for seed in 0..200 {
        let bits = std::array::from_fn(|at| random(seed, at) as u16 & 0xBFFF);
        let bytes = std::array::from_fn(|at| random(seed, at + LANES) as u8);
        let mut expected = Vec::new();
        Everything { bits, bytes, out: &mut expected }.run(portable::Portable);
        assert_eq!(expected[3 * LANES], f32::from(bytes[0]));
        assert_eq!(expected[4 * LANES + 5], f32::from(bytes[5] as i8));
        with_each_isa(|name| {
            let mut got = Vec::new();
            super::run(Everything { bits, bytes, out: &mut got });
            assert_eq!(got, expected, "{name}, seed {seed}");
        });
    }
}
