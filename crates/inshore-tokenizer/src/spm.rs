//! SentencePiece-style BPE as in Llama 1/2: no word splitting; the pair whose union has the highest score merges first.
//!
//! Pieces are joined while their union is a token, best score first and leftmost among equals; a letter that is left over
//! and is no token becomes its UTF-8 bytes, as tokens `<0x00>` to `<0xFF>`. Behaviour as llama.cpp's `llm_tokenizer_spm`.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::TokenizerError;
use crate::error::excerpt;
use crate::vocabulary::Vocabulary;

/// What SentencePiece writes for a space.
pub(crate) const SPACE: char = '\u{2581}';
/// No neighbour.
const NONE: usize = usize::MAX;

/// Token texts in one allocation, found by text through a sorted index.
#[derive(Debug)]
pub(crate) struct SpmModel {
    texts: String,
    /// `texts[ends[id - 1]..ends[id]]` is the text of `id`.
    ends: Vec<usize>,
    /// Ids sorted by text.
    by_text: Vec<u32>,
    scores: Vec<f32>,
    /// By id: whether text never becomes this token.
    forbidden: Vec<bool>,
    /// The token of each byte, the unknown token if it has none.
    bytes: Vec<Option<u32>>,
}

/// A piece of the text, linked to its neighbours; merged away when `len` is 0.
struct Piece {
    start: usize,
    len: usize,
    previous: usize,
    next: usize,
}

/// Two neighbours whose union is a token. `len` tells later whether both are still what they were.
struct Candidate {
    score: f32,
    left: usize,
    right: usize,
    len: usize,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| other.left.cmp(&self.left))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl SpmModel {
    /// Builds the text index.
    ///
    /// # Errors
    /// [`TokenizerError::DuplicateToken`].
    pub(crate) fn new(vocabulary: &Vocabulary<'_>) -> Result<Self, TokenizerError> {
        let mut model = Self {
            texts: String::with_capacity(vocabulary.tokens.iter().map(String::len).sum()),
            ends: Vec::with_capacity(vocabulary.tokens.len()),
            by_text: (0..vocabulary.tokens.len() as u32).collect(),
            scores: vocabulary.scores.to_vec(),
            forbidden: Vec::new(),
            bytes: Vec::new(),
        };
        for (id, text) in vocabulary.tokens.iter().enumerate() {
            if text.is_empty() {
                model.texts.push_str(&format!("[EMPTY_{id}]"));
            } else {
                model.texts.push_str(text);
            }
            model.ends.push(model.texts.len());
        }
        let mut by_text = std::mem::take(&mut model.by_text);
        by_text.sort_unstable_by(|&a, &b| model.text_of(a).cmp(model.text_of(b)));
        for pair in by_text.windows(2) {
            if model.text_of(pair[0]) == model.text_of(pair[1]) {
                return Err(TokenizerError::DuplicateToken {
                    text: excerpt(model.text_of(pair[0])),
                    first: pair[0].min(pair[1]),
                    second: pair[0].max(pair[1]),
                });
            }
        }
        model.by_text = by_text;
        model.bytes = (0..=255u8).map(|byte| model.id(&format!("<0x{byte:02X}>")).or(vocabulary.special.unk)).collect();
        Ok(model)
    }

    /// Names the tokens that no text becomes, by id.
    pub(crate) fn forbid(&mut self, forbidden: Vec<bool>) {
        self.forbidden = forbidden;
    }

    /// The id of a stretch of text, unless it is a control token's name.
    fn plain_id(&self, text: &str) -> Option<u32> {
        self.id(text).filter(|&id| !self.forbidden.get(id as usize).copied().unwrap_or(false))
    }

    /// The text of an id, if there is one.
    pub(crate) fn text(&self, id: u32) -> Option<&str> {
        ((id as usize) < self.ends.len()).then(|| self.text_of(id))
    }

    /// The text of an id below `ends.len()`.
    fn text_of(&self, id: u32) -> &str {
        let id = id as usize;
        let start = id.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start..self.ends[id]]
    }

    /// The id of a text.
    pub(crate) fn id(&self, text: &str) -> Option<u32> {
        let at = self.by_text.binary_search_by(|&id| self.text_of(id).cmp(text)).ok()?;
        Some(self.by_text[at])
    }

    /// Appends the ids of `text`, in which spaces are written as [`SPACE`]. Bytes that the vocabulary cannot write are
    /// left out. Time n log n in the length of the text.
    pub(crate) fn encode(&self, text: &str, ids: &mut Vec<u32>) {
        let mut pieces: Vec<Piece> = text
            .char_indices()
            .enumerate()
            .map(|(n, (start, letter))| Piece {
                start,
                len: letter.len_utf8(),
                previous: n.wrapping_sub(1),
                next: n + 1,
            })
            .collect();
        let Some(last) = pieces.last_mut() else { return };
        last.next = NONE;

        let mut queue = BinaryHeap::new();
        for right in 1..pieces.len() {
            queue.extend(self.candidate(text, &pieces, right - 1, right));
        }
        while let Some(Candidate { left, right, len, .. }) = queue.pop() {
            let (left_len, right_len) = (pieces[left].len, pieces[right].len);
            if left_len == 0 || right_len == 0 || left_len + right_len != len {
                continue;
            }
            let next = pieces[right].next;
            pieces[left].len = len;
            pieces[left].next = next;
            pieces[right].len = 0;
            if next != NONE {
                pieces[next].previous = left;
            }
            queue.extend(self.candidate(text, &pieces, pieces[left].previous, left));
            queue.extend(self.candidate(text, &pieces, left, next));
        }
        for piece in pieces.iter().filter(|piece| piece.len > 0) {
            let piece = &text[piece.start..piece.start + piece.len];
            match self.plain_id(piece) {
                Some(id) => ids.push(id),
                None => ids.extend(piece.bytes().filter_map(|byte| self.bytes[usize::from(byte)])),
            }
        }
    }

    /// The union of two neighbours, if both exist and it is a token.
    fn candidate(&self, text: &str, pieces: &[Piece], left: usize, right: usize) -> Option<Candidate> {
        if left == NONE || right == NONE {
            return None;
        }
        let len = pieces[left].len + pieces[right].len;
        let id = self.plain_id(&text[pieces[left].start..pieces[left].start + len])?;
        let score = self.scores.get(id as usize).copied().unwrap_or(0.0);
        Some(Candidate { score, left, right, len })
    }
}

/// The byte that a token text of the form `<0x0A>` stands for.
pub(crate) fn byte_of(text: &str) -> Option<u8> {
    let digits = text.strip_prefix("<0x")?.strip_suffix('>')?;
    if digits.len() != 2 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    u8::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(tokens: &[(&str, f32)]) -> SpmModel {
        let texts: Vec<String> = tokens.iter().map(|token| token.0.to_owned()).collect();
        let scores: Vec<f32> = tokens.iter().map(|token| token.1).collect();
        SpmModel::new(&Vocabulary { tokens: &texts, scores: scores.into(), ..Vocabulary::default() }).unwrap()
    }

    fn encode(model: &SpmModel, text: &str) -> Vec<u32> {
        let mut ids = Vec::new();
        model.encode(text, &mut ids);
        ids
    }

    #[test]
    fn best_score_merges_first() {
        let m = model(&[("a", 0.0), ("b", 0.0), ("c", 0.0), ("ab", -2.0), ("bc", -1.0)]);
        assert_eq!(encode(&m, "abc"), [0, 4]);
        let m = model(&[("a", 0.0), ("b", 0.0), ("c", 0.0), ("ab", -1.0), ("bc", -2.0)]);
        assert_eq!(encode(&m, "abc"), [3, 2]);
    }

    #[test]
    fn leftmost_among_equals() {
        let m = model(&[("a", 0.0), ("aa", -1.0), ("aaa", -1.0)]);
        // Leftmost pair first gives aa, then aa+a joins before the third pair is reached.
        assert_eq!(encode(&m, "aaaa"), [2, 0]);
        assert_eq!(encode(&m, "aaaaaa"), [2, 2]);
    }

    #[test]
    fn a_letter_outside_merges_if_the_union_is_a_token() {
        let m = model(&[("a", 0.0), ("aü", -1.0)]);
        assert_eq!(encode(&m, "aü"), [1]);
    }

    #[test]
    fn leftovers_become_bytes() {
        let m = model(&[("a", 0.0), ("<0xC3>", 0.0), ("<0xBC>", 0.0)]);
        assert_eq!(encode(&m, "üa"), [1, 2, 0]);
        assert_eq!(encode(&m, "b"), [0u32; 0]);
    }

    #[test]
    fn byte_texts() {
        assert_eq!(byte_of("<0x0A>"), Some(10));
        for odd in ["<0x0A", "<0x+1>", "<0x0AA>", "0x0A", "<0xä>"] {
            assert_eq!(byte_of(odd), None, "{odd}");
        }
    }
}
