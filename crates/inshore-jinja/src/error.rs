//! Why a template did not compile or did not render.

use std::fmt;

/// What kind of failure an [`Error`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The template is not valid Jinja.
    Syntax,
    /// The template called `raise_exception`: it refuses this conversation.
    Refused,
    /// An operation on an undefined value.
    Undefined,
    /// The sandbox forbids the operation.
    Security,
    /// Any other exception that Jinja2 would raise: wrong types, missing keys, division by zero.
    Runtime,
    /// Valid in Jinja2, but not implemented here.
    Unsupported,
    /// The template used up a budget: steps, memory, output, nesting or time.
    Budget,
}

/// A failure, with the line of the template where it happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    line: usize,
    message: String,
}

/// The longest message that is kept; a template may raise a whole conversation as an error.
const MAX_MESSAGE_CHARS: usize = 1000;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let mut message: String = message.into();
        if let Some((end, _)) = message.char_indices().nth(MAX_MESSAGE_CHARS) {
            message.truncate(end);
        }
        Self(Box::new(Inner { kind, line: 0, message }))
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Line in the template, from 1; 0 if unknown.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// What happened, without the line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Sets the line unless it is known already.
    pub(crate) fn at(mut self, line: usize) -> Self {
        if self.0.line == 0 {
            self.0.line = line;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.line {
            0 => f.write_str(&self.0.message),
            line => write!(f, "line {line}: {}", self.0.message),
        }
    }
}

impl std::error::Error for Error {}

pub(crate) type Result<T> = std::result::Result<T, Error>;

pub(crate) fn runtime(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Runtime, message)
}

pub(crate) fn undefined(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Undefined, message)
}

pub(crate) fn security(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Security, message)
}

pub(crate) fn unsupported(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Unsupported, message)
}

pub(crate) fn syntax(line: usize, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Syntax, message).at(line)
}
