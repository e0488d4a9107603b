//! An engine that breaks when a message asks for it, to test how the server handles it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use inshore_model::{
    CancelHandle, Engine, FinishReason, LoadOptions, ModelError, ModelInfo, OpenDevice, Prompt, Timings, testing,
};

use super::engine_worker::EngineWorker;
use super::job::{AnswerEvent, Job};
use super::supervisor::{Failure, Fault, Loader, Worker};

/// What goes wrong in a load.
#[derive(Debug, Clone, Copy)]
pub enum LoadFault {
    /// It is refused.
    Error,
    /// It panics.
    Panic,
}

/// Loads a real tiny model. Its second and later loads go wrong as `script` says.
#[derive(Debug, Default)]
pub struct FaultyLoader {
    /// Loads that were begun.
    pub loads: Arc<AtomicUsize>,
    /// Faults of the next loads after the first.
    pub script: VecDeque<LoadFault>,
}

impl Loader for FaultyLoader {
    type Worker = FaultyWorker;

    fn load(&mut self, fault: Option<&Fault>) -> anyhow::Result<FaultyWorker> {
        let loads = self.loads.fetch_add(1, Ordering::SeqCst);
        assert_eq!(loads > 0, fault.is_some(), "only the first load has no fault before it");
        let wanted = (loads > 0).then(|| self.script.pop_front()).flatten();
        match wanted {
            Some(LoadFault::Error) => anyhow::bail!("the disk is on fire"),
            Some(LoadFault::Panic) => panic!("the file bit"),
            None => {}
        }
        let file = testing::tiny_llama(7);
        let loaded = Engine::load(&file, OpenDevice::cpu(), LoadOptions::default(), |_| {});
        Ok(FaultyWorker { engine: EngineWorker(pollster::block_on(loaded)?), broken: false })
    }
}

/// A real engine; some messages cause faults before they reach it.
#[derive(Debug)]
pub struct FaultyWorker {
    engine: EngineWorker,
    broken: bool,
}

impl Worker for FaultyWorker {
    fn info(&self) -> &ModelInfo {
        self.engine.info()
    }

    fn answer(&mut self, job: &Job, on_start: &dyn Fn(CancelHandle)) -> Result<(FinishReason, Timings), Failure> {
        let message = match &job.request.prompt {
            Prompt::Chat(messages) => messages.last().map_or("", |message| message.content.as_str()),
            _ => "",
        };
        match message {
            "panic in the template" => panic!("attempt to subtract with overflow"),
            "panic in a kernel" => {
                self.broken = true;
                let _ = job.send(AnswerEvent::Started);
                let text = "half an ans".to_owned();
                let _ = job.send(AnswerEvent::Token { id: None, text, logprobs: None });
                std::panic::panic_any("index out of bounds".to_owned());
            }
            "lose the device" => {
                self.broken = true;
                Err(ModelError::DeviceLost { message: "the cable was pulled".to_owned() }.into())
            }
            _ => self.engine.answer(job, on_start),
        }
    }

    fn is_broken(&self) -> bool {
        self.broken || self.engine.is_broken()
    }
}
