//! Truncated and flipped files: a result or a typed error, never a panic, and memory in proportion to the input.
//!
//! One test, because it watches the allocations of the whole process.

use inshore_gguf::testing::{GgufBuilder, block_on};
use inshore_gguf::{Array, GgmlType, Gguf, GgufError, Value, block};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATIONS: PeakAlloc = PeakAlloc;

/// Peak memory allowed for parsing a file of `len` bytes.
fn allowed(len: usize) -> usize {
    12 * len + 4096
}

/// A small pseudo-random generator (Marsaglia's xorshift64) so that a seed names a case.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

fn sample() -> Vec<u8> {
    let tokens: Vec<String> = (0..40).map(|i| format!("token{i}")).collect();
    let nested = Array::Array(vec![Array::U8(vec![1, 2, 3]), Array::String(vec!["a".into()])]);
    let mut builder = GgufBuilder::new()
        .string("general.architecture", "llama")
        .metadata("llama.block_count", Value::U32(2))
        .metadata("llama.rope.freq_base", Value::F32(10000.0))
        .metadata("flag", Value::Bool(true))
        .strings("tokenizer.ggml.tokens", &tokens)
        .metadata("tokenizer.ggml.scores", Value::Array(Array::F32(vec![0.5; 40])))
        .metadata("nested", Value::Array(nested));
    for kind in GgmlType::ALL {
        builder = builder.tensor(&format!("blk.0.{kind}.weight"), kind, &[256, 2], &[0.5; 512]);
    }
    builder.build()
}

/// Parses; whatever it says, it says it with bounded memory.
fn parse(file: &[u8], case: &str) -> Result<Gguf, GgufError> {
    ALLOCATIONS.reset_peak_usage();
    let before = ALLOCATIONS.current_usage();
    let result = block_on(Gguf::read(file));
    let peak = ALLOCATIONS.peak_usage().saturating_sub(before);
    assert!(peak <= allowed(file.len()), "{case}: {peak} bytes for a file of {}", file.len());
    if let Err(error) = &result {
        assert!(!error.to_string().is_empty());
        assert!(!matches!(error, GgufError::Incomplete { .. }), "{case}: read() must have read on");
    }
    result
}

/// Reads and unpacks all tensors of a file whose header was accepted.
fn unpack_all(file: &[u8], gguf: &Gguf, case: &str) {
    for info in &gguf.tensors {
        let packed = block_on(Gguf::read_tensor(file, info)).expect(case);
        assert_eq!(packed.len() as u64, info.bytes);
        let mut values = vec![0.0; usize::try_from(info.values()).expect(case)];
        block::dequantize(info.kind, &packed, &mut values).expect(case);
    }
}

fn truncated_at_100_points(file: &[u8], whole: &Gguf) {
    for point in 0..100 {
        let cut = file.len() * point / 100;
        let error = parse(&file[..cut], &format!("cut at {cut}")).expect_err("a cut file");
        match error {
            GgufError::NotGguf { .. } => assert_eq!(cut, 0),
            GgufError::Truncated { expected, got, .. } => {
                assert!(got == cut as u64 && expected > got && expected <= file.len() as u64);
                // Beyond the header the message names the exact length of the whole file's tensors.
                let end = whole.tensors.iter().map(|t| t.offset + t.bytes).max();
                assert!(got < whole.data_offset || Some(expected) == end);
            }
            other => panic!("cut at {cut}: {other}"),
        }
    }
}

fn flipped_bytes_with_10_000_seeds(file: &[u8], header_len: usize) {
    let (mut good, mut bad) = (0, 0);
    for seed in 1..=10_000u64 {
        let mut random = Xorshift(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut flipped = file.to_vec();
        for _ in 0..=random.below(4) {
            let at = random.below(header_len);
            flipped[at] ^= 1 + random.below(255) as u8;
        }
        let case = format!("seed {seed}");
        match parse(&flipped, &case) {
            Ok(gguf) => {
                good += 1;
                unpack_all(&flipped, &gguf, &case);
            }
            Err(_) => bad += 1,
        }
    }
    eprintln!("10,000 flipped files: {good} accepted, {bad} refused");
    assert!(good > 100 && bad > 1000, "the flips must reach both names and structure");
}

/// Counts that the file could just hold, and tables of the smallest items: the worst ratio of memory to input.
fn dense_tables() {
    let strings = GgufBuilder::new().strings("k", &[""; 20_000]).build();
    parse(&strings, "20,000 empty strings").expect("good");
    let arrays = GgufBuilder::new().metadata("k", Value::Array(Array::Array(vec![Array::U8(vec![]); 20_000]))).build();
    parse(&arrays, "20,000 empty arrays").expect("good");
    let mut entries = GgufBuilder::new();
    let mut tensors = GgufBuilder::new();
    for i in 0..20_000 {
        entries = entries.metadata(&i.to_string(), Value::U8(0));
        tensors = tensors.raw_tensor(&i.to_string(), 0, &[1], vec![0; 4]);
    }
    parse(&entries.build(), "20,000 entries").expect("good");
    parse(&tensors.build(), "20,000 tensors").expect("good");
}

#[test]
fn broken_files_give_errors_and_bounded_memory() {
    let file = sample();
    let whole = parse(&file, "whole").expect("good");
    unpack_all(&file, &whole, "whole");
    truncated_at_100_points(&file, &whole);
    flipped_bytes_with_10_000_seeds(&file, whole.data_offset as usize);
    dense_tables();
}
