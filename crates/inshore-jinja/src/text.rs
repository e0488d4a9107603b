//! Strings that know which of their bytes came from the conversation.

use std::ops::Range;
use std::rc::Rc;

use crate::budget::{Charge, Meter};
use crate::error::Result;

/// Where a stretch of text came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The template wrote it: its literals, or values that the caller vouches for.
    Template,
    /// It came from the conversation: messages, names, tools, results.
    Content,
}

/// A stretch of bytes with one origin, up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) end: usize,
    pub(crate) origin: Origin,
}

/// An immutable string.
#[derive(Debug)]
pub(crate) struct Str {
    text: String,
    /// Covers `text`; neighbours differ in origin.
    runs: Vec<Run>,
    ascii: bool,
    /// Made by `escape` or `safe`.
    pub(crate) markup: bool,
    _charge: Charge,
}

impl Str {
    pub(crate) fn new(text: &str, origin: Origin, meter: &Meter<'_>) -> Result<Rc<Self>> {
        let mut buffer = StrBuf::new(meter)?;
        buffer.push_str(text, origin)?;
        Ok(buffer.finish())
    }

    /// A string that the template itself wrote.
    pub(crate) fn template(text: &str, meter: &Meter<'_>) -> Result<Rc<Self>> {
        Self::new(text, Origin::Template, meter)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_ascii(&self) -> bool {
        self.ascii
    }

    /// Length in characters.
    pub(crate) fn chars(&self, meter: &Meter<'_>) -> Result<usize> {
        if self.ascii {
            return Ok(self.text.len());
        }
        meter.work(self.text.len())?;
        Ok(self.text.chars().count())
    }

    /// `Content` if any byte is.
    pub(crate) fn origin(&self) -> Origin {
        if self.runs.iter().any(|run| run.origin == Origin::Content) { Origin::Content } else { Origin::Template }
    }

    /// The origin of the byte at `at`.
    pub(crate) fn origin_at(&self, at: usize) -> Origin {
        let index = self.runs.partition_point(|run| run.end <= at);
        self.runs.get(index).or(self.runs.last()).map_or(Origin::Template, |run| run.origin)
    }

    /// The bytes of `range` as a string of their own. The range lies on character boundaries.
    pub(crate) fn slice(&self, range: Range<usize>, meter: &Meter<'_>) -> Result<Rc<Self>> {
        let mut buffer = StrBuf::new(meter)?;
        buffer.push_range(self, range)?;
        Ok(buffer.finish())
    }

    /// The byte position of character `index`, which is at most the length in characters.
    pub(crate) fn byte_of(&self, index: usize, meter: &Meter<'_>) -> Result<usize> {
        if self.ascii {
            return Ok(index.min(self.text.len()));
        }
        meter.work(index.min(self.text.len()))?;
        Ok(self.text.char_indices().nth(index).map_or(self.text.len(), |(at, _)| at))
    }
}

/// A string under construction.
pub(crate) struct StrBuf<'m, 'd> {
    meter: &'m Meter<'d>,
    text: String,
    runs: Vec<Run>,
    ascii: bool,
    charge: Charge,
}

/// Work of an append, whatever its length.
const PUSH_WORK: usize = 16;
/// What a string costs beside its bytes.
const STR_OVERHEAD: usize = 64;

impl<'m, 'd> StrBuf<'m, 'd> {
    pub(crate) fn new(meter: &'m Meter<'d>) -> Result<Self> {
        let charge = meter.allocate(1, STR_OVERHEAD)?;
        Ok(Self { meter, text: String::new(), runs: Vec::new(), ascii: true, charge })
    }

    pub(crate) fn meter(&self) -> &'m Meter<'d> {
        self.meter
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn push_str(&mut self, text: &str, origin: Origin) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.meter.work(PUSH_WORK)?;
        // A growing buffer takes up to twice its length.
        self.meter.grow(&mut self.charge, text.len(), 2)?;
        self.text.push_str(text);
        self.ascii &= text.is_ascii();
        self.mark(origin)
    }

    pub(crate) fn push_char(&mut self, letter: char, origin: Origin) -> Result<()> {
        self.push_str(letter.encode_utf8(&mut [0; 4]), origin)
    }

    /// Appends `letter` `count` times.
    pub(crate) fn push_repeated(&mut self, letter: char, count: usize, origin: Origin) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        self.meter.grow(&mut self.charge, count, 2 * letter.len_utf8())?;
        self.text.extend(std::iter::repeat_n(letter, count));
        self.ascii &= letter.is_ascii();
        self.mark(origin)
    }

    fn mark(&mut self, origin: Origin) -> Result<()> {
        match self.runs.last_mut() {
            Some(last) if last.origin == origin => last.end = self.text.len(),
            _ => {
                self.meter.grow(&mut self.charge, 1, 2 * size_of::<Run>())?;
                self.runs.push(Run { end: self.text.len(), origin });
            }
        }
        Ok(())
    }

    pub(crate) fn push(&mut self, text: &Str) -> Result<()> {
        self.push_range(text, 0..text.as_str().len())
    }

    pub(crate) fn push_range(&mut self, text: &Str, range: Range<usize>) -> Result<()> {
        let mut at = range.start;
        let mut index = text.runs.partition_point(|run| run.end <= at);
        while at < range.end {
            let run = text.runs[index];
            let end = run.end.min(range.end);
            self.push_str(&text.text[at..end], run.origin)?;
            at = end;
            index += 1;
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Rc<Str> {
        self.finish_as(false)
    }

    pub(crate) fn finish_as(self, markup: bool) -> Rc<Str> {
        let Self { text, runs, ascii, charge, .. } = self;
        Rc::new(Str { text, runs, ascii, markup, _charge: charge })
    }

    /// The text and its content ranges.
    pub(crate) fn into_parts(self) -> (String, Vec<Run>) {
        (self.text, self.runs)
    }
}
