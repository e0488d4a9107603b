//! What stands between an untrusted chat template and the template engine.
//!
//! The engine bounds instructions and the nesting of blocks and brackets, but not everything that nests: `not not not …`,
//! `x.a.a.a…` and chains of `elif` become as many stack frames, as does a namespace that is put into itself. Templates
//! are therefore read token by token first: tags are limited in operators, and every `{% set … = value %}` checks the
//! value when it runs. `{% generation %}`, which marks training data and means nothing here, is neutralised on the way.

use std::collections::BTreeMap;

use minijinja::machinery::{Span, Token, WhitespaceConfig, tokenize};
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind};

/// Operators in one tag; real templates stay below 100. Each can be a level of recursion in parser and compiler.
const MAX_OPERATORS: usize = 400;
/// `elif` in a template; each is a level of recursion.
const MAX_ELIFS: usize = 128;
/// Lists in lists in an assigned value.
const MAX_VALUE_DEPTH: usize = 24;
/// Bytes in an assigned string, beyond what the conversation itself holds.
const MAX_STRING_BYTES: usize = 4 << 20;
/// Elements in an assigned value, beyond what the conversation itself holds.
const MAX_ELEMENTS: usize = 5_000;

/// Called with every assigned value.
const CHECK: &str = "__inshore_checked";
/// The same for assignments to an attribute of a namespace.
const CHECK_ATTRIBUTE: &str = "__inshore_checked_attribute";
/// An attribute that only namespaces have.
const NAMESPACE_MARK: &str = "__inshore_namespace";

/// The template with checked assignments and without generation tags. Lines keep their numbers.
///
/// # Errors
/// What the lexer refuses, and tags that are too complex.
pub(crate) fn guarded(source: &str) -> Result<String, Error> {
    let mut edits = Vec::new();
    let mut tag = Tag::default();
    let mut elifs = 0;
    // The syntax is the default one; its type has no public name.
    for token in tokenize(source, false, Default::default(), WhitespaceConfig::default()) {
        let (token, span) = token?;
        match token {
            Token::TemplateData(_) => {}
            Token::VariableStart | Token::BlockStart => {
                tag = Tag { is_block: matches!(token, Token::BlockStart), ..Tag::default() };
            }
            Token::VariableEnd | Token::BlockEnd => tag.end(&mut edits),
            _ => {
                elifs += usize::from(tag.is_block && tag.tokens == 0 && matches!(token, Token::Ident("elif")));
                tag.push(&token, span, &mut edits);
                if tag.operators > MAX_OPERATORS || elifs > MAX_ELIFS {
                    return Err(Error::new(
                        ErrorKind::SyntaxError,
                        format!(
                            "line {}: more than {MAX_OPERATORS} operators in a tag or {MAX_ELIFS} `elif` in all",
                            span.start_line
                        ),
                    ));
                }
            }
        }
    }
    Ok(apply(source, &edits))
}

/// Text to put at an offset, in place of as many bytes.
struct Edit {
    at: usize,
    replaces: usize,
    text: String,
}

/// The tag that is being read.
#[derive(Default)]
struct Tag {
    is_block: bool,
    tokens: usize,
    operators: usize,
    state: SetState,
    /// End of the last token.
    end: usize,
}

/// How far a `set` tag is read.
#[derive(Default, PartialEq)]
enum SetState {
    #[default]
    NoSet,
    Target {
        attribute: bool,
    },
    Value,
}

impl Tag {
    fn push(&mut self, token: &Token<'_>, span: Span, edits: &mut Vec<Edit>) {
        let (start, end) = (span.start_offset as usize, span.end_offset as usize);
        let mut replace = |text: &str| edits.push(Edit { at: start, replaces: end - start, text: text.into() });
        match (token, self.tokens) {
            (Token::Ident("set"), 0) if self.is_block => self.state = SetState::Target { attribute: false },
            (Token::Ident("generation"), 0) if self.is_block => replace("if true"),
            (Token::Ident("endgeneration"), 0) if self.is_block => replace("endif"),
            (Token::Dot, _) if matches!(self.state, SetState::Target { .. }) => {
                self.state = SetState::Target { attribute: true };
            }
            (Token::Assign, _) => {
                if let SetState::Target { attribute } = self.state {
                    let check = if attribute { CHECK_ATTRIBUTE } else { CHECK };
                    // Doubled, because the value may be a tuple without brackets.
                    edits.push(Edit { at: end, replaces: 0, text: format!(" {check}((") });
                    self.state = SetState::Value;
                }
            }
            _ => {}
        }
        self.tokens += 1;
        self.operators += usize::from(nests(token));
        self.end = end;
    }

    fn end(&self, edits: &mut Vec<Edit>) {
        if self.state == SetState::Value {
            edits.push(Edit { at: self.end, replaces: 0, text: "))".into() });
        }
    }
}

/// Whether a token can be a level of recursion of its own.
fn nests(token: &Token<'_>) -> bool {
    match token {
        Token::Ident(word) => matches!(*word, "not" | "and" | "or" | "if" | "is" | "in"),
        Token::Str(_) | Token::String(_) | Token::Int(_) | Token::Int128(_) | Token::Float(_) => false,
        Token::Comma | Token::Colon | Token::Assign => false,
        Token::BracketClose | Token::ParenClose | Token::BraceClose => false,
        _ => true,
    }
}

/// Applies edits, which are in order.
fn apply(source: &str, edits: &[Edit]) -> String {
    let mut out = String::with_capacity(source.len() + edits.iter().map(|edit| edit.text.len()).sum::<usize>());
    let mut done = 0;
    for edit in edits {
        out.push_str(&source[done..edit.at]);
        out.push_str(&edit.text);
        done = edit.at + edit.replaces;
    }
    out.push_str(&source[done..]);
    out
}

/// Adds the functions that guarded templates call, for a conversation of `bytes` in `messages`.
pub(crate) fn install(environment: &mut Environment<'static>, bytes: usize, messages: usize) {
    let limits = Limits {
        string_bytes: MAX_STRING_BYTES.saturating_add(bytes.saturating_mul(2)),
        elements: MAX_ELEMENTS.saturating_add(messages.saturating_mul(8)),
    };
    environment.add_function(CHECK, move |value: Value| limits.check(value, true));
    environment.add_function(CHECK_ATTRIBUTE, move |value: Value| limits.check(value, false));
    environment.add_function("namespace", |defaults: Option<Value>| {
        let mut pairs = BTreeMap::from([(NAMESPACE_MARK.to_owned(), Value::from(true))]);
        if let Some(defaults) = defaults {
            for key in defaults.try_iter()? {
                let value = defaults.get_item(&key)?;
                pairs.insert(key.to_string(), value);
            }
        }
        minijinja::functions::namespace(Some(Value::from_iter(pairs)))
    });
}

/// What an assigned value may hold.
#[derive(Clone, Copy)]
struct Limits {
    string_bytes: usize,
    elements: usize,
}

impl Limits {
    fn check(self, value: Value, namespaces: bool) -> Result<Value, Error> {
        let mut elements = 0;
        self.visit(&value, namespaces, 0, &mut elements)?;
        Ok(value)
    }

    fn visit(&self, value: &Value, namespaces: bool, depth: usize, elements: &mut usize) -> Result<(), Error> {
        let refuse = |what: &'static str| Err(Error::new(ErrorKind::InvalidOperation, what));
        *elements += 1;
        if *elements > self.elements || depth > MAX_VALUE_DEPTH {
            return refuse("a value with too many elements");
        }
        if value.as_str().is_some_and(|text| text.len() > self.string_bytes) {
            return refuse("a string that is too long");
        }
        match value.kind() {
            ValueKind::Map => {
                if !namespaces && value.get_attr(NAMESPACE_MARK).is_ok_and(|mark| mark.is_true()) {
                    return refuse("a namespace inside a namespace");
                }
                for key in value.try_iter()? {
                    self.visit(&value.get_item(&key)?, namespaces, depth + 1, elements)?;
                }
            }
            ValueKind::Seq | ValueKind::Iterable => {
                for element in value.try_iter()? {
                    self.visit(&element, namespaces, depth + 1, elements)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_checked_and_the_rest_is_as_it_was() {
        for (source, guarded_source) in [
            ("a {{ b }} {# {% set x = 1 %} #}\n", "a {{ b }} {# {% set x = 1 %} #}\n"),
            ("{%- set x = '%}' -%}", "{%- set x = __inshore_checked(( '%}')) -%}"),
            ("{% set a, b = 1, 2 %}", "{% set a, b = __inshore_checked(( 1, 2)) %}"),
            ("{% set ns.x=f(y=1)%}", "{% set ns.x= __inshore_checked_attribute((f(y=1)))%}"),
            ("{% set x %}{{ y }}{% endset %}", "{% set x %}{{ y }}{% endset %}"),
            ("{% raw %}{% set x = 1 %}{% endraw %}", "{% raw %}{% set x = 1 %}{% endraw %}"),
            ("{%- generation -%}é{%+ endgeneration %}", "{%- if true -%}é{%+ endif %}"),
            ("{{ generation }}{{ set }}", "{{ generation }}{{ set }}"),
        ] {
            assert_eq!(guarded(source).unwrap(), guarded_source, "{source}");
        }
    }
}
