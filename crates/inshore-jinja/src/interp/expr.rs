//! The interpreter: expressions.

use std::rc::Rc;

use super::Interp;
use super::scope::Frame;
use crate::ast::{Args, BinaryOp, CompareOp, Const, Expr, ExprKind};
use crate::attributes;
use crate::error::{Result, unsupported};
use crate::filters;
use crate::ops;
use crate::print;
use crate::slices;
use crate::tests;
use crate::text::StrBuf;
use crate::value::{Dict, Value};

impl Interp<'_> {
    /// The value of an expression.
    pub(crate) fn eval(&self, expr: &Expr, frame: &Rc<Frame>) -> Result<Value> {
        let located = |error: crate::Error| error.at(expr.line as usize);
        self.meter.enter().map_err(located)?;
        let value = self.eval_kind(&expr.kind, frame).map_err(located)?;
        self.meter.leave();
        Ok(value)
    }

    fn eval_kind(&self, kind: &ExprKind, frame: &Rc<Frame>) -> Result<Value> {
        match kind {
            ExprKind::Const(value) => self.constant(value),
            ExprKind::Name(name) => self.name(name, frame),
            ExprKind::List(items) => Value::list(self.all(items, frame)?, self.meter),
            ExprKind::Tuple(items) => Value::tuple(self.all(items, frame)?, self.meter),
            ExprKind::Dict(pairs) => self.dict_literal(pairs, frame),
            ExprKind::Not(value) => Ok(Value::Bool(!self.eval(value, frame)?.is_true())),
            ExprKind::Negative(value) => ops::negative(&self.eval(value, frame)?),
            ExprKind::Positive(value) => ops::positive(&self.eval(value, frame)?),
            ExprKind::Binary(operator, left, right) => self.binary(*operator, left, right, frame),
            ExprKind::Concat(parts) => self.concat(parts, frame),
            ExprKind::Compare(first, rest) => self.compare(first, rest, frame),
            ExprKind::And(left, right) => {
                let left = self.eval(left, frame)?;
                if left.is_true() { self.eval(right, frame) } else { Ok(left) }
            }
            ExprKind::Or(left, right) => {
                let left = self.eval(left, frame)?;
                if left.is_true() { Ok(left) } else { self.eval(right, frame) }
            }
            ExprKind::Condition { test, then, otherwise } => self.condition(test, then, otherwise.as_deref(), frame),
            ExprKind::Attribute(value, name) => self.attribute(&self.eval(value, frame)?, name),
            ExprKind::Item(value, key) => self.item(value, key, frame),
            ExprKind::Slice(_) => Err(unsupported("a slice among other indices is not supported")),
            ExprKind::Call(callee, args) => {
                let callee = self.eval(callee, frame)?;
                let args = self.arguments(args, frame)?;
                self.call(&callee, args)
            }
            ExprKind::Filter(value, name, args) => self.filter(value.as_deref(), name, args, frame),
            ExprKind::Test(value, name, args) => self.test(value, name, args, frame),
        }
    }

    fn constant(&self, value: &Const) -> Result<Value> {
        Ok(match value {
            Const::None => Value::None,
            Const::Bool(value) => Value::Bool(*value),
            Const::Int(value) => Value::Int(*value),
            Const::Float(value) => Value::Float(*value),
            Const::Str(text) => Value::template_str(text, self.meter)?,
        })
    }

    fn name(&self, name: &str, frame: &Frame) -> Result<Value> {
        match self.lookup(name, frame) {
            Some(value) => Ok(value),
            None if name == "self" => Err(unsupported("'self' is not supported")),
            None => Ok(Value::undefined(format!("'{name}' is undefined"))),
        }
    }

    fn all(&self, items: &[Expr], frame: &Rc<Frame>) -> Result<Vec<Value>> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.eval(item, frame)?);
        }
        Ok(values)
    }

    fn dict_literal(&self, pairs: &[(Expr, Expr)], frame: &Rc<Frame>) -> Result<Value> {
        let mut dict = Dict::new(self.meter)?;
        for (key, value) in pairs {
            let key = self.eval(key, frame)?;
            dict.insert(key, self.eval(value, frame)?, self.meter)?;
        }
        Ok(Value::Dict(Rc::new(dict)))
    }

    fn binary(&self, operator: BinaryOp, left: &Expr, right: &Expr, frame: &Rc<Frame>) -> Result<Value> {
        let left = self.eval(left, frame)?;
        let right = self.eval(right, frame)?;
        ops::binary(operator, &left, &right, self.meter)
    }

    fn concat(&self, parts: &[Expr], frame: &Rc<Frame>) -> Result<Value> {
        let values = self.all(parts, frame)?;
        let mut out = StrBuf::new(self.meter)?;
        for value in &values {
            print::push_str(value, &mut out)?;
        }
        Ok(Value::Str(out.finish()))
    }

    fn compare(&self, first: &Expr, rest: &[(CompareOp, Expr)], frame: &Rc<Frame>) -> Result<Value> {
        let mut left = self.eval(first, frame)?;
        for (operator, right) in rest {
            let right = self.eval(right, frame)?;
            if !ops::compare(*operator, &left, &right, self.meter)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    fn condition(&self, test: &Expr, then: &Expr, otherwise: Option<&Expr>, frame: &Rc<Frame>) -> Result<Value> {
        if self.eval(test, frame)?.is_true() {
            return self.eval(then, frame);
        }
        match otherwise {
            Some(value) => self.eval(value, frame),
            None => Ok(Value::undefined("the inline if-expression evaluated to false and no else section was defined")),
        }
    }

    pub(super) fn attribute(&self, value: &Value, name: &str) -> Result<Value> {
        match value {
            Value::Loop(state) => self.loop_attribute(state, name),
            other => attributes::attribute(other, name, self.meter),
        }
    }

    fn item(&self, value: &Expr, key: &Expr, frame: &Rc<Frame>) -> Result<Value> {
        let literal = value;
        let value = self.eval(literal, frame)?;
        if let ExprKind::Slice(parts) = &key.kind {
            let mut bounds = [Value::None, Value::None, Value::None];
            for (bound, part) in bounds.iter_mut().zip(parts) {
                if let Some(part) = part {
                    *bound = self.eval(part, frame)?;
                }
            }
            return match slices::slice(&value, &bounds, self.meter) {
                // Jinja2 folds some constants with a lookup that forgives wrong types, and others not.
                Err(_) if is_constant(literal) => Err(unsupported("slicing a literal that has no parts")),
                sliced => sliced,
            };
        }
        let key = self.eval(key, frame)?;
        match (&value, &key) {
            (Value::Loop(state), Value::Str(name)) => self.loop_attribute(state, name.as_str()),
            _ => attributes::item(&value, &key, self.meter),
        }
    }

    fn filter(&self, value: Option<&Expr>, name: &str, args: &Args, frame: &Rc<Frame>) -> Result<Value> {
        let value = match value {
            Some(value) => self.eval(value, frame)?,
            None => self.block_text.borrow().last().cloned().unwrap_or(Value::None),
        };
        let args = self.arguments(args, frame)?;
        if let (Value::Loop(state), "length" | "count") = (&value, name) {
            args.none(name)?;
            return Ok(Value::Int(self.loop_length(state)? as i128));
        }
        filters::call(self, name, &value, args)
    }

    fn test(&self, value: &Expr, name: &str, args: &Args, frame: &Rc<Frame>) -> Result<Value> {
        let value = self.eval(value, frame)?;
        let args = self.arguments(args, frame)?;
        Ok(Value::Bool(tests::call(name, &value, args, self.meter)?))
    }
}

/// Whether an expression is a literal.
fn is_constant(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Const(_) => true,
        ExprKind::List(items) | ExprKind::Tuple(items) => items.iter().all(is_constant),
        ExprKind::Dict(pairs) => pairs.iter().all(|(key, value)| is_constant(key) && is_constant(value)),
        _ => false,
    }
}
