//! Expressions, by falling binding strength from the bottom of this file to its top.

use std::sync::Arc;

use super::Parser;
use crate::ast::{Args, BinaryOp, CompareOp, Const, Expr, ExprKind};
use crate::error::{Error, ErrorKind, Result, syntax};
use crate::lexer::Token;
use crate::{filters, tests};

impl Parser {
    pub(super) fn expression(&mut self) -> Result<Expr> {
        self.nested(Self::condition)
    }

    fn condition(&mut self) -> Result<Expr> {
        let line = self.line();
        let unknown_before = self.unknown.len();
        let mut value = self.or()?;
        while self.skip_name("if") {
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(Box::new(self.nested(Self::condition)?)) } else { None };
            let kind = ExprKind::Condition { test: Box::new(test), then: Box::new(value), otherwise };
            value = self.node(kind, line)?;
            self.unknown.truncate(unknown_before);
        }
        Ok(value)
    }

    fn or(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut left = self.and()?;
        while self.skip_name("or") {
            let right = self.and()?;
            left = self.node(ExprKind::Or(Box::new(left), Box::new(right)), line)?;
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut left = self.not()?;
        while self.skip_name("and") {
            let right = self.not()?;
            left = self.node(ExprKind::And(Box::new(left), Box::new(right)), line)?;
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr> {
        let line = self.line();
        if self.skip_name("not") {
            let value = self.nested(Self::not)?;
            return self.node(ExprKind::Not(Box::new(value)), line);
        }
        self.compare()
    }

    fn compare(&mut self) -> Result<Expr> {
        let line = self.line();
        let first = self.sum()?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.peek() {
                Token::Op("==") => CompareOp::Eq,
                Token::Op("!=") => CompareOp::Ne,
                Token::Op("<") => CompareOp::Lt,
                Token::Op("<=") => CompareOp::Le,
                Token::Op(">") => CompareOp::Gt,
                Token::Op(">=") => CompareOp::Ge,
                Token::Name(name) if name == "in" => CompareOp::In,
                Token::Name(name)
                    if name == "not" && matches!(self.peek_second(), Token::Name(name) if name == "in") =>
                {
                    self.at += 1;
                    CompareOp::NotIn
                }
                _ => break,
            };
            self.at += 1;
            rest.push((operator, self.sum()?));
        }
        if rest.is_empty() { Ok(first) } else { self.node(ExprKind::Compare(Box::new(first), rest), line) }
    }

    fn sum(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut left = self.concat()?;
        loop {
            let operator = match self.peek() {
                Token::Op("+") => BinaryOp::Add,
                Token::Op("-") => BinaryOp::Sub,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.concat()?;
            left = self.node(ExprKind::Binary(operator, Box::new(left), Box::new(right)), line)?;
        }
    }

    fn concat(&mut self) -> Result<Expr> {
        let line = self.line();
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        self.node(ExprKind::Concat(parts), line)
    }

    fn product(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut left = self.power()?;
        loop {
            let operator = match self.peek() {
                Token::Op("*") => BinaryOp::Mul,
                Token::Op("/") => BinaryOp::Div,
                Token::Op("//") => BinaryOp::FloorDiv,
                Token::Op("%") => BinaryOp::Mod,
                _ => return Ok(left),
            };
            self.at += 1;
            let right = self.power()?;
            left = self.node(ExprKind::Binary(operator, Box::new(left), Box::new(right)), line)?;
        }
    }

    fn power(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut left = self.unary(true)?;
        while self.skip_op("**") {
            let right = self.unary(true)?;
            left = self.node(ExprKind::Binary(BinaryOp::Pow, Box::new(left), Box::new(right)), line)?;
        }
        Ok(left)
    }

    /// A sign binds weaker than `.`, `[]` and `()`, and stronger than filters.
    fn unary(&mut self, with_filters: bool) -> Result<Expr> {
        let line = self.line();
        let mut value = if self.skip_op("-") {
            let value = self.nested(|parser| parser.unary(false))?;
            self.node(ExprKind::Negative(Box::new(value)), line)?
        } else if self.skip_op("+") {
            let value = self.nested(|parser| parser.unary(false))?;
            self.node(ExprKind::Positive(Box::new(value)), line)?
        } else {
            self.primary()?
        };
        value = self.postfix(value)?;
        if with_filters { self.filters(value) } else { Ok(value) }
    }

    fn primary(&mut self) -> Result<Expr> {
        let line = self.line();
        let constant = |value| ExprKind::Const(value);
        let kind = match self.peek() {
            Token::Name(name) => {
                let name: Arc<str> = name.as_str().into();
                self.at += 1;
                match &*name {
                    "true" | "True" => constant(Const::Bool(true)),
                    "false" | "False" => constant(Const::Bool(false)),
                    "none" | "None" => constant(Const::None),
                    _ => {
                        self.note_special(&name);
                        ExprKind::Name(name)
                    }
                }
            }
            Token::Str(_) => {
                let mut text = String::new();
                while let Token::Str(part) = self.peek() {
                    text.push_str(part);
                    self.at += 1;
                }
                constant(Const::Str(text.into()))
            }
            Token::Int(value) => {
                let value = *value;
                self.at += 1;
                constant(Const::Int(value))
            }
            Token::Float(value) => {
                let value = *value;
                self.at += 1;
                constant(Const::Float(value))
            }
            Token::Op("(") => {
                self.at += 1;
                let value = self.nested(|parser| parser.tuple(true, &[], true))?;
                self.expect_op(")")?;
                return Ok(value);
            }
            Token::Op("[") => ExprKind::List(self.list()?),
            Token::Op("{") => ExprKind::Dict(self.dict()?),
            _ => return Err(syntax(line, format!("unexpected {}", super::describe(self.peek())))),
        };
        self.node(kind, line)
    }

    fn note_special(&mut self, name: &str) {
        if matches!(name, "caller" | "kwargs" | "varargs") {
            for names in &mut self.special_names {
                names.insert(name.to_owned());
            }
        }
    }

    /// One expression, or a tuple without its parentheses. `ends` names what may end it beside closing tags and brackets.
    pub(super) fn tuple(&mut self, with_condition: bool, ends: &[&str], parentheses: bool) -> Result<Expr> {
        let line = self.line();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            let ended = matches!(self.peek(), Token::VariableEnd | Token::BlockEnd | Token::Op(")"))
                || ends.iter().any(|end| self.is_name(end));
            if ended {
                break;
            }
            items.push(if with_condition { self.expression()? } else { self.nested(Self::or)? });
            if !self.is_op(",") {
                break;
            }
            is_tuple = true;
        }
        if !is_tuple {
            if let Some(item) = items.pop() {
                return Ok(item);
            }
            if !parentheses {
                return Err(self.expected("an expression"));
            }
        }
        self.node(ExprKind::Tuple(items), line)
    }

    fn list(&mut self) -> Result<Vec<Expr>> {
        self.expect_op("[")?;
        let mut items = Vec::new();
        while !self.is_op("]") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(items)
    }

    fn dict(&mut self) -> Result<Vec<(Expr, Expr)>> {
        self.expect_op("{")?;
        let mut pairs = Vec::new();
        while !self.is_op("}") {
            if !pairs.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            pairs.push((key, self.expression()?));
        }
        self.expect_op("}")?;
        Ok(pairs)
    }

    fn postfix(&mut self, mut value: Expr) -> Result<Expr> {
        loop {
            value = match self.peek() {
                Token::Op(".") | Token::Op("[") => self.subscript(value)?,
                Token::Op("(") => self.call(value)?,
                _ => return Ok(value),
            };
        }
    }

    fn filters(&mut self, mut value: Expr) -> Result<Expr> {
        loop {
            value = match self.peek() {
                Token::Op("|") => self.filter_chain(Some(value), false)?,
                Token::Name(name) if name == "is" => self.test(value)?,
                Token::Op("(") => self.call(value)?,
                _ => return Ok(value),
            };
        }
    }

    fn call(&mut self, value: Expr) -> Result<Expr> {
        let line = self.line();
        let args = self.arguments()?;
        self.node(ExprKind::Call(Box::new(value), Box::new(args)), line)
    }

    fn subscript(&mut self, value: Expr) -> Result<Expr> {
        let line = self.line();
        if self.skip_op(".") {
            let kind = match self.next() {
                Token::Name(name) => ExprKind::Attribute(Box::new(value), name.into()),
                Token::Int(index) => {
                    let index = self.node(ExprKind::Const(Const::Int(index)), line)?;
                    ExprKind::Item(Box::new(value), Box::new(index))
                }
                _ => return Err(syntax(line, "expected name or number")),
            };
            return self.node(kind, line);
        }
        self.expect_op("[")?;
        let mut items = Vec::new();
        while !self.is_op("]") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            items.push(self.subscribed()?);
        }
        self.expect_op("]")?;
        let index = match items.len() {
            1 => items.remove(0),
            _ => self.node(ExprKind::Tuple(items), line)?,
        };
        self.node(ExprKind::Item(Box::new(value), Box::new(index)), line)
    }

    /// An index or a slice.
    fn subscribed(&mut self) -> Result<Expr> {
        let line = self.line();
        let mut parts = [None, None, None];
        if !self.is_op(":") {
            let index = self.expression()?;
            if !self.is_op(":") {
                return Ok(index);
            }
            parts[0] = Some(Box::new(index));
        }
        for part in &mut parts[1..] {
            if !self.skip_op(":") {
                break;
            }
            if !self.is_op(":") && !self.is_op("]") && !self.is_op(",") {
                *part = Some(Box::new(self.expression()?));
            }
        }
        self.node(ExprKind::Slice(parts), line)
    }

    fn arguments(&mut self) -> Result<Args> {
        let line = self.line();
        let invalid = || syntax(line, "invalid syntax for function call expression");
        self.expect_op("(")?;
        let mut args = Args::default();
        let mut first = true;
        while !self.is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            first = false;
            if self.skip_op("*") {
                if args.star.is_some() || args.star_star.is_some() {
                    return Err(invalid());
                }
                args.star = Some(self.expression()?);
            } else if self.skip_op("**") {
                if args.star_star.is_some() {
                    return Err(invalid());
                }
                args.star_star = Some(self.expression()?);
            } else if matches!((self.peek(), self.peek_second()), (Token::Name(_), Token::Op("="))) {
                if args.star_star.is_some() {
                    return Err(invalid());
                }
                let name = self.expect_name()?;
                self.at += 1;
                if args.named.iter().any(|(known, _)| *known == name) {
                    return Err(syntax(line, format!("keyword argument repeated: {name}")));
                }
                args.named.push((name, self.expression()?));
            } else {
                if args.star.is_some() || args.star_star.is_some() || !args.named.is_empty() {
                    return Err(invalid());
                }
                args.positional.push(self.expression()?);
            }
        }
        self.expect_op(")")?;
        Ok(args)
    }

    fn dotted_name(&mut self) -> Result<Arc<str>> {
        let mut name = self.expect_name()?.to_string();
        while self.skip_op(".") {
            name.push('.');
            name.push_str(&self.expect_name()?);
        }
        Ok(name.into())
    }

    /// `|name(...)`, repeated. `inline`: the first one has no `|` before it.
    pub(super) fn filter_chain(&mut self, mut value: Option<Expr>, inline: bool) -> Result<Expr> {
        let mut inline = inline;
        loop {
            if !inline {
                self.expect_op("|")?;
            }
            inline = false;
            let line = self.line();
            let name = self.dotted_name()?;
            if !self.soft && !filters::exists(&name) {
                self.unknown.push(syntax(line, format!("No filter named '{name}'.")));
            }
            let args = if self.is_op("(") { self.arguments()? } else { Args::default() };
            let filtered = self.node(ExprKind::Filter(value.map(Box::new), name, Box::new(args)), line)?;
            if !self.is_op("|") {
                return Ok(filtered);
            }
            value = Some(filtered);
        }
    }

    fn test(&mut self, value: Expr) -> Result<Expr> {
        let line = self.line();
        self.at += 1;
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        if !self.soft && !tests::exists(&name) {
            self.unknown.push(syntax(line, format!("No test named '{name}'.")));
        }
        let mut args = Args::default();
        match self.peek() {
            Token::Op("(") => args = self.arguments()?,
            Token::Name(name) if matches!(name.as_str(), "else" | "or" | "and") => {}
            Token::Name(name) if name == "is" => return Err(syntax(line, "You cannot chain multiple tests with is")),
            Token::Name(_) | Token::Str(_) | Token::Int(_) | Token::Float(_) | Token::Op("[" | "{") => {
                let argument = self.nested(|parser| {
                    let value = parser.primary()?;
                    parser.postfix(value)
                })?;
                args.positional.push(argument);
            }
            _ => {}
        }
        let tested = self.node(ExprKind::Test(Box::new(value), name, Box::new(args)), line)?;
        if negated { self.node(ExprKind::Not(Box::new(tested)), line) } else { Ok(tested) }
    }
}

/// The error of a call that is not one.
pub(super) fn expected_call(line: usize) -> Error {
    Error::new(ErrorKind::Syntax, "expected call").at(line)
}
