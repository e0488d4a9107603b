//! Tokens to a compiled template, as `jinja2.parser` reads them. Nesting is limited, so that neither this parser nor
//! what walks its result can overflow the stack.

mod expr;
mod stmt;

use std::collections::HashSet;
use std::sync::Arc;

use crate::ast::{Args, Expr, ExprKind, Stmt};
use crate::error::{Error, ErrorKind, Result, syntax};
use crate::lexer::{Token, tokenize};

/// Tags and brackets inside each other. Jinja2 itself gives up at about 70.
const MAX_NESTING: usize = 80;
/// Operators, filters and attributes applied one after the other.
const MAX_EXPR_DEPTH: u32 = 160;

pub(crate) struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    nesting: usize,
    /// Filters and tests that do not exist, where Jinja2 refuses them when it compiles.
    unknown: Vec<Error>,
    /// Inside a condition, where unknown filters and tests fail only when they run.
    soft: bool,
    in_loop: bool,
    /// For each macro that is being read: the special names that it uses.
    special_names: Vec<HashSet<String>>,
    blocks: HashSet<String>,
}

pub(crate) fn parse(source: &str) -> Result<Vec<Stmt>> {
    let mut parser = Parser {
        tokens: tokenize(source)?,
        at: 0,
        nesting: 0,
        unknown: Vec::new(),
        soft: false,
        in_loop: false,
        special_names: Vec::new(),
        blocks: HashSet::new(),
    };
    let body = parser.body(&[])?;
    match parser.unknown.drain(..).next() {
        Some(error) => Err(error),
        None => Ok(body),
    }
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |token| &token.0)
    }

    fn peek_second(&self) -> &Token {
        self.tokens.get(self.at + 1).map_or(&Token::End, |token| &token.0)
    }

    fn line(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.1)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is_op(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Op(found) if *found == operator)
    }

    fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(found) if found == name)
    }

    fn skip_op(&mut self, operator: &str) -> bool {
        let found = self.is_op(operator);
        self.at += usize::from(found);
        found
    }

    fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    fn expect_op(&mut self, operator: &'static str) -> Result<()> {
        if self.skip_op(operator) { Ok(()) } else { Err(self.expected(&format!("'{operator}'"))) }
    }

    fn expect_name(&mut self) -> Result<Arc<str>> {
        let Token::Name(name) = self.peek() else { return Err(self.expected("a name")) };
        let name = name.as_str().into();
        self.at += 1;
        Ok(name)
    }

    fn expect(&mut self, token: &Token, what: &str) -> Result<()> {
        if self.peek() != token {
            return Err(self.expected(what));
        }
        self.at += 1;
        Ok(())
    }

    fn expected(&self, what: &str) -> Error {
        syntax(self.line(), format!("expected {what}, got {}", describe(self.peek())))
    }

    /// Runs `parse` one level deeper.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return Err(too_deep(self.line()));
        }
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    fn node(&self, kind: ExprKind, line: usize) -> Result<Expr> {
        let depth = 1 + deepest(&kind);
        if depth > MAX_EXPR_DEPTH {
            return Err(too_deep(line));
        }
        Ok(Expr { kind, line: u32::try_from(line).unwrap_or(u32::MAX), depth })
    }
}

fn too_deep(line: usize) -> Error {
    Error::new(ErrorKind::Budget, "the template nests too deeply").at(line)
}

fn describe(token: &Token) -> String {
    match token {
        Token::Data(_) => "template text".into(),
        Token::VariableBegin => "'{{'".into(),
        Token::VariableEnd => "'}}'".into(),
        Token::BlockBegin => "'{%'".into(),
        Token::BlockEnd => "'%}'".into(),
        Token::Name(name) => format!("'{name}'"),
        Token::Str(_) => "a string".into(),
        Token::Int(_) | Token::Float(_) => "a number".into(),
        Token::Op(operator) => format!("'{operator}'"),
        Token::End => "the end of the template".into(),
    }
}

fn deepest(kind: &ExprKind) -> u32 {
    let all = |items: &[Expr]| items.iter().map(|item| item.depth).max().unwrap_or(0);
    match kind {
        ExprKind::Const(_) | ExprKind::Name(_) => 0,
        ExprKind::List(items) | ExprKind::Tuple(items) | ExprKind::Concat(items) => all(items),
        ExprKind::Dict(pairs) => pairs.iter().map(|(key, value)| key.depth.max(value.depth)).max().unwrap_or(0),
        ExprKind::Not(value) | ExprKind::Negative(value) | ExprKind::Positive(value) => value.depth,
        ExprKind::Attribute(value, _) => value.depth,
        ExprKind::Binary(_, left, right)
        | ExprKind::And(left, right)
        | ExprKind::Or(left, right)
        | ExprKind::Item(left, right) => left.depth.max(right.depth),
        ExprKind::Compare(first, rest) => rest.iter().map(|(_, value)| value.depth).fold(first.depth, u32::max),
        ExprKind::Condition { test, then, otherwise } => {
            test.depth.max(then.depth).max(otherwise.as_ref().map_or(0, |value| value.depth))
        }
        ExprKind::Slice(parts) => parts.iter().flatten().map(|part| part.depth).max().unwrap_or(0),
        ExprKind::Call(value, args) | ExprKind::Test(value, _, args) => value.depth.max(deepest_argument(args)),
        ExprKind::Filter(value, _, args) => value.as_ref().map_or(0, |value| value.depth).max(deepest_argument(args)),
    }
}

fn deepest_argument(args: &Args) -> u32 {
    let named = args.named.iter().map(|(_, value)| value.depth);
    let stars = args.star.iter().chain(&args.star_star).map(|value| value.depth);
    args.positional.iter().map(|value| value.depth).chain(named).chain(stars).max().unwrap_or(0)
}
