//! The `Range` header (RFC 9110, 14.1.2): one range of bytes.

/// What a `Range` header asks of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// Everything: there is no header, or one that may be ignored (other units, several ranges, not well-formed).
    Whole,
    /// These bytes, both ends included.
    Part {
        /// First byte.
        first: u64,
        /// Last byte.
        last: u64,
    },
    /// Nothing of the file.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads the header's value for a file of `len` bytes.
    pub fn parse(header: Option<&str>, len: u64) -> Self {
        let Some(spec) = header.and_then(|value| value.trim().strip_prefix("bytes=")) else { return Self::Whole };
        let Some((from, to)) = spec.trim().split_once('-').filter(|_| !spec.contains(',')) else { return Self::Whole };
        let number = |text: &str| if text.is_empty() { Some(None) } else { digits(text).map(Some) };
        match (number(from), number(to)) {
            (Some(Some(first)), Some(None)) if first < len => Self::Part { first, last: len - 1 },
            (Some(Some(first)), Some(Some(last))) if first <= last && first < len => {
                Self::Part { first, last: last.min(len - 1) }
            }
            (Some(Some(first)), Some(Some(last))) if first > last => Self::Whole,
            (Some(Some(_)), Some(_)) => Self::Unsatisfiable,
            (Some(None), Some(Some(count))) if count > 0 && len > 0 => {
                Self::Part { first: len.saturating_sub(count), last: len - 1 }
            }
            (Some(None), Some(Some(_))) => Self::Unsatisfiable,
            _ => Self::Whole,
        }
    }
}

/// A number that may be larger than u64; then it is beyond any file anyway.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::ByteRange::{self, Part, Unsatisfiable, Whole};

    #[test]
    fn headers_are_read_as_the_rfc_says() {
        let cases = [
            ("bytes=0-0", Part { first: 0, last: 0 }),
            ("bytes=5-", Part { first: 5, last: 9 }),
            ("bytes=5-100", Part { first: 5, last: 9 }),
            ("bytes=-3", Part { first: 7, last: 9 }),
            ("bytes=-99", Part { first: 0, last: 9 }),
            ("bytes=9-99999999999999999999999", Part { first: 9, last: 9 }),
            ("bytes=10-", Unsatisfiable),
            ("bytes=-0", Unsatisfiable),
            ("bytes=7-5", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=x-", Whole),
            ("bytes=-", Whole),
            ("lines=1-2", Whole),
        ];
        for (header, expected) in cases {
            assert_eq!(ByteRange::parse(Some(header), 10), expected, "{header}");
        }
        assert_eq!(ByteRange::parse(None, 10), Whole);
        assert_eq!(ByteRange::parse(Some("bytes=0-"), 0), Unsatisfiable);
        assert_eq!(ByteRange::parse(Some("bytes=-5"), 0), Unsatisfiable);
    }
}
