//! A compiled template.

use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) line: u32,
    /// Expressions inside each other, at most the parser's limit.
    pub(crate) depth: u32,
}

#[derive(Debug, Clone)]
pub(crate) enum Const {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CompareOp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    In,
    NotIn,
}

#[derive(Debug)]
pub(crate) enum ExprKind {
    Const(Const),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    Concat(Vec<Expr>),
    Compare(Box<Expr>, Vec<(CompareOp, Expr)>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Condition {
        test: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    Attribute(Box<Expr>, Arc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice([Option<Box<Expr>>; 3]),
    Call(Box<Expr>, Box<Args>),
    /// Without a value: applied to the text of a block.
    Filter(Option<Box<Expr>>, Arc<str>, Box<Args>),
    Test(Box<Expr>, Arc<str>, Box<Args>),
}

#[derive(Debug, Default)]
pub(crate) struct Args {
    pub(crate) positional: Vec<Expr>,
    pub(crate) named: Vec<(Arc<str>, Expr)>,
    pub(crate) star: Option<Expr>,
    pub(crate) star_star: Option<Expr>,
}

#[derive(Debug)]
pub(crate) enum Target {
    Name(Arc<str>),
    Attribute(Arc<str>, Arc<str>),
    Tuple(Vec<Target>),
}

#[derive(Debug)]
pub(crate) struct Stmt {
    pub(crate) kind: StmtKind,
    pub(crate) line: u32,
}

#[derive(Debug)]
pub(crate) enum StmtKind {
    Data(Arc<str>),
    Print(Expr),
    For(Arc<For>),
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    Set(Target, Expr),
    SetBlock(Target, Option<Expr>, Vec<Stmt>),
    Macro(Arc<str>, Arc<MacroBody>),
    CallBlock(Expr, Arc<MacroBody>),
    FilterBlock(Expr, Vec<Stmt>),
    With(Vec<(Target, Expr)>, Vec<Stmt>),
    Block {
        body: Vec<Stmt>,
        scoped: bool,
        required: bool,
    },
    Generation(Vec<Stmt>),
    Autoescape(Expr, Vec<Stmt>),
    Break,
    Continue,
    /// `include`, `import`, `from` and `extends`, which need a loader.
    NeedsLoader,
}

#[derive(Debug)]
pub(crate) struct For {
    pub(crate) target: Target,
    pub(crate) iterable: Expr,
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) otherwise: Vec<Stmt>,
    pub(crate) recursive: bool,
}

#[derive(Debug)]
pub(crate) struct MacroBody {
    pub(crate) params: Vec<Arc<str>>,
    /// Of the last parameters.
    pub(crate) defaults: Vec<Expr>,
    pub(crate) body: Vec<Stmt>,
    pub(crate) uses_caller: bool,
    pub(crate) uses_kwargs: bool,
    pub(crate) uses_varargs: bool,
}
