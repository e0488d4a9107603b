//! Makes the bytes of a body readable as JavaScript reads them.

use std::borrow::Cow;

use crate::RequestError;
use crate::schema::MAX_DEPTH;

/// The JSON text of a body: UTF-8 without a byte order mark, not nested too deeply, and each lone surrogate (`"\ud83d"`)
/// replaced by U+FFFD, as JavaScript's `toWellFormed` does.
pub(crate) fn prepare(body: &[u8]) -> Result<Cow<'_, str>, RequestError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|_| RequestError::body("The body is not UTF-8."))?;
    let mut repaired = String::new();
    let mut copied = 0;
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, in_string: false, depth: 0 };
    while let Some(lone_surrogate) = scan.next_lone_surrogate()? {
        repaired.push_str(text.get(copied..lone_surrogate).unwrap_or_default());
        repaired.push_str("\\ufffd");
        copied = scan.at;
    }
    if copied == 0 {
        return Ok(Cow::Borrowed(text));
    }
    repaired.push_str(text.get(copied..).unwrap_or_default());
    Ok(Cow::Owned(repaired))
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    in_string: bool,
    depth: usize,
}

impl Scan<'_> {
    /// Position of the next escape that is half a pair; the scan then stands behind it.
    fn next_lone_surrogate(&mut self) -> Result<Option<usize>, RequestError> {
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => self.in_string = !self.in_string,
                b'\\' if self.in_string => {
                    let start = self.at;
                    if self.skip_escape() {
                        return Ok(Some(start));
                    }
                    continue;
                }
                b'{' | b'[' if !self.in_string => {
                    self.depth += 1;
                    if self.depth > MAX_DEPTH {
                        return Err(RequestError::body(format!(
                            "The body is nested more than {MAX_DEPTH} levels deep."
                        )));
                    }
                }
                b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// Goes behind the escape at this place. Returns whether it is a lone surrogate.
    fn skip_escape(&mut self) -> bool {
        match self.code_unit(self.at) {
            None => {
                self.at += 2;
                false
            }
            Some(0xd800..=0xdbff) if matches!(self.code_unit(self.at + 6), Some(0xdc00..=0xdfff)) => {
                self.at += 12;
                false
            }
            Some(unit) => {
                self.at += 6;
                (0xd800..=0xdfff).contains(&unit)
            }
        }
    }

    /// The UTF-16 code unit of an escape `\uXXXX` at `at`.
    fn code_unit(&self, at: usize) -> Option<u16> {
        let digits = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |unit: u16, digit| {
            let value = char::from(*digit).to_digit(16)?;
            Some(unit << 4 | value as u16)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(text: &str) -> String {
        prepare(text.as_bytes()).unwrap().into_owned()
    }

    #[test]
    fn half_a_surrogate_pair_becomes_the_replacement_character() {
        for (found, expected) in [
            (r#""a\ud83d""#, r#""a\ufffd""#),
            (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""\uD83D\uDE00""#, r#""\uD83D\uDE00""#),
            (r#""\\ud83d""#, r#""\\ud83d""#),
            (r#""\\\ud83dx""#, r#""\\\ufffdx""#),
            (r#""\ud83d\n""#, r#""\ufffd\n""#),
            (r#""\ud83"#, r#""\ud83"#),
            ("\"\\é\\udc00\"", "\"\\é\\ufffd\""),
        ] {
            assert_eq!(prepared(found), expected);
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(prepare(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(prepare(nested(MAX_DEPTH + 1).as_bytes()).is_err());
        assert!(prepare(format!("\"{}\"", nested(MAX_DEPTH + 1)).as_bytes()).is_ok());
        assert!(prepare("[]".repeat(1000).as_bytes()).is_ok());
    }
}
