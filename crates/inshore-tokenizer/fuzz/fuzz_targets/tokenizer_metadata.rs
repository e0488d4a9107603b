//! Arbitrary small vocabularies and templates, through a GGUF file: build, encode, decode, render.
#![no_main]

use inshore_gguf::testing::GgufBuilder;
use inshore_gguf::{Array, Gguf, Value};
use inshore_tokenizer::{ChatTemplate, Conversation, EncodeOptions, Message, Rendered, Tokenizer};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    model: Choice,
    pre: Choice,
    /// Starts with a token for each byte.
    bytes: bool,
    tokens: Vec<String>,
    /// Tokens joined to tokens, so that many merges are valid.
    pairs: Vec<(u16, u16)>,
    odd_merges: Vec<String>,
    types: Option<Vec<u8>>,
    scores: Option<Vec<f32>>,
    special: [Option<u16>; 6],
    flags: [Option<bool>; 3],
    text: String,
    ids: Vec<u16>,
    template: String,
    messages: Vec<(String, String)>,
}

#[derive(Arbitrary, Debug)]
enum Choice {
    Known(u8),
    Odd(String),
    None,
}

impl Choice {
    fn name(&self, known: &[&str]) -> Option<String> {
        match self {
            Self::Known(at) => Some(known[*at as usize % known.len()].to_owned()),
            Self::Odd(name) => Some(name.clone()),
            Self::None => None,
        }
    }
}

const PRE: &[&str] = &["smollm", "llama-bpe", "qwen2", "gpt-2", "default", "dbrx"];
const SPECIAL: &[&str] = &["bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id", "unknown_token_id", "fim_pad_token_id"];
const FLAGS: &[&str] = &["add_bos_token", "add_eos_token", "add_space_prefix"];

fn file(input: &Input) -> Vec<u8> {
    let mut tokens: Vec<String> = Vec::new();
    let spm = matches!(&input.model, Choice::Known(at) if at % 2 == 1);
    if input.bytes && spm {
        tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    } else if input.bytes {
        let letters = (0x21..=0x7E).chain(0xA1..=0xAC).chain(0xAE..=0xFF).chain(0x100..0x144);
        tokens.extend(letters.filter_map(char::from_u32).map(String::from));
    }
    tokens.extend(input.tokens.iter().take(200).cloned());
    let mut merges = Vec::new();
    for &(left, right) in input.pairs.iter().take(200) {
        if tokens.is_empty() {
            break;
        }
        let (left, right) = (&tokens[left as usize % tokens.len()], &tokens[right as usize % tokens.len()]);
        if left.len() + right.len() > 64 {
            continue;
        }
        merges.push(format!("{left} {right}"));
        let joined = format!("{left}{right}");
        if !tokens.contains(&joined) {
            tokens.push(joined);
        }
    }
    merges.extend(input.odd_merges.iter().cloned());

    let key = |name: &str| format!("tokenizer.ggml.{name}");
    let mut file = GgufBuilder::new().strings(&key("tokens"), &tokens).strings(&key("merges"), &merges);
    if let Some(model) = input.model.name(&["gpt2", "llama"]) {
        file = file.string(&key("model"), &model);
    }
    if let Some(pre) = input.pre.name(PRE) {
        file = file.string(&key("pre"), &pre);
    }
    if let Some(types) = &input.types {
        // As many as there are tokens, or one too few.
        let count = tokens.len().saturating_sub(usize::from(types.first() == Some(&0)));
        let types = types.iter().cycle().map(|&code| i32::from(code % 9)).take(if types.is_empty() { 0 } else { count });
        file = file.metadata(&key("token_type"), Value::Array(Array::I32(types.collect())));
    }
    if let Some(scores) = &input.scores {
        let scores = scores.iter().cycle().copied().take(if scores.is_empty() { 0 } else { tokens.len() });
        file = file.metadata(&key("scores"), Value::Array(Array::F32(scores.collect())));
    }
    for (name, id) in SPECIAL.iter().zip(input.special) {
        if let Some(id) = id {
            file = file.metadata(&key(name), Value::U32(id.into()));
        }
    }
    for (name, flag) in FLAGS.iter().zip(input.flags) {
        if let Some(flag) = flag {
            file = file.metadata(&key(name), Value::Bool(flag));
        }
    }
    file.string("tokenizer.chat_template", &input.template).build()
}

fuzz_target!(|input: Input| {
    let bytes = file(&input);
    let Ok(gguf) = Gguf::parse(&bytes, bytes.len() as u64) else { return };
    let messages: Vec<Message> = input.messages.iter().take(8).map(|(role, text)| Message::new(role, text)).collect();
    let prompt = match ChatTemplate::from_gguf(&gguf.metadata) {
        Ok(Some(template)) => {
            let conversation = Conversation { messages: &messages, add_generation_prompt: true, ..Conversation::default() };
            template.render(&conversation).unwrap_or_default()
        }
        _ => Rendered::default(),
    };
    let Ok(tokenizer) = Tokenizer::from_gguf(&gguf.metadata) else { return };
    let ids = tokenizer.encode_prompt(&prompt.text, &prompt.content).expect("encodes");
    check(&tokenizer, &ids);
    for text in [&input.text, &prompt.text] {
        for parse_special in [false, true] {
            let ids = tokenizer.encode(text, EncodeOptions { parse_special, add_special: true }).expect("encodes");
            check(&tokenizer, &ids);
        }
    }
    let ids: Vec<u32> = input.ids.iter().map(|&id| u32::from(id) % tokenizer.vocab_size() as u32).collect();
    check(&tokenizer, &ids);
    assert!(tokenizer.decode(&[tokenizer.vocab_size() as u32], true).is_err());
});

/// Every id has a text, and a stream equals the whole.
fn check(tokenizer: &Tokenizer, ids: &[u32]) {
    for &id in ids {
        assert!(tokenizer.token_text(id).is_some());
        let _ = (tokenizer.is_end_of_generation(id), tokenizer.is_special(id));
    }
    for skip_special in [false, true] {
        let mut stream = tokenizer.stream_decoder(skip_special);
        let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
        text += &stream.flush();
        assert_eq!(text, tokenizer.decode(ids, skip_special).expect("in range"));
    }
}
