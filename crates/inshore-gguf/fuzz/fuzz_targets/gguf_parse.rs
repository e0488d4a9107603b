//! Any bytes as a GGUF file: parsing gives a header that keeps its promises, or an error with a message.
#![no_main]

use inshore_gguf::testing::block_on;
use inshore_gguf::{Gguf, GgufError, Survey, block};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    let file_len = file.len() as u64;
    let whole = Gguf::parse(file, file_len);
    assert!(!matches!(whole, Err(GgufError::Incomplete { .. })), "the whole file is all there is");
    check_prefix(file, &whole);
    check_survey(file, &whole);
    match whole {
        Ok(gguf) => {
            assert_eq!(block_on(Gguf::read(file)).ok().as_ref().map(|gguf| gguf.data_offset), Some(gguf.data_offset));
            check_metadata(&gguf);
            check_tensors(file, &gguf);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

/// Half of the file gives the same answer as the whole, or asks for more of it.
fn check_prefix(file: &[u8], whole: &Result<Gguf, GgufError>) {
    let half = file.len() / 2;
    match (Gguf::parse(&file[..half], file.len() as u64), whole) {
        (Err(GgufError::Incomplete { needed }), _) => assert!(needed > half as u64 && needed <= file.len() as u64),
        (Ok(part), Ok(whole)) => assert_eq!(part.tensors, whole.tensors),
        // These quote the first bytes, of which the prefix may have fewer.
        (Err(GgufError::NotGguf { .. }), Err(GgufError::NotGguf { .. })) => {}
        (Err(part), Err(whole)) => assert_eq!(part.to_string(), whole.to_string()),
        (part, whole) => panic!("{part:?} from the prefix, {whole:?} from the file"),
    }
}

/// A survey says of the file what parsing says, and shows the header where that is sound.
fn check_survey(file: &[u8], whole: &Result<Gguf, GgufError>) {
    match (block_on(Survey::read(file)), whole) {
        (Ok(survey), Ok(whole)) => assert_eq!(survey.checked.as_ref().ok(), Some(whole)),
        (Ok(survey), Err(whole)) => {
            assert_eq!(survey.checked.expect_err("parsing refuses it").to_string(), whole.to_string());
            for entry in &survey.tensors {
                let _ = (entry.type_name(), entry.values(), entry.bytes());
            }
        }
        (Err(survey), Err(whole)) => assert_eq!(survey.to_string(), whole.to_string()),
        (Err(survey), Ok(_)) => panic!("{survey} from a survey of a sound file"),
    }
}

fn check_metadata(gguf: &Gguf) {
    for (key, value) in gguf.metadata.iter() {
        assert!(std::ptr::eq(gguf.metadata.get(key).expect("listed"), value));
        // Getters of the wrong type give an error, not a panic.
        let _ = (gguf.metadata.string(key), gguf.metadata.u32(key), gguf.metadata.f32(key));
        let _ = (gguf.metadata.strings(key), gguf.metadata.f32s(key), gguf.metadata.i32s(key));
    }
}

fn check_tensors(file: &[u8], gguf: &Gguf) {
    for info in &gguf.tensors {
        assert!(info.offset >= gguf.data_offset && info.offset + info.bytes <= file.len() as u64);
        assert_eq!(gguf.tensor(&info.name).expect("listed"), info);
        let packed = block_on(Gguf::read_tensor(file, info)).expect("inside the file");
        let mut values = vec![0.0; info.values() as usize];
        block::dequantize(info.kind, &packed, &mut values).expect("whole blocks");
    }
}
