//! Decoding token by token, for text that is shown while it is generated.

use crate::Tokenizer;

/// Turns tokens into text one at a time, in time that does not depend on how many came before.
///
/// A code point is handed out when its last byte is there. The pieces, joined, are
/// [`Tokenizer::decode`] of all tokens: nothing is lost, and invalid bytes become U+FFFD at the same places.
#[derive(Debug, Clone)]
pub struct StreamDecoder {
    tokenizer: Tokenizer,
    skip_special: bool,
    at_start: bool,
    pending: Utf8Buffer,
}

impl StreamDecoder {
    /// For an answer: leaves special tokens out and keeps a space at the beginning, since the answer continues a prompt.
    /// For the tokens of a whole text see [`Tokenizer::stream_decoder`].
    pub fn new(tokenizer: &Tokenizer) -> Self {
        Self::with_options(tokenizer, true, false)
    }

    pub(crate) fn with_options(tokenizer: &Tokenizer, skip_special: bool, drops_first_space: bool) -> Self {
        Self { tokenizer: tokenizer.clone(), skip_special, at_start: drops_first_space, pending: Utf8Buffer::default() }
    }

    /// The text that is complete with token `id`; empty if the token ends inside a code point. An id outside of the
    /// vocabulary, as models with padded outputs can sample, shows as U+FFFD.
    pub fn push(&mut self, id: u32) -> String {
        let Self { tokenizer, skip_special, at_start, pending } = self;
        if tokenizer.push_bytes(id, *skip_special, at_start, &mut pending.bytes).is_err() {
            return pending.take_rest() + "\u{FFFD}";
        }
        pending.take_complete()
    }

    /// The text of bytes that wait for a continuation that will not come.
    pub fn flush(&mut self) -> String {
        self.pending.take_rest()
    }
}

/// Bytes, of which at most the last three wait for the rest of their code point.
#[derive(Debug, Clone, Default)]
struct Utf8Buffer {
    bytes: Vec<u8>,
}

impl Utf8Buffer {
    /// Everything but an incomplete code point at the end.
    fn take_complete(&mut self) -> String {
        let mut text = String::with_capacity(self.bytes.len());
        let mut rest = 0;
        for chunk in self.bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            rest += chunk.valid().len();
            let invalid = chunk.invalid();
            if rest + invalid.len() == self.bytes.len() && may_continue(invalid) {
                break;
            }
            if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
            rest += invalid.len();
        }
        self.bytes.drain(..rest);
        text
    }

    /// Everything.
    fn take_rest(&mut self) -> String {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        self.bytes.clear();
        text
    }
}

/// Whether an invalid sequence at the end of the bytes is the beginning of a code point.
fn may_continue(invalid: &[u8]) -> bool {
    // No length means that the bytes end too early, which is the case in question.
    !invalid.is_empty() && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(pieces: &[Vec<u8>]) -> (Vec<String>, String) {
        let mut buffer = Utf8Buffer::default();
        let mut texts = Vec::new();
        for piece in pieces {
            buffer.bytes.extend_from_slice(piece);
            texts.push(buffer.take_complete());
            assert!(buffer.bytes.len() < 4, "{:?}", buffer.bytes);
        }
        let rest = buffer.take_rest();
        (texts, rest)
    }

    #[test]
    fn a_code_point_waits_for_its_last_byte() {
        let (texts, rest) = stream(&[vec![b'a', 0xF0], vec![0x9F], vec![0x98], vec![0x80, b'b']]);
        assert_eq!(texts, ["a", "", "", "😀b"]);
        assert_eq!(rest, "");
    }

    #[test]
    fn what_cannot_continue_is_replaced_at_once() {
        let (texts, rest) = stream(&[vec![0xC3], b"x".to_vec(), vec![0xFF], vec![0xE2, 0x82]]);
        assert_eq!(texts, ["", "\u{FFFD}x", "\u{FFFD}", ""]);
        assert_eq!(rest, "\u{FFFD}");
    }

    /// Bytes that are often the parts of code points.
    fn pieces() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let byte = prop_oneof![
            Just(b'a'),
            Just(0x80u8),
            Just(0xBF),
            Just(0xC3),
            Just(0xE2),
            Just(0xED),
            Just(0xA0),
            Just(0xF0),
            Just(0xF4),
            Just(0x9F),
            any::<u8>()
        ];
        prop::collection::vec(prop::collection::vec(byte, 0..5), 0..20)
    }

    proptest! {
        #[test]
        fn joined_pieces_equal_the_lossy_whole(pieces in pieces()) {
            let (texts, rest) = stream(&pieces);
            let whole = pieces.concat();
            prop_assert_eq!(texts.concat() + &rest, String::from_utf8_lossy(&whole));
        }
    }
}
