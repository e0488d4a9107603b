//! The GPT-2 byte alphabet: each of the 256 bytes is written as one visible character.
//!
//! Printable Latin-1 bytes stand for themselves; the other 68 are written as U+0100 onwards, in byte order.
//! Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), `encoder.py`.

/// Bytes of Latin-1 that stand for themselves.
const fn is_itself(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF)
}

/// The bytes that do not stand for themselves, in order: byte `SHIFTED[n]` is written as `U+0100 + n`.
const SHIFTED: [u8; 68] = {
    let mut table = [0; 68];
    let (mut byte, mut n) = (0, 0);
    while byte < 256 {
        if !is_itself(byte as u8) {
            table[n] = byte as u8;
            n += 1;
        }
        byte += 1;
    }
    table
};

/// The byte that `letter` stands for, if it is in the alphabet.
pub(crate) fn byte_of(letter: char) -> Option<u8> {
    let code = u32::from(letter);
    match u8::try_from(code) {
        Ok(byte) => is_itself(byte).then_some(byte),
        Err(_) => SHIFTED.get(usize::try_from(code.checked_sub(0x100)?).ok()?).copied(),
    }
}

/// Appends the bytes that `text`, written in the byte alphabet, stands for. A letter outside of the alphabet stands for
/// its own UTF-8, so that nothing is lost.
pub(crate) fn push_bytes(text: &str, bytes: &mut Vec<u8>) {
    for letter in text.chars() {
        match byte_of(letter) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn alphabet_covers_every_byte_once() {
        let bytes: Vec<u8> = (0..=0x143).filter_map(char::from_u32).filter_map(byte_of).collect();
        assert_eq!(bytes.len(), 256);
        assert_eq!(bytes.iter().collect::<BTreeSet<_>>().len(), 256);
    }

    #[test]
    fn known_letters() {
        // From GPT-2's vocabulary: space, newline, soft hyphen.
        assert_eq!([byte_of('Ġ'), byte_of('Ċ'), byte_of('Ń')], [Some(b' '), Some(b'\n'), Some(0xAD)]);
        assert_eq!(byte_of('é'), Some(0xE9));
        assert_eq!(byte_of('ń'), None);
        assert_eq!(byte_of('世'), None);
    }

    #[test]
    fn foreign_letters_keep_their_utf8() {
        let mut bytes = Vec::new();
        push_bytes("aĠ世", &mut bytes);
        assert_eq!(bytes, "a 世".as_bytes());
    }
}
