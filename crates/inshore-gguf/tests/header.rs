//! The header parser: good files, and each way in which a file can be wrong.

use inshore_gguf::testing::{GgufBuilder, block_on};
use inshore_gguf::{Array, GgmlType, Gguf, GgufError, ReadError, TensorInfo, Value};

fn parse(file: &[u8]) -> Result<Gguf, GgufError> {
    Gguf::parse(file, file.len() as u64)
}

fn error(file: &[u8]) -> GgufError {
    parse(file).expect_err("a broken file")
}

/// Header with the given counts and then `rest`.
fn header(n_tensors: u64, n_entries: u64, rest: &[u8]) -> Vec<u8> {
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend(n_tensors.to_le_bytes());
    file.extend(n_entries.to_le_bytes());
    file.extend(rest);
    file
}

/// A header with one entry `k` of type `code` and value `payload`.
fn entry(code: u32, payload: &[u8]) -> Vec<u8> {
    let mut rest = 1u64.to_le_bytes().to_vec();
    rest.push(b'k');
    rest.extend(code.to_le_bytes());
    rest.extend(payload);
    header(0, 1, &rest)
}

/// The bytes of an array's element type and count.
fn array_head(code: u32, count: u64) -> Vec<u8> {
    [code.to_le_bytes().as_slice(), count.to_le_bytes().as_slice()].concat()
}

fn all_values() -> Vec<Value> {
    let nested = Array::Array(vec![Array::String(vec!["x".into()]), Array::Array(vec![]), Array::I16(vec![-2, 3])]);
    vec![
        Value::U8(u8::MAX),
        Value::I8(i8::MIN),
        Value::U16(u16::MAX),
        Value::I16(i16::MIN),
        Value::U32(u32::MAX),
        Value::I32(i32::MIN),
        Value::F32(-0.1),
        Value::Bool(true),
        Value::String("héllo 🐚\0".into()),
        Value::U64(u64::MAX),
        Value::I64(i64::MIN),
        Value::F64(1e300),
        Value::Array(Array::U8(vec![1, 2])),
        Value::Array(Array::I8(vec![-1])),
        Value::Array(Array::U16(vec![500])),
        Value::Array(Array::I16(vec![-500])),
        Value::Array(Array::U32(vec![])),
        Value::Array(Array::I32(vec![-1, 0, 1])),
        Value::Array(Array::F32(vec![0.5])),
        Value::Array(Array::Bool(vec![true, false])),
        Value::Array(Array::String(vec![String::new(), "b".into()])),
        Value::Array(nested),
        Value::Array(Array::U64(vec![1 << 40])),
        Value::Array(Array::I64(vec![-1 << 40])),
        Value::Array(Array::F64(vec![2.5, -2.5])),
    ]
}

#[test]
fn all_types_of_values_and_tensors_survive_in_versions_2_and_3() {
    for version in [2, 3] {
        let mut builder = GgufBuilder::new().version(version).alignment(64);
        for (i, value) in all_values().into_iter().enumerate() {
            builder = builder.metadata(&format!("key.{i}"), value);
        }
        for kind in GgmlType::ALL {
            builder = builder.tensor(kind.name(), kind, &[256, 1, 3], &[0.25; 768]);
        }
        let file = builder.build();
        let gguf = block_on(Gguf::read(&file)).expect("a good file");
        assert_eq!(gguf.version, version);
        assert!(gguf.data_offset.is_multiple_of(64));
        for (i, value) in all_values().iter().enumerate() {
            assert_eq!(gguf.metadata.get(&format!("key.{i}")), Some(value));
        }
        let keys: Vec<&str> = gguf.metadata.iter().map(|(key, _)| key).take(3).collect();
        assert_eq!(keys, ["general.alignment", "key.0", "key.1"], "in file order");
        assert_eq!(gguf.tensors.len(), GgmlType::ALL.len());
        for kind in GgmlType::ALL {
            let info = gguf.tensor(kind.name()).expect("there");
            assert_eq!((info.kind, info.cols(), info.rows(), info.values()), (kind, 256, 3, 768));
            assert_eq!(Some(info.row_bytes() as usize), kind.row_bytes(256));
            assert!(info.offset.is_multiple_of(64));
            let all = block_on(Gguf::read_tensor(&file, info)).expect("inside the file");
            let last = block_on(Gguf::read_rows(&file, info, 2, 1)).expect("inside the tensor");
            assert_eq!(last, all[all.len() / 3 * 2..]);
            let beyond = block_on(Gguf::read_rows(&file, info, 2, 2));
            assert!(matches!(beyond, Err(GgufError::RowRange { rows: 3, first: 2, count: 2, .. })));
        }
        let missing = gguf.tensor("nope").expect_err("not there").to_string();
        assert!(missing.contains("`nope`"), "{missing}");
    }
}

#[test]
fn a_prefix_that_is_too_short_asks_for_more_until_it_is_enough() {
    let file = GgufBuilder::new().strings("t", &["abc"; 50]).tensor("w", GgmlType::F32, &[4], &[1.0; 4]).build();
    let file_len = file.len() as u64;
    let (mut len, mut rounds) = (0, 0);
    let gguf = loop {
        match Gguf::parse(&file[..len], file_len) {
            Ok(gguf) => break gguf,
            Err(GgufError::Incomplete { needed }) => {
                assert!(needed > len as u64 && needed <= file_len);
                len = needed as usize;
                rounds += 1;
            }
            Err(other) => panic!("{other}"),
        }
    };
    assert!(rounds > 10 && (len as u64) <= gguf.data_offset, "the tensor data is not asked for");
    assert_eq!(Some(gguf), parse(&file).ok());
}

#[test]
fn other_files_are_named_for_what_they_are() {
    for (file, said) in [
        (b"".as_slice(), "empty"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"version https://git-lfs", "Git LFS"),
        (b"PK\x03\x04abc", "zip"),
        (b"tjgg\x03\0\0\0", "older than GGUF"),
        (b"\x40\0\0\0\0\0\0\0{\"a\":", "safetensors"),
        (b"{\"error\":1}", "JSON"),
        (b"\x7fELF", "\\x7fELF"),
        (b"GGUX", "GGUX"),
    ] {
        let error = error(file);
        assert!(matches!(error, GgufError::NotGguf { .. }), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
    assert!(matches!(error(b"GG"), GgufError::Truncated { expected: 4, got: 2, .. }));
    assert!(matches!(error(b"GUG"), GgufError::NotGguf { .. }));
    assert!(matches!(Gguf::parse(b"G", 3), Err(GgufError::Incomplete { needed: 3 })), "two more bytes may tell");
    assert!(matches!(error(b"GGUF\x03\0\0\0"), GgufError::Truncated { .. }));
    assert!(matches!(error(b"GGUF\0\0\0\x03"), GgufError::BigEndian));
    for version in [0u32, 1, 4] {
        let file = [b"GGUF".as_slice(), &version.to_le_bytes()].concat();
        assert!(matches!(error(&file), GgufError::UnsupportedVersion { version: v } if v == version));
    }
}

#[test]
fn broken_metadata_is_refused() {
    let twice = GgufBuilder::new().string("k", "a").string("j", "b").string("k", "c").build();
    assert!(matches!(error(&twice), GgufError::DuplicateKey { key } if key == "k"));
    assert!(matches!(error(&entry(13, &[0; 8])), GgufError::UnknownValueType { code: 13, .. }));
    assert!(matches!(error(&entry(9, &array_head(77, 0))), GgufError::UnknownValueType { code: 77, .. }));
    assert!(matches!(error(&entry(7, &[2])), GgufError::InvalidBool { byte: 2, .. }));
    assert!(matches!(
        error(&entry(9, &[array_head(7, 2), vec![1, 9]].concat())),
        GgufError::InvalidBool { byte: 9, .. }
    ));
    let not_utf8 = [2u64.to_le_bytes().as_slice(), &[0xff, 0xfe]].concat();
    assert!(matches!(error(&entry(8, &not_utf8)), GgufError::InvalidUtf8 { offset: 45, .. }));
    let deep = array_head(9, 1).repeat(5);
    assert!(matches!(error(&entry(9, &deep)), GgufError::NestedTooDeep { limit: 4, .. }));
    let long_key = GgufBuilder::new().string(&"k".repeat(65_536), "v").build();
    assert!(matches!(error(&long_key), GgufError::TooLarge { claimed: 65_536, limit: 65_535, .. }));
    for alignment in [0, 3, 48] {
        let file = GgufBuilder::new().metadata("general.alignment", Value::U32(alignment)).build();
        assert!(matches!(error(&file), GgufError::InvalidAlignment { .. }));
    }
    let file = GgufBuilder::new().string("general.alignment", "32").build();
    assert!(matches!(error(&file), GgufError::WrongType { found: "string", .. }));
}

#[test]
fn sizes_beyond_the_file_are_refused() {
    for absurd in [u64::MAX, u64::MAX / 2, 1 << 60, 1 << 40, 100_000] {
        let files = [
            header(absurd, 0, &[0; 64]),
            header(0, absurd, &[0; 64]),
            header(0, 1, &absurd.to_le_bytes()),
            entry(8, &absurd.to_le_bytes()),
            entry(9, &array_head(0, absurd)),
            entry(9, &array_head(7, absurd)),
            entry(9, &array_head(8, absurd)),
            entry(9, &array_head(9, absurd)),
            entry(9, &array_head(12, absurd)),
        ];
        for file in files {
            let error = error(&file);
            assert!(matches!(error, GgufError::Truncated { .. } | GgufError::AbsurdSize { .. }), "{error}");
            assert!(error.to_string().contains("download it again"), "{error}");
        }
    }
    let many = header(70_000, 0, &[0; 70_000 * 32]);
    assert!(matches!(error(&many), GgufError::TooLarge { claimed: 70_000, limit: 65_536, .. }));
    let many = header(0, 70_000, &[0; 70_000 * 13]);
    assert!(matches!(error(&many), GgufError::TooLarge { claimed: 70_000, limit: 65_536, .. }));
}

#[test]
fn broken_tensors_are_refused() {
    let one = |code, shape: &[u64], bytes| {
        error(&GgufBuilder::new().raw_tensor("w.weight", code, shape, vec![0; bytes]).build())
    };
    let reason = |error: &GgufError| match error {
        GgufError::InvalidShape { reason, .. } => *reason,
        _ => "another error",
    };
    assert!(matches!(one(0, &[], 4), GgufError::InvalidDimensions { n_dims: 0, .. }));
    assert!(matches!(one(0, &[1; 5], 4), GgufError::InvalidDimensions { n_dims: 5, .. }));
    assert!(reason(&one(0, &[4, 0], 4)).contains("zero"));
    assert!(reason(&one(3, &[33, 2], 64)).contains("block length"));
    assert!(reason(&one(0, &[1 << 40, 1 << 40], 4)).contains("overflows"));
    assert!(reason(&one(0, &[u64::MAX], 4)).contains("overflows"));
    assert!(matches!(one(0, &[1 << 61], 4), GgufError::AbsurdSize { .. } | GgufError::Truncated { .. }));
    let unsupported = one(11, &[256], 110);
    assert!(matches!(unsupported, GgufError::UnsupportedTensorType { code: 11, .. }));
    let said = unsupported.to_string();
    assert!(["`w.weight`", "Q3_K", "11", "Q4_K", "BF16"].iter().all(|part| said.contains(part)), "{said}");
    assert!(one(999, &[256], 110).to_string().contains("unknown (999)"));
    let twice = GgufBuilder::new().tensor("w", GgmlType::F32, &[1], &[0.0]).tensor("w", GgmlType::F32, &[1], &[0.0]);
    assert!(matches!(error(&twice.build()), GgufError::DuplicateTensor { name } if name == "w"));
    let long_name = GgufBuilder::new().tensor(&"n".repeat(513), GgmlType::F32, &[1], &[0.0]).build();
    assert!(matches!(error(&long_name), GgufError::TooLarge { claimed: 513, .. }));
}

#[test]
fn misplaced_tensors_are_refused() {
    let file = GgufBuilder::new()
        .tensor("a", GgmlType::F32, &[16], &[0.0; 16])
        .tensor("b", GgmlType::F32, &[16], &[0.0; 16])
        .build();
    // The table ends with b's offset; 64 bytes of data each follow after padding.
    let data = parse(&file).expect("good").data_offset as usize;
    let at = (data - 32..data).rev().find(|&at| file[at] == 64).expect("b's offset");
    let with_offset = |offset: u64| {
        let mut file = file.clone();
        file[at..at + 8].copy_from_slice(&offset.to_le_bytes());
        error(&file)
    };
    assert!(matches!(with_offset(65), GgufError::Misaligned { offset: 65, alignment: 32, .. }));
    assert!(
        matches!(with_offset(32), GgufError::OverlappingTensors { first, second } if first == "a" && second == "b")
    );
    assert!(matches!(with_offset(0), GgufError::OverlappingTensors { .. }));
    let end = file.len() as u64;
    assert!(
        matches!(with_offset(96), GgufError::Truncated { expected, got, .. } if expected == end + 32 && got == end)
    );
    assert!(matches!(with_offset(!31), GgufError::AbsurdSize { .. }));
}

#[test]
fn a_cut_file_says_how_long_it_must_be() {
    let file = GgufBuilder::new().tensor("w", GgmlType::F32, &[64], &[1.0; 64]).build();
    let said = error(&file[..file.len() - 1]).to_string();
    let expected = format!("reaches to byte {}, the file has {} bytes", file.len(), file.len() - 1);
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn reading_a_tensor_that_is_not_in_the_source_allocates_nothing() {
    let info = TensorInfo {
        name: "w".into(),
        kind: GgmlType::F32,
        shape: vec![1 << 50],
        offset: u64::MAX - 8,
        bytes: u64::MAX,
    };
    let result = block_on(Gguf::read_tensor(&vec![0; 16], &info));
    assert!(matches!(result, Err(GgufError::Read(ReadError::Short { got: 0, .. }))));
}
