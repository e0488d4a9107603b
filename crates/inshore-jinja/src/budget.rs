//! What one run may use: work, memory, output and nesting. Everything that computes or allocates asks here first.

use std::cell::Cell;
use std::rc::Rc;

use crate::error::{Error, ErrorKind, Result};

/// The budgets of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Units of work: about one for each byte that is read or written, and [`STEP_WORK`] for each expression.
    pub work: u64,
    /// Bytes of all values that live at one time.
    pub memory_bytes: usize,
    /// Bytes of the rendered text.
    pub output_bytes: usize,
    /// Expressions, statements and calls inside each other.
    pub depth: usize,
}

/// Work of evaluating one expression or statement.
pub(crate) const STEP_WORK: u64 = 32;
/// Most containers inside each other.
pub(crate) const MAX_VALUE_DEPTH: u32 = 128;
/// Work between two calls of the deadline.
const DEADLINE_WORK: u64 = 1 << 20;
/// Stack that a run may use, in bytes. WebAssembly has 1 MiB by default.
const MAX_STACK_BYTES: usize = 448 << 10;

impl Default for Limits {
    fn default() -> Self {
        Self { work: 400_000_000, memory_bytes: 64 << 20, output_bytes: 8 << 20, depth: 400 }
    }
}

impl Limits {
    /// The default limits, with room for a conversation of `input_bytes` bytes.
    pub fn for_input(input_bytes: usize) -> Self {
        let base = Self::default();
        Self {
            work: base.work.saturating_add((input_bytes as u64).saturating_mul(64)),
            memory_bytes: base.memory_bytes.saturating_add(input_bytes.saturating_mul(8)),
            output_bytes: base.output_bytes.saturating_add(input_bytes.saturating_mul(2)),
            depth: base.depth,
        }
    }
}

/// Counts what a run uses.
pub(crate) struct Meter<'d> {
    limits: Limits,
    work_left: Cell<u64>,
    next_check: Cell<u64>,
    live: Rc<Cell<usize>>,
    depth: Cell<usize>,
    stack_start: usize,
    deadline: Option<&'d dyn Fn() -> bool>,
}

/// Bytes that a value holds; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    live: Rc<Cell<usize>>,
    bytes: usize,
}

impl Charge {
    /// Nothing.
    pub(crate) fn none() -> Self {
        Self { live: Rc::default(), bytes: 0 }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.live.set(self.live.get().saturating_sub(self.bytes));
    }
}

fn exhausted(what: &str) -> Error {
    Error::new(ErrorKind::Budget, format!("the template was stopped: it {what}"))
}

fn stack_position() -> usize {
    let marker = 0u8;
    std::hint::black_box(&raw const marker) as usize
}

impl<'d> Meter<'d> {
    pub(crate) fn new(limits: Limits, deadline: Option<&'d dyn Fn() -> bool>) -> Self {
        Self {
            limits,
            work_left: Cell::new(limits.work),
            next_check: Cell::new(limits.work.saturating_sub(DEADLINE_WORK)),
            live: Rc::default(),
            depth: Cell::new(0),
            stack_start: stack_position(),
            deadline,
        }
    }

    /// Accounts for work that is about to be done.
    pub(crate) fn work(&self, units: usize) -> Result<()> {
        let left = self.work_left.get();
        let Some(left) = left.checked_sub(units as u64) else {
            self.work_left.set(0);
            return Err(exhausted(&format!("needs more than {} units of work", self.limits.work)));
        };
        self.work_left.set(left);
        if left < self.next_check.get() {
            self.next_check.set(left.saturating_sub(DEADLINE_WORK));
            if self.deadline.is_some_and(|passed| passed()) {
                return Err(exhausted("takes too long"));
            }
        }
        Ok(())
    }

    /// Accounts for `count` values or bytes of `size` bytes each, before they are allocated.
    pub(crate) fn allocate(&self, count: usize, size: usize) -> Result<Charge> {
        let mut charge = Charge { live: Rc::clone(&self.live), bytes: 0 };
        self.grow(&mut charge, count, size)?;
        Ok(charge)
    }

    /// Adds to an allocation.
    pub(crate) fn grow(&self, charge: &mut Charge, count: usize, size: usize) -> Result<()> {
        let too_large = || exhausted(&format!("needs more than {} bytes of memory", self.limits.memory_bytes));
        let bytes = count.checked_mul(size).ok_or_else(too_large)?;
        self.work(bytes)?;
        let live = self.live.get().checked_add(bytes).filter(|&live| live <= self.limits.memory_bytes);
        self.live.set(live.ok_or_else(too_large)?);
        charge.bytes += bytes;
        Ok(())
    }

    /// Checks the length of the output.
    pub(crate) fn check_output(&self, bytes: usize) -> Result<()> {
        if bytes > self.limits.output_bytes {
            return Err(exhausted(&format!("writes more than {} bytes", self.limits.output_bytes)));
        }
        Ok(())
    }

    /// Enters an expression, statement or call; [`leave`](Self::leave) must follow.
    pub(crate) fn enter(&self) -> Result<()> {
        self.work(STEP_WORK as usize)?;
        let depth = self.depth.get() + 1;
        if depth > self.limits.depth || self.stack_start.abs_diff(stack_position()) > MAX_STACK_BYTES {
            return Err(exhausted("nests calls too deeply"));
        }
        self.depth.set(depth);
        Ok(())
    }

    pub(crate) fn leave(&self) {
        self.depth.set(self.depth.get().saturating_sub(1));
    }

    /// How deep the run is, for [`restore`](Self::restore) after an error that does not end it.
    pub(crate) fn depth(&self) -> usize {
        self.depth.get()
    }

    pub(crate) fn restore(&self, depth: usize) {
        self.depth.set(depth);
    }

    /// Checks the nesting of a new container.
    pub(crate) fn check_depth(&self, depth: u32) -> Result<u32> {
        if depth > MAX_VALUE_DEPTH { Err(exhausted("nests lists and dicts too deeply")) } else { Ok(depth) }
    }
}
