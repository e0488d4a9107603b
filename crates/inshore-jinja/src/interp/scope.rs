//! Scopes of variables.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::budget::{Charge, Meter};
use crate::error::Result;
use crate::value::Value;

/// What a frame costs beside its variables.
const FRAME_BYTES: usize = 160;

/// The variables of one scope, and the scope around it.
#[derive(Debug)]
pub(crate) struct Frame {
    variables: RefCell<HashMap<Arc<str>, Value>>,
    parent: Option<Rc<Frame>>,
    _charge: Charge,
}

impl Frame {
    pub(crate) fn root(meter: &Meter<'_>) -> Result<Rc<Self>> {
        let charge = meter.allocate(1, FRAME_BYTES)?;
        Ok(Rc::new(Self { variables: RefCell::default(), parent: None, _charge: charge }))
    }

    pub(crate) fn inside(parent: &Rc<Self>, meter: &Meter<'_>) -> Result<Rc<Self>> {
        let charge = meter.allocate(1, FRAME_BYTES)?;
        Ok(Rc::new(Self { variables: RefCell::default(), parent: Some(Rc::clone(parent)), _charge: charge }))
    }

    pub(crate) fn set(&self, name: &Arc<str>, value: Value) {
        // The value before is dropped after the borrow ends.
        let _before = self.variables.borrow_mut().insert(Arc::clone(name), value);
    }

    pub(crate) fn get(&self, name: &str) -> Option<Value> {
        let mut frame = self;
        loop {
            if let Some(value) = frame.variables.borrow().get(name) {
                return Some(value.clone());
            }
            frame = frame.parent.as_deref()?;
        }
    }

    /// Takes the variables out, so that no cycle keeps them.
    pub(crate) fn clear(&self) {
        let _before = self.variables.take();
    }
}
