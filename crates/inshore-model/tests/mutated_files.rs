//! Changed and cut files: a load never panics, and never takes more memory than the file justifies.
#![allow(unsafe_code, reason = "a counting allocator has to implement an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use inshore_gguf::testing::{GgufBuilder, block_on};
use inshore_gguf::{GgmlType, Gguf, Survey, Value};
use inshore_model::testing::TinyModel;
use inshore_model::{Engine, FileCheck, LoadOptions, ModelShape, OpenDevice, Prompt, Request};

/// Counts the bytes in use and remembers the most.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: all calls go to the system's allocator as they are.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        MOST.fetch_max(IN_USE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        // SAFETY: as our caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as our caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What a load may take beside a multiple of the file: threads' scratch, tables, the prefix that headers are read from.
const ALLOWANCE_BYTES: usize = 16 << 20;

/// Loads the file and takes a step, checks its header and its shape. Fails if that takes too much memory.
fn try_everything(file: &Vec<u8>) -> bool {
    let before = IN_USE.load(Relaxed);
    MOST.store(before, Relaxed);
    let _ = ModelShape::from_prefix(&file[..file.len().min(4096)]);
    let survey = block_on(Survey::read(file));
    let checked = survey.ok().and_then(|survey| survey.checked.ok()).map(|gguf| FileCheck::of(&gguf).refusals);
    let options = LoadOptions { context_tokens: Some(64), ..LoadOptions::default() };
    let loaded = block_on(Engine::load(file, OpenDevice::cpu(), options, |_| {}));
    let loads = match loaded {
        Ok(mut engine) => {
            assert!(checked.is_some_and(|refusals| refusals.is_empty()), "a file that loads is not refused elsewhere");
            let request = Request { max_tokens: Some(2), ..Request::new(Prompt::Ids(vec![1, 2, 3])) };
            if let Ok(mut generation) = engine.start(request) {
                while block_on(engine.next_token(&mut generation)).is_ok_and(|step| step.is_some()) {}
            }
            true
        }
        Err(error) => {
            assert!(error.to_string().len() > 20 && !error.code().is_empty(), "{error}");
            false
        }
    };
    let most = MOST.load(Relaxed).saturating_sub(before);
    let allowed = 16 * file.len() + ALLOWANCE_BYTES;
    assert!(most <= allowed, "{most} bytes for a file of {} bytes", file.len());
    loads
}

/// Numbers in 0..`below`, always the same ones.
struct Noise(u64);

impl Noise {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % below
    }
}

fn tiny(architecture: &'static str, kind: GgmlType) -> GgufBuilder {
    TinyModel { architecture, kind, kv_heads: 2, context_tokens: 512, seed: 1 }.builder()
}

/// One test, as the counters are the process's.
#[test]
fn a_mutated_file_never_panics_and_never_takes_more_memory_than_it_justifies() {
    let files = [tiny("llama", GgmlType::Q8_0).build(), tiny("qwen2", GgmlType::F32).build()];
    for file in &files {
        assert!(try_everything(file), "the file itself is sound");
        let data = block_on(Gguf::read(file)).expect("a header").data_offset as usize;
        bytes_of_the_header_change(file, data);
        sizes_become_extreme(file, data);
        parts_are_cut_out_or_doubled(file, data);
    }
    hyperparameters_become_extreme();
}

fn bytes_of_the_header_change(file: &[u8], data: usize) {
    let mut noise = Noise(1);
    let refused = (0..1500).filter(|round| {
        let mut file = file.to_vec();
        for _ in 0..=round % 5 {
            file[noise.below(data)] = noise.below(256) as u8;
        }
        !try_everything(&file)
    });
    assert!(refused.count() > 300, "changes are noticed");
}

/// A number of 32 or 64 bits anywhere in the header becomes one that allocations trip over.
fn sizes_become_extreme(file: &[u8], data: usize) {
    const EXTREMES: [u64; 8] = [0, 1, 1 << 16, 1 << 24, u32::MAX as u64, 1 << 40, i64::MAX as u64, u64::MAX];
    let mut noise = Noise(2);
    for round in 0..1500 {
        let mut file = file.to_vec();
        let (at, width) = (noise.below(data - 8), if round % 2 == 0 { 4 } else { 8 });
        let extreme = EXTREMES[noise.below(EXTREMES.len())].to_le_bytes();
        file[at..at + width].copy_from_slice(&extreme[..width]);
        try_everything(&file);
    }
}

fn parts_are_cut_out_or_doubled(file: &[u8], data: usize) {
    let mut noise = Noise(3);
    for round in 0..600 {
        let mut file = file.to_vec();
        let at = noise.below(data);
        let len = noise.below(64).min(file.len() - at);
        match round % 3 {
            0 => drop(file.drain(at..at + len)),
            1 => drop(file.splice(at..at, file[at..at + len].to_vec())),
            _ => file.truncate(noise.below(file.len())),
        }
        assert!(!try_everything(&file) || len == 0 || round % 3 != 2, "a cut file does not load");
    }
}

/// Every hyperparameter at values that multiply to more than any memory.
fn hyperparameters_become_extreme() {
    let keys = [
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "rope.dimension_count",
        "vocab_size",
    ];
    let values = [0, 1, 2, 3, 16, 1 << 12, (1 << 24) - 1, 1 << 24, 1 << 31, u32::MAX];
    for (at, first) in keys.iter().enumerate() {
        for second in &keys[at..] {
            for value in values {
                let key = |name: &str| format!("llama.{name}");
                let file = tiny("llama", GgmlType::Q8_0)
                    .replace(&key(first), Value::U32(value))
                    .replace(&key(second), Value::U32(value));
                try_everything(&file.build());
            }
        }
    }
}
