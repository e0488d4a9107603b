//! Burn's CPU tensors as slices and back.

use burn::tensor::{DType, TensorData};
use burn_flex::FlexTensor;

/// `tensor` with its values in order in a buffer of its own size. Costs nothing if they already are, and does not share
/// what was not shared.
pub fn contiguous(tensor: FlexTensor) -> FlexTensor {
    tensor.to_contiguous()
}

/// The values of a contiguous f32 tensor.
pub fn floats(tensor: &FlexTensor) -> &[f32] {
    tensor.storage()
}

/// The values of an integer tensor of any width.
pub fn integers(tensor: FlexTensor) -> Vec<i64> {
    let tensor = contiguous(tensor);
    match tensor.dtype() {
        DType::I64 => tensor.storage().to_vec(),
        DType::I32 => tensor.storage::<i32>().iter().map(|&value| value.into()).collect(),
        DType::U32 => tensor.storage::<u32>().iter().map(|&value| value.into()).collect(),
        // Rare: Burn's own conversion does.
        _ => tensor.into_data().iter::<i64>().collect(),
    }
}

/// A tensor of `values`.
pub fn from_floats<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// An unsigned 32-bit vector.
pub fn from_words(words: Vec<u32>) -> FlexTensor {
    let shape = [words.len()];
    FlexTensor::from_data(TensorData::new(words, shape))
}
