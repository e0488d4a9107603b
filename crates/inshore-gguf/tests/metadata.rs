//! Typed getters of the metadata table.

use inshore_gguf::testing::GgufBuilder;
use inshore_gguf::{Array, Gguf, GgufError, Metadata, Value};

fn metadata(entries: &[(&str, Value)]) -> Metadata {
    let mut builder = GgufBuilder::new();
    for (key, value) in entries {
        builder = builder.metadata(key, value.clone());
    }
    let file = builder.build();
    Gguf::parse(&file, file.len() as u64).expect("a good file").metadata
}

#[test]
fn integers_of_any_type_are_read_where_they_fit() {
    for value in [
        Value::U8(7),
        Value::I8(7),
        Value::U16(7),
        Value::I16(7),
        Value::U32(7),
        Value::I32(7),
        Value::U64(7),
        Value::I64(7),
    ] {
        let table = metadata(&[("k", value)]);
        assert_eq!(table.u32("k").expect("fits"), Some(7));
        assert_eq!(table.u64("k").expect("fits"), Some(7));
    }
    for value in [Value::I32(-1), Value::U64(1 << 32), Value::F32(1.0), Value::Bool(true)] {
        let found = value.type_name();
        let error = metadata(&[("k", value)]).u32("k").expect_err("does not fit");
        assert!(matches!(&error, GgufError::WrongType { key, found: f, .. } if key == "k" && *f == found), "{error}");
    }
}

#[test]
fn missing_keys_are_none_or_an_error_that_names_them() {
    let table = metadata(&[]);
    assert!(table.is_empty());
    assert_eq!(table.string("a.b").expect("no wrong type"), None);
    let error = table.require::<u32>("a.b").expect_err("missing");
    assert!(matches!(error, GgufError::MissingKey { key } if key == "a.b"));
}

#[test]
fn other_types_are_read_as_themselves() {
    let table = metadata(&[
        ("s", Value::String("text".into())),
        ("f", Value::F32(0.5)),
        ("d", Value::F64(0.25)),
        ("b", Value::Bool(false)),
        ("ss", Value::Array(Array::String(vec!["x".into(), "y".into()]))),
        ("fs", Value::Array(Array::F32(vec![1.5]))),
    ]);
    assert_eq!(table.len(), 6);
    assert_eq!(table.require::<&str>("s").expect("string"), "text");
    assert_eq!(table.f32("f").expect("f32"), Some(0.5));
    assert_eq!(table.f32("d").expect("f64"), Some(0.25));
    assert_eq!(table.bool("b").expect("bool"), Some(false));
    assert_eq!(table.strings("ss").expect("strings"), Some(["x".to_owned(), "y".to_owned()].as_slice()));
    assert_eq!(table.f32s("fs").expect("floats"), Some([1.5].as_slice()));
    for key in ["f", "b", "ss", "fs"] {
        table.string(key).expect_err("not a string");
    }
    table.strings("fs").expect_err("not strings");
    table.bool("s").expect_err("not a bool");
    table.f32("s").expect_err("not a float");
    table.i32s("fs").expect_err("not integers");
    let said = table.f32s("ss").expect_err("not floats").to_string();
    assert!(said.contains("`ss`") && said.contains("array of string"), "{said}");
}

#[test]
fn integer_arrays_are_read_as_i32_where_they_fit() {
    for array in [
        Array::U8(vec![1, 2]),
        Array::I8(vec![1, 2]),
        Array::U16(vec![1, 2]),
        Array::I16(vec![1, 2]),
        Array::U32(vec![1, 2]),
        Array::I32(vec![1, 2]),
        Array::U64(vec![1, 2]),
        Array::I64(vec![1, 2]),
    ] {
        let table = metadata(&[("k", Value::Array(array))]);
        assert_eq!(table.i32s("k").expect("fits").as_deref(), Some([1, 2].as_slice()));
    }
    let table = metadata(&[("k", Value::Array(Array::U32(vec![1, u32::MAX])))]);
    table.i32s("k").expect_err("4294967295 is not an i32");
}
