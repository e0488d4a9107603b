//! Decides whether an engine can go on after a panic or an error.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use inshore_ops::device::BackendKind;

use crate::ModelError;

/// Panics and errors so far.
#[derive(Debug, Default)]
pub struct Health {
    /// Set while a panic goes through a step.
    panicked: Arc<AtomicBool>,
    lost: Option<String>,
}

/// Guard that records a panic which unwinds through it.
pub struct Watch(Arc<AtomicBool>);

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::SeqCst);
        }
    }
}

impl Health {
    /// Records a panic until the returned guard is dropped.
    pub fn watch(&self) -> Watch {
        Watch(Arc::clone(&self.panicked))
    }

    /// Records an error if it means a lost device, which does not come back.
    pub fn note(&mut self, error: &ModelError) {
        if let ModelError::DeviceLost { message } = error {
            self.lost.get_or_insert_with(|| message.clone());
        }
    }

    /// Returns whether there was a panic since the last call. On a CPU, resetting the caches is enough afterwards.
    ///
    /// # Errors
    /// [`ModelError::EngineBroken`] after a lost device or a panic on a GPU.
    pub fn take_panic(&mut self, backend: BackendKind) -> Result<bool, ModelError> {
        let panicked = self.panicked.swap(false, Ordering::SeqCst);
        if panicked && backend == BackendKind::Wgpu {
            self.lost.get_or_insert_with(|| "it panicked while the GPU computed".to_owned());
        }
        match &self.lost {
            Some(message) => Err(ModelError::EngineBroken { message: message.clone() }),
            None => Ok(panicked),
        }
    }

    /// Whether a new engine is needed.
    pub fn is_broken(&self, backend: BackendKind) -> bool {
        self.lost.is_some() || (backend == BackendKind::Wgpu && self.panicked.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::lost;

    fn panic_in(health: &Health) {
        let watch = health.watch();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _watch = watch;
            panic!("a panic that the test wants");
        }));
        assert!(panicked.is_err());
    }

    #[test]
    fn a_panic_ends_a_request_on_a_cpu_and_the_engine_on_a_gpu() {
        let (cpu, gpu) = (BackendKind::Flex, BackendKind::Wgpu);
        let mut health = Health::default();
        drop(health.watch());
        assert!(!health.take_panic(cpu).expect("all is well"));
        panic_in(&health);
        assert!(!health.is_broken(cpu) && health.is_broken(gpu));
        assert!(health.take_panic(cpu).expect("usable"));
        assert!(!health.take_panic(cpu).expect("once"));
        panic_in(&health);
        assert_eq!(health.take_panic(gpu).expect_err("unknown state").code(), "device_lost");
        assert!(health.is_broken(gpu) && health.take_panic(gpu).is_err(), "for good");
    }

    #[test]
    fn a_lost_device_breaks_the_engine_and_other_errors_do_not() {
        let mut health = Health::default();
        health.note(&ModelError::EmptyPrompt);
        health.note(&ModelError::NotFiniteLogits { tokens: 1 });
        assert!(!health.is_broken(BackendKind::Wgpu));
        health.note(&lost("gone"));
        assert!(health.is_broken(BackendKind::Flex));
        assert!(health.take_panic(BackendKind::Flex).is_err());
    }
}
