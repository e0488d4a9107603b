//! Every dequantiser against values that the `gguf` Python package computed (`golden/make_golden.py`).

use inshore_gguf::{GgmlType, GgufError, block};

const GOLDEN: &[u8] = include_bytes!("golden/blocks.bin");

struct Case {
    kind: GgmlType,
    packed: &'static [u8],
    values: Vec<f32>,
}

fn cases() -> Vec<Case> {
    let mut rest = GOLDEN;
    let mut take = |len: usize| {
        let (taken, left) = rest.split_at(len);
        rest = left;
        taken
    };
    let mut cases = Vec::new();
    for _ in 0..GgmlType::ALL.len() {
        let [code, count, packed_len, n_values] =
            std::array::from_fn(|_| u32::from_le_bytes(take(4).try_into().expect("four bytes")));
        let kind = GgmlType::from_code(code).expect("a known type");
        assert_eq!(packed_len as usize, count as usize * kind.block_bytes(), "block_bytes of {kind}");
        assert_eq!(n_values as usize, count as usize * kind.block_len(), "block_len of {kind}");
        let packed = take(packed_len as usize);
        let values = take(4 * n_values as usize).as_chunks().0.iter().map(|&value| f32::from_le_bytes(value));
        cases.push(Case { kind, packed, values: values.collect() });
    }
    assert!(rest.is_empty());
    cases
}

#[test]
fn dequantised_values_equal_the_reference_to_the_bit() {
    let cases = cases();
    for kind in GgmlType::ALL {
        let case = cases.iter().find(|case| case.kind == kind).expect("a case for every type");
        let mut values = vec![f32::NAN; case.values.len()];
        block::dequantize(kind, case.packed, &mut values).expect("whole blocks");
        for (i, (value, expected)) in values.iter().zip(&case.values).enumerate() {
            let same = value.to_bits() == expected.to_bits() || value.is_nan() && expected.is_nan();
            assert!(same, "{kind} value {i}: {value:e} instead of {expected:e}");
        }
    }
}

#[test]
fn part_blocks_are_refused_and_nothing_is_written() {
    for case in cases() {
        let (kind, packed) = (case.kind, case.packed);
        let mut out = vec![7.0; case.values.len()];
        for cut in [0, 1, packed.len() - 1] {
            let error = block::dequantize(kind, &packed[..cut], &mut out).expect_err("too few bytes");
            assert!(matches!(error, GgufError::BlockSize { bytes, .. } if bytes == cut), "{kind}: {error}");
        }
        let short = out.len() - 1;
        block::dequantize(kind, packed, &mut out[..short]).expect_err("too few values");
        assert!(out.iter().all(|&value| value == 7.0));
        block::dequantize(kind, &[], &mut []).expect("no blocks are whole blocks");
    }
}
