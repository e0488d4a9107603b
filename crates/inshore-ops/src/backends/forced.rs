//! A plan of the GPU's for as long as a test needs it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::gpu;
use crate::device::plan::GpuPlan;

/// The plan is the device's, and so that of every test of the process that runs meanwhile; all are right.
static FORCING: Mutex<()> = Mutex::new(());

/// Held until the plan is given back.
pub(crate) struct Forced {
    _guard: MutexGuard<'static, ()>,
}

pub(crate) fn force(plan: GpuPlan) -> Forced {
    let guard = FORCING.lock().unwrap_or_else(PoisonError::into_inner);
    gpu().use_plan(plan).expect("a plan that the adapter can run");
    Forced { _guard: guard }
}

impl Drop for Forced {
    fn drop(&mut self) {
        gpu().use_plan(GpuPlan::rule_of_thumb(gpu().gpu_traits().expect("a GPU"))).expect("the rule of thumb fits");
    }
}
