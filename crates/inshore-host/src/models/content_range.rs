//! The header `Content-Range` (RFC 9110, section 14.4), byte ranges only.

/// `bytes 5-9/10`: bytes from `start` up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentRange {
    /// First byte.
    pub start: u64,
    /// Byte after the last one; more than `start`.
    pub end: u64,
    /// Size of the whole file; `None` for `*`.
    pub total_bytes: Option<u64>,
}

impl ContentRange {
    /// Parses `bytes 5-9/10` and `bytes 5-9/*`; returns `None` for anything else, including impossible ranges.
    pub fn parse(text: &str) -> Option<Self> {
        let (range, total) = bytes_unit(text)?.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (start, end) = (count(first)?, count(last)?.checked_add(1)?);
        let total_bytes = if total.trim() == "*" { None } else { Some(count(total)?) };
        (start < end && total_bytes.is_none_or(|total| end <= total)).then_some(Self { start, end, total_bytes })
    }

    /// Reads the size of the file from `bytes */10`, which comes with a 416.
    pub fn parse_unsatisfied(text: &str) -> Option<u64> {
        count(bytes_unit(text)?.strip_prefix('*')?.trim_start().strip_prefix('/')?)
    }

    /// Number of bytes in the range.
    pub const fn bytes(&self) -> u64 {
        self.end - self.start
    }

    /// Whether the range is the whole file.
    pub fn is_whole(&self) -> bool {
        self.start == 0 && self.total_bytes == Some(self.end)
    }
}

fn bytes_unit(text: &str) -> Option<&str> {
    let (unit, rest) = text.trim().split_once(' ')?;
    unit.eq_ignore_ascii_case("bytes").then(|| rest.trim_start())
}

/// Parses digits only; `u64::from_str` would also accept a plus sign.
fn count(text: &str) -> Option<u64> {
    let text = text.trim();
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_or_refused() {
        let range = |start, end, total_bytes| Some(ContentRange { start, end, total_bytes });
        for (text, expected) in [
            ("bytes 5-9/10", range(5, 10, Some(10))),
            ("bytes 0-0/1", range(0, 1, Some(1))),
            ("Bytes  5-9/*", range(5, 10, None)),
            (" bytes 5 - 9 / 10 ", range(5, 10, Some(10))),
            ("bytes 5-10/10", None),
            ("bytes 9-5/10", None),
            ("bytes */10", None),
            ("bytes 5-9", None),
            ("bytes 5-/10", None),
            ("bytes -5/10", None),
            ("bytes +5-9/10", None),
            ("items 5-9/10", None),
            ("5-9/10", None),
            ("bytes=5-9/10", None),
            ("bytes 5-9/10, 12-13/20", None),
            ("bytes 0x5-9/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 0-99999999999999999999/*", None),
            ("", None),
        ] {
            assert_eq!(ContentRange::parse(text), expected, "{text}");
        }
        assert!(ContentRange::parse("bytes 0-9/10").unwrap().is_whole());
        assert!(!ContentRange::parse("bytes 0-8/10").unwrap().is_whole());
    }

    #[test]
    fn unsatisfied_ranges_say_the_size() {
        assert_eq!(ContentRange::parse_unsatisfied("bytes */10"), Some(10));
        for text in ["bytes 0-9/10", "bytes */*", "bytes */", "*/10", ""] {
            assert_eq!(ContentRange::parse_unsatisfied(text), None, "{text}");
        }
    }
}
