//! A sound header is shown, whatever is wrong with its tensors.

use inshore_gguf::testing::{GgufBuilder, block_on};
use inshore_gguf::{GgmlType, GgufError, Survey, Value};

fn survey(file: &Vec<u8>) -> Result<Survey, GgufError> {
    block_on(Survey::read(file))
}

fn sound() -> GgufBuilder {
    GgufBuilder::new().string("general.architecture", "llama").tensor("a", GgmlType::F32, &[4, 2], &[1.0; 8])
}

#[test]
fn a_sound_file_is_shown_and_checked() {
    let survey = survey(&sound().build()).expect("a header");
    let gguf = survey.checked.expect("a sound file");
    assert_eq!((survey.version, survey.data_offset), (gguf.version, gguf.data_offset));
    assert_eq!(survey.metadata, gguf.metadata);
    assert_eq!(survey.tensors.len(), 1);
    let entry = &survey.tensors[0];
    assert_eq!((entry.type_name().as_str(), entry.values(), entry.bytes()), ("F32", 8, Some(32)));
}

#[test]
fn types_that_cannot_be_read_are_shown_by_name_or_number() {
    for (code, shown) in [(39, "MXFP4"), (16, "IQ2_XXS"), (4, "unknown type 4"), (u32::MAX, "unknown type 4294967295")]
    {
        let file = sound().raw_tensor("odd", code, &[32], vec![0; 64]).build();
        let survey = survey(&file).expect("a header");
        let entry = &survey.tensors[1];
        assert_eq!((entry.type_name().as_str(), entry.code, entry.bytes()), (shown, code, None));
        match survey.checked {
            Err(GgufError::UnsupportedTensorType { name, code: found }) => {
                assert_eq!((name.as_str(), found), ("odd", code))
            }
            other => panic!("expected a refusal, got {other:?}"),
        }
    }
}

#[test]
fn tensors_that_are_cut_off_or_damaged_are_shown() {
    let whole = sound().build();
    let cut = whole[..whole.len() - 40].to_vec();
    assert!(matches!(survey(&cut).expect("a header").checked, Err(GgufError::Truncated { .. })));
    let twice = sound().tensor("a", GgmlType::F32, &[4], &[0.0; 4]).build();
    assert!(matches!(survey(&twice).expect("a header").checked, Err(GgufError::DuplicateTensor { .. })));
    for shape in [&[0u64][..], &[5], &[u64::MAX, u64::MAX], &[4, 0]] {
        let odd = sound().raw_tensor("odd", GgmlType::Q8_0.code(), shape, vec![0; 64]).build();
        let survey = survey(&odd).expect("a header");
        assert_eq!(survey.tensors[1].bytes(), None, "{shape:?}");
        assert!(matches!(survey.checked, Err(GgufError::InvalidShape { .. })), "{shape:?}");
    }
}

#[test]
fn headers_that_are_not_sound_are_not_shown() {
    let twice = sound().metadata("general.architecture", Value::U32(1)).build();
    assert!(matches!(survey(&twice), Err(GgufError::DuplicateKey { .. })));
    assert!(matches!(survey(&b"PK".to_vec()), Err(GgufError::NotGguf { .. })));
    let file = sound().build();
    assert!(matches!(survey(&file[..60].to_vec()), Err(GgufError::Truncated { .. })));
    let five = sound().raw_tensor("five", 0, &[1; 5], vec![0; 4]).build();
    assert!(matches!(survey(&five), Err(GgufError::InvalidDimensions { .. })));
}
