//! The devices that every operation is tested on, and what such tests share.

#[cfg(feature = "gpu")]
mod forced;

#[cfg(feature = "gpu")]
use std::sync::OnceLock;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use half::f16;
use inshore_gguf::GgmlType;
#[cfg(feature = "gpu")]
use inshore_gguf::testing::block_on;
use inshore_gguf::testing::quantize;

#[cfg(feature = "gpu")]
pub(crate) use self::forced::force;
#[cfg(feature = "gpu")]
use crate::device::{DeviceChoice, OpenDevice};
use crate::flex::CacheShape;
use crate::sample::reference::noise_bits;
use crate::{KvFormat, KvLayer, PackedLayout, PackedMatrix};

/// The GPU of this process: its runtime can be registered only once.
#[cfg(feature = "gpu")]
pub(crate) fn gpu() -> &'static OpenDevice {
    static GPU: OnceLock<OpenDevice> = OnceLock::new();
    GPU.get_or_init(|| {
        block_on(OpenDevice::open(DeviceChoice::Gpu)).unwrap_or_else(|error| {
            panic!(
                "{error}\nThis test needs a Vulkan driver, if only one in software: `cargo xtask test` installs \
                 one, or install mesa-vulkan-drivers"
            )
        })
    })
}

/// The backends of this build with their names.
pub(crate) fn devices() -> Vec<(&'static str, Device)> {
    vec![
        #[cfg(feature = "gpu")]
        ("wgpu", gpu().device.clone()),
        ("flex", Device::flex()),
    ]
}

/// `count` values in -1..1.
pub(crate) fn random(seed: u64, count: usize) -> Vec<f32> {
    (0..count as u32).map(|at| noise_bits(seed, 0, at) as i32 as f32 / 2_147_483_648.0).collect()
}

/// A packed matrix before it is on a device.
pub(crate) struct Packed {
    pub layout: PackedLayout,
    pub words: Vec<u32>,
}

impl Packed {
    /// Random values in format `kind`.
    pub(crate) fn random(kind: GgmlType, rows: usize, cols: usize, seed: u64) -> Self {
        let layout = PackedLayout::new(kind, rows, cols).expect("whole blocks");
        let gguf = quantize(kind, &random(seed, rows * cols));
        let words = layout.pack(&gguf, |row| row).expect("as many bytes as the layout has");
        Self { layout, words }
    }

    pub(crate) fn on(&self, device: &Device) -> PackedMatrix {
        PackedMatrix::new(self.layout, self.words.clone(), device).expect("as many words as the layout has")
    }
}

/// `values` as a tensor of `shape`.
pub(crate) fn floats<const D: usize>(values: &[f32], shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values.to_vec(), shape), (device, DType::F32))
}

/// `words` as a tensor.
pub(crate) fn words(words: &[u32], device: &Device) -> Tensor<1, Int> {
    Tensor::from_data(TensorData::new(words.to_vec(), [words.len()]), (device, DType::U32))
}

/// The values of a tensor.
pub(crate) fn read<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32 values")
}

impl KvLayer {
    /// The keys and the values that the cache keeps, `[capacity, kv_heads, head_dim]` each, in whatever order the backend has
    /// them.
    pub(crate) fn kept(&self, head_dim: usize) -> [Vec<f32>; 2] {
        let tensor = self.words();
        let dims = tensor.dims();
        let on_cpu = tensor.device() == Device::flex();
        let words: Vec<u32> = tensor.into_data().try_to_vec().expect("words");
        if on_cpu {
            return CacheShape::of(&dims, head_dim, self.format()).kept(&words);
        }
        let numbers: Vec<f32> = if self.format() == KvFormat::F32 {
            words.into_iter().map(f32::from_bits).collect()
        } else {
            let halves = words.iter().flat_map(|word| [*word as u16, (word >> 16) as u16]);
            halves.map(|bits| f16::from_bits(bits).to_f32()).collect()
        };
        let (keys, values) = numbers.split_at(numbers.len() / 2);
        [keys.to_vec(), values.to_vec()]
    }
}

/// Fails unless all values are as near to each other as `tolerance`, relative to the larger of 1 and the expected value.
#[track_caller]
pub(crate) fn assert_close(got: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}: number of values");
    for (at, (&got, &expected)) in got.iter().zip(expected).enumerate() {
        let error = (got - expected).abs() / expected.abs().max(1.0);
        assert!(error <= tolerance, "{what}: value {at} is {got}, expected {expected}");
    }
}
