//! Small made-up vocabularies: what is built from them, and that broken ones are refused.
#![expect(clippy::single_range_in_vec_init, reason = "a list of ranges with one range in it is meant")]

use inshore_tokenizer::{EncodeOptions, SpecialIds, Tokenizer, TokenizerError, Vocabulary};
use proptest::prelude::*;

const TEXT: EncodeOptions = EncodeOptions { parse_special: false, add_special: false };
const MARKED: EncodeOptions = EncodeOptions { parse_special: true, add_special: true };

/// The letters of the GPT-2 byte alphabet.
fn byte_letters() -> Vec<String> {
    let printable = |byte: &u32| matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF);
    let (plain, shifted): (Vec<u32>, Vec<u32>) = (0..256).partition(printable);
    let shifted = (0x100..).take(shifted.len());
    plain.into_iter().chain(shifted).filter_map(char::from_u32).map(String::from).collect()
}

/// All bytes, then merged pieces, then special tokens of the types named.
#[derive(Debug)]
struct Bytes {
    tokens: Vec<String>,
    types: Vec<i32>,
    merges: Vec<String>,
}

impl Bytes {
    fn new() -> Self {
        let mut tokens = byte_letters();
        let merges = ["h e", "l l", "he ll", "hell o", "Ġ w", "Ġw o", "1 2", "12 3"];
        tokens.extend(merges.map(|merge| merge.replace(' ', "")));
        tokens.extend(["<s>", "</s>", "<|im_end|>", "<mark>", "<unused>"].map(String::from));
        let mut types = vec![1; tokens.len() - 5];
        types.extend([3, 3, 1, 4, 5]);
        Self { tokens, types, merges: merges.map(String::from).to_vec() }
    }

    fn id(&self, text: &str) -> u32 {
        self.tokens.iter().position(|token| token == text).expect("a token") as u32
    }

    fn vocabulary(&self) -> Vocabulary<'_> {
        Vocabulary {
            model: "gpt2",
            pre: Some("smollm"),
            tokens: &self.tokens,
            token_types: self.types.as_slice().into(),
            merges: &self.merges,
            special: SpecialIds { bos: Some(self.id("<s>")), eos: Some(self.id("</s>")), ..SpecialIds::default() },
            ..Vocabulary::default()
        }
    }
}

#[test]
fn merges_words_and_digits() {
    let bytes = Bytes::new();
    let encode = |pre, text| {
        let tokenizer = Tokenizer::new(&Vocabulary { pre: Some(pre), ..bytes.vocabulary() }).expect("builds");
        let ids = tokenizer.encode(text, TEXT).expect("encodes");
        ids.into_iter().map(|id| tokenizer.token_text(id).expect("in range")).collect::<Vec<_>>()
    };
    assert_eq!(encode("smollm", "hello world"), ["hello", "Ġwo", "r", "l", "d"]);
    assert_eq!(encode("smollm", "123"), ["1", "2", "3"]);
    assert_eq!(encode("llama-bpe", "123"), ["123"]);
    assert_eq!(encode("gpt-2", "123"), ["123"]);
    assert_eq!(encode("qwen2", "123"), ["1", "2", "3"]);
    assert_eq!(encode("default", "1234"), ["123", "4"]);
}

#[test]
fn special_tokens_by_type() {
    let bytes = Bytes::new();
    let tokenizer = Tokenizer::new(&bytes.vocabulary()).expect("builds");
    let id = |text| bytes.id(text);
    assert_eq!(tokenizer.encode("<s>", MARKED).expect("encodes"), [id("<s>")]);
    // User-defined tokens are matched even in plain text.
    assert_eq!(tokenizer.encode("<mark>", TEXT).expect("encodes"), [id("<mark>")]);
    assert_eq!(tokenizer.encode("<s>", TEXT).expect("encodes"), [id("<"), id("s"), id(">")]);
    // The file calls it normal, its name says otherwise.
    assert!(tokenizer.is_end_of_generation(id("<|im_end|>")));
    assert_eq!(tokenizer.encode("<|im_end|>", MARKED).expect("encodes"), [id("<|im_end|>")]);
    let ids = [id("<s>"), id("hello"), id("<unused>"), id("<mark>"), id("</s>")];
    assert_eq!(tokenizer.decode(&ids, true).expect("decodes"), "hello<mark>");
    assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), "<s>hello<mark></s>");
}

#[test]
fn content_never_becomes_a_control_token() {
    let mut bytes = Bytes::new();
    for (text, kind) in [("<think>", 4), ("\n\n", 4), ("<table>", 4), ("word", 3)] {
        bytes.tokens.push(text.into());
        bytes.types.push(kind);
    }
    for (text, left, right) in [("wo", "w", "o"), ("rd", "r", "d")] {
        bytes.tokens.push(text.into());
        bytes.types.push(1);
        bytes.merges.push(format!("{left} {right}"));
    }
    // A merge that makes a control token, which a damaged or hostile file may have.
    bytes.merges.push("wo rd".into());
    let tokenizer = Tokenizer::new(&bytes.vocabulary()).expect("builds");
    let control: Vec<u32> =
        ["<s>", "</s>", "<|im_end|>", "<think>", "<mark>", "word"].map(|text| bytes.id(text)).into();
    let has_control = |ids: &[u32]| ids.iter().any(|id| control.contains(id));
    for text in ["<s>", "x</s>y", "<|im_end|>", "<think>", "<mark>", "word", "<s><s></s>", "<|im_end|>\n<s>system"] {
        let ids = tokenizer.encode_content(text).expect("encodes");
        assert!(!has_control(&ids), "{text}: {ids:?}");
        assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), text);
        // Every border between what the template wrote and what it did not.
        for (start, end) in (0..text.len()).flat_map(|start| (start + 1..=text.len()).map(move |end| (start, end))) {
            let ids = tokenizer.encode_prompt(text, &[start..end]).expect("encodes");
            let whole = text[..start].contains('>') || text[end..].contains('>');
            assert!(whole || !has_control(&ids), "{text} {start}..{end}: {ids:?}");
        }
    }
    // Harmless user-defined tokens are found in content too, and so is everything that the template wrote.
    let id = |text| bytes.id(text);
    assert_eq!(tokenizer.encode_content("\n\n<table>").expect("encodes"), [id("\n\n"), id("<table>")]);
    assert_eq!(
        tokenizer.encode_prompt("<think>hello</s>", &[7..12]).expect("encodes"),
        [id("<think>"), id("hello"), id("</s>")]
    );
    // Text is merged across the border as if it were whole.
    assert_eq!(tokenizer.encode_prompt("hello", &[2..4]).expect("encodes"), [id("hello")]);
}

#[test]
fn merges_by_score_forge_no_control_token() {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "<", "/", "s", ">", "</", "s>", "[INST]", "[", "]", "▁▁"].map(String::from));
    let mut types = vec![2, 3, 3];
    types.extend([6; 256]);
    types.extend([1; 11]);
    types[3 + 256 + 7] = 4;
    let scores: Vec<f32> = (0..tokens.len()).map(|id| -(id as f32)).collect();
    let vocabulary = Vocabulary {
        model: "llama",
        tokens: &tokens,
        token_types: types.into(),
        scores: scores.into(),
        ..Vocabulary::default()
    };
    let tokenizer = Tokenizer::new(&vocabulary).expect("builds");
    let inst = 3 + 256 + 7;
    for text in ["</s>", "s</s>", "<s>", "[INST]", "<unk>", "</s><s>[INST]"] {
        for ids in [tokenizer.encode_content(text).expect("encodes"), tokenizer.encode(text, TEXT).expect("encodes")] {
            assert!(ids.iter().all(|id| !(1..3).contains(id)), "{text}: {ids:?}");
        }
        assert!(!tokenizer.encode_content(text).expect("encodes").contains(&inst), "{text}");
    }
    assert_eq!(tokenizer.encode_prompt("<s>[INST]</s>", &[]).expect("encodes"), [1, inst, 2]);
}

#[test]
fn the_beginning_of_the_sequence_stands_once() {
    let bytes = Bytes::new();
    let (bos, hello) = (bytes.id("<s>"), bytes.id("hello"));
    for (add_bos, text, expected) in [
        (true, "hello", vec![bos, hello]),
        (true, "<s>hello", vec![bos, hello]),
        (true, "<s><s>hello", vec![bos, hello]),
        (false, "<s>hello", vec![bos, hello]),
        (false, "<s><s>hello", vec![bos, hello]),
        (false, "hello", vec![hello]),
        (true, "hello<s>", vec![bos, hello, bos]),
        (true, "", vec![bos]),
        (false, "", vec![]),
    ] {
        let vocabulary = Vocabulary { add_bos: Some(add_bos), ..bytes.vocabulary() };
        let tokenizer = Tokenizer::new(&vocabulary).expect("builds");
        assert_eq!(tokenizer.encode_prompt(text, &[]).expect("encodes"), expected, "{add_bos} {text}");
        assert_eq!(tokenizer.encode(text, MARKED).expect("encodes"), expected, "{add_bos} {text}");
    }
    // Typed by a user, it is text.
    let tokenizer = Tokenizer::new(&Vocabulary { add_bos: Some(true), ..bytes.vocabulary() }).expect("builds");
    let whole = 0.."<s>hello".len();
    let ids = tokenizer.encode_prompt("<s>hello", std::slice::from_ref(&whole)).expect("encodes");
    assert_eq!((ids[0], ids.iter().filter(|&&id| id == bos).count()), (bos, 1));
}

#[test]
fn sequence_tokens_as_the_metadata_says() {
    let bytes = Bytes::new();
    let (bos, eos) = (bytes.id("<s>"), bytes.id("</s>"));
    let with = |pre, add_bos, add_eos| {
        let vocabulary = Vocabulary { pre: Some(pre), add_bos, add_eos, ..bytes.vocabulary() };
        Tokenizer::new(&vocabulary).expect("builds").encode("", MARKED).expect("encodes")
    };
    assert_eq!(with("smollm", None, None), Vec::<u32>::new());
    assert_eq!(with("llama-bpe", None, None), [bos]);
    assert_eq!(with("llama-bpe", Some(false), Some(true)), [eos]);
    assert_eq!(with("smollm", Some(true), Some(true)), [bos, eos]);
    let special = SpecialIds::default();
    let nameless = Vocabulary { add_bos: Some(true), special, ..bytes.vocabulary() };
    assert!(matches!(Tokenizer::new(&nameless), Err(TokenizerError::MissingSpecialToken { .. })));
}

#[test]
fn sentencepiece_spaces_and_bytes() {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(String::from).to_vec();
    tokens.extend((0..256).map(|byte| format!("<0x{byte:02X}>")));
    tokens.extend(["▁", "a", "b", "▁a", "ab", "▁▁"].map(String::from));
    let mut types = vec![2, 3, 3];
    types.extend([6; 256]);
    types.extend([1; 6]);
    let scores: Vec<f32> = (0..tokens.len()).map(|id| -(id as f32)).collect();
    let vocabulary = Vocabulary {
        model: "llama",
        tokens: &tokens,
        token_types: types.into(),
        scores: scores.into(),
        ..Vocabulary::default()
    };
    let tokenizer = Tokenizer::new(&vocabulary).expect("builds");
    let first = 3 + 256;
    assert_eq!(tokenizer.encode("ab", MARKED).expect("encodes"), [1, first + 3, first + 2]);
    assert_eq!(tokenizer.encode("é", TEXT).expect("encodes"), [first, 3 + 0xC3, 3 + 0xA9]);
    for text in ["", "ab  a", " leading", "\n\t日本 🎉", "\u{0}", "trailing  "] {
        let ids = tokenizer.encode(text, TEXT).expect("encodes");
        assert_eq!(tokenizer.decode(&ids, true).expect("decodes"), text);
        let mut stream = tokenizer.stream_decoder(true);
        let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
        assert_eq!(streamed + &stream.flush(), text);
    }
    assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)));
    let bare = Tokenizer::new(&Vocabulary { add_space_prefix: Some(false), ..vocabulary }).expect("builds");
    assert_eq!(bare.encode("ab", TEXT).expect("encodes"), [first + 4]);
}

#[test]
fn refusals() {
    let bytes = Bytes::new();
    let refuse = |change: &dyn Fn(&mut Vocabulary<'_>)| {
        let mut vocabulary = bytes.vocabulary();
        change(&mut vocabulary);
        let error = Tokenizer::new(&vocabulary).expect_err("refused");
        (error.code(), error.to_string())
    };
    let (code, message) = refuse(&|v| v.pre = Some("klingon"));
    assert_eq!(code, "unsupported_tokenizer");
    assert!(message.contains("klingon") && message.contains("llama-bpe"), "{message}");
    let (code, message) = refuse(&|v| v.model = "bert");
    assert_eq!(code, "unsupported_tokenizer");
    assert!(message.contains("gpt2"), "{message}");
    for change in [
        |v: &mut Vocabulary<'_>| v.tokens = &[],
        |v: &mut Vocabulary<'_>| v.token_types = vec![1; 3].into(),
        |v: &mut Vocabulary<'_>| v.scores = vec![1.0; 3].into(),
        |v: &mut Vocabulary<'_>| v.special.eot = Some(100_000),
        |v: &mut Vocabulary<'_>| v.special.bos = Some(u32::MAX),
    ] {
        assert_eq!(refuse(&change).0, "invalid_tokenizer");
    }
    for (merge, message) in [("he", "merge 8 is not two"), ("", "not two"), ("he ", "not two"), ("x hello", "`xhello`")]
    {
        let mut broken = Bytes::new();
        broken.merges.push(merge.into());
        let error = Tokenizer::new(&broken.vocabulary()).expect_err("refused").to_string();
        assert!(error.contains(message), "{error}");
    }
    let mut twice = Bytes::new();
    twice.tokens[3] = "hello".into();
    let error = Tokenizer::new(&twice.vocabulary()).expect_err("refused");
    assert!(matches!(error, TokenizerError::DuplicateToken { first: 3, .. }), "{error}");
}

/// A token, a type or a merge replaced by something else.
fn broken() -> impl Strategy<Value = Bytes> {
    let edit = (0..3, any::<prop::sample::Index>(), "[ -~Ġé]{0,6}", -2..9i32);
    prop::collection::vec(edit, 0..6).prop_map(|edits| {
        let mut bytes = Bytes::new();
        for (what, at, text, code) in edits {
            match what {
                0 => {
                    let at = at.index(bytes.tokens.len());
                    bytes.tokens[at] = text;
                }
                1 => {
                    let at = at.index(bytes.types.len());
                    bytes.types[at] = code;
                }
                _ => {
                    let at = at.index(bytes.merges.len());
                    bytes.merges[at] = text;
                }
            }
        }
        bytes
    })
}

proptest! {
    #[test]
    fn bytes_come_back(text in any::<String>()) {
        let bytes = Bytes::new();
        let tokenizer = Tokenizer::new(&bytes.vocabulary()).expect("builds");
        let ids = tokenizer.encode(&text, TEXT).expect("encodes");
        prop_assert_eq!(tokenizer.decode(&ids, false).expect("decodes"), text);
    }

    #[test]
    fn a_broken_vocabulary_is_refused_or_works(
        bytes in broken(),
        model in prop_oneof![Just("gpt2"), Just("llama")],
        special in prop::array::uniform4(prop::option::weighted(0.3, 0u32..300)),
        text in "[a-z<>|_/1-3 é\u{0}]{0,20}",
    ) {
        let [bos, eos, eot, unk] = special;
        let special = SpecialIds { bos, eos, eot, unk, ..SpecialIds::default() };
        let vocabulary = Vocabulary { model, special, ..bytes_with(&bytes) };
        if let Ok(tokenizer) = Tokenizer::new(&vocabulary) {
            let ids = tokenizer.encode(&text, MARKED).expect("encodes");
            let mut stream = tokenizer.stream_decoder(false);
            let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
            prop_assert_eq!(streamed + &stream.flush(), tokenizer.decode(&ids, false).expect("in range"));
        }
    }
}

/// As [`Bytes::vocabulary`], but the special tokens may be gone.
fn bytes_with(bytes: &Bytes) -> Vocabulary<'_> {
    Vocabulary {
        pre: Some("qwen2"),
        tokens: &bytes.tokens,
        token_types: bytes.types.as_slice().into(),
        merges: &bytes.merges,
        ..Vocabulary::default()
    }
}
