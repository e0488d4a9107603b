//! Arbitrary bytes as `tokenizer.json`.
#![no_main]

use inshore_tokenizer::{EncodeOptions, SequenceTokens, Tokenizer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &[u8]| {
    let Ok(tokenizer) = Tokenizer::from_json(json, SequenceTokens { bos: Some("a"), eos: Some("b") }) else { return };
    let options = EncodeOptions { parse_special: true, add_special: true };
    if let Ok(ids) = tokenizer.encode("ab <s>é 12", options) {
        for id in ids {
            // A post-processor can name ids, but only those of the vocabulary.
            assert!(tokenizer.token_bytes(id).is_ok());
        }
    }
});
