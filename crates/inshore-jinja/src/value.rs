//! Values of a running template, with Python's semantics.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use crate::ast::{For, MacroBody};
use crate::budget::{Charge, Meter};
use crate::error::{Error, Result, runtime, security, undefined, unsupported};
use crate::interp::scope::Frame;
use crate::text::{Origin, Str};

#[derive(Debug, Clone)]
pub(crate) enum Value {
    Undefined(Rc<Undefined>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<Str>),
    List(Rc<Seq>),
    Tuple(Rc<Seq>),
    Dict(Rc<Dict>),
    /// What `dict.keys()`, `values()` and `items()` give.
    View(ViewKind, Rc<Dict>),
    Range(Rc<Range>),
    Iter(Rc<Iter>),
    Namespace(Rc<Namespace>),
    Macro(Rc<Macro>),
    Loop(Rc<LoopState>),
    Cycler(Rc<Cycler>),
    Joiner(Rc<Joiner>),
    /// A method of a value, not yet called.
    Method(Rc<(Value, &'static str)>),
    Function(Function),
}

/// What an undefined value says when it is used.
#[derive(Debug)]
pub(crate) struct Undefined {
    pub(crate) message: String,
    pub(crate) forbidden: bool,
}

impl Undefined {
    pub(crate) fn error(&self) -> Error {
        if self.forbidden { security(self.message.clone()) } else { undefined(self.message.clone()) }
    }
}

/// The items of a list or a tuple.
#[derive(Debug)]
pub(crate) struct Seq {
    pub(crate) items: Vec<Value>,
    pub(crate) depth: u32,
    /// One of `groupby`'s tuples, whose items are also called `grouper` and `list`.
    pub(crate) group: bool,
    _charge: Charge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewKind {
    Keys,
    Values,
    Items,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: i128,
    pub(crate) stop: i128,
    pub(crate) step: i128,
}

impl Range {
    pub(crate) fn len(self) -> usize {
        let distance = if self.step > 0 { self.stop - self.start } else { self.start - self.stop };
        if distance <= 0 { 0 } else { usize::try_from((distance - 1) / self.step.abs() + 1).unwrap_or(usize::MAX) }
    }
}

/// A generator of Python. Its items are computed when it is made, and handed out once; an error comes out at its place.
#[derive(Debug)]
pub(crate) struct Iter {
    pub(crate) items: Vec<Value>,
    pub(crate) next: Cell<usize>,
    pub(crate) error: Option<Error>,
    pub(crate) depth: u32,
    _charge: Charge,
}

#[derive(Debug)]
pub(crate) struct Namespace {
    pub(crate) attributes: RefCell<Rc<Dict>>,
}

#[derive(Debug)]
pub(crate) struct Macro {
    /// `None` for the body of a call block.
    pub(crate) name: Option<Rc<str>>,
    pub(crate) body: Arc<MacroBody>,
    pub(crate) frame: Rc<Frame>,
}

/// A running `for`. Items are filtered when they are needed, as Jinja2 does it.
#[derive(Debug)]
pub(crate) struct LoopState {
    /// Items that were not looked at yet.
    pub(crate) source: RefCell<VecDeque<Value>>,
    /// Items that passed the filter ahead of time.
    pub(crate) ready: RefCell<VecDeque<Value>>,
    /// What the source ends with.
    pub(crate) error: RefCell<Option<Error>>,
    /// The number of items, where it is known without going over them.
    pub(crate) sized: Option<usize>,
    /// Items begun; the current one included.
    pub(crate) begun: Cell<usize>,
    pub(crate) depth0: usize,
    pub(crate) before: RefCell<Option<Value>>,
    pub(crate) current: RefCell<Option<Value>>,
    pub(crate) last_changed: RefCell<Option<Vec<Value>>>,
    pub(crate) statement: Arc<For>,
    /// Where the loop stands.
    pub(crate) frame: Rc<Frame>,
    pub(crate) value_depth: u32,
    pub(crate) _charge: Charge,
}

#[derive(Debug)]
pub(crate) struct Cycler {
    pub(crate) items: Rc<Seq>,
    pub(crate) position: Cell<usize>,
}

#[derive(Debug)]
pub(crate) struct Joiner {
    pub(crate) separator: Value,
    pub(crate) used: Cell<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Range,
    Dict,
    DictFromKeys,
    Namespace,
    Cycler,
    Joiner,
    Lipsum,
    RaiseException,
    StrftimeNow,
}

/// A dict: keys in order of insertion, found through an index of hashable forms.
#[derive(Debug)]
pub(crate) struct Dict {
    pub(crate) entries: Vec<(Value, Value)>,
    index: HashMap<Key, usize>,
    pub(crate) depth: u32,
    charge: Charge,
}

/// A value as a key: what is equal in Python is equal here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Key {
    None,
    Int(i128),
    Float(u64),
    Str(Rc<str>),
    Tuple(Vec<Key>),
    Identity(usize),
}

impl Key {
    pub(crate) fn of(value: &Value, meter: &Meter<'_>) -> Result<Self> {
        meter.work(32)?;
        Ok(match value {
            Value::None => Self::None,
            Value::Bool(value) => Self::Int(i128::from(*value)),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => float_key(*value)?,
            Value::Str(text) => {
                meter.work(text.as_str().len())?;
                Self::Str(text.as_str().into())
            }
            Value::Tuple(items) => {
                Self::Tuple(items.items.iter().map(|item| Self::of(item, meter)).collect::<Result<_>>()?)
            }
            Value::List(_) | Value::Dict(_) | Value::View(..) => {
                return Err(runtime(format!("unhashable type: '{}'", value.type_name())));
            }
            Value::Namespace(this) => Self::Identity(Rc::as_ptr(this) as usize),
            Value::Macro(this) => Self::Identity(Rc::as_ptr(this) as usize),
            Value::Undefined(_) => Self::Identity(0),
            other => return Err(unsupported(format!("a {} as a key is not supported", other.type_name()))),
        })
    }
}

fn float_key(value: f64) -> Result<Key> {
    if value.is_nan() {
        return Err(unsupported("nan as a key is not supported"));
    }
    if value == value.trunc() && value.abs() < 1e38 {
        return Ok(Key::Int(value as i128));
    }
    Ok(Key::Float(value.to_bits()))
}

impl Dict {
    pub(crate) fn new(meter: &Meter<'_>) -> Result<Self> {
        let charge = meter.allocate(1, 96)?;
        Ok(Self { entries: Vec::new(), index: HashMap::new(), depth: 1, charge })
    }

    /// A dict without entries that costs nothing.
    pub(crate) fn empty() -> Self {
        Self { entries: Vec::new(), index: HashMap::new(), depth: 1, charge: Charge::none() }
    }

    /// A dict with the same entries, to be changed before anybody sees it.
    pub(crate) fn copy(&self, meter: &Meter<'_>) -> Result<Self> {
        let mut copy = Self::new(meter)?;
        for (key, value) in &self.entries {
            copy.insert(key.clone(), value.clone(), meter)?;
        }
        Ok(copy)
    }

    pub(crate) fn insert(&mut self, key: Value, value: Value, meter: &Meter<'_>) -> Result<()> {
        let hashed = Key::of(&key, meter)?;
        self.depth = self.depth.max(meter.check_depth(1 + key.depth().max(value.depth()))?);
        if let Some(&at) = self.index.get(&hashed) {
            self.entries[at].1 = value;
            return Ok(());
        }
        let key_bytes = if let Key::Str(text) = &hashed { text.len() } else { 0 };
        meter.grow(&mut self.charge, 1, 2 * (size_of::<(Value, Value)>() + size_of::<(Key, usize)>()) + key_bytes)?;
        self.index.insert(hashed, self.entries.len());
        self.entries.push((key, value));
        Ok(())
    }

    pub(crate) fn get(&self, key: &Value, meter: &Meter<'_>) -> Result<Option<&Value>> {
        let hashed = Key::of(key, meter)?;
        Ok(self.index.get(&hashed).map(|&at| &self.entries[at].1))
    }

    pub(crate) fn get_str(&self, key: &str, meter: &Meter<'_>) -> Result<Option<&Value>> {
        meter.work(key.len() + 16)?;
        Ok(self.index.get(&Key::Str(key.into())).map(|&at| &self.entries[at].1))
    }
}

impl Seq {
    pub(crate) fn new(items: Vec<Value>, meter: &Meter<'_>) -> Result<Rc<Self>> {
        Self::with_group(items, false, meter)
    }

    pub(crate) fn with_group(items: Vec<Value>, group: bool, meter: &Meter<'_>) -> Result<Rc<Self>> {
        let charge = meter.allocate(items.len() + 2, size_of::<Value>())?;
        let depth = depth_of(&items, meter)?;
        Ok(Rc::new(Self { items, depth, group, _charge: charge }))
    }
}

/// One more than the deepest item.
pub(crate) fn depth_of(items: &[Value], meter: &Meter<'_>) -> Result<u32> {
    meter.check_depth(1 + items.iter().map(Value::depth).max().unwrap_or(0))
}

impl Value {
    pub(crate) fn list(items: Vec<Self>, meter: &Meter<'_>) -> Result<Self> {
        Ok(Self::List(Seq::new(items, meter)?))
    }

    pub(crate) fn tuple(items: Vec<Self>, meter: &Meter<'_>) -> Result<Self> {
        Ok(Self::Tuple(Seq::new(items, meter)?))
    }

    /// A string that the template wrote.
    pub(crate) fn template_str(text: &str, meter: &Meter<'_>) -> Result<Self> {
        Ok(Self::Str(Str::template(text, meter)?))
    }

    pub(crate) fn str(text: &str, origin: Origin, meter: &Meter<'_>) -> Result<Self> {
        Ok(Self::Str(Str::new(text, origin, meter)?))
    }

    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined { message: message.into(), forbidden: false }))
    }

    pub(crate) fn forbidden(object: &Self, attribute: &str) -> Self {
        let message = format!("access to attribute '{attribute}' of '{}' object is unsafe.", object.type_name());
        Self::Undefined(Rc::new(Undefined { message, forbidden: true }))
    }

    /// A generator over items that are known already.
    pub(crate) fn generator(items: Vec<Self>, error: Option<Error>, meter: &Meter<'_>) -> Result<Self> {
        let charge = meter.allocate(items.len() + 4, size_of::<Self>())?;
        let depth = depth_of(&items, meter)?;
        Ok(Self::Iter(Rc::new(Iter { items, next: Cell::new(0), error, depth, _charge: charge })))
    }

    /// Containers inside each other, so that no value is too deep to be printed or dropped.
    pub(crate) fn depth(&self) -> u32 {
        match self {
            Self::List(items) | Self::Tuple(items) => items.depth,
            Self::Dict(dict) | Self::View(_, dict) => dict.depth,
            Self::Iter(iter) => iter.depth,
            Self::Loop(state) => state.value_depth,
            Self::Cycler(cycler) => cycler.items.depth,
            Self::Joiner(joiner) => 1 + joiner.separator.depth(),
            Self::Method(method) => 1 + method.0.depth(),
            _ => 0,
        }
    }

    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// The value, unless it is undefined.
    pub(crate) fn defined(&self) -> Result<&Self> {
        match self {
            Self::Undefined(this) => Err(this.error()),
            other => Ok(other),
        }
    }

    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(text) => !text.as_str().is_empty(),
            Self::List(items) | Self::Tuple(items) => !items.items.is_empty(),
            Self::Dict(dict) | Self::View(_, dict) => !dict.entries.is_empty(),
            Self::Range(range) => range.len() != 0,
            _ => true,
        }
    }

    /// The type's name in Python.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(text) if text.markup => "Markup",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::View(ViewKind::Keys, _) => "dict_keys",
            Self::View(ViewKind::Values, _) => "dict_values",
            Self::View(ViewKind::Items, _) => "dict_items",
            Self::Range(_) => "range",
            Self::Iter(_) => "generator",
            Self::Namespace(_) => "Namespace",
            Self::Macro(_) => "Macro",
            Self::Loop(_) => "LoopContext",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
            Self::Method(_) => "builtin_function_or_method",
            Self::Function(_) => "function",
        }
    }

    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(value) => Some(*value),
            Self::Bool(value) => Some(i128::from(*value)),
            _ => None,
        }
    }

    /// An integer argument.
    pub(crate) fn int(&self) -> Result<i128> {
        self.defined()?
            .as_int()
            .ok_or_else(|| runtime(format!("'{}' object cannot be interpreted as an integer", self.type_name())))
    }

    /// A string argument.
    pub(crate) fn string(&self) -> Result<&Rc<Str>> {
        match self.defined()? {
            Self::Str(text) => Ok(text),
            other => Err(runtime(format!("a string is expected, not '{}'", other.type_name()))),
        }
    }
}
