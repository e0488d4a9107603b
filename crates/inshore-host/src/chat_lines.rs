//! Reads the turns of a chat: from an editor with history on a terminal, else line by line.

use std::io::{self, BufRead, IsTerminal, Read};

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

/// Longest line of a pipe. A device that never sends a line break must not fill the memory.
const MAX_LINE_BYTES: usize = 16 << 20;

/// The next line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// Text, possibly empty.
    Text(String),
    /// Something that cannot be a turn, with the reason. The chat goes on.
    Unusable(String),
    /// There are no more lines.
    End,
}

/// A source of lines.
pub enum Lines {
    /// A terminal.
    Editor(Box<DefaultEditor>),
    /// Anything else, with the number of lines read so far.
    Pipe(io::StdinLock<'static>, u64),
}

impl Lines {
    /// Opens standard input.
    ///
    /// # Errors
    /// If the terminal cannot be set up.
    pub fn open() -> anyhow::Result<Self> {
        if io::stdin().is_terminal() {
            Ok(Self::Editor(Box::new(DefaultEditor::new()?)))
        } else {
            Ok(Self::Pipe(io::stdin().lock(), 0))
        }
    }

    /// Waits for the next line.
    ///
    /// # Errors
    /// If standard input breaks.
    pub fn next(&mut self) -> anyhow::Result<Line> {
        match self {
            Self::Pipe(stdin, number) => {
                *number += 1;
                Ok(read_line(stdin, *number, MAX_LINE_BYTES)?)
            }
            Self::Editor(editor) => match editor.readline("> ") {
                Ok(line) => {
                    let _ = editor.add_history_entry(&line);
                    Ok(Line::Text(line))
                }
                // Ctrl-C at the prompt drops the line only.
                Err(ReadlineError::Interrupted) => Ok(Line::Text(String::new())),
                Err(ReadlineError::Eof) => Ok(Line::End),
                Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                    Ok(Line::Unusable("the line is not UTF-8 text".to_owned()))
                }
                Err(error) => Err(error.into()),
            },
        }
    }
}

/// Reads a line to its line break. Consumes unusable lines too.
fn read_line(input: &mut impl BufRead, number: u64, max_bytes: usize) -> io::Result<Line> {
    let mut bytes = Vec::new();
    let read = input.by_ref().take(max_bytes as u64 + 1).read_until(b'\n', &mut bytes)?;
    if read == 0 {
        return Ok(Line::End);
    }
    if read > max_bytes && bytes.last() != Some(&b'\n') {
        input.skip_until(b'\n')?;
        return Ok(Line::Unusable(format!("line {number} is longer than {} MiB", max_bytes >> 20)));
    }
    if number == 1 && bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    Ok(String::from_utf8(bytes).map_or_else(
        |error| {
            let at = error.utf8_error().valid_up_to();
            Line::Unusable(format!("line {number} is not UTF-8 text (byte {at} is {:#04x})", error.as_bytes()[at]))
        },
        Line::Text,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(mut input: &[u8], max_bytes: usize) -> Vec<Line> {
        let mut number = 0;
        let mut next = || {
            number += 1;
            read_line(&mut input, number, max_bytes).expect("a slice can be read")
        };
        std::iter::from_fn(|| Some(next()).filter(|line| *line != Line::End)).collect()
    }

    fn text(text: &str) -> Line {
        Line::Text(text.to_owned())
    }

    #[test]
    fn a_line_that_is_not_utf_8_costs_only_itself() {
        for bad in [&b"caf\xe9"[..], b"\xff\xfe", b"\xed\xa0\xbd", b"\x80", b"a\xc3"] {
            let input = [b"one\n".as_slice(), bad, b"\ntwo"].concat();
            let found = lines(&input, 100);
            assert_eq!((found.len(), &found[0], &found[2]), (3, &text("one\n"), &text("two")), "{bad:?}");
            assert!(matches!(&found[1], Line::Unusable(why) if why.contains("line 2 is not UTF-8 text")), "{found:?}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_costs_only_itself() {
        let input = [b"x".repeat(2000).as_slice(), b"\nshort\n", &b"y".repeat(5000)].concat();
        let found = lines(&input, 1000);
        assert!(matches!((&found[0], &found[2]), (Line::Unusable(_), Line::Unusable(_))), "{found:?}");
        assert_eq!((found.len(), &found[1]), (3, &text("short\n")));
        assert_eq!(lines(&b"z".repeat(1000), 1000).len(), 1, "a line as long as allowed");
    }

    #[test]
    fn empty_lines_null_bytes_and_marks_are_lines() {
        assert_eq!(lines(b"\n\0\n\r\n", 100), [text("\n"), text("\0\n"), text("\r\n")]);
        assert_eq!(lines(b"\xef\xbb\xbfhi\n", 100), [text("hi\n")]);
        assert_eq!(lines(b"", 100), []);
    }
}
