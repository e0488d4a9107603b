//! SmolLM2-135M-Instruct: the prompts of `tests/golden/prompts.json`, and properties on its vocabulary. Needs the model
//! file, named by the variable `INSHORE_TEST_MODEL`.

use std::fs::File;
use std::sync::OnceLock;

use inshore_gguf::testing::block_on;
use inshore_gguf::{FileSource, Gguf};
use inshore_tokenizer::{ChatTemplate, Conversation, EncodeOptions, Message, Tokenizer, TokenizerError};
use proptest::prelude::*;
use serde_json::Value;

const PROMPTS: &str = include_str!("../../../tests/golden/prompts.json");
const CHAT: EncodeOptions = EncodeOptions { parse_special: true, add_special: false };
const TEXT: EncodeOptions = EncodeOptions { parse_special: false, add_special: false };

struct Model {
    tokenizer: Tokenizer,
    template: ChatTemplate,
}

fn model() -> Option<&'static Model> {
    static MODEL: OnceLock<Option<Model>> = OnceLock::new();
    MODEL
        .get_or_init(|| {
            let Some(path) = std::env::var_os("INSHORE_TEST_MODEL") else {
                eprintln!("skipped: INSHORE_TEST_MODEL does not name SmolLM2-135M-Instruct.Q4_1.gguf");
                return None;
            };
            let file = File::open(&path).expect("INSHORE_TEST_MODEL names a file");
            let gguf = block_on(Gguf::read(&FileSource::new(file).expect("a length"))).expect("a good file");
            Some(Model {
                tokenizer: Tokenizer::from_gguf(&gguf.metadata).expect("a good vocabulary"),
                template: ChatTemplate::from_gguf(&gguf.metadata).expect("a good template").expect("a template"),
            })
        })
        .as_ref()
}

fn prompt(name: &str) -> (Value, String, Vec<u32>) {
    let prompts: Value = serde_json::from_str(PROMPTS).expect("JSON");
    let prompt = prompts["prompts"][name].clone();
    let text = prompt["text"].as_str().expect("text").to_owned();
    let ids = prompt["ids"].as_array().expect("ids").iter().map(|id| id.as_u64().expect("an id") as u32).collect();
    (prompt, text, ids)
}

#[test]
fn golden_prompts() {
    let Some(Model { tokenizer, template }) = model() else { return };
    let (_, text, ids) = prompt("raw");
    assert_eq!(tokenizer.encode(&text, CHAT).expect("encodes"), ids);

    let (golden, text, ids) = prompt("p64");
    let user = Message::new("user", golden["user"].as_str().expect("user"));
    let conversation = Conversation { messages: &[user], add_generation_prompt: true, ..Conversation::default() };
    let rendered = template.render(&conversation).expect("renders");
    assert_eq!(rendered.text, text);
    assert_eq!(tokenizer.encode_prompt(&rendered.text, &rendered.content).expect("encodes"), ids);
    assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), text);
}

#[test]
fn special_tokens_and_metadata() {
    let Some(Model { tokenizer, .. }) = model() else { return };
    assert_eq!((tokenizer.vocab_size(), tokenizer.bos(), tokenizer.eos()), (49_152, Some(1), Some(2)));
    assert_eq!(tokenizer.encode("<|im_start|>", CHAT).expect("encodes"), [1]);
    assert!(!tokenizer.encode("<|im_start|>", TEXT).expect("encodes").contains(&1));
    // The file's `add_bos_token` is false.
    let marked = EncodeOptions { parse_special: false, add_special: true };
    assert_eq!(tokenizer.encode("x", marked).expect("encodes"), tokenizer.encode("x", TEXT).expect("encodes"));
    let ends: Vec<u32> = (0..49_152).filter(|&id| tokenizer.is_end_of_generation(id)).collect();
    // <|endoftext|>, <|im_end|>, and <reponame>, after which llama.cpp ends too.
    assert_eq!(ends, [0, 2, 4]);
    assert_eq!(tokenizer.decode(&[1, 504, 2], true).expect("decodes"), "The");
    assert_eq!(tokenizer.token_bytes(198).expect("in range"), b"\n");
    assert!(matches!(tokenizer.decode(&[49_152], true), Err(TokenizerError::TokenOutOfRange { id: 49_152, .. })));
    assert_eq!(tokenizer.token_text(49_152), None);
}

#[test]
fn long_runs_stay_quick_and_whole() {
    let Some(Model { tokenizer, .. }) = model() else { return };
    for unit in [" ", "a", "\n", "é", "1", "!", " \t", "'", "日本"] {
        let text = unit.repeat(300_000 / unit.len());
        let started = std::time::Instant::now();
        let ids = tokenizer.encode(&text, TEXT).expect("encodes");
        assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), text, "{unit:?}");
        assert!(started.elapsed().as_secs() < 5, "{unit:?} took {:?}", started.elapsed());
    }
}

proptest! {
    #[test]
    fn text_comes_back_but_for_what_cannot_be_written(text in any::<String>()) {
        let Some(Model { tokenizer, .. }) = model() else { return Ok(()) };
        let ids = tokenizer.encode(&text, TEXT).expect("encodes");
        // The vocabulary has no token for these bytes, and llama.cpp drops them too.
        let missing = |byte: &u8| matches!(byte, 0x04 | 0x06 | 0x13 | 0x14 | 0x16 | 0x1D | 0xC0 | 0xC1 | 0xF1 | 0xF2 | 0xF5..);
        let kept: Vec<u8> = text.bytes().filter(|byte| !missing(byte)).collect();
        prop_assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), String::from_utf8_lossy(&kept));
    }

    #[test]
    fn a_stream_equals_the_whole(ids in prop::collection::vec(0u32..49_152, 0..60), skip in any::<bool>()) {
        let Some(Model { tokenizer, .. }) = model() else { return Ok(()) };
        let mut stream = tokenizer.stream_decoder(skip);
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text += &stream.flush();
        prop_assert_eq!(text, tokenizer.decode(&ids, skip).expect("decodes"));
    }
}
