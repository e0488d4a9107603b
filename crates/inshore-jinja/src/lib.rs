//! Jinja2 for chat templates from untrusted files.
//!
//! A [`Template`] renders as Jinja2 renders it with the settings of Hugging Face Transformers (`trim_blocks`,
//! `lstrip_blocks`, the immutable sandbox, loop controls, the `generation` tag, its own `tojson`, `raise_exception` and
//! `strftime_now`), or fails with a typed [`Error`]. It never writes a different text.
//!
//! - Every run has [`Limits`] on work, memory, output and nesting, held in one place and charged before anything is
//!   computed, also inside a single filter, method or operator. Nothing panics and nothing overflows the stack.
//! - Every string knows which of its bytes came from the conversation. [`Rendered::pieces`] tells them from the bytes that the
//!   template wrote, so that no conversation can forge a control token.

mod arguments;
mod ast;
mod attributes;
mod budget;
mod clock;
mod error;
mod filters;
mod format_percent;
mod format_str;
mod input;
mod interp;
mod iterate;
mod json;
mod lexer;
mod methods;
mod numbers;
mod ops;
mod parser;
mod print;
mod slices;
mod tests;
mod text;
mod value;

use std::collections::HashMap;
use std::ops::Range;

pub use budget::Limits;
pub use clock::LocalTime;
pub use error::{Error, ErrorKind};
pub use input::Input;
pub use text::Origin;

use budget::Meter;
use interp::Interp;
use text::StrBuf;

/// The longest template that is accepted; real ones have at most some 30 kB.
pub const MAX_TEMPLATE_BYTES: usize = 1 << 20;

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    body: Vec<ast::Stmt>,
}

/// What a run may use beside its variables.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Budgets.
    pub limits: Limits,
    /// What `strftime_now` writes; without it the function is undefined.
    pub now: Option<LocalTime>,
    /// Asked now and then; the run ends with an error once it returns `true`.
    pub deadline: Option<&'a dyn Fn() -> bool>,
}

/// A rendered template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The whole text.
    pub text: String,
    /// The byte ranges of the text that came from the conversation, in order.
    pub content: Vec<Range<usize>>,
}

impl Rendered {
    /// The text in pieces of one origin each.
    pub fn pieces(&self) -> impl Iterator<Item = (&str, Origin)> {
        let mut cuts = Vec::with_capacity(2 * self.content.len() + 1);
        let mut at = 0;
        for range in &self.content {
            cuts.push((at..range.start, Origin::Template));
            cuts.push((range.clone(), Origin::Content));
            at = range.end;
        }
        cuts.push((at..self.text.len(), Origin::Template));
        cuts.into_iter().filter(|(range, _)| !range.is_empty()).map(|(range, origin)| (&self.text[range], origin))
    }
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`ErrorKind::Syntax`] for what Jinja2 refuses to compile; [`ErrorKind::Budget`] for templates that are too long or nest
    /// too deeply; [`ErrorKind::Unsupported`] for a few literals.
    pub fn new(source: &str) -> Result<Self, Error> {
        if source.len() > MAX_TEMPLATE_BYTES {
            let message = format!("the template has {} bytes, more than {MAX_TEMPLATE_BYTES}", source.len());
            return Err(Error::new(ErrorKind::Budget, message));
        }
        Ok(Self { body: parser::parse(source)? })
    }

    /// Renders the template with these variables.
    ///
    /// # Errors
    /// Every [`ErrorKind`]; [`ErrorKind::Refused`] if the template calls `raise_exception`.
    pub fn render(&self, variables: &[(&str, Input)], options: &Options<'_>) -> Result<Rendered, Error> {
        let meter = Meter::new(options.limits, options.deadline);
        let mut context = HashMap::new();
        for (name, input) in variables {
            context.insert((*name).to_owned(), input.to_value(&meter)?);
        }
        let interp = Interp::new(&meter, context, options.now)?;
        let mut out = StrBuf::new(&meter)?;
        interp.run(&self.body, &mut out)?;
        let (text, runs) = out.into_parts();
        let mut content = Vec::new();
        let mut start = 0;
        for run in runs {
            if run.origin == Origin::Content {
                content.push(start..run.end);
            }
            start = run.end;
        }
        Ok(Rendered { text, content })
    }
}
