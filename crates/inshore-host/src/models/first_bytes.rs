//! Identifies by its first bytes what a server sent in place of a model.

/// Bytes of a body that are enough for [`FirstBytes::of`].
pub const HEAD_BYTES: usize = 64;
/// Characters of the body that an error shows.
const SHOWN_BYTES: usize = 40;

/// What a body looks like, with advice for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstBytes {
    /// Noun phrase for a sentence: "an HTML page".
    pub kind: &'static str,
    /// What to do.
    pub advice: &'static str,
}

const CHECK_ADDRESS: &str = "check the address, or give another source";

impl FirstBytes {
    /// Judges the first [`HEAD_BYTES`] bytes of a body (fewer if it is shorter).
    pub fn of(head: &[u8]) -> Self {
        let bare = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
        let starts = |text: &[u8]| bare.len() >= text.len() && bare[..text.len()].eq_ignore_ascii_case(text);
        let (kind, advice) = if head.is_empty() {
            ("nothing (an empty body)", "try again later, or give another source")
        } else if starts(b"<?xml") {
            ("an XML document", "the server reports an error this way; check the address and your access to it")
        } else if starts(b"<") {
            (
                "an HTML page",
                "the model may be gated (accept its terms on the hub and set HF_TOKEN), it may need a login, or the address \
                 may be wrong",
            )
        } else if starts(b"version https://git-lfs") || starts(b"oid sha256:") {
            (
                "a Git LFS pointer",
                "the address is that of the pointer, not of the model: use the hub's `resolve` address",
            )
        } else if starts(b"{") || starts(b"[") {
            ("JSON", "the server reports an error this way; check the address and your access to it")
        } else if head.starts_with(b"\x1F\x8B") || head.starts_with(b"\x28\xB5\x2F\xFD") {
            ("compressed data", "unpack the file on the server, or give another source")
        } else if head.starts_with(b"PK\x03\x04") {
            ("a zip archive", "give the GGUF file itself")
        } else if head.get(8) == Some(&b'{') {
            ("probably a safetensors file", "convert the model to GGUF, or give a GGUF file")
        } else if [b"lmgg", b"fmgg", b"tjgg", b"algg"].iter().any(|magic| head.starts_with(*magic)) {
            ("a GGML file older than GGUF", "convert the model with a current tool")
        } else if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
            ("text", CHECK_ADDRESS)
        } else {
            ("other data", CHECK_ADDRESS)
        };
        Self { kind, advice }
    }
}

/// Formats the first bytes for people, without control characters that a terminal would obey.
pub fn shown(head: &[u8]) -> String {
    head[..head.len().min(SHOWN_BYTES)].escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_place_of_models_is_named() {
        for (head, kind) in [
            (&b""[..], "nothing (an empty body)"),
            (b"<!DOCTYPE html><html>", "an HTML page"),
            (b"\xEF\xBB\xBF \r\n\t<HTML lang=en>", "an HTML page"),
            (b"<script>location='/login'</script>", "an HTML page"),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code>", "an XML document"),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab", "a Git LFS pointer"),
            (b"{\"error\":\"Repository not found\"}", "JSON"),
            (b"\x1F\x8B\x08\x00\x00", "compressed data"),
            (b"PK\x03\x04\x14\x00", "a zip archive"),
            (b"\x40\x00\x00\x00\x00\x00\x00\x00{\"__metadata__\"", "probably a safetensors file"),
            (b"tjgg\x03\x00", "a GGML file older than GGUF"),
            (b"Entry not found", "text"),
            (b"\x00\x01\x02\xFF", "other data"),
        ] {
            assert_eq!(FirstBytes::of(head).kind, kind, "{}", shown(head));
        }
        assert_eq!(shown(b"a\x1B[31m"), "a\\x1b[31m");
    }
}
