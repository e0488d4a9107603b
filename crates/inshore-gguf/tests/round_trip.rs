//! What the writer writes, the parser reads; what the quantisers pack, the dequantisers unpack nearly.

use inshore_gguf::testing::{GgufBuilder, block_on, quantize};
use inshore_gguf::{Array, GgmlType, Gguf, Value, block};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn array() -> impl Strategy<Value = Array> {
    let leaf = prop_oneof![
        vec(any::<u8>(), 0..20).prop_map(Array::U8),
        vec(any::<i8>(), 0..20).prop_map(Array::I8),
        vec(any::<u16>(), 0..20).prop_map(Array::U16),
        vec(any::<i16>(), 0..20).prop_map(Array::I16),
        vec(any::<u32>(), 0..20).prop_map(Array::U32),
        vec(any::<i32>(), 0..20).prop_map(Array::I32),
        vec(any::<f32>(), 0..20).prop_map(Array::F32),
        vec(any::<bool>(), 0..20).prop_map(Array::Bool),
        vec(".{0,9}", 0..20).prop_map(Array::String),
        vec(any::<u64>(), 0..20).prop_map(Array::U64),
        vec(any::<i64>(), 0..20).prop_map(Array::I64),
        vec(any::<f64>(), 0..20).prop_map(Array::F64),
    ];
    leaf.prop_recursive(3, 40, 5, |inner| vec(inner, 0..5).prop_map(Array::Array))
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<u8>().prop_map(Value::U8),
        any::<i8>().prop_map(Value::I8),
        any::<u16>().prop_map(Value::U16),
        any::<i16>().prop_map(Value::I16),
        any::<u32>().prop_map(Value::U32),
        any::<i32>().prop_map(Value::I32),
        any::<f32>().prop_map(Value::F32),
        any::<bool>().prop_map(Value::Bool),
        ".{0,30}".prop_map(Value::String),
        array().prop_map(Value::Array),
        any::<u64>().prop_map(Value::U64),
        any::<i64>().prop_map(Value::I64),
        any::<f64>().prop_map(Value::F64),
    ]
}

/// Type, blocks per row, outer dimensions.
fn tensor() -> impl Strategy<Value = (GgmlType, u64, Vec<u64>)> {
    (prop::sample::select(&GgmlType::ALL[..]), 1..4u64, vec(1..4u64, 0..4))
}

/// Largest error allowed for values within -1..=1, from the width of a step and the rounding of the scales.
fn tolerance(kind: GgmlType) -> f32 {
    match kind {
        GgmlType::F32 => 0.0,
        GgmlType::F16 => 2.5e-4,
        GgmlType::Bf16 => 2e-3,
        GgmlType::Q8_0 => 4.5e-3,
        GgmlType::Q4_0 => 0.072,
        GgmlType::Q4_1 => 0.068,
        GgmlType::Q5_0 => 0.034,
        GgmlType::Q5_1 => 0.034,
        GgmlType::Q4K => 0.1,
        GgmlType::Q5K => 0.065,
        GgmlType::Q6K => 0.03,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn writer_and_parser_agree(
        entries in btree_map("[a-z]{1,6}(\\.[a-z]{1,6}){0,2}", value(), 0..12),
        tensors in btree_map("[a-z]{1,9}\\.weight", tensor(), 0..8),
        alignment in prop::sample::select(&[1u32, 8, 32, 64, 4096][..]),
    ) {
        let mut builder = GgufBuilder::new().alignment(alignment);
        for (key, value) in &entries {
            builder = builder.metadata(key, value.clone());
        }
        for (name, (kind, blocks, outer)) in &tensors {
            let shape = [&[blocks * kind.block_len() as u64], &outer[..outer.len().min(3)]].concat();
            builder = builder.tensor(name, *kind, &shape, &vec![0.5; shape.iter().product::<u64>() as usize]);
        }
        let file = builder.build();
        let gguf = block_on(Gguf::read(&file)).expect("a good file");
        prop_assert_eq!(gguf.metadata.len(), entries.len() + 1);
        for (key, value) in &entries {
            // Through Debug, which also tells that two NaNs are the same.
            let read = gguf.metadata.get(key).expect("written");
            prop_assert_eq!(format!("{read:?}"), format!("{value:?}"));
        }
        prop_assert_eq!(gguf.tensors.len(), tensors.len());
        for (name, (kind, blocks, _)) in &tensors {
            let info = gguf.tensor(name).expect("written");
            prop_assert_eq!((info.kind, info.cols()), (*kind, blocks * kind.block_len() as u64));
            prop_assert_eq!(info.offset % u64::from(alignment), 0);
            let packed = block_on(Gguf::read_tensor(&file, info)).expect("in the file");
            prop_assert_eq!(packed, quantize(*kind, &vec![0.5; info.values() as usize]));
        }
    }

    #[test]
    fn quantised_values_come_back_nearly(values in vec(-1.0f32..=1.0, 512)) {
        for kind in GgmlType::ALL {
            let packed = quantize(kind, &values);
            let mut unpacked = vec![0.0; values.len()];
            block::dequantize(kind, &packed, &mut unpacked).expect("whole blocks");
            for (value, back) in values.iter().zip(&unpacked) {
                prop_assert!((value - back).abs() <= tolerance(kind), "{}: {} became {}", kind, value, back);
            }
        }
    }
}

#[test]
fn constant_and_one_sided_blocks_quantise() {
    for kind in GgmlType::ALL {
        for values in [[0.0; 256], [0.5; 256], [-0.5; 256], std::array::from_fn(|i| i as f32 / 256.0)] {
            let mut unpacked = [f32::NAN; 256];
            block::dequantize(kind, &quantize(kind, &values), &mut unpacked).expect("whole blocks");
            let worst = values.iter().zip(&unpacked).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= tolerance(kind), "{kind}: {worst}");
        }
    }
}
