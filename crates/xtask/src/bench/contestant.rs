//! Who takes part: our engine in its settings, and the peers in theirs.

use anyhow::{Result, bail};

/// One way to run the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contestant {
    /// What `--contestants` takes.
    pub id: &'static str,
    /// For people.
    pub label: &'static str,
    /// How it is started.
    pub runner: Runner,
    /// The file it reads.
    pub weights: Weights,
    /// How many threads it computes with.
    pub threads: Threads,
    /// What computes.
    pub device: Device,
}

/// How a contestant is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runner {
    /// `inshore generate`.
    Native {
        /// With `--exact`: f32 activations.
        exact: bool,
    },
    /// Our page in Chromium.
    Page,
    /// llama.cpp in Node.
    LlamaCpp,
    /// wllama in Chromium.
    Wllama,
    /// transformers.js in Chromium, with one of its names for a precision.
    Transformers(&'static str),
}

/// Which form of the same weights is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weights {
    /// The model's own file.
    Model,
    /// The same weights as Q8_0: what wllama is fastest with.
    Q8_0,
    /// ONNX, 32 bits a weight.
    OnnxFp32,
    /// ONNX, 8 bits a weight and one scale an output.
    OnnxInt8,
    /// ONNX, 8 bits a weight in blocks of 32.
    OnnxQ8,
}

/// How many threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// One.
    One,
    /// As many as the machine has cores.
    All,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The CPU, by the contestant's own kernels.
    Cpu,
    /// The GPU, or what stands in for it.
    Gpu,
    /// llvmpipe in a Chromium that calls it SwiftShader, also where there is a GPU.
    Lavapipe,
}

/// What is measured on a software GPU, where a token takes seconds.
pub struct Patience {
    /// Names of the prompts.
    pub prompts: &'static [&'static str],
    /// Generated tokens.
    pub tokens: usize,
}

const fn row(id: &'static str, label: &'static str, runner: Runner, weights: Weights, threads: Threads) -> Contestant {
    Contestant { id, label, runner, weights, threads, device: Device::Cpu }
}

const fn gpu(id: &'static str, label: &'static str, runner: Runner, weights: Weights) -> Contestant {
    Contestant { id, label, runner, weights, threads: Threads::All, device: Device::Gpu }
}

const fn lavapipe(id: &'static str, label: &'static str, runner: Runner, weights: Weights) -> Contestant {
    Contestant { id, label, runner, weights, threads: Threads::All, device: Device::Lavapipe }
}

/// Everybody; ours first.
pub const ALL: [Contestant; 22] = [
    row("native-1", "inshore, native CPU", Runner::Native { exact: false }, Weights::Model, Threads::One),
    row("native", "inshore, native CPU", Runner::Native { exact: false }, Weights::Model, Threads::All),
    row("native-exact-1", "inshore --exact, native CPU", Runner::Native { exact: true }, Weights::Model, Threads::One),
    row("native-exact", "inshore --exact, native CPU", Runner::Native { exact: true }, Weights::Model, Threads::All),
    gpu("native-gpu", "inshore, native wgpu", Runner::Native { exact: false }, Weights::Model),
    row("simd-1", "inshore, Chromium WASM SIMD", Runner::Page, Weights::Model, Threads::One),
    row("simd", "inshore, Chromium WASM SIMD", Runner::Page, Weights::Model, Threads::All),
    gpu("webgpu", "inshore, Chromium WebGPU", Runner::Page, Weights::Model),
    lavapipe("webgpu-lvp", "inshore, Chromium WebGPU, llvmpipe", Runner::Page, Weights::Model),
    row("llamacpp-1", "llama.cpp, native CPU", Runner::LlamaCpp, Weights::Model, Threads::One),
    row("llamacpp", "llama.cpp, native CPU", Runner::LlamaCpp, Weights::Model, Threads::All),
    gpu("llamacpp-gpu", "llama.cpp, native Vulkan", Runner::LlamaCpp, Weights::Model),
    row("wllama-1", "wllama, Chromium WASM", Runner::Wllama, Weights::Model, Threads::One),
    row("wllama", "wllama, Chromium WASM", Runner::Wllama, Weights::Model, Threads::All),
    row("wllama-q8-1", "wllama Q8_0, Chromium WASM", Runner::Wllama, Weights::Q8_0, Threads::One),
    row("wllama-q8", "wllama Q8_0, Chromium WASM", Runner::Wllama, Weights::Q8_0, Threads::All),
    gpu("wllama-gpu", "wllama, Chromium WebGPU", Runner::Wllama, Weights::Model),
    lavapipe("wllama-gpu-lvp", "wllama, Chromium WebGPU, llvmpipe", Runner::Wllama, Weights::Model),
    row("tjs-fp32-1", "transformers.js fp32, WASM", Runner::Transformers("fp32"), Weights::OnnxFp32, Threads::One),
    row("tjs-int8-1", "transformers.js int8, WASM", Runner::Transformers("int8"), Weights::OnnxInt8, Threads::One),
    gpu("tjs-gpu", "transformers.js q8, WebGPU", Runner::Transformers("q8"), Weights::OnnxQ8),
    lavapipe("tjs-gpu-lvp", "transformers.js q8, WebGPU, llvmpipe", Runner::Transformers("q8"), Weights::OnnxQ8),
];

impl Contestant {
    /// Whether this is our engine.
    pub const fn is_ours(&self) -> bool {
        matches!(self.runner, Runner::Native { .. } | Runner::Page)
    }

    /// Whether it runs in Chromium.
    pub const fn is_web(&self) -> bool {
        matches!(self.runner, Runner::Page | Runner::Wllama | Runner::Transformers(_))
    }

    /// Whether a GPU computes, or what stands in for one.
    pub fn on_gpu(&self) -> bool {
        self.device != Device::Cpu
    }

    /// Whether a GPU is emulated for it, on a machine with or without one.
    pub fn is_emulated(&self, hardware_gpu: bool) -> bool {
        self.device == Device::Lavapipe || (self.device == Device::Gpu && !hardware_gpu)
    }

    /// Its threads on a machine of `cores`.
    pub const fn thread_count(&self, cores: usize) -> usize {
        match self.threads {
            Threads::One => 1,
            Threads::All => cores,
        }
    }

    /// Bytes of a number in its KV cache, without scales: llama.cpp and we keep 16 bits, unless we are to be exact.
    pub const fn kv_value_bytes(&self) -> u64 {
        match self.runner {
            Runner::LlamaCpp | Runner::Native { exact: false } | Runner::Page => 2,
            _ => 4,
        }
    }

    /// What it is asked on a software GPU. transformers.js takes 8 s a token on SwiftShader, and minutes for a longer
    /// prompt; its counterpart among ours answers the same short one too.
    pub const fn patience(&self) -> Patience {
        match (self.runner, self.device) {
            (Runner::Transformers(_) | Runner::Wllama, Device::Lavapipe) => Patience { prompts: &["p64"], tokens: 8 },
            (Runner::Transformers(_), _) => Patience { prompts: &["raw"], tokens: 4 },
            (Runner::Page, Device::Gpu) => Patience { prompts: &["raw", "p64"], tokens: 16 },
            _ => Patience { prompts: &["p64"], tokens: 16 },
        }
    }

    /// The label with its threads.
    pub fn name(&self, cores: usize) -> String {
        if self.on_gpu() {
            return self.label.to_owned();
        }
        let threads = self.thread_count(cores);
        format!("{}, {threads} thread{}", self.label, if threads == 1 { "" } else { "s" })
    }
}

/// The contestant of this id.
#[cfg(test)]
pub fn find(id: &str) -> Option<&'static Contestant> {
    ALL.iter().find(|contestant| contestant.id == id)
}

/// Those of a comma-separated list, in the table's order. A word that ends with `*` stands for all that begin so; `ours`
/// and `peers` for all of either.
pub fn select(list: Option<&str>, cores: usize) -> Result<Vec<&'static Contestant>> {
    let words: Vec<&str> = list.unwrap_or("*").split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
    for word in &words {
        if !ALL.iter().any(|contestant| is_named(contestant, word)) {
            bail!("there is no contestant {word}; `cargo xtask bench --list` names all");
        }
    }
    // On a machine with one core, all threads are one.
    let is_double = |contestant: &Contestant| cores == 1 && contestant.threads == Threads::All && !contestant.on_gpu();
    Ok(ALL
        .iter()
        .filter(|contestant| !is_double(contestant) && words.iter().any(|word| is_named(contestant, word)))
        .collect())
}

fn is_named(contestant: &Contestant, word: &str) -> bool {
    match (word, word.strip_suffix('*')) {
        ("ours", _) => contestant.is_ours(),
        ("peers", _) => !contestant.is_ours(),
        (_, Some(start)) => contestant.id.starts_with(start),
        _ => contestant.id == word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: Option<&str>, cores: usize) -> Vec<&'static str> {
        select(list, cores).expect("known").iter().map(|contestant| contestant.id).collect()
    }

    #[test]
    fn ids_are_unique() {
        for contestant in &ALL {
            assert_eq!(find(contestant.id), Some(contestant));
        }
    }

    #[test]
    fn lists_select_in_the_order_of_the_table() {
        assert_eq!(ids(None, 2).len(), ALL.len());
        assert_eq!(ids(Some("llamacpp-1, native-1"), 2), ["native-1", "llamacpp-1"]);
        assert_eq!(ids(Some("simd*"), 2), ["simd-1", "simd"]);
        assert_eq!(ids(Some("simd*"), 1), ["simd-1"], "one core has no second setting");
        assert_eq!(ids(Some("ours,peers"), 2).len(), ALL.len());
        assert!(select(Some("native-1,nobody"), 2).is_err());
    }

    #[test]
    fn lavapipe_is_emulated_beside_a_gpu_too() {
        let of = |id: &str| [false, true].map(|hardware| find(id).expect("known").is_emulated(hardware));
        assert_eq!([of("simd"), of("webgpu"), of("webgpu-lvp")], [[false, false], [true, false], [true, true]]);
    }

    #[test]
    fn names_tell_threads() {
        assert_eq!(find("native").expect("known").name(4), "inshore, native CPU, 4 threads");
        assert_eq!(find("native-1").expect("known").name(4), "inshore, native CPU, 1 thread");
        assert_eq!(find("native-gpu").expect("known").name(4), "inshore, native wgpu");
    }
}
