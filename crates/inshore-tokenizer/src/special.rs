//! Special tokens: which there are, where they stand in a text, and which of them end an answer.

use std::ops::Range;

use crate::vocabulary::{SpecialIds, TokenAttr};

/// Texts that mark the end of a turn, for files that do not name it; likeliest first. From llama.cpp's `llama-vocab.cpp`.
const END_OF_TURN: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];
/// The same for the end of a message to a tool.
const END_OF_MESSAGE: &[&str] = &["<|eom_id|>"];
/// Texts that end generation wherever they stand in a vocabulary.
const END_OF_GENERATION: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];
/// Fill-in-the-middle markers after which nothing useful follows.
const FIM_PAD: &[&str] = &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];
const FIM_REPOSITORY: &[&str] = &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"];
const FIM_FILE: &[&str] = &["<|file_sep|>"];
/// Fill-in-the-middle markers inside a prompt: control tokens even if the file calls them normal.
const FIM_PARTS: &[&[&str]] = &[
    &[
        "<|fim_prefix|>",
        "<fim-prefix>",
        "<fim_prefix>",
        "<｜fim▁begin｜>",
        "<PRE>",
        "▁<PRE>",
        "<|code_prefix|>",
        "<|prefix|>",
    ],
    &[
        "<|fim_suffix|>",
        "<fim-suffix>",
        "<fim_suffix>",
        "<｜fim▁hole｜>",
        "<SUF>",
        "▁<SUF>",
        "<|code_suffix|>",
        "<|suffix|>",
    ],
    &[
        "<|fim_middle|>",
        "<fim-middle>",
        "<fim_middle>",
        "<｜fim▁end｜>",
        "<MID>",
        "▁<MID>",
        "<|code_middle|>",
        "<|middle|>",
    ],
];
/// Harmony's channel markup, which callers need to see.
const ALWAYS_SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

/// A token that is matched in text before anything else is.
#[derive(Debug, Clone)]
pub(crate) struct SpecialToken {
    pub(crate) text: String,
    pub(crate) id: u32,
    /// Matched even where special tokens are plain text.
    pub(crate) always: bool,
    /// Means something to the model, so that a conversation may not contain it.
    pub(crate) control: bool,
    /// White space before it belongs to it.
    pub(crate) strip_left: bool,
    /// White space after it belongs to it.
    pub(crate) strip_right: bool,
}

/// A stretch of input: text still to be encoded, or a special token.
#[derive(Debug, PartialEq)]
pub(crate) enum Fragment<'a> {
    Text(&'a str),
    Token(u32),
}

/// All special tokens, longest text first.
#[derive(Debug)]
pub(crate) struct SpecialTokens(Vec<SpecialToken>);

impl SpecialTokens {
    /// Sorts the tokens; empty texts are dropped, as they stand everywhere.
    pub(crate) fn new(mut tokens: Vec<SpecialToken>) -> Self {
        tokens.retain(|token| !token.text.is_empty());
        tokens.sort_by(|a, b| b.text.len().cmp(&a.text.len()).then(a.id.cmp(&b.id)));
        Self(tokens)
    }

    /// Cuts `text` at special tokens: every place of the longest one first, then of the next. Without `parse_special`
    /// only those that are always matched.
    ///
    /// `content`: byte ranges, in order, that came from a conversation. No control token is found there, and none across
    /// their borders.
    pub(crate) fn partition<'a>(
        &self,
        text: &'a str,
        parse_special: bool,
        content: &[Range<usize>],
    ) -> Vec<Fragment<'a>> {
        let mut fragments = vec![Fragment::Text(text)];
        for token in self.0.iter().filter(|token| parse_special || token.always) {
            // Most texts hold few special tokens: look before anything is moved.
            if !text.contains(&token.text) {
                continue;
            }
            let mut cut = Vec::with_capacity(fragments.len() + 2);
            for fragment in fragments {
                match fragment {
                    Fragment::Text(part) => {
                        let offset = part.as_ptr() as usize - text.as_ptr() as usize;
                        token.cut(
                            part,
                            |at| token.control && overlaps(content, offset + at, token.text.len()),
                            &mut cut,
                        );
                    }
                    done => cut.push(done),
                }
            }
            fragments = cut;
        }
        fragments.retain(|fragment| *fragment != Fragment::Text(""));
        fragments
    }
}

/// Whether one of `ranges`, which are in order, has a byte from `start` on for `length` bytes.
fn overlaps(ranges: &[Range<usize>], start: usize, length: usize) -> bool {
    let first = ranges.partition_point(|range| range.end <= start);
    ranges.get(first).is_some_and(|range| range.start < start + length && !range.is_empty())
}

/// HTML elements, which some vocabularies have as user-defined tokens; they are text.
const HTML: &[&str] = &[
    "a",
    "b",
    "blockquote",
    "body",
    "br",
    "caption",
    "code",
    "div",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "u",
    "ul",
];

/// Whether a user-defined token looks like markup of a conversation: `<think>`, `[INST]`, `<|channel|>`.
pub(crate) fn looks_like_control(text: &str) -> bool {
    let inner = match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
        Some(inner) => inner,
        None => {
            let brackets = text.starts_with('[') && text.ends_with(']') && text.len() > 2;
            return brackets || text.contains("<|") || text.contains("|>") || text.contains('｜');
        }
    };
    let element = inner.strip_prefix('/').unwrap_or(inner);
    !HTML.contains(&element) && !element.is_empty()
}

impl SpecialToken {
    /// Cuts at every place of the token, but for those that `is_content` names by their position in `text`.
    fn cut<'a>(&self, text: &'a str, is_content: impl Fn(usize) -> bool, fragments: &mut Vec<Fragment<'a>>) {
        let is_space = |letter: char| matches!(letter, ' ' | '\t'..='\r');
        let (mut start, mut from) = (0, 0);
        while let Some(at) = text[from..].find(&self.text).map(|at| at + from) {
            if is_content(at) {
                from = at + text[at..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            let (mut before, mut after) = (&text[start..at], &text[at + self.text.len()..]);
            if self.strip_left {
                before = before.trim_end_matches(is_space);
            }
            if self.strip_right {
                after = after.trim_start_matches(is_space);
            }
            fragments.push(Fragment::Text(before));
            fragments.push(Fragment::Token(self.id));
            start = text.len() - after.len();
            from = start;
        }
        fragments.push(Fragment::Text(&text[start..]));
    }
}

/// Marks as control tokens what is one by its name, and returns the ids that end generation, sorted.
///
/// `find` gives the id of a text; `attrs` is indexed by id.
pub(crate) fn end_of_generation(
    special: &SpecialIds,
    attrs: &mut [TokenAttr],
    find: impl Fn(&str) -> Option<u32>,
) -> Vec<u32> {
    let mut ends = Vec::new();
    let control = |id: u32, attrs: &mut [TokenAttr]| {
        if let Some(attr) = attrs.get_mut(id as usize) {
            *attr = attr.with(TokenAttr::CONTROL);
        }
    };
    let named = |names: &[&str]| names.iter().find_map(|name| find(name));
    for parts in FIM_PARTS {
        if let Some(id) = named(parts) {
            control(id, attrs);
        }
    }
    for (given, names) in [
        (special.eot, END_OF_TURN),
        (special.eom, END_OF_MESSAGE),
        (special.fim_pad, FIM_PAD),
        (special.fim_rep, FIM_REPOSITORY),
        (special.fim_sep, FIM_FILE),
    ] {
        if let Some(id) = given {
            ends.push(id);
        } else if let Some(id) = named(names) {
            ends.push(id);
            control(id, attrs);
        }
    }
    for name in END_OF_GENERATION {
        if let Some(id) = find(name) {
            ends.push(id);
            control(id, attrs);
        }
    }
    for name in ALWAYS_SHOWN {
        if let Some(attr) = find(name).and_then(|id| attrs.get_mut(id as usize)) {
            *attr = TokenAttr::USER_DEFINED;
        }
    }
    ends.extend(special.eos);
    ends.sort_unstable();
    ends.dedup();
    drop_contradictions(&mut ends, attrs, find);
    ends
}

/// Names that end a turn in most models and mean something else beside certain others.
fn drop_contradictions(ends: &mut Vec<u32>, attrs: &mut [TokenAttr], find: impl Fn(&str) -> Option<u32>) {
    let has = |name: &str, ends: &[u32]| find(name).is_some_and(|id| ends.contains(&id));
    let mut drop = |name: &str, attr: TokenAttr, ends: &mut Vec<u32>| {
        if let Some(id) = find(name) {
            ends.retain(|&end| end != id);
            if let Some(of) = attrs.get_mut(id as usize) {
                *of = attr;
            }
        }
    };
    // Harmony and Solar Open: `<|end|>` ends a channel, not the answer.
    let call = has("<|call|>", ends) || has("<|calls|>", ends);
    if call && has("<|end|>", ends) && (has("<|return|>", ends) || has("<|flush|>", ends)) {
        drop("<|end|>", TokenAttr::USER_DEFINED, ends);
    }
    // Gemma 4: `</s>` is markup.
    if has("<|tool_response>", ends) && has("</s>", ends) {
        drop("</s>", TokenAttr::NORMAL, ends);
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "a list of ranges with one range in it is meant")]
mod tests {
    use super::*;

    fn token(text: &str, id: u32, always: bool) -> SpecialToken {
        SpecialToken { text: text.into(), id, always, control: !always, strip_left: false, strip_right: false }
    }

    #[test]
    fn longest_first_everywhere() {
        let tokens = SpecialTokens::new(vec![token("<a>", 1, false), token("<a><a>", 2, false), token("", 3, true)]);
        assert_eq!(
            tokens.partition("x<a><a><a>y", true, &[]),
            [Fragment::Text("x"), Fragment::Token(2), Fragment::Token(1), Fragment::Text("y")]
        );
    }

    #[test]
    fn content_makes_no_control_token() {
        let tokens = SpecialTokens::new(vec![token("<a>", 1, false), token("<u>", 2, true)]);
        let text = "<a><a><u>";
        let found = |content: &[Range<usize>]| tokens.partition(text, true, content);
        assert_eq!(found(&[0..9]), [Fragment::Text("<a><a>"), Fragment::Token(2)]);
        assert_eq!(found(&[0..3]), [Fragment::Text("<a>"), Fragment::Token(1), Fragment::Token(2)]);
        // A single byte of content is enough, and an empty range is none.
        assert_eq!(found(&[4..5, 6..9]), [Fragment::Token(1), Fragment::Text("<a>"), Fragment::Token(2)]);
        assert_eq!(found(&[3..3]), [Fragment::Token(1), Fragment::Token(1), Fragment::Token(2)]);
    }

    #[test]
    fn markup_and_text() {
        for control in ["<think>", "</think>", "[INST]", "<|x|>", "<｜User｜>", "<start_of_turn>", "<s>", "<tool_call>"]
        {
            assert!(looks_like_control(control), "{control}");
        }
        for text in ["\n\n", "  ", "<table>", "</h1>", "<>", "the", "[", "]", "->", "<", ">"] {
            assert!(!looks_like_control(text), "{text}");
        }
    }

    #[test]
    fn only_user_defined_without_parse_special() {
        let tokens = SpecialTokens::new(vec![token("<a>", 1, false), token("<u>", 2, true)]);
        assert_eq!(tokens.partition("<a><u>", false, &[]), [Fragment::Text("<a>"), Fragment::Token(2)]);
    }

    #[test]
    fn stripping() {
        let mut special = token("<s>", 1, false);
        special.strip_left = true;
        special.strip_right = true;
        let tokens = SpecialTokens::new(vec![special]);
        assert_eq!(
            tokens.partition("a \n<s>\t b", true, &[]),
            [Fragment::Text("a"), Fragment::Token(1), Fragment::Text("b")]
        );
    }

    #[test]
    fn ends_by_name_become_control() {
        let names = ["<|im_end|>", "x", "</s>", "<|tool_response>"];
        let find = |text: &str| names.iter().position(|name| *name == text).map(|at| at as u32);
        let mut attrs = [TokenAttr::NORMAL; 4];
        let ends = end_of_generation(&SpecialIds { eos: Some(1), ..SpecialIds::default() }, &mut attrs, find);
        assert_eq!(ends, [0, 1, 3]);
        assert!(attrs[0].has_any(TokenAttr::CONTROL));
        assert_eq!(attrs[2], TokenAttr::NORMAL);
    }
}
