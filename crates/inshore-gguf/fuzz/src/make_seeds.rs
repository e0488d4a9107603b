//! Writes small good inputs into `corpus/`, so that fuzzing starts behind the magic number.

use std::fs;
use std::io;

use inshore_gguf::testing::{GgufBuilder, quantize};
use inshore_gguf::{Array, GgmlType, Value};

fn main() -> io::Result<()> {
    fs::create_dir_all("corpus/gguf_parse")?;
    fs::create_dir_all("corpus/gguf_dequant")?;
    let nested = Array::Array(vec![Array::U8(vec![1, 2]), Array::Array(vec![Array::Bool(vec![true])])]);
    let values = [
        Value::U8(1),
        Value::I8(-1),
        Value::U16(1),
        Value::I16(-1),
        Value::U32(1),
        Value::I32(-1),
        Value::F32(0.5),
        Value::Bool(true),
        Value::String("text".into()),
        Value::Array(nested),
        Value::Array(Array::String(vec!["a".into(), "b".into()])),
        Value::Array(Array::I32(vec![1, 2, 3])),
        Value::U64(1),
        Value::I64(-1),
        Value::F64(0.5),
    ];
    let mut all = GgufBuilder::new().version(2).alignment(8);
    for (i, value) in values.into_iter().enumerate() {
        let one = GgufBuilder::new().metadata("k", value.clone()).build();
        fs::write(format!("corpus/gguf_parse/value_{i}"), one)?;
        all = all.metadata(&format!("k{i}"), value);
    }
    for (i, kind) in GgmlType::ALL.into_iter().enumerate() {
        let values: Vec<f32> = (0..512).map(|v| (v as f32 * 0.7).sin()).collect();
        let row = kind.block_len();
        let one = GgufBuilder::new().alignment(8).tensor("w", kind, &[row as u64], &values[..row]).build();
        fs::write(format!("corpus/gguf_parse/tensor_{kind}"), one)?;
        all = all.tensor(&format!("t{i}"), kind, &[row as u64], &values[..row]);
        let blocks = quantize(kind, &values[..2 * row]);
        fs::write(format!("corpus/gguf_dequant/{kind}"), [&[i as u8], blocks.as_slice()].concat())?;
    }
    fs::write("corpus/gguf_parse/all", all.build())
}
