//! Statements.

use std::collections::HashSet;
use std::sync::Arc;

use super::Parser;
use super::expr::expected_call;
use crate::ast::{ExprKind, For, MacroBody, Stmt, StmtKind, Target};
use crate::error::{Error, Result, syntax};
use crate::lexer::Token;

/// Names that are values, and cannot be assigned to.
const CONSTANTS: &[&str] = &["true", "false", "none", "True", "False", "None"];

impl Parser {
    /// Statements up to one of the tags in `ends`, whose name is the next token then.
    pub(super) fn body(&mut self, ends: &[&str]) -> Result<Vec<Stmt>> {
        let mut body = Vec::new();
        loop {
            let line = self.line();
            let kind = match self.next() {
                Token::Data(text) => StmtKind::Data(text.into()),
                Token::VariableBegin => {
                    let value = self.tuple(true, &[], false)?;
                    self.expect(&Token::VariableEnd, "'}}'")?;
                    StmtKind::Print(value)
                }
                Token::BlockBegin => {
                    if ends.iter().any(|end| self.is_name(end)) {
                        return Ok(body);
                    }
                    let kind = self.nested(Self::statement)?;
                    self.expect(&Token::BlockEnd, "'%}'")?;
                    let Some(kind) = kind else { continue };
                    kind
                }
                _ if ends.is_empty() => return Ok(body),
                _ => return Err(syntax(line, format!("Unexpected end of template; expected {}", ends.join(" or ")))),
            };
            body.push(Stmt { kind, line: u32::try_from(line).unwrap_or(u32::MAX) });
        }
    }

    /// The body of a tag, from the end of the tag on.
    fn block(&mut self, ends: &[&str]) -> Result<Vec<Stmt>> {
        self.skip_op(":");
        self.expect(&Token::BlockEnd, "'%}'")?;
        self.body(ends)
    }

    /// A body with a scope of its own, where unknown filters are refused at once.
    fn scoped(&mut self, ends: &[&str], in_loop: bool) -> Result<Vec<Stmt>> {
        let before = (self.soft, self.in_loop);
        (self.soft, self.in_loop) = (false, in_loop);
        let body = self.block(ends);
        (self.soft, self.in_loop) = before;
        body
    }

    fn scoped_to(&mut self, end: &str, in_loop: bool) -> Result<Vec<Stmt>> {
        let body = self.scoped(&[end], in_loop)?;
        self.at += 1;
        Ok(body)
    }

    fn statement(&mut self) -> Result<Option<StmtKind>> {
        let line = self.line();
        let Token::Name(name) = self.next() else { return Err(syntax(line, "tag name expected")) };
        Ok(Some(match name.as_str() {
            "for" => self.for_loop()?,
            "if" => self.if_block()?,
            "set" => self.set()?,
            "macro" => {
                let name = self.expect_name()?;
                check_assignable(&name, line)?;
                let (params, defaults) = self.signature()?;
                StmtKind::Macro(name, self.macro_of(params, defaults, "endmacro")?)
            }
            "call" => self.call_block(line)?,
            "filter" => {
                let filter = self.filter_chain(None, true)?;
                let in_loop = self.in_loop;
                StmtKind::FilterBlock(filter, self.scoped_to("endfilter", in_loop)?)
            }
            "with" => self.with()?,
            "block" => self.named_block(line)?,
            "generation" => StmtKind::Generation(self.scoped_to("endgeneration", false)?),
            "autoescape" => {
                let on = self.expression()?;
                let in_loop = self.in_loop;
                StmtKind::Autoescape(on, self.scoped_to("endautoescape", in_loop)?)
            }
            "print" => return self.print(line),
            "break" | "continue" if !self.in_loop => {
                return Err(syntax(line, format!("'{name}' outside loop")));
            }
            "break" => StmtKind::Break,
            "continue" => StmtKind::Continue,
            "include" | "import" | "from" | "extends" => {
                while !matches!(self.peek(), Token::BlockEnd | Token::End) {
                    self.at += 1;
                }
                StmtKind::NeedsLoader
            }
            other => return Err(syntax(line, format!("Encountered unknown tag '{other}'."))),
        }))
    }

    fn print(&mut self, line: usize) -> Result<Option<StmtKind>> {
        if matches!(self.peek(), Token::BlockEnd) {
            return Ok(None);
        }
        let value = self.tuple(true, &[], false)?;
        if matches!(value.kind, ExprKind::Tuple(_)) {
            return Err(Error::new(crate::ErrorKind::Unsupported, "a print tag with several values").at(line));
        }
        Ok(Some(StmtKind::Print(value)))
    }

    fn for_loop(&mut self) -> Result<StmtKind> {
        let target = self.targets(false)?;
        if !self.skip_name("in") {
            return Err(self.expected("'in'"));
        }
        let iterable = self.tuple(false, &["recursive"], false)?;
        let filter = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        let body = self.scoped(&["endfor", "else"], true)?;
        let in_loop = self.in_loop;
        let otherwise = if self.skip_name("else") { self.scoped(&["endfor"], in_loop)? } else { Vec::new() };
        self.at += 1;
        Ok(StmtKind::For(Arc::new(For { target, iterable, filter, body, otherwise, recursive })))
    }

    fn if_block(&mut self) -> Result<StmtKind> {
        let soft = std::mem::replace(&mut self.soft, true);
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let test = self.tuple(false, &[], false)?;
            branches.push((test, self.block(&["elif", "else", "endif"])?));
            if self.skip_name("elif") {
                continue;
            }
            if self.skip_name("else") {
                otherwise = self.block(&["endif"])?;
            }
            self.at += 1;
            break;
        }
        self.soft = soft;
        Ok(StmtKind::If(branches, otherwise))
    }

    fn set(&mut self) -> Result<StmtKind> {
        let target = self.targets(true)?;
        if self.skip_op("=") {
            return Ok(StmtKind::Set(target, self.tuple(true, &[], false)?));
        }
        let filter = if self.is_op("|") { Some(self.filter_chain(None, false)?) } else { None };
        let in_loop = self.in_loop;
        Ok(StmtKind::SetBlock(target, filter, self.scoped_to("endset", in_loop)?))
    }

    fn with(&mut self) -> Result<StmtKind> {
        let mut values = Vec::new();
        while !matches!(self.peek(), Token::BlockEnd | Token::End) {
            if !values.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.target(false)?;
            self.expect_op("=")?;
            values.push((target, self.expression()?));
        }
        let in_loop = self.in_loop;
        Ok(StmtKind::With(values, self.scoped_to("endwith", in_loop)?))
    }

    fn named_block(&mut self, line: usize) -> Result<StmtKind> {
        let name = self.expect_name()?.to_string();
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if !self.blocks.insert(name.clone()) {
            return Err(syntax(line, format!("block '{name}' defined twice")));
        }
        let body = self.scoped_to("endblock", false)?;
        self.skip_name(&name);
        Ok(StmtKind::Block { body, scoped, required })
    }

    fn call_block(&mut self, line: usize) -> Result<StmtKind> {
        let (params, defaults) = if self.is_op("(") { self.signature()? } else { Default::default() };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(expected_call(line));
        }
        Ok(StmtKind::CallBlock(call, self.macro_of(params, defaults, "endcall")?))
    }

    fn macro_of(
        &mut self,
        params: Vec<Arc<str>>,
        defaults: Vec<crate::ast::Expr>,
        end: &str,
    ) -> Result<Arc<MacroBody>> {
        self.special_names.push(HashSet::new());
        let body = self.scoped_to(end, false)?;
        let special = self.special_names.pop().unwrap_or_default();
        let uses = |name: &str| special.contains(name);
        let is_param = |name: &str| params.iter().any(|param| **param == *name);
        let without_default = &params[..params.len() - defaults.len()];
        if uses("caller") && without_default.iter().any(|param| **param == *"caller") {
            let message = "the special argument 'caller' must be omitted or be given a default";
            return Err(syntax(self.line(), message));
        }
        Ok(Arc::new(MacroBody {
            uses_caller: uses("caller") && !is_param("caller"),
            uses_kwargs: uses("kwargs") && !is_param("kwargs"),
            uses_varargs: uses("varargs") && !is_param("varargs"),
            params,
            defaults,
            body,
        }))
    }

    fn signature(&mut self) -> Result<(Vec<Arc<str>>, Vec<crate::ast::Expr>)> {
        self.expect_op("(")?;
        let (mut params, mut defaults) = (Vec::new(), Vec::new());
        while !self.is_op(")") {
            if !params.is_empty() {
                self.expect_op(",")?;
            }
            let line = self.line();
            let name = self.expect_name()?;
            check_assignable(&name, line)?;
            if params.contains(&name) {
                return Err(syntax(line, format!("duplicate argument '{name}' in a definition")));
            }
            params.push(name);
            if self.skip_op("=") {
                defaults.push(self.expression()?);
            } else if !defaults.is_empty() {
                return Err(syntax(line, "non-default argument follows default argument"));
            }
        }
        self.expect_op(")")?;
        Ok((params, defaults))
    }

    /// What is assigned to: a name, an attribute of a namespace, or a tuple of those.
    fn targets(&mut self, with_attributes: bool) -> Result<Target> {
        let first = self.target(with_attributes)?;
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut targets = vec![first];
        while self.skip_op(",") {
            if !matches!(self.peek(), Token::Name(_) | Token::Op("(")) || self.is_name("in") {
                break;
            }
            targets.push(self.target(with_attributes)?);
        }
        Ok(Target::Tuple(targets))
    }

    fn target(&mut self, with_attributes: bool) -> Result<Target> {
        let line = self.line();
        if self.skip_op("(") {
            let inner = self.nested(|parser| parser.targets(with_attributes))?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        let name = self.expect_name()?;
        check_assignable(&name, line)?;
        if with_attributes && self.skip_op(".") {
            return Ok(Target::Attribute(name, self.expect_name()?));
        }
        Ok(Target::Name(name))
    }
}

fn check_assignable(name: &str, line: usize) -> Result<()> {
    if CONSTANTS.contains(&name) {
        return Err(syntax(line, format!("can't assign to '{name}'")));
    }
    Ok(())
}
