//! Any bytes as blocks of any type: unpacking succeeds exactly for whole blocks, and blocks do not influence each other.
#![no_main]

use inshore_gguf::{GgmlType, GgufError, block};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    let kind = GgmlType::ALL[usize::from(choice) % GgmlType::ALL.len()];
    let count = bytes.len() / kind.block_bytes();
    let packed = &bytes[..count * kind.block_bytes()];
    let mut values = vec![0.0; count * kind.block_len()];
    block::dequantize(kind, packed, &mut values).expect("whole blocks");

    let bad = values.iter().position(|value| !value.is_finite()).map(|at| at / kind.block_len());
    assert_eq!(block::first_not_finite(kind, packed), bad);
    for (packed, values) in packed.chunks(kind.block_bytes()).zip(values.chunks(kind.block_len())) {
        let mut alone = vec![0.0; kind.block_len()];
        block::dequantize(kind, packed, &mut alone).expect("one block");
        assert!(alone.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
    if packed.len() != bytes.len() {
        let result = block::dequantize(kind, bytes, &mut values);
        assert!(matches!(result, Err(GgufError::BlockSize { .. })));
    }
});
